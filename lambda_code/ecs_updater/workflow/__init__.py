"""An update from its plan to its end, with what interrupts it.

=============  =============================================================================
``planning``   reads the service, asks registry and history: from a request to a plan
``rolling``    the wait, the verdict, the rollback: from a deployment to its end
``recorded``   an update under the service's lease, told to the ledger, taken up again
``recovery``   finishes or undoes what somebody else began
``completer``  the open entries of the ledger, in one run
=============  =============================================================================
"""

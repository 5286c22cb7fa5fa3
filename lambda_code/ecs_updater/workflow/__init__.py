"""An update from its plan to its end, with what interrupts it.

==============  =============================================================================
``targets``     the revision that a service is returned to
``planning``    reads the service, asks registry and history: from a request to a plan
``rolling``     the wait and the verdict: from a deployment to its end
``following``   followers that keep the lease while they wait
``returning``   the rollback of what failed
``conclusion``  what came of it, for the caller and the ledger
``recorded``    an update under the service's lease, told to the ledger, taken up again
``recovery``    finishes or undoes what somebody else began
``completer``   the open entries of the ledger, in one run
==============  =============================================================================
"""

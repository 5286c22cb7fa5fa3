"""Reads a service, and writes a plan to it so that the service ends fully old or fully new.

============  ==========================================================
``read``      the service and its task definition, as a ``Snapshot``
``hints``     where something that was not found was looked for
``write``     a plan, in an order in which a failure can be taken back
``tagging``   the service's tags, and what they were
``rollback``  returns the service to a revision that it has run before
``progress``  who is told how far a write came
============  ==========================================================
"""

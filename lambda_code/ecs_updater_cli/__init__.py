"""The command line ``ecs-updater``: many services from one file, watched until each has its
verdict.

============  ====================================================================================
``__main__``  ``python -m ecs_updater_cli``
``main``      the console script: its commands, and what becomes of an error
``commands``  one file per verb: options in, exit code out
``document``  the file of deployments: read with positions, checked as a whole
``batch``     what is known of each service, what comes next, and the loop that follows it
``doors``     where updates are begun and seen: the queue, or this machine, with or without a ledger
``show``      what a person or a program reads: lines, objects, a live view, tables
``ending``    the exit codes, and the sentences that go with them
============  ====================================================================================
"""

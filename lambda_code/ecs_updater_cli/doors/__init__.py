"""Where updates are begun and seen: the only part that calls AWS, through ``ecs_updater.aws``.

===============  =======================================================================
``account``      profile, region, time and names; clients; whether queue and ledger are there
``behaviour``    what the shell says of how updates are done
``trouble``      an error of AWS as the sentence that a person needs
``batches``      a batch in the ledger: begun, found again
``counts``       the tasks of services whose rollout goes on
``queued``       the queue: the worker begins, the completer ends
``local_queue``  messages in memory, for the worker in this process
``direct``       this process in place of worker and completer, with the ledger
``buckets``      ECS's rates, in memory
``unrecorded``   this process alone, without a ledger
``planned``      what each service would become: reads alone
``removals``     the tags that a batch is going to remove
``services``     lists of services, of some clusters
===============  =======================================================================
"""

"""History, progress and the per-service lease, in one table of Amazon DynamoDB.

The table is on demand, with point-in-time recovery; its keys are strings; its TTL attribute is
``expires``. One index, ``recent``, has the entries of all services by ``feed``, which is the same
for all, and ``begun_at``, with what a list shows: see ``feed``.

    pk                   sk              item
    -------------------  --------------  ---------------------------------------------------------
    service's key        LEASE           ``fence``, ``expires_at``, ``expires``, …;
                                         held: ``holder``, ``request_id``, ``since``
    service's key        UPDATE#number   an entry, see ``entry.Entry``; ``expires`` when ended
    service's key        LAST_SUCCESS    the last successful update, see ``entry.Success``
    REQUEST#request_id   REQUEST         ``service``, ``number`` of its entry; ``expires``
    OPEN                 service#number  the same of an open entry, see ``open_entries``
    OPEN-CURSOR          OPEN-CURSOR     ``after``: how far the last run over open entries came
    BATCH#id             BATCH, MEMBER#  a batch and its services, see ``batch``; ``expires``
    PACE                 a bucket        ``full_at``, see ``pace``

A service's key is its ARN in the long form. An entry's number is the fence of the lease under which
it was begun, in 15 digits, so a service's entries sort as its updates happened. A lease expires by
its ``expires_at`` alone: the table's TTL is for what may be forgotten, and comes up to two days
late.

One update costs: lease 1 write to take and 1 to give back, and 1 before each write to ECS; entry 1
transaction to begin (entry, request, open, if the lease is held), 1 write for each step, 1
transaction to end (entry, open, last success); 1 query for what is open.
"""

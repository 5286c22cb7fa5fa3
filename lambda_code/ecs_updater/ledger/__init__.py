"""The ledger: leases, entries, batches and rate limits in one table of Amazon DynamoDB.

The table is on demand, with point-in-time recovery and string keys. Its TTL attribute is `expires`.
The index `recent` has the entries of all services by `feed`, which is the same for all, and
`begun_at`. See `queries`.

    pk                   sk              item
    -------------------  --------------  ---------------------------------------------------------
    service's key        LEASE           `fence`, `expires_at`, `previous_until`, `expires`;
                                         while it is held: `holder`, `request_id`, `since`
    service's key        UPDATE#number   an entry, see `entry.Entry`; `expires` after its end
    service's key        LAST_SUCCESS    the last successful update, see `entry.Success`
    service's key        PUSH            the last accepted push, see `pushes.AcceptedPush`
    REQUEST#request_id   REQUEST         `service`, `number` of its entry; `expires`
    OPEN                 service#number  `service`, `number` of an open entry, and `waits_since`:
                                         its begin or latest poll, see `store`
    NOTIFY               service#number  `notify`: the verdict of an ended entry is to be sent, see
                                         `verdicts`; `service`, `number`, `expires`
    BATCH#id             BATCH, MEMBER#  a batch and its services, see `batch`; `expires`
    BATCH#id             REVISION#       its shared revisions, see `shared_revisions`; `expires`
    PACE                 a bucket        `full_at`, see `rate_limiter`

A service's key is its ARN in the long form. An entry's number is the fence of its lease in 15
digits, so a service's entries sort in the order of its updates. A lease expires by its
`expires_at`: the TTL only deletes items that are no longer needed, up to two days late.

Calls of an update: one query for open entries. Lease: one write to take, one to release, and one
before each write to ECS. Entry: one write for each step, and two transactions. The first one begins
the entry (entry, request, open) if the lease is held. The second one ends it (entry, open, request,
notify, last success, batch).
"""

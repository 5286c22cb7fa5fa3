"""How long a fleet takes, and what it costs: `make bench-fleet`.

=============  ==============================================================================
``stage``      an emulator with a cluster, a fleet of services, and the queue with its worker
``measure``    one run of a contender over a fleet, behind a proxy with ECS's own quotas
``ours``       `ecs-updater deploy`, through the queue
``peers``      fabfuel's ecs-deploy, one after the other and many at once
``forward``    the same fleet, and larger ones, on a clock that only sleeping moves
``table``      the table that is printed
=============  ==============================================================================
"""

"""Measures the time and the ECS calls of a batch that updates many services: `make bench-fleet`.

===============  ===========================================================================
``testbed``      emulator with a cluster, services, and the queue with its worker
``contenders``   `ecs-updater deploy` through the queue; fabfuel's ecs-deploy
``measurement``  one run of a contender, behind a proxy with ECS's rate limits
``simulation``   the same batch, and larger ones, on a simulated clock
``report``       the printed table, and the limits that this project's own runs must keep
===============  ===========================================================================
"""

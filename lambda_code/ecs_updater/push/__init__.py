"""Push to deploy: from a pushed image to one message on the queue for each service that takes it.

A service takes the pushes that its tag `ecs-updater:policy` describes. `run` has the steps in their
order, `policy` decides, and `services` reads the services.
"""

"""Many services from one queue: each message an event, worked off in its service's order and at the
rate that ECS allows.

============  ==============================================================
``message``   a record of Amazon SQS as the event that it carries
``ahead``     ten services of the records read with one call
``pacing``    what a plan's calls cost of ECS's rates
``refusal``   what cannot succeed, told to the ledger at once
``worker``    one invocation: all of it, message by message
``progress``  how far the updates of a batch have come
============  ==============================================================
"""

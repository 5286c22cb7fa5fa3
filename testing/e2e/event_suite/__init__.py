"""Runs the JSON events of ``testing/events`` through any way of invoking the function, and compares
the answers.

==============  ============================================================================
``cases``       the events and what each must answer, with this run's names filled in
``invokers``    one file per way of invoking: SAM, SAM in Docker, the aws cli, the SDK, HTTP
``api``         the deployed API over HTTP
``service``     the service that the events are about: puts it into a state, and reads it
``comparison``  what an answer has that it should not, and the other way round
``run``         every case in turn, and the table at the end
==============  ============================================================================

``python -m event_suite --help`` says how to call it.
"""

"""The last lines of a log stream of Amazon CloudWatch Logs."""

from functools import cache
from typing import Any

from . import clients

_CONFIG = clients.config(2, 5, 2)


def last_messages(region: str | None, group: str, stream: str, most: int) -> list[str]:
    """Returns the messages of the last events of a stream, the latest last. Raises AwsFailure.

    `region`: None stands for the one of the session.
    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
    """
    answer = clients.call(
        _client(region),
        "GetLogEvents",
        "events",
        logGroupName=group,
        logStreamName=stream,
        limit=most,
        startFromHead=False,
    )
    return [event.get("message", "") for event in answer["events"]]


@cache
def _client(region: str | None) -> Any:
    return clients.session().create_client("logs", region_name=region, config=_CONFIG)

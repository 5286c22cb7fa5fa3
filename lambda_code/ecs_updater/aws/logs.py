"""The last lines of a log stream of Amazon CloudWatch Logs."""

from collections.abc import Callable
from typing import Any

from botocore.session import Session

from . import clients

_CONFIG = clients.config(2, 5, 2)


class Logs:
    """Clients of Amazon CloudWatch Logs, made at the first call in a region."""

    def __init__(self, session: Callable[[], Session] = clients.session):
        self._session = session
        self._clients: dict[str | None, Any] = {}

    def last_messages(self, region: str | None, group: str, stream: str, most: int) -> list[str]:
        """Returns the messages of the last events of a stream, the latest last. Raises AwsFailure.

        `region`: None stands for the one of the session.
        https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
        """
        if region not in self._clients:
            self._clients[region] = self._session().create_client(
                "logs", region_name=region, config=_CONFIG
            )
        answer = clients.call(
            self._clients[region],
            "GetLogEvents",
            "events",
            logGroupName=group,
            logStreamName=stream,
            limit=most,
            startFromHead=False,
        )
        return [event.get("message", "") for event in answer["events"]]

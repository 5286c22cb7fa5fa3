"""Sends verdicts: events to a bus of Amazon EventBridge, messages to a topic of Amazon SNS.

The SDK can retry every call, so a verdict can arrive twice.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, cached_property
from typing import Any

from ..model.verdict_event import DETAIL_TYPE, SOURCE, VerdictEvent, as_json
from . import clients

EVENTS_PER_CALL = 10


class Channel:
    """A bus or a topic. Its client is made at the first call."""

    CONFIG = clients.config(2, 5, 3)

    name = ""
    """Its name in a marker of the ledger."""

    def __init__(self, address: str, client: Any = None):
        """`address`: name of the bus, or ARN of the topic."""
        self.address, self._given = address, client

    def send(self, events: Sequence[VerdictEvent]) -> dict[str, str]:
        """Sends at most ten events. Returns by `id` why events were not taken. Raises AwsFailure.

        One call.
        """
        raise NotImplementedError


class EventBus(Channel):
    """An event bus of this account and region."""

    name = "bus"

    def send(self, events: Sequence[VerdictEvent]) -> dict[str, str]:
        """Puts the events on the bus."""
        entries = [
            {
                "EventBusName": self.address,
                "Source": SOURCE,
                "DetailType": DETAIL_TYPE,
                "Time": datetime.fromisoformat(event.ended_at),
                "Resources": [event.service_arn],
                "Detail": as_json(event.detail()),
            }
            for event in events
        ]
        answer = clients.call(self._client, "PutEvents", "Entries", Entries=entries)
        return {
            event.id: _reason(entry["ErrorCode"], entry.get("ErrorMessage"))
            for event, entry in zip(events, answer["Entries"], strict=True)
            if entry.get("ErrorCode")
        }

    @cached_property
    def _client(self) -> Any:
        return self._given or clients.session().create_client("events", config=self.CONFIG)


class Topic(Channel):
    """A standard topic."""

    name = "topic"

    def send(self, events: Sequence[VerdictEvent]) -> dict[str, str]:
        """Publishes a message for each event."""
        entries = [
            {
                "Id": str(index),
                "Subject": event.subject,
                "Message": event.message(),
                "MessageAttributes": {
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in event.attributes.items()
                },
            }
            for index, event in enumerate(events)
        ]
        answer = clients.call(
            self._client,
            "PublishBatch",
            TopicArn=self.address,
            PublishBatchRequestEntries=entries,
        )
        return {
            events[int(failed["Id"])].id: _reason(failed["Code"], failed.get("Message"))
            for failed in answer.get("Failed", [])
        }

    @cached_property
    def _client(self) -> Any:
        return self._given or clients.session().create_client("sns", config=self.CONFIG)


def _reason(code: str, message: str | None) -> str:
    return f"{code}: {message or 'no reason'}"


def channels_of(environment: Mapping[str, str]) -> tuple[Channel, ...]:
    """Returns the channels of `os.environ` or a similar mapping. The same at each call.

    `EVENT_BUS`: name of the bus. `NOTIFY_TOPIC_ARN`: ARN of the topic. Empty: off.
    """
    return _channels(environment.get("EVENT_BUS") or "", environment.get("NOTIFY_TOPIC_ARN") or "")


@cache
def _channels(bus: str, topic: str) -> tuple[Channel, ...]:
    return (*([EventBus(bus)] if bus else []), *([Topic(topic)] if topic else []))

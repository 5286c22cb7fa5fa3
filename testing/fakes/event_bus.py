"""PutEvents of Amazon EventBridge, with its limits, and a topic, in memory."""

import json
from collections.abc import Callable, Sequence

from ecs_updater.aws.notifications import Channel
from ecs_updater.errors import AwsFailure, Outcome
from ecs_updater.model.verdict_event import VerdictEvent

from .wire import Json, Refusal, Wire

BUS = "verdicts"
_MOST_ENTRIES, _MOST_BYTES = 10, 256 << 10


class MemoryBus(Wire):
    """Keeps what is put."""

    def __init__(self) -> None:
        super().__init__("events")
        self.entries: list[Json] = []
        """Each entry that was taken, in order."""
        self.refuses: Callable[[Json], bool] = lambda _: False
        """Whether an event of this detail is not taken, while the others of the call are."""

    @property
    def details(self) -> list[Json]:
        """The details of the events, in order."""
        return [json.loads(entry["Detail"]) for entry in self.entries]

    @property
    def verdicts(self) -> list[str]:
        """The verdicts of the events, in order."""
        return [detail["verdict"] for detail in self.details]

    def answer(self, operation: str, body: Json) -> Json:
        """Takes the entries of a call."""
        entries = body["Entries"]
        size = sum(len(json.dumps(entry).encode()) for entry in entries)
        if not 1 <= len(entries) <= _MOST_ENTRIES or size > _MOST_BYTES:
            raise Refusal("ValidationException", f"{len(entries)} entries of {size} bytes")
        if {entry["EventBusName"] for entry in entries} != {BUS}:
            raise Refusal("ResourceNotFoundException", "Event bus does not exist.")
        answers = []
        for entry in entries:
            if self.refuses(json.loads(entry["Detail"])):
                answers.append({"ErrorCode": "InternalFailure", "ErrorMessage": "not now"})
            else:
                self.entries.append(entry)
                answers.append({"EventId": str(len(self.entries))})
        failed = sum("ErrorCode" in answer for answer in answers)
        return {"FailedEntryCount": failed, "Entries": answers}


class MemoryTopic(Channel):
    """Keeps the messages, or is not there. The e2e tests have the real one."""

    name = "topic"

    def __init__(self) -> None:
        super().__init__("arn:aws:sns:eu-west-1:123456789012:verdicts")
        self.events: list[VerdictEvent] = []
        self.is_there = True

    def send(self, events: Sequence[VerdictEvent]) -> dict[str, str]:
        """Takes the messages."""
        if not self.is_there:
            raise AwsFailure("PublishBatch", Outcome.REFUSED, "NotFound", "Topic does not exist")
        self.events += events
        return {}

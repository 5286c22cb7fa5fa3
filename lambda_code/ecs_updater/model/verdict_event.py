"""The event and the message of one verdict, see `schemas/verdict-event.json`. Pure.

A consumer knows a repeated event by `detail.id`. The summary has neither quotation marks nor
backslashes, so an input transformer of Amazon EventBridge can put it into JSON.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import one_line
from .arn import account_prefix, name_of, revision_name

VERSION = "1"
SOURCE, DETAIL_TYPE = "ecs-updater", "ECS Update Verdict"

DETAIL_BYTES = 24_000
"""Maximum bytes of an event's detail: ten events fit into the 256 KB of one call."""

_SUMMARY_LENGTH = 1000
_SUBJECT_LENGTH = 100
"""Maximum characters of a subject in Amazon SNS."""

_ATTRIBUTE_LENGTH = 256


@dataclass(frozen=True)
class VerdictEvent:
    """The final verdict of one update. Times are ISO 8601 in UTC."""

    id: str
    """The same for each event of this verdict."""
    request_id: str
    action: str
    verdict: str
    cause: str
    service: str
    """The service's key, see `model.arn`."""
    service_arn: str
    begun_at: str
    ended_at: str
    duration_seconds: float
    images_before: Mapping[str, str] = field(default_factory=dict)
    """Images by container."""
    images_after: Mapping[str, str] = field(default_factory=dict)
    task_definition_before: str | None = None
    task_definition_after: str | None = None
    changed: bool | None = None
    """Whether the update changed the service. None: unknown."""
    batch: str | None = None
    caller: str | None = None
    error_type: str | None = None
    target: str | None = None
    """Name of the target. None: the service is at home, or its target is not configured."""

    @property
    def cluster(self) -> str:
        """Name of the cluster."""
        return self.service.split("/")[-2]

    @property
    def summary(self) -> str:
        """Verdict, service, cause and request in one line, without `"` and backslashes."""
        account, region = self._place
        place = f"(request_id {one_line(self.request_id)}, account {account}, {region})"
        most = _SUMMARY_LENGTH - len(place) - 1
        text = f"{self._title}: {self.cause}" if self.cause else self._title
        return f"{one_line(text, most)} {place}".replace('"', "'").replace("\\", "/")

    @property
    def _title(self) -> str:
        place = f"{name_of(self.service)} in {self.cluster}"
        return f"{self.verdict}: {self.action} of {place}"

    @property
    def subject(self) -> str:
        """Subject of the message: one line of ASCII."""
        text = self._title.encode("ascii", "replace").decode()
        return text[:_SUBJECT_LENGTH]

    @property
    def attributes(self) -> dict[str, str]:
        """Attributes of the message, for the filter policy of a subscription."""
        return {"verdict": self.verdict, "cluster": self.cluster[:_ATTRIBUTE_LENGTH]}

    def detail(self) -> dict[str, Any]:
        """Returns the event's detail. A field without a value is left out.

        Without the images, if they do not fit.
        """
        account, region = self._place
        fields = {
            "version": VERSION,
            "id": self.id,
            "requestId": self.request_id,
            "action": self.action,
            "verdict": self.verdict,
            "cause": self.cause,
            "summary": self.summary,
            "cluster": self.cluster,
            "service": name_of(self.service),
            "serviceArn": self.service_arn,
            "account": account,
            "region": region,
            "target": self.target,
            "image": {"before": dict(self.images_before), "after": dict(self.images_after)},
            "taskDefinition": _known(
                before=self.task_definition_before, after=self.task_definition_after
            ),
            "changed": self.changed,
            "batch": self.batch,
            "caller": self.caller and one_line(self.caller),
            "begunAt": self.begun_at,
            "endedAt": self.ended_at,
            "durationSeconds": self.duration_seconds,
            "errorType": self.error_type,
        }
        known = _known(**fields)
        if len(as_json(known).encode()) > DETAIL_BYTES:
            known["image"] = {"before": {}, "after": {}}
        return known

    def message(self) -> str:
        """Returns the text of the message."""
        account, region = self._place
        names = sorted({*self.images_before, *self.images_after})
        images = (
            f"{name}: {_change(self.images_before.get(name), self.images_after.get(name))}"
            for name in names
        )
        before, after = self.task_definition_before, self.task_definition_after
        lines = {
            "Cause": self.cause,
            "Image": "; ".join(images),
            "Task definition": _change(
                before and revision_name(before), after and revision_name(after)
            ),
            "Account and region": f"{account}, {region}",
            "Target": self.target,
            "Begun": self.begun_at,
            "Ended": f"{self.ended_at}, after {self.duration_seconds:.0f} s",
            "Request id": self.request_id,
            "Batch": self.batch,
            "Caller": self.caller,
            "Error": self.error_type,
            "Event id": self.id,
        }
        listed = [f"{name}: {one_line(text, 2000)}" for name, text in lines.items() if text]
        return "\n".join([self._title, "", *listed, ""])

    @property
    def _place(self) -> tuple[str, str]:
        """Account and region."""
        _, _, _, region, account, _ = account_prefix(self.service).split(":")
        return account, region


def as_json(detail: Mapping[str, Any]) -> str:
    """Returns a detail as compact JSON. Lone surrogates become question marks."""
    text = json.dumps(detail, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()


def _known(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _change(before: str | None, after: str | None) -> str:
    """Returns a change for a reader. None: not known."""
    if before == after or not (before and after):
        return after or before or ""
    return f"{before} -> {after}"

"""How far one update is, in words."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ecs_updater.errors import InvalidEventError
from ecs_updater.model.arn import is_named
from ecs_updater.model.request import fingerprint_of_event
from ecs_updater.model.verdict import Verdict


class State(StrEnum):
    """How far one update is. The value is what a person reads."""

    QUEUED = "queued"
    BEGUN = "begun"
    DEPLOYING = "deploying"
    ROLLING_BACK = "rolling back"
    RETRYING = "retrying"
    """It came to nothing, and is tried again."""
    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    """Nothing differed, or only tags."""
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    SUPERSEDED = "superseded"
    STOPPED = "stopped"
    NOT_STARTED = "not started"

    @property
    def is_good(self) -> bool:
        """Whether it is as it was asked for."""
        return self in (State.SUCCEEDED, State.UNCHANGED)

    @property
    def is_bad(self) -> bool:
        """Whether it ended in another way."""
        return self in (
            State.FAILED,
            State.ROLLED_BACK,
            State.SUPERSEDED,
            State.STOPPED,
            State.NOT_STARTED,
        )

    @property
    def is_over(self) -> bool:
        """Whether nothing follows."""
        return self.is_good or self.is_bad

    @property
    def rolls(self) -> bool:
        """Whether ECS is at work on a deployment."""
        return self in (State.DEPLOYING, State.ROLLING_BACK)


_BY_VERDICT: dict[str, State] = {
    Verdict.SUCCEEDED: State.SUCCEEDED,
    Verdict.NO_CHANGE: State.UNCHANGED,
    Verdict.ROLLED_BACK: State.ROLLED_BACK,
    Verdict.SUPERSEDED: State.SUPERSEDED,
    Verdict.STOPPED: State.STOPPED,
    Verdict.NOT_STARTED: State.NOT_STARTED,
}
_BY_STATE = {"DEPLOYED": State.DEPLOYING, "ROLLING_BACK": State.ROLLING_BACK}

_PREFIX = re.compile(r"^\[ERROR\]\[\w+\] (?:(?:FAILED|ROLLED_BACK|STOPPED|SUPERSEDED): )?")
_COUNTS = re.compile(r"^(\d+) of (\d+) tasks run ")


@dataclass(frozen=True)
class TaskCounts:
    """The tasks of a service's deployment."""

    running: int
    desired: int

    def __str__(self) -> str:
        return f"{self.running}/{self.desired}"


@dataclass(frozen=True)
class Status:
    """What is known of one update."""

    state: State = State.QUEUED
    cause: str = ""
    """Why it ended so or, while it goes on, what it is on its way to."""
    begun_at: float | None = None
    ended_at: float | None = None
    """Seconds since the epoch."""
    cluster_arn: str = ""
    service_arn: str = ""
    deployment_id: str | None = None
    error_type: str | None = None
    hint: str | None = None
    """What helps, beside the cause."""

    @property
    def counts(self) -> TaskCounts | None:
        """The tasks that the cause tells of."""
        told = _COUNTS.match(self.cause)
        return TaskCounts(int(told[1]), int(told[2])) if told else None


def status_for(event: Mapping[str, Any], item: Mapping[str, Any]) -> Status:
    """What an entry says about the update that ``event`` asks for: it failed where the entry of its
    ``request_id`` is another's.
    """
    service = item.get("service")
    is_named_so = service is None or is_named(
        service, event["ecs_cluster_name"], event["ecs_service_name"]
    )
    if is_named_so and item.get("fingerprint") in (None, fingerprint_of_event(event)):
        return status_of(item)
    cause = (
        f"its request_id {event.get('request_id')} is taken by another update, of "
        f"{service}: deploy it again"
    )
    return Status(State.FAILED, cause, error_type=InvalidEventError.__name__)


def status_of(item: Mapping[str, Any]) -> Status:
    """What an entry of the ledger tells, see ``fleet.progress``."""
    if item.get("state") != "ENDED":
        state = _BY_STATE.get(item.get("state", ""), State.BEGUN)
    elif item.get("may_be_repeated"):
        state = State.RETRYING
    else:
        state = state_of_verdict(item.get("verdict"))
    rollback = item.get("rollback") or {}
    target = (
        rollback.get("task_definition_arn")
        if state is State.ROLLING_BACK
        else item["after"].get("task_definition_arn")
    )
    on_its_way = (
        f"{'back ' if state is State.ROLLING_BACK else ''}to {target.rpartition('/')[2]}"
        if state.rolls and target
        else ""
    )
    cause = plain_cause(item.get("cause") or "")
    return Status(
        state=state,
        cause=", ".join(part for part in (on_its_way, cause) if part) if state.rolls else cause,
        begun_at=_moment(item.get("begun_at")),
        ended_at=_moment(item.get("ended_at")),
        cluster_arn=item["cluster_arn"],
        service_arn=item["service_arn"],
        deployment_id=rollback.get("deployment_id") or item.get("deployment_id"),
        error_type=item.get("error_type"),
        hint=json.loads(item.get("error_attributes") or "{}").get("hint"),
    )


def state_of_verdict(verdict: str | None) -> State:
    """The state of an update that ended for good."""
    return _BY_VERDICT.get(verdict or "", State.FAILED)


def plain_cause(text: str) -> str:
    """An error's message without what programs read of it."""
    return _PREFIX.sub("", text)


def _moment(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None

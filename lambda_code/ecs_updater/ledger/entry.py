"""The entry of one update: its intent, its progress and its end. Pure and immutable.

A state is stored before the next effect. So an update in the state BEGUN may have registered a
revision. An update in the state REGISTERED may have written tags and updated the service. With a
task to run first, it may have done so after the success of the task only.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ..errors import MESSAGE_LIMIT, LedgerError, attributes_of, one_line
from ..model.field_types import build
from ..model.hook import Approval
from ..model.service_settings import SettingsChange
from ..model.verdict import Verdict
from . import stored_answer

ENTRY = "UPDATE#"
"""Prefix of the sort key of an entry."""

OPEN = "OPEN"

NOTIFY = "NOTIFY"
"""Partition key of the markers of verdicts that are not sent yet."""

WAITS_SINCE = "waits_since"
"""Attribute of a marker: begin or latest poll of its entry, in seconds since the epoch."""

LAST_SUCCESS = "LAST_SUCCESS"

UPDATES = "UPDATES"
"""Partition key of the index with the entries of all services."""

ITEM_LIMIT = 390_000
"""Maximum bytes of an entry's item. DynamoDB's limit is 400 KB, names included."""

_ATTRIBUTES_LIMIT = 40_000
"""Maximum bytes of an error's attributes. Its `details`, which are logged, are left out first."""


class State(StrEnum):
    """Progress of an update. An entry only goes forward, and can skip states."""

    BEGUN = "BEGUN"
    """The intent is stored, nothing is done."""
    REGISTERED = "REGISTERED"
    RUNNING_TASK = "RUNNING_TASK"
    """The task of `run_before` may run. The service is unchanged until the task has succeeded."""
    TAGGED = "TAGGED"
    DEPLOYED = "DEPLOYED"
    """The service is updated, its deployment is in progress."""
    ROLLING_BACK = "ROLLING_BACK"
    """The rollout failed, the rollback is in progress."""
    ENDED = "ENDED"


REACHED_FROM = {
    state: tuple(State)[: number + (state is not State.ENDED)] for number, state in enumerate(State)
}
"""The states before each state, and the state itself except ENDED: to repeat a step is harmless."""


@dataclass(frozen=True)
class Side:
    """The service before or after the update."""

    task_definition_arn: str | None = None
    """None after the update: the revision is not registered yet."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Images by container."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags without the reserved ones."""
    essential: Sequence[str] = field(default_factory=list)
    """Names of the essential containers. The first is the container of `ecs_image_name`."""
    service_settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the service that the event names, by ECS's name."""


@dataclass(frozen=True)
class Rollback:
    """The rollback of a failed rollout."""

    task_definition_arn: str
    deployment_id: str | None = None
    """The deployment of the rollback. None: it is not created yet."""


@dataclass(frozen=True)
class TaskRun:
    """The task of `run_before`, and what another process needs to update the service after it.

    The command is not stored, because it can have secrets.
    """

    container: str
    timeout_seconds: int
    force_new_deployment: bool = False
    adds_breaker: bool = False
    """Whether UpdateService adds a circuit breaker."""
    adds_alarms: Sequence[str] = field(default_factory=list)
    """Names of the alarms that UpdateService adds."""
    begun_at: str | None = None
    """Time before RunTask. None: RunTask was not called."""
    task_arn: str | None = None
    """None: RunTask was not called, or its response is not stored."""
    has_succeeded: bool = False
    """Whether the task has exited with code 0."""
    is_given_up: bool = False
    """Whether nobody repeats the update if it is interrupted."""


@dataclass(frozen=True)
class Entry:
    """One update of one service."""

    service: str
    """The service's key, see `model.arn`."""
    number: int
    """The fence of the lease when it began, which orders the service's entries without clocks."""
    request_id: str
    owner: str
    """Id of the holder that may write the entry."""
    fence: int
    """The fence of the owner's lease."""
    cluster_arn: str
    service_arn: str
    """Both ARNs as ECS returned them."""
    before: Side
    after: Side
    action: str = "update"
    """`update` or `rollback`."""
    caller: str | None = None
    fingerprint: str | None = None
    """Hash of the event, see `model.request.fingerprint`."""
    batch: str | None = None
    rollback_on_failure: bool = False
    rollback_to: str | None = None
    """Target of a rollback: the last revision that worked."""
    rollback_tags: Mapping[str, str] | None = None
    """Tags of the service with that revision. None: the tags before the update."""
    replaces_tags: bool = False
    deploys: bool = True
    """Whether the update makes a deployment. Otherwise it only changes tags and settings."""
    registers: bool = True
    """Whether the revision of the update is new. Otherwise others may have deployed it as well."""
    digests: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Digests that a container's image may have, sorted. Empty: the images are not verified."""
    previous_deployment_id: str | None = None
    """The PRIMARY deployment before the update."""
    previous_service_deployment_arn: str | None = None
    """The service deployment of the PRIMARY deployment before the update."""
    state: State = State.BEGUN
    deployment_id: str | None = None
    service_deployment_arn: str | None = None
    rollback: Rollback | None = None
    task: TaskRun | None = None
    approvals: Sequence[Approval] = field(default_factory=list)
    """The answers to hooks, the earliest first. Only `ledger.approvals` changes them."""
    rollout: Mapping[str, Any] = field(default_factory=dict)
    """Strategy, stage, traffic, hook and alarms as in the response, at the latest poll."""
    verdict: str | None = None
    cause: str | None = None
    answer: Mapping[str, Any] | None = None
    """The response, for a retry of the same `request_id`."""
    error_type: str | None = None
    error_message: str | None = None
    error_attributes: Mapping[str, Any] | None = None
    """The error instead of a response, see `errors.rebuilt`."""
    may_be_repeated: bool = False
    """Whether a retry of the same `request_id` is a new attempt, because its error is transient."""
    begun_at: str | None = None
    updated_at: str | None = None
    ended_at: str | None = None
    """ISO 8601, UTC."""

    @property
    def is_ended(self) -> bool:
        """Whether the verdict is final."""
        return self.state is State.ENDED

    @property
    def has_failed(self) -> bool:
        """Whether the update began, ended without success, and is not repeated."""
        return (
            self.is_ended
            and not self.may_be_repeated
            and self.verdict not in (Verdict.SUCCEEDED, Verdict.NO_CHANGE, Verdict.NOT_STARTED)
        )

    @property
    def settings(self) -> SettingsChange:
        """Settings of the service that the event names, before and after the update."""
        return SettingsChange(self.before.service_settings, self.after.service_settings)

    @property
    def only_changes_settings(self) -> bool:
        """Whether the update changes settings of the service without a deployment."""
        return bool(self.settings) and not self.deploys

    @property
    def is_about_settings(self) -> bool:
        """Whether the verdict is about settings of the service, and not about a deployment."""
        return bool(self.after.service_settings) and not self.deploys

    @property
    def is_before_deployment(self) -> bool:
        """Whether the entry is open and has no deployment."""
        return self.state in (State.BEGUN, State.REGISTERED, State.RUNNING_TASK, State.TAGGED)

    @property
    def has_begun_task(self) -> bool:
        """Whether the entry is open, has no deployment, and its task may have been started."""
        return self.task is not None and self.state in (State.RUNNING_TASK, State.TAGGED)

    @property
    def has_written_in_recovery(self) -> bool:
        """Whether the recovery of the entry may have changed the service."""
        return bool(self.rollback or self.task) or self.verdict == Verdict.INTERRUPTED

    @property
    def may_have_deployed(self) -> bool:
        """Whether UpdateService may have been called. Changed tags are written before the call."""
        if self.task and not self.task.has_succeeded:
            return False
        return self.before.tags == self.after.tags or self.state not in (
            State.BEGUN,
            State.REGISTERED,
            State.RUNNING_TASK,
        )

    @property
    def has_changed_nothing(self) -> bool:
        """Whether the update has ended or waits without a change of the service."""
        return self.verdict in (
            Verdict.NOT_DEPLOYED,
            Verdict.INTERRUPTED,
            Verdict.NOT_STARTED,
        ) or bool(self.task and not self.task.has_succeeded)

    @property
    def has_replaced_tags(self) -> bool:
        """Whether the update replaced the tags of the service."""
        has_changed = not self.has_changed_nothing and self.before.tags != self.after.tags
        return self.replaces_tags and has_changed

    @property
    def is_left_failed(self) -> bool:
        """Whether the deployment failed and the update did not roll it back, tags included."""
        return self.rollback is None and self.verdict in (
            Verdict.FAILED,
            Verdict.ROLLED_BACK,
            Verdict.ROLLBACK_FAILED,
        )

    def registered(self, task_definition_arn: str) -> "Entry":
        """Returns the entry with the new revision.

        A later state stays, because an update can be resumed or planned again.
        """
        return self._to(
            self._at_least(State.REGISTERED),
            after=replace(self.after, task_definition_arn=task_definition_arn),
        )

    def running_task(self, task: TaskRun) -> "Entry":
        """Returns the entry with the progress of its task. A later state stays."""
        return self._to(self._at_least(State.RUNNING_TASK), task=task)

    def tagged(self) -> "Entry":
        """Returns the entry with the tags written. A later state stays."""
        return self._to(self._at_least(State.TAGGED))

    def deployed(
        self,
        deployment_id: str | None,
        service_deployment_arn: str | None = None,
        task_definition_arn: str | None = None,
    ) -> "Entry":
        """Returns the entry with its deployment. `task_definition_arn`: None keeps the revision."""
        arn = task_definition_arn or self.after.task_definition_arn
        return self._to(
            State.DEPLOYED,
            deployment_id=deployment_id,
            service_deployment_arn=service_deployment_arn,
            after=replace(self.after, task_definition_arn=arn),
        )

    def joined(
        self,
        deployment_id: str,
        service_deployment_arn: str | None,
        task_definition_arn: str | None = None,
    ) -> "Entry":
        """Returns the entry with the service's running deployment, which decides the verdict."""
        return replace(
            self.deployed(deployment_id, service_deployment_arn, task_definition_arn),
            previous_deployment_id=None,
            previous_service_deployment_arn=None,
        )

    def rolling_back(
        self, cause: str, task_definition_arn: str, deployment_id: str | None = None
    ) -> "Entry":
        """Returns the entry with its rollback, before and after the call of UpdateService.

        `cause`: why the rollout failed.
        """
        return self._to(
            State.ROLLING_BACK,
            cause=_shorten(cause),
            rollback=Rollback(task_definition_arn, deployment_id),
        )

    def answered(
        self, verdict: str, cause: str, answer: Mapping[str, Any] | None = None
    ) -> "Entry":
        """Returns the entry, ended with a response. None: the earlier response stays."""
        return self._to(
            State.ENDED,
            verdict=verdict,
            cause=_shorten(cause),
            answer=self.answer if answer is None else answer,
        )

    def refused(
        self, verdict: str, cause: str, error: Exception, *, may_be_repeated: bool = False
    ) -> "Entry":
        """Returns the entry, ended with an error.

        `may_be_repeated`: the service is unchanged, and a retry is a new attempt.
        """
        return self._to(
            State.ENDED,
            verdict=verdict,
            cause=_shorten(cause),
            error_type=type(error).__name__,
            error_message=_shorten(str(error)),
            error_attributes=_bounded(attributes_of(error)),
            may_be_repeated=may_be_repeated and not (self.task and self.task.is_given_up),
        )

    def _at_least(self, state: State) -> State:
        later = (State.RUNNING_TASK, State.TAGGED, State.DEPLOYED)
        return max(self.state, state, key=list(State).index) if self.state in later else state

    def _to(self, state: State, **attributes: Any) -> "Entry":
        """Returns the entry in `state` with these attributes.

        Raises ValueError for a step back, or for a step after the end.
        """
        if self.state not in REACHED_FROM[state]:
            raise ValueError(f"an entry cannot go from {self.state} to {state}")
        return replace(self, state=state, **attributes)


@dataclass(frozen=True)
class Success:
    """The last successful update of a service."""

    service: str
    number: int
    request_id: str
    task_definition_arn: str
    images: Mapping[str, str]
    tags: Mapping[str, str]
    deployment_id: str | None = None
    ended_at: str | None = None

    @classmethod
    def of(cls, entry: Entry) -> "Success | None":
        """Returns the success of an entry, or None.

        A scale, for example to 0, does not prove that the revision works.
        """
        has_proved = entry.verdict == Verdict.SUCCEEDED and not entry.is_about_settings
        if not has_proved or entry.after.task_definition_arn is None:
            return None
        return cls(
            service=entry.service,
            number=entry.number,
            request_id=entry.request_id,
            task_definition_arn=entry.after.task_definition_arn,
            images=entry.after.images,
            tags=entry.after.tags,
            deployment_id=entry.deployment_id,
            ended_at=entry.ended_at,
        )


def open_item(entry: Entry) -> dict[str, Any]:
    """Returns the marker of an open entry."""
    marker = f"{entry.service}#{entry.number:015d}"
    return {"pk": OPEN, "sk": marker, "service": entry.service, "number": entry.number}


def notify_item(entry: Entry) -> dict[str, Any]:
    """Returns the marker of a verdict that is not sent yet, see `verdicts`."""
    return open_item(entry) | {"pk": NOTIFY, "notify": "pending"}


def request_item(entry: Entry) -> dict[str, Any]:
    """Returns the item by which the `request_id` of an entry is found."""
    pk, sk = request_key(entry.request_id)
    return {"pk": pk, "sk": sk, "service": entry.service, "number": entry.number}


def request_key(request_id: str) -> tuple[str, str]:
    """Returns the key of the item that has the key of a `request_id`'s entry."""
    return f"REQUEST#{request_id}", "REQUEST"


def entry_key(number: int) -> str:
    """Returns the sort key of an entry."""
    return f"{ENTRY}{number:015d}"


def iso(moment: float) -> str:
    """Returns seconds since the epoch as ISO 8601 in UTC with milliseconds."""
    return (
        datetime.fromtimestamp(moment, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def seconds(text: str | None) -> float | None:
    """Returns seconds since the epoch from the text of `iso`. Raises ValueError."""
    return datetime.fromisoformat(text).timestamp() if text else None


def changed_at(entry: Entry) -> float | None:
    """Returns the last change in seconds since the epoch, or the end of a wait of ECS."""
    hook = entry.rollout.get("hook") or {}
    until = hook.get("until") or entry.rollout.get("stageUntil")
    moments = [moment for moment in (seconds(entry.updated_at), seconds(until)) if moment]
    return max(moments, default=None)


def to_item(entry: Entry) -> dict[str, Any]:
    """Returns the item of an entry, without None."""
    item = {name: value for name, value in vars(entry).items() if value is not None}
    item |= {"pk": entry.service, "sk": entry_key(entry.number), "feed": UPDATES}
    for name in ("before", "after", "rollback", "task"):
        if name in item:
            item[name] = dict(vars(item[name]))
            if not item[name].get("service_settings", True):
                del item[name]["service_settings"]
    if approvals := item.pop("approvals"):
        item["approvals"] = stored_answers(approvals)
    if not entry.rollout:
        del item["rollout"]
    item["state"] = entry.state.value
    if entry.error_attributes is not None:
        item["error_attributes"] = json.dumps(entry.error_attributes, ensure_ascii=False)
    if (answer := item.pop("answer", None)) is not None:
        text = json.dumps(answer, ensure_ascii=False)
        # A character has at most four bytes.
        if 4 * (len(text) + len(json.dumps(item, ensure_ascii=False))) > ITEM_LIMIT:
            text = stored_answer.store(answer, item, ITEM_LIMIT - stored_answer.size(item))
        item["answer"] = text
    return item


def stored_answers(approvals: Sequence[Approval]) -> list[dict[str, Any]]:
    """Returns the answers to hooks as an item has them."""
    return [dict(vars(approval)) for approval in approvals]


def from_item(item: Mapping[str, Any]) -> Entry:
    """Returns the entry of an item. Attributes of later versions are left out.

    Raises LedgerError, with the item's key, for an item that is not a valid entry.
    """
    try:
        known = {**item, "state": State(item["state"])}
        if "answer" in known:
            known["answer"] = stored_answer.restore(known["answer"], item)
        if "error_attributes" in known:
            known["error_attributes"] = json.loads(known["error_attributes"])
        entry = build(Entry, known)
        for moment in (entry.begun_at, entry.updated_at, entry.ended_at):
            seconds(moment)
        return entry
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        key = f"{item.get('pk')} {item.get('sk')}"
        raise LedgerError(
            f"the entry {key} cannot be read ({type(error).__name__}: {one_line(str(error))}): "
            "correct or delete this item of the table"
        ) from None


def _bounded(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    fewer = {name: value for name, value in attributes.items() if name != "details"}
    fitting = (
        kept for kept in (attributes, fewer) if stored_answer.size(kept) <= _ATTRIBUTES_LIMIT
    )
    return next(fitting, {})


def _shorten(text: str) -> str:
    return one_line(text, MESSAGE_LIMIT)

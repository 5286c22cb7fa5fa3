"""One update as the ledger keeps it: what it is about to do, how far it came, and how it ended.
Pure: an entry is never changed.

A state is written before the effect that follows it, so whoever finds an entry that is not ended
knows the most that can have happened: in BEGUN perhaps a revision was registered, in REGISTERED
perhaps tags were written and the service was updated.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from ..errors import MESSAGE_LIMIT, LedgerError, attributes_of, one_line
from ..model.verdict import Verdict
from . import stored_answer


def check_types(data: Any) -> None:
    """Raises TypeError for the first field, of a dataclass or of one in it, whose value has another
    type.
    """
    kind: type = type(data)
    for name, hint in _types(kind).items():
        value = getattr(data, name)
        if not _fits(value, hint):
            raise TypeError(f"{name} is {type(value).__name__}")
        if is_dataclass(value):
            check_types(value)


@cache
def _types(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _fits(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
    kind, arguments = get_origin(hint), get_args(hint)
    if kind is UnionType:
        return any(_fits(value, one) for one in arguments)
    if kind is Mapping:
        return isinstance(value, Mapping) and all(
            _fits(one, arguments[1]) for one in value.values()
        )
    if kind is Sequence:
        return isinstance(value, (list, tuple)) and all(_fits(one, arguments[0]) for one in value)
    return isinstance(value, hint)


ENTRY = "UPDATE#"
"""Prefix of the sort key of an entry."""

ITEM_LIMIT = 390_000
"""The most bytes of an entry as an item; DynamoDB's own limit is 400 KB, names included."""

_ATTRIBUTES_LIMIT = 40_000
"""The most bytes of an error's attributes; its ``details``, which are for the log, are left out
first.
"""


class State(StrEnum):
    """How far an update came. An entry goes forward only, and may leave states out."""

    BEGUN = "BEGUN"
    """What it will do is written; nothing is done."""
    REGISTERED = "REGISTERED"
    """The new revision is registered."""
    TAGGED = "TAGGED"
    """The service's tags are written; its deployment comes next."""
    DEPLOYED = "DEPLOYED"
    """The deployment is made; the rollout goes on."""
    ROLLING_BACK = "ROLLING_BACK"
    """The rollout failed, and the service is being returned to what it was."""
    ENDED = "ENDED"
    """Verdict and cause are there: nothing follows."""

    @property
    def reached_from(self) -> tuple["State", ...]:
        """The states from which this one can follow, itself included: to say the same twice changes
        nothing.
        """
        return _REACHED_FROM[self]


_REACHED_FROM = {state: tuple(State)[: number + 1] for number, state in enumerate(State)}


@dataclass(frozen=True)
class Side:
    """The service before or after the update."""

    task_definition_arn: str | None = None
    """The revision; after the update it has no name until it is registered."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Image by container."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Without the reserved ones."""
    essential: Sequence[str] = field(default_factory=list)
    """Names of the revision's essential containers, the addressed one first."""


@dataclass(frozen=True)
class Rollback:
    """The return of a service whose rollout failed."""

    task_definition_arn: str
    """The revision that it is returned to."""
    deployment_id: str | None = None
    """The deployment that does that, once it is made."""


@dataclass(frozen=True)
class Entry:
    """One update of one service."""

    service: str
    """The service's key, see ``key``."""
    number: int
    """The fence of the lease under which it was begun: orders the service's entries, whatever
    clocks say.
    """
    request_id: str
    owner: str
    """Id of the holder that is at it. Only the owner can write the entry."""
    fence: int
    """The fence of the owner's lease."""
    cluster_arn: str
    service_arn: str
    """Both as ECS tells them, to call it with."""
    before: Side
    after: Side
    action: str = "update"
    """``update`` or ``rollback``."""
    caller: str | None = None
    """Who asked, as far as the door knows."""
    fingerprint: str | None = None
    """What the request asked for, see ``key.fingerprint``."""
    batch: str | None = None
    """The batch that it is of, see ``batch``."""
    rollback_on_failure: bool = False
    rollback_to: str | None = None
    """The revision to return to when the rollout fails: the last one that was seen to work."""
    rollback_tags: Mapping[str, str] | None = None
    """The tags that the service had with that one; None: those from before the update."""
    replaces_tags: bool = False
    """Whether the event said which tags the service has afterwards, and not only which to add."""
    deploys: bool = True
    """Whether it makes a deployment, not only changes tags."""
    digests: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What each container may show as the digest of its image, sorted, where that was asked for."""
    previous_deployment_id: str | None = None
    """The service's PRIMARY deployment before the update: another one may be this update's."""
    previous_service_deployment_arn: str | None = None
    """ECS's own record of that one."""
    state: State = State.BEGUN
    deployment_id: str | None = None
    service_deployment_arn: str | None = None
    rollback: Rollback | None = None
    verdict: str | None = None
    cause: str | None = None
    answer: Mapping[str, Any] | None = None
    """The result as the caller got it, for a retry of the same ``request_id``."""
    error_type: str | None = None
    error_message: str | None = None
    error_attributes: Mapping[str, Any] | None = None
    """The error that the caller got instead, see ``errors.replay``."""
    may_be_repeated: bool = False
    """Whether a retry of the same ``request_id`` is another attempt: it ended with an error after
    which a retry may help.
    """
    begun_at: str | None = None
    updated_at: str | None = None
    ended_at: str | None = None
    """ISO 8601, UTC."""

    @property
    def is_ended(self) -> bool:
        """Whether nothing follows any more."""
        return self.state is State.ENDED

    @property
    def has_failed(self) -> bool:
        """Whether it was begun and ended in another way than was asked for, and for good."""
        return (
            self.is_ended
            and not self.may_be_repeated
            and self.verdict not in (Verdict.SUCCEEDED, Verdict.NO_CHANGE, Verdict.NOT_STARTED)
        )

    @property
    def is_before_deployment(self) -> bool:
        """Whether it is open and does not say that its deployment was made."""
        return self.state in (State.BEGUN, State.REGISTERED, State.TAGGED)

    @property
    def may_have_deployed(self) -> bool:
        """Whether UpdateService may have been called: the tags, where there are any to write, are
        written before it.
        """
        return self.before.tags == self.after.tags or self.state not in (
            State.BEGUN,
            State.REGISTERED,
        )

    @property
    def has_replaced_tags(self) -> bool:
        """Whether the service's tags, all of them, are those of this update."""
        was_done = self.verdict not in (
            Verdict.NOT_DEPLOYED,
            Verdict.INTERRUPTED,
            Verdict.NOT_STARTED,
        )
        return self.replaces_tags and was_done and self.before.tags != self.after.tags

    @property
    def is_left_failed(self) -> bool:
        """Whether its deployment failed and it did not roll the service back, tags included."""
        return self.verdict in (Verdict.FAILED, Verdict.ROLLED_BACK) and self.rollback is None

    def registered(self, task_definition_arn: str) -> "Entry":
        """With the new revision's name.

        One that came further, before it was taken up or planned again, stays there.
        """
        return self._to(
            self._at_least(State.REGISTERED),
            after=replace(self.after, task_definition_arn=task_definition_arn),
        )

    def tagged(self) -> "Entry":
        """With the tags written; likewise."""
        return self._to(self._at_least(State.TAGGED))

    def deployed(
        self,
        deployment_id: str | None,
        service_deployment_arn: str | None = None,
        task_definition_arn: str | None = None,
    ) -> "Entry":
        """With the deployment made, and ECS's own record and the revision of it where those are
        known.
        """
        after = replace(
            self.after, task_definition_arn=task_definition_arn or self.after.task_definition_arn
        )
        return self._to(
            State.DEPLOYED,
            deployment_id=deployment_id,
            service_deployment_arn=service_deployment_arn,
            after=after,
        )

    def joined(self, deployment_id: str, service_deployment_arn: str | None) -> "Entry":
        """With the service's running deployment, by which an update that makes none of its own is
        judged.
        """
        return self._to(
            State.DEPLOYED,
            deployment_id=deployment_id,
            service_deployment_arn=service_deployment_arn,
            previous_deployment_id=None,
            previous_service_deployment_arn=None,
        )

    def rolling_back(
        self, cause: str, task_definition_arn: str, deployment_id: str | None = None
    ) -> "Entry":
        """On its way back to a revision: once before that is asked of ECS, and again when the
        deployment that does it is known.

        ``cause`` is why the rollout failed.
        """
        return self._to(
            State.ROLLING_BACK,
            cause=_cut(cause),
            rollback=Rollback(task_definition_arn, deployment_id),
        )

    def told(self, answer: Mapping[str, Any]) -> "Entry":
        """With the answer that the caller gets while the rollout goes on."""
        return self._to(self.state, answer=answer)

    def answered(
        self, verdict: str, cause: str, answer: Mapping[str, Any] | None = None
    ) -> "Entry":
        """Ended with a result; without one, what the caller was ``told`` stays."""
        return self._to(
            State.ENDED,
            verdict=verdict,
            cause=_cut(cause),
            answer=self.answer if answer is None else answer,
        )

    def refused(
        self, verdict: str, cause: str, error: Exception, *, may_be_repeated: bool = False
    ) -> "Entry":
        """Ended with an error.

        ``may_be_repeated``: the service is as it was, and a retry is another attempt.
        """
        return self._to(
            State.ENDED,
            verdict=verdict,
            cause=_cut(cause),
            error_type=type(error).__name__,
            error_message=_cut(str(error)),
            error_attributes=_bounded(attributes_of(error)),
            may_be_repeated=may_be_repeated,
        )

    def _at_least(self, state: State) -> State:
        return self.state if self.state in (State.TAGGED, State.DEPLOYED) else state

    def _to(self, state: State, **facts: Any) -> "Entry":
        """The entry in ``state`` with these facts.

        Raises ValueError for a step back, or for one after the end.
        """
        if self.state is State.ENDED or self.state not in _REACHED_FROM[state]:
            raise ValueError(f"an entry cannot go from {self.state} to {state}")
        return replace(self, state=state, **facts)


@dataclass(frozen=True)
class Success:
    """The last update of a service whose rollout succeeded."""

    service: str
    number: int
    request_id: str
    task_definition_arn: str
    images: Mapping[str, str]
    tags: Mapping[str, str]
    deployment_id: str | None
    ended_at: str | None

    @classmethod
    def of(cls, entry: Entry) -> "Success | None":
        """That of an entry that ended so."""
        if entry.verdict != Verdict.SUCCEEDED or entry.after.task_definition_arn is None:
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


def iso(moment: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return (
        datetime.fromtimestamp(moment, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def seconds(text: str | None) -> float | None:
    """Seconds since the epoch, from what ``iso`` made of them."""
    return datetime.fromisoformat(text).timestamp() if text else None


def to_item(entry: Entry) -> dict[str, Any]:
    """The entry's attributes, without the table's keys; one that is None is left out."""
    item = {name: value for name, value in vars(entry).items() if value is not None}
    for name in ("before", "after", "rollback"):
        if name in item:
            item[name] = dict(vars(item[name]))
    item["state"] = entry.state.value
    answer = item.pop("answer", None)
    if entry.error_attributes is not None:
        item["error_attributes"] = json.dumps(entry.error_attributes, ensure_ascii=False)
    if answer is not None:
        text = json.dumps(answer, ensure_ascii=False)
        # A character has at most four bytes.
        if 4 * (len(text) + len(json.dumps(item, ensure_ascii=False))) > ITEM_LIMIT:
            text = stored_answer.kept(answer, item, ITEM_LIMIT - stored_answer.size(item))
        item["answer"] = text
    return item


def from_item(item: Mapping[str, Any]) -> Entry:
    """The entry of which these are the attributes; those that it does not know are left out.

    Raises LedgerError for an item that is not an entry as this version knows them. It names the
    item's key.
    """
    try:
        known = _known(Entry, item)
        known |= {name: Side(**_known(Side, known[name])) for name in ("before", "after")}
        if "rollback" in known:
            known["rollback"] = Rollback(**_known(Rollback, known["rollback"]))
        if "answer" in known:
            known["answer"] = stored_answer.restored(known["answer"], item)
        if "error_attributes" in known:
            known["error_attributes"] = json.loads(known["error_attributes"])
        entry = Entry(**known | {"state": State(known["state"])})
        check_types(entry)
        for moment in (entry.begun_at, entry.updated_at, entry.ended_at):
            seconds(moment)
        return entry
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        key = f"{item.get('pk')} {item.get('sk')}"
        raise LedgerError(
            f"the entry {key} cannot be read ({type(error).__name__}: {one_line(str(error))}): "
            "correct or delete this item of the table"
        ) from None


def _known(kind: type, item: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise TypeError(f"{kind.__name__} is {type(item).__name__}")
    return {one.name: item[one.name] for one in fields(kind) if one.name in item}


def _bounded(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    fewer = {name: value for name, value in attributes.items() if name != "details"}
    return next(
        (one for one in (attributes, fewer) if stored_answer.size(one) <= _ATTRIBUTES_LIMIT), {}
    )


def _cut(text: str) -> str:
    return one_line(text, MESSAGE_LIMIT)

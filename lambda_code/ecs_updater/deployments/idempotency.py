"""An update under the service's lease, told to the ledger: begun once for each ``request_id``,
taken up again where it stopped.
"""

import math
from dataclasses import replace
from typing import Any, Protocol

from ..aws.dynamodb import Table
from ..aws.ecs import Ecs
from ..context import Call
from ..errors import (
    EcsUpdaterError,
    InternalError,
    InvalidEventError,
    LeaseHeldError,
    ServiceUpdateRefusedError,
    UnknownOutcomeError,
    one_line,
)
from ..ledger.entry import Entry, State
from ..ledger.lease import Hold, Holder, Leases
from ..ledger.store import History
from ..model.arn import is_named, service_key
from ..model.plan import Plan
from ..model.request import Request, fingerprint_of_event
from ..model.verdict import Verdict
from ..rollout.rollback_target import with_tags
from ..settings import Settings
from . import response
from .journal import Record
from .planner import Pace, Planner
from .reader import Told
from .recovery import Recovery, in_order
from .response import Answer, Conclusion, error_of
from .waiter import Rolling
from .writer import NOTHING, Earlier

_FIRST_TOLD = "request_id_of"

_LATER = 200
"""How many updates are looked at for a later one that has deployed: many may have changed
nothing.
"""


class Working(Protocol):
    """The request, and what does it; see ``updater.Work``."""

    request: Request
    settings: Settings
    ecs: Ecs
    call: Call
    deadline: float
    planner: Planner
    rolling: Rolling
    told: Told | None
    pace: Pace

    def intent(self, plan: Plan) -> Entry:
        """What is about to be done."""

    def done(self, plan: Plan, record: Record, earlier: Earlier = NOTHING) -> Conclusion:
        """Writes and waits."""

    def notes(self, record: Record, conclusion: Conclusion) -> list[str]:
        """What the caller should know beside the answer."""


class Recorded:
    """One request under lease and ledger."""

    def __init__(self, work: Working, table: Table, event: Any):
        clock = work.call.clock
        self._work = work
        self._history = History(
            table, retention_days=work.settings.ledger_retention_days, clock=clock.epoch
        )
        self._leases = Leases(table, clock=clock.epoch, sleep=clock.sleep)
        self._holder = Holder.of(work.request.request_id or work.call.id)
        self._fingerprint = fingerprint_of_event(event)
        self._recovery = Recovery(work.ecs, work.rolling, self._history)
        self._is_repetition = False
        """Whether the same request was begun before, and so may have registered what it needs."""
        work.planner.remember(self._history)

    def run(self) -> Answer:
        """The answer, of this attempt or of an earlier one of the same ``request_id``.

        Raises LeaseHeldError when another update of the service does not end within the time to
        wait, LedgerError when the table cannot be used, and what the update itself raises.
        """
        earlier = self._earlier()
        if earlier and _has_an_end(earlier):
            return _replayed(earlier)
        if earlier and not earlier.is_ended:
            return self._under_lease(earlier.service, None, -math.inf)
        told = self._work.told
        read_at = told.read_at if told else self._work.call.clock.epoch()
        plan = self._work.planner.plan(self._work.request, told)
        self._work.pace(plan)
        return self._under_lease(
            service_key(plan.snapshot.service_arn, plan.snapshot.cluster_arn), plan, read_at
        )

    def _under_lease(self, service: str, plan: Plan | None, read_at: float) -> Answer:
        call = self._work.call
        wait = min(self._work.deadline, call.latest_begin()) - call.clock.now()
        with self._leases.hold(service, self._holder, call.clock.epoch() + wait) as hold:
            answer = self._held(hold, plan, read_at)
        if hold.not_released:
            answer = response.with_notes(
                answer, [*answer["body"]["deployment"].get("notes", []), str(hold.not_released)]
            )
        return answer

    def _held(self, hold: Hold, plan: Plan | None, read_at: float) -> Answer:
        """Does it while nobody else may write to the service.

        ``plan`` was made of what was read at ``read_at``.
        """
        unfinished = in_order(self._history.unfinished(hold.lease.service))
        if own := next(
            (entry for entry in unfinished if entry.request_id == self._holder.request_id), None
        ):
            for entry in unfinished[: unfinished.index(own)]:
                if entry.is_before_deployment:
                    self._recovery.settle(entry, hold)
            return self._taken_up(own, hold)
        if plan is None and (earlier := self._earlier()) and _has_an_end(earlier):
            return _replayed(earlier)  # It has ended while the lease was waited for.
        if plan is None or hold.lease.is_stale(read_at):
            plan = self._work.planner.plan(self._work.request)
        is_current = True
        for entry in unfinished:
            known = plan.snapshot.service if is_current else None
            try:
                settled = self._recovery.settle(
                    entry, hold, known, is_followed_by_a_deployment=plan.deploys
                )
            except InternalError:
                # It is logged. It must not stop the updates of its service for good.
                is_current = False
                continue
            if settled.rollback or settled.verdict == Verdict.INTERRUPTED:
                is_current = False
        if not is_current:
            plan = self._work.planner.plan(self._work.request)
        return self._begun(plan, hold)

    def _begun(self, plan: Plan, hold: Hold) -> Answer:
        begun = self._history.begin(self._intent(plan, hold), hold.lease)
        if not begun.is_new:  # Begun elsewhere since we looked, perhaps for another service.
            self._check_same(begun.entry)
            if _has_an_end(begun.entry):
                return _replayed(begun.entry)
            raise LeaseHeldError(
                f"the update of request_id {self._holder.request_id} is under way "
                "elsewhere, try again"
            )
        earlier = Earlier(may_have_registered=self._is_repetition)
        return self._concluded(plan, Record(begun.entry, self._history, hold), earlier)

    def _intent(self, plan: Plan, hold: Hold) -> Entry:
        entry = self._work.intent(plan)
        rollback_to, rollback_tags = entry.rollback_to, None
        if rollback_to is None and entry.rollback_on_failure:
            success = self._history.last_success(entry.service)
            rollback_to = success.task_definition_arn if success else None
        if (
            rollback_to
            and entry.rollback_on_failure
            and rollback_to != entry.before.task_definition_arn
        ):
            # A rollout is going on, or has failed: the tags are that one's.
            rollback_tags = with_tags(rollback_to, self._work.planner.past_of(plan.snapshot)).tags
            if rollback_tags is None and (success := self._history.last_success(entry.service)):
                rollback_tags = success.tags if success.task_definition_arn == rollback_to else None
        return replace(
            entry,
            number=hold.lease.fence,
            fence=hold.lease.fence,
            owner=self._holder.id,
            request_id=self._holder.request_id,
            caller=self._work.call.caller,
            batch=self._work.call.batch,
            fingerprint=self._fingerprint,
            rollback_to=rollback_to,
            rollback_tags=rollback_tags,
        )

    def _concluded(self, plan: Plan, record: Record, earlier: Earlier = NOTHING) -> Answer:
        """Does what is left to do, and tells the ledger how it ended."""
        # An earlier attempt may have written the tags, which a failure of this one does not put
        # back.
        entry = record.entry
        may_have_tags = entry.fence != entry.number and entry.before.tags != entry.after.tags
        try:
            conclusion = self._work.done(plan, record, earlier)
            if record.has_deployed:
                self._recovery.end_overtaken()
        except (LeaseHeldError, UnknownOutcomeError):
            raise  # The entry stays open: whoever finds it sees what became of the service.
        except EcsUpdaterError as error:
            # With tags that were not put back it stays open too: the reconciler puts them back.
            if not record.has_deployed and not may_have_tags and "tags_before" not in error.details:
                record.refused(Verdict.NOT_DEPLOYED, error, is_untouched=True)
            raise
        return self._told(record, conclusion)

    def _told(self, record: Record, conclusion: Conclusion) -> Answer:
        if conclusion.error:
            conclusion.error.details["notes"] = self._work.notes(record, conclusion)
            if conclusion.is_final:
                record.refused(conclusion.verdict, conclusion.error)
                # Whether it could be written, too.
                conclusion.error.details["notes"] = self._work.notes(record, conclusion)
            raise conclusion.error
        assert conclusion.answer is not None
        answer = response.with_notes(conclusion.answer, self._work.notes(record, conclusion))
        if conclusion.is_final:
            record.answered(answer)
        else:
            record.told(answer)
        # Whether it could be written, too.
        return response.with_notes(answer, self._work.notes(record, conclusion))

    # An earlier attempt of the same request.

    def _earlier(self) -> Entry | None:
        entry = self._history.find(self._holder.request_id)
        if entry:
            self._check_same(entry)
        self._is_repetition = entry is not None
        if entry and entry.is_ended and entry.may_be_repeated:
            self._check_still_latest(entry)
        return entry

    def _check_still_latest(self, entry: Entry) -> None:
        """Refuses to deploy an older intent over a newer one: Lambda repeats an asynchronous call
        by itself, minutes later.
        """
        newer = next(
            (one for one in self._history.latest(entry.service, _LATER) if one.deployment_id), None
        )
        if newer and newer.number > entry.number:
            raise ServiceUpdateRefusedError(
                "service could not be update with new task_definition: a later update "
                f"(request_id {one_line(newer.request_id)}, "
                f"{newer.begun_at}) has deployed since this one was begun: send it again "
                "with another request_id"
            )

    def _check_same(self, entry: Entry) -> None:
        request = self._work.request
        # Two functions can have other defaults: then the same event is about another service.
        is_same_service = is_named(entry.service, request.cluster, request.service)
        if entry.fingerprint not in (None, self._fingerprint) or not is_same_service:
            raise InvalidEventError(
                f"request_id: {self._holder.request_id!r} was another event's, of "
                f"{entry.begun_at}, for {entry.service}: "
                "a repetition must ask for the same"
            )

    def _taken_up(self, entry: Entry, hold: Hold) -> Answer:
        """Goes on with an earlier attempt from where it stopped."""
        record = Record(self._history.take_over(entry, hold.lease), self._history, hold)
        entry = record.entry
        if entry.rollback or entry.state is State.DEPLOYED:
            return self._told(record, self._work.rolling.wait(record, self._work.deadline))
        service = self._recovery.describe(entry)
        if deployment := self._recovery.deployment_of(entry, service):
            record.deployed(
                deployment["id"],
                deployment.get("updatedAt"),
                None,
                deployment.get("taskDefinition"),
            )
            return self._told(record, self._work.rolling.wait(record, self._work.deadline))
        plan = self._work.planner.plan(self._work.request)
        return self._concluded(*self._resumed(plan, record))

    def _resumed(self, plan: Plan, record: Record) -> tuple[Plan, Record, Earlier]:
        """The plan of an attempt that came to no deployment, the record, and what the attempt left
        behind.
        """
        entry = record.entry
        is_same = (plan.snapshot.task_definition_arn, plan.snapshot.deployment_id) == (
            entry.before.task_definition_arn,
            entry.previous_deployment_id,
        )
        if is_same:
            # Its tags may be written already: what they were says the entry.
            snapshot = replace(plan.snapshot, tags=entry.before.tags)
            again = self._work.planner.plan_from(snapshot, self._work.request)
            if _is_begun_as(entry, again, self._work.intent(again)):
                registered = entry.after.task_definition_arn if again.revision is not None else None
                return again, record, Earlier(registered, may_have_registered=True)
        new = self._work.intent(plan)
        record.entry = replace(
            entry,
            before=replace(new.before, tags=entry.before.tags),
            after=new.after,
            answer=new.answer,
            digests=new.digests,
            deploys=new.deploys,
            rollback_to=new.rollback_to or entry.rollback_to,
            previous_deployment_id=new.previous_deployment_id,
        )
        if record.entry.before.tags != new.after.tags and not plan.tags:
            record.tagged()  # The attempt before has written them.
        return plan, record, NOTHING


def is_replayed(error: EcsUpdaterError) -> bool:
    """Whether an error is what an earlier attempt of the same ``request_id`` was told, for good."""
    return _FIRST_TOLD in error.details


def _is_begun_as(entry: Entry, plan: Plan, intent: Entry) -> bool:
    """Whether ``entry`` was begun for ``plan``.

    What a rollback returns to may have been deregistered or deleted since.
    """
    is_to_the_target = (
        plan.target is not None
        and entry.after.task_definition_arn == plan.target["taskDefinitionArn"]
    )
    has_target = plan.target is None or is_to_the_target == (plan.revision is None)
    return has_target and entry.after.images == intent.after.images


def _has_an_end(entry: Entry) -> bool:
    return entry.is_ended and not entry.may_be_repeated


def _replayed(entry: Entry) -> Answer:
    """What the first attempt was told; what became of its deployment since then included."""
    if entry.error_type:
        error = error_of(entry)
        error.details[_FIRST_TOLD] = entry.begun_at
        raise error
    answer = dict(entry.answer or {})
    deployment = answer["body"]["deployment"]
    if deployment["verdict"] == entry.verdict:
        return answer
    return response.with_verdict(
        answer, {**deployment, "verdict": entry.verdict, "reason": entry.cause}
    )

"""Returns a service whose rollout failed: the revision, the tags, the wait.

All of it can be done twice.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..aws.ecs import Ecs
from ..aws.errors import AwsFailure, Outcome
from ..context import Clock
from ..errors import (
    CallerFault,
    EcsUpdaterError,
    LeaseHeldError,
    LedgerError,
    RolloutFailedError,
    RolloutRolledBackError,
    RolloutStoppedError,
    RolloutSupersededError,
)
from ..ledger.entry import Entry, seconds
from ..model.plan import registration
from ..model.service import own_tags, primary_deployment
from ..model.tags import TagChanges, taken_back
from ..model.verdict import Verdict
from ..rollout.judgement import (
    Judgement,
    PollResult,
)
from ..rollout.poller import Poller, Rollout
from ..settings import Settings
from . import response, tag_writer
from .journal import Journal
from .response import RolloutOutcome, failed
from .target_search import RollbackTarget, TargetSearch
from .writer import register_once


class Pollers:
    """Makes the followers of one invocation."""

    def __init__(self, ecs: Ecs, settings: Settings, clock: Clock):
        self._ecs, self._settings, self._clock = ecs, settings, clock

    def poller(self, rollout: Rollout, journal: Journal) -> Poller:
        """One that follows ``rollout`` and keeps the lease of ``journal`` meanwhile."""

        def sleep(pause: float) -> None:
            journal.keep_lease()
            self._clock.sleep(pause)

        return Poller(
            self._ecs, rollout, self._settings.task_failures, replace(self._clock, sleep=sleep)
        )


_LOOKS, _PAUSE = 6, 2.0
"""How often, and after how many seconds, is looked for the deployment that ECS's own rollback
makes.
"""


@dataclass(frozen=True)
class Return:
    """What is to be left, and where to."""

    cluster: str
    service: str
    """ARNs."""
    deployment_id: str | None
    """The deployment that is left."""
    service_deployment_arn: str | None
    """ECS's own record of it, where there is one and it has not ended."""
    task_definition_arn: str
    """The revision to return to."""


def roll_back_service(
    ecs: Ecs, back: Return, clock: Clock, deadline: float, before_write: Callable[[], None]
) -> Mapping[str, Any]:
    """Starts the return; the PRIMARY deployment that does it, or somebody else's that came first;
    empty while ECS has none yet.

    Every call of it can be repeated: a service that is on its way to a revision gets no second
    deployment to it. ``before_write`` says whether the service is still ours to write to, and
    raises if not. Raises AwsFailure.
    """
    if back.service_deployment_arn and _is_rolled_back_by_ecs(
        ecs, back.service_deployment_arn, before_write
    ):
        deployment = _another_deployment(ecs, back, clock, deadline)
        if (
            not is_rollback_of_ecs(deployment)
            or deployment.get("taskDefinition") == back.task_definition_arn
        ):
            return deployment
        # ECS returns to another revision than the one that is known to have worked.
    return primary_deployment(_update(ecs, back, before_write))


def is_rollback_of_ecs(deployment: Mapping[str, Any]) -> bool:
    """Whether ECS made a deployment to leave one that failed or was stopped."""
    return "rolling back" in deployment.get("rolloutStateReason", "").lower()


def _is_rolled_back_by_ecs(
    ecs: Ecs, service_deployment_arn: str, before_write: Callable[[], None]
) -> bool:
    """Whether ECS takes the deployment back by itself; not when it has ended by now, or the API has
    no such thing.
    """
    before_write()
    try:
        ecs.roll_back_service_deployment(service_deployment_arn)
    except AwsFailure:
        return False  # Another way leads to the same.
    return True


def _another_deployment(ecs: Ecs, back: Return, clock: Clock, deadline: float) -> Mapping[str, Any]:
    """The PRIMARY deployment once it is another one; empty when it stays the same."""
    for _ in range(_LOOKS):
        if clock.now() + _PAUSE > deadline:
            break
        clock.sleep(_PAUSE)
        service, _ = ecs.describe_service(back.cluster, back.service)
        primary = primary_deployment(service or {})
        if primary and primary.get("id") != back.deployment_id:
            return primary
    return {}


def _update(ecs: Ecs, back: Return, before_write: Callable[[], None]) -> Mapping[str, Any]:
    for is_last in (False, True):
        before_write()
        try:
            return ecs.update_service(
                back.cluster, back.service, task_definition=back.task_definition_arn
            )
        except AwsFailure as failure:
            if is_last or failure.outcome is not Outcome.UNKNOWN:
                raise
    raise AssertionError("the last attempt returns or raises")


class RollbackRunner:
    """Does, and goes on with, the return of one service."""

    def __init__(self, ecs: Ecs, settings: Settings, clock: Clock, following: Pollers):
        self._ecs, self._settings, self._clock, self._pollers = ecs, settings, clock, following

    def roll_back(
        self, journal: Journal, judgement: Judgement, polled: PollResult, deadline: float
    ) -> RolloutOutcome:
        """Returns service and tags to what worked, or does the rest where ECS has returned the
        service.
        """
        entry, seen = journal.entry, polled.state
        cause = judgement.reason
        back = seen.rollback if seen else None
        deployment = response.polled_deployment(entry.deployment_id, judgement, polled, {})
        if judgement.verdict == Verdict.ROLLED_BACK and back:
            journal.rolling_back(cause, back.task_definition)
        elif entry.rollback_to is None:
            sentence = (
                f"{cause}; the service was not rolled back, for no revision of it is "
                "known to have worked"
            )
            return failed(RolloutFailedError, sentence, Verdict.FAILED, entry, deployment)
        else:
            journal.rolling_back(cause, entry.rollback_to)
        return self.go_on(journal, polled.service_deployment_arn or "", deadline)

    def go_on(
        self, journal: Journal, service_deployment_arn: str, deadline: float
    ) -> RolloutOutcome:
        """Does what is left of a rollback: the deployment, the tags, the wait.

        All of it can be done twice.
        """
        entry = journal.entry
        assert entry.rollback is not None
        target = entry.rollback.task_definition_arn
        try:
            service, _ = self._ecs.describe_service(entry.cluster_arn, entry.service_arn)
            if service is None or service["status"] != "ACTIVE":
                sentence = f"{entry.cause}; the service was deleted before it was returned"
                return failed(RolloutStoppedError, sentence, Verdict.STOPPED, entry)
            primary = primary_deployment(service)
            if entry.rollback.deployment_id is None and primary.get("id") == entry.deployment_id:
                back = Return(
                    entry.cluster_arn,
                    entry.service_arn,
                    entry.deployment_id,
                    service_deployment_arn or None,
                    target,
                )
                primary = self._begun(journal, back, deadline)
            back_to = journal.entry.rollback
            if primary and back_to and primary.get("taskDefinition") != back_to.task_definition_arn:
                if not is_rollback_of_ecs(primary):
                    return self._overtaken(entry, primary)
                journal.redirected(primary["taskDefinition"], None)
        except (AwsFailure, LeaseHeldError, LedgerError) as failure:
            where = f"{_revision(target)}{_again(journal, failure)}"
            sentence = (
                f"{entry.cause}; and the service could not be returned to "
                f"{where}: {_plain(failure)}"
            )
            return failed(
                RolloutFailedError, sentence, Verdict.FAILED, entry, is_final=_is_for_good(failure)
            )
        return self._rollback(journal, service, primary.get("id"), deadline)

    def _begun(self, journal: Journal, back: Return, deadline: float) -> Mapping[str, Any]:
        """See ``return_service``.

        A revision that ECS refuses is registered again, or the one that worked before it is taken.
        """
        try:
            return roll_back_service(self._ecs, back, self._clock, deadline, journal.before_write)
        except AwsFailure as failure:
            target = self._instead(journal, back) if failure.outcome is Outcome.REFUSED else None
            if target is None or (target.is_active and target.arn == back.task_definition_arn):
                raise  # It is not the revision that ECS refuses.
        arn = target.arn if target.is_active else self._registered_again(journal, target)
        journal.redirected(arn, target.tags)
        back = replace(back, service_deployment_arn=None, task_definition_arn=arn)
        return roll_back_service(self._ecs, back, self._clock, deadline, journal.before_write)

    def _instead(self, journal: Journal, back: Return) -> RollbackTarget | None:
        """The target of a rollback that ECS has refused; ``journal`` notes which revisions are
        passed over.
        """
        search = TargetSearch(
            self._ecs,
            self._settings,
            journal.history,
            back.cluster,
            back.service,
            leaves=journal.entry.after.task_definition_arn or "",
            completed=back.task_definition_arn,
        )
        target = search.first()
        journal.notes += search.notes
        return target

    def _registered_again(self, journal: Journal, target: RollbackTarget) -> str:
        """The ARN of a new revision with the content of ``target``."""
        journal.before_write()
        tags, fields = target.task_definition_tags, self._ecs.fields
        revision, _ = registration(target.task_definition, tags, {}, fields, self._settings)
        # An interrupted attempt may have registered it already.
        arn: str = register_once(self._ecs, revision, look_first=True)["taskDefinitionArn"]
        return arn

    def _rollback(
        self,
        journal: Journal,
        service: Mapping[str, Any],
        deployment_id: str | None,
        deadline: float,
    ) -> RolloutOutcome:
        """The service is on its way back: does the rest, and waits."""
        entry = journal.entry
        assert entry.rollback is not None
        tags, are_back = self._put_tags_back(journal, service)
        # Whoever finds the entry puts the tags back as long as it does not say which deployment
        # does the return.
        journal.rolling_back(
            entry.cause or "",
            entry.rollback.task_definition_arn,
            deployment_id if are_back else None,
        )
        polled = None
        if deployment_id and deadline > self._clock.now():
            polled = self._pollers.poller(rollback_rollout(entry, deployment_id), journal).wait(
                deadline
            )
        outcome = self.returned(journal, deployment_id, tags, polled)
        return outcome if are_back else replace(outcome, is_final=False)

    @staticmethod
    def _overtaken(entry: Entry, primary: Mapping[str, Any]) -> RolloutOutcome:
        """What is told when somebody else's deployment came before the return: theirs is left
        alone.
        """
        theirs = f"deployment {primary.get('id')} to {_revision(primary.get('taskDefinition', ''))}"
        sentence = f"{entry.cause}; the service was not returned, for {theirs} took its place"
        return failed(RolloutSupersededError, sentence, Verdict.SUPERSEDED, entry)

    def _put_tags_back(self, journal: Journal, service: Mapping[str, Any]) -> tuple[str, bool]:
        """What became of the tags, for the message, and whether nothing is left to do."""
        entry = journal.entry
        changes = taken_back(own_tags(service), _tags_to_take_back(entry))
        try:
            if changes and any(one.has_replaced_tags for one in journal.history.later(entry)):
                journal.entry = replace(entry, rollback_tags=entry.after.tags)
                return ", its tags are those of a later update", True
            if changes:
                journal.before_write()
                tag_writer.write(self._ecs, entry.service_arn, changes)
        except EcsUpdaterError as failure:
            is_for_good = isinstance(failure, CallerFault)
            again = "" if is_for_good else _again(journal, failure)
            return f", but its tags could not be put back{again}: {_plain(failure)}", is_for_good
        return tags_afterwards(entry), True

    @staticmethod
    def returned(
        journal: Journal,
        deployment_id: str | None,
        tags: str,
        polled: PollResult | None,
        *,
        is_over: bool = False,
    ) -> RolloutOutcome:
        """The conclusion of a rollback: what failed, and how the return went.

        ``is_over``: it is waited for no longer.
        """
        entry = journal.entry
        assert entry.rollback is not None
        revision = _revision(entry.rollback.task_definition_arn)
        judgement = polled.judgement if polled else None
        deployment = {
            "id": deployment_id,
            "verdict": judgement.verdict if judgement else Verdict.IN_PROGRESS,
        }
        if judgement is None or (judgement.verdict == Verdict.TIMED_OUT and not is_over):
            by = f" (deployment {deployment_id})" if deployment_id else ""
            sentence = f"{entry.cause}; the service is on its way back to {revision}{by}{tags}"
            return failed(
                RolloutFailedError, sentence, Verdict.FAILED, entry, deployment, is_final=False
            )
        if judgement.verdict == Verdict.SUCCEEDED:
            sentence = f"{entry.cause}; the service is back: {judgement.reason}{tags}"
            return failed(RolloutRolledBackError, sentence, Verdict.ROLLED_BACK, entry, deployment)
        sentence = (
            f"{entry.cause}; and the return to {revision} came to {judgement.verdict}: "
            f"{judgement.reason}{tags}"
        )
        return failed(RolloutFailedError, sentence, Verdict.FAILED, entry, deployment)


def tags_afterwards(entry: Entry) -> str:
    """What a rollback leaves of the service's tags, for the message."""
    if entry.rollback_tags is None and not entry.deploys:
        return ", its tags were left as they are: no earlier success is known that had others"
    return ", its tags are what they were" if _tags_to_take_back(entry) else ""


def _tags_to_take_back(entry: Entry) -> TagChanges:
    """From the tags that a rollback restores to those that the update wrote. None where a failed
    deployment was joined whose earlier tags nobody knows.
    """
    if entry.rollback_tags is not None:
        return TagChanges(entry.rollback_tags, entry.after.tags)
    return TagChanges(entry.before.tags, entry.after.tags) if entry.deploys else TagChanges()


def rollback_rollout(entry: Entry, deployment_id: str) -> Rollout:
    """The deployment that returns an entry's service, to follow."""
    made_at = seconds(entry.updated_at)
    return Rollout(
        entry.cluster_arn,
        entry.service_arn,
        deployment_id,
        entry.deployment_id,
        made_at,
        may_be_rollback=True,
    )


def _plain(failure: Exception) -> str:
    """The words of a failure that is told within another one: without its stage."""
    return re.sub(r"^\[ERROR\]\[\w+\] ", "", str(failure))


def _again(journal: Journal, failure: Exception) -> str:
    """What to expect after a failure: with a ledger somebody tries again, unless ECS will never do
    it.
    """
    return "" if _is_for_good(failure) or not journal.history.is_kept else ", which is tried again"


def _is_for_good(failure: Exception) -> bool:
    return isinstance(failure, AwsFailure) and failure.outcome is Outcome.REFUSED


def _revision(task_definition_arn: str) -> str:
    return task_definition_arn.rpartition("/")[2]

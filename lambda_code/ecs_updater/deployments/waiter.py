"""From a deployment to its end: the wait, the verdict, the rollback.

Works on a ledger's entry, so that whoever finds one can go on.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from ..aws.ecs import Ecs
from ..aws.errors import AwsFailure
from ..context import Clock
from ..errors import (
    EcsUpdaterError,
    LedgerError,
    RolloutFailedError,
    RolloutRolledBackError,
    RolloutStoppedError,
    RolloutSupersededError,
)
from ..ledger.entry import Entry, seconds
from ..log import logger
from ..model.service import Snapshot, primary_deployment
from ..model.verdict import Verdict
from ..rollout.image_digests import (
    Digests,
    digests_of_revision,
    digests_of_tasks,
    unexpected_digests,
)
from ..rollout.judgement import (
    Judgement,
    PollResult,
    age,
)
from ..rollout.poller import Rollout
from ..rollout.task_failures import Containers
from ..settings import Settings
from . import response
from .journal import Journal
from .response import RolloutOutcome, error_of, failed
from .rollback import Pollers, RollbackRunner, rollback_rollout, tags_afterwards

_ERRORS: dict[str, type[EcsUpdaterError]] = {
    Verdict.FAILED: RolloutFailedError,
    Verdict.ROLLED_BACK: RolloutRolledBackError,
    Verdict.STOPPED: RolloutStoppedError,
    Verdict.SUPERSEDED: RolloutSupersededError,
}


NOT_ASKED_FOR = (
    "the service was not rolled back, for the event did not ask for it (rollback_on_failure)"
)


class Waiter:
    """Follows an update's deployment, and returns the service where that was asked for."""

    def __init__(self, ecs: Ecs, settings: Settings, clock: Clock):
        self._ecs, self._clock = ecs, clock
        self._most_seconds = settings.open_update_max_hours * 3600
        self._settings = settings

    @cached_property
    def _pollers(self) -> Pollers:
        return Pollers(self._ecs, self._settings, self._clock)

    @cached_property
    def _rollback(self) -> RollbackRunner:
        return RollbackRunner(self._ecs, self._settings, self._clock, self._pollers)

    def wait(self, journal: Journal, deadline: float) -> RolloutOutcome:
        """Follows to the end, or to ``deadline``: the deployment, and the rollback after it.

        Raises nothing.
        """
        entry = journal.entry
        if entry.rollback:
            return self._rollback.go_on(journal, "", deadline)
        if entry.deployment_id is None or deadline <= self._clock.now():
            return _open(entry)
        return self._conclude(
            journal, self._pollers.poller(_rollout(entry), journal).wait(deadline), deadline
        )

    def judge_without_deployment(
        self, journal: Journal, snapshot: Snapshot, past: Callable[[], Sequence[Entry]]
    ) -> RolloutOutcome:
        """Judges an update that makes no deployment by the one that runs.

        Not final while that one is in progress. No call where it has completed. ``past`` reads the
        service's updates, the latest first.
        """
        no_change = (journal.entry.answer or {})["body"]["deployment"]
        if snapshot.has_completed or snapshot.deployment_id is None:
            return RolloutOutcome(no_change, verdict=Verdict.NO_CHANGE)
        journal.joined(snapshot.deployment_id, snapshot.service_deployment_arn)
        try:
            outcome = self.look(journal, snapshot.service, past=past())
        except (AwsFailure, LedgerError) as failure:
            journal.notes.append(str(failure))
            return RolloutOutcome(is_final=False)
        if outcome.verdict == Verdict.SUCCEEDED:
            return RolloutOutcome(no_change, verdict=Verdict.NO_CHANGE)
        return outcome

    def look(
        self,
        journal: Journal,
        service: Mapping[str, Any] | None = None,
        *,
        may_roll_back: bool = True,
        past: Sequence[Entry] = (),
    ) -> RolloutOutcome:
        """Looks once, and returns the service where that has to be. ``service``, where
        DescribeServices has told it already.

        ``past`` has the service's updates, the latest first: the end of one update of a deployment
        is the end of all that joined it, and one that is open was looked at a moment ago, since the
        oldest comes first. Without ``may_return`` an update that has to be returned stays open
        instead. Raises AwsFailure.
        """
        if journal.entry.rollback:
            return self._look_at_return(journal, service, may_roll_back)
        entry = journal.entry
        known = _known_of(entry, past)
        if known and not known.is_ended:
            return RolloutOutcome(is_final=False)
        if known and not (entry.rollback_on_failure and known.is_left_failed):
            return RolloutOutcome(error=error_of(known), verdict=known.verdict or "")
        polled: PollResult | None
        if known and known.verdict == Verdict.FAILED:
            judgement = Judgement(Verdict.FAILED, _reason(known))
            polled = PollResult(
                judgement, None, 0.0, service_deployment_arn=entry.service_deployment_arn
            )
        else:
            poller = self._pollers.poller(_rollout(entry), journal)
            polled = poller.poll(service)
            if polled is None:
                return self._while_it_goes_on(
                    journal, poller.overdue(self._most_seconds), may_roll_back
                )
        if (
            polled.judgement.verdict == Verdict.FAILED
            and entry.rollback_on_failure
            and not may_roll_back
        ):
            return RolloutOutcome(is_final=False, verdict=Verdict.FAILED)
        # Nobody waits to hear which digests run: unless they were asked for, two calls for each
        # service of a fleet are too many.
        return self._conclude(journal, polled, self._clock.now(), asks_tasks=bool(entry.digests))

    def _look_at_return(
        self, journal: Journal, service: Mapping[str, Any] | None, may_roll_back: bool
    ) -> RolloutOutcome:
        entry = journal.entry
        assert entry.rollback is not None
        if entry.rollback.deployment_id is None and not may_roll_back:
            return RolloutOutcome(is_final=False, verdict=Verdict.FAILED)
        if entry.rollback.deployment_id is None:
            return self._rollback.go_on(journal, "", self._clock.now())
        poller = self._pollers.poller(
            rollback_rollout(entry, entry.rollback.deployment_id), journal
        )
        polled = poller.poll(service)
        overdue = None if polled else poller.overdue(self._most_seconds)
        if polled is None and overdue is None:
            return RolloutOutcome(is_final=False)
        if overdue:
            _warn(entry, overdue.judgement.reason)
        tags = tags_afterwards(entry)
        return self._rollback.returned(
            journal, entry.rollback.deployment_id, tags, polled or overdue, is_over=bool(overdue)
        )

    def _while_it_goes_on(
        self, journal: Journal, overdue: PollResult | None, may_roll_back: bool
    ) -> RolloutOutcome:
        """Ends an update whose rollout goes on, if it is ``overdue``; rolls it back where it asked
        for that.
        """
        entry = journal.entry
        if overdue is None:
            return RolloutOutcome(is_final=False)
        if entry.rollback_on_failure and not may_roll_back:
            return RolloutOutcome(is_final=False, verdict=Verdict.FAILED)
        reason = overdue.judgement.reason
        _warn(entry, reason)
        if entry.rollback_on_failure:
            return self._rollback.roll_back(
                journal, Judgement(Verdict.FAILED, reason), overdue, self._clock.now()
            )
        deployment = response.polled_deployment(entry.deployment_id, overdue.judgement, overdue, {})
        return RolloutOutcome(deployment, verdict=Verdict.TIMED_OUT)

    def without_an_end(self, entry: Entry, why: str) -> RolloutOutcome | None:
        """The end of an update that could not be looked at, or returned, since its last change, if
        that is too long ago.
        """
        now = self._clock.epoch()
        since = now - (seconds(entry.updated_at) or now)
        if (aged := age(since, since, self._most_seconds)) is None:
            return None
        _warn(entry, f"{aged}: {why}")
        deployment = {
            "id": entry.deployment_id,
            "verdict": Verdict.TIMED_OUT,
            "reason": f"{aged}: {why}",
        }
        return RolloutOutcome(deployment, verdict=Verdict.TIMED_OUT)

    def _conclude(
        self, journal: Journal, polled: PollResult, deadline: float, *, asks_tasks: bool = True
    ) -> RolloutOutcome:
        entry, judgement = journal.entry, polled.judgement
        images: dict[str, Any] = {}
        if judgement.verdict == Verdict.SUCCEEDED:
            running = self._running(entry, polled) if asks_tasks else {}
            judgement = self._compared(journal, judgement, running)
            images = {
                name: {"image": image, "digests": list(running.get(name, ()))}
                for name, image in sorted(entry.after.images.items())
                if name in running
            }
        if judgement.verdict in (Verdict.FAILED, Verdict.ROLLED_BACK) and entry.rollback_on_failure:
            return self._rollback.roll_back(journal, judgement, polled, deadline)
        deployment = response.polled_deployment(entry.deployment_id, judgement, polled, images)
        if kind := _ERRORS.get(judgement.verdict):
            reason = judgement.reason
            if judgement.verdict == Verdict.FAILED:
                reason += f"; {NOT_ASKED_FOR}"
            elif judgement.verdict == Verdict.ROLLED_BACK and entry.before.tags != entry.after.tags:
                reason += (
                    "; its tags are the new ones, for the event did not ask to put them back "
                    "(rollback_on_failure)"
                )
            return failed(
                kind,
                response.cause_with_events(reason, polled),
                judgement.verdict,
                entry,
                deployment,
            )
        journal.notes += [note for note in polled.notes if note not in journal.notes]
        return RolloutOutcome(
            deployment, is_final=judgement.verdict != Verdict.TIMED_OUT, verdict=judgement.verdict
        )

    def _running(self, entry: Entry, polled: PollResult) -> Digests:
        """The digests that the deployment's tasks show, else those that ECS resolved for it; none
        where neither can be read.
        """
        try:
            tasks = self._ecs.running_tasks(entry.cluster_arn, entry.service_arn)
            deployment = {"taskDefinition": entry.after.task_definition_arn}
            if digests := digests_of_tasks(tasks, entry.deployment_id or "", deployment):
                return digests
            if arn := polled.service_deployment_arn:
                service_deployment = self._ecs.service_deployment(arn) or {}
                if revision := service_deployment.get("targetServiceRevision", {}).get("arn"):
                    return digests_of_revision(self._ecs.service_revision(revision) or {})
        except AwsFailure:
            pass  # The rollout has succeeded all the same.
        return {}

    @staticmethod
    def _compared(journal: Journal, judgement: Judgement, running: Digests) -> Judgement:
        """The finding, unless the tasks run another image than the digest in the reference says."""
        for name, digests in unexpected_digests(journal.entry.digests, running).items():
            image = journal.entry.after.images.get(name, "")
            what = (
                f"container {name} runs {', '.join(digests)}, and {image} was "
                f"{', '.join(journal.entry.digests[name])}"
            )
            if "@" in image:
                return Judgement(Verdict.FAILED, what)
            journal.notes.append(f"{what} when it was looked at: the tag has moved since")
        return judgement


def running_deployment(service: Mapping[str, Any], entry: Entry) -> str | None:
    """The deployment of an entry that does not say which one it made, if the service, as
    DescribeServices tells it, has it.
    """
    if entry.deployment_id or not entry.deploys:
        return entry.deployment_id
    wanted = entry.after.task_definition_arn
    if wanted is None:
        return None  # Nothing was registered, or nobody was told.
    # Of a revision of its own any deployment is its own; one of the old revision only when it is
    # the last.
    is_own = entry.action == "update" and wanted != entry.before.task_definition_arn
    primary = primary_deployment(service)
    candidates = [primary, *(service.get("deployments", []) if is_own else [])]
    theirs = (
        one
        for one in candidates
        if one.get("taskDefinition") == wanted and one.get("id") != entry.previous_deployment_id
    )
    return next((one["id"] for one in theirs), None)


def _known_of(entry: Entry, past: Sequence[Entry]) -> Entry | None:
    """The latest earlier update of the deployment that ``entry`` has joined, if it is open or ended
    with an error.
    """
    if entry.deploys:
        return None
    number = entry.number or math.inf  # 0: a dry run, which has none.
    earlier = (
        one for one in past if one.deployment_id == entry.deployment_id and one.number < number
    )
    return next((one for one in earlier if not one.is_ended or one.verdict in _ERRORS), None)


def _reason(known: Entry) -> str:
    """Why the deployment failed, without what was done about it then."""
    return (
        (known.cause or "")
        .partition(f"{RolloutFailedError.prefix}")[2]
        .partition(f"; {NOT_ASKED_FOR}")[0]
    )


def _warn(entry: Entry, reason: str) -> None:
    logger.warning(
        "an open update has reached its maximum age",
        service=entry.service,
        update_request_id=entry.request_id,
        reason=reason,
    )


def _rollout(entry: Entry) -> Rollout:
    """The entry's own deployment."""
    return Rollout(
        entry.cluster_arn,
        entry.service_arn,
        entry.deployment_id or "",
        entry.previous_deployment_id,
        made_at=seconds(entry.updated_at),
        begun_at=seconds(entry.begun_at),
        service_deployment_arn=entry.service_deployment_arn,
        previous_service_deployment_arn=entry.previous_service_deployment_arn,
        containers=Containers(
            entry.after.essential, entry.after.images.keys() - set(entry.after.essential)
        ),
        may_be_rollback=not entry.deploys,
    )


def _open(entry: Entry) -> RolloutOutcome:
    is_over = entry.deployment_id is None
    verdict = (entry.answer or {})["body"]["deployment"]["verdict"]
    return RolloutOutcome(is_final=is_over, verdict=verdict)

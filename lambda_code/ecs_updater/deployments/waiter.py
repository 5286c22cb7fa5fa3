"""From a deployment to its verdict: the wait, the judgement, the rollback.

It works on a ledger's entry, so that a later process can continue.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..aws.ecs import Ecs
from ..context import Clock
from ..errors import AwsFailure, LedgerError
from ..ledger.entry import Entry, changed_at, seconds
from ..log import keys_of, logger
from ..model.service import Snapshot, primary_deployment
from ..model.service_settings import COUNT, has_all_tasks
from ..model.strategy import COMPLETE
from ..model.verdict import Verdict
from ..rollout.image_digests import (
    Digests,
    digests_of_revision,
    digests_of_tasks,
    unexpected_digests,
)
from ..rollout.judgement import Judgement, PollResult, Scale, age
from ..rollout.poller import Poller, Rollout
from ..rollout.task_failures import Containers
from ..settings import Settings
from .journal import Journal
from .response import (
    ROLLOUT_ERRORS,
    RolloutOutcome,
    cause_with_events,
    error_of,
    failed,
    polled_deployment,
)
from .rollback import RollbackRunner, afterwards, outcome_of, rollback_rollout

NOT_REQUESTED = (
    "the service was not rolled back, for the event did not ask for it (rollback_on_failure)"
)

_LEFT_FAILED = (Verdict.FAILED, Verdict.ROLLBACK_FAILED)
"""Verdicts after which ECS does not roll the service back."""


class Waiter:
    """Polls an update's deployment, and rolls the service back if the event requests that."""

    def __init__(self, ecs: Ecs, settings: Settings, clock: Clock):
        self._ecs, self._settings, self._clock = ecs, settings, clock
        self._most_seconds = settings.open_update_max_hours * 3600

    @property
    def _rollback(self) -> RollbackRunner:
        return RollbackRunner(self._ecs, self._settings, self._clock)

    def _poller(self, rollout: Rollout, journal: Journal) -> Poller:
        failures = self._settings.task_failures
        return Poller(self._ecs, rollout, failures, self._clock, journal.keep_lease)

    def wait(self, journal: Journal, deadline: float, until: str = COMPLETE) -> RolloutOutcome:
        """Waits for the deployment and its rollback, at most until `deadline`. Raises nothing.

        `until`: a lifecycle stage of the deployment that ends the wait, too.
        """
        entry = journal.entry
        if entry.rollback:
            return self._rollback.proceed(journal, deadline)
        if entry.deployment_id is None or deadline <= self._clock.now():
            verdict = (entry.answer or {})["body"]["deployment"]["verdict"]
            return RolloutOutcome(is_final=entry.deployment_id is None, verdict=verdict)
        poller = self._poller(_rollout(entry), journal)

        def show_hook() -> None:
            # Somebody else may have to answer it while this process waits.
            if poller.shown.get("hook") != journal.entry.rollout.get("hook"):
                journal.progressed(poller.shown)

        result = poller.wait(deadline, until, show_hook)
        return self._conclude(journal, result, deadline)

    def judge_without_deployment(
        self, journal: Journal, snapshot: Snapshot, past: Callable[[], Sequence[Entry]]
    ) -> RolloutOutcome:
        """Judges an update without a deployment by the running one.

        The outcome is not final while that one is in progress. No call is made if it has completed.
        `past` reads the service's updates, the latest first.
        """
        no_change = (journal.entry.answer or {})["body"]["deployment"]
        has_completed = snapshot.has_completed
        if COUNT in journal.entry.after.service_settings:
            has_completed = has_completed and has_all_tasks(snapshot.service)
        if has_completed or snapshot.deployment_id is None:
            return RolloutOutcome(no_change, verdict=Verdict.NO_CHANGE)
        journal.joined(snapshot.deployment_id, snapshot.service_deployment_arn)
        try:
            outcome = self.poll(journal, snapshot.service, past=past())
        except (AwsFailure, LedgerError) as failure:
            journal.notes.append(str(failure))
            return RolloutOutcome(is_final=False)
        if outcome.verdict == Verdict.SUCCEEDED:
            return RolloutOutcome(no_change, verdict=Verdict.NO_CHANGE)
        return outcome

    def judge_settings(self, journal: Journal, service: Mapping[str, Any]) -> RolloutOutcome:
        """Judges changed settings of a service by UpdateService's answer, if all tasks run."""
        if journal.entry.deployment_id is not None and has_all_tasks(service):
            with suppress(AwsFailure):  # The next poll may succeed.
                return self.poll(journal, service)
        return RolloutOutcome(is_final=False)

    def poll(
        self,
        journal: Journal,
        service: Mapping[str, Any] | None = None,
        *,
        may_roll_back: bool = True,
        past: Sequence[Entry] = (),
    ) -> RolloutOutcome:
        """Polls once, and rolls the service back if that is due. Raises AwsFailure.

        `service`: the service, if DescribeServices was called already. `past`: the service's
        updates, the latest first. The verdict on a deployment is the verdict of all updates that
        joined it, and the oldest of them was polled first. Without `may_roll_back` an update whose
        rollback is due stays open.
        """
        entry = journal.entry
        if entry.rollback:
            return self._poll_rollback(journal, service, may_roll_back)
        known = _known_of(entry, past)
        if known and not known.is_ended:
            return RolloutOutcome(is_final=False)
        if known and not (entry.rollback_on_failure and known.is_left_failed):
            return RolloutOutcome(error=error_of(known), verdict=known.verdict or "")
        result: PollResult | None
        if known and known.verdict in _LEFT_FAILED:
            # Why the deployment failed, without the rollback.
            verdict = Verdict(known.verdict)
            reason = (known.cause or "").partition(ROLLOUT_ERRORS[verdict].prefix)[2]
            judgement = Judgement(verdict, reason.partition(f"; {NOT_REQUESTED}")[0])
            arn = entry.service_deployment_arn
            result = PollResult(judgement, None, 0.0, service_deployment_arn=arn)
        else:
            poller = self._poller(_rollout(entry), journal)
            result = poller.poll(service, self._most_seconds)
            if result is None:
                journal.progressed(poller.shown)
                return RolloutOutcome(is_final=False)
        is_over = result.judgement.verdict == Verdict.TIMED_OUT
        is_failed = is_over or result.judgement.verdict in _LEFT_FAILED
        if is_failed and entry.rollback_on_failure and not may_roll_back:
            return RolloutOutcome(is_final=False, verdict=Verdict.FAILED)
        if is_over:
            _warn(entry, result.judgement.reason)
        if is_over and entry.rollback_on_failure:
            judgement = Judgement(Verdict.FAILED, result.judgement.reason)
            return self._rollback.roll_back(journal, judgement, result, self._clock.now())
        # Two calls per service to read the running digests are too many for a batch.
        reads_tasks = bool(entry.digests)
        outcome = self._conclude(journal, result, self._clock.now(), reads_tasks=reads_tasks)
        return replace(outcome, is_final=True) if is_over else outcome

    def _poll_rollback(
        self, journal: Journal, service: Mapping[str, Any] | None, may_roll_back: bool
    ) -> RolloutOutcome:
        entry = journal.entry
        assert entry.rollback is not None
        deployment_id = entry.rollback.deployment_id
        if deployment_id is None:
            if may_roll_back:
                return self._rollback.proceed(journal, self._clock.now())
            return RolloutOutcome(is_final=False, verdict=Verdict.FAILED)
        poller = self._poller(rollback_rollout(entry, deployment_id), journal)
        result = poller.poll(service, self._most_seconds)
        if result is None:
            return RolloutOutcome(is_final=False)
        is_over = result.judgement.verdict == Verdict.TIMED_OUT
        if is_over:
            _warn(entry, result.judgement.reason)
        return outcome_of(entry, deployment_id, afterwards(entry), result, is_over=is_over)

    def expired(self, entry: Entry, why: str) -> RolloutOutcome | None:
        """Returns the outcome of an unreadable update, if its last change is too old."""
        now = self._clock.epoch()
        since = now - (changed_at(entry) or now)
        if (aged := age(since, since, self._most_seconds)) is None:
            return None
        reason = f"{aged}: {why}"
        _warn(entry, reason)
        deployment = {"id": entry.deployment_id, "verdict": Verdict.TIMED_OUT, "reason": reason}
        return RolloutOutcome(deployment, verdict=Verdict.TIMED_OUT)

    def _conclude(
        self, journal: Journal, result: PollResult, deadline: float, *, reads_tasks: bool = True
    ) -> RolloutOutcome:
        """Returns the outcome of a judgement, after a rollback if that is due."""
        if result.state:
            journal.polled(result.state.shown())
        entry, judgement = journal.entry, result.judgement
        images: dict[str, Any] = {}
        if (
            judgement.verdict == Verdict.SUCCEEDED
            and reads_tasks
            and not entry.only_changes_settings
        ):
            running = self._running_digests(entry, result)
            judgement = _compared(journal, judgement, running)
            images = {
                name: {"image": image, "digests": list(running.get(name, ()))}
                for name, image in sorted(entry.after.images.items())
                if name in running
            }
        verdict, reason = judgement.verdict, judgement.reason
        if verdict in (*_LEFT_FAILED, Verdict.ROLLED_BACK) and entry.rollback_on_failure:
            return self._rollback.roll_back(journal, judgement, result, deadline)
        deployment = polled_deployment(entry.deployment_id, judgement, result, images)
        if verdict in ROLLOUT_ERRORS:
            if verdict in _LEFT_FAILED:
                reason += f"; {NOT_REQUESTED}"
            elif verdict == Verdict.ROLLED_BACK and entry.before.tags != entry.after.tags:
                reason += (
                    "; its tags are the new ones, for the event did not ask to put them back "
                    "(rollback_on_failure)"
                )
            if verdict == Verdict.ROLLED_BACK and entry.settings:
                names = ", ".join(entry.settings.changed)
                reason += f"; {names} of the service stayed new (rollback_on_failure)"
            return failed(verdict, cause_with_events(reason, result), entry, deployment)
        journal.notes += [note for note in result.notes if note not in journal.notes]
        is_final = verdict not in (Verdict.TIMED_OUT, Verdict.IN_PROGRESS)
        return RolloutOutcome(deployment, is_final=is_final, verdict=verdict)

    def _running_digests(self, entry: Entry, result: PollResult) -> Digests:
        """Returns the digests of the tasks, or else of the service revision, if one is readable."""
        with suppress(AwsFailure):  # The rollout has succeeded all the same.
            tasks = self._ecs.running_tasks(entry.cluster_arn, entry.service_arn)
            deployment = {"taskDefinition": entry.after.task_definition_arn}
            if digests := digests_of_tasks(tasks, entry.deployment_id or "", deployment):
                return digests
            if arn := result.service_deployment_arn:
                service_deployment = self._ecs.service_deployment(arn) or {}
                if revision := service_deployment.get("targetServiceRevision", {}).get("arn"):
                    return digests_of_revision(self._ecs.service_revision(revision) or {})
        return {}


def _compared(journal: Journal, judgement: Judgement, running: Digests) -> Judgement:
    """Returns the judgement, or a failure if the tasks run another digest than the reference."""
    for name, digests in unexpected_digests(journal.entry.digests, running).items():
        image = journal.entry.after.images.get(name, "")
        difference = (
            f"container {name} runs {', '.join(digests)}, and {image} was "
            f"{', '.join(journal.entry.digests[name])}"
        )
        if "@" in image:
            return Judgement(Verdict.FAILED, difference)
        journal.notes.append(f"{difference} when it was read: the tag has moved since")
    return judgement


def running_deployment(service: Mapping[str, Any], entry: Entry) -> str | None:
    """Returns the id of an entry's deployment, also if only the service shows it."""
    if entry.deployment_id or not entry.deploys:
        return entry.deployment_id
    wanted = entry.after.task_definition_arn
    if wanted is None:
        return None  # No revision was registered, or it is not in the ledger.
    candidates = [primary_deployment(service)]
    if entry.registers and entry.action == "update" and wanted != entry.before.task_definition_arn:
        # A deployment of this update's revision is its own, even if it is not PRIMARY.
        candidates += service.get("deployments", [])
    own = (
        deployment["id"]
        for deployment in candidates
        if deployment.get("taskDefinition") == wanted
        and deployment["id"] != entry.previous_deployment_id
    )
    return next(own, None)


def is_stop(entry: Entry) -> bool:
    """Returns whether a rollback has stopped the deployment before it, by its service deployment.

    A rollback of ECS is a part of the service deployment that it rolls back.
    """
    arn = entry.service_deployment_arn
    is_same = arn is not None and arn == entry.previous_service_deployment_arn
    return is_same and entry.action == "rollback" and entry.deploys


def _known_of(entry: Entry, past: Sequence[Entry]) -> Entry | None:
    """Returns the latest earlier update of a joined deployment that is open or has failed."""
    if entry.deploys or entry.settings:
        return None
    number = entry.number or math.inf  # A dry run has the number 0.
    joined = (
        earlier
        for earlier in past
        if earlier.deployment_id == entry.deployment_id
        and earlier.number < number
        and not earlier.is_about_settings
    )
    return next(
        (other for other in joined if not other.is_ended or other.verdict in ROLLOUT_ERRORS), None
    )


def _warn(entry: Entry, reason: str) -> None:
    logger.warning("an open update has reached its maximum age", reason=reason, **keys_of(entry))


def _rollout(entry: Entry) -> Rollout:
    """Returns the rollout of the entry's deployment."""
    essential, count = entry.after.essential, entry.after.service_settings.get(COUNT)
    return Rollout(
        entry.cluster_arn,
        entry.service_arn,
        entry.deployment_id or "",
        entry.previous_deployment_id,
        made_at=seconds(entry.updated_at),
        begun_at=seconds(entry.begun_at),
        service_deployment_arn=entry.service_deployment_arn,
        previous_service_deployment_arn=entry.previous_service_deployment_arn,
        containers=Containers(essential, entry.after.images.keys() - set(essential)),
        may_be_rollback=not entry.deploys,
        is_stopped=is_stop(entry),
        scale=Scale(count) if entry.is_about_settings else None,
        shown=entry.rollout,
    )

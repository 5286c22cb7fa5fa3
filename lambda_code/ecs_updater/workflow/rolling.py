"""From a deployment to its end: the wait, the verdict, the rollback.

Works on a ledger's entry, so that whoever finds one can go on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .. import result
from ..aws.ecs import Ecs
from ..aws.failure import AwsFailure
from ..clock import Clock
from ..errors import (
    EcsUpdaterError,
    LeaseHeldError,
    LedgerError,
    RolloutFailedError,
    RolloutRolledBackError,
    RolloutStoppedError,
    RolloutSupersededError,
)
from ..ledger.entry import Entry
from ..ledger.record import Record
from ..result import Answer
from ..rollout.follow import Follower, Rollout
from ..rollout.running import Digests, digests_of_revision, digests_of_tasks, others_than_asked
from ..rollout.verdict import FAILED, ROLLED_BACK, STOPPED, SUCCEEDED, SUPERSEDED, TIMED_OUT, Finding, Followed
from ..service import tagging
from ..service.read import primary_deployment
from ..service.rollback import Return, return_service
from ..settings import Settings
from ..tags import TagChanges

_ERRORS: dict[str, type[EcsUpdaterError]] = {
    FAILED: RolloutFailedError,
    ROLLED_BACK: RolloutRolledBackError,
    STOPPED: RolloutStoppedError,
    SUPERSEDED: RolloutSupersededError,
}


@dataclass(frozen=True)
class Conclusion:
    """What the caller is told. One of both is there."""

    answer: Answer | None = None
    error: EcsUpdaterError | None = None
    is_final: bool = True
    """Whether nothing follows: otherwise the rollout, or the rollback, goes on."""
    verdict: str = ""


class Rolling:
    """Follows an update's deployment, and returns the service where that was asked for."""

    def __init__(self, ecs: Ecs, settings: Settings, clock: Clock):
        self._ecs, self._settings, self._clock = ecs, settings, clock

    def wait(self, record: Record, deadline: float) -> Conclusion:
        """Follows to the end, or to ``deadline``: the deployment, and the rollback after it. Raises nothing."""
        entry = record.entry
        if entry.rollback:
            return self._after_return(record, "", deadline)
        if entry.deployment_id is None or deadline <= self._clock.now():
            return _open(entry)
        return self._conclude(record, self._follow(record, entry.deployment_id, entry.previous_deployment_id, deadline), deadline)

    def look(self, record: Record, service: Mapping[str, Any] | None = None) -> Conclusion:
        """Looks once, and returns the service where that has to be. ``service``, where DescribeServices has told it already.

        Raises AwsFailure.
        """
        entry = record.entry
        if entry.rollback and entry.rollback.deployment_id:
            rollout = Rollout(entry.cluster_arn, entry.service_arn, entry.rollback.deployment_id, entry.deployment_id)
            followed = self._follower(rollout, record).look(service)
            return self._returned(record, "", followed) if followed else Conclusion(is_final=False)
        if entry.rollback:
            return self._after_return(record, "", self._clock.now())
        rollout = Rollout(entry.cluster_arn, entry.service_arn, entry.deployment_id or "", entry.previous_deployment_id)
        followed = self._follower(rollout, record).look(service)
        return self._conclude(record, followed, self._clock.now()) if followed else Conclusion(is_final=False)

    # The deployment.

    def _follow(self, record: Record, deployment_id: str, previous: str | None, deadline: float) -> Followed:
        rollout = Rollout(record.entry.cluster_arn, record.entry.service_arn, deployment_id, previous)
        return self._follower(rollout, record).follow(deadline)

    def _follower(self, rollout: Rollout, record: Record) -> Follower:
        def sleep(seconds: float) -> None:
            record.keep()
            self._clock.sleep(seconds)

        return Follower(self._ecs, rollout, self._settings.task_failures, replace(self._clock, sleep=sleep))

    def _conclude(self, record: Record, followed: Followed, deadline: float) -> Conclusion:
        entry, finding = record.entry, followed.finding
        images: dict[str, Any] = {}
        if finding.verdict == SUCCEEDED:
            running = self._running(entry, followed)
            finding = self._compared(record, finding, running)
            images = {
                name: {"image": image, "digests": list(running.get(name, ()))}
                for name, image in sorted(entry.after.images.items())
                if name in running
            }
        if finding.verdict in (FAILED, ROLLED_BACK) and entry.rollback_on_failure:
            return self._roll_back(record, finding, followed, deadline)
        deployment = result.followed_deployment(entry.deployment_id, finding, followed, images)
        if kind := _ERRORS.get(finding.verdict):
            reason = finding.reason
            if finding.verdict == FAILED:
                reason += "; the service was not rolled back, for the event did not ask for it (rollback_on_failure)"
            elif finding.verdict == ROLLED_BACK and entry.before.tags != entry.after.tags:
                reason += "; its tags are the new ones, for the event did not ask to put them back (rollback_on_failure)"
            error = kind(result.cause_with_events(reason, followed))
            return Conclusion(error=error.with_details(_details(entry, deployment)), verdict=finding.verdict)
        record.notes += [note for note in followed.notes if note not in record.notes]
        answer = result.with_verdict(entry.answer or {}, deployment)
        return Conclusion(answer, is_final=finding.verdict != TIMED_OUT, verdict=finding.verdict)

    def _running(self, entry: Entry, followed: Followed) -> Digests:
        """The digests that the deployment's tasks show, else those that ECS resolved for it; none where neither can be read."""
        try:
            tasks = self._ecs.running_tasks(entry.cluster_arn, entry.service_arn)
            if digests := digests_of_tasks(tasks, entry.deployment_id or ""):
                return digests
            if arn := followed.service_deployment_arn:
                records = self._ecs.service_deployments(entry.cluster_arn, entry.service_arn)
                revisions = [one.get("targetServiceRevisionArn") for one in records if one.get("serviceDeploymentArn") == arn]
                if revisions and revisions[0]:
                    return digests_of_revision(self._ecs.service_revision(revisions[0]) or {})
        except AwsFailure:
            pass  # The rollout has succeeded all the same.
        return {}

    @staticmethod
    def _compared(record: Record, finding: Finding, running: Digests) -> Finding:
        """The finding, unless the tasks run another image than the digest in the reference says."""
        for name, digests in others_than_asked(record.entry.digests, running).items():
            image = record.entry.after.images.get(name, "")
            what = f"container {name} runs {', '.join(digests)}, and {image} was {', '.join(record.entry.digests[name])}"
            if "@" in image:
                return Finding(FAILED, what)
            record.notes.append(f"{what} when it was looked at: the tag has moved since")
        return finding

    # The rollback.

    def _roll_back(self, record: Record, finding: Finding, followed: Followed, deadline: float) -> Conclusion:
        """Returns service and tags to what worked, or does the rest where ECS has returned the service."""
        entry, seen = record.entry, followed.seen
        cause = finding.reason
        primary = seen.primary if seen else None
        deployment = result.followed_deployment(entry.deployment_id, finding, followed, {})
        if finding.verdict == ROLLED_BACK and primary and primary.id != entry.deployment_id:
            record.rolling_back(cause, primary.task_definition, primary.id)
        elif entry.rollback_to is None:
            error = RolloutFailedError(f"{cause}; the service was not rolled back, for no revision of it is known to have worked")
            return Conclusion(error=error.with_details(_details(entry, deployment)), verdict=FAILED)
        else:
            record.rolling_back(cause, entry.rollback_to)
        return self._after_return(record, followed.service_deployment_arn or "", deadline)

    def _after_return(self, record: Record, service_deployment_arn: str, deadline: float) -> Conclusion:
        """Does what is left of a rollback: the deployment, the tags, the wait. All of it can be done twice."""
        entry = record.entry
        assert entry.rollback is not None
        target = entry.rollback.task_definition_arn
        try:
            service, _ = self._ecs.describe_service(entry.cluster_arn, entry.service_arn)
            primary = primary_deployment(service or {})
            if primary.get("id") != entry.deployment_id and primary.get("taskDefinition") != target:
                return self._overtaken(entry, primary)
            deployment_id = entry.rollback.deployment_id
            if deployment_id is None:
                record.before_write()
                back = Return(
                    entry.cluster_arn, entry.service_arn, entry.deployment_id, service_deployment_arn or None, target
                )
                deployment_id = return_service(self._ecs, back, self._clock).get("id")
            tags = self._put_tags_back(record)
            record.rolling_back(entry.cause or "", target, deployment_id)
        except (AwsFailure, LeaseHeldError, LedgerError) as failure:
            error = RolloutFailedError(f"{entry.cause}; and the service could not be returned to {_revision(target)}: {failure}")
            # It is tried again by whoever finds the entry, unless ECS will never do it.
            return Conclusion(error=error.with_details(_details(entry, {})), is_final=_is_for_good(failure), verdict=FAILED)
        if deployment_id is None or deadline <= self._clock.now():
            return self._returned(record, tags, None)
        return self._returned(record, tags, self._follow(record, deployment_id, entry.deployment_id, deadline))

    @staticmethod
    def _overtaken(entry: Entry, primary: Mapping[str, Any]) -> Conclusion:
        """What is told when somebody else's deployment came before the return: theirs is left alone."""
        theirs = f"deployment {primary.get('id')} to {_revision(primary.get('taskDefinition', ''))}"
        error = RolloutSupersededError(f"{entry.cause}; the service was not returned, for {theirs} took its place")
        return Conclusion(error=error.with_details(_details(entry, {})), verdict=SUPERSEDED)

    def _put_tags_back(self, record: Record) -> str:
        """What became of the tags, for the message."""
        entry = record.entry
        changes = TagChanges(entry.before.tags, entry.after.tags)
        if not changes:
            return ""
        record.before_write()
        state, details = tagging.put_back(self._ecs, entry.service_arn, changes)
        if state == tagging.AS_IT_WAS:
            return ", its tags are what they were"
        record.notes.append(state)
        return f", but its tags could not be put back; they were {details.get('tags_before')}"

    def _returned(self, record: Record, tags: str, followed: Followed | None) -> Conclusion:
        """What is told of a rollback: what failed, and how the return went."""
        entry = record.entry
        assert entry.rollback is not None
        revision, deployment_id = _revision(entry.rollback.task_definition_arn), entry.rollback.deployment_id
        finding = followed.finding if followed else None
        details = _details(entry, {"id": deployment_id, "verdict": finding.verdict if finding else result.IN_PROGRESS})
        if finding is None or finding.verdict == TIMED_OUT:
            said = f"the service is on its way back to {revision} (deployment {deployment_id}){tags}"
            error: EcsUpdaterError = RolloutRolledBackError(f"{entry.cause}; {said}")
            return Conclusion(error=error.with_details(details), is_final=False, verdict=ROLLED_BACK)
        if finding.verdict == SUCCEEDED:
            error = RolloutRolledBackError(f"{entry.cause}; the service is back: {finding.reason}{tags}")
            return Conclusion(error=error.with_details(details), verdict=ROLLED_BACK)
        error = RolloutFailedError(f"{entry.cause}; and the return to {revision} came to {finding.verdict}: {finding.reason}{tags}")
        return Conclusion(error=error.with_details(details), verdict=FAILED)


def running_deployment(service: Mapping[str, Any], entry: Entry) -> str | None:
    """The deployment of an entry that does not say which one it made, if the service, as DescribeServices tells it, has it."""
    if entry.deployment_id or not entry.deploys:
        return entry.deployment_id
    wanted = entry.after.task_definition_arn
    if wanted is None:
        return None  # Nothing was registered, or nobody was told.
    # Of a revision of its own any deployment is its own; one of the old revision only when it is the last.
    is_own = wanted != entry.before.task_definition_arn
    primary = primary_deployment(service)
    candidates = [primary, *(service.get("deployments", []) if is_own else [])]
    theirs = (one for one in candidates if one.get("taskDefinition") == wanted and one.get("id") != entry.previous_deployment_id)
    return next((one["id"] for one in theirs), None)


def _open(entry: Entry) -> Conclusion:
    is_over = not entry.deploys
    return Conclusion(entry.answer, is_final=is_over, verdict=(entry.answer or {})["body"]["deployment"]["verdict"])


def _details(entry: Entry, deployment: Mapping[str, Any]) -> dict[str, object]:
    return {"service_arn": entry.service_arn, "deployment": dict(deployment)}


def _is_for_good(failure: Exception) -> bool:
    return isinstance(failure, AwsFailure) and failure.outcome.name == "REFUSED"


def _revision(task_definition_arn: str) -> str:
    return task_definition_arn.rpartition("/")[2]

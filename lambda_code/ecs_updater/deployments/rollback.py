"""Rolls back a service whose rollout failed: the revision, the tags, the wait.

Every step can be repeated.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..aws.ecs import Ecs
from ..context import Clock
from ..errors import AwsFailure, CallerFault, EcsUpdaterError, LeaseHeldError, LedgerError, Outcome
from ..ledger.entry import Entry, seconds
from ..model.arn import revision_name
from ..model.plan import registration
from ..model.service import is_express, own_tags, primary_deployment
from ..model.service_settings import COUNT, SettingsChange, configuration_with
from ..model.tags import TagChanges, taken_back
from ..model.verdict import Verdict
from ..rollout.judgement import Judgement, PollResult, Scale
from ..rollout.poller import Poller, Rollout
from ..settings import Settings
from . import tag_writer
from .ecs_rollback import is_rollback_of_ecs, request_ecs_rollback, wait_for_rollback
from .express import deploy_express
from .journal import Journal
from .response import RolloutOutcome, failed, polled_deployment
from .rollback_target import TargetSearch
from .writer import register_once


class RollbackRunner:
    """Starts and continues the rollbacks of one invocation."""

    def __init__(self, ecs: Ecs, settings: Settings, clock: Clock):
        self._ecs, self._settings, self._clock = ecs, settings, clock

    def roll_back(
        self, journal: Journal, judgement: Judgement, result: PollResult, deadline: float
    ) -> RolloutOutcome:
        """Rolls back service and tags, or only what ECS's rollback has left to do."""
        entry, cause = journal.entry, judgement.reason
        back, target = result.state.rollback if result.state else None, entry.rollback_to
        if judgement.verdict == Verdict.ROLLED_BACK and back:
            target = back.task_definition
        elif entry.only_changes_settings:
            target = entry.after.task_definition_arn
        runs_target = not entry.deploys and target == entry.after.task_definition_arn
        if target is None or (runs_target and not entry.settings):
            why = "no revision of it is known to have worked"
            if target is not None:
                why = "it runs the last revision that worked"
            return failed(
                Verdict.FAILED,
                f"{cause}; the service was not rolled back, for {why}",
                entry,
                polled_deployment(entry.deployment_id, judgement, result),
            )
        journal.rolling_back(cause, target)
        return self.proceed(journal, deadline)

    def proceed(self, journal: Journal, deadline: float) -> RolloutOutcome:
        """Does the rest of a rollback: the deployment, the tags, the wait."""
        entry = journal.entry
        service_deployment_arn = entry.service_deployment_arn
        assert entry.rollback is not None
        target = entry.rollback.task_definition_arn
        try:
            service, _ = self._ecs.describe_service(entry.cluster_arn, entry.service_arn)
            if service is None or service["status"] != "ACTIVE":
                sentence = f"{entry.cause}; the service was deleted before it was rolled back"
                return failed(Verdict.STOPPED, sentence, entry)
            started: Mapping[str, Any] = service
            primary = primary_deployment(service)
            is_due = entry.rollback.deployment_id is None and not entry.only_changes_settings
            if is_due and primary.get("id") == entry.deployment_id:
                service_deployment_arn = service.get("currentServiceDeployment")
                started = self._start(journal, service, target, deadline)
                primary = primary_deployment(started)
            planned, arn = journal.entry.rollback, primary.get("taskDefinition", "")
            if primary and planned and arn != planned.task_definition_arn:
                if not is_rollback_of_ecs(started, service_deployment_arn):
                    sentence = (
                        f"{entry.cause}; the service was not rolled back: deployment "
                        f"{primary.get('id')} to {revision_name(arn)} took its place"
                    )
                    return failed(Verdict.SUPERSEDED, sentence, entry)
                journal.redirected(arn, None)
        except (AwsFailure, LeaseHeldError, LedgerError) as failure:
            sentence = (
                f"{entry.cause}; and the service could not be rolled back to "
                f"{revision_name(target)}{_again(journal, failure)}: {_without_stage(failure)}"
            )
            return failed(Verdict.FAILED, sentence, entry, is_final=_is_permanent(failure))
        return self._restore_and_wait(journal, service, primary.get("id"), deadline)

    def _start(
        self, journal: Journal, service: Mapping[str, Any], target: str, deadline: float
    ) -> Mapping[str, Any]:
        """Starts the rollback, also to another target if ECS refuses the revision.

        Returns the service with the rollback, or with another update's deployment. Empty: the
        rollback has no deployment yet. Raises AwsFailure, LeaseHeldError or LedgerError.
        """
        entry = journal.entry
        try:
            if arn := service.get("currentServiceDeployment"):
                journal.before_write()
                if request_ecs_rollback(self._ecs, arn):
                    # ECS may return to another revision: never a second deployment against it.
                    names = entry.cluster_arn, entry.service_arn, entry.deployment_id
                    return wait_for_rollback(self._ecs, self._clock, *names, deadline)
            return self._deploy(journal, service, target)
        except AwsFailure as failure:
            if failure.outcome is not Outcome.REFUSED or not (
                arn := self._find_other_target(journal, target)
            ):
                raise
        return self._deploy(journal, service, arn)

    def _deploy(
        self, journal: Journal, before: Mapping[str, Any], target: str
    ) -> Mapping[str, Any]:
        """Returns the service in the answer of UpdateService, which can be repeated.

        ECS makes no second deployment of a revision that is being deployed.
        """
        cluster, service = journal.entry.cluster_arn, journal.entry.service_arn
        journal.before_write()
        if is_express(before):
            return deploy_express(self._ecs, before, target, journal, self._clock)
        try:
            answer = self._ecs.update_service(cluster, service, task_definition=target)
        except AwsFailure as failure:
            if failure.outcome is not Outcome.UNKNOWN:
                raise
            journal.before_write()
            answer = self._ecs.update_service(cluster, service, task_definition=target)
        return answer

    def _find_other_target(self, journal: Journal, refused: str) -> str | None:
        """Returns the ARN of another target, or of a new revision with the same content.

        None: ECS did not refuse because of the revision.
        """
        entry = journal.entry
        search = TargetSearch(
            self._ecs,
            self._settings,
            journal.history,
            entry.cluster_arn,
            entry.service_arn,
            leaves=entry.after.task_definition_arn or "",
            completed=refused,
        )
        target = search.first()
        journal.notes += search.notes
        if target is None or (target.is_active and target.arn == refused):
            return None
        arn = target.arn
        if not target.is_active:
            journal.before_write()
            tags, fields = target.task_definition_tags, self._ecs.fields
            revision, _ = registration(target.task_definition, tags, fields, self._settings)
            # An interrupted attempt may have registered it already.
            arn = register_once(self._ecs, revision, reads_first=True)["taskDefinitionArn"]
        journal.redirected(arn, target.tags)
        return arn

    def _restore_and_wait(
        self,
        journal: Journal,
        service: Mapping[str, Any],
        deployment_id: str | None,
        deadline: float,
    ) -> RolloutOutcome:
        entry = journal.entry
        assert entry.rollback is not None
        settings, has_settings = self._restore_settings(journal, service)
        tags, has_tags = self._restore_tags(journal, service)
        is_done = has_settings and has_tags
        # A later process restores the rest as long as the entry has no deployment of the rollback.
        journal.rolling_back(
            entry.cause or "",
            entry.rollback.task_definition_arn,
            deployment_id if is_done else None,
        )
        result = None
        if deployment_id and deadline > self._clock.now():
            poller = Poller(
                self._ecs,
                rollback_rollout(entry, deployment_id),
                self._settings.task_failures,
                self._clock,
                journal.keep_lease,
            )
            result = poller.wait(deadline)
        outcome = outcome_of(journal.entry, deployment_id, f"{settings}{tags}", result)
        return outcome if is_done else replace(outcome, is_final=False)

    def _restore_tags(self, journal: Journal, service: Mapping[str, Any]) -> tuple[str, bool]:
        """Returns the state of the tags, for the message, and whether nothing is left to do."""
        entry = journal.entry
        changes = taken_back(own_tags(service), _tags_to_restore(entry))
        try:
            if changes:
                if any(
                    later.number > entry.number and later.has_replaced_tags
                    for later in journal.history.latest(entry.service)
                ):
                    journal.entry = replace(entry, rollback_tags=entry.after.tags)
                    return ", its tags are those of a later update", True
                journal.before_write()
                tag_writer.write(self._ecs, entry.service_arn, changes)
        except EcsUpdaterError as failure:
            is_permanent = isinstance(failure, CallerFault)
            again = "" if is_permanent else _again(journal, failure)
            reason = _without_stage(failure)
            return f", but its tags could not be put back{again}: {reason}", is_permanent
        return tags_afterwards(entry), True

    def _restore_settings(self, journal: Journal, service: Mapping[str, Any]) -> tuple[str, bool]:
        """Returns the state of the service's settings, and whether nothing is left to do."""
        entry = journal.entry
        try:
            for is_last in (False, True):
                restored = entry.settings.taken_back(service)
                if not restored:
                    break
                journal.before_write()
                try:
                    self._write_settings(entry, service, restored)
                    break
                except AwsFailure as failure:
                    if failure.outcome is not Outcome.UNKNOWN or is_last:
                        raise
                found, _ = self._ecs.describe_service(entry.cluster_arn, entry.service_arn)
                service = found or {}
        except (AwsFailure, LeaseHeldError, LedgerError) as failure:
            again, reason = _again(journal, failure), _without_stage(failure)
            is_permanent = _is_permanent(failure)
            return f", but its settings could not be restored{again}: {reason}", is_permanent
        return settings_afterwards(entry), True

    def _write_settings(
        self, entry: Entry, service: Mapping[str, Any], change: SettingsChange
    ) -> None:
        self._ecs.update_service(
            entry.cluster_arn,
            entry.service_arn,
            desired_count=change.after.get(COUNT),
            deployment_configuration=configuration_with(
                service.get("deploymentConfiguration") or {}, change.after
            ),
        )


def outcome_of(
    entry: Entry,
    deployment_id: str | None,
    tags: str,
    result: PollResult | None,
    *,
    is_over: bool = False,
) -> RolloutOutcome:
    """Returns the outcome of a rollback. `is_over`: it is not waited for any more."""
    assert entry.rollback is not None
    back = f"to {revision_name(entry.rollback.task_definition_arn)}"
    if entry.only_changes_settings:
        back = "to its earlier settings"
    judgement = result.judgement if result else None
    verdict = judgement.verdict if judgement else Verdict.IN_PROGRESS
    deployment = {"id": deployment_id, "verdict": verdict}
    is_final = judgement is not None and (verdict != Verdict.TIMED_OUT or is_over)
    if judgement is None or not is_final:
        by = f" (deployment {deployment_id})" if deployment_id else ""
        progress = f"; the service is being rolled back {back}{by}"
    elif verdict == Verdict.SUCCEEDED:
        progress = f"; the service is back: {judgement.reason}"
    else:
        progress = f"; and the rollback {back} ended with {verdict}: {judgement.reason}"
    outcome = Verdict.ROLLED_BACK if verdict == Verdict.SUCCEEDED else Verdict.FAILED
    if verdict == Verdict.ROLLBACK_FAILED:
        outcome = verdict
    return failed(outcome, f"{entry.cause}{progress}{tags}", entry, deployment, is_final=is_final)


def afterwards(entry: Entry) -> str:
    """Returns the state of the service's settings and tags after a rollback, for the message."""
    return f"{settings_afterwards(entry)}{tags_afterwards(entry)}"


def settings_afterwards(entry: Entry) -> str:
    """Returns the state of the service's settings after a rollback, for the message."""
    names = ", ".join(entry.settings.changed)
    return f", its settings ({names}) are what they were unless changed since" if names else ""


def tags_afterwards(entry: Entry) -> str:
    """Returns the state of the service's tags after a rollback, for the message."""
    if entry.rollback_tags is None and not (entry.deploys or entry.settings):
        return ", its tags were left as they are: no earlier success is known that had others"
    return ", its tags are what they were" if _tags_to_restore(entry) else ""


def _tags_to_restore(entry: Entry) -> TagChanges:
    """Returns the changes from the restored tags to those of the update.

    They are empty if the update joined a failed deployment whose earlier tags are unknown.
    """
    if entry.rollback_tags is not None:
        return TagChanges(entry.rollback_tags, entry.after.tags)
    is_own = entry.deploys or entry.settings
    return TagChanges(entry.before.tags, entry.after.tags) if is_own else TagChanges()


def rollback_rollout(entry: Entry, deployment_id: str) -> Rollout:
    """Returns the rollout of a rollback's deployment."""
    return Rollout(
        entry.cluster_arn,
        entry.service_arn,
        deployment_id,
        entry.deployment_id,
        made_at=seconds(entry.updated_at),
        may_be_rollback=True,
        scale=Scale() if entry.settings else None,
    )


def _without_stage(failure: Exception) -> str:
    return re.sub(r"^\[ERROR\]\[\w+\] ", "", str(failure))


def _again(journal: Journal, failure: Exception) -> str:
    """Returns a note if the reconciler repeats the failed step."""
    return "" if _is_permanent(failure) or not journal.history.is_kept else ", which is tried again"


def _is_permanent(failure: Exception) -> bool:
    return isinstance(failure, AwsFailure) and failure.outcome is Outcome.REFUSED

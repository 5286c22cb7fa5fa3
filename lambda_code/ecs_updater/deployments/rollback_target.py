"""Finds the revision for a rollback: the latest that is known to have worked and still exists.

A lower revision number proves nothing: that revision may never have worked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..aws.ecs import Ecs
from ..errors import LASTING, AwsFailure, Outcome
from ..ledger.entry import Entry, Success
from ..ledger.store import History
from ..model.arn import family, revision_name, service_key
from ..model.plan import registration
from ..model.verdict import Verdict
from ..settings import Settings
from .existing_revision import is_registered_as

_ENTRIES_READ = (20, 200)
"""Entries of the ledger to read, and how many if these show no earlier revision."""

_PAGES_READ = 5
"""Maximum pages of 100 successful service deployments. ECS keeps those of 90 days."""

_ACTIVE, _DELETE_IN_PROGRESS = "ACTIVE", "DELETE_IN_PROGRESS"

Tags = Mapping[str, str] | None
"""The service's tags with a revision. None: unknown."""


@dataclass(frozen=True)
class RollbackTarget:
    """A revision to which a service can be rolled back."""

    task_definition: Mapping[str, Any]
    """The revision as raw wire JSON."""
    task_definition_tags: Sequence[Mapping[str, str]]
    tags: Tags

    @property
    def arn(self) -> str:
        """ARN of the revision."""
        arn: str = self.task_definition["taskDefinitionArn"]
        return arn

    @property
    def is_active(self) -> bool:
        """Whether UpdateService accepts it. The content of others must be registered again."""
        status: str = self.task_definition.get("status", _ACTIVE)
        return status == _ACTIVE


class TargetSearch:
    """One search for the rollback target of one service."""

    def __init__(
        self,
        ecs: Ecs,
        settings: Settings,
        history: History,
        cluster_arn: str,
        service_arn: str,
        *,
        leaves: str,
        completed: str | None,
    ):
        """`leaves`: the service's revision. `completed`: its latest completed one.

        The search uses `family` and `unknown_fields` of `settings`.
        """
        self._ecs, self._settings, self._history = ecs, settings, history
        self._cluster_arn, self._service_arn = cluster_arn, service_arn
        self._leaves, self._completed = leaves, completed
        self._past: Sequence[Entry] = ()
        self._passed_over: dict[str, str] = {}

    @property
    def notes(self) -> list[str]:
        """The revisions that were passed over, and the failed reads."""
        return list(self._passed_over.values())

    def first(self) -> RollbackTarget | None:
        """Returns the target. None: no earlier revision is known to have worked.

        Raises AwsFailure or LedgerError.
        """
        being_deleted: RollbackTarget | None = None
        wanted = self._settings.family
        for arn, tags in self._candidates():
            if arn in self._passed_over:
                continue
            if wanted not in (None, family(arn)):
                self._pass_over(
                    arn, f"it is not of the family {wanted}, which the function's TASK_DEF says"
                )
                continue
            try:
                target = RollbackTarget(*self._ecs.describe_task_definition(arn), tags)
            except AwsFailure as failure:
                if failure.outcome is not Outcome.REFUSED:
                    raise
                reason = failure.reason.rstrip(".")
                self._pass_over(arn, f"ECS does not have it any more ({reason})")
                continue
            if target.task_definition.get("status") == _DELETE_IN_PROGRESS:
                being_deleted = being_deleted or target
                self._pass_over(arn, f"it is {_DELETE_IN_PROGRESS}")
            elif target.is_active or not self._was_left_as_a_copy(target):
                return target
        if being_deleted:
            del self._passed_over[being_deleted.arn]
        return being_deleted

    def _candidates(self) -> Iterator[tuple[str, Tags]]:
        """Yields ARN and tags of revisions that worked, the latest first.

        The sources are the service's deployments, the ledger, and ECS's service deployments.
        """
        key = service_key(self._service_arn, self._cluster_arn)
        for most in _ENTRIES_READ:
            self._past = self._history.latest(key, most)
            for arn in known_good(self._leaves, self._completed, self._past):
                yield arn, tags_with(arn, self._past)
            if len(self._past) < most:
                break
        left = left_revisions(self._leaves, self._past)
        success = self._history.last_success(key)
        if success and success.task_definition_arn not in left:
            yield success.task_definition_arn, success.tags
        try:
            for arn in self._ecs.deployed_task_definitions(
                self._cluster_arn, self._service_arn, _PAGES_READ
            ):
                if arn not in left:
                    yield arn, tags_with(arn, self._past)
        except AwsFailure as failure:
            if failure.outcome not in LASTING:
                raise
            # Not every partition and emulator has service deployments.
            self._passed_over[failure.operation] = (
                f"ECS's records of the service's deployments could not be read: {failure}"
            )

    def _was_left_as_a_copy(self, target: RollbackTarget) -> bool:
        """Returns whether an earlier rollback left a registered copy of the target."""
        content, _ = registration(
            target.task_definition,
            target.task_definition_tags,
            self._ecs.fields,
            self._settings,
        )
        for arn in sorted(left_revisions(self._leaves, self._past)):
            try:
                copy, tags = self._ecs.describe_task_definition(arn)
            except AwsFailure as failure:
                if failure.outcome is not Outcome.REFUSED:
                    raise
                continue
            if is_registered_as(content, copy, tags, self._ecs.fields):
                name = revision_name(arn)
                self._pass_over(target.arn, f"{name}, which has the same content, is left as well")
                return True
        return False

    def _pass_over(self, arn: str, reason: str) -> None:
        self._passed_over[arn] = f"{revision_name(arn)} is passed over: {reason}"


def known_good(running: str, completed: str | None, past: Sequence[Entry]) -> Iterator[str]:
    """Yields the ARNs of the revisions that worked before `running`, the latest first.

    `completed`: the revision of the latest completed deployment. `past`: the service's updates, the
    latest first.
    """
    arns = [completed]
    for entry in past:
        # The outcome of an update, and the completed revision before it.
        if success := Success.of(entry):
            arns.append(success.task_definition_arn)
        arns.append(entry.rollback_to)
    left = left_revisions(running, past)
    yield from (arn for arn in dict.fromkeys(arns) if arn and arn not in left)


def tags_with(task_definition_arn: str, past: Sequence[Entry]) -> Tags:
    """Returns the service's tags when it last ran a revision, as far as its past shows them."""
    sides = (
        side
        for entry in past
        # An update without a deployment shows nothing after it.
        for side in ((entry.before,) if entry.has_changed_nothing else (entry.after, entry.before))
    )
    return next((s.tags for s in sides if s.task_definition_arn == task_definition_arn), None)


def left_revisions(running: str, past: Sequence[Entry]) -> frozenset[str]:
    """Returns the running revision and those from which the service was rolled back already."""
    left = (
        entry.before.task_definition_arn
        for entry in past
        if entry.action == "rollback"
        and entry.verdict in (None, Verdict.SUCCEEDED)
        # Else only a forced deployment of the revision was rolled back.
        and entry.before.task_definition_arn != entry.after.task_definition_arn
    )
    return frozenset({running, *filter(None, left)})

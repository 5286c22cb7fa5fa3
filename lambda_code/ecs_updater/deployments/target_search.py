"""Finds the revision that a service is returned to: the last one that is known to have worked and
that ECS still has.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..aws.ecs import Ecs
from ..aws.errors import AwsFailure, Outcome
from ..ledger.store import History
from ..model.arn import service_key
from ..model.plan import registration
from ..rollout.rollback_target import Past, Target, known_good, left_behind, with_tags
from ..settings import Settings
from .writer import is_registered_as

_UPDATES_READ = (20, 200)
"""How many entries of the ledger are read, and how many where these show no earlier revision."""

_PAGES_READ = 5
"""The most pages of 100 successful service deployments that are read: ECS keeps those of 90
days.
"""

_ACTIVE, _DELETE_IN_PROGRESS = "ACTIVE", "DELETE_IN_PROGRESS"

_LASTING = (Outcome.REFUSED, Outcome.NOT_PERMITTED)


@dataclass(frozen=True)
class RollbackTarget:
    """A revision that a service can be returned to."""

    task_definition: Mapping[str, Any]
    """As it came over the wire."""
    task_definition_tags: Sequence[Mapping[str, str]]
    tags: Mapping[str, str] | None
    """The tags that the service had with it; None where that is unknown."""

    @property
    def arn(self) -> str:
        """Its ARN."""
        arn: str = self.task_definition["taskDefinitionArn"]
        return arn

    @property
    def is_active(self) -> bool:
        """Whether UpdateService takes it.

        ECS refuses every other one, so its content has to be registered again.
        """
        status: str = self.task_definition.get("status", _ACTIVE)
        return status == _ACTIVE


class TargetSearch:
    """One search for the revision that one service is returned to."""

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
        """``leaves`` is the revision that the service is at, ``completed`` the one that ECS shows
        as complete.

        Of ``settings`` count ``family`` and ``unknown_fields``.
        """
        self._ecs, self._settings, self._history = ecs, settings, history
        self._cluster_arn, self._service_arn = cluster_arn, service_arn
        self._leaves, self._completed = leaves, completed
        self._past: Sequence[Past] = ()
        self._passed_over: dict[str, str] = {}

    @property
    def notes(self) -> list[str]:
        """Which revisions were passed over, and which records could not be read."""
        return list(self._passed_over.values())

    def first(self) -> RollbackTarget | None:
        """The target; None where no earlier revision is known to have worked.

        Raises AwsFailure or LedgerError.
        """
        being_deleted: RollbackTarget | None = None
        for candidate in self._candidates():
            arn = candidate.task_definition_arn
            if arn in self._passed_over or self._is_of_another_family(arn):
                continue
            try:
                found = RollbackTarget(*self._ecs.describe_task_definition(arn), candidate.tags)
            except AwsFailure as failure:
                if failure.outcome is not Outcome.REFUSED:
                    raise
                self._pass_over(
                    arn, f"ECS does not have it any more ({failure.reason.rstrip('.')})"
                )
                continue
            if found.task_definition.get("status") == _DELETE_IN_PROGRESS:
                being_deleted = being_deleted or found
                self._pass_over(arn, f"it is {_DELETE_IN_PROGRESS}")
            elif found.is_active or not self._was_left_as_a_copy(found):
                return found
        if being_deleted:
            del self._passed_over[being_deleted.arn]
        return being_deleted

    def _candidates(self) -> Iterator[Target]:
        """Revisions that worked, the last one first: by the service's deployments, by the ledger,
        by ECS's own records.
        """
        key = service_key(self._service_arn, self._cluster_arn)
        for most in _UPDATES_READ:
            self._past = self._history.latest(key, most)
            yield from known_good(self._leaves, self._completed, self._past)
            if len(self._past) < most:
                break
        left = left_behind(self._leaves, self._past)
        success = self._history.last_success(key)
        if success and success.task_definition_arn not in left:
            yield Target(success.task_definition_arn, success.tags)
        try:
            for arn in self._ecs.deployed_task_definitions(
                self._cluster_arn, self._service_arn, _PAGES_READ
            ):
                if arn not in left:
                    yield with_tags(arn, self._past)
        except AwsFailure as failure:
            if failure.outcome not in _LASTING:
                raise
            # No partition and no emulator has to have them.
            self._passed_over[failure.operation] = (
                f"ECS's records of the service's deployments could not be read: {failure}"
            )

    def _is_of_another_family(self, arn: str) -> bool:
        family = self._settings.family
        is_another = family not in (None, arn.rpartition("/")[2].rpartition(":")[0])
        if is_another:
            self._pass_over(
                arn, f"it is not of the family {family}, which the function's TASK_DEF says"
            )
        return is_another

    def _was_left_as_a_copy(self, found: RollbackTarget) -> bool:
        """Whether its content was registered again before, and that revision is one to leave."""
        content, _ = registration(
            found.task_definition, found.task_definition_tags, {}, self._ecs.fields, self._settings
        )
        for arn in sorted(left_behind(self._leaves, self._past)):
            try:
                described = self._ecs.describe_task_definition(arn)
            except AwsFailure as failure:
                if failure.outcome is not Outcome.REFUSED:
                    raise
                continue
            if is_registered_as(content, *described, self._ecs.fields):
                self._pass_over(
                    found.arn, f"{_name(arn)}, which has the same content, is left as well"
                )
                return True
        return False

    def _pass_over(self, arn: str, reason: str) -> None:
        self._passed_over[arn] = f"{_name(arn)} is passed over: {reason}"


def _name(task_definition_arn: str) -> str:
    return task_definition_arn.rpartition("/")[2]

"""Which revisions a service can be returned to: those that worked, never the next lower number.

Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..model.verdict import Verdict


class Past(Protocol):
    """One update of the service's past, as the ledger tells it."""

    @property
    def action(self) -> str:
        """``update`` or ``rollback``."""

    @property
    def verdict(self) -> str | None:
        """How it ended, if it has."""

    @property
    def rollback_to(self) -> str | None:
        """The revision that was seen to work when it began."""

    @property
    def before(self) -> "Side":
        """The service before it."""

    @property
    def after(self) -> "Side":
        """The service after it."""


class Side(Protocol):
    """The service at one end of an update."""

    @property
    def task_definition_arn(self) -> str | None:
        """The revision."""

    @property
    def tags(self) -> Mapping[str, str]:
        """Without the reserved ones."""


_NEVER_DEPLOYED = (Verdict.NOT_DEPLOYED, Verdict.INTERRUPTED)


@dataclass(frozen=True)
class Target:
    """Where to return to."""

    task_definition_arn: str
    tags: Mapping[str, str] | None = None
    """The tags that the service had then; None where nobody knows."""


def known_good(running: str, completed: str | None, past: Sequence[Past]) -> Iterator[Target]:
    """The revisions that worked before ``running``, the one that the service is at or on its way
    to, the last one first.

    ``completed`` is the revision of the newest deployment that ECS shows as complete; ``past`` the
    service's updates, the latest first.
    """
    left = left_behind(running, past)
    # What an update came to, and what ECS showed as complete before it.
    seen = [
        arn
        for update in past
        for arn in (
            update.after.task_definition_arn if update.verdict == Verdict.SUCCEEDED else None,
            update.rollback_to,
        )
    ]
    return (
        with_tags(arn, past) for arn in dict.fromkeys((completed, *seen)) if arn and arn not in left
    )


def with_tags(task_definition_arn: str, past: Sequence[Past]) -> Target:
    """A revision with the tags that the service had when it ran it last, as far as its past
    says.
    """
    # What never came to be deployed says nothing of afterwards.
    sides = (
        side
        for one in past
        for side in ((one.before,) if one.verdict in _NEVER_DEPLOYED else (one.after, one.before))
    )
    return Target(
        task_definition_arn,
        next((s.tags for s in sides if s.task_definition_arn == task_definition_arn), None),
    )


def left_behind(running: str, past: Sequence[Past]) -> frozenset[str]:
    """Revisions that are not returned to: the one that runs, and those from which somebody has
    returned already.
    """
    returns = (
        update
        for update in past
        if update.action == "rollback" and update.verdict in (None, Verdict.SUCCEEDED)
    )
    return frozenset(
        {running} | {arn for update in returns if (arn := update.before.task_definition_arn)}
    )

"""Policies of services for pushed tags: `semver:1.4.x`, `prefix:release-`, `digest:main`. Pure.

The policy is the value of the service's tag `ecs-updater:policy`, in the characters that ECS allows
in tags. A range is one of npm without the operators that ECS does not allow:
https://github.com/npm/node-semver#ranges
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache

from semantic_version import NpmSpec, Version

from ..model.push import Push
from ..model.tags import TOOL_PREFIX, wrong_character

POLICY, CONTAINER = f"{TOOL_PREFIX}policy", f"{TOOL_PREFIX}container"
"""Tags of a service: its policy, and the container that gets the image."""

_TAG = re.compile(r"[A-Za-z0-9_.-]+")
"""Characters of an image's tag."""

_FORMS = "write semver:RANGE, prefix:TEXT or digest:TAG"


class Kind(StrEnum):
    """Which tags a policy takes, and which of two pushes is newer."""

    SEMVER = "semver"
    """Versions in a range. The higher version is newer."""
    PREFIX = "prefix"
    """Tags with this beginning. The later push is newer."""
    DIGEST = "digest"
    """One tag that moves. The later push is newer."""


class Decision(StrEnum):
    """Whether a push is deployed, and why not."""

    DEPLOY = "deploy"
    RUNS = "this digest runs already"
    REPEATED = "this digest was the last one that was deployed"
    """It runs, or its update is open, has failed or was rolled back."""
    OLDER_THAN_RUNNING = "a newer version runs"
    OLDER_THAN_LAST = "a newer one was pushed before"


@dataclass(frozen=True)
class Policy:
    """A parsed policy. `str()` returns its text."""

    text: str
    kind: Kind
    value: str
    """A range, the beginning of tags, or a tag."""

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, text: str) -> "Policy":
        """Parses a tag's value. Raises ValueError, whose text says what to write."""
        if wrong := wrong_character(text):
            raise ValueError(f"ECS does not allow {wrong!r} in a tag: {_FORMS}")
        name, colon, value = text.partition(":")
        if not colon or name not in set(Kind):
            raise ValueError(_FORMS)
        policy = cls(text, Kind(name), value.strip(" "))
        if policy.kind is not Kind.SEMVER:
            if not _TAG.fullmatch(policy.value):
                raise ValueError(f"{policy.value!r} is not part of an image's tag: {_FORMS}")
        elif policy.range is None:
            raise ValueError(
                f"{policy.value!r} is not a range of versions: write for example 1.4.x, 2.x or "
                "1.2.0 - 1.9.9"
            )
        return policy

    @cached_property
    def range(self) -> NpmSpec | None:
        """Returns the range of versions, or None."""
        # An empty range would take every version. A build is not part of a tag.
        if self.kind is not Kind.SEMVER or not re.fullmatch(r"[0-9A-Za-z.= -]+", self.value):
            return None
        try:
            return NpmSpec(self.value)
        except ValueError:
            return None

    def takes(self, tag: str) -> bool:
        """Returns whether the policy takes a tag.

        A pre-release is taken only if the range names one of the same version.
        """
        if self.kind is Kind.PREFIX:
            return tag.startswith(self.value)
        if self.kind is Kind.DIGEST:
            return tag == self.value
        version, wanted = version_of(tag), self.range
        return bool(version and wanted and wanted.match(version))

    def newest(self, pushes: Iterable[Push]) -> Push | None:
        """Returns the newest of the pushes that the policy takes. None: there is none."""
        taken = [push for push in pushes if self.takes(push.tag)]
        if self.kind is Kind.SEMVER:
            return max(taken, key=lambda push: (version_of(push.tag), push.pushed_at), default=None)
        return max(taken, key=lambda push: push.pushed_at, default=None)


@dataclass(frozen=True)
class Running:
    """What the container of a service runs."""

    tag: str | None
    digest: str | None
    """None: unknown."""


@dataclass(frozen=True)
class LastPush:
    """The push that was accepted last for a service."""

    push: Push
    is_queued: bool = False
    """Whether its update has not ended yet."""
    is_known: bool = True
    """Whether the ledger has its update. Otherwise its message is in the queue, or was lost."""


def decide(policy: Policy, running: Running, push: Push, last: LastPush | None) -> Decision:
    """Returns whether to deploy a push that the policy takes."""
    if push.digest == running.digest:
        return Decision.RUNS
    if last is None or last.push.place != push.place:
        return _compare_with(policy, running.tag, push, Decision.OLDER_THAN_RUNNING)
    if push == last.push and not last.is_known:
        return Decision.DEPLOY  # The ledger recognises the second message.
    if push.digest == last.push.digest:
        return Decision.REPEATED
    # A lower version can be pushed later, but a tag's later push is the newer one.
    is_ordered_by_time = policy.kind is not Kind.SEMVER or push.tag == last.push.tag
    if is_ordered_by_time and push.pushed_at < last.push.pushed_at:
        return Decision.OLDER_THAN_LAST
    decision = _compare_with(policy, running.tag, push, Decision.OLDER_THAN_RUNNING)
    if decision is Decision.DEPLOY and last.is_queued:
        return _compare_with(policy, last.push.tag, push, Decision.OLDER_THAN_LAST)
    return decision


def _compare_with(policy: Policy, tag: str | None, push: Push, older: Decision) -> Decision:
    """Returns `older` if the policy is about versions and the push has a lower one than `tag`."""
    version, other = version_of(push.tag), version_of(tag)
    is_older = policy.kind is Kind.SEMVER and version and other and version < other
    return older if is_older else Decision.DEPLOY


@lru_cache(1000)
def version_of(tag: str | None) -> Version | None:
    """Returns the version that a tag names, such as `1.4.2` or `v1.4.2`. None: it names none."""
    try:
        return Version((tag or "").removeprefix("v"))
    except ValueError:
        return None

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


def decide(
    policy: Policy, running: Running, push: Push, last: Push | None, *, is_queued: bool
) -> Decision:
    """Returns whether to deploy a push that the policy takes.

    `last`: the push to this repository that was sent to the queue last, and whether its update
    `is_queued`, that is, has not ended yet.
    """
    if push.digest == running.digest:
        return Decision.RUNS
    if last and push.digest == last.digest:
        return Decision.REPEATED
    # A lower version can be pushed later, but a tag's later push is the newer one.
    is_ordered_by_time = policy.kind is not Kind.SEMVER or (last and push.tag == last.tag)
    if last and is_ordered_by_time and push.pushed_at < last.pushed_at:
        return Decision.OLDER_THAN_LAST
    if policy.kind is Kind.SEMVER:
        version, runs = version_of(push.tag), version_of(running.tag)
        if version and runs and version < runs:
            return Decision.OLDER_THAN_RUNNING
        queued = version_of(last.tag) if last and is_queued else None
        if version and queued and version < queued:
            return Decision.OLDER_THAN_LAST
    return Decision.DEPLOY


@lru_cache(1000)
def version_of(tag: str | None) -> Version | None:
    """Returns the version that a tag names, such as `1.4.2` or `v1.4.2`. None: it names none."""
    try:
        return Version((tag or "").removeprefix("v"))
    except ValueError:
        return None

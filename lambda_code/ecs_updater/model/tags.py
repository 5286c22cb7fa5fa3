"""Tags of an ECS service: what may be in them, and the difference between two sets.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import ServiceTagsRefusedError

REPLACE, MERGE = "replace", "merge"
LIMIT = 50
"""The most tags of one resource; those of the reserved prefix do not count."""


RESERVED = "aws:"
"""Prefix, in any case, of the keys of tags that only AWS sets and removes."""


def is_reserved(key: str) -> bool:
    """Whether only AWS may set or remove a tag of this key: the prefix ``aws:`` in any case."""
    return key.lower().startswith(RESERVED)


def listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as answers have them, ``{"key", "value"}`` sorted by key."""
    return [{"key": key, "value": tags[key]} for key in sorted(tags)]


def wrong_character(text: str) -> str | None:
    """The first character of ``text`` that AWS does not take in a tag's key or value, or None.

    Letters, digits and spaces of any script, and ``_ . : / = + - @``: AWS's
    ``[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*``.
    """
    for character in text:
        if character not in "_.:/=+-@" and unicodedata.category(character)[0] not in "LZN":
            return character
    return None


@dataclass(frozen=True)
class TagChanges:
    """What has to be written so that a service with the tags ``before`` has the tags ``after``.

    Reserved tags are in neither.
    """

    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def to_set(self) -> dict[str, str]:
        """Tags to add or to give another value, sorted by key."""
        changed = sorted(self.after.items() - self.before.items())
        return dict(changed)

    @cached_property
    def to_remove(self) -> list[str]:
        """Keys to take away, sorted."""
        return sorted(self.before.keys() - self.after.keys())

    @property
    def reverse(self) -> "TagChanges":
        """What takes these changes back, wherever they were interrupted: every key that either set
        has is written again.
        """
        return TagChanges(before=self.after, after=self.before)

    def __bool__(self) -> bool:
        return dict(self.before) != dict(self.after)


def taken_back(current: Mapping[str, str], changes: TagChanges) -> TagChanges:
    """What takes ``changes`` back from a service that has the tags ``current``: only where nobody
    has changed a tag since.
    """
    restored = dict(current)
    for key in {*changes.to_set, *changes.to_remove}:
        if current.get(key) == changes.after.get(key):
            restored.pop(key, None)
            if key in changes.before:
                restored[key] = changes.before[key]
    return TagChanges(dict(current), restored)


def tag_changes(
    current: Mapping[str, str], wanted: Mapping[str, str] | None, mode: str
) -> TagChanges:
    """The changes from ``current`` (without reserved tags) to ``wanted``; None means to leave them
    alone.

    Raises ServiceTagsRefusedError when the service would end with more than ``LIMIT`` tags.
    """
    if wanted is None:
        return TagChanges(current, current)
    after = {**current, **wanted} if mode == MERGE else dict(wanted)
    if len(after) > LIMIT:
        raise ServiceTagsRefusedError(
            f"service tags could not be updated the service would have {len(after)} "
            f"tags, ECS allows {LIMIT}"
        )
    return TagChanges(dict(current), after)

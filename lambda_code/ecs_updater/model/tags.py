"""Tags of an ECS service: allowed characters, and the changes between two sets.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import ServiceTagsRefusedError

REPLACE, MERGE = "replace", "merge"
LIMIT = 50
"""Maximum tags of a resource, without those of the reserved prefix."""


RESERVED = "aws:"
"""Prefix, in any case, of the keys of tags that only AWS sets and removes."""


TOOL_PREFIX = "ecs-updater:"
"""Prefix of the keys of tags that configure ecs-updater. Replacing the tags keeps them."""


MANAGED_TAG = "AmazonECSManaged"
"""Key of the tag by which ECS recognises the resources of an Express service."""


def is_reserved(key: str) -> bool:
    """Returns whether only AWS sets this key: it has the prefix `aws:` in any case."""
    return key.lower().startswith(RESERVED)


def listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Returns tags in the form of responses: `{"key", "value"}`, sorted by key."""
    return [{"key": key, "value": tags[key]} for key in sorted(tags)]


def wrong_character(text: str) -> str | None:
    """Returns the first character that AWS does not take in a tag's key or value, or None.

    Allowed are letters, digits and spaces of any script, and `_ . : / = + - @`: AWS's
    `[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*`.
    """
    for character in text:
        if character not in "_.:/=+-@" and unicodedata.category(character)[0] not in "LZN":
            return character
    return None


@dataclass(frozen=True)
class TagChanges:
    """Changes of a service's tags from `before` to `after`, both without reserved tags."""

    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def to_set(self) -> dict[str, str]:
        """Returns the tags to add or to change, sorted by key."""
        return dict(sorted(self.after.items() - self.before.items()))

    @cached_property
    def to_remove(self) -> list[str]:
        """Returns the keys to remove, sorted."""
        return sorted(self.before.keys() - self.after.keys())

    @property
    def reverse(self) -> "TagChanges":
        """Returns the changes that undo these, also if they were interrupted."""
        return TagChanges(before=self.after, after=self.before)

    def __bool__(self) -> bool:
        return dict(self.before) != dict(self.after)


def taken_back(current: Mapping[str, str], changes: TagChanges) -> TagChanges:
    """Returns the changes that undo `changes`, except for tags that were changed since."""
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
    """Returns the changes from `current`, without reserved tags, to `wanted`. None: no changes.

    `replace` keeps the tags that configure ecs-updater, unless `wanted` has others. Raises
    ServiceTagsRefusedError if the service would have more than `LIMIT` tags.
    """
    if wanted is None:
        return TagChanges(current, current)
    kept = {
        key: value for key, value in current.items() if mode == MERGE or key.startswith(TOOL_PREFIX)
    }
    after = {**kept, **wanted}
    if len(after) > LIMIT:
        raise ServiceTagsRefusedError(
            f"service tags could not be updated the service would have {len(after)} "
            f"tags, ECS allows {LIMIT}"
        )
    return TagChanges(dict(current), after)

"""Finds the name that a misspelled one probably means."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

_MIN_SIMILARITY = 0.6
"""Minimum similarity, between 0 and 1: the default of `difflib.get_close_matches`."""

_MAX_COMPARED, _SHORTEST_PART = 128, 3
"""Maximum compared characters, and minimum characters of a name that is part of the other one."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Returns the element of `names` most similar to `name`, or None.

    Case, `_` and `-` do not count.
    """
    plain = _plain(name)
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(plain)
    best, best_ratio = None, 0.0
    for candidate in sorted(names):
        known = _plain(candidate)
        matcher.set_seq1(known)
        is_part = len(plain) >= _SHORTEST_PART and plain in known
        if matcher.real_quick_ratio() > best_ratio or is_part:
            ratio = matcher.ratio()
            if ratio > best_ratio and (ratio >= _MIN_SIMILARITY or is_part):
                best, best_ratio = candidate, ratio
    return best


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name[:_MAX_COMPARED].lower())

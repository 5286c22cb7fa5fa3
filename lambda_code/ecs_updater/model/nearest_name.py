"""The name that a misspelled one was probably meant to be. Pure."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

_ALIKE = 0.6
"""From which similarity on, between 0 and 1, a name is offered: the default of
``difflib.get_close_matches``.
"""

_LONGEST, _SHORTEST_PART = 128, 3
"""Characters of a name that are compared, and of a name that only has to be a part of the other
one.
"""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of ``names`` that is most like ``name``, or None.

    Case, ``_`` and ``-`` do not count.
    """
    given = _plain(name)
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(given)
    best, best_ratio = None, 0.0
    for one in sorted(names):
        known = _plain(one)
        matcher.set_seq1(known)
        is_part = len(given) >= _SHORTEST_PART and given in known
        if matcher.real_quick_ratio() > best_ratio or is_part:
            ratio = matcher.ratio()
            if ratio > best_ratio and (ratio >= _ALIKE or is_part):
                best, best_ratio = one, ratio
    return best


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name[:_LONGEST].lower())

"""When to look again: soon at first, since most rollouts end in the first minute, and then more and
more seldom.
"""

from collections.abc import Callable, Iterator

_FIRST = 2.0
_SOON = 3.0
_SOON_FOR = 60.0
_GROWTH = 1.8
_SELDOM = 15.0
_JITTER = 0.1
"""Callers that begin together do not ask together for long."""


def pauses(random: Callable[[], float]) -> Iterator[float]:
    """Yields the seconds to wait before each look, without end.

    ``random`` gives numbers from 0 to 1.
    """
    pause, gone = _FIRST, 0.0
    while True:
        yield pause * (1 + _JITTER * (2 * random() - 1))
        gone += pause
        pause = _SOON if gone < _SOON_FOR else min(max(pause, _SOON) * _GROWTH, _SELDOM)

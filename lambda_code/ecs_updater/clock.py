"""Time, handed in wherever it counts, so that no test has to wait."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """Time as the code knows it."""

    now: Callable[[], float] = time.monotonic
    """Seconds, from any beginning."""
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random
    """From 0 to 1."""
    epoch: Callable[[], float] = time.time
    """Seconds since 1970, which other machines know too."""


REAL_TIME = Clock()

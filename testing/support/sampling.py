"""How much of its long lists of cases a run takes: all with ``TEST_ALL=1``, a sample otherwise."""

import os
from collections.abc import Container, Iterable
from typing import TypeVar

Case = TypeVar("Case")
Variant = TypeVar("Variant")

IS_ALL = bool(os.environ.get("TEST_ALL"))
EVERY = 10
"""One of so many faults is in a sample."""

OFFSET = int(os.environ.get("TEST_OFFSET") or 0)
"""Where a sample begins. ``testing/conftest.py`` sets it for all workers, and prints it."""


def sample(cases: Iterable[Case], every: int = EVERY) -> list[Case]:
    """Returns the cases that this run takes."""
    cases = list(cases)
    return cases if IS_ALL else cases[OFFSET % every :: every]


def with_variants(
    cases: Iterable[Case],
    variants: Iterable[Variant],
    impossible: Container[tuple[Case, Variant]] = (),
) -> list[tuple[Case, Variant]]:
    """Returns each case with every variant. In a sample each case has one, in turn."""
    variants, pairs = list(variants), []
    for number, case in enumerate(cases):
        possible = [(case, variant) for variant in variants if (case, variant) not in impossible]
        pairs += possible if IS_ALL else [possible[(number + OFFSET) % len(possible)]]
    return pairs

"""The table that is printed, and what in it must not be. Pure."""

from collections.abc import Sequence

from .measure import Measured

BURST = 20
"""Revisions that ECS lets be registered at once; then it is one per second."""

_FEW_SECONDS = 30
"""What a fleet may take beside the floor that is so small that processes and messages count."""


def floor(measured: Measured) -> int:
    """The least seconds that ECS's quota leaves for so many revisions."""
    return max(0, measured.changed - BURST)


def rows(every: Sequence[Measured]) -> list[str]:
    """A table in Markdown, one row for each run.

    The table does not show the time for services that stay unchanged.
    """
    head = ["", "services", "images change", "seconds", "floor", "ECS calls per service"]
    head += ["throttled", "not updated", "wrong verdicts"]
    lines = [head, ["---"] * len(head)]
    for one in every:
        calls = f"{one.calls / one.services:.1f}"
        seconds = "–" if one.failed else f"{one.seconds:.0f}"
        numbers = [
            one.services,
            one.changed,
            seconds,
            floor(one),
            calls,
            one.throttled,
            one.failed,
            one.wrong,
        ]
        lines.append([one.name, *map(str, numbers)])
    return [f"| {' | '.join(line)} |" for line in lines]


def broken_promises(one: Measured) -> list[str]:
    """What this project promises of its own runs, and this one does not hold."""
    found = []
    if one.failed or one.wrong:
        found.append(
            f"{one.failed} services are not updated, of {one.wrong} something wrong was said"
        )
    if one.throttled:
        found.append(f"{one.throttled} calls were throttled")
    if one.calls > 6 * one.services:
        found.append(
            f"{one.calls} calls of ECS are more than six for each of {one.services} services"
        )
    if one.revisions != one.changed:
        found.append(f"{one.revisions} revisions were made for {one.changed} images")
    if one.changed >= 100 and one.seconds > 1.15 * floor(one):
        found.append(f"{one.seconds:.0f} s are more than 1.15 times the floor of {floor(one)} s")
    if one.changed < 100 and one.seconds > floor(one) + _FEW_SECONDS:
        found.append(
            f"{one.seconds:.0f} s are more than {_FEW_SECONDS} s over the floor of {floor(one)} s"
        )
    return [f"{one.name}, {one.services} services: {text}" for text in found]

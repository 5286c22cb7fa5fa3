"""Formats the table of the runs, and checks the runs of this project against their limits."""

from collections.abc import Sequence

from .measurement import Measurement
from .simulation import ReconcilerRun

LIMITS = (("expected", 20, 1), ("changed", 50, 5))
"""Calls of RegisterTaskDefinition and UpdateService that ECS accepts at once, and per second."""

_START_SECONDS = 30
"""Allowed seconds above a minimum of less than 80: start of processes, messages."""


def minimum_seconds(measurement: Measurement) -> int:
    """Returns the minimum seconds for these revisions and services within ECS's rate limits."""
    needed = [(getattr(measurement, name) - burst) // rate for name, burst, rate in LIMITS]
    return max(0, *needed)


def format_table(measurements: Sequence[Measurement]) -> list[str]:
    """Returns the lines of a Markdown table with one row for each run."""
    head = [
        "",
        "services",
        "changed images",
        "revisions",
        "seconds",
        "minimum",
        "ECS calls per service",
    ]
    head += ["throttled", "not updated", "wrong results"]
    lines = [head, ["---"] * len(head)]
    for run in measurements:
        seconds = "–" if run.failed else f"{run.seconds:.0f}"
        calls = f"{run.calls / run.services:.1f}"
        figures = [run.services, run.changed, run.revisions, seconds, minimum_seconds(run), calls]
        figures += [run.throttled, run.failed, run.wrong]
        lines.append([run.name, *map(str, figures)])
    return [f"| {' | '.join(line)} |" for line in lines]


def format_runs(runs: Sequence[ReconcilerRun]) -> list[str]:
    """Returns the lines of a Markdown table of the runs over open updates."""
    head = ["run of the reconciler", "open", "seconds", "polled", "ended", "never polled"]
    head += ["ECS calls", "throttled"]
    lines = [head, ["---"] * len(head)]
    for number, run in enumerate(runs, 1):
        name = f"{number}, killed" if run.is_killed else str(number)
        figures = [run.open, f"{run.seconds:.0f}", run.polled, run.ended, run.never_polled]
        lines.append([name, *map(str, [*figures, run.calls, run.throttled])])
    return [f"| {' | '.join(line)} |" for line in lines]


def find_exceeded_limits(run: Measurement) -> list[str]:
    """Returns a sentence for each limit of this project that a run exceeds."""
    minimum = minimum_seconds(run)
    sentences = []
    if run.failed or run.wrong:
        sentences.append(f"{run.failed} services are not updated, {run.wrong} have a wrong result")
    if run.throttled:
        sentences.append(f"ECS throttled {run.throttled} calls")
    if run.calls > 6 * run.services:
        sentences.append(
            f"{run.calls} ECS calls are more than 6 for each of {run.services} services"
        )
    if run.revisions != run.expected:
        sentences.append(f"{run.revisions} revisions were registered, {run.expected} are needed")
    if minimum >= 80 and run.seconds > 1.15 * minimum:
        sentences.append(f"{run.seconds:.0f} s are more than 1.15 times the minimum of {minimum} s")
    if minimum < 80 and run.seconds > minimum + _START_SECONDS:
        sentences.append(
            f"{run.seconds:.0f} s are more than {_START_SECONDS} s above the minimum of {minimum} s"
        )
    return [f"{run.name}, {run.services} services: {sentence}" for sentence in sentences]

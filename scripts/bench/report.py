"""Formats the table of the runs, and checks the runs of this project against their limits."""

from collections.abc import Sequence

from .measurement import Measurement

BURST = 20
"""RegisterTaskDefinition calls that ECS accepts at once. Then it accepts one per second."""

_START_SECONDS = 30
"""Allowed seconds above the minimum for fewer than 100 images: start of processes, messages."""


def minimum_seconds(measurement: Measurement) -> int:
    """Returns the minimum seconds for these revisions within ECS's rate limit."""
    return max(0, measurement.changed - BURST)


def format_table(measurements: Sequence[Measurement]) -> list[str]:
    """Returns the lines of a Markdown table with one row for each run."""
    head = ["", "services", "changed images", "seconds", "minimum", "ECS calls per service"]
    head += ["throttled", "not updated", "wrong results"]
    lines = [head, ["---"] * len(head)]
    for run in measurements:
        seconds = "–" if run.failed else f"{run.seconds:.0f}"
        calls = f"{run.calls / run.services:.1f}"
        figures = [run.services, run.changed, seconds, minimum_seconds(run), calls]
        figures += [run.throttled, run.failed, run.wrong]
        lines.append([run.name, *map(str, figures)])
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
    if run.revisions != run.changed:
        sentences.append(f"{run.revisions} revisions were registered for {run.changed} images")
    if run.changed >= 100 and run.seconds > 1.15 * minimum:
        sentences.append(f"{run.seconds:.0f} s are more than 1.15 times the minimum of {minimum} s")
    if run.changed < 100 and run.seconds > minimum + _START_SECONDS:
        sentences.append(
            f"{run.seconds:.0f} s are more than {_START_SECONDS} s above the minimum of {minimum} s"
        )
    return [f"{run.name}, {run.services} services: {sentence}" for sentence in sentences]

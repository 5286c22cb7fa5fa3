"""Runs every case in turn: restores its state, invokes, compares the answer and the service; a
table at the end.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .cases import Case, ServiceState
from .comparison import differences
from .invokers import MESSAGE, STAGE, VIOLATION, Invocation, InvocationFailed, Invoker
from .service import Service

OK, FAILED = "ok", "FAILED"
HELD = " is held by "
ATTEMPTS = 10
PAUSE = 1.0
"""Seconds before an event is sent again that another update held up."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of one case."""

    case: Case
    invocation: Invocation | str
    """What came back, or why nothing did."""
    seconds: float
    """Only the invocation, without restoring and reading the service."""
    service: ServiceState
    """The service afterwards."""

    @property
    def differences(self) -> list[str]:
        """What is not as expected; empty where everything is."""
        if isinstance(self.invocation, str):
            return [self.invocation]
        return [
            *compare(self.case, self.invocation),
            *differences(vars(self.case.ends_with), vars(self.service), "service"),
        ]

    @property
    def verdict(self) -> str:
        """``ok`` or ``FAILED``."""
        return FAILED if self.differences else OK

    @property
    def actual(self) -> str:
        """The answer or the error, for the table."""
        return "not invoked" if isinstance(self.invocation, str) else str(self.invocation)

    @property
    def skipped(self) -> frozenset[str]:
        """What of the error could not be compared."""
        if isinstance(self.invocation, str) or self.case.expected.error_message is None:
            return frozenset()
        return self.invocation.cannot_show


def run_case(case: Case, invoke: Invoker, service: Service, event_dir: Path) -> Outcome:
    """Restores the state that a case starts from and sends its event, which lies in ``event_dir``
    afterwards, as it was sent.
    """
    event_dir.mkdir(parents=True, exist_ok=True)
    event_file = event_dir / f"{case.name}.json"
    event_file.write_text(json.dumps(case.event, indent=2) + "\n", "utf-8")
    service.restore(case.starts_from)
    for _ in range(ATTEMPTS):
        begin = time.monotonic()
        try:
            invocation: Invocation | str = invoke(event_file)
        except InvocationFailed as reason:
            invocation = str(reason)
        # On AWS and on the emulator the reconciler may be finishing the update of the event before.
        if not isinstance(invocation, Invocation) or HELD not in (invocation.error_message or ""):
            break
        time.sleep(PAUSE)
    return Outcome(case, invocation, time.monotonic() - begin, service.read())


def compare(case: Case, invocation: Invocation) -> Iterator[str]:
    """How the invocation differs from what the case must answer."""
    expected = case.expected
    if invocation.error_message is None or expected.error_message is None:
        error = invocation.error_message and {"error": invocation.error_message}
        wanted = expected.error_message and {"error": expected.error_message}
        yield from differences(wanted or expected.answer, error or invocation.answer, "answer")
        return
    wanted = expected.error_message
    if VIOLATION in invocation.cannot_show and isinstance(wanted, str) and wanted.startswith(STAGE):
        wanted = MESSAGE
    yield from differences(wanted, invocation.error_message, "errorMessage")
    if "errorType" not in invocation.cannot_show:
        yield from differences(expected.error_type, invocation.error_type, "errorType")


def changes(before: ServiceState, after: ServiceState) -> str:
    """The image and the number of tags that differ between two states of the service."""
    if before == after:
        return "unchanged"
    image = before.image if before.image == after.image else f"{before.image} → {after.image}"
    added = len(after.tags.items() - before.tags.items())
    removed = len(before.tags.items() - after.tags.items())
    return f"{image}, tags +{added} -{removed}"


def table(outcomes: Sequence[Outcome]) -> str:
    """Each event with its expected and its actual outcome, what it changed, and its time; under it
    a sentence about all.
    """
    head = ("event", "expected", "actual", "service BEFORE → AFTER", "seconds", "")
    rows = [
        (
            *(o.case.name, str(o.case.expected), o.actual, changes(o.case.starts_from, o.service)),
            *(f"{o.seconds:.1f}", o.verdict),
        )
        for o in outcomes
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    head_line, *lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    )
    rule = "  ".join("-" * width for width in widths[:-1])
    return "\n".join([head_line, rule, *lines, summary(outcomes)])


def summary(outcomes: Sequence[Outcome]) -> str:
    """One sentence about all events, and one about what could not be compared."""
    failed = [o.case.name for o in outcomes if o.verdict == FAILED]
    refused = sum(o.case.expected.error_message is not None for o in outcomes)
    text = f"{len(outcomes) - len(failed)} of {len(outcomes)} events as expected"
    if failed:
        text += f". FAILED: {', '.join(failed)}"
    else:
        changed = len(outcomes) - refused
        text += f": {changed} changed the service, {refused} were refused and changed nothing"
    skipped = sorted({what for outcome in outcomes for what in outcome.skipped})
    if skipped:
        text += f"\nnot compared, as this way of invoking does not report it: {', '.join(skipped)}"
    return text

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
from .invokers import Invocation, InvocationFailed, Invoker, http_api
from .service import Service

OK, FAILED = "ok", "FAILED"


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
    begin = time.monotonic()
    try:
        invocation: Invocation | str = invoke(event_file)
    except InvocationFailed as reason:
        invocation = str(reason)
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
    if (
        http_api.VIOLATION in invocation.cannot_show
        and isinstance(wanted, str)
        and wanted.startswith(http_api.STAGE)
    ):
        wanted = http_api.MESSAGE
    yield from differences(wanted, invocation.error_message, "errorMessage")
    if "errorType" not in invocation.cannot_show:
        yield from differences(expected.error_type, invocation.error_type, "errorType")


def table(outcomes: Sequence[Outcome]) -> str:
    """Each event with its expected and its actual outcome, its time, and whether they agree."""
    head = ("event", "expected", "actual", "seconds", "")
    rows = [
        (o.case.name, str(o.case.expected), o.actual, f"{o.seconds:.1f}", o.verdict)
        for o in outcomes
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]
    skipped = sorted({what for outcome in outcomes for what in outcome.skipped})
    footnote = (
        [f"skipped, since this way of invoking does not show it: {', '.join(skipped)}"]
        if skipped
        else []
    )
    return "\n".join(
        [lines[0], "  ".join("-" * width for width in widths).rstrip(), *lines[1:], *footnote]
    )

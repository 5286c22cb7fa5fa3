"""The result of a dry run or a comparison: what would change in each service."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rich.text import Text

from ..backends.preview import ServicePlan
from ..batch.state import State
from ..errors import DRIFT, NOT_ALL, SUCCEEDED
from .changes import change_lines
from .terminal import Printer, number_of, safe

# Kinds of plans, as JSON has them, and their words in the summary.
_KINDS = {
    "deploy": "to deploy",
    "tags": "to tag only",
    "service": "to change without a deployment",
    "unchanged": "unchanged",
    "refused": "that cannot be updated",
}


def show_plans(plans: Iterable[ServicePlan], printer: Printer, as_json: bool) -> int:
    """Prints plans and their summary, as lines or as JSON objects. Returns the exit code."""
    counts: Counter[str] = Counter(dict.fromkeys(_KINDS, 0))
    for plan in plans:
        counts[_kind(plan)] += 1
        printer.listing([_fields(plan)], _lines(plan), as_json)
    code = NOT_ALL if counts["refused"] else SUCCEEDED
    _show_summary(counts, code, "A dry run: nothing was written.", printer, as_json)
    return code


def show_drift(plans: Sequence[ServicePlan], printer: Printer, as_json: bool) -> None:
    """Prints the plans, as lines only those of services that differ."""
    for plan in plans:
        printer.listing([_fields(plan)], _lines(plan) if plan.differs else [], as_json)


def show_comparison(plans: Sequence[ServicePlan], printer: Printer, as_json: bool) -> int:
    """Prints how many services differ. Returns the exit code."""
    counts = Counter({**dict.fromkeys(_KINDS, 0), **Counter(map(_kind, plans))})
    differing = counts.total() - counts["unchanged"]
    code = NOT_ALL if counts["refused"] else DRIFT if differing else SUCCEEDED
    _show_summary(counts, code, "Nothing was written.", printer, as_json)
    return code


def _show_summary(
    counts: Counter[str], code: int, end: str, printer: Printer, as_json: bool
) -> None:
    total = counts.total()
    summary = {"type": "summary", "services": total, "exitCode": code, **counts}
    parts = [
        f"{counts[kind]} {words}"
        for kind, words in _KINDS.items()
        if counts[kind] or kind == "deploy"
    ]
    line = f"{number_of(total, 'service')}: {', '.join(parts)}. {end}"
    printer.listing([summary], [Text(line)], as_json)


def _fields(plan: ServicePlan) -> dict[str, Any]:
    status = plan.row.status
    return {
        "type": "plan",
        "target": plan.row.identity.target,
        "cluster": plan.row.identity.cluster,
        "service": plan.row.service,
        "image": plan.row.image,
        "deploys": plan.deploys,
        "changes": list(plan.changes),
        "error": status.cause or None,
        "errorType": status.error_type,
        **({"hint": status.hint} if status.hint else {}),
        "notes": list(plan.notes),
    }


def _kind(plan: ServicePlan) -> str:
    if plan.row.state is State.FAILED:
        return "refused"
    if plan.deploys or not plan.changes:
        return "deploy" if plan.deploys else "unchanged"
    return "tags" if {change["what"][:4] for change in plan.changes} == {"tag."} else "service"


def _lines(plan: ServicePlan) -> list[Text]:
    """Returns the lines about one service."""
    name, status = (safe(plan.row.name), "bold"), plan.row.status
    if status.state is State.FAILED:
        failed = ("cannot be updated", "bold red")
        line = Text.assemble(("✗ ", "bold red"), name, "  ", failed, f": {safe(status.cause)}")
        return [line, Text(f"    {safe(status.hint)}")] if status.hint else [line]
    if not plan.changes:
        requested = f"  nothing to change: {safe(plan.row.requested)}"
        return [Text.assemble(("= ", "dim"), name, requested)]
    notes = (Text(f"    {safe(note)}", "yellow") for note in plan.notes)
    return [Text.assemble(("~ ", "yellow"), name), *change_lines(plan.changes), *notes]

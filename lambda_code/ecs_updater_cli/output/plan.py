"""The result of a dry run: what would change in each service."""

import json
from collections import Counter

from rich.text import Text

from ..backends.preview import ServicePlan
from ..errors import NOT_ALL, SUCCEEDED
from .terminal import Printer, number_of, safe

# Kinds of plans, as JSON has them, and their words in the summary.
_KINDS = {
    "deploy": "to deploy",
    "tags": "to tag only",
    "unchanged": "unchanged",
    "refused": "that cannot be updated",
}


class PlanView:
    """Prints plans as lines or as JSON objects."""

    def __init__(self, printer: Printer, as_json: bool):
        self._printer, self._as_json = printer, as_json
        self._counts: Counter[str] = Counter(dict.fromkeys(_KINDS, 0))

    def show(self, plan: ServicePlan) -> None:
        """Prints the plan of one service."""
        self._counts[_kind(plan)] += 1
        if not self._as_json:
            for line in _lines(plan):
                self._printer.line(line)
            return
        fields = {
            "type": "plan",
            "cluster": plan.row.cluster,
            "service": plan.row.service,
            "image": plan.row.image,
            "deploys": plan.deploys,
            "changes": list(plan.changes),
            "error": plan.error,
            "errorType": plan.error_type,
            **({"hint": plan.hint} if plan.hint else {}),
            "notes": list(plan.notes),
        }
        self._printer.raw(json.dumps(fields))

    def show_summary(self) -> int:
        """Prints the summary. Returns the exit code."""
        code = NOT_ALL if self._counts["refused"] else SUCCEEDED
        total = self._counts.total()
        if self._as_json:
            summary = {"type": "summary", "services": total, "exitCode": code, **self._counts}
            self._printer.raw(json.dumps(summary))
            return code
        parts = [
            f"{self._counts[kind]} {words}"
            for kind, words in _KINDS.items()
            if self._counts[kind] or kind == "deploy"
        ]
        self._printer.line(
            f"{number_of(total, 'service')}: {', '.join(parts)}. A dry run: nothing was written."
        )
        return code


def _kind(plan: ServicePlan) -> str:
    if plan.error:
        return "refused"
    if plan.deploys:
        return "deploy"
    return "tags" if plan.changes else "unchanged"


def _lines(plan: ServicePlan) -> list[Text]:
    """Returns the lines about one service."""
    name = (safe(plan.row.name), "bold")
    if plan.error is not None:
        failed = ("cannot be updated", "bold red")
        line = Text.assemble(("✗ ", "bold red"), name, "  ", failed, f": {safe(plan.error)}")
        return [line, Text(f"    {safe(plan.hint)}")] if plan.hint else [line]
    if not plan.changes:
        return [Text.assemble(("= ", "dim"), name, f"  nothing to change: {safe(plan.row.image)}")]
    lines = [Text.assemble(("~ ", "cyan"), name)]
    widest = max(len(safe(change["what"])) for change in plan.changes)
    for change in plan.changes:
        before, after = change["from"], change["to"]
        line = Text(f"    {safe(change['what']):{widest}}  ")
        if before is None:
            line.append(f"+ {safe(str(after))}", "green")
        elif after is None:
            line.append(f"- {safe(before)}", "red")
        else:
            line.append(safe(before), "red").append(" → ").append(safe(after), "green")
        lines.append(line)
    return lines + [Text(f"    {safe(note)}", "yellow") for note in plan.notes]

"""What a dry run found: for each service what would change."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from ..errors import NOT_ALL, SUCCEEDED
from .printer import Printer
from .text import number_of, safe


def plan_lines(
    name: str,
    image: str,
    changes: Sequence[Mapping[str, Any]],
    error: str | None,
    notes: Sequence[str],
    hint: str | None = None,
) -> list[Text]:
    """The lines about one service; ``changes`` as the result has them, ``error`` why it could not
    be updated, and a ``hint``.
    """
    if error is not None:
        refused = ("cannot be updated", "bold red")
        line = Text.assemble(
            ("✗ ", "bold red"), (safe(name), "bold"), "  ", refused, f": {safe(error)}"
        )
        return [line, Text(f"    {safe(hint)}")] if hint else [line]
    if not changes:
        return [
            Text.assemble(
                ("= ", "dim"), (safe(name), "bold"), f"  nothing to change: {safe(image)}"
            )
        ]
    lines = [Text.assemble(("~ ", "cyan"), (safe(name), "bold"))]
    widest = max(len(safe(change["what"])) for change in changes)
    for change in changes:
        before, after = change["from"], change["to"]
        what = Text(f"    {safe(change['what']):{widest}}  ", "")
        if before is None:
            what.append("+ ", "green").append(safe(str(after)), "green")
        elif after is None:
            what.append("- ", "red").append(safe(before), "red")
        else:
            what.append(safe(before), "red").append(" → ").append(safe(after), "green")
        lines.append(what)
    return lines + [Text(f"    {safe(note)}", "yellow") for note in notes]


class PlanView:
    """Plans as lines, or as JSON objects."""

    def __init__(self, printer: Printer, as_json: bool):
        self._printer, self._as_json = printer, as_json
        self._counted = {"deploy": 0, "tags": 0, "unchanged": 0, "refused": 0}

    def planned(self, one: Any) -> None:
        """One service's, a ``doors.planned.Planned``."""
        kind = (
            "refused"
            if one.error
            else "deploy"
            if one.deploys
            else "tags"
            if one.changes
            else "unchanged"
        )
        self._counted[kind] += 1
        if self._as_json:
            record = {
                "type": "plan",
                "cluster": one.row.cluster,
                "service": one.row.service,
                "image": one.row.image,
                "deploys": one.deploys,
                "changes": list(one.changes),
                "error": one.error,
                "errorType": one.error_type,
                **({"hint": one.hint} if one.hint else {}),
                "notes": list(one.notes),
            }
            self._printer.raw(json.dumps(record))
            return
        for line in plan_lines(
            one.row.name, one.row.image, one.changes, one.error, one.notes, one.hint
        ):
            self._printer.line(line)

    def ends(self) -> int:
        """The sum, and the exit code."""
        counted = self._counted
        code = NOT_ALL if counted["refused"] else SUCCEEDED
        if self._as_json:
            self._printer.raw(
                json.dumps(
                    {
                        "type": "summary",
                        "services": sum(counted.values()),
                        "exitCode": code,
                        **counted,
                    }
                )
            )
            return code
        parts = [f"{counted['deploy']} to deploy"]
        parts += [f"{counted['tags']} to tag alone"] if counted["tags"] else []
        parts += [f"{counted['unchanged']} unchanged"] if counted["unchanged"] else []
        parts += [f"{counted['refused']} that cannot be updated"] if counted["refused"] else []
        self._printer.line(
            f"{number_of(sum(counted.values()), 'service')}: {', '.join(parts)}. A dry run: "
            "nothing was written."
        )
        return code

"""Changes as lines, in the form of `terraform plan`: sign, name, and the values in quotes."""

import json
from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text

from ecs_updater.model.revision_settings import HIDDEN

from .terminal import safe

Change = Mapping[str, str | None]
"""`what`, `from` and `to`, as in a response."""

_STYLES = {"~": "yellow", "+": "green", "-": "red"}


def change_lines(changes: Sequence[Change]) -> Iterator[Text]:
    """Yields a line for each change, with the values below each other."""
    widest = max((len(safe(f"{change['what']}")) for change in changes), default=0)
    for change in changes:
        line = change_text(change, widest)
        line.stylize(_STYLES[line.plain[0]], 0, 1)
        yield Text.assemble("    ", line)


def change_text(change: Change, width: int = 0) -> Text:
    """Returns for example `~ environment.web.LOG_LEVEL: "info" -> "debug"`.

    `width`: minimum characters of the name.
    """
    before, after = change["from"], change["to"]
    sign = "+" if before is None else "-" if after is None else "~"
    name = safe(f"{change['what']}")
    text = Text(f"{sign} {name}: {'':{max(0, width - len(name))}}")
    if before is not None:
        text.append(_quoted(before), "red")
    if sign == "~":
        text.append(" -> ")
    if after is not None:
        text.append(_quoted(after), "green")
    return text


def _quoted(value: str) -> str:
    return safe(value if value.startswith(HIDDEN) else json.dumps(value, ensure_ascii=False))

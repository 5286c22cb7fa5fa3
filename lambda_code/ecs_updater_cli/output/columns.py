"""Tables that fit a terminal, and stay whole in a pipe. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from .text import cell, columns_of

_GAP = "  "
_LEAST = 8


@dataclass(frozen=True)
class Column:
    """One column."""

    head: str
    may_shrink: bool = False
    """Whether it is cut where the terminal is narrow, the widest first."""
    is_number: bool = False


Cell = str | tuple[str, str]
"""A text, or a text and its style."""


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int | None
) -> list[Text]:
    """The lines of a table, its head included, at most ``width`` columns of the terminal wide;
    None: as wide as it is.
    """
    texts = [[_text(one) for one in row] for row in rows]
    widths = [
        max(len(column.head), *(columns_of(row[index]) for row in texts))
        if texts
        else len(column.head)
        for index, column in enumerate(columns)
    ]
    if width is not None:
        _shrink(widths, columns, width)
    head = _line([(column.head, "bold dim") for column in columns], widths, columns)
    return [head, *(_line(row, widths, columns) for row in rows)]


def _shrink(widths: list[int], columns: Sequence[Column], width: int) -> None:
    too_much = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    able = [index for index, column in enumerate(columns) if column.may_shrink]
    while (
        too_much > 0
        and (widest := max(able, key=lambda index: widths[index])) is not None
        and widths[widest] > _LEAST
    ):
        widths[widest] -= 1
        too_much -= 1


def _line(row: Sequence[Cell], widths: Sequence[int], columns: Sequence[Column]) -> Text:
    line = Text(end="")
    for index, (one, width, column) in enumerate(zip(row, widths, columns, strict=True)):
        line.append(_GAP if index else "")
        line.append_text(
            cell(_text(one), width, "" if isinstance(one, str) else one[1], right=column.is_number)
        )
    line.rstrip()
    line.end = "\n"
    return line


def _text(one: Cell) -> str:
    return one if isinstance(one, str) else one[0]

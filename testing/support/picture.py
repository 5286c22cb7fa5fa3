"""A picture of a terminal's screen in its colours, for README."""

import io
import re

from rich.ansi import AnsiDecoder
from rich.console import Console

_HOME = b"\x1b[H"
"""Before this the live view draws its whole screen anew."""
_FONT_OF_OTHERS = re.compile(r"^ *@font-face \{.*?\}\n", re.MULTILINE | re.DOTALL)


def picture(received: bytes, columns: int, title: str) -> str:
    """The last screen in what a terminal received, as SVG.

    It names no font that would have to be fetched from somewhere.
    """
    lines = received.rpartition(_HOME)[2].decode().rstrip().split("\r\n")
    console = Console(
        record=True,
        width=columns,
        file=io.StringIO(),
        color_system="truecolor",
        legacy_windows=False,
    )
    for line in AnsiDecoder().decode("\n".join(lines)):
        line.rstrip()
        console.print(line, no_wrap=True, overflow="crop", crop=True)
    return _FONT_OF_OTHERS.sub("", console.export_svg(title=title, unique_id="live-view"))

"""The documents for readers, and the fenced blocks in them."""

import re
from pathlib import Path
from typing import NamedTuple

from .make import PROJECT

DOCUMENTS = sorted(
    str(path.relative_to(PROJECT)) for path in (*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"))
)
ALL = sorted(
    {*DOCUMENTS, *(str(path.relative_to(PROJECT)) for path in PROJECT.glob("[!.b]*/**/*.md"))}
)
"""Also those of modules, tests and examples."""

FENCE = re.compile(
    r"(?:`([\w./-]+\.(?:json|ya?ml))`[^`\n]*:\n\n)?^ *```(\w*)[^\n]*\n(.*?)^ *```",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A fenced block."""

    file: str
    """The file in the line before it, if that ends with a colon."""
    language: str
    text: str


def read(document: str) -> str:
    """The text of a document."""
    return Path(PROJECT, document).read_text("utf-8")


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a text."""
    return [Block(*groups) for groups in FENCE.findall(text)]

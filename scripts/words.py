"""Checks the files that words.toml lists; prints `file:line: word: write other word`.

Phrases are looked for in the prose of a file: docstrings, comments and string literals of Python,
the whole text of any other file. Names are those that a Python file defines, and the file's own.
"""

import ast
import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from itertools import accumulate
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
PROSE = {
    tokenize.COMMENT,
    tokenize.STRING,
    getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING),  # From Python 3.12 on.
}
Violation = tuple[int, str, str]
"""Line, word, and what to write instead."""


def violations(path: str, source: str, config: Mapping[str, Any]) -> list[Violation]:
    """Returns the words to replace in one file.

    `path` is relative to the project's folder; `config` is the content of words.toml.
    """
    excepted = {
        exception["word"]
        for exception in config["exceptions"]
        if any(fnmatch(path, pattern) for pattern in exception["paths"])
    }
    found: list[Violation] = []
    names = [(1, part) for part in Path(path).parts]
    text = source
    if path.endswith(".py"):
        text = prose(source)
        names += defined_names(source)
    found += _phrases(text, config["phrases"])
    for line, name in names:
        if name.startswith("test_") and not name.endswith(".py"):  # A sentence, not a noun.
            sentence = name.replace("_", " ")
            found += [(line, *rest) for _, *rest in _phrases(sentence, config["phrases"])]
        else:
            words = words_of(name) & config["names"].keys()
            found += [(line, word, config["names"][word]) for word in words]
    return sorted({violation for violation in found if violation[1] not in excepted})


def _phrases(text: str, phrases: Mapping[str, str]) -> Iterator[Violation]:
    for phrase, instead in phrases.items():
        # A phrase may go on in the next line, behind the sign of a comment or a string.
        pattern = re.sub(r"(?<!there) ", r"""[\\s#"]+""", phrase)
        for match in re.finditer(rf"\b(?:{pattern})\b", text, re.IGNORECASE):
            words = " ".join(re.split(r"""[\s#"]+""", match[0])).lower()
            yield text.count("\n", 0, match.start()) + 1, words, instead


def prose(source: str) -> str:
    """Returns Python source with everything blanked except docstrings, comments and strings."""
    lines = source.splitlines(keepends=True)
    starts = [0, *accumulate(map(len, lines))]
    kept = [character if character == "\n" else " " for character in source]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in PROSE:
            (row, column), (last_row, last_column) = token.start, token.end
            part = slice(starts[row - 1] + column, starts[last_row - 1] + last_column)
            kept[part] = source[part]
    return "".join(kept)


def defined_names(source: str) -> list[tuple[int, str]]:
    """Returns line and name of each class, function, parameter and variable that a file defines."""
    names: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case (
                ast.FunctionDef(name=str() as name)
                | ast.AsyncFunctionDef(name=str() as name)
                | ast.ClassDef(name=str() as name)
                | ast.arg(arg=str() as name)
                | ast.Name(id=str() as name, ctx=ast.Store())
                | ast.Attribute(attr=str() as name, ctx=ast.Store())
                | ast.ExceptHandler(name=str() as name)
                | ast.MatchAs(name=str() as name)
                | ast.alias(asname=str() as name)
            ):
                names.append((node.lineno, name))
    return names


def words_of(name: str) -> set[str]:
    """Returns the words of a name, split at signs and capitals, and their singulars."""
    words = {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}
    return words | {word.removesuffix("s") for word in words if len(word) > 3}


def main() -> int:
    """Checks the files and returns the exit status."""
    config = tomllib.loads((PROJECT / "scripts" / "words.toml").read_text("utf-8"))
    status = 0
    for pattern in sys.argv[1:] or config["strict"]:
        paths = [path for path in sorted(PROJECT.glob(pattern)) if path.is_file()]
        if not paths:
            print(f"scripts/words.toml: strict: {pattern} matches no file")
            status = 1
        for path in paths:
            name = path.relative_to(PROJECT).as_posix()
            for line, word, instead in violations(name, path.read_text("utf-8"), config):
                print(f"{name}:{line}: {word}: write {instead}")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())

"""Checks the words of all tracked files; prints `file:line: word: write other word`.

Usage: words.py [PATTERN ...]

words.toml has the words, and the files that are not checked. With patterns, all tracked files that
match one are checked, and no others. Phrases are searched in the prose of a file: docstrings,
comments and string literals of Python, the whole text of other files. Names are those that a Python
file defines, and the parts of each file's path.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterable, Iterator, Mapping
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


def find_violations(path: str, source: str, config: Mapping[str, Any]) -> list[Violation]:
    """Returns the words to replace in one file.

    `path` is relative to the project's folder; `config` is the content of words.toml.
    """
    excepted = {
        exception["word"]
        for exception in config["exceptions"]
        if is_match(path, exception["paths"])
    }
    found: list[Violation] = []
    names = [(1, part) for part in Path(path).parts]
    text = source
    if path.endswith(".py"):
        text = extract_prose(source)
        names += list_defined_names(source)
    found += _find_phrases(text, config["phrases"])
    for line, name in names:
        if name.startswith("test_") and not name.endswith(".py"):  # A sentence, not a noun.
            sentence = name.replace("_", " ")
            found += [(line, *rest) for _, *rest in _find_phrases(sentence, config["phrases"])]
        else:
            words = split_name(name) & config["names"].keys()
            found += [(line, word, config["names"][word]) for word in words]
    return sorted({violation for violation in found if violation[1] not in excepted})


def _find_phrases(text: str, phrases: Mapping[str, str]) -> Iterator[Violation]:
    for phrase, instead in phrases.items():
        # A phrase may continue in the next line of a comment or string.
        pattern = re.sub(r"(?<!there) ", r"""[\\s#"]+""", phrase)
        for match in re.finditer(rf"\b(?:{pattern})\b", text, re.IGNORECASE):
            words = " ".join(re.split(r"""[\s#"]+""", match[0])).lower()
            yield text.count("\n", 0, match.start()) + 1, words, instead


def extract_prose(source: str) -> str:
    """Returns Python source in which only docstrings, comments and strings are not blank."""
    lines = source.splitlines(keepends=True)
    starts = [0, *accumulate(map(len, lines))]
    kept = [character if character == "\n" else " " for character in source]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in PROSE:
            (row, column), (last_row, last_column) = token.start, token.end
            part = slice(starts[row - 1] + column, starts[last_row - 1] + last_column)
            kept[part] = source[part]
    return "".join(kept)


def list_defined_names(source: str) -> list[tuple[int, str]]:
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


def split_name(name: str) -> set[str]:
    """Returns the lower-case words of a name, and their singulars."""
    words = {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}
    return words | {word.removesuffix("s") for word in words if len(word) > 3}


def is_match(path: str, patterns: Iterable[str]) -> bool:
    """Returns whether a path matches a pattern, in which `*` also matches `/`."""
    return any(fnmatch(path, pattern) for pattern in patterns)


def list_tracked_files() -> list[str]:
    """Returns the files that Git tracks, relative to the project's folder, without deleted ones."""
    command = ["git", "-c", f"safe.directory={PROJECT}", "ls-files", "-z"]
    names = subprocess.check_output(command, cwd=PROJECT, text=True).split("\0")
    return [name for name in names if (PROJECT / name).is_file()]


def main() -> int:
    """Checks the files and returns the exit status."""
    if not (PROJECT / ".git").exists():
        print("words are not checked: this copy is not a Git repository")
        return 0
    config = tomllib.loads((PROJECT / "scripts" / "words.toml").read_text("utf-8"))
    selected = sys.argv[1:]
    unchecked = [path for entry in config["unchecked"] for path in entry["paths"]]
    status = 0
    for path in list_tracked_files():
        if is_match(path, selected) if selected else not is_match(path, unchecked):
            source = (PROJECT / path).read_text("utf-8")
            for line, word, instead in find_violations(path, source, config):
                print(f"{path}:{line}: {word}: write {instead}")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())

"""The check of words finds what scripts/words.toml lists, and nothing else."""

import tomllib

import pytest

from words import PROJECT, find_violations

CONFIG = {
    "phrases": {"pell mell": "in disorder", r"(?<!there )is no (?!longer)\w+": "is not a …"},
    "names": {"door": "handler", "ours": "the noun"},
    "exceptions": [{"word": "door", "paths": ["old/*"], "reason": "given"}],
}


def found(source, path="new/file.py"):
    """Line and word of each violation."""
    return [(line, word) for line, word, _ in find_violations(path, source, CONFIG)]


@pytest.mark.parametrize(
    "source, line",
    [
        ('"""Tried pell mell."""', 1),
        ("x = 1  # Pell mell.", 1),
        ("x = 1\n# Tried pell\n# mell.", 2),
        ('x = f"{1} pell mell"', 1),
        ('x = (\n    "pell "\n    "mell"\n)', 2),
        ("def test_it_tries_pell_mell(): pass", 1),
    ],
)
def test_a_phrase_is_found_in_docstrings_comments_strings_and_names_of_tests(source, line):
    assert found(source) == [(line, "pell mell")]


@pytest.mark.parametrize(
    "source",
    ["outdoors = 1", "x = y.door", "x = 1  # A door.", "x = 1  # It is no longer, there is no x."],
)
def test_other_words_uses_and_prose_are_not_found(source):
    assert found(source) == []


def test_every_unchecked_file_and_exception_has_a_reason():
    config = tomllib.loads((PROJECT / "scripts" / "words.toml").read_text("utf-8"))
    assert all(
        entry["reason"] and entry["paths"] for entry in config["unchecked"] + config["exceptions"]
    )

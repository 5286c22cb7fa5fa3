"""The documents name targets, paths and examples that exist, in short sentences."""

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from ecs_updater.model.event_parser import parse
from ecs_updater.model.scopes import Scopes
from ecs_updater.model.targets import Targets
from ecs_updater.model.verdict import Verdict
from ecs_updater.settings import Settings
from module_docs import find_outdated
from support.documents import DOCUMENTS, FENCE, blocks, read
from support.make import PROJECT

MADE_BY_RUNS = {".git", ".tools", "build", ".hypothesis", ".pytest_cache"}
"""Directories without files of the project."""
CONFIGURED = Settings(
    cluster="ECSCluster",
    service="ecs-dummy-service",
    image="busybox",
    allowed_fields="*",
    allowed_secrets="*",
    ledger_table="t",
)
"""A function whose environment fills in what an example leaves out, and allows every field."""

_CODE_SPAN = re.compile(r"`([^`\n]+)`")
_MAKE = re.compile(r"(?:^|[;&|])\s*(?:(?:\$|sudo|time|env|\w+=\S*) +)*make +([^#;&|\n]+)", re.M)
_LINK = re.compile(r"\]\(([^)\s]+)")


@pytest.fixture(name="document", params=DOCUMENTS)
def _document(request) -> str:
    return read(request.param)


def code_spans(text: str) -> list[str]:
    """What stands in single back quotes, outside the fenced blocks."""
    return _CODE_SPAN.findall(FENCE.sub("", text))


def make_targets(text: str) -> Iterator[str]:
    """Every target of every ``make …`` in a code span or a block; in prose ``make`` is a verb."""
    code = "\n".join([*code_spans(text), *(block.text for block in blocks(text))])
    for words in _MAKE.findall(code.replace("\\\n", " ")):
        yield from (word for word in words.split() if "=" not in word and not word.startswith("-"))


def makefile_targets() -> set[str]:
    """The targets of the Makefile."""
    rules = re.findall(
        r"^([a-z][a-z0-9 -]*):(?!=)", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE
    )
    return {target for rule in rules for target in rule.split()}


def paths(text: str) -> Iterator[str]:
    """Relative paths: what links lead to, and code spans that begin with a file or a directory of
    the project.
    """
    for link in _LINK.findall(text):
        if not re.match(r"[a-z]+:|#", link):
            yield link.partition("#")[0].removeprefix("../")
    for span in code_spans(text):
        first, slash, _ = span.partition("/")
        resembles_path = re.fullmatch(r"[\w.-]+(/[\w.*-]+)*/?", span)
        names_a_file = (
            re.fullmatch(r"[\w-]+\.(md|toml|yml|yaml|txt|sh|py)|Makefile", span) and "/" not in span
        )
        if resembles_path and ((slash and (PROJECT / first).exists()) or names_a_file):
            yield span


def exists(path: str) -> bool:
    """Whether there is such a file; a bare file name may be anywhere in the project."""
    if path.partition("/")[0] in MADE_BY_RUNS or any(PROJECT.glob(path.rstrip("/"))):
        return True
    directories = (entry for entry in PROJECT.iterdir() if entry.name not in MADE_BY_RUNS)
    return "/" not in path and any(any(directory.rglob(path)) for directory in directories)


def json_values(text: str) -> list[Any]:
    """The values of the blocks that say that they are JSON."""
    return [json.loads(block.text) for block in blocks(text) if block.language == "json"]


def example_events(text: str) -> list[dict[str, Any]]:
    """The JSON blocks that are events."""
    return [
        value
        for value in json_values(text)
        if isinstance(value, dict) and any(name.startswith("ecs_") for name in value)
    ]


def test_every_make_target_that_is_named_exists(document):
    assert set(make_targets(document)) - makefile_targets() == set()


def test_every_relative_path_exists(document):
    assert [path for path in paths(document) if not exists(path)] == []


def test_every_json_block_is_json_and_every_example_event_fits_the_schema(document):
    for event in example_events(document):
        parse(event, CONFIGURED)


def test_every_example_is_named_in_a_document_and_every_example_event_fits_the_schema():
    text = "".join((PROJECT / name).read_text("utf-8") for name in DOCUMENTS)
    for path in filter(Path.is_file, PROJECT.glob("examples/*/*")):
        assert str(path.relative_to(PROJECT)) in text
        if path.name == "main.tf":
            assert re.findall(r"^module .*?^}", path.read_text("utf-8"), re.M | re.S)[0] in text
        if path.parent.name == "events":
            parse(json.loads(path.read_text("utf-8")), CONFIGURED)


def test_the_example_of_scopes_is_valid_and_its_document_shows_it():
    text = (PROJECT / "examples" / "scopes.json").read_text("utf-8")
    assert json.loads(text) in json_values(read("docs/access.md"))
    assert len(Scopes.parse(text, "/ecs-updater/scopes").entries) == 3


def test_the_example_of_targets_is_valid_and_its_document_shows_it():
    text = (PROJECT / "examples" / "targets.json").read_text("utf-8")
    assert json.loads(text) in json_values(read("docs/targets.md"))
    assert Targets.parse(text, "/ecs-updater/targets", "").by_name


def test_the_event_of_a_verdict_in_its_document_is_valid_and_has_every_field():
    path = PROJECT / "lambda_code" / "ecs_updater" / "schemas" / "verdict-event.json"
    schema = json.loads(path.read_text("utf-8"))
    (event,) = json_values(text := read("docs/notifications.md"))
    Draft4Validator(schema).validate(event["detail"])
    assert event["detail"].keys() == schema["properties"].keys()
    assert {"IN_PROGRESS", *schema["properties"]["verdict"]["enum"]} == set(Verdict)
    assert set(schema["properties"]["verdict"]["enum"]) <= set(code_spans(text))


def test_the_readme_shows_an_event_that_needs_no_configuration():
    complete = [
        event
        for event in example_events(read("README.md"))
        if "ecs_tag" in event and "ecs_cluster_name" in event
    ]
    assert complete
    for event in complete:
        parse(event, Settings())


def sentences(text: str) -> Iterator[str]:
    """The sentences of paragraphs, list items and cells of tables, without blocks of code."""
    for block in re.split(r"\n\s*\n|\n(?=[-*|#]|\d+\. )|\|", FENCE.sub("", text)):
        if not block.startswith("#"):
            yield from re.split(r"(?<=[.!?:;])\s+", " ".join(block.split()))


def test_at_most_one_sentence_in_ten_has_more_than_25_words():
    lengths = [len(sentence.split()) for name in DOCUMENTS for sentence in sentences(read(name))]
    counted = [length for length in lengths if length > 2]
    assert sum(length > 25 for length in counted) <= len(counted) / 10


def test_the_diagram_shows_what_its_source_says():
    source = (PROJECT / "docs" / "architecture.dot").read_text("utf-8")
    drawn = unescape((PROJECT / "docs" / "architecture.svg").read_text("utf-8"))
    labels = re.findall(r'label="(.*?)"', source)
    assert labels
    for line in (line for label in labels for line in label.split("\\n")):
        assert f">{line}<" in drawn


def test_the_tables_of_the_terraform_modules_are_up_to_date():
    assert find_outdated() == [], "run scripts/module_docs.py"

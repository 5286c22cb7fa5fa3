"""The file of deployments: its values, and the position of each problem."""

import json
import re
import textwrap
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ecs_updater.settings import Settings
from ecs_updater_cli.commands.validate import read_entries
from ecs_updater_cli.errors import CommandError
from ecs_updater_cli.manifest.checks import checked
from ecs_updater_cli.manifest.entries import tasks_before
from ecs_updater_cli.manifest.reader import MAX_VALUES, read
from ecs_updater_cli.manifest.values import ManifestError

WEB = {
    "ecs_cluster_name": "shop",
    "ecs_service_name": "web",
    "ecs_image_name": "web:2",
    "ecs_tag": {"owner": "platform"},
}
API = {**WEB, "ecs_service_name": "api"}


ALLOWING = Settings(
    allowed_images="docker.io/*",
    allowed_services="shop/[a-l]*,*/w*,*/m*",
    allowed_fields="*",
    allowed_secrets="*",
)


def problems(content: str | bytes, name: str = "deployments.yaml") -> list[str]:
    """Each problem as a person reads it."""
    content = textwrap.dedent(content).encode() if isinstance(content, str) else content
    with pytest.raises(ManifestError) as raised:
        checked(read(content, name), ALLOWING)
    return [problem.in_file(name) for problem in raised.value.problems]


def events(value: object, name: str = "deployments.json") -> list[dict]:
    """The events of a file with this value."""
    return [entry.event for entry in checked(read(json.dumps(value).encode(), name))]


ARN = "arn:aws:ecs:eu-west-1:123456789012:"
ELSEWHERE = [
    {**WEB, "ecs_service_name": f"{ARN}service/shop/web"},
    {**WEB, "ecs_service_name": f"{ARN.replace('1234', '9999')}service/shop/web"},
]
COMMON = {"ecs_cluster_name": "shop", "ecs_tag": {"owner": "platform", "stage": "test"}}
OWN = {"ecs_service_name": "web", "ecs_image_name": "web:2", "ecs_tag": {"owner": "web team"}}
FIELDS = {**COMMON, "ecs_image_name": "web:2", "rollback_on_failure": True}
BACK = {"action": "rollback", "ecs_service_name": "web"}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ([WEB, API], [WEB, API]),
        ({"deployments": [WEB, API]}, [WEB, API]),
        ({"defaults": COMMON, "deployments": [OWN]}, [{**OWN, "ecs_cluster_name": "shop"}]),
        ({"defaults": FIELDS, "deployments": [BACK]}, [{**BACK, "ecs_cluster_name": "shop"}]),
        ([WEB, {**WEB, "ecs_cluster_name": "other"}], [WEB, {**WEB, "ecs_cluster_name": "other"}]),
        (ELSEWHERE, ELSEWHERE),
    ],
    ids=[
        "a list",
        "a map with deployments, which is the same",
        "defaults fill each entry, and a map of the entry replaces theirs",
        "a rollback takes only the defaults that it has fields for",
        "two services of one name in two clusters",
        "two services of one name in two accounts",
    ],
)
def test_a_file_is_a_list_of_events(value, found):
    assert events(value) == found


TEXT = "the value is not of type 'string', 'null'"
QUOTE = "here: write it in quotes"
PATTERN = r"'^(?![aA][wW][sS]:)[\\s\\S]{1,128}$'"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            """\
            x-common: &common {ecs_cluster_name: shop, ecs_tag: {owner: platform}}
            default: {}
            deployments:
            - <<: *common
              ecs_service_name: a b
              ecs_image_name: "web:"
              ecs_tag: {"aws:a": x, release: 42, level: 1, "b.c: d": "e;f"}
              nonsense: 1
            - {<<: *common, ecs_service_name: api, ecs_image_name: api, action: start}
            - {<<: *common, ecs_service_name: api, ecs_image_name: evil.example/api}
            - {<<: *common, ecs_service_name: other, ecs_image_name: [1], group: a, group: b}
            - web
            - {<<: *common, ecs_service_name: last, ecs_image_name: x
            """,
            [
                "2:1: default: this name means nothing here: a file has defaults, deployments and "
                "x-…",
                "5:21: deployments[0].ecs_service_name: 'a b' is neither the name of a service "
                "(letters, digits, - and _) nor its ARN",
                "6:19: deployments[0].ecs_image_name: image 'web:' is not a valid reference "
                "registry/repository:tag@digest: the tag '' must be 1 to 128 letters, digits, "
                "_ . or -, not beginning with . or -",
                "7:12: deployments[0].ecs_tag: 'aws:a' does not match any of the regexes: "
                + PATTERN,
                "7:34: deployments[0].ecs_tag.release: 42 is not of type 'string'; 42 is a number "
                'here: write "42", in quotes',
                "7:45: deployments[0].ecs_tag.level: 1 is not of type 'string'; 1 is a number "
                'here: write "1", in quotes',
                "7:58: deployments[0].ecs_tag.b.c: d: the character ';' cannot be in a tag's "
                "value, only letters, digits, spaces and _ . : / = + - @",
                "8:3: deployments[0]: unknown field nonsense: leave it out",
                "9:69: deployments[1].action: 'start' is not one of ['update', 'rollback']",
                "10:3: deployments[2]: this is shop/api again, which deployments[1] in line 9, "
                "column 3 deploys already",
                "10:56: deployments[2]: ecs_image_name evil.example/api is not allowed: "
                "ALLOWED_IMAGES=docker.io/*",
                "11:35: deployments[3]: ecs_service_name other is not allowed: "
                "ALLOWED_SERVICES=shop/[a-l]*,*/w*,*/m*",
                "11:58: deployments[3].ecs_image_name: [1] is not of type 'string'",
                "11:73: 'group' stands here twice, first in line 11, column 63",
                "12:3: deployments[4]: this has to be a map, with the fields of an event",
                "14:1: this is not valid YAML: while parsing a flow mapping, did not find "
                "expected ',' or '}'",
            ],
        ),
        (
            """\
            defaults: {ecs_cluster: shop, ecs_cluster_name: shop, ecs_tag: {}}
            deployments:
            - {ecs_service_name: web, ecs_image: web, gruop: edge}
            """,
            [
                "1:12: defaults.ecs_cluster: there is no field of this name: did you mean "
                "ecs_cluster_name?",
                "3:3: deployments[0]: 'ecs_image_name' is a required property",
                "3:27: deployments[0]: unknown field ecs_image: did you mean ecs_image_name?",
                "3:43: deployments[0]: unknown field gruop: did you mean group?",
            ],
        ),
        (
            "- {ecs_service_name: web, ecs_image_name: web, ecs_tag: {}}\n",
            ["1:3: deployments[0]: 'ecs_cluster_name' is a required property"],
        ),
        (
            """\
            defaults: {ecs_cluster_name: shop, ecs_tag: {release: 42}, colour: red, wait_seconds: 5}
            deployments:
            - {ecs_service_name: web, ecs_image_name: web}
            - {ecs_service_name: api, ecs_image_name: api}
            """,
            [
                "1:55: defaults.ecs_tag.release: 42 is not of type 'string'; 42 is a number here: "
                'write "42", in quotes',
                "1:60: defaults.colour: there is no field of this name",
                "1:87: defaults.wait_seconds: leave it out: the command itself waits, for as long "
                "as --timeout says",
            ],
        ),
        (
            """\
            [{"ecs_cluster_name": "shop", "ecs_service_name": "web", "ecs_image_name": NaN},
             {"ecs_cluster_name": "shop", "ecs_cluster_name": "b" "ecs_service_name": "web"},
             {"ecs_cluster_name": 7}]
            """,
            [
                "1:2: deployments[0]: 'ecs_tag' is a required property. To keep the service's "
                "tags, write ecs_tag: {} and ecs_tag_mode: merge",
                "1:76: this is not valid JSON: JSON has no value NaN",
                "2:31: 'ecs_cluster_name' stands here twice, first in line 2, column 3",
                "2:55: this is not valid JSON: Expecting ',' delimiter",
            ],
        ),
        (
            """\
            deployments:
            - ecs_cluster_name: shop
              ecs_service_name: web
              ecs_environment: {PORT: 8080, DEBUG: yes, EMPTY: }
              ecs_command: [sleep, 5]
              ecs_cpu: "256"
              ecs_container_settings:
                log: {ecs_environmet: {A: b}, ecs_memory: 0.5, ecs_secrets: {A: hunter2}}
            """,
            [
                f"4:27: deployments[0].ecs_environment.PORT: {TEXT}; it is a number {QUOTE}",
                f"4:40: deployments[0].ecs_environment.DEBUG: {TEXT}; it is true or false {QUOTE}",
                "5:24: deployments[0].ecs_command.1: the value is not of type 'string'; it is a "
                f"number {QUOTE}",
                "6:12: deployments[0].ecs_cpu: '256' is not of type 'integer'; it is text here: "
                "write 256, without quotes",
                "8:11: deployments[0].ecs_container_settings.log: unknown field ecs_environmet: "
                "did you mean ecs_environment?",
                "8:47: deployments[0].ecs_container_settings.log.ecs_memory: 0.5 is not of type "
                "'integer'",
                "8:69: deployments[0].ecs_container_settings.log.ecs_secrets.A: write the "
                "ARN of a secret in Secrets Manager or of a parameter in SSM",
            ],
        ),
        (
            """\
            defaults: {ecs_cluster_name: shop, group: a}
            deployments:
            - {ecs_service_name: web, run_before: {command: [x]}}
            - {ecs_service_name: api, run_before: {command: [x]}, group: b}
            - {ecs_service_name: mail, run_before: {commands: [x]}}
            """,
            [
                "5:40: deployments[2].run_before: group a has a run_before already, of "
                "deployments[0] in line 3, column 3: a group runs one",
                "5:40: deployments[2].run_before: 'command' is a required property",
                "5:41: deployments[2].run_before: unknown field commands: did you mean command?",
            ],
        ),
    ],
    ids=[
        "every problem of a file, up to the place where its syntax ends the reading",
        "a misspelled field, with the nearest one",
        "a missing field, at the start of its entry",
        "a problem of the defaults, once",
        "the same in JSON",
        "settings, without values that can be secrets",
        "a second task of a group",
    ],
)
def test_a_problem_has_its_position(text, found):
    name = "x.json" if text.lstrip().startswith("[") else "x.yaml"
    assert problems(text, name) == [f"{name}:{problem}" for problem in found]


@pytest.mark.parametrize("within", ["", "defaults"])
def test_of_many_unknown_names_the_first_fifty_are_problems(within):
    names = {f"name-{number:03}": 1 for number in range(400)}
    text = json.dumps({within: names} if within else names)
    found = problems(text, "x.json")
    assert [f"name-{number:03}" in found[number] for number in range(50)] == [True] * 50
    assert len(found) == 50


def test_json_strings_are_read_as_json():
    web = {**WEB, "ecs_tag": {"smile": "\U0001f600", "slash": "/", "back": "\\ud83d"}}
    text = json.dumps([web]).replace("/", "\\/")
    assert "\\ud83d" in text
    smile, back = problems(text, "x.json")
    assert "'\U0001f600'" in smile and "'\\\\'" in back


@pytest.mark.parametrize(
    ("word", "shown", "advice"),
    [
        ("1.10", "1.10", 'is a number here: write "1.10", in quotes'),
        ("12", "12", 'is a number here: write "12", in quotes'),
        ("1:30", "90", 'is a number here: write "1:30", in quotes'),
        ("on", "True", 'is true or false here: write "on", in quotes'),
        ("2026-01-31", "2026-01-31", 'is a date here: write "2026-01-31", in quotes'),
        ("2026-02-31", "2026-02-31", 'is a date here: write "2026-02-31", in quotes'),
        (
            "null",
            "None",
            'is nothing: leave it out, or write "null", in quotes, where the word is meant',
        ),
    ],
)
def test_a_word_that_yaml_reads_as_another_type_gets_the_schemas_sentence_and_a_hint(
    word, shown, advice
):
    text = (
        "- {ecs_cluster_name: shop, ecs_service_name: web, ecs_image_name: web, ecs_tag: "
        f"{{release: {word}}}}}\n"
    )
    assert problems(text) == [
        f"deployments.yaml:1:{text.rindex(word) + 1}: deployments[0].ecs_tag.release: {shown} is "
        "not of type 'string'; "
        f"{word} {advice}"
    ]


@pytest.mark.parametrize("field", ["wait_seconds", "dry_run", "request_id"])
def test_a_field_that_the_command_sets_is_refused(field):
    values = {"wait_seconds": 5, "dry_run": True, "request_id": "x"}
    (problem,) = problems(json.dumps([{**WEB, field: values[field]}]), "x.json")
    assert f"deployments[0].{field}: leave it out: " in problem


@pytest.mark.parametrize(
    "other",
    [
        WEB,
        {**WEB, "ecs_cluster_name": f"{ARN}cluster/shop"},
        {**WEB, "ecs_service_name": f"{ARN}service/shop/web"},
        {**WEB, "ecs_service_name": f"{ARN}service/web"},
        {"action": "rollback", "ecs_cluster_name": "shop", "ecs_service_name": "web"},
    ],
)
def test_two_entries_for_one_service_are_refused_with_both_positions(other):
    text = json.dumps([WEB, API, other], indent=0)
    third = text[: text.rindex("\n{\n")].count("\n") + 2
    assert problems(text, "x.json") == [
        (
            f"x.json:{third}:1: deployments[2]: this is shop/web again, which deployments[0] in "
            "line 2, column 1 deploys already"
        )
    ]


def test_aliases_and_merges_are_read():
    text = """\
        - &web
          {ecs_cluster_name: a, ecs_service_name: web, ecs_image_name: web, ecs_tag: &tags {a: b}}
        - {<<: *web, ecs_service_name: api}
        - {<<: [*web], ecs_service_name: mail, ecs_tag: *tags}
        """
    found = [entry.event for entry in checked(read(textwrap.dedent(text).encode(), "x.yml"))]
    assert [event["ecs_service_name"] for event in found] == ["web", "api", "mail"]
    assert {event["ecs_image_name"] for event in found} == {"web"} and found[2]["ecs_tag"] == {
        "a": "b"
    }


def test_aliases_that_expand_to_too_many_values_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 10)
    ]
    (problem,) = problems("\n".join(lines))
    assert problem.endswith(f": with its aliases the file has more than {MAX_VALUES:,} values")


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b"", "x.yaml", "x.yaml:1:1: the file is empty"),
        (b"[]", "x.json", "x.json:1:1: deployments: the list is empty"),
        (
            b"{}",
            "x.json",
            (
                "x.json:1:1: there are no deployments: a file is a list, or a map in which "
                "the list has this name"
            ),
        ),
        (
            b'{"ecs_image_name": "a"}',
            "x.json",
            "x.json:1:1: this is a single event: a file is a list of events",
        ),
        (
            b"7",
            "x.json",
            "x.json:1:1: deployments: this has to be a list of deployments, one for each service",
        ),
        (b"[1,\n 2", "x.json", "x.json:2:3: this is not valid JSON: Expecting ',' delimiter"),
        (
            b'["NaN\\"",\n NaN]',
            "x.json",
            "x.json:2:2: this is not valid JSON: JSON has no value NaN",
        ),
        (
            b"[-Infinity]",
            "x.json",
            "x.json:1:2: this is not valid JSON: JSON has no value -Infinity",
        ),
        (b"[NaN]", "x.json", "x.json:1:2: this is not valid JSON: JSON has no value NaN"),
        (b"- a\n- \xff", "x.yaml", "x.yaml:2:3: the byte 0xff is not valid UTF-8"),
        (
            "# é é é\n- \x01\n- \x01".encode(),
            "x.yaml",
            "x.yaml:2:3: the character '\\x01' cannot be in YAML",
        ),
        (
            b"- !!python/name:os.system x",
            "x.yaml",
            "x.yaml:1:3: the tag !!python/name:os.system means nothing here: leave it out",
        ),
        (b"[" * 100_000, "x.json", "x.json:1:51: it is nested deeper than 50 times"),
        (b"[" * 100_000, "x.yaml", "x.yaml:1:51: it is nested deeper than 50 times"),
        (b"- " * 100_000, "x.yaml", "x.yaml:1:101: it is nested deeper than 50 times"),
        (b"[" * 900 + b"]" * 900, "x.json", "x.json:1:51: it is nested deeper than 50 times"),
        (b"{deployments: [], more: 1}", "x.yaml", "x.yaml:1:15: deployments: the list is empty"),
        (
            b"defaults: 7\ndeployments: [1]",
            "x.yaml",
            (
                "x.yaml:1:11: defaults: this has to be a map, with fields that the "
                "deployments leave out"
            ),
        ),
        (
            b"- {group: ''}",
            "x.yaml",
            "x.yaml:1:11: deployments[0].group: a group's name is a text of 1 to 128 characters",
        ),
    ],
)
def test_an_unusable_file_is_refused_with_the_position(content, name, sentence):
    assert sentence in problems(content, name)


def test_invalid_yaml_is_refused_with_the_position():
    (problem,) = problems("- a: b\n  c\n- d: [\n")
    assert problem.startswith("deployments.yaml:3:") and "this is not valid YAML: " in problem


_WORDS = ["web", "maybe", "1.10", "2026-02-31", "~", "<<", "é", "\x01", '"q"', "x: y"]
_NAMES = ["deployments: ", "defaults: ", "ecs_tag: ", "group: "]
_TAGS = [
    f"!!{name} "
    for name in (
        "bool",
        "int",
        "float",
        "null",
        "timestamp",
        "str",
        "map",
        "seq",
        "binary",
        "python/none",
    )
]
_SIGNS = ["- ", "? ", ": ", "[", "]", "{", "}", ", ", "\n", "\n  ", "# ", "--- ", "| ", '"', "\\u"]
_ALIASES = ["&a ", "*a ", "&b ", "*b ", "<<: *a, "]
_VALUES = st.recursive(
    st.sampled_from(
        [
            *_WORDS[:9],
            "*a",
            "&a x",
            *(f"{tag}{word}" for tag in _TAGS for word in ("maybe", '""', "1")),
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda some: f"[{', '.join(some)}]")
        | st.lists(
            st.tuples(
                st.sampled_from(["ecs_tag", "ecs_cluster_name", "group", "<<", "? x"]), inner
            ),
            max_size=3,
        ).map(lambda some: f"{{{', '.join(f'{name}: {value}' for name, value in some)}}}")
    ),
    max_leaves=8,
)


@given(
    st.lists(st.sampled_from([*_WORDS, *_NAMES, *_TAGS, *_SIGNS, *_ALIASES]), max_size=30).map(
        "".join
    )
    | st.lists(_VALUES, min_size=2, max_size=4).map(
        lambda some: "\n- ".join([f"defaults: {some[0]}\ndeployments:", *some[1:]])
    ),
    st.sampled_from(["x.yaml", "x.json", "standard input"]),
)
def test_any_text_is_valid_or_has_problems_with_positions_in_it(text, name):
    try:
        checked(read(text.encode(), name))
    except ManifestError as invalid:
        lines = [*text.split("\n"), ""]  # A missing part may be a problem at the end.
        for problem in invalid.problems:
            assert problem.sentence.isprintable() and problem.position
            assert (
                problem.position.line <= len(lines)
                and problem.position.column <= len(lines[problem.position.line - 1]) + 1
            )


def test_the_files_of_the_documents_are_valid():
    document = Path(__file__).resolve().parents[3] / "docs" / "many-services.md"
    text = document.read_text("utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    settings = Settings(allowed_fields="*")
    found = [checked(read(block.encode(), "deployments.yaml"), settings) for block in blocks]
    groups = [[entry.group for entry in entries] for entries in found]
    assert groups == [[None, "edge"], ["release", "release"], [None, "production"]]
    assert list(map(tasks_before, found)) == [{}, {2: 1}, {}]


def test_no_more_entries_than_a_batch_can_have():
    with pytest.raises(ManifestError, match="has to be a map"):
        checked(read(json.dumps([0] * 10_000).encode(), "x.json"))
    (problem,) = problems(json.dumps([0] * 10_001), "x.json")
    assert problem == "x.json:1:1: there are more than 10,000 deployments, and 10,000 are the most"


ENTRY = "- {ecs_cluster_name: shop, ecs_service_name: web, ecs_image_name: web, ecs_tag: {}}\n"
TOO_MANY = "there are more than 10,000 deployments, and 10,000 are the most"
TOO_LARGE = {
    "a list in YAML": (ENTRY * 30_000, "x.yaml", f"x.yaml:1:1: {TOO_MANY}"),
    "a map with a list": (
        f"defaults: {{}}\ndeployments:\n{ENTRY * 30_000}",
        "x.yaml",
        f"x.yaml:3:1: {TOO_MANY}",
    ),
    "a list in JSON": (json.dumps([{"ecs_tag": {}}] * 50_000), "x.json", f"x.json:1:1: {TOO_MANY}"),
    "a list in JSON that is not called so": (
        json.dumps([{"ecs_tag": {}}] * 50_000),
        "-",
        f"-:1:1: {TOO_MANY}",
    ),
    "documents": (
        "--- 1\n" * 200_000,
        "x.yaml",
        "x.yaml:2:1: this is not valid YAML: expected a single document, but found another one",
    ),
    "a list that has no end": ("[" + "1," * 500_000, "x.json", f"x.json:1:1: {TOO_MANY}"),
    "aliases": ("- &a {b: 1}\n" + "- *a\n" * 200_000, "x.yaml", f"x.yaml:1:1: {TOO_MANY}"),
    "a list in an entry": ("- [" + "1," * 500_000 + "1]", "x.yaml", f"x.yaml:1:3: {TOO_MANY}"),
    "names in one map": (
        "defaults:\n" + "".join(f"  k{number}: 1\n" for number in range(50_000)),
        "x.yaml",
        "x.yaml:2:3: there are more than 10,000 names in one map, and 10,000 are the most",
    ),
}


@pytest.fixture(name="read_events")
def _read_events(monkeypatch):
    """Counts the events that are read of a file; no text is parsed as a whole."""
    counts, parse, loads = Counter(), yaml.parse, json.loads

    def counted(*arguments, **options):
        for event in parse(*arguments, **options):
            counts["events"] += 1
            yield event

    def load_scalar(scalar, **options):
        assert len(scalar) < 100, "the text is parsed as a whole"
        return loads(scalar, **options)

    monkeypatch.setattr(yaml, "parse", counted)
    monkeypatch.setattr(json, "loads", load_scalar)
    return counts


@pytest.mark.parametrize("text, name, sentence", TOO_LARGE.values(), ids=TOO_LARGE)
def test_reading_stops_as_soon_as_a_limit_is_exceeded(read_events, text, name, sentence):
    assert problems(text, name)[-1] == sentence and read_events["events"] < 130_000


NINE = "[1, 2, 3, 4, 5, 6, 7, 8, 9]"
IN_JSON = "[" + ",\n".join([NINE] * 500) + "]"
TOO_MANY_VALUES = {
    "entries in YAML": (f"- {NINE}\n" * 500, "x.yaml", "x.yaml:101:4"),
    "entries in JSON": (IN_JSON, "x.json", "x.json:101:2"),
    "entries in JSON that is not called so": (IN_JSON, "-", "-:101:2"),
    "lists of one entry": (f"- a: {IN_JSON}", "x.yaml", "x.yaml:101:2"),
    "maps": ("- {a: 1, b: 2, c: 3}\n" * 1000, "x.yaml", "x.yaml:251:7"),
    "aliases": (f"- &a {NINE}\n" + "- *a\n" * 500, "x.yaml", "x.yaml:101:3"),
}


@pytest.mark.parametrize("text, name, place", TOO_MANY_VALUES.values(), ids=TOO_MANY_VALUES)
def test_reading_stops_too_where_there_are_too_many_values_in_all(
    monkeypatch, read_events, text, name, place
):
    monkeypatch.setattr("ecs_updater_cli.manifest.reader.MAX_VALUES", 1000)
    sentence = f"{place}: with its aliases the file has more than 1,000 values"
    assert problems(text, name) == [sentence] and read_events["events"] < 2100


@pytest.mark.parametrize("item", ["1", "NaN"])
@pytest.mark.parametrize("piece", ["xx", "\\n"])
def test_a_long_text_takes_memory_in_proportion_to_its_size(item, piece):
    content = f'["{piece * 250_000}", {item}]'.encode()
    tracemalloc.start()
    try:
        with pytest.raises(ManifestError):
            checked(read(content, "x.json"))
        assert tracemalloc.get_traced_memory()[1] < 60 * len(content)
    finally:
        tracemalloc.stop()


def test_an_endless_file_is_read_to_its_limit_only():
    with pytest.raises(
        CommandError, match="/dev/zero:1:1: the file has more than 16,777,216 bytes"
    ):
        read_entries(Path("/dev/zero"))


@pytest.mark.parametrize(
    "fields, sentence",
    [
        ({"ecs_tag": {"AwS:a": {"b": "c"}}}, "ecs_tag: 'AwS:a' does not match any of the regexes"),
        ({"run_before": {"command": ["x"], "ecs_cpu": 1}}, "run_before: unknown field ecs_cpu"),
    ],
    ids=["tag", "run_before"],
)
def test_an_unknown_member_of_a_map_is_reported_whatever_its_value(fields, sentence):
    event = {"ecs_cluster_name": "c", "ecs_service_name": "s", "ecs_image_name": "a", "ecs_tag": {}}
    found = problems(json.dumps([event | fields]), "x.json")
    assert [problem for problem in found if f"deployments[0].{sentence}" in problem], found

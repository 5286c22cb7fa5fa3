"""The schema file works for the function, for API Gateway's models and for readers."""

import json
import re
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft4Validator

from ecs_updater.errors import NEEDED, InvalidEventError
from ecs_updater.model import event_parser as events
from ecs_updater.model.revision_settings import CONTAINER_FIELDS
from ecs_updater.model.strategy import COMPLETE, STAGES
from ecs_updater.settings import Settings

SCHEMA = json.loads(
    resources.files("ecs_updater").joinpath("schemas/update.json").read_text("utf-8")
)

# What draft 04 and API Gateway's models have in common, without what its own notes name as
# unsupported or ignored:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
ANNOTATIONS = {"$schema", "title", "description"}
KEYWORDS = {
    "type",
    "required",
    "properties",
    "patternProperties",
    "additionalProperties",
    "minProperties",
    "maxProperties",
    "enum",
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "items",
    # API Gateway ignores it. The function checks it.
    "minItems",
}

BASE = {"ecs_cluster_name": "c", "ecs_service_name": "s", "ecs_image_name": "i", "ecs_tag": {}}

_NAMED = (
    [{}, {"A": ""}, {"A": None}, {f"A{number}": "" for number in range(500)}],
    [{"A": 1}, {"A": True}, {"A": []}, {f"A{n}": "" for n in range(501)}, ["A=1"], "A=1", None],
)
SETTINGS: list[tuple[str, list[Any], list[Any]]] = [
    ("ecs_environment", *_NAMED),
    ("ecs_secrets", *_NAMED),
    ("ecs_command", [[], ["sh", "-c", ""]], [[1], [None], "sh", {}, None]),
    ("ecs_cpu", [0, 196608], [-1, 196609, 0.5, "256", True, None]),
    ("ecs_memory", [6, 33554432], [5, 33554433, "512", None]),
    ("ecs_task_cpu", [128, 196608], [127, 196609, "256", "1 vCPU", None]),
    ("ecs_task_memory", [6, 33554432], [5, 33554433, "512", "2 GB", None]),
    ("ecs_desired_count", [0, 100_000], [-1, 100_001, 1.5, "3", True, None]),
    (
        "ecs_deployment",
        [
            {},
            {"minimumHealthyPercent": 0, "maximumPercent": 200},
            {"deploymentCircuitBreaker": {"enable": True, "rollback": False}},
        ],
        [{"strategy": "ROLLING"}, {"maximumPercent": "200"}, {"deploymentCircuitBreaker": True}],
    ),
    ("ecs_task_definition", ["family:1"], ["", 1, None]),
    (
        "run_before",
        [{"command": ["sh"]}, {"command": [""], "container": "c", "timeout_seconds": 3600}],
        [
            *({"command": value} for value in ([], [1], "sh", None)),
            *({"command": ["sh"], "timeout_seconds": value} for value in (0, 3601, "60", None)),
            *({}, {"command": ["sh"], "container": ""}, {"command": ["sh"], "surplus": 1}),
        ],
    ),
]

# The contract's table: for each field, values on the one and on the other side of each of its
# bounds.
TABLE: dict[str, tuple[list[Any], list[Any]]] = {
    "action": (["update"], ["rollback", "", None, 1]),
    "ecs_cluster_name": (
        ["c", "arn:aws:ecs:eu-west-1:123456789012:cluster/c"],
        ["", 1, None, ["c"]],
    ),
    "ecs_service_name": (
        ["s", "arn:aws:ecs:eu-west-1:123456789012:service/c/s"],
        ["", 1, None, {}],
    ),
    "target": (["shop-prod", "t" * 40], ["", "t" * 41, 1, None]),
    "ecs_image_name": (["busybox", ""], [1, None, ["busybox"]]),
    "ecs_tag": (
        [
            {},
            {"k": ""},
            {"k" * 128: "v" * 256},
            {f"k{number}": "v" for number in range(50)},
            {"my-aws:key": "v", "aws": "v", "xaws:": "v"},
        ],
        [
            {"": "v"},
            {"k" * 129: "v"},
            {"k": "v" * 257},
            {"k": 1},
            {"k": None},
            {f"k{number}": "v" for number in range(51)},
            {"aws:k": "v"},
            {"AWS:k": "v"},
            {"aWs:": "v"},
            [],
            "k=v",
            None,
        ],
    ),
    "ecs_container_name": (["c"], ["", 1, None]),
    "ecs_container_images": (
        # ECS's own limit of containers in a task definition.
        [{}, {"c": "busybox"}, dict.fromkeys("0123456789", "busybox")],
        [
            {"c": 1},
            {"c": None},
            dict.fromkeys("0123456789a", "busybox"),
            ["busybox"],
            "busybox",
            None,
        ],
    ),
    **{name: (good, bad) for name, good, bad in SETTINGS},
    "ecs_container_settings": (
        [
            {"c": {name: good[0] for name, good, _ in SETTINGS if name in CONTAINER_FIELDS}},
            {key: {"ecs_cpu": 1} for key in "0123456789"},
        ],
        [
            # They have no field that ALLOWED_FIELDS could allow.
            {},
            {"c": {}},
            *({"c": {name: value}} for name, _, bad in SETTINGS for value in bad),
            *({"c": {name: good[0]}} for name, good, _ in SETTINGS if name not in CONTAINER_FIELDS),
            {"c": {"ecs_image_name": "busybox"}},
            {"c": None},
            {key: {"ecs_cpu": 1} for key in "0123456789a"},
            [],
            None,
        ],
    ),
    "ecs_tag_mode": (["replace", "merge"], ["Replace", "", None, True]),
    "force_new_deployment": ([True, False], ["true", 0, 1, None]),
    "dry_run": ([True, False], ["false", 0, 1, None]),
    "wait_seconds": ([0, 840], [-1, 841, "60", 1.5, True, None]),
    "wait_until": ([COMPLETE, *STAGES], ["", "bake_time", "OF_THE_FUTURE", None]),
    "rollback_on_failure": ([True, False], ["true", 1, None]),
    "request_id": (["r", "r" * 128], ["r" * 129, 1, None]),
}
CASES = [(field, value, True) for field, (good, _) in TABLE.items() for value in good] + [
    (field, value, False) for field, (_, bad) in TABLE.items() for value in bad
]


def schemas(schema: dict[str, Any], path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """``schema`` and every one inside it, with its place."""
    yield path, schema
    for keyword in ("properties", "patternProperties"):
        for name, inner in schema.get(keyword, {}).items():
            yield from schemas(inner, f"{path}/{keyword}/{name}")
    if isinstance(inner := schema.get("additionalProperties"), dict):
        yield from schemas(inner, f"{path}/additionalProperties")


def violation(event: Any) -> InvalidEventError:
    """How the function refuses ``event``."""
    with pytest.raises(InvalidEventError) as caught:
        events.parse(event, Settings())
    return caught.value


@pytest.mark.parametrize("path, schema", list(schemas(SCHEMA)))
def test_it_uses_only_what_api_gateway_models_take(path, schema):
    """No const, if, format, propertyNames, $ref: what is not on the list is refused or, worse,
    ignored.
    """
    assert set(schema) <= ANNOTATIONS | KEYWORDS, path


def test_its_patterns_mean_the_same_in_python_java_and_javascript():
    """No escape that only one of them has, and both ends held: a missing anchor is not a bound."""
    patterns = [schema["pattern"] for _, schema in schemas(SCHEMA) if "pattern" in schema]
    patterns += [
        pattern for _, schema in schemas(SCHEMA) for pattern in schema.get("patternProperties", {})
    ]
    assert patterns
    for pattern in patterns:
        assert not re.search(
            r"\\[AZzGQEpPuUxNhRvVX]|\(\?[P<]|\(\?[a-z]+[:)]|[*+?}]\+|\[\[", pattern
        ), pattern
        assert pattern.startswith("^") and pattern.endswith("$")


def test_it_takes_no_field_that_the_contract_does_not_have_and_lacks_none_that_it_has():
    assert set(SCHEMA["properties"]) == set(TABLE)
    assert not Draft4Validator(SCHEMA).is_valid(BASE | {"ecs_tags": {}})


@pytest.mark.parametrize("field", sorted(BASE))
def test_an_event_needs_image_and_tags_only_without_another_setting(field):
    """The file does not require them: API Gateway has one model for both kinds of events."""
    event = {name: value for name, value in BASE.items() if name != field}
    is_needed_always = field in SCHEMA["required"]
    assert events.SCHEMAS["update"].validator(BASE).is_valid(BASE)
    assert str(violation(event)).endswith(f"{field!r} is a required property")
    for name, (value, *_), _ in SETTINGS:
        whole = event | {name: value}
        assert events.SCHEMAS["update"].validator(whole).is_valid(whole) != is_needed_always
        assert Draft4Validator(SCHEMA).is_valid(whole) != is_needed_always


@pytest.mark.parametrize(
    "field, value, fits",
    CASES,
    ids=[f"{field}-{'good' if fits else 'bad'}-{str(value)[:16]}" for field, value, fits in CASES],
)
def test_each_field_has_the_type_and_the_bounds_of_the_contract(field, value, fits):
    assert Draft4Validator(SCHEMA).is_valid(BASE | {field: value}) == fits


def test_every_field_says_what_it_is_for():
    """The documentation is made of these sentences."""
    for name, field in SCHEMA["properties"].items():
        assert field.get("description", "").endswith("."), name


@pytest.mark.parametrize("size", [400, 5_000_000])
@pytest.mark.parametrize(
    "event_of",
    [
        lambda s: BASE | {"ecs_tag": {"k": s}},
        lambda s: BASE | {"ecs_tag": {s: ""}},
        lambda s: BASE | {s: s},
        lambda s: s,
    ],
    ids=["a tag's value", "a tag's key", "a field", "the event"],
)
def test_a_violation_of_any_event_has_at_most_300_characters(event_of, size):
    error = violation(event_of("x" * size))
    assert all(len(text) <= 300 for text in (error.violation, *error.violations))
    assert str(error) == f"[ERROR][json_validation] wrong input event format: {error.violation}"


def test_all_violations_go_to_the_log_and_then_what_is_needed():
    assert len(violation({"ecs_cluster_name": 1, "ecs_tag": []}).violations) == 4
    assert f"[ERROR][json_validation] Needed: {', '.join(BASE)}" == NEEDED

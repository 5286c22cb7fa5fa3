"""Events: the defaults, the schema's violations in its own words, and what a schema cannot say."""

import json

import pytest
from jsonschema import Draft4Validator

from ecs_updater.errors import InvalidEventError, InvalidImageError
from ecs_updater.model.event_parser import SCHEMAS, UPDATE, parse
from ecs_updater.model.image import ImageReference
from ecs_updater.model.request import RollbackRequest
from ecs_updater.settings import Settings

ARN = "arn:aws:ecs:eu-west-1:123456789012"
PREFIX = "[ERROR][json_validation] wrong input event format: "


def nested(depth):
    """A list in a list in a list …"""
    value = []
    for _ in range(depth):
        value = [value]
    return value


def refusal(event, **settings):
    """The violation that ``event`` is refused with."""
    with pytest.raises(InvalidEventError) as refused:
        parse(event, Settings(**settings))
    assert str(refused.value).startswith(PREFIX) and str(refused.value).isprintable()
    assert all(len(violation) <= 300 for violation in refused.value.violations)
    return str(refused.value).removeprefix(PREFIX)


def test_a_full_event_becomes_a_request(event):
    request = parse(
        event(
            action="update",
            ecs_container_name="app",
            ecs_container_images={"side": "busybox:2"},
            ecs_tag_mode="merge",
            force_new_deployment=True,
            dry_run=True,
        ),
        Settings(),
    )
    assert (request.cluster, request.service, str(request.image)) == (
        "ECSCluster",
        "ecs-dummy-service",
        "busybox:1.36",
    )
    assert (request.tags, request.tag_mode, request.container) == ({"new": "value"}, "merge", "app")
    assert request.container_images == {"side": ImageReference.parse("busybox:2")}
    assert request.force_new_deployment and request.dry_run


def test_what_an_event_leaves_out_has_the_contracts_defaults(event):
    request = parse(event(), Settings())
    assert (request.tag_mode, request.container, request.container_images) == ("replace", None, {})
    assert (request.force_new_deployment, request.dry_run) == (False, False)


def test_an_empty_event_gets_everything_from_the_configuration():
    request = parse({}, Settings(cluster="c", service="s", container="app", image="busybox"))
    assert (request.cluster, request.service, request.container, str(request.image)) == (
        "c",
        "s",
        "app",
        "busybox",
    )
    assert request.tags is None


def test_the_event_wins_over_the_configuration(event):
    request = parse(
        event(ecs_container_name="app"),
        Settings(cluster="c", service="s", container="other", image="other"),
    )
    assert (request.cluster, request.service) == ("ECSCluster", "ecs-dummy-service")
    assert (request.container, str(request.image), request.tags) == (
        "app",
        "busybox:1.36",
        {"new": "value"},
    )


def test_without_a_configured_image_tags_are_required(event):
    assert refusal(event(ecs_tag=None)) == "'ecs_tag' is a required property"


def test_with_a_configured_image_an_event_without_tags_leaves_them_alone(event):
    assert parse(event(ecs_tag=None), Settings(image="busybox")).tags is None


def test_with_a_configured_image_an_event_with_empty_tags_asks_for_none(event):
    assert parse(event(ecs_tag={}), Settings(image="busybox")).tags == {}


def test_parsing_changes_neither_the_event_nor_what_the_next_one_gets(event):
    sent = event(ecs_tag=None)
    before = json.dumps(sent)
    parse(sent, Settings(image="busybox", container="app"))
    assert json.dumps(sent) == before
    assert refusal(sent) == "'ecs_tag' is a required property"


@pytest.mark.parametrize(
    "value",
    [None, True, 0, 1.5, float("nan"), float("inf"), 10**4000, "", "{}", [], [{}], "\ud800"],
    ids=range(12),
)
def test_any_json_value_that_is_no_object_is_refused(value):
    assert refusal(value).endswith(" is not of type 'object'")


@pytest.mark.parametrize(
    "name", ["ecs_cluster_name", "ecs_service_name", "ecs_image_name", "ecs_tag"]
)
def test_a_missing_field_is_named(event, name):
    assert refusal(event(**{name: None})) == f"'{name}' is a required property"


@pytest.mark.parametrize(
    "fields, violation",
    [
        ({"ecs_cluster_name": 1}, "ecs_cluster_name: 1 is not of type 'string'"),
        ({"ecs_cluster_name": ""}, "ecs_cluster_name: '' should be non-empty"),
        ({"ecs_service_name": ["s"]}, "ecs_service_name: ['s'] is not of type 'string'"),
        ({"ecs_service_name": ""}, "ecs_service_name: '' should be non-empty"),
        ({"ecs_image_name": {}}, "ecs_image_name: {} is not of type 'string'"),
        ({"ecs_tag": "owner=me"}, "ecs_tag: 'owner=me' is not of type 'object'"),
        (
            {"ecs_tag": [{"key": "a", "value": "b"}]},
            "ecs_tag: [{'key': 'a', 'value': 'b'}] is not of type 'object'",
        ),
        ({"ecs_tag": {"owner": 1}}, "ecs_tag.owner: 1 is not of type 'string'"),
        ({"ecs_tag": {"owner": {"a": "b"}}}, "ecs_tag.owner: {'a': 'b'} is not of type 'string'"),
        ({"ecs_container_name": ""}, "ecs_container_name: '' should be non-empty"),
        ({"ecs_container_images": []}, "ecs_container_images: [] is not of type 'object'"),
        (
            {"ecs_container_images": {"app": 1}},
            "ecs_container_images.app: 1 is not of type 'string'",
        ),
        ({"ecs_tag_mode": "add"}, "ecs_tag_mode: 'add' is not one of ['replace', 'merge']"),
        ({"force_new_deployment": "yes"}, "force_new_deployment: 'yes' is not of type 'boolean'"),
        ({"dry_run": 1}, "dry_run: 1 is not of type 'boolean'"),
        ({"wait_seconds": float("nan")}, "wait_seconds: nan is not of type 'integer'"),
        ({"wait_seconds": True}, "wait_seconds: True is not of type 'integer'"),
        ({"action": "delete"}, "action: 'delete' is not one of ['update', 'rollback']"),
        ({"ecs_image": "busybox"}, "unknown field ecs_image: did you mean ecs_image_name?"),
        ({"Ecs_tag": {}}, "unknown field Ecs_tag: did you mean ecs_tag?"),
    ],
    ids=json.dumps,
)
def test_a_violation_is_the_path_of_the_field_and_jsonschemas_words(event, fields, violation):
    assert refusal(event(**fields)) == violation


@pytest.mark.parametrize(
    "misspelled, meant",
    [
        *(
            ("ecs_image", "ecs_image_name"),
            ("ecsImageName", "ecs_image_name"),
            ("image", "ecs_image_name"),
        ),
        *(
            ("ecs_imgae_name", "ecs_image_name"),
            ("ECS_IMAGE_NAME", "ecs_image_name"),
            ("ecs-image-name", "ecs_image_name"),
        ),
        *(
            ("ecs_service", "ecs_service_name"),
            ("service", "ecs_service_name"),
            ("ecs_srvice_name", "ecs_service_name"),
        ),
        *(
            ("cluster", "ecs_cluster_name"),
            ("clusterName", "ecs_cluster_name"),
            ("ecs_tags", "ecs_tag"),
            ("tags", "ecs_tag"),
        ),
    ],
)
def test_a_field_that_is_missing_because_it_is_misspelled_is_named_with_the_one_that_was_meant(
    event, misspelled, meant
):
    sent = event(**{meant: None, misspelled: "x"})
    assert refusal(sent) == f"'{meant}' is a required property; {unknown(misspelled, meant)}"
    with pytest.raises(InvalidEventError) as refused:
        parse(sent, Settings())
    assert set(refused.value.violations) == {
        f"'{meant}' is a required property",
        unknown(misspelled, meant),
    }


@pytest.mark.parametrize(
    "misspelled, meant",
    [
        *(
            ("wait", "wait_seconds"),
            ("waitSeconds", "wait_seconds"),
            ("dry-run", "dry_run"),
            ("force", "force_new_deployment"),
        ),
        *(
            ("rollback", "rollback_on_failure"),
            ("requestId", "request_id"),
            ("container", "ecs_container_name"),
        ),
        *(("container_images", "ecs_container_images"), ("tag_mode", "ecs_tag_mode")),
    ],
)
def test_an_optional_field_that_is_misspelled_is_not_lost(event, misspelled, meant):
    assert refusal(event(**{misspelled: 1})) == unknown(misspelled, meant)


@pytest.mark.parametrize(
    "name, shown", [("colour", "colour"), ("", "''"), ("a b", "'a b'"), ("\n", "'\\n'")]
)
def test_an_unknown_field_that_is_like_none_is_named_with_what_to_do(event, name, shown):
    assert refusal(event(**{name: 1})) == f"unknown field {shown}: leave it out"


def test_several_unknown_fields_are_named_and_many_do_not_hide_what_is_missing(event):
    two = refusal(event(ecs_images="x", colour=1))
    assert two == f"{unknown('ecs_images', 'ecs_image_name')}; unknown field colour: leave it out"
    many = refusal(
        event(ecs_tag=None, **{f"ecs_tag{number}_{'x' * 400}": 1 for number in range(2000)})
    )
    assert many.startswith(
        "'ecs_tag' is a required property; unknown field ecs_tag0_x"
    ) and many.endswith("; and more")
    assert len(many) <= 300


def test_an_unknown_field_of_a_rollback_is_compared_with_the_fields_of_a_rollback():
    sent = {"action": "rollback", "ecs_cluster_name": "c", "ecs_service": "s"}
    assert refusal(sent) == (
        f"'ecs_service_name' is a required property; {unknown('ecs_service', 'ecs_service_name')}"
    )


def unknown(name, meant):
    """The sentence about a misspelled field."""
    return f"unknown field {name}: did you mean {meant}?"


WITH_LEDGER = Settings(ledger_table="ledger")
ROLLBACK = {"action": "rollback", "ecs_cluster_name": "c", "ecs_service_name": "s"}


def test_what_only_a_ledger_can_keep_is_refused_without_one_and_not_promised_in_vain(event):
    assert refusal(event(request_id="x")) == (
        "request_id: this function has no ledger (LEDGER_TABLE), so it would not recognise a "
        "repetition: leave it out"
    )
    assert refusal(event(rollback_on_failure=True)).startswith(
        "rollback_on_failure: this function has no ledger (LEDGER_TABLE)"
    )


def test_a_rollback_on_failure_can_be_asked_for_without_a_ledger_while_the_call_waits(event):
    assert parse(event(rollback_on_failure=True, wait_seconds=60), Settings()).rollback_on_failure


def test_wait_rollback_and_request_id_are_in_the_request(event):
    request = parse(event(wait_seconds=60, rollback_on_failure=True, request_id="r"), WITH_LEDGER)
    assert (request.wait_seconds, request.rollback_on_failure, request.request_id) == (
        60,
        True,
        "r",
    )


def test_a_rollback_needs_only_cluster_and_service():
    request = parse(ROLLBACK, Settings())
    assert isinstance(request, RollbackRequest) and (request.cluster, request.service) == ("c", "s")


def test_a_rollback_has_no_image_also_when_the_configuration_has_one():
    request = parse({"action": "rollback"}, Settings(cluster="c", service="s", image="busybox:2"))
    assert isinstance(request, RollbackRequest)


@pytest.mark.parametrize("key", ["awsx", "xaws:", "aws", "a:b", "k" * 128])
def test_a_tag_key_like_the_reserved_ones_is_taken(event, key):
    assert parse(event(ecs_tag={key: "v" * 256}), Settings()).tags == {key: "v" * 256}


@pytest.mark.parametrize(
    "character, shown",
    [("\n", "\\n"), ("\ud800", "\\ud800"), ("*", "*"), ("€", "€"), ("😀", "😀")],
    ids=ascii,
)
def test_a_wrong_character_in_a_tag_is_named_with_those_that_are_right(event, character, shown):
    assert refusal(event(ecs_tag={"key": f"a{character}"})) == (
        f"ecs_tag.key: the character '{shown}' cannot be in a tag's value, only letters, digits, "
        "spaces and _ . : / = + - @"
    )


def test_fifty_tags_are_taken_and_51_are_not(event):
    tags = {f"k{number}": "v" for number in range(51)}
    assert refusal(event(ecs_tag=tags)).endswith(" has too many properties")
    tags.popitem()
    assert len(parse(event(ecs_tag=tags), Settings()).tags) == 50


@pytest.mark.parametrize(
    "cluster, service",
    [
        ("ECSCluster", "my_service-1"),
        ("c" * 255, "s" * 255),
        (f"{ARN}:cluster/ECSCluster", "s"),
        ("ECSCluster", f"{ARN}:service/ECSCluster/s"),
        ("ECSCluster", f"{ARN}:service/s"),
        (f"{ARN}:cluster/ECSCluster", f"{ARN}:service/ECSCluster/s"),
        ("arn:aws-cn:ecs:cn-north-1:123456789012:cluster/c", "s"),
        ("arn:aws-us-gov:ecs:us-gov-west-1:123456789012:cluster/c", "s"),
    ],
)
def test_cluster_and_service_are_taken_by_name_and_by_arn(event, cluster, service):
    request = parse(event(ecs_cluster_name=cluster, ecs_service_name=service), Settings())
    assert (request.cluster, request.service) == (cluster, service)


BAD_NAMES = [
    " ",
    "a b",
    "a\n",
    "\n",
    "a/b",
    "../a",
    "/etc/passwd",
    "$(id)",
    "`id`",
    "a;b",
    "a|b",
    "a&b",
    "a'b",
    'a"b',
    "a\\b",
    "a*",
    "a.b",
    "a:b",
    "ä",
    "a\x00",
    "\ud800",
    "٣",
    "a" * 256,
    "arn:aws:ecs",
    f"{ARN}:task/ECSCluster/a",
    f"{ARN}:cluster/",
    f"{ARN}:cluster/a b",
    f"{ARN}:cluster/a\n",
    f"x{ARN}:cluster/a",
    "arn:aws:ecs:eu-west-1:12345:cluster/a",
    "arn:aws:ec2:eu-west-1:123456789012:cluster/a",
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_a_wrong_name_of_a_cluster_or_a_service_is_refused(event, name):
    assert refusal(event(ecs_cluster_name=name)).startswith("ecs_cluster_name: ")
    assert refusal(event(ecs_service_name=name)).startswith("ecs_service_name: ")


@pytest.mark.parametrize(
    "fields", [{"ecs_image_name": "UPPER"}, {"ecs_container_images": {"app": ""}}]
)
def test_a_broken_image_reference_is_found_before_anything_is_read(event, fields):
    with pytest.raises(InvalidImageError):
        parse(event(**fields), Settings())


SERVICE = f"{ARN}:service/ECSCluster/s"
REFUSED = {
    "null": ({"ecs_tag": None}, "ecs_tag: None is not of type 'object'"),
    **{
        f"wait {value}": ({"wait_seconds": value}, "wait_seconds: ")
        for value in (-1, 841, 1.5, "60", True, None)
    },
    **{
        f"reserved tag {key}": ({"ecs_tag": {key: "v"}}, key)
        for key in ("aws:x", "AWS:x", "aWs:cloudformation:stack-name", "aws:")
    },
    "empty key": ({"ecs_tag": {"": "v"}}, "ecs_tag: '' does not match any of the regexes"),
    "long key": ({"ecs_tag": {"k" * 129: "v"}}, "ecs_tag: 'kkk"),
    "long value": ({"ecs_tag": {"k": "v" * 257}}, " is too long"),
    **{
        f"key with {end!a}": ({"ecs_tag": {f"key{end}": "v"}}, "cannot be in a tag's key")
        for end in ("\n", "\r", "\u2028\n", "\x00")
    },
    "full key with a newline": ({"ecs_tag": {"k" * 128 + "\n": "v"}}, ""),
    **{
        f"service in {cluster}": (
            {"ecs_cluster_name": cluster, "ecs_service_name": SERVICE},
            "ecs_service_name: is in cluster ECSCluster, but ecs_cluster_name is other",
        )
        for cluster in ("other", f"{ARN}:cluster/other")
    },
    **{
        f"service at {other}": (
            {"ecs_cluster_name": f"{ARN}:cluster/c", "ecs_service_name": f"{other}:service/c/s"},
            "ecs_service_name: ",
        )
        for other in (
            "arn:aws:ecs:eu-west-1:999999999999",
            "arn:aws:ecs:us-east-1:123456789012",
        )
    },
    **{
        f"service {name}": ({"ecs_service_name": f"{ARN}:service/{name}"}, "ecs_service_name: ")
        for name in ("a/b/c", "a/", "/b")
    },
    **{
        f"huge {number}": (fields, "")
        for number, fields in enumerate(
            [
                {"ecs_tag": {"k": "v" * 5_000_000}},
                {"ecs_tag": {"k" * 5_000_000: "v"}},
                {"ecs_tag": "x" * 5_000_000},
                {"ecs_cluster_name": "c" * 5_000_000},
                {"ecs_cluster_name": "\n" * 2048},
                {"x" * 5_000_000: 1},
                {str(number): number for number in range(20_000)},
                {"ecs_image_name": 10**5000},
                {"ecs_image_name": -(10**5000)},
            ]
        )
    },
    **{
        f"{name} {depth} deep": ({name: nested(depth)}, "")
        for name in ("ecs_tag", "ecs_image_name", "surprise")
        for depth in (300, 100_000)
    },
}


@pytest.mark.parametrize("fields, words", REFUSED.values(), ids=REFUSED)
def test_what_the_contract_does_not_take_is_refused_in_a_short_sentence(event, fields, words):
    violation = refusal(event() | fields)
    assert words in violation
    assert len(violation) <= 300


@pytest.mark.parametrize(
    "sent, settings, words",
    [
        ({}, {"cluster": "a b", "service": "s", "image": "i"}, "ecs_cluster_name: 'a b' is"),
        (nested(100_000), {}, "the event is nested too deeply"),
        *(
            (ROLLBACK | {name: value}, {}, name)
            for name, value in {
                "ecs_image_name": "i",
                "ecs_tag": {},
                "rollback_on_failure": True,
            }.items()
        ),
    ],
    ids=["a configured name", "nested", "rollback 1", "rollback 2", "rollback 3"],
)
def test_defaults_depth_and_rollbacks_are_checked_alike(sent, settings, words):
    assert words in refusal(sent, **settings)


def test_all_violations_are_listed_and_the_best_match_is_the_message(event):
    with pytest.raises(InvalidEventError) as refused:
        parse(event(ecs_cluster_name=1, dry_run="x", ecs_tag={"a": 1}), Settings())
    assert sorted(refused.value.violations) == [
        "dry_run: 'x' is not of type 'boolean'",
        "ecs_cluster_name: 1 is not of type 'string'",
        "ecs_tag.a: 1 is not of type 'string'",
    ]
    assert refused.value.violation in refused.value.violations


def test_violations_that_the_schema_cannot_say_are_all_listed(event):
    with pytest.raises(InvalidEventError) as refused:
        parse(
            event(ecs_cluster_name="a b", ecs_service_name="c d", ecs_tag={"é*": "a"}), Settings()
        )
    assert len(refused.value.violations) == 3


@pytest.mark.parametrize(
    "tags",
    [{f"k{n}": n for n in range(50)}, {f"k{n}": "€" for n in range(50)}],
    ids=["schema", "characters"],
)
def test_one_hostile_event_lists_20_violations_and_says_that_there_are_more(event, tags):
    with pytest.raises(InvalidEventError) as refused:
        parse(event(ecs_tag=tags), Settings())
    assert len(refused.value.violations) == 21 and refused.value.violations[-1] == "and more"
    assert all(len(violation) <= 300 for violation in refused.value.violations)


def test_the_schema_is_a_valid_draft_04_schema():
    schema = SCHEMAS[UPDATE].document
    Draft4Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-04/schema#"


def test_an_empty_container_name_is_refused(event):
    with pytest.raises(
        InvalidEventError, match="ecs_container_images: '' is not a valid container name"
    ):
        parse(event(ecs_container_images={"": "busybox"}), Settings())

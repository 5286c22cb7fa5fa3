"""Events: the defaults, the schema's violations in its own words, and what a schema cannot say."""

import json

import pytest

from ecs_updater.errors import InvalidEventError, InvalidImageError
from ecs_updater.model.event_parser import parse
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


def error_of(event, **settings):
    """Returns the error of an invalid event."""
    with pytest.raises(InvalidEventError) as raised:
        parse(event, Settings(**settings))
    assert str(raised.value).startswith(PREFIX) and str(raised.value).isprintable()
    sentences = [raised.value.violation, *raised.value.violations]
    assert all(len(sentence) <= 300 for sentence in sentences)
    return raised.value


def violation_of(event, **settings):
    """Returns the violation in the error's message."""
    return str(error_of(event, **settings)).removeprefix(PREFIX)


ALL_SET = {
    "ecs_container_name": "app",
    "ecs_tag_mode": "merge",
    "force_new_deployment": True,
    "dry_run": True,
    "wait_seconds": 60,
    "rollback_on_failure": True,
    "request_id": "r",
}
DEFAULTS = Settings(cluster="c", service="s", container="other", image="other")
CONTRACT_DEFAULTS = {
    "container": None,
    "tag_mode": "replace",
    "container_images": {},
    "force_new_deployment": False,
    "dry_run": False,
}
OF_EVENT = {
    "cluster": "ECSCluster",
    "service": "ecs-dummy-service",
    "image": ImageReference.parse("busybox:1.36"),
    "tags": {"new": "value"},
}


@pytest.mark.parametrize(
    "fields, settings, request_fields",
    [
        (
            ALL_SET | {"action": "update", "ecs_container_images": {"side": "busybox:2"}},
            Settings(ledger_table="ledger"),
            OF_EVENT
            | {
                name.removeprefix("ecs_").replace("container_name", "container"): value
                for name, value in ALL_SET.items()
            }
            | {"container_images": {"side": ImageReference.parse("busybox:2")}},
        ),
        ({}, Settings(), OF_EVENT | CONTRACT_DEFAULTS),
        ({"ecs_container_name": "app"}, DEFAULTS, OF_EVENT | {"container": "app"}),
        ({"ecs_tag": None}, Settings(image="busybox"), {"tags": None}),
        ({"ecs_tag": {}}, Settings(image="busybox"), {"tags": {}}),
        (
            {"rollback_on_failure": True, "wait_seconds": 60},
            Settings(),
            {"rollback_on_failure": True},
        ),
        *(
            ({"ecs_tag": {key: "v" * 256}}, Settings(), {"tags": {key: "v" * 256}})
            for key in ("awsx", "xaws:", "aws", "a:b", "k" * 128)
        ),
    ],
)
def test_an_event_becomes_a_request(event, fields, settings, request_fields):
    assert request_fields.items() <= vars(parse(event(**fields), settings)).items()


def test_an_empty_event_gets_everything_from_the_settings():
    request = parse({}, DEFAULTS)
    assert (request.cluster, request.service, request.container, request.tags) == (
        "c",
        "s",
        "other",
        None,
    )
    assert request.image.text == "other"


def test_parsing_changes_neither_the_event_nor_what_the_next_one_gets(event):
    sent = event(ecs_tag=None)
    before = json.dumps(sent)
    parse(sent, Settings(image="busybox", container="app"))
    assert json.dumps(sent) == before
    assert violation_of(sent) == "'ecs_tag' is a required property"


@pytest.mark.parametrize(
    "value",
    [None, True, 0, 1.5, float("nan"), float("inf"), 10**4000, "", "{}", [], [{}], "\ud800"],
    ids=range(12),
)
def test_any_json_value_but_an_object_is_invalid(value):
    assert violation_of(value).endswith(" is not of type 'object'")


@pytest.mark.parametrize("whole", [list, json.dumps], ids=["in a list", "as text"])
def test_a_secret_in_a_field_with_a_misspelled_name_is_not_shown(event, whole):
    misspelled = {"ecs_enviroment": {"TOKEN": "hush"}}
    for wrong in (whole([misspelled]), event(ecs_image_name=misspelled), event(**misspelled)):
        assert "hush" not in violation_of(wrong)


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
            "ecs_tag: the value is not of type 'object'",
        ),
        ({"ecs_tag": {"owner": 1}}, "ecs_tag.owner: 1 is not of type 'string'"),
        ({"ecs_tag": {"owner": {"a": "b"}}}, "ecs_tag.owner: the value is not of type 'string'"),
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
        (
            {"request_id": "x"},
            "request_id: this function has no ledger (LEDGER_TABLE), so it would not recognise a "
            "repetition: leave it out",
        ),
        (
            {"rollback_on_failure": True},
            "rollback_on_failure: this function has no ledger (LEDGER_TABLE), so it can roll back "
            "only while it waits: add wait_seconds",
        ),
        (
            {"ecs_container_images": {"": "busybox"}},
            "ecs_container_images: '' is not a valid container name",
        ),
        *(
            ({name: None}, f"'{name}' is a required property")
            for name in ("ecs_cluster_name", "ecs_service_name", "ecs_image_name", "ecs_tag")
        ),
        *(
            ({name: 1}, f"unknown field {shown}: leave it out")
            for name, shown in (
                ("colour", "colour"),
                ("", "''"),
                ("a b", "'a b'"),
                ("\n", "'\\n'"),
            )
        ),
        *(
            ({misspelled: 1}, f"unknown field {misspelled}: did you mean {meant}?")
            for misspelled, meant in (
                ("wait", "wait_until"),
                ("waitSeconds", "wait_seconds"),
                ("dry-run", "dry_run"),
                ("force", "force_new_deployment"),
                ("rollback", "rollback_on_failure"),
                ("requestId", "request_id"),
                ("container", "ecs_container_name"),
                ("container_images", "ecs_container_images"),
                ("tag_mode", "ecs_tag_mode"),
            )
        ),
        *(
            (
                {"ecs_tag": {"key": f"a{character}"}},
                f"ecs_tag.key: the character '{shown}' cannot be in a tag's value, only letters, "
                "digits, spaces and _ . : / = + - @",
            )
            for character, shown in (
                ("\n", "\\n"),
                ("\ud800", "\\ud800"),
                ("*", "*"),
                ("€", "€"),
                ("😀", "😀"),
            )
        ),
    ],
    ids=json.dumps,
)
def test_a_violation_is_one_exact_sentence(event, fields, violation):
    assert violation_of(event(**fields)) == violation


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
    assert violation_of(sent) == f"'{meant}' is a required property; {unknown(misspelled, meant)}"
    assert set(error_of(sent).violations) == {
        f"'{meant}' is a required property",
        unknown(misspelled, meant),
    }


def test_several_unknown_fields_are_named_and_many_do_not_hide_what_is_missing(event):
    two = violation_of(event(ecs_images="x", colour=1))
    assert two == f"{unknown('ecs_images', 'ecs_image_name')}; unknown field colour: leave it out"
    many = violation_of(
        event(ecs_tag=None, **{f"ecs_tag{number}_{'x' * 400}": 1 for number in range(2000)})
    )
    assert many.startswith(
        "'ecs_tag' is a required property; unknown field ecs_tag0_x"
    ) and many.endswith("; and more")
    assert len(many) <= 300


def test_a_setting_that_may_be_meant_is_a_hint_beside_the_fixed_text(event):
    errors = [error_of(event(ecs_enviroment={}, **more)) for more in ({}, {"ecs_cpu": 256})]
    assert [(str(error).removeprefix(PREFIX), error.hint) for error in errors] == [
        ("unknown field ecs_enviroment: leave it out", "did you mean ecs_environment?"),
        ("unknown field ecs_enviroment: did you mean ecs_environment?", None),
    ]


def test_an_unknown_field_of_a_rollback_is_compared_with_the_fields_of_a_rollback():
    assert violation_of({"action": "rollback", "ecs_cluster_name": "c", "ecs_service": "s"}) == (
        f"'ecs_service_name' is a required property; {unknown('ecs_service', 'ecs_service_name')}"
    )


def unknown(name, meant):
    """The sentence about a misspelled field."""
    return f"unknown field {name}: did you mean {meant}?"


ROLLBACK = {"action": "rollback", "ecs_cluster_name": "c", "ecs_service_name": "s"}


@pytest.mark.parametrize(
    "sent, settings",
    [
        (ROLLBACK, Settings()),
        ({"action": "rollback"}, Settings(cluster="c", service="s", image="busybox:2")),
    ],
)
def test_a_rollback_needs_only_cluster_and_service(sent, settings):
    request = parse(sent, settings)
    assert isinstance(request, RollbackRequest) and (request.cluster, request.service) == ("c", "s")


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
    assert violation_of(event(ecs_cluster_name=name)).startswith("ecs_cluster_name: ")
    assert violation_of(event(ecs_service_name=name)).startswith("ecs_service_name: ")


@pytest.mark.parametrize(
    "fields", [{"ecs_image_name": "UPPER"}, {"ecs_container_images": {"app": ""}}]
)
def test_a_broken_image_reference_is_found_before_anything_is_read(event, fields):
    with pytest.raises(InvalidImageError):
        parse(event(**fields), Settings())


INVALID = {
    "null": ({"ecs_tag": None}, "ecs_tag: None is not of type 'object'"),
    **{
        f"wait {value}": ({"wait_seconds": value}, "wait_seconds: ")
        for value in (-1, 841, 1.5, "60", True, None)
    },
    **{
        f"reserved tag {key}": ({"ecs_tag": {key: "v"}}, key)
        for key in ("aws:x", "AWS:x", "aWs:cloudformation:stack-name", "aws:")
    },
    "breaker": ({"ecs_deployment": {"deploymentCircuitBreaker": {"on": True}}}, "'on' was unexp"),
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
            {"ecs_cluster_name": cluster, "ecs_service_name": f"{ARN}:service/ECSCluster/s"},
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


@pytest.mark.parametrize(
    "field, value, words",
    [
        *(
            ("ecs_task_definition", name, f"{name!r} is neither family:revision nor its ARN")
            for name in ("f", "f:0", "f:1\n", "a/f:1", f"{ARN}:f:1")
        ),
        *(
            (field, value, f"an existing revision cannot be combined with {field}")
            for field, value in (
                ("ecs_image_name", "busybox"),
                ("ecs_container_images", {"c": "busybox"}),
                ("ecs_command", []),
                ("ecs_container_settings", {"c": {"ecs_cpu": 1}}),
                ("ecs_task_cpu", 256),
            )
        ),
    ],
)
def test_an_existing_revision_has_a_name_and_no_other_content(event, field, value, words):
    fields = {"ecs_image_name": None, "ecs_task_definition": "f:1", field: value}
    assert violation_of(event(**fields)) == f"ecs_task_definition: {words}"


@pytest.mark.parametrize("fields, words", INVALID.values(), ids=INVALID)
def test_what_the_contract_does_not_take_is_invalid(event, fields, words):
    assert words in violation_of(event() | fields)


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
    assert words in violation_of(sent, **settings)


@pytest.mark.parametrize(
    "fields, listed",
    [
        (
            {"ecs_cluster_name": 1, "dry_run": "x", "ecs_tag": {"a": 1}},
            [
                "dry_run: 'x' is not of type 'boolean'",
                "ecs_cluster_name: 1 is not of type 'string'",
                "ecs_tag.a: 1 is not of type 'string'",
            ],
        ),
        (
            {"ecs_cluster_name": "a b", "ecs_service_name": "c d", "ecs_tag": {"é*": "a"}},
            ["ecs_cluster_name: 'a b'", "ecs_service_name: 'c d'", "ecs_tag.é*: the character"],
        ),
    ],
    ids=["schema", "code"],
)
def test_all_violations_are_listed_and_one_is_the_message(event, fields, listed):
    found = sorted(error_of(event(**fields)).violations)
    assert len(found) == len(listed) and violation_of(event(**fields)) in found
    assert all(map(str.startswith, found, listed))


@pytest.mark.parametrize(
    "tags",
    [{f"k{n}": n for n in range(50)}, {f"k{n}": "€" for n in range(50)}],
    ids=["schema", "characters"],
)
def test_one_hostile_event_lists_20_violations_and_says_that_there_are_more(event, tags):
    found = error_of(event(ecs_tag=tags)).violations
    assert len(found) == 21 and found[-1] == "and more"

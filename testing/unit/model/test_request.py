"""Allow lists: which images and services a pattern means, and which lists are refused.

Never does a wrong list allow everything.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_updater.errors import ConfigurationError, NotAllowedError
from ecs_updater.model.event_parser import parse
from ecs_updater.settings import Settings

ARN = "arn:aws:ecs:eu-west-1:123456789012"
DIGEST = "sha256:" + "0123456789abcdef" * 4
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


def event_of(image="busybox:1.36", **fields):
    """An update event."""
    return {
        "ecs_cluster_name": "shop",
        "ecs_service_name": "web",
        "ecs_image_name": image,
        "ecs_tag": {},
        **fields,
    }


def is_allowed(event, **environment):
    """Whether the event passes with these settings."""
    try:
        parse(event, Settings.from_environment(environment))
    except NotAllowedError:
        return False
    return True


@pytest.mark.parametrize(
    "pattern, image, allowed",
    [
        # The whole reference, with everything that Docker fills in.
        ("docker.io/library/busybox:1.36", "busybox:1.36", True),
        ("docker.io/library/busybox:1.36", "docker.io/busybox:1.36", True),
        ("docker.io/library/busybox:1.36", "busybox:1.37", False),
        ("docker.io/library/busybox:1.36", "team/busybox:1.36", False),
        ("docker.io/library/busybox:1.36", "attacker.example.net/library/busybox:1.36", False),
        (
            "docker.io/library/busybox:1.36",
            "attacker.example.net/docker.io/library/busybox:1.36",
            False,
        ),
        ("docker.io/library/busy", "busybox:1.36", False),
        ("ocker.io/library/busybox:1.36", "busybox:1.36", False),
        # Wildcards, which also match a slash.
        ("*", "attacker.example.net/exfil:latest", True),
        ("docker.io/*", "team/deep/app:1", True),
        ("docker.io/*", "docker.io.attacker.example.net/app:1", False),
        (f"{ECR}/*", f"{ECR}/team/app:1", True),
        (f"{ECR}/*", f"{ECR}.attacker.example.net/team/app:1", False),
        ("*/team/*", f"{ECR}/team/app:1", True),
        ("*.amazonaws.com/team/app:v?", f"{ECR}/team/app:v1", True),
        ("*.amazonaws.com/team/app:v?", f"{ECR}/team/app:v10", False),
        ("docker.io/library/app:[0-9]", "app:7", True),
        ("docker.io/library/app:[!0-9]", "app:7", False),
        ("docker.io/library/app:V1", "app:v1", False),
        # Without a tag it is latest; a digest is part of the reference.
        ("docker.io/library/busybox:latest", "busybox", True),
        ("docker.io/library/busybox:*", "busybox", True),
        ("docker.io/library/busybox", "busybox", True),
        ("docker.io/library/busybox", "busybox:latest", True),
        ("docker.io/library/busybox", "busybox:1.36", False),
        ("docker.io/library/busybox:latest", f"busybox@{DIGEST}", False),
        ("docker.io/library/busybox@*", f"busybox@{DIGEST}", True),
        ("docker.io/library/busybox@*", f"busybox:1@{DIGEST}", False),
        ("docker.io/library/busybox:*", f"busybox:1@{DIGEST}", True),
        (f"docker.io/library/busybox@{DIGEST}", f"busybox@{DIGEST}", True),
        # A registry has one spelling, in the event and in the pattern.
        ("docker.io/library/*", "index.docker.io/busybox:1", True),
        ("docker.io/library/*", "registry-1.docker.io/library/busybox:1", True),
        ("docker.io/library/*", "DOCKER.IO/busybox:1", True),
        ("docker.io/library/*", "docker.io:443/library/busybox:1", True),
        ("Index.Docker.io/busybox:*", "busybox:1", True),
        ("registry-1.docker.io/library/*", "busybox:1", True),
        ("registry.example/app:*", "Registry.Example:443/app:1", True),
        ("registry.example/app:*", "registry.example:0443/app:1", True),
        ("Registry.Example:443/app:*", "registry.example/app:1", True),
        ("registry.example/app:*", "registry.example:8443/app:1", False),
        ("docker.io/library/*", "busybox.example:1/library/busybox", False),
        ("localhost:5000/*", "localhost:5000/app:1", True),
        ("[[]::1[]]:5000/*", "[::1]:5000/app:1", True),
    ],
)
def test_a_pattern_is_a_shell_glob_over_the_whole_normalised_reference(pattern, image, allowed):
    assert is_allowed(event_of(image), ALLOWED_IMAGES=pattern) is allowed
    assert (
        is_allowed(event_of(image), ALLOWED_IMAGES=f"none.example/x:1, {pattern} ,none.example/y:1")
        is allowed
    )


@pytest.mark.parametrize("action", ["update", "rollback"])
@pytest.mark.parametrize(
    "pattern, cluster, service, allowed",
    [
        ("shop/web", "shop", "web", True),
        ("shop/web", f"{ARN}:cluster/shop", "web", True),
        ("shop/web", "shop", f"{ARN}:service/shop/web", True),
        ("shop/web", f"{ARN}:cluster/shop", f"{ARN}:service/web", True),
        ("shop/web", f"{ARN}:cluster/shop", f"{ARN}:service/shop/web", True),
        ("shop/web", "shop", "web2", False),
        ("shop/web", "shop2", "web", False),
        ("shop/web", "shop", f"{ARN}:service/shop/web2", False),
        ("shop/web", f"{ARN}:cluster/shop2", f"{ARN}:service/shop2/web", False),
        ("shop/web", "Shop", "web", False),
        ("shop/*", "shop", "anything", True),
        ("*/web", "other", "web", True),
        ("*/web", "web", "other", False),
        ("*", "any", "thing", True),
        ("sh?p/[a-w]eb", "shop", "web", True),
    ],
)
def test_a_service_is_compared_as_cluster_and_service_however_it_is_named(
    action, pattern, cluster, service, allowed
):
    names = {"ecs_cluster_name": cluster, "ecs_service_name": service}
    event = event_of(**names) if action == "update" else {"action": action, **names}
    assert is_allowed(event, ALLOWED_SERVICES=pattern) is allowed


@pytest.mark.parametrize("setting", ["ALLOWED_IMAGES", "ALLOWED_SERVICES"])
@pytest.mark.parametrize(
    "value",
    [
        ",",
        " ",
        "\t",
        "\n",
        "*,",
        ",*",
        "*,,*",
        "*, ,*",
        "* /*",
        "a/*\n",
        "*\n",
        "*\x00",
        "a/[b",
        "a/b]",
        "a/[]",
        "a/[!]",
        "[a,b]/*",
        "a/]b[",
        "a",
        "web",
        "busybox:*",
        "busy*",
        "?ocker.io",
        "/",
        "a/",
        "/a",
        "a/ä",
        "a/*;b/*",
        "{a,b}/*",
        "'*'",
        '"*"',
        "a/$X",
    ],
)
def test_a_list_that_cannot_be_right_is_a_configuration_error_for_every_event_and_never_everything(
    setting, value
):
    rollback = {"action": "rollback", "ecs_cluster_name": "shop", "ecs_service_name": "web"}
    for event in (event_of(), rollback, {}):
        with pytest.raises(ConfigurationError) as refused:
            is_allowed(event, **{setting: value})
        assert f"the function's {setting} has the pattern " in str(
            refused.value
        ) and "such as" in str(refused.value)


@pytest.mark.parametrize(
    "setting, pattern",
    [
        *(
            ("ALLOWED_IMAGES", pattern)
            for pattern in (
                "team/app:*",
                "library/busybox:1",
                "docker.io/UPPER:1",
                "docker.io/app:",
                "docker.io/app@sha256:1",
            )
        ),
        *(
            ("ALLOWED_SERVICES", pattern)
            for pattern in (f"{ARN}:service/shop/web", "a/b/c", "shop/web:1", "shop.prod/web")
        ),
    ],
)
def test_a_pattern_that_can_match_nothing_is_a_configuration_error(setting, pattern):
    with pytest.raises(ConfigurationError, match=f"{setting} has the pattern"):
        is_allowed(event_of(), **{setting: pattern})


def test_an_empty_list_allows_everything():
    assert is_allowed(
        event_of("attacker.example.net/exfil:latest"), ALLOWED_IMAGES="", ALLOWED_SERVICES=""
    )


def message_of(event, **environment):
    """What the event is refused with."""
    with pytest.raises(NotAllowedError) as refused:
        parse(event, Settings.from_environment(environment))
    return str(refused.value)


def test_the_error_names_the_field_the_value_as_the_caller_wrote_it_and_the_setting():
    allowed = "docker.io/library/*, registry.example/*"
    image, beginning = "attacker.example.net/exfil", "[ERROR][json_validation]"
    said = f"{image} is not allowed: ALLOWED_IMAGES={allowed}"
    assert (
        message_of(event_of(image), ALLOWED_IMAGES=allowed) == f"{beginning} ecs_image_name {said}"
    )
    assert (
        message_of(event_of(ecs_container_images={"side.car": image}), ALLOWED_IMAGES=allowed)
        == f"{beginning} ecs_container_images.side.car {said}"
    )
    service = event_of(ecs_service_name=f"{ARN}:service/shop/web")
    assert message_of(service, ALLOWED_SERVICES="shop/api") == (
        f"{beginning} ecs_service_name {ARN}:service/shop/web is not allowed: "
        "ALLOWED_SERVICES=shop/api"
    )


def test_the_default_image_is_checked_like_an_events():
    said = "ecs_image_name busybox is not allowed: ALLOWED_IMAGES=docker.io/team/*"
    event = {"ecs_cluster_name": "shop", "ecs_service_name": "web"}
    assert said in message_of(event, IMAGE="busybox", ALLOWED_IMAGES="docker.io/team/*")
    assert is_allowed(event, IMAGE="team/app", ALLOWED_IMAGES="docker.io/team/*")


def test_a_rollback_is_checked_by_its_service_only():
    event = {"action": "rollback", "ecs_cluster_name": "shop", "ecs_service_name": "web"}
    assert is_allowed(event, ALLOWED_IMAGES="none.example/x:1", IMAGE="busybox")
    assert not is_allowed(event, ALLOWED_SERVICES="shop/api")


def test_however_long_list_and_image_are_the_error_says_what_is_not_allowed():
    text = message_of(
        event_of("attacker.example.net/" + "a" * 249),
        ALLOWED_IMAGES=",".join(f"registry-{number}.example/*" for number in range(500)),
    )
    assert len(text) < 2000 and "is not allowed: ALLOWED_IMAGES=registry-0.example/*," in text


NAMES = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,4})?(/[a-z0-9]{1,8})?", fullmatch=True)
HOSTS = st.sampled_from(
    [
        "",
        "docker.io/",
        "Index.Docker.IO/",
        "registry.example/",
        "registry.example:443/",
        "REGISTRY.example:5000/",
    ]
)
TAILS = st.sampled_from(["", ":1", ":latest", ":V1.2", f"@{DIGEST}", f":1@{DIGEST}"])


REFERENCES = st.tuples(HOSTS, NAMES, TAILS)


@given(REFERENCES, REFERENCES)
def test_a_reference_that_is_its_own_pattern_allows_what_is_the_same_image_and_nothing_else(
    parts, other
):
    image, second = (parse(event_of("".join(texts)), Settings()).image for texts in (parts, other))
    assert is_allowed(event_of(str(image)), ALLOWED_IMAGES=image.normalised)
    assert is_allowed(event_of(str(second)), ALLOWED_IMAGES=image.normalised) is (
        image.normalised == second.normalised
    )
    if parts[0]:
        assert is_allowed(event_of(str(image)), ALLOWED_IMAGES=str(image))

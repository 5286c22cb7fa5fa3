"""What holds for every event, image reference, set of tags and task definition, not only for the
ones that somebody thought of.

The oracles are written by hand and share no code with the function: a rule is stated here in other
words than there.
"""

import copy
import json
import re
import string
import sys
import unicodedata
from typing import Any

import pytest
from botocore.config import Config
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from ecs_updater.aws.ecs import Ecs
from ecs_updater.context import Call, Clock
from ecs_updater.deployments.deploy import deploy
from ecs_updater.deployments.tag_writer import removes_first
from ecs_updater.errors import (
    CallerFault,
    EcsUpdaterError,
    InvalidEventError,
    InvalidImageError,
    ServerFault,
)
from ecs_updater.model.event_parser import parse
from ecs_updater.model.image import ImageReference
from ecs_updater.model.tags import LIMIT, TagChanges, wrong_character
from ecs_updater.settings import Settings
from fakes.simulated_ecs import SimulatedEcs
from fakes.wire import DENIED, REFUSED, SERVER_ERROR
from support import strategies
from support.task_definition_shapes import EACH_KIND, FALSY, REGISTERED, with_every_field

# The SDK would wait between two: no test sleeps.
SINGLE_ATTEMPT = Config(retries={"total_max_attempts": 1})

# As long as the longest prefix of a stage and MESSAGE_LIMIT, in numbers of this file's own.
MESSAGE_AT_MOST = 2000 + len("[ERROR][ecs_service_update] ")


def run(fake: SimulatedEcs, event: Any, **environment: str) -> dict[str, Any]:
    """One update on the wire."""
    clock = Clock(now=fake.clock.now, sleep=fake.clock.sleep, random=lambda: 0.5)
    fake.take(CLIENT)
    return deploy(event, environment, BOUNDARY, Call(clock=clock))


CLIENT = SimulatedEcs().client(SINGLE_ATTEMPT)
"""One for all examples: to make a client takes longer than an example."""
BOUNDARY = Ecs(CLIENT)


def two_containers() -> SimulatedEcs:
    """A service of the containers that strategies.valid_events names."""
    return SimulatedEcs(
        containers=[
            {"name": "app", "image": "busybox", "memory": 64},
            {"name": "sidecar", "image": "envoy:1", "memory": 64},
        ]
    )


def assert_is_presentable(error: EcsUpdaterError) -> None:
    """One printable line of bounded length, in the contract's form."""
    text = str(error)
    assert text.isprintable() and len(text) <= MESSAGE_AT_MOST
    assert re.match(
        r"\[ERROR\]\[(json_validation|ecs_service_read|ecs_service_update|ecs_service_rollout)\] "
        r"\S",
        text,
    )
    if isinstance(error, InvalidEventError):
        assert all(
            violation.isprintable() and len(violation) <= 300
            for violation in [error.violation, *error.violations]
        )


def same_json(value: Any, other: Any) -> bool:
    """Whether two values are the same JSON: unlike ``==``, true is not 1 and 1 is not 1.0."""
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)


# Which events there are: the contract's table as a predicate.

FIELDS = {
    "action",
    "ecs_cluster_name",
    "ecs_service_name",
    "ecs_image_name",
    "ecs_tag",
    "ecs_container_name",
    "ecs_container_images",
    "ecs_tag_mode",
    "force_new_deployment",
    "dry_run",
    "wait_seconds",
    "rollback_on_failure",
}
OF_A_ROLLBACK = {
    "action",
    "ecs_cluster_name",
    "ecs_service_name",
    "ecs_container_name",
    "dry_run",
    "wait_seconds",
}
NAME_CHARACTERS = set(string.ascii_letters + string.digits + "-_")


def fits(event: Any) -> bool:
    """Whether the contract takes ``event``, its images apart, from a function without a ledger."""
    if not isinstance(event, dict) or not fits_every_action(event):
        return False
    if event.get("action") == "rollback":
        return set(event) <= OF_A_ROLLBACK
    if not set(event) <= FIELDS or not {"ecs_image_name", "ecs_tag"} <= set(event):
        return False
    images = event.get("ecs_container_images", {})
    rolls_back = event.get("rollback_on_failure", False)
    return (
        isinstance(event["ecs_image_name"], str)
        and are_tags(event["ecs_tag"])
        and isinstance(images, dict)
        and len(images) <= 10
        and "" not in images
        and all(isinstance(image, str) for image in images.values())
        and event.get("action", "update") == "update"
        and event.get("ecs_tag_mode", "merge") in ("replace", "merge")
        and isinstance(event.get("force_new_deployment", True), bool)
        and isinstance(rolls_back, bool)
        and (not rolls_back or event.get("wait_seconds", 0) > 0)
    )


def fits_every_action(event: dict[str, Any]) -> bool:
    """Whether what an update and a rollback have in common is right."""
    container, seconds = event.get("ecs_container_name", "app"), event.get("wait_seconds", 0)
    return (
        {"ecs_cluster_name", "ecs_service_name"} <= set(event)
        and are_names(event["ecs_cluster_name"], event["ecs_service_name"])
        and isinstance(container, str)
        and 1 <= len(container) <= 255
        and isinstance(event.get("dry_run", True), bool)
        and isinstance(seconds, int)
        and not isinstance(seconds, bool)
        and 0 <= seconds <= 840
    )


def are_names(cluster: Any, service: Any) -> bool:
    """Whether these name a cluster and a service, by name or ARN, that can belong together."""
    if not isinstance(cluster, str) or not isinstance(service, str):
        return False
    cluster_path, service_path = path_in_ecs(cluster, "cluster"), path_in_ecs(service, "service")
    return (
        len(cluster_path) == 1
        and len(service_path) in (1, 2 if service.startswith("arn:") else 1)
        and all(
            0 < len(name) < 256 and set(name) <= NAME_CHARACTERS
            for name in cluster_path + service_path
        )
        and (len(service_path) == 1 or service_path[0] == cluster_path[0])
        and (
            not (cluster.startswith("arn:") and service.startswith("arn:"))
            or cluster.split(":")[:5] == service.split(":")[:5]
        )
    )


def path_in_ecs(text: str, resource: str) -> list[str]:
    """What an ARN says after ``resource/``, cut at its slashes; another text in one piece;
    nothing for a wrong ARN.
    """
    if not text.startswith("arn:"):
        return [text]
    parts = text.split(":")
    if len(parts) != 6:
        return []
    _, partition, product, region, account, rest = parts
    kind, *path = rest.split("/")
    lower_case = set(string.ascii_lowercase + "-")
    right = (
        partition.startswith("aws")
        and set(partition) <= lower_case
        and product == "ecs"
        and region != ""
        and set(region) <= lower_case | set(string.digits)
        and len(account) == 12
        and set(account) <= set(string.digits)
        and kind == resource
    )
    return path if right else []


def are_tags(value: Any) -> bool:
    """Whether ECS takes ``value`` as the tags of a resource."""
    return (
        isinstance(value, dict)
        and len(value) <= 50
        and all(is_tag(*pair) for pair in value.items())
    )


def is_tag(key: str, value: Any) -> bool:
    """Whether ECS takes this tag: the lengths, the characters, and nothing that begins with aws: in
    any case.
    """
    return (
        isinstance(value, str)
        and 0 < len(key) <= 128
        and len(value) <= 256
        and key[:4] not in ("aws:", "awS:", "aWs:", "aWS:", "Aws:", "AwS:", "AWs:", "AWS:")
        and all(is_taggable(character) for character in key + value)
    )


def is_taggable(character: str) -> bool:
    """Letters, digits and spaces of any script, and a few signs."""
    is_space = (
        character.isspace()
        and character not in string.whitespace[1:]
        and unicodedata.category(character) != "Cc"
    )
    return character.isalpha() or character.isnumeric() or is_space or character in "_.:/=+-@"


def accepted(event: Any) -> bool:
    """Whether the function's own check takes ``event``, its images apart."""
    try:
        parse(event, Settings())
    except InvalidEventError as error:
        assert_is_presentable(error)
        return False
    except InvalidImageError:
        pass  # Looked at only once all the rest fits.
    return True


ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"UNKNOWN_FIELDS": "drop", "TASK_DEF": "ecs-dummy-task"},
    {
        "CLUSTER_NAME": "ECSCluster",
        "SERVICE_NAME": "ecs-dummy-service",
        "CONTAINER_NAME": "app",
        "IMAGE": "busybox:2",
    },
]


@given(event=strategies.events, environment=st.sampled_from(ENVIRONMENTS))
def test_any_json_value_is_either_planned_and_applied_or_refused_by_the_contract_without_a_write(
    event, environment
):
    """Also: the service is then what the event says, or what it was."""
    fake = two_containers()
    before = copy.deepcopy((fake.primary_id, fake.service.tags, fake.revisions))
    try:
        answer = run(fake, event, **environment)
    except CallerFault as error:
        # Nothing fails here, so whatever is refused is the caller's fault.
        assert_is_presentable(error)
        assert fake.writes == []
        assert (fake.primary_id, fake.service.tags, fake.revisions) == before
        return
    assert json.loads(json.dumps(answer)) == answer
    wanted = event.get("ecs_tag")
    image = event.get("ecs_image_name", "busybox:2")
    assert answer["body"]["AFTER"]["serviceImage"] == image
    if event.get("dry_run"):
        assert fake.writes == []
    else:
        assert image in fake.running_images.values()
        kept = before[1] if wanted is None or event.get("ecs_tag_mode") == "merge" else {}
        assert fake.service.tags == kept | (wanted or {})
    if not event.get("wait_seconds"):
        assert len(fake.requests) <= 6 and len(set(fake.operations)) == len(fake.operations)
    assert bool(fake.writes) == (answer["body"]["changed"] and not event.get("dry_run"))


MINIMAL = {"ecs_cluster_name": "c", "ecs_service_name": "s", "ecs_image_name": "i", "ecs_tag": {}}


def deep(levels: int) -> dict[str, Any]:
    """An object in an object in an object."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"k": value}
    return value


@pytest.mark.parametrize("levels", [100, 990, 50_000])
@pytest.mark.parametrize("field", [None, "ecs_cluster_name", "ecs_tag", "action", "ecs_tags"])
def test_an_event_of_any_depth_is_refused_like_any_other(levels, field):
    assert not accepted(deep(levels) if field is None else MINIMAL | {field: deep(levels)})


@given(event=strategies.events)
def test_the_schema_and_the_checks_beside_it_accept_exactly_the_events_of_the_contract(event):
    assert accepted(event) == fits(event)


@given(tags=strategies.tags | strategies.almost_tags)
def test_exactly_the_tags_that_ecs_takes_are_accepted(tags):
    assert accepted(MINIMAL | {"ecs_tag": tags}) == are_tags(tags)


@given(names=strategies.clusters_and_services)
def test_exactly_names_and_arns_of_ecs_are_accepted(names):
    cluster, service = names
    event = MINIMAL | {"ecs_cluster_name": cluster, "ecs_service_name": service}
    assert accepted(event) == are_names(cluster, service)


def test_of_all_of_unicode_exactly_letters_digits_spaces_and_eight_signs_can_be_in_a_tag():
    everything = map(chr, range(sys.maxunicode + 1))
    assert [c for c in everything if (wrong_character(c) is None) != is_taggable(c)] == []


# Task definitions


@given(
    data=st.data(),
    task_definition=strategies.task_definitions(),
    tags=strategies.task_definition_tags,
)
@pytest.mark.parametrize("unknown_fields", ["keep", "drop"])
def test_any_task_definition_comes_through_with_nothing_but_its_images_changed(
    unknown_fields, data, task_definition, tags
):
    """As observed on the wire, fields of the future included; with UNKNOWN_FIELDS=drop they are all
    that is missing.
    """
    names = [container["name"] for container in task_definition["containerDefinitions"]]
    images = {
        name: f"registry.example/new:{names.index(name)}"
        for name in data.draw(st.lists(st.sampled_from(names), min_size=1))
    }
    fake = running(task_definition | ({"tags": tags} if tags else {}))

    answer = update_images(fake, images, UNKNOWN_FIELDS=unknown_fields)

    is_dropped = unknown_fields == "drop"
    expected = with_images(
        strategies.known(task_definition) if is_dropped else task_definition, images
    )
    if given_by_people := [tag for tag in tags if tag["key"][:4].lower() != "aws:"]:
        expected["tags"] = given_by_people
    (body,) = registered_bodies(fake)
    assert same_json(body, expected)
    assert fake.running_images == {c["name"]: c["image"] for c in expected["containerDefinitions"]}
    if is_dropped:
        assert accepted_by_the_sdk(body)
    changes = [tuple(change.values()) for change in answer["body"]["changes"]]
    assert sorted(change for change in changes if change[0].startswith("field.")) == sorted(
        (f"field.{path}", "set", "dropped")
        for path in strategies.future_fields(task_definition)
        if is_dropped
    )


@pytest.mark.parametrize("scalars", [EACH_KIND, FALSY], ids=["set", "falsy"])
def test_every_field_of_the_model_comes_through(scalars):
    """All of them at once, at every depth: none of them is left to chance."""
    body = with_every_field(REGISTERED, scalars) | {"family": "ecs-dummy-task"}
    body["containerDefinitions"][0] |= {"name": "app", "image": "busybox"}
    fake = running(body)
    update_images(fake, {"app": "busybox:2"})
    (registered,) = registered_bodies(fake)
    assert same_json(registered, with_images(body, {"app": "busybox:2"}))
    assert accepted_by_the_sdk(registered)


def test_dropping_the_only_member_of_a_union_leaves_a_body_that_the_sdk_accepts():
    """A union of the future has one member like any other, and an empty union is not a union."""
    requirement = {
        "type": "GPU",
        "value": "1",
        "sharingStrategy": {"futureStrategy": {"slices": 2}},
    }
    fake = SimulatedEcs(
        containers=[{"name": "app", "image": "busybox", "resourceRequirements": [requirement]}]
    )
    update_images(fake, {"app": "busybox:2"}, UNKNOWN_FIELDS="drop")
    (registered,) = registered_bodies(fake)
    assert accepted_by_the_sdk(registered)


def running(body: dict[str, Any]) -> SimulatedEcs:
    """An ECS whose service runs ``body``, described with every field that ECS adds."""
    fake = SimulatedEcs()
    revision = fake.world.register(body)
    revision |= {"deregisteredAt": 1_700_000_000.5, "deleteRequestedAt": 1_700_000_001}
    fake.redeploy(revision["taskDefinitionArn"])
    return fake


def update_images(fake: SimulatedEcs, images: dict[str, str], **environment: str) -> dict[str, Any]:
    """One update of nothing but these containers' images."""
    (first, image), *others = images.items()
    return run(
        fake,
        {
            "ecs_cluster_name": "ECSCluster",
            "ecs_service_name": "ecs-dummy-service",
            "ecs_container_name": first,
            "ecs_image_name": image,
            "ecs_container_images": dict(others),
            "ecs_tag": {},
            "ecs_tag_mode": "merge",
        },
        **environment,
    )


def with_images(body: dict[str, Any], images: dict[str, str]) -> dict[str, Any]:
    """``body`` with these images by container: the oracle."""
    expected = copy.deepcopy(body)
    for container in expected["containerDefinitions"]:
        if container["name"] in images:
            container["image"] = images[container["name"]]
    return expected


def registered_bodies(fake: SimulatedEcs) -> list[dict[str, Any]]:
    """What RegisterTaskDefinition was sent."""
    return [
        request.body for request in fake.requests if request.operation == "RegisterTaskDefinition"
    ]


def accepted_by_the_sdk(body: dict[str, Any]) -> bool:
    """Whether botocore would send ``body`` itself."""
    return not ParamValidator().validate(body, REGISTERED).has_errors()


ANY_SETTING = {"ALLOWED_FIELDS": "*", "ALLOWED_SECRETS": "*"}
UPDATE_CALLS = [
    "DescribeServices",
    "DescribeTaskDefinition",
    "RegisterTaskDefinition",
    "UpdateService",
]


@given(data=st.data(), task_definition=strategies.task_definitions(), has_image=st.booleans())
def test_any_combination_of_settings_changes_what_it_names_and_nothing_else_and_only_once(
    data, task_definition, has_image
):
    """For any task definition, with as many calls as for an image."""
    body = data.draw(strategies.with_named_values(task_definition))
    names = [container["name"] for container in body["containerDefinitions"]]
    settings = {
        name: data.draw(strategies.container_settings())
        for name in data.draw(st.lists(st.sampled_from(names), unique=True))
    }
    size = data.draw(st.sampled_from([{}, {"ecs_task_cpu": 512, "ecs_task_memory": 1024}]))
    image = {"ecs_image_name": "registry.example/new:1"} if has_image else {}
    further = {name: settings[name] for name in settings if name != names[0]}
    event = {
        "ecs_cluster_name": "ECSCluster",
        "ecs_service_name": "ecs-dummy-service",
        "ecs_container_name": names[0],
        # The second one is a setting that changes nothing.
        **({"ecs_container_settings": further} if further else {"ecs_deployment": {}}),
        **settings.get(names[0], {}),
        **size,
        **image,
    }
    expected = with_images(body, {names[0]: "registry.example/new:1"} if has_image else {})
    for container in expected["containerDefinitions"]:
        set_container(container, settings.get(container["name"], {}))
    for name in ("cpu", "memory"):
        if size and task_size(expected.get(name)) != size[f"ecs_task_{name}"]:
            expected[name] = str(size[f"ecs_task_{name}"])
    fake = running(body)

    if any(
        {name for name, _ in effective(container)["environment"]}
        & {name for name, _ in effective(container)["secrets"]}
        & {*named.get("ecs_environment", {}), *named.get("ecs_secrets", {})}
        for container in expected["containerDefinitions"]
        if (named := settings.get(container["name"]))
    ):
        with pytest.raises(InvalidEventError, match="has this name: remove it"):
            run(fake, event, **ANY_SETTING)
        assert fake.writes == []
        return
    answer = run(fake, event, **ANY_SETTING)

    changes = sorted(change["what"] for change in answer["body"]["changes"])
    assert changes == sorted(differing(body, expected))
    assert fake.writes == [] or fake.operations == UPDATE_CALLS
    assert bool(fake.writes) == bool(changes)
    if changes:
        (registered,) = registered_bodies(fake)
        assert same_json(registered, expected)
    again = run(fake, event, **ANY_SETTING)["body"]
    assert again["changes"] == [] and len(registered_bodies(fake)) == bool(changes)


def set_container(container: dict[str, Any], settings: dict[str, Any]) -> None:
    """Writes settings into a container: the oracle."""
    for kind, (key, _) in strategies.NAMED.items():
        wanted = settings.get(f"ecs_{kind}", {})
        old = container.get(kind, [])
        kept = [pair for pair in old if wanted.get(pair.get("name"), pair) is not None]
        new = [
            pair | ({key: wanted[pair["name"]]} if pair.get("name") in wanted else {})
            for pair in kept
        ]
        known = {pair.get("name") for pair in old}
        new += [
            {"name": name, key: value}
            for name, value in wanted.items()
            if value is not None and name not in known
        ]
        if new != old:
            container[kind] = new
    for field in ("command", "cpu", "memory"):
        if f"ecs_{field}" in settings:
            container[field] = settings[f"ecs_{field}"]


def effective(container: dict[str, Any]) -> dict[str, Any]:
    """What ECS makes of the settings of a container: of equal names the last, of nothing 0."""
    named = {
        kind: {pair["name"]: pair.get(key) for pair in container.get(kind, []) if "name" in pair}
        for kind, (key, _) in strategies.NAMED.items()
    }
    return {kind: set(values.items()) for kind, values in named.items()} | {
        "command": container.get("command", []),
        "cpu": container.get("cpu", 0),
        "memory": container.get("memory"),
        "image": container.get("image"),
    }


def task_size(text: str | None) -> float | None:
    """The size of a task in CPU units or MiB."""
    match = re.fullmatch(r"(?i)([0-9]+|[0-9]*\.[0-9]+) *(vcpu|gb)?", text or "")
    return match and round(float(match[1]) * (1024 if match[2] else 1))


def differing(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """The names of the settings and images that differ."""
    names = {f"task.{name}" for name in ("cpu", "memory") if before.get(name) != after.get(name)}
    for old, new in zip(before["containerDefinitions"], after["containerDefinitions"], strict=True):
        container, was, is_now = old["name"], effective(old), effective(new)
        for kind, what in (("environment", "environment"), ("secrets", "secret")):
            changed = {name for name, _ in was.pop(kind) ^ is_now.pop(kind)}
            names |= {f"{what}.{container}.{name}" for name in changed}
        names |= {f"{field}.{container}" for field in was if was[field] != is_now[field]}
    return names


# Image references


@given(written=strategies.references)
def test_every_form_of_an_image_reference_parses_into_what_it_was_made_of(written):
    parsed = ImageReference.parse(written.text)
    assert str(parsed) == written.text
    assert (parsed.tag, parsed.digest) == (written.tag, written.digest)
    if written.registry in (None, "docker.io", "index.docker.io"):
        path = written.path if written.path.count("/") else "library/" + written.path
        assert (parsed.registry, parsed.path) == ("docker.io", path)
    else:
        assert (parsed.registry.casefold(), parsed.path) == (
            written.registry.casefold(),
            written.path,
        )
    assert (
        parsed.repository
        == ImageReference.parse(
            written.text.partition("@")[0] + ("" if written.tag else ":other")
        ).repository
    )


# The grammar of the OCI distribution project in one piece, and looser than the function's.
LOOSE_REFERENCE = re.compile(
    r"(?:[A-Za-z0-9.\[\]:-]+/)?[a-z0-9][a-z0-9._/-]*(?::[\w][\w.-]{0,127})?(?:@[A-Za-z0-9+._-]+:[0-9a-f]{32,})?",
    re.ASCII,
)


@given(text=strategies.mutated(strategies.reference_texts) | strategies.hostile_text)
def test_any_text_is_either_a_sound_reference_or_refused_in_one_line(text):
    try:
        parsed = ImageReference.parse(text)
    except InvalidImageError as error:
        assert_is_presentable(error)
        assert len(str(error)) <= 400
    else:
        assert str(parsed) == text and LOOSE_REFERENCE.fullmatch(text)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a-",
        "a--",
        "a_",
        "a__",
        "a.",
        "a/",
        "a:",
        "A.",
        "A-",
        "a@",
        "@a+",
        "1:",
        "[:",
        "[1:",
        "-",
        ".",
        "é",
    ],
)
@pytest.mark.parametrize("end", ["", "!", "/!", ":!", "@!", "@a:!"])
def test_no_text_makes_a_reference_slow_to_parse(piece, end, monkeypatch):
    """A pattern that tries every way to cut a text of this length would never end."""
    monkeypatch.setattr("ecs_updater.model.image._REFERENCE_LIMIT", 200_000)
    with pytest.raises(InvalidImageError):
        ImageReference.parse(piece * (100_000 // len(piece)) + end)


# Tags


def states(start: dict[str, str], changes: TagChanges) -> list[dict[str, str]]:
    """Every state that a resource goes through, tag by tag, as ``changes`` are written to it in
    their order.
    """
    through = [dict(start)]

    def set_tags() -> None:
        for key, value in changes.to_set.items():
            through.append(through[-1] | {key: value})

    def remove_tags() -> None:
        for key in changes.to_remove:
            through.append({k: v for k, v in through[-1].items() if k != key})

    for step in (remove_tags, set_tags) if removes_first(changes) else (set_tags, remove_tags):
        step()
    return through


@given(pair=strategies.tags_before_and_after() | st.tuples(strategies.tags, strategies.tags))
def test_tag_changes_lead_from_before_to_after_and_from_wherever_they_stopped_back_again(pair):
    """And never through more tags than a resource can have, nor through none where it need not
    be.
    """
    before, after = pair
    changes = TagChanges(before, after)
    forward = states(before, changes)
    assert forward[-1] == after
    assert bool(changes) == (before != after) == (len(forward) > 1)
    for stop in forward:
        back = states(stop, changes.reverse)
        assert back[-1] == before
        assert all(len(state) <= LIMIT for state in (stop, *back))
        if before and after and not removes_first(changes):
            assert all((stop, *back))


FAILURES = [
    ("TagResource", False),
    ("TagResource", True),
    ("UntagResource", False),
    ("UntagResource", True),
    ("UpdateService", False),
]
"""A write, and whether it had its effect all the same."""


@given(
    pair=strategies.tags_before_and_after(),
    failure=st.sampled_from(FAILURES),
    fault=st.sampled_from([REFUSED, DENIED]),
)
def test_whichever_write_fails_the_service_keeps_the_tags_and_the_revision_that_it_had(
    pair, failure, fault
):
    """On the wire, the answer lost after the effect included. The service never has more than 50
    tags: ECS refuses nothing.
    """
    before, after = pair
    operation, after_effect = failure
    fake = SimulatedEcs()
    fake.service.tags, running_before = dict(before), fake.running_arn
    fake.fail(operation, SERVER_ERROR if after_effect else fault, after_effect=after_effect)
    event = {
        "ecs_cluster_name": "ECSCluster",
        "ecs_service_name": "ecs-dummy-service",
        "ecs_image_name": "busybox:2",
        "ecs_tag": after,
    }
    called = {
        "TagResource": bool(TagChanges(before, after).to_set),
        "UntagResource": bool(before.keys() - after.keys()),
    }
    if not called.get(operation, True):
        run(fake, event)
        assert fake.service.tags == after and fake.running_images == {
            "ecs-dummy-container": "busybox:2"
        }
        return
    with pytest.raises(EcsUpdaterError) as caught:
        run(fake, event)
    assert_is_presentable(caught.value)
    assert fake.service.tags == before and not fake.refusals
    assert fake.running_arn == running_before


# What AWS answers


@given(failures=strategies.failures(), force=st.booleans())
def test_whatever_aws_answers_the_caller_gets_an_error_of_the_contract_that_says_nothing_wrong(
    failures, force
):
    """And no revision is registered twice, no deployment made twice, because an answer got lost."""
    fake = SimulatedEcs()
    tags, task_definition = dict(fake.service.tags), fake.running_arn
    for operation, fault, after_effect in failures:
        fake.fail(operation, fault, after_effect=after_effect)
    event = {
        "ecs_cluster_name": "ECSCluster",
        "ecs_service_name": "ecs-dummy-service",
        "ecs_image_name": "busybox:2",
        "ecs_tag": {"owner": "platform"},
        "force_new_deployment": force,
    }
    try:
        answer = run(fake, event)
    except EcsUpdaterError as error:
        text = str(error)
        assert text.isprintable() and len(text) <= MESSAGE_AT_MOST
        if "is not used" in text:
            assert fake.running_arn == task_definition
        if "the service is as it was" in text:
            assert (fake.running_arn, fake.service.tags) == (task_definition, tags)
        if "ecs_service_update" not in text:
            assert fake.writes == []
        if "not known" in text or "no answer" in text:
            assert isinstance(error, ServerFault)
    else:
        assert answer["body"]["deployment"]["verdict"] == "IN_PROGRESS"
        assert fake.running_images == {
            "ecs-dummy-container": "busybox:2"
        } and fake.service.tags == {"owner": "platform"}
    assert len(fake.revisions) <= 2 and len(fake.service.history) <= 2
    assert not fake.service.was_without_tags


def test_an_answer_that_the_sdk_cannot_parse_is_an_error_of_the_contract_too():
    """botocore raises another error than BotoCoreError: here for a union without a member."""
    requirement = {"type": "GPU", "value": "1", "sharingStrategy": {}}
    fake = SimulatedEcs(
        containers=[{"name": "app", "image": "busybox", "resourceRequirements": [requirement]}]
    )
    try:
        update_images(fake, {"app": "busybox:2"})
    except EcsUpdaterError as error:
        assert_is_presentable(error)

"""The writes of a plan: the calls on the wire, their order and their content."""

import json

import pytest

from fakes.fake_ecs import CLUSTER_ARN, FAMILY_ARN, SERVICE_ARN, FakeEcs

READS = ["DescribeServices", "DescribeTaskDefinition"]
SAME = {"ecs_image_name": "busybox", "ecs_tag": {"old-custom-tag-name": "old-custom-tag-value"}}
OLD_TAG = {"old-custom-tag-name": "old-custom-tag-value"}

FUTURE = {
    "futureOption": {"nested": [{"deep": None, "empty": ""}], "zero": 0, "off": False},
    "volumes": [{"name": "data", "futureVolume": {"size": 1}}],
    "proxyConfiguration": {
        "type": "APPMESH",
        "containerName": "web",
        "properties": [{"name": "EgressIgnoredIPs", "value": ""}],
    },
    "runtimePlatform": {},
    "placementConstraints": [],
}
CONTAINERS = [
    {
        "name": "web",
        "image": "nginx:1",
        "memory": 128,
        "environment": [{"name": "EMPTY", "value": ""}, {"name": "UNICODE", "value": "ä\u2028😀"}],
        "command": [],
        "futureContainer": {"a": [1, 2.5, "x", None, True]},
        "healthCheck": {"command": ["CMD"], "futureCheck": 10**15},
    },
    {
        "name": "side",
        "image": "envoy:1",
        "essential": False,
        "logConfiguration": {"logDriver": "awslogs", "options": {"x": ""}},
    },
]


def sent(fake, operation):
    """Returns the bodies of the requests of an operation."""
    return [request.body for request in fake.requests if request.operation == operation]


def many(count, prefix):
    """Returns ``count`` tags."""
    return {f"{prefix}{number}": "v" for number in range(count)}


@pytest.mark.parametrize(
    "fields, writes, deployments",
    [
        ({}, ["RegisterTaskDefinition", "TagResource", "UntagResource", "UpdateService"], 1),
        ({"ecs_tag": OLD_TAG}, ["RegisterTaskDefinition", "UpdateService"], 1),
        (
            {"ecs_tag": OLD_TAG, "force_new_deployment": True},
            ["RegisterTaskDefinition", "UpdateService"],
            1,
        ),
        (SAME, [], 0),
        (SAME | {"force_new_deployment": True}, ["UpdateService"], 1),
        *(
            ({"ecs_image_name": "busybox", "ecs_tag": tags, "ecs_tag_mode": mode}, calls, 0)
            for tags, mode, calls in (
                ({"new": "value"}, "replace", ["TagResource", "UntagResource"]),
                ({"new": "value"} | OLD_TAG, "replace", ["TagResource"]),
                ({"new": "value"}, "merge", ["TagResource"]),
                ({"old-custom-tag-name": "new"}, "replace", ["TagResource"]),
                ({}, "replace", ["UntagResource"]),
                ({}, "merge", []),
            )
        ),
    ],
)
def test_an_update_costs_two_reads_and_only_the_needed_writes(
    ecs_fake, send, event, fields, writes, deployments
):
    body = send(ecs_fake, event(**fields))
    assert ecs_fake.operations == [*READS, *writes]
    assert len(ecs_fake.service["deployments"]) == 1 + deployments
    assert len(ecs_fake.revisions) == 1 + writes.count("RegisterTaskDefinition")
    assert body["changed"] is bool(writes)
    assert (body["BEFORE"] != body["AFTER"]) is bool(writes)
    assert body["deployment"]["verdict"] == ("IN_PROGRESS" if deployments else "NO_CHANGE")


def test_a_second_update_with_the_same_event_is_a_no_op(ecs_fake, send, event):
    send(ecs_fake, event())
    ecs_fake.requests.clear()
    assert send(ecs_fake, event())["changed"] is False
    assert ecs_fake.operations == READS


@pytest.mark.parametrize(
    "fields, content",
    [
        ({}, {"taskDefinition": f"{FAMILY_ARN}:2"}),
        (SAME | {"force_new_deployment": True}, {"forceNewDeployment": True}),
    ],
)
def test_update_service_has_only_the_change(ecs_fake, send, event, fields, content):
    send(ecs_fake, event(**fields))
    (body,) = sent(ecs_fake, "UpdateService")
    assert body == {"cluster": CLUSTER_ARN, "service": SERVICE_ARN} | content


@pytest.mark.parametrize(
    "fields",
    [{}, {"force_new_deployment": True}, SAME, {"ecs_image_name": "busybox"}],
    ids=json.dumps,
)
def test_a_dry_run_makes_the_reads_only(ecs_fake, send, event, fields):
    send(ecs_fake, event(**fields, dry_run=True))
    assert ecs_fake.operations == READS


def test_the_tags_are_added_before_any_is_removed(ecs_fake, send, event):
    send(ecs_fake, event())
    assert ecs_fake.tags == {"new": "value"} and not ecs_fake.was_without_tags
    assert sent(ecs_fake, "TagResource") == [
        {"resourceArn": SERVICE_ARN, "tags": [{"key": "new", "value": "value"}]}
    ]
    assert sent(ecs_fake, "UntagResource") == [
        {"resourceArn": SERVICE_ARN, "tagKeys": ["old-custom-tag-name"]}
    ]


@pytest.mark.parametrize("old, new", [(50, 1), (1, 50), (26, 25), (50, 50)])
def test_tags_are_removed_first_if_old_and_new_ones_exceed_fifty(ecs_fake, send, event, old, new):
    ecs_fake.tags = many(old, "old")
    send(ecs_fake, event(ecs_image_name="busybox", ecs_tag=many(new, "new")))
    assert ecs_fake.writes == ["UntagResource", "TagResource"]
    assert ecs_fake.tags == many(new, "new")


def test_reserved_tags_are_kept_and_not_counted(ecs_fake, send, event):
    aws = many(10, "aws:x")
    ecs_fake.tags = many(25, "old") | aws
    send(ecs_fake, event(ecs_tag=many(25, "new")))
    assert ecs_fake.tags == many(25, "new") | aws
    assert ecs_fake.writes.index("TagResource") < ecs_fake.writes.index("UntagResource")
    assert not any(key.startswith("aws:") for key in sent(ecs_fake, "UntagResource")[0]["tagKeys"])


def test_the_environment_gives_defaults_and_tags_without_a_value_stay(ecs_fake, send):
    environment = {
        "CLUSTER_NAME": "ECSCluster",
        "SERVICE_NAME": "ecs-dummy-service",
        "IMAGE": "busybox:2",
        "CONTAINER_NAME": "",
    }
    body = send(ecs_fake, {}, **environment)
    assert ecs_fake.writes == ["RegisterTaskDefinition", "UpdateService"]
    assert ecs_fake.tags == OLD_TAG and ecs_fake.images == {"ecs-dummy-container": "busybox:2"}
    assert body["BEFORE"]["tags"] == body["AFTER"]["tags"]


def test_images_of_several_containers_change_in_one_revision(send, event):
    fake = FakeEcs(CONTAINERS)
    send(fake, event(ecs_image_name="nginx:2", ecs_container_images={"side": "envoy:2"}))
    assert fake.images == {"web": "nginx:2", "side": "envoy:2"}
    assert fake.writes.count("RegisterTaskDefinition") == 1


@pytest.mark.parametrize(
    "fields",
    [FUTURE, {"networkMode": "awsvpc", "ephemeralStorage": {"sizeInGiB": 21}}],
    ids=["new", "known"],
)
def test_the_new_revision_is_the_running_one_with_another_image_and_nothing_else_changed(
    send, event, fields
):
    fake = FakeEcs(CONTAINERS, **fields)
    fake.revision_tags[0] = [
        {"key": "b", "value": ""},
        {"key": "aws:x", "value": "y"},
        {"key": "a", "value": "1"},
    ]
    send(fake, event(ecs_image_name="nginx:2"))
    (body,) = sent(fake, "RegisterTaskDefinition")
    assert body == {
        "family": "ecs-dummy-task",
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [CONTAINERS[0] | {"image": "nginx:2"}, CONTAINERS[1]],
        "tags": [{"key": "b", "value": ""}, {"key": "a", "value": "1"}],
        **fields,
    }


def test_a_second_update_keeps_the_fields_that_the_first_one_kept(send, event):
    fake = FakeEcs(CONTAINERS, **FUTURE)
    send(fake, event(ecs_image_name="nginx:2"))
    send(fake, event(ecs_image_name="nginx:1"))
    own = ("taskDefinitionArn", "revision", "registeredAt")
    first, _, third = (
        {name: value for name, value in revision.items() if name not in own}
        for revision in fake.revisions
    )
    assert first == third


def test_unknown_fields_are_dropped_and_listed_when_the_setting_says_so(send, event):
    fake = FakeEcs(CONTAINERS, **FUTURE)
    changes = send(fake, event(ecs_image_name="nginx:2", ecs_tag=OLD_TAG), UNKNOWN_FIELDS="drop")[
        "changes"
    ]
    (body,) = sent(fake, "RegisterTaskDefinition")
    assert "future" not in json.dumps(body)
    assert body["containerDefinitions"][0]["environment"][0] == {"name": "EMPTY", "value": ""}
    assert changes[0] == {"what": "image.web", "from": "nginx:1", "to": "nginx:2"}
    assert sorted(change["what"] for change in changes[1:]) == [
        "field.containerDefinitions[0].futureContainer",
        "field.containerDefinitions[0].healthCheck.futureCheck",
        "field.futureOption",
        "field.volumes[0].futureVolume",
    ]
    assert all((change["from"], change["to"]) == ("set", "dropped") for change in changes[1:])

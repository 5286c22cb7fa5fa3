"""Writing a plan: which calls go over the wire, in which order, with what in them; counted where
they leave the machine.
"""

import json

import pytest

from fakes.fake_ecs import SERVICE_ARN, FakeEcs

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
    """The bodies that were sent to ``operation``."""
    return [request.body for request in fake.requests if request.operation == operation]


def many(count, prefix):
    """``count`` tags."""
    return {f"{prefix}{number}": "v" for number in range(count)}


def test_an_update_of_image_and_tags_costs_four_calls_and_two_for_the_tags(ecs_fake, send, event):
    send(ecs_fake, event())
    assert ecs_fake.operations == [
        *READS,
        "RegisterTaskDefinition",
        "TagResource",
        "UntagResource",
        "UpdateService",
    ]


def test_an_update_of_the_image_costs_four_calls(ecs_fake, send, event):
    send(ecs_fake, event(ecs_tag=OLD_TAG))
    assert ecs_fake.operations == [*READS, "RegisterTaskDefinition", "UpdateService"]


def test_a_no_op_costs_two_reads(ecs_fake, send, event):
    body = send(ecs_fake, event(**SAME))
    assert ecs_fake.operations == READS
    assert body["changed"] is False and body["BEFORE"] == body["AFTER"]


@pytest.mark.parametrize(
    "tags, mode, calls",
    [
        ({"new": "value"}, "replace", ["TagResource", "UntagResource"]),
        ({"new": "value"} | OLD_TAG, "replace", ["TagResource"]),
        ({"new": "value"}, "merge", ["TagResource"]),
        ({"old-custom-tag-name": "new"}, "replace", ["TagResource"]),
        ({}, "replace", ["UntagResource"]),
        ({}, "merge", []),
    ],
)
def test_tags_alone_cost_two_reads_and_at_most_two_writes(ecs_fake, send, event, tags, mode, calls):
    send(ecs_fake, event(ecs_image_name="busybox", ecs_tag=tags, ecs_tag_mode=mode))
    assert ecs_fake.operations == [*READS, *calls]
    assert len(ecs_fake.service["deployments"]) == 1


def test_a_second_update_with_the_same_event_is_a_no_op(ecs_fake, send, event):
    send(ecs_fake, event())
    ecs_fake.requests.clear()
    assert send(ecs_fake, event())["changed"] is False
    assert ecs_fake.operations == READS


def test_update_service_names_what_it_changes_and_nothing_else(ecs_fake, send, event):
    send(ecs_fake, event())
    (body,) = sent(ecs_fake, "UpdateService")
    assert body == {
        "cluster": ecs_fake.service["clusterArn"],
        "service": SERVICE_ARN,
        "taskDefinition": ecs_fake.newest["taskDefinitionArn"],
    }


def test_a_forced_deployment_keeps_the_revision(ecs_fake, send, event):
    body = send(ecs_fake, event(**SAME, force_new_deployment=True))
    assert ecs_fake.operations == [*READS, "UpdateService"]
    assert sent(ecs_fake, "UpdateService")[0]["forceNewDeployment"] is True
    assert len(ecs_fake.revisions) == 1 and len(ecs_fake.service["deployments"]) == 2
    assert body["changed"] is True and body["deployment"]["verdict"] == "IN_PROGRESS"


def test_a_forced_deployment_of_another_image_is_one_deployment(ecs_fake, send, event):
    send(ecs_fake, event(force_new_deployment=True))
    assert len(ecs_fake.revisions) == 2 and len(ecs_fake.service["deployments"]) == 2


@pytest.mark.parametrize(
    "fields",
    [{}, {"force_new_deployment": True}, SAME, {"ecs_image_name": "busybox"}],
    ids=json.dumps,
)
def test_a_dry_run_reads_everything_and_writes_nothing(ecs_fake, send, event, fields):
    before = json.dumps([ecs_fake.service, ecs_fake.tags, ecs_fake.revisions])
    send(ecs_fake, event(**fields, dry_run=True))
    assert ecs_fake.operations == READS
    assert json.dumps([ecs_fake.service, ecs_fake.tags, ecs_fake.revisions]) == before


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
def test_tags_are_removed_first_where_old_and_new_exceed_fifty(ecs_fake, send, event, old, new):
    ecs_fake.tags = many(old, "old")
    send(ecs_fake, event(ecs_image_name="busybox", ecs_tag=many(new, "new")))
    assert ecs_fake.writes == ["UntagResource", "TagResource"]
    assert ecs_fake.tags == many(new, "new")


def test_aws_tags_are_kept_and_not_counted(ecs_fake, send, event):
    aws = many(10, "aws:x")
    ecs_fake.tags = many(25, "old") | aws
    send(ecs_fake, event(ecs_tag=many(25, "new")))
    assert ecs_fake.tags == many(25, "new") | aws
    assert ecs_fake.writes.index("TagResource") < ecs_fake.writes.index("UntagResource")
    assert not any(key.startswith("aws:") for key in sent(ecs_fake, "UntagResource")[0]["tagKeys"])


def test_merged_tags_are_added_to_those_that_are(ecs_fake, send, event):
    send(ecs_fake, event(ecs_tag_mode="merge"))
    assert ecs_fake.tags == OLD_TAG | {"new": "value"}


def test_without_tags_in_event_and_an_image_configured_the_tags_stay(ecs_fake, send):
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


def test_a_second_update_keeps_what_the_first_one_kept(send, event):
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

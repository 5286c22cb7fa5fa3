"""The writes of a plan: the calls on the wire, their order and their content."""

import pytest

from ecs_updater.deployments.existing_revision import is_registered_as
from fakes.wire import CLUSTER_ARN, FAMILY_ARN, SERVICE_ARN

READS = ["DescribeServices", "DescribeTaskDefinition"]
SAME = {"ecs_image_name": "busybox", "ecs_tag": {"old-custom-tag-name": "old-custom-tag-value"}}
OLD_TAG = {"old-custom-tag-name": "old-custom-tag-value"}


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
    assert len(ecs_fake.service.history) == 1 + deployments
    assert len(ecs_fake.revisions) == 1 + writes.count("RegisterTaskDefinition")
    assert body["changed"] is bool(writes)
    assert (body["BEFORE"] != body["AFTER"]) is bool(writes)
    assert body["deployment"]["verdict"] == ("IN_PROGRESS" if deployments else "NO_CHANGE")


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


def test_the_tags_are_added_before_any_is_removed(ecs_fake, send, event):
    send(ecs_fake, event())
    assert ecs_fake.service.tags == {"new": "value"} and not ecs_fake.service.was_without_tags
    assert sent(ecs_fake, "TagResource") == [
        {"resourceArn": SERVICE_ARN, "tags": [{"key": "new", "value": "value"}]}
    ]
    assert sent(ecs_fake, "UntagResource") == [
        {"resourceArn": SERVICE_ARN, "tagKeys": ["old-custom-tag-name"]}
    ]


def test_reserved_tags_are_kept_and_not_counted(ecs_fake, send, event):
    aws = many(10, "aws:x")
    ecs_fake.service.tags = many(25, "old") | aws
    send(ecs_fake, event(ecs_tag=many(25, "new")))
    assert ecs_fake.service.tags == many(25, "new") | aws
    assert ecs_fake.writes.index("TagResource") < ecs_fake.writes.index("UntagResource")
    assert not any(key.startswith("aws:") for key in sent(ecs_fake, "UntagResource")[0]["tagKeys"])


def test_a_revision_is_found_again_whatever_the_order_and_the_empty_lists_of_ecs(fields):
    variables = [{"name": "D", "value": ""}, {"name": "C", "value": ""}]
    container = {"name": "a", "image": "b", "environment": variables}
    registered = {
        "family": "f",
        "containerDefinitions": [{**container, "secrets": [], "command": []}],
    }
    found = {
        "family": "f",
        "containerDefinitions": [{**container, "mountPoints": [], "environment": variables[::-1]}],
        "revision": 2,
    }
    assert is_registered_as(registered, found, [], fields)
    for other in ({"command": ["sh"]}, {"environment": []}, {"secrets": [{"name": "D"}]}):
        changed = {**found, "containerDefinitions": [{**container, **other}]}
        assert not is_registered_as(registered, changed, [], fields)

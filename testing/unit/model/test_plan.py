"""The plan: what an update has to write, possibly nothing."""

import dataclasses

import pytest

from ecs_updater.deployments.tag_writer import removes_first
from ecs_updater.errors import (
    AmbiguousContainerError,
    ContainerNotFoundError,
    InvalidEventError,
    ServiceTagsRefusedError,
)
from ecs_updater.model.image import ImageReference
from ecs_updater.model.plan import ImageChange, make_plan
from ecs_updater.model.request import UpdateRequest
from ecs_updater.model.service import Snapshot
from ecs_updater.settings import Settings

TASK_DEFINITION = {
    "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/f:3",
    "family": "f",
    "revision": 3,
    "status": "ACTIVE",
    "containerDefinitions": [
        {"name": "web", "image": "nginx"},
        {"name": "side", "image": "envoy", "future": ""},
    ],
}
SNAPSHOT = Snapshot(
    key="arn:aws:ecs:eu-west-1:123456789012:service/c/s",
    cluster_arn="arn:aws:ecs:eu-west-1:123456789012:cluster/c",
    service_arn="arn:aws:ecs:eu-west-1:123456789012:service/c/s",
    task_definition=TASK_DEFINITION,
    task_definition_tags=(),
    tags={"owner": "me"},
    reserved_tags={"aws:x": "y"},
    deployment_id="ecs-svc/1",
    updated_on=None,
)


@pytest.fixture(name="plan")
def _plan(fields):
    """Makes the plan for an image and further fields of the request."""

    def make(image="nginx", snapshot=SNAPSHOT, unknown_fields="keep", images=None, **request):
        further = {name: ImageReference.parse(text) for name, text in (images or {}).items()}
        request = {"tags": None, "container_images": further} | request
        asked = UpdateRequest(
            cluster="c", service="s", image=ImageReference.parse(image), **request
        )
        return make_plan(snapshot, asked, fields, Settings(unknown_fields=unknown_fields))

    return make


def test_equal_images_and_tags_write_nothing(plan):
    made = plan(tags={"owner": "me"})
    assert (made.writes, made.deploys, made.revision, made.images, bool(made.tags)) == (
        False,
        False,
        None,
        (),
        False,
    )


def test_another_image_makes_a_revision_and_a_deployment(plan):
    made = plan("nginx:2")
    assert made.writes and made.deploys
    assert made.images == (ImageChange("web", "nginx", "nginx:2"),)
    assert made.revision == {
        "family": "f",
        "containerDefinitions": [
            {"name": "web", "image": "nginx:2"},
            {"name": "side", "image": "envoy", "future": ""},
        ],
    }


def test_other_tags_alone_make_neither_a_revision_nor_a_deployment(plan):
    made = plan(tags={"owner": "you"})
    assert made.writes and not made.deploys
    assert made.revision is None and made.tags.to_set == {"owner": "you"}


def test_a_forced_deployment_needs_no_revision(plan):
    made = plan(force_new_deployment=True)
    assert made.writes and made.deploys and made.revision is None


def test_reserved_tags_are_neither_removed_nor_counted(plan):
    snapshot = dataclasses.replace(
        SNAPSHOT, tags={}, reserved_tags={f"aws:{n}": "v" for n in range(20)}
    )
    made = plan(snapshot=snapshot, tags={f"k{n}": "v" for n in range(50)})
    assert (
        len(made.tags.to_set) == 50 and made.tags.to_remove == [] and not removes_first(made.tags)
    )


def test_more_tags_than_ecs_allows_are_refused(plan):
    with pytest.raises(ServiceTagsRefusedError):
        plan(tags={f"k{n}": "v" for n in range(50)}, tag_mode="merge")


def test_several_containers_change_in_one_revision_in_their_order(plan):
    made = plan("nginx:2", images={"side": "envoy:2"})
    assert made.container == "web"
    assert made.images == (
        ImageChange("web", "nginx", "nginx:2"),
        ImageChange("side", "envoy", "envoy:2"),
    )
    assert [c["image"] for c in made.revision["containerDefinitions"]] == ["nginx:2", "envoy:2"]


def test_only_a_further_container_may_change(plan):
    assert plan(images={"side": "envoy:2"}).images == (ImageChange("side", "envoy", "envoy:2"),)


def test_the_same_image_twice_for_the_addressed_container_is_no_contradiction(plan):
    assert plan("nginx:2", images={"web": "nginx:2"}).images == (
        ImageChange("web", "nginx", "nginx:2"),
    )


def test_two_images_for_the_addressed_container_are_refused(plan):
    with pytest.raises(InvalidEventError) as refused:
        plan("nginx:2", images={"web": "nginx:3"})
    assert str(refused.value) == (
        "[ERROR][json_validation] wrong input event format: "
        "ecs_container_images.web: this container gets ecs_image_name, nginx:2, and cannot "
        "have nginx:3 as well"
    )


@pytest.mark.parametrize(
    "request_fields",
    [{"container": "no"}, {"images": {"no": "busybox"}}, {"images": {"": "busybox"}}],
)
def test_a_container_that_is_not_there_is_refused(plan, request_fields):
    with pytest.raises(ContainerNotFoundError):
        plan("nginx:2", **request_fields)


def test_an_image_of_neither_container_is_refused_unless_one_is_named(plan):
    with pytest.raises(AmbiguousContainerError):
        plan("busybox")
    assert plan("busybox", container="side").images == (ImageChange("side", "envoy", "busybox"),)


def test_the_revision_keeps_the_tags_of_the_running_one_but_those_of_aws(plan):
    tags = ({"key": "a", "value": "1"}, {"key": "aws:b", "value": "2"})
    assert plan("nginx:2", dataclasses.replace(SNAPSHOT, task_definition_tags=tags)).revision[
        "tags"
    ] == [tags[0]]


def test_a_revision_without_tags_is_registered_without_tags(plan):
    snapshot = dataclasses.replace(SNAPSHOT, task_definition_tags=({"key": "aws:b", "value": "2"},))
    assert "tags" not in plan("nginx:2", snapshot).revision


def test_fields_that_the_sdk_does_not_know_are_kept_and_named(plan):
    made = plan("nginx:2")
    assert (
        made.unknown_fields == ("containerDefinitions[1].future",) and not made.drops_unknown_fields
    )


def test_fields_that_the_sdk_does_not_know_are_dropped_and_named_when_the_setting_says_so(plan):
    made = plan("nginx:2", unknown_fields="drop")
    assert made.unknown_fields == ("containerDefinitions[1].future",) and made.drops_unknown_fields
    assert made.revision["containerDefinitions"][1] == {"name": "side", "image": "envoy"}


def test_nothing_is_dropped_where_no_revision_is_made(plan):
    made = plan(force_new_deployment=True, unknown_fields="drop")
    assert (made.unknown_fields, made.drops_unknown_fields) == ((), False)


def test_a_running_revision_is_left_as_it_was(plan):
    before = repr(TASK_DEFINITION)
    plan("nginx:2", unknown_fields="drop")
    assert repr(TASK_DEFINITION) == before

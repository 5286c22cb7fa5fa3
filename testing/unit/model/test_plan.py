"""The plan: what an update has to write, possibly nothing."""

import pytest

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


def test_more_tags_than_ecs_allows_are_refused(plan):
    with pytest.raises(ServiceTagsRefusedError):
        plan(tags={f"k{n}": "v" for n in range(50)}, tag_mode="merge")


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

"""The plan: what an update has to write, possibly nothing."""

from dataclasses import replace

import pytest

from ecs_updater.deployments.existing_revision import shared_key
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
        update_request = UpdateRequest(
            cluster="c", service="s", image=ImageReference.parse(image), **request
        )
        return make_plan(snapshot, update_request, fields, Settings(unknown_fields=unknown_fields))

    return make


@pytest.mark.parametrize(
    "image, request_fields, change",
    [
        ("nginx", {"images": {"side": "envoy:2"}}, ImageChange("side", "envoy", "envoy:2")),
        ("nginx:2", {"images": {"web": "nginx:2"}}, ImageChange("web", "nginx", "nginx:2")),
        ("busybox", {"container": "side"}, ImageChange("side", "envoy", "busybox")),
    ],
)
def test_only_the_named_containers_change(plan, image, request_fields, change):
    assert plan(image, **request_fields).images == (change,)


def test_a_revision_is_not_shared_if_ecs_registers_it_or_an_older_one_is_copied(plan):
    registered = plan("nginx:2", container="web")
    assert shared_key(registered)
    assert shared_key(plan("nginx", container="web")) is None
    for other in ({"target": TASK_DEFINITION}, {"express": {"serviceArn": "s"}}):
        assert shared_key(replace(registered, **other)) is None


@pytest.mark.parametrize(
    "image, request_fields, kind, message",
    [
        (
            "nginx",
            {"tags": {f"k{n}": "v" for n in range(50)}, "tag_mode": "merge"},
            ServiceTagsRefusedError,
            "the service would have 51 tags",
        ),
        (
            "nginx:2",
            {"images": {"web": "nginx:3"}},
            InvalidEventError,
            "ecs_container_images.web: this container gets ecs_image_name, nginx:2, and cannot "
            "have nginx:3 as well",
        ),
        *(
            ("nginx:2", fields, ContainerNotFoundError, "not found in task definition f:3")
            for fields in (
                {"container": "no"},
                {"images": {"no": "busybox"}},
                {"images": {"": "busybox"}},
            )
        ),
        ("busybox", {}, AmbiguousContainerError, "no container runs an image"),
    ],
)
def test_an_impossible_request_has_no_plan(plan, image, request_fields, kind, message):
    with pytest.raises(kind, match=message):
        plan(image, **request_fields)

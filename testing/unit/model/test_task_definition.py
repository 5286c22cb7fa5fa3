"""The new revision out of the running one, and the container that an image is for."""

import pytest

from ecs_updater.errors import AmbiguousContainerError, ContainerNotFoundError
from ecs_updater.model.image import ImageReference
from ecs_updater.model.task_definition import addressed_container, memory


def running(**images):
    """A task definition with one container for each keyword."""
    return {
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/family:7",
        "containerDefinitions": [{"name": name, "image": image} for name, image in images.items()],
    }


def addressed(task_definition, image, name=None):
    """The name of the container that is addressed."""
    return addressed_container(task_definition, name, ImageReference.parse(image))["name"]


@pytest.mark.parametrize(
    "images, image, name, expected",
    [
        ({"web": "nginx"}, "busybox", None, "web"),
        ({"web": "nginx"}, "nginx:2", None, "web"),
        ({"web": "nginx", "side": "envoy"}, "nginx:2", None, "web"),
        ({"web": "nginx", "side": "envoy"}, "docker.io/library/envoy", None, "side"),
        ({"web": "nginx", "side": "host:5000/nginx"}, "host:5000/nginx:1", None, "side"),
        ({"web": "nginx", "side": "nginx"}, "nginx:2", "side", "side"),
        ({"web": "nginx", "side": "envoy"}, "busybox", "web", "web"),
        ({"web": "${IMAGE}", "side": "envoy"}, "envoy:2", None, "side"),
    ],
)
def test_the_image_is_for_the_named_container_or_the_only_one_or_the_one_of_its_repository(
    images, image, name, expected
):
    assert addressed(running(**images), image, name) == expected


def test_a_container_without_an_image_has_no_repository():
    task_definition = running(web="nginx", side="envoy")
    del task_definition["containerDefinitions"][1]["image"]
    assert addressed(task_definition, "nginx:2") == "web"


@pytest.mark.parametrize(
    "images, image, name, message",
    [
        (
            {"web": "nginx", "side": "envoy"},
            "nginx",
            "Web",
            "container Web not found in task definition family:7, which has side, web",
        ),
        (
            {"web": "nginx:1", "side": "nginx:2", "db": "mysql"},
            "nginx:3",
            None,
            "several containers run an image of docker.io/library/nginx: name one of side, web in "
            "ecs_container_name",
        ),
        (
            {"web": "nginx", "db": "mysql"},
            "team/nginx",
            None,
            "no container runs an image of docker.io/team/nginx: name one of db, web in "
            "ecs_container_name",
        ),
    ],
)
def test_a_missing_or_ambiguous_container_is_an_error_with_names(images, image, name, message):
    with pytest.raises((AmbiguousContainerError, ContainerNotFoundError)) as raised:
        addressed(running(**images), image, name)
    assert str(raised.value) == f"[ERROR][ecs_service_read] {message}"


@pytest.mark.parametrize(
    "containers, tasks, expected",
    [
        ({"memory": 128}, {"memory": "512"}, 128),
        ({"memoryReservation": 64}, {"memory": "512"}, 512),
        ({}, {"memory": "2048"}, 2048),
        ({"memoryReservation": 64}, {}, None),
        ({"memory": 128}, {}, 128),
    ],
)
def test_memory_is_the_containers_or_where_it_has_none_the_tasks(containers, tasks, expected):
    result = memory(tasks, containers)
    assert result == expected and isinstance(result, type(expected))

"""The response: its exact shape, and that AFTER comes from the answers to the writes."""

import json
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ecs_updater.deployments.response import _iso
from fakes.simulated_ecs import SimulatedEcs
from fakes.wire import CLUSTER_ARN, FAMILY_ARN, SERVICE_ARN


def test_the_response_to_an_update_is_the_one_of_the_contract(invoke, ecs_fake, event):
    ecs_fake.service.tags |= {"aws:b": "c"}
    response = invoke(ecs_fake, event())
    assert response["statusCode"] == 200 and set(response) == {"statusCode", "body"}
    assert json.loads(json.dumps(response)) == response
    body = response["body"]
    before = {
        "clusterArn": CLUSTER_ARN,
        "serviceArn": SERVICE_ARN,
        "taskDefinitionName": "ecs-dummy-container",
        "taskDefinitionFamily": "ecs-dummy-task",
        "serviceImage": "busybox",
        "serviceMemory": 128,
        "tags": [
            {"key": "aws:b", "value": "c"},
            {"key": "old-custom-tag-name", "value": "old-custom-tag-value"},
        ],
        "updatedOn": "2027-01-15T07:00:00.000Z",
    }
    assert body == {
        "BEFORE": before,
        "AFTER": before
        | {
            "serviceImage": "busybox:1.36",
            "tags": [{"key": "aws:b", "value": "c"}, {"key": "new", "value": "value"}],
            "updatedOn": "2027-01-15T08:00:00.250Z",
        },
        "changed": True,
        "changes": [
            {"what": "image.ecs-dummy-container", "from": "busybox", "to": "busybox:1.36"},
            {"what": "tag.new", "from": None, "to": "value"},
            {"what": "tag.old-custom-tag-name", "from": "old-custom-tag-value", "to": None},
        ],
        "taskDefinitionArn": {"before": f"{FAMILY_ARN}:1", "after": f"{FAMILY_ARN}:2"},
        "deployment": {
            "id": ecs_fake.primary_id,
            "verdict": "IN_PROGRESS",
            "reason": "the deployment was started, and not waited for",
        },
    }


def test_a_forced_deployment_is_listed_as_a_change(ecs_fake, send, event):
    body = send(
        ecs_fake,
        event(ecs_image_name="busybox", ecs_tag=ecs_fake.service.tags, force_new_deployment=True),
    )
    assert body["changes"] == [{"what": "deployment", "from": None, "to": "forced"}]
    assert body["deployment"]["id"] == ecs_fake.primary_id
    assert body["taskDefinitionArn"]["after"] == body["taskDefinitionArn"]["before"]


def test_an_answer_of_update_service_without_deployments_is_in_progress(ecs_fake, send, event):
    def hide_deployments(request):
        if request.operation == "UpdateService":
            ecs_fake.service.shown = {"deployments": []}

    ecs_fake.before = hide_deployments
    assert send(ecs_fake, event())["deployment"]["verdict"] == "IN_PROGRESS"


def test_a_dry_run_has_the_changes_of_the_update(ecs_fake, send, event):
    plan = send(ecs_fake, event(dry_run=True))
    done = send(ecs_fake, event())
    assert plan.pop("dryRun") is True
    assert plan["deployment"].pop("notes") == [
        "not verified: the registry was not asked for busybox:1.36 (VERIFY_IMAGE is off)"
    ]
    assert plan["deployment"] == {
        "id": None,
        "verdict": None,
        "reason": "dry run: nothing was written",
    }
    assert plan["taskDefinitionArn"] == {"before": f"{FAMILY_ARN}:1", "after": None}
    for body in (plan, done):
        del body["deployment"], body["taskDefinitionArn"], body["AFTER"]["updatedOn"]
    assert plan == done


@pytest.mark.parametrize(
    "container, expected",
    [({"memory": 64}, 64), ({"memoryReservation": 64}, 512), ({}, 512)],
)
def test_memory_is_an_integer_also_if_it_is_the_tasks(send, event, container, expected):
    body = send(SimulatedEcs(containers=[{"name": "app", "image": "busybox"} | container]), event())
    memory = body["AFTER"]["serviceMemory"]
    assert memory == expected and isinstance(memory, int)


def test_the_response_has_the_addressed_container(send, event):
    fake = SimulatedEcs(
        containers=[
            {"name": "web", "image": "nginx", "memory": 1},
            {"name": "side", "image": "envoy", "memory": 2},
        ]
    )
    body = send(fake, event(ecs_image_name="envoy:2", ecs_container_images={"web": "nginx:2"}))
    assert [
        body["AFTER"][key] for key in ("taskDefinitionName", "serviceImage", "serviceMemory")
    ] == ["side", "envoy:2", 2]
    assert [change["what"] for change in body["changes"][:2]] == ["image.web", "image.side"]


@pytest.mark.parametrize(
    "moment, text",
    [
        (None, None),
        (datetime(2024, 2, 29, 12, 0, 0, 123456, UTC), "2024-02-29T12:00:00.123Z"),
        (
            datetime(2024, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2))),
            "2023-12-31T23:00:00.000Z",
        ),
    ],
)
def test_times_are_iso_8601_in_utc_in_every_time_zone(moment, text, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        assert _iso(moment) == text
    time.tzset()

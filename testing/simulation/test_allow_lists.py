"""What the function's configuration does not allow is refused whichever way it comes in, before AWS
is requested anything.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ecs_updater
from ecs_updater.api import post_routes
from ecs_updater.deployments.deploy import deploy
from ecs_updater.errors import NotAllowedError
from fakes.simulated_ecs import Image
from support.fleet_run import FleetRun
from support.http import NO_SCOPES, ask
from support.rollout_world import EVENT

LAMBDA_CODE = Path(ecs_updater.__file__).parents[1]
EVIL = "attacker.example.net/exfil:latest"
IMAGES = {"ALLOWED_IMAGES": "docker.io/library/*"}
SERVICES = {"ALLOWED_SERVICES": "shop/*"}
NOT_THE_IMAGE = (
    f"[ERROR][json_validation] ecs_image_name {EVIL} is not allowed: "
    "ALLOWED_IMAGES=docker.io/library/*"
)
NOT_THE_SERVICE = (
    "[ERROR][json_validation] ecs_service_name ecs-dummy-service is not allowed: "
    "ALLOWED_SERVICES=shop/*"
)


@pytest.mark.parametrize("ledger", [True, False])
@pytest.mark.parametrize(
    "fields", [{}, {"dry_run": True}, {"force_new_deployment": True}, {"wait_seconds": 60}]
)
def test_a_direct_call_is_refused_before_any_request_to_aws(make_world, ledger, fields):
    world = make_world(ledger=ledger)
    for environment, image, text in (
        (IMAGES, EVIL, NOT_THE_IMAGE),
        (SERVICES, "app:2", NOT_THE_SERVICE),
    ):
        outcome = world.send(environment=environment, ecs_image_name=image, **fields)
        assert isinstance(outcome.error, NotAllowedError) and outcome.text == text
        assert world.process.sent == []


def test_a_failed_rollout_returns_to_an_image_that_is_not_allowed_any_more(world):
    world.ecs.publish("docker.io/team/bad:1", Image.exits(code=3))
    outcome = world.send(
        environment={"ALLOWED_IMAGES": "docker.io/team/*"},
        ecs_image_name="docker.io/team/bad:1",
        wait_seconds=600,
        rollback_on_failure=True,
    )
    assert outcome.verdict == "RolloutRolledBackError" and world.image == "busybox"


@pytest.mark.parametrize(
    "body",
    [
        {**EVENT, "ecs_image_name": EVIL},
        {
            "cluster": "ECSCluster",
            "service": "ecs-dummy-service",
            "image": "attacker.example.net/exfil",
            "tag": "latest",
        },
    ],
    ids=["long form", "short form"],
)
def test_a_request_over_http_is_answered_403_in_both_forms(make_world, body):
    world = make_world(ledger=False)
    resolve = post_routes.update_app(
        lambda event, call: deploy(event, IMAGES, world.boundary, call), lambda *_: None, NO_SCOPES
    ).resolve
    answer = ask(resolve, "POST", "/update", body)
    assert (answer.status, answer.json["errorType"], answer.json["errorMessage"]) == (
        403,
        "NotAllowedError",
        NOT_THE_IMAGE,
    )
    assert not world.calls


@pytest.mark.parametrize("environment", [IMAGES, {"ALLOWED_SERVICES": "ECSCluster/web-002"}])
def test_a_message_is_refused_before_its_service_is_read_and_the_ledger_has_the_cause(environment):
    run = FleetRun(3)
    run.environment |= environment
    run.send(
        run.ecs.event("web-001", EVIL, request_id="r"),
        run.ecs.event("web-002", "busybox:2", request_id="s"),
    )
    requested = []
    run.ecs.before = lambda request: requested.append(json.dumps(request.body))
    assert not run.work() and not [body for body in requested if "web-001" in body]
    entry = run.entry("r")
    assert (entry.verdict, entry.error_type, entry.is_ended) == (
        "NOT_DEPLOYED",
        "NotAllowedError",
        True,
    )
    assert " is not allowed: ALLOWED_" in entry.error_message and run.ecs.updates == [
        ("web-002", "web-002:2")
    ]


@pytest.mark.parametrize("handler", ["update", "api_update", "sqs_worker"])
@pytest.mark.parametrize(
    "environment, warning",
    [
        (
            {},
            (
                "no ALLOWED_IMAGES and no ALLOWED_SERVICES: this function accepts every "
                "image and every service"
            ),
        ),
        (IMAGES, "no ALLOWED_SERVICES: this function accepts every service"),
        (SERVICES, "no ALLOWED_IMAGES: this function accepts every image"),
        (IMAGES | SERVICES | {"LEDGER_TABLE": "a-ledger"}, None),
        ({"ALLOWED_IMAGES": ",", "ALLOWED_SERVICES": ","}, None),
    ],
)
def test_a_function_that_accepts_everything_or_has_no_ledger_says_so_once_at_its_initialisation(
    handler, environment, warning
):
    shell = {name: value for name, value in os.environ.items() if not name.startswith("ALLOWED_")}
    run = subprocess.run(
        [sys.executable, "-c", f"import ecs_updater.handlers.{handler}"],
        env={
            **shell,
            "LEDGER_TABLE": "",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "PYTHONPATH": str(LAMBDA_CODE),
            **environment,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    warnings = [
        line["message"]
        for line in map(json.loads, run.stdout.splitlines())
        if line["level"] == "WARNING"
    ]
    assert warnings == ([warning] if warning else [])
    without_ledger = "no LEDGER_TABLE: this function works without lease and history"
    works_without = handler != "sqs_worker" and "LEDGER_TABLE" not in environment
    assert run.stdout.count(without_ledger) == works_without

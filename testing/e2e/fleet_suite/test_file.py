"""A file of services through the command line and the queue: each has its verdict, and ECS has what
it says.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from e2e.fleet_suite.command import Ran, batch_command, run
from teardown.workload import services_of_the_suite

MISSING = "-fleet-missing"


@pytest.fixture(scope="module", name="events_of_the_file")
def _events_of_the_file(events, at_first, services) -> list[dict[str, Any]]:  # pylint: disable=unused-argument
    """Tags that replace the others, one service in another way, one that is so already, one that is
    not there.
    """
    first, second = services_of_the_suite(os.environ["SERVICE_NAME"])
    return [
        events["MULTIPLE_TAGS"].event,
        events["base"].event | {"ecs_service_name": first},
        {
            "ecs_service_name": second,
            "ecs_image_name": at_first.image,
            "ecs_tag": dict(at_first.tags),
        },
        {
            "ecs_service_name": os.environ["SERVICE_NAME"] + MISSING,
            "ecs_image_name": "busybox:1.36",
            "ecs_tag": {},
        },
    ]


@pytest.fixture(scope="module", name="path")
def _path(events_of_the_file, tmp_path_factory) -> Path:
    """The file, in which the cluster is a default. JSON is YAML, too."""
    path = tmp_path_factory.mktemp("fleet") / "deployments.yaml"
    defaults = {"ecs_cluster_name": os.environ["CLUSTER_NAME"]}
    path.write_text(json.dumps({"defaults": defaults, "deployments": events_of_the_file}), "utf-8")
    return path


@pytest.fixture(scope="module", name="deployed")
def _deployed(path) -> Ran:
    """The file, deployed to the end."""
    return batch_command("deploy", "--file", str(path))


def test_a_dry_run_says_what_would_change_and_writes_nothing(path, services, at_first):
    ran = run(
        "deploy", "--file", str(path), "--dry-run", "--name", os.environ["LAMBDA_FUNCTION_NAME"]
    )

    assert ran.status == 1 and "busybox:1.36" in ran.output  # For one of them is not there.
    assert [service.read() for service in services] == [at_first] * len(services)


def test_each_service_has_its_verdict(deployed):
    dummy = os.environ["SERVICE_NAME"]
    first, second = services_of_the_suite(dummy)
    verdicts = {name: item["verdict"] for name, item in deployed.ends.items()}
    assert verdicts == {
        dummy: "SUCCEEDED",
        first: "SUCCEEDED",
        second: "NO_CHANGE",
        dummy + MISSING: "FAILED",
    }, deployed
    arns = deployed.ends[dummy]["taskDefinitionArn"]
    assert arns["after"] not in (None, arns["before"]) and deployed.ends[dummy]["deploymentId"]
    gone = deployed.ends[dummy + MISSING]
    assert (gone["cause"], gone["errorType"]) == (
        f"ecs_service_name {dummy + MISSING} not found",
        "ServiceNotFoundError",
    )


def test_the_summary_and_the_exit_code_report_the_batch(deployed):
    summary = deployed.records[-1]
    assert (summary["type"], summary["exitCode"], deployed.status) == ("summary", 1, 1)
    counts = {state: number for state, number in summary["states"].items() if number}
    assert counts == {"succeeded": 2, "unchanged": 1, "failed": 1}


def test_a_shell_completes_the_name_of_a_service(ecs, monkeypatch):
    service = os.environ["SERVICE_NAME"]
    try:
        ecs.list_services(cluster=os.environ["CLUSTER_NAME"])
    except ClientError:
        pytest.skip("the caller may not list services, which the deployer's policy does not permit")
    words = ["ecs-updater", "update", os.environ["CLUSTER_NAME"], service[:-3]]
    monkeypatch.setenv("_ECS_UPDATER_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(words))
    monkeypatch.setenv("COMP_CWORD", "3")
    ran = run()
    assert f"plain,{service}" in ran.output.splitlines() and ran.errors == ""


@pytest.mark.usefixtures("deployed")
def test_ecs_has_the_images_and_tags_of_the_file(events, services, at_first):
    assert [service.read() for service in services] == [
        events["MULTIPLE_TAGS"].ends_with,
        events["base"].ends_with,
        at_first,
    ]


def test_watch_shows_the_same_states_again(deployed):
    back = batch_command("watch", deployed.batch)
    assert back.status == 1

    def states_of(ran: Ran) -> list[tuple[Any, ...]]:
        return sorted(
            (end["service"], end["state"], end["cause"], end["requestId"])
            for end in ran.ends.values()
        )

    assert states_of(back) == states_of(deployed)


def test_a_batch_that_is_over_can_be_stopped(deployed):
    ran = run("stop", deployed.batch, "--name", os.environ["LAMBDA_FUNCTION_NAME"])
    assert (ran.status, ran.output) == (0, "") and "starts no further service" in ran.errors


def test_a_message_that_comes_again_does_nothing(deployed, events, services, send, ended, at_first):
    """The second message is of the same group, so when that one is done with, the first is, too."""
    dummy = services[0]
    dummy.restore(at_first)
    send(
        events["MULTIPLE_TAGS"].event
        | {"request_id": deployed.ends[os.environ["SERVICE_NAME"]]["requestId"]}
    )
    ended(send(events["WRONG_IMAGE_NAME"].event))
    assert dummy.read() == at_first

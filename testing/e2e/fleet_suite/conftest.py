"""What the tests of the fleet share: the services that they are about, the queue, and the
ledger.
"""

import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
import pytest

from e2e.event_suite import cases
from e2e.event_suite.cases import Case, ServiceState
from e2e.event_suite.service import Service
from ecs_updater.aws.dynamodb import Table
from ecs_updater.ledger.queries import Progress
from support.make import until
from teardown.workload import services_of_the_suite

PATIENCE = 600.0
"""Seconds until a message is worked off, a function that has to be started first included."""

Send = Callable[[Mapping[str, Any]], str]


@pytest.fixture(scope="session", name="events")
def _events() -> dict[str, Case]:
    """The contract's events with this run's names, and the outcome of each, by name."""
    return {case.name: case for case in cases.load(os.environ)}


@pytest.fixture(scope="session", name="at_first")
def _at_first() -> ServiceState:
    """Image and tags of each service as it is made."""
    return ServiceState(
        os.environ["CONTAINER_IMAGE"], {os.environ["TAG_NAME"]: os.environ["TAG_VALUE"]}
    )


@pytest.fixture(scope="session", name="ecs")
def _ecs() -> Any:
    """The suite's own view of ECS."""
    return boto3.client("ecs")


@pytest.fixture(scope="session", name="services")
def _services(ecs, at_first) -> Iterator[list[Service]]:
    """The dummy service and two like it without tasks, which cost nothing; all are as they were
    made at first.
    """
    cluster, dummy = os.environ["CLUSTER_NAME"], os.environ["SERVICE_NAME"]
    others = services_of_the_suite(dummy)
    try:
        Service(ecs, cluster, dummy).restore(at_first)
        _make(ecs, cluster, dummy, others)
        found = [Service(ecs, cluster, name) for name in (dummy, *others)]
        for service in found:
            service.restore(at_first)
        yield found
    finally:
        for name in others:
            ecs.delete_service(cluster=cluster, service=name, force=True)


def _make(ecs: Any, cluster: str, like: str, names: list[str]) -> None:
    """Makes services that run what ``like`` does, where they are not there from a run that was
    killed.
    """
    (model,) = ecs.describe_services(cluster=cluster, services=[like])["services"]
    found = ecs.describe_services(cluster=cluster, services=names)["services"]
    there = {service["serviceName"]: service["status"] for service in found}
    draining = [name for name in names if there.get(name) == "DRAINING"]
    if draining:
        ecs.get_waiter("services_inactive").wait(cluster=cluster, services=draining)
    for name in names:
        if there.get(name) != "ACTIVE":
            ecs.create_service(
                cluster=cluster,
                serviceName=name,
                taskDefinition=model["taskDefinition"],
                desiredCount=0,
                launchType=model["launchType"],
                networkConfiguration=model["networkConfiguration"],
            )


@pytest.fixture(scope="session", name="send")
def _send() -> Send:
    """Sends an event as any program may, one after the other in one group; its ``request_id``, a
    new one unless it has one.
    """
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{os.environ['LAMBDA_FUNCTION_NAME']}-fleet.fifo")[
        "QueueUrl"
    ]

    def send(event: Mapping[str, Any]) -> str:
        number = event.get("request_id") or f"fleet-suite-{uuid.uuid4()}"
        sqs.send_message(
            QueueUrl=url,
            MessageBody=json.dumps({**event, "request_id": number}),
            MessageGroupId="fleet-suite",
            MessageDeduplicationId=str(uuid.uuid4()),
        )
        return number

    return send


@pytest.fixture(scope="session", name="ended")
def _ended() -> Callable[[str], dict[str, Any]]:
    """Waits until a request has ended. Returns its entry in the ledger."""
    ledger = Progress(Table(f"{os.environ['LAMBDA_FUNCTION_NAME']}-ledger"))

    def ended(number: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def has_ended() -> bool:
            found.update(ledger.of([number]).get(number, {}))
            return found.get("state") == "ENDED"

        until(has_ended, f"{number} has ended", PATIENCE, pause=0.5)
        return found

    return ended

"""One request_id is one update: a repetition gets the first answer, another event is refused. One
service has one update at a time.
"""

import json
import re

import pytest

from ecs_updater.context import REAL_TIME
from ecs_updater.deployments.deploy import deploy
from ecs_updater.errors import (
    InvalidEventError,
    LeaseHeldError,
    LedgerError,
    TaskDefinitionRefusedError,
)
from ecs_updater.ledger.entry import State
from ecs_updater.ledger.lease import Leases
from ecs_updater_cli.backends.account import new_batch
from ecs_updater_cli.batch.state import State as RowState
from fakes.wire import REFUSED
from support.fleet_run import FleetRun


def deployments(world):
    """How many deployments were made by UpdateService."""
    return world.ecs.operations.count("UpdateService")


def test_a_repetition_gets_the_same_answer_and_writes_nothing(world):
    first = world.send(request_id="r", wait_seconds=120)
    calls = len(world.ecs.requests)
    assert world.send(request_id="r", wait_seconds=120).answer == first.answer
    assert len(world.ecs.requests) == calls and len(world.history) == 1


def test_what_the_ledger_costs_is_counted(world, figure):
    before = sum(world.table.calls.values())
    world.send()
    costs = sum(world.table.calls.values()) - before
    calls = sum(world.calls.values())
    figure(
        "ledger: an update of image and tags that nobody waits for",
        f"{calls} ECS calls, {costs} DynamoDB calls",
    )
    assert costs <= 12


def test_a_repetition_gets_the_verdict_of_the_rollout_that_ended_meanwhile(world):
    assert world.send(request_id="r").verdict == "IN_PROGRESS"
    world.pass_time(60)
    world.reconcile()
    assert world.send(request_id="r").verdict == "SUCCEEDED" and deployments(world) == 1


def test_a_repetition_that_waits_follows_what_the_first_one_began(world):
    assert world.send(request_id="r").verdict == "IN_PROGRESS"
    again = world.send(request_id="r", wait_seconds=120)
    assert again.verdict == "SUCCEEDED" and deployments(world) == 1
    assert world.verdicts == ["SUCCEEDED"]


def test_what_was_refused_for_good_is_not_tried_again(world):
    world.ecs.fail("RegisterTaskDefinition", REFUSED)
    first = world.send(request_id="r")
    assert isinstance(first.error, TaskDefinitionRefusedError)
    assert str(world.send(request_id="r").error) == str(first.error)
    assert world.ecs.operations.count("RegisterTaskDefinition") == 1


def test_a_service_that_another_update_holds_is_waited_for_within_the_time_to_wait(world):
    world.ecs.clock.after(40, world.held("somebody"))
    outcome = world.send(wait_seconds=120)
    assert outcome.verdict == "SUCCEEDED" and world.clock.now() - world.ecs.clock.start <= 120


def test_the_wait_for_another_update_ends_with_the_time_to_wait(world):
    world.held("somebody")
    assert isinstance(world.send(wait_seconds=30).error, LeaseHeldError)
    assert world.clock.now() - world.ecs.clock.start <= 31


def test_a_lease_that_could_not_be_given_back_is_noted_and_the_update_is_done_all_the_same(
    world, monkeypatch
):
    def fail(*_):
        raise LedgerError("UpdateItem failed on the table")

    monkeypatch.setattr(Leases, "release", fail)
    outcome = world.send(wait_seconds=60)
    assert outcome.verdict == "SUCCEEDED"
    assert outcome.answer["body"]["deployment"]["notes"] == [
        "[ERROR][ecs_service_read] UpdateItem failed on the table"
    ]


# Messages and rows of a batch with the request_id of another update


@pytest.fixture(name="run")
def _run():
    return FleetRun(6)


def messages_in_the_dead_letter_queue(run):
    """Service and cause of each message in the dead-letter queue."""
    return {
        json.loads(record["body"])["ecs_service_name"]: record["messageAttributes"]["cause"][
            "stringValue"
        ]
        for record in run.dead_letter_queue.receive()
    }


def test_of_six_services_with_one_request_id_the_first_is_updated_and_five_are_dead_letters(run):
    run.send(*(run.ecs.event(name, request_id="r") for name in run.ecs.names))
    assert run.work() == [] and len(run.queue) == 0
    assert run.ecs.updates == [("web-001", "web-001:2")]
    found = messages_in_the_dead_letter_queue(run)
    assert found.keys() == set(run.ecs.names[1:])
    assert all("request_id: 'r' was another event's" in cause for cause in found.values())
    assert run.entry("r").service.endswith("/web-001") and run.entry("r").state is State.DEPLOYED


@pytest.mark.parametrize(
    "fields",
    [{"ecs_image_name": "registry/app:3"}, {"ecs_tag": {"a": "b"}}, {"force_new_deployment": True}],
)
def test_another_event_of_the_same_service_is_in_the_dead_letter_queue_too(run, fields):
    run.send(
        run.ecs.event("web-001", request_id="r"), run.ecs.event("web-001", request_id="r") | fields
    )
    assert run.work() == [] and messages_in_the_dead_letter_queue(run).keys() == {"web-001"}
    assert run.ecs.updates == [("web-001", "web-001:2")]


@pytest.mark.parametrize(
    "fields",
    [{"surplus": 1}, {"ecs_tag": 7}, {"ecs_service_name": "nobody"}, {"ecs_image_name": ":"}],
)
def test_an_event_that_cannot_succeed_does_not_change_the_open_update_with_its_request_id(
    run, fields
):
    run.send(run.ecs.event("web-001", request_id="r"))
    run.kill_at("UpdateService")
    before = run.entry("r")
    run.send(run.ecs.event("web-002", request_id="r") | fields)
    assert run.work() == [] and len(messages_in_the_dead_letter_queue(run)) == 1
    assert run.entry("r") == before and before.state is State.REGISTERED


def test_a_request_id_that_another_service_takes_in_the_same_moment_is_in_the_dead_letter_queue(
    run,
):
    run.send(run.ecs.event("web-001", request_id="r", surplus=1))
    event = run.ecs.event("web-002", request_id="r")

    def begin(request):
        if request.operation == "TransactWriteItems":
            run.dynamodb.before = None
            deploy(event, run.environment, run.boundary, table=run.table)

    run.dynamodb.before = begin
    assert run.work() == [] and messages_in_the_dead_letter_queue(run).keys() == {"web-001"}
    assert run.entry("r").service.endswith("/web-002")


def test_the_same_event_is_another_update_where_a_function_has_another_default_service(run):
    event = {"ecs_image_name": "registry/app:2", "ecs_tag": {}, "request_id": "r"}
    run.environment |= {"CLUSTER_NAME": "ECSCluster", "SERVICE_NAME": "web-001"}
    deploy(event, run.environment, run.boundary, table=run.table)
    run.environment["SERVICE_NAME"] = "web-002"
    with pytest.raises(InvalidEventError, match="was another event's"):
        deploy(event, run.environment, run.boundary, table=run.table)
    run.send(event)
    assert run.work() == [] and "was another event's" in run.dead_letter()[1]
    assert run.ecs.updates == [("web-001", "web-001:2")]


def test_a_refusal_is_in_the_ledger_also_where_the_service_is_the_functions_default(run):
    run.environment |= {"CLUSTER_NAME": "ECSCluster", "SERVICE_NAME": "web-001"}
    run.send({"ecs_image_name": ":", "ecs_tag": {}, "request_id": "r"})
    assert run.work() == [] and len(run.dead_letter_queue) == 0
    assert run.entry("r").service.endswith("/web-001") and run.entry("r").verdict == "NOT_DEPLOYED"


# Rows of a batch


@pytest.mark.parametrize("is_ended", [True, False])
def test_a_row_whose_request_id_another_service_or_event_has_fails(run, is_ended):
    own = run.ecs.event("web-001", request_id="r")
    run.send(own)
    run.work()
    if is_ended:
        run.time.now += 60
        run.reconcile()
    for other in (
        run.ecs.event("web-002", request_id="r"),
        run.ecs.event("web-001", "registry/app:3", request_id="r"),
        {**own, "ecs_cluster_name": "other"},
    ):
        (status,) = run.statuses([other])
        assert (
            status.state is RowState.FAILED
            and "request_id r is taken by another update" in status.cause
        )
    (status,) = run.statuses([own])
    assert status.state is (RowState.SUCCEEDED if is_ended else RowState.DEPLOYING)


def test_the_ids_of_batches_have_64_random_bits(run):
    ids = {
        new_batch([run.ecs.event("web-001")], [None], None, REAL_TIME).batch.id for _ in range(3)
    }
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{16,}", id_.rpartition("-")[2]) for id_ in ids)

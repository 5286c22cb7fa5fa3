"""The command line on a machine whose clock is wrong, beside functions whose clocks are right."""

import threading
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import pytest

from ecs_updater.aws import clients
from ecs_updater.aws.clients import ServerTime
from ecs_updater.context import Call
from ecs_updater.deployments.deploy import deploy
from ecs_updater.deployments.reconciler import reconcile
from ecs_updater.errors import LeaseHeldError
from ecs_updater.ledger.lease import LEASE_SECONDS
from ecs_updater.ledger.rate_limiter import SharedRateLimiter
from ecs_updater.throttling import RATES, REGISTER
from ecs_updater_cli.backends.account import Ledger, new_batch
from ecs_updater_cli.backends.local import LocalBackend
from ecs_updater_cli.commands.options import AccountOptions
from fakes.wire import answer_of
from support.rollout_world import EVENT

CLOSE = 3.0
"""Seconds by which the corrected clock may be wrong: less than a lease allows for."""
PATIENCE = 600
"""Seconds after which a test that hangs ends."""


@pytest.fixture(name="laptop", params=[-300, -130, -20, 0, 20, 130, 300])
def _laptop(world, request):
    """The clock of a machine that is so many seconds ahead, as the command line makes it of AWS's
    answers.
    """
    server_time = ServerTime(lambda: world.ecs.clock.now() + request.param)
    for client in (world.boundary._client, world.table._client):  # pylint: disable=protected-access
        server_time.observe(client.meta.events)
    world.table.query("nothing")  # The command line asks for the table before anything else.
    return replace(world.clock, epoch=server_time)


def send(world, clock):
    """One update by the machine with this clock."""
    return world.outcome_of(
        lambda: deploy(
            {**EVENT, "ecs_image_name": "app:3", "request_id": "second"},
            world.environment,
            world.boundary,
            Call("second", clock=clock),
            world.table,
        )
    )


def test_a_lease_that_is_held_is_not_taken(world, laptop):
    give_back = world.held("first")
    assert isinstance(send(world, laptop).error, LeaseHeldError)
    assert give_back()
    assert send(world, laptop).verdict == "IN_PROGRESS"


def test_a_lease_is_taken_from_a_dead_holder_as_soon_as_it_expires_and_no_sooner(world, laptop):
    true_time, world.clock = world.clock, laptop
    world.held("first")
    world.clock = true_time
    world.pass_time(LEASE_SECONDS - CLOSE - 1)
    assert isinstance(world.send().error, LeaseHeldError)
    world.pass_time(2 * CLOSE + 2)
    assert world.send().verdict == "IN_PROGRESS"


def test_nobody_waits_for_a_token_because_of_the_clock(world, laptop):
    at_right, at_wrong = (
        SharedRateLimiter(world.table, RATES, clock=clock.epoch, sleep=clock.sleep)
        for clock in (world.clock, laptop)
    )
    for _ in range(8):
        assert at_wrong.take(REGISTER, 1, 10) and at_right.take(REGISTER, 1, 10)
    assert sum(world.ecs.clock.slept) < CLOSE


def test_an_update_of_a_function_is_completed_with_its_own_verdict(world, laptop):
    world.send()
    world.pass_time(100)
    call = Call("reconciler", None, lambda: 900.0, laptop)
    (entry,) = reconcile(None, world.environment, world.boundary, world.table, call).ended
    assert entry.verdict == "SUCCEEDED"


def test_what_is_deployed_from_there_has_the_right_times_and_its_lease_the_right_end(world, laptop):
    begin, written, before = world.clock.epoch(), [], world.dynamodb.before
    is_updating = threading.Event()
    world.boundary._client.meta.events.register_first(  # pylint: disable=protected-access
        "before-send.ecs.UpdateService", lambda **_: is_updating.set()
    )

    def note(request):
        values = request.body.get("ExpressionAttributeValues", {})
        written.extend(
            float(values[name]["N"]) - world.clock.epoch()
            for name in (":now", ":full_at")
            if name in values
        )
        return before(request)

    world.dynamodb.before = note
    ledger = Ledger(world.table, "arn:aws:ecs:eu-west-1:123456789012:")
    begun = new_batch([EVENT], [None], None, laptop)
    ledger.save_batch(begun)
    account = SimpleNamespace(ecs=world.boundary, clock=laptop)
    backend = LocalBackend(account, ledger, begun.batch.id, AccountOptions())
    backend.start(begun.members)
    assert is_updating.wait(PATIENCE)
    backend.close(PATIENCE)
    world.pass_time(100)
    call = Call("reconciler", None, lambda: 900.0, laptop)
    (entry,) = reconcile(
        None, world.environment, world.boundary, world.table, call, begun.batch.id
    ).ended
    moments = [
        datetime.fromisoformat(item).timestamp()
        for item in (begun.batch.begun_at, entry.begun_at, entry.ended_at)
    ]
    assert (
        moments == sorted(moments)
        and begin - CLOSE <= moments[0]
        and moments[-1] <= world.clock.epoch() + CLOSE
    )
    assert entry.verdict == "SUCCEEDED" and abs(max(written, key=abs)) < CLOSE


def test_every_client_that_the_command_line_makes_corrects_its_clock(request):
    request.addfinalizer(clients.session.cache_clear)
    server_time = ServerTime(lambda: 1_000_000.0)
    clients.use(None, "eu-west-1", server_time)
    for service, call in (
        ("dynamodb", "list_tables"),
        ("ecs", "list_clusters"),
        ("sqs", "list_queues"),
    ):
        client = clients.session().create_client(
            service, aws_access_key_id="x", aws_secret_access_key="x"
        )
        moment = server_time() + 400
        client.meta.events.register_first(
            f"before-send.{service}",
            lambda request, moment=moment, **_: answer_of(request.url, 200, {}, moment),
        )
        getattr(client, call)()
        assert abs(server_time() - moment) <= 1


@pytest.mark.parametrize("seconds", [0.0, 9.0])
def test_a_right_clock_stays_as_it_is_however_long_an_answer_takes(world, seconds):
    server_time = ServerTime(world.clock.epoch)
    client = world.boundary._client  # pylint: disable=protected-access
    server_time.observe(client.meta.events)
    client.meta.events.register_first("before-send.ecs", lambda **_: world.pass_time(seconds))
    for _ in range(20):
        world.pass_time(0.37)
        world.boundary.describe_service("ECSCluster", "ecs-dummy-service")
        assert server_time() == world.clock.epoch()


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 32 Foo 2026 99:99:99 GMT"])
def test_an_answer_without_a_date_corrects_nothing(world, date):
    server_time = ServerTime(world.clock.epoch)
    client = world.boundary._client  # pylint: disable=protected-access
    server_time.observe(client.meta.events)

    def answer(request, **_):
        answer = answer_of(request.url, 200, {"services": [], "failures": []})
        if date is not None:
            answer.headers["Date"] = date
        return answer

    client.meta.events.register_first("before-send.ecs", answer)
    world.boundary.describe_service("ECSCluster", "ecs-dummy-service")
    assert server_time() == world.clock.epoch()

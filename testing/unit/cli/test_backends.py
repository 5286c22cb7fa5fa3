"""The backends: the messages to the queue, the counts from ECS, and updates in this process."""

import hashlib
import json
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import Stubber

from ecs_updater.aws import clients
from ecs_updater.aws.targets import TargetAccess
from ecs_updater.context import Clock
from ecs_updater.errors import AwsFailure, Outcome
from ecs_updater.ledger.memory import MemoryLedger
from ecs_updater.throttling import parse_rates
from ecs_updater_cli.backends import local
from ecs_updater_cli.backends.account import Ledger
from ecs_updater_cli.backends.aws_errors import aws_error_of
from ecs_updater_cli.backends.local import MAX_RECEIVES, LocalBackend, LocalQueue
from ecs_updater_cli.backends.preview import dry_run
from ecs_updater_cli.backends.settings import environment
from ecs_updater_cli.backends.sqs import LedgerBackend, SqsBackend
from ecs_updater_cli.batch.state import State, Status, TaskCounts
from ecs_updater_cli.batch.tracker import Row
from ecs_updater_cli.commands.options import AccountOptions
from ecs_updater_cli.errors import CommandError
from fakes.scripted_batch import BATCH, ScriptedClock, batch
from fakes.simulated_ecs import Image
from fakes.wire import SERVER_ERROR
from support.rollout_world import EVENT, World

PREFIX = "arn:aws:ecs:eu-west-1:123456789012:"
PATIENCE = 600
"""Seconds after which a test that hangs ends."""


def test_a_message_is_the_event_in_the_group_of_its_service_and_has_its_id():
    sent, started = [], batch([("web", "web:2", None)])
    ledger = SimpleNamespace(progress=None, arn_prefix=PREFIX, is_kept=True)
    account = SimpleNamespace(
        ecs=SimpleNamespace(targets=TargetAccess()),
        clock=Clock(),
        needed_ledger=ledger,
        needed_queue=SimpleNamespace(send=sent.extend),
    )
    SqsBackend(account, BATCH, AccountOptions()).start(started.members)
    message = sent.pop()
    request_id = f"{BATCH}-00001"
    assert json.loads(message.body) == {**started.members[0].event, "request_id": request_id}
    assert message.group == hashlib.sha256(f"{PREFIX}service/shop/web".encode()).hexdigest()
    assert message.deduplication == hashlib.sha256(request_id.encode()).hexdigest()
    assert message.attributes == {"batch": BATCH} and not sent


def test_tasks_are_counted_ten_services_with_one_call_and_one_call_a_second():
    calls, clock = [], ScriptedClock()
    deployments = [
        {"id": "old", "runningCount": 5, "desiredCount": 5},
        {"id": "new", "runningCount": 1, "desiredCount": 2},
    ]

    def describe(cluster, services):
        calls.append((cluster, services))
        return [{"serviceArn": arn, "deployments": deployments} for arn in services], []

    def row(member):
        status = Status(
            State.DEPLOYING, cluster_arn="c", service_arn=str(member.number), deployment_id="new"
        )
        return replace(Row(member), status=status)

    ecs = SimpleNamespace(describe_services=describe, for_arn=lambda _: ecs)
    account = SimpleNamespace(ecs=ecs, clock=clock.clock)
    backend = LedgerBackend(account, Ledger(MemoryLedger(), PREFIX), BATCH, AccountOptions())
    services = batch([(f"s{number}", "i", None) for number in range(12)])
    rows = [row(member) for member in services.members]
    assert backend.counts(rows) == {number: TaskCounts(1, 2) for number in range(1, 11)}
    assert backend.counts(rows) == {}
    clock.sleep(1)
    rows = [replace(row, polled_at=1.0) for row in rows[:10]] + rows[10:]
    assert set(backend.counts(rows)) == {11, 12, *range(1, 9)}
    clock.sleep(1)
    assert backend.counts([replace(row, status=Status(State.SUCCEEDED)) for row in rows]) == {}
    assert len(calls) == 2


def test_a_local_message_is_delivered_again_until_it_is_finished():
    moment = [0.0]
    queue = LocalQueue(BATCH, "me", Clock(now=lambda: moment[0]))
    members = batch([("a", "i", None), ("b", "i", None)]).members
    queue.put(members)
    queue.put(members)
    first = queue.take(10)
    assert [record["messageId"] for record in first] == [f"{BATCH}-00001", f"{BATCH}-00002"]
    assert queue.take(10) == []
    queue.hide(first[0]["receiptHandle"], 30)
    queue.finish(first, [first[0]["messageId"]])
    assert queue.take(10) == []
    receives = []
    for _ in range(MAX_RECEIVES):
        moment[0] += 30.0
        (again,) = queue.take(10)
        receives.append(int(again["attributes"]["ApproximateReceiveCount"]))
        queue.finish([again], [again["messageId"]])
    assert receives == list(range(2, MAX_RECEIVES + 2))
    moment[0] += 30.0
    queue.finish(queue.take(10), [])
    moment[0] += 30.0
    assert queue.take(10) == [] and json.loads(again["body"])["ecs_service_name"] == "a"
    assert again["messageAttributes"]["batch"]["stringValue"] == BATCH


# This process with a ledger in memory, on the simulated ECS.


@pytest.fixture(name="make_world")
def _make_world(monkeypatch):
    """Makes a world with an image ``app:2`` that behaves so."""
    monkeypatch.setattr(local, "RECONCILE_SECONDS", 0.02)
    monkeypatch.setattr(local, "_IDLE_SECONDS", 0.01)

    def make(image: Image) -> World:
        world = World()
        world.ecs.clock.drive_sdk(monkeypatch)
        world.ecs.images.publish("app:2", image)
        return world

    return make


@pytest.fixture(name="open_backend")
def _open_backend():
    """Opens the backend of a command without a table. It is closed at the end."""
    opened = []

    def open_backend(world, started) -> LocalBackend:
        ledger = Ledger(MemoryLedger(world.clock.epoch), PREFIX)
        ledger.save_batch(started)
        account = SimpleNamespace(ecs=world.boundary, clock=world.clock)
        opened.append(LocalBackend(account, ledger, started.batch.id, AccountOptions()))
        return opened[-1]

    yield open_backend
    for backend in opened:
        backend.close(PATIENCE)


@pytest.fixture(name="play")
def _play(open_backend):
    """Runs the events of a batch one after another: the states of each, and the last statuses."""

    def play(world: World, *events: dict, max_failures: int | None = None):
        services = [(f"ECSCluster/service{number}", "i", None) for number, _ in enumerate(events)]
        started = batch(services, max_failures)
        members = [
            replace(member, event={**EVENT, **event, "request_id": member.request_id})
            for member, event in zip(started.members, events, strict=True)
        ]
        backend = open_backend(world, started)
        rows = [Row(member) for member in members]
        states = {row.number: [] for row in rows}
        deadline = time.monotonic() + PATIENCE
        for member in members:
            backend.start([member])
            status = Status()
            while not status.state.is_over:
                assert time.monotonic() < deadline, status
                world.pass_time(2)
                time.sleep(0.01)
                status = backend.poll(rows).get(member.number, status)
                if states[member.number][-1:] != [status.state.value]:
                    states[member.number].append(status.state.value)
        return states, backend.poll(rows)

    return play


EXITS, ASKS = Image.exits(code=3), {"rollback_on_failure": True}
RUNS_2 = "1 of 1 tasks run ecs-dummy-task:2"
DIED = "container ecs-dummy-container exited with code 3"


@pytest.mark.parametrize(
    ("image", "events", "courses", "causes", "most_updates"),
    [
        (
            Image.good(),
            [{}, {}],
            ["deploying, succeeded", "unchanged"],
            [RUNS_2, "nothing differs"],
            1,
        ),
        (
            EXITS,
            [ASKS],
            ["rolling back, rolled back"],
            [f"{DIED}, 3 times; the service is back: 1 of 1 tasks run ecs-dummy-task:1"],
            2,
        ),
        (EXITS, [{}, {}, {"ecs_tag": {"release": "2b"}}], ["failed"] * 3, [DIED] * 3, 1),
        (EXITS, [{}, ASKS], ["failed", "rolled back"], [DIED, "its tags are what they were"], 2),
        (
            EXITS,
            [{"ecs_service_name": "no-such-service"}, {}],
            ["failed", "not started"],
            [
                "ecs_service_name no-such-service not found",
                ": no further update of the batch starts: 1 failed and max_failures is 1",
            ],
            0,
        ),
    ],
    ids=[
        "a success, and the same event again",
        "a rollback, if the event asks for it",
        "the same failure of a repeated event",
        "a rollback of a repeated event, if it asks for it",
        "nothing further after too many failures",
    ],
)
def test_without_a_table_the_verdicts_are_those_of_ecs(
    make_world, play, image, events, courses, causes, most_updates
):
    world = make_world(image)
    max_failures = 1 if "not started" in courses else None
    states, statuses = play(world, *events, max_failures=max_failures)
    for number, (course, cause) in enumerate(zip(courses, causes, strict=True), 1):
        assert ", ".join(states[number]).endswith(course)
        assert cause in statuses[number].cause
    # The rollback of a deployment that is in progress is StopServiceDeployment.
    assert world.calls["UpdateService"] <= most_updates


def test_without_a_table_a_retry_takes_the_revision_that_the_first_attempt_registered(
    make_world, play
):
    world = make_world(Image.good())
    world.ecs.fail("UpdateService", SERVER_ERROR, times=2)
    _, statuses = play(world, {})
    assert statuses[1].state is State.SUCCEEDED and statuses[1].cause == RUNS_2
    assert (world.calls["UpdateService"], world.calls["RegisterTaskDefinition"]) == (3, 1)


def test_without_a_table_an_update_that_waits_for_its_rate_limit_is_not_written_after_ctrl_c(
    make_world, open_backend, monkeypatch
):
    rate = "RegisterTaskDefinition=2/0.001"
    monkeypatch.setenv("ECS_RATES", rate)
    world = make_world(Image.good())
    started = batch([("ECSCluster/ecs-dummy-service", "app:2", None)])
    backend = open_backend(world, started)
    waits, sleep = threading.Event(), backend._sleep  # pylint: disable=protected-access

    def waiting(seconds):
        waits.set()
        sleep(seconds)

    ledger = backend._ledger.table  # pylint: disable=protected-access
    limiter = ledger.rate_limiter(parse_rates(rate), replace(world.clock, sleep=waiting))
    limiter.take("RegisterTaskDefinition", 1, 0)
    backend.start(started.members)
    assert waits.wait(PATIENCE)
    backend.close(PATIENCE)
    (status,) = backend.poll([Row(member) for member in started.members]).values()
    assert (status.state, status.cause) == (State.NOT_STARTED, "the command ended before")
    assert world.calls["RegisterTaskDefinition"] == world.calls["UpdateService"] == 0


def test_a_dry_run_only_reads_and_plans_each_service(make_world):
    world = make_world(Image.good())
    names = ("ECSCluster/ecs-dummy-service", "ECSCluster/gone")
    members = batch([(name, "app:2", None) for name in names]).members
    update, gone = dry_run(world.boundary, None, environment("none"), world.clock, members)
    changed = [change["what"] for change in update.changes]
    assert changed == ["image.ecs-dummy-container", "tag.old-custom-tag-name"] and update.deploys
    assert gone.row.status.cause == "ecs_service_name gone not found"
    assert gone.row.status.error_type == "ServiceNotFoundError"
    assert world.calls == {"DescribeServices": 1, "DescribeTaskDefinition": 1}


def test_the_arn_of_the_ledgers_table_names_the_account():
    client = boto3.client("dynamodb")
    arn = "arn:aws:dynamodb:e:1:table/t"
    with Stubber(client) as stub:
        stub.add_response("describe_table", {"Table": {"TableArn": arn}}, {"TableName": "t"})
        stub.add_client_error("describe_table", "ResourceNotFoundException", http_status_code=400)
        stub.add_client_error("describe_table", "AccessDeniedException", http_status_code=400)
        assert clients.table_arn("t", client) == arn
        assert clients.table_arn("t", client) is None
        with pytest.raises(AwsFailure):
            clients.table_arn("t", client)


NO, NOT_NOW, UNKNOWN = Outcome.NOT_PERMITTED, Outcome.NOT_NOW, Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("code", "outcome", "sentence", "is_transient"),
    [
        ("NoCredentialsError", NO, "there are no credentials: log in", False),
        ("ProfileNotFound", Outcome.REFUSED, "Because: aws configure list-profiles", False),
        ("ExpiredTokenException", NO, "the credentials have expired: log in", False),
        ("InvalidClientTokenId", NO, "AWS rejected the credentials", False),
        ("AccessDenied", NO, "SendMessageBatch is not permitted: Because", False),
        ("EndpointConnectionError", NOT_NOW, "Because: check the network", True),
        ("Throttling", NOT_NOW, "SendMessageBatch failed: Throttling: Because", True),
        ("ReadTimeoutError", UNKNOWN, "SendMessageBatch failed: ReadTimeoutError", True),
    ],
)
def test_a_failed_call_becomes_a_sentence_with_advice(code, outcome, sentence, is_transient):
    error = aws_error_of(AwsFailure("SendMessageBatch", outcome, code, "Because."))
    assert str(error).startswith(sentence)
    assert (error.is_transient, error.code) == (is_transient, 3)


def test_the_shell_sets_how_updates_are_done_and_never_which():
    names = {"IMAGE": "x", "CLUSTER_NAME": "c", "SERVICE_NAME": "s", "PIN_DIGEST": ""}
    ledger = {"LEDGER_TABLE": "table", "ECS_ARN_PREFIX": "arn:"}
    # The caller's own permissions decide, unless the shell allows less.
    allowed = {"ALLOWED_FIELDS": "ecs_cpu", "ALLOWED_SECRETS": "*"}
    given = {"TASK_FAILURES": "5", "ALLOWED_FIELDS": "ecs_cpu"}
    assert environment("table", "arn:", {**names, **given}) == {**given, **allowed, **ledger}
    with pytest.raises(CommandError, match="the environment's TASK_FAILURES is 'x'") as raised:
        environment("table", "", {"TASK_FAILURES": "x"})
    assert raised.value.code == 2

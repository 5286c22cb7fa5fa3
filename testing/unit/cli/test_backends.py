"""Where updates are begun and seen: what goes to the queue, what comes from ECS, and what this
process does alone.
"""

import hashlib
import json
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import Stubber

from ecs_updater.aws import session
from ecs_updater.aws.errors import AwsFailure, Outcome
from ecs_updater.context import Clock
from ecs_updater.ledger.memory import MemoryLedger
from ecs_updater.throttling import RATES, LocalRateLimiter, parse_rates
from ecs_updater_cli.backends import local
from ecs_updater_cli.backends.account import Ledger, StartedBatch
from ecs_updater_cli.backends.local import MAX_RECEIVES, LocalBackend, LocalQueue
from ecs_updater_cli.backends.preview import DryRun
from ecs_updater_cli.backends.settings import environment
from ecs_updater_cli.backends.sqs import SqsBackend, TaskCounter
from ecs_updater_cli.batch.state import State, Status, TaskCounts
from ecs_updater_cli.batch.tracker import Row
from ecs_updater_cli.errors import CommandError, aws_error_of
from fakes.fake_ecs import SERVER_ERROR
from fakes.scripted_batch import BATCH, ScriptedClock, batch
from fakes.simulated_ecs import Image
from support.rollout_world import EVENT, World

PREFIX = "arn:aws:ecs:eu-west-1:123456789012:"
PATIENCE = 600
"""Seconds after which a test that hangs ends."""


class Sent:
    """A queue that keeps what is sent."""

    def __init__(self) -> None:
        self.calls: list[list] = []

    def send(self, messages):
        """Notes it."""
        self.calls.append(list(messages))


def queued(queue, items=None, counts=None) -> SqsBackend:
    """The queue's door, with a ledger that has these items."""
    progress = SimpleNamespace(of=lambda ids: {one: items[one] for one in ids if one in items})
    return SqsBackend(queue, progress, counts, BATCH, PREFIX)


def test_a_message_is_the_event_in_its_services_group_and_known_by_its_id():
    queue, begun = Sent(), batch([("web", "web:2", None)])
    queued(queue).start(begun.members)
    message = queue.calls[0][0]
    assert len(queue.calls) == len(queue.calls[0]) == 1
    request_id = f"{BATCH}-00001"
    assert json.loads(message.body) == {**begun.members[0].event, "request_id": request_id}
    assert message.group == hashlib.sha256(f"{PREFIX}service/shop/web".encode()).hexdigest()
    assert message.deduplication == hashlib.sha256(request_id.encode()).hexdigest()
    assert message.attributes == {"batch": BATCH}


def rolling(count: int, cluster: str = "c") -> list[Row]:
    """Rows whose rollout goes on."""
    rows = [
        Row.of(member)
        for member in batch([(f"s{number}", "i", None) for number in range(count)]).members
    ]
    status = [
        Status(
            State.DEPLOYING,
            cluster_arn=cluster,
            service_arn=f"arn:{row.number}",
            deployment_id="new",
        )
        for row in rows
    ]
    return [replace(row, status=one) for row, one in zip(rows, status, strict=True)]


def test_tasks_are_counted_ten_services_with_one_call_and_one_call_a_second():
    asked, clock = [], ScriptedClock()

    def describe(cluster, services):
        asked.append((cluster, [int(arn[4:]) for arn in services]))
        deployments = [
            {"id": "old", "runningCount": 5, "desiredCount": 5},
            {"id": "new", "runningCount": 1, "desiredCount": 2},
        ]
        return [
            {"serviceArn": arn, "deployments": deployments, "runningCount": 6, "desiredCount": 2}
            for arn in services
        ], []

    counts = TaskCounter(SimpleNamespace(describe_services=describe), clock.clock)
    rows = rolling(12)
    assert counts.counts(rows) == {number: TaskCounts(1, 2) for number in range(1, 11)}
    assert counts.counts(rows) == {}
    clock.sleep(1)
    assert set(counts.counts(rows)) == {11, 12, *range(1, 9)}
    clock.sleep(1)
    assert counts.counts([replace(row, status=Status(State.SUCCEEDED)) for row in rows]) == {}
    assert len(asked) == 2


def receives(record) -> int:
    """How often a record was delivered."""
    return int(record["attributes"]["ApproximateReceiveCount"])


def test_a_local_message_comes_again_until_it_is_worked_off():
    moment = [0.0]
    queue = LocalQueue(BATCH, "me", Clock(now=lambda: moment[0]))
    members = batch([("a", "i", None), ("b", "i", None)]).members
    queue.put(members)
    queue.put(members)
    first = queue.take(10)
    assert [record["attributes"]["ApproximateReceiveCount"] for record in first] == [
        "1",
        "1",
    ] and queue.take(10) == []
    queue.hide(first[0]["receiptHandle"], 30)
    queue.finish(first, [first[0]["messageId"]])
    assert queue.take(10) == []
    moment[0] = 30.0
    (again,) = queue.take(10)
    assert (again["messageId"], receives(again)) == (f"{BATCH}-00001", 2)
    queue.finish([again], [again["messageId"]])
    for _ in range(MAX_RECEIVES):
        moment[0] += 100.0
        last = queue.take(10)
        queue.finish(last, [again["messageId"]])
    assert receives(last[0]) == MAX_RECEIVES + 2
    moment[0] += 100.0
    queue.finish(queue.take(10), [])
    moment[0] += 100.0
    assert queue.take(10) == []
    assert (
        json.loads(again["body"])["ecs_service_name"] == "a"
        and again["messageAttributes"]["batch"]["stringValue"] == BATCH
    )


# This process with a ledger in memory, on the simulated ECS.


def local_backend_of(world: World, started: StartedBatch, **shell: str) -> LocalBackend:
    """The backend of a command without a table."""
    ledger = Ledger(MemoryLedger(world.clock.epoch), PREFIX)
    ledger.save_batch(started)
    settings = environment("none", PREFIX, shell)
    return LocalBackend(world.boundary, ledger, settings, started.batch.id, world.clock)


@pytest.fixture(name="play")
def _play(monkeypatch):
    """Plays batches of the one service that the simulated ECS has: the states of each update."""
    monkeypatch.setattr(local, "RECONCILE_SECONDS", 0.02)
    monkeypatch.setattr(local, "_IDLE_SECONDS", 0.01)
    opened = []

    def play(world: World, *events: dict, max_failures: int | None = None):
        world.ecs.clock.drive_sdk(monkeypatch)
        one_at_a_time = threading.RLock()
        make = world.boundary._client._make_api_call  # pylint: disable=protected-access

        def call(*arguments, **options):
            with one_at_a_time:
                return make(*arguments, **options)

        monkeypatch.setattr(world.boundary._client, "_make_api_call", call)  # pylint: disable=protected-access
        begun = batch(
            [(f"ECSCluster/ecs-dummy-service{number}", "i", None) for number in range(len(events))],
            max_failures,
        )
        members = [
            replace(member, event={**EVENT, **event, "request_id": member.request_id}, group=None)
            for member, event in zip(begun.members, events, strict=True)
        ]
        backend = local_backend_of(world, begun)
        opened.append(backend)
        rows = [Row.of(member) for member in members]
        courses = {row.number: [] for row in rows}
        for member in members:
            course = courses[member.number]
            backend.start([member])
            deadline = time.monotonic() + PATIENCE
            while not (status := backend.poll(rows).get(member.number)) or not status.state.is_over:
                assert time.monotonic() < deadline, status
                if status and course[-1:] != [status.state.value]:
                    course.append(status.state.value)
                with one_at_a_time:
                    world.pass_time(2)
                time.sleep(0.01)
            course.append(status.state.value)
        return courses, backend.poll(rows)

    yield play
    for backend in opened:
        backend.close(PATIENCE)


def world_with(image: Image) -> World:
    """A service, and an image ``app:2`` that fares so."""
    world = World()
    world.ecs.images.publish("app:2", image)
    return world


def test_without_a_table_it_succeeds_with_what_ecs_says(play):
    world = world_with(Image.good())
    courses, status = play(world, {}, {})
    assert courses[1][-2:] == ["deploying", "succeeded"] and courses[2][-1] == "unchanged"
    assert (status[1].cause, status[1].counts) == (
        "1 of 1 tasks run ecs-dummy-task:2",
        TaskCounts(1, 1),
    )
    assert status[2].cause == "nothing differs"


def test_without_a_table_it_rolls_back_what_fails_where_that_was_asked_for(play):
    world = world_with(Image.exits(code=3))
    courses, status = play(world, {"rollback_on_failure": True})
    assert courses[1][-2:] == ["rolling back", "rolled back"]
    assert (
        "exited with code 3, 3 times; the service is back: 1 of 1 tasks run ecs-dummy-task:1"
        in status[1].cause
    )


def test_without_a_table_a_retry_takes_the_revision_that_the_first_attempt_registered(
    play,
):
    world = world_with(Image.good())
    world.ecs.wire.fail("UpdateService", SERVER_ERROR, times=2)
    _, status = play(world, {})
    assert (status[1].state, status[1].cause) == (
        State.SUCCEEDED,
        "1 of 1 tasks run ecs-dummy-task:2",
    )
    assert (world.calls["UpdateService"], world.calls["RegisterTaskDefinition"]) == (3, 1)


def test_without_a_table_it_begins_nothing_after_too_many_failures(play):
    world = world_with(Image.exits(code=3))
    courses, status = play(world, {"ecs_service_name": "no-such-service"}, {}, max_failures=1)
    assert [course[-1] for course in courses.values()] == ["failed", "not started"]
    assert status[1].cause == "ecs_service_name no-such-service not found"
    assert status[2].cause.endswith(
        ": no further update of the batch starts: 1 failed and max_failures is 1"
    )


def test_without_a_table_the_event_again_over_a_failed_rollout_is_the_same_failure(play):
    world = world_with(Image.exits(code=3))
    courses, rows = play(world, {}, {}, {"ecs_tag": {"release": "2b"}})
    assert [course[-1] for course in courses.values()] == ["failed"] * 3, courses
    assert all(
        "container ecs-dummy-container exited with code 3" in status.cause
        for status in rows.values()
    )
    assert world.calls["UpdateService"] == 1


def test_without_a_table_the_event_again_is_rolled_back_where_it_asks_for_that(play):
    world = world_with(Image.exits(code=3))
    courses, rows = play(world, {}, {"rollback_on_failure": True})
    assert courses[2][-1] == "rolled back" and "its tags are what they were" in rows[2].cause, (
        courses,
        rows,
    )


def test_without_a_table_an_update_that_waits_for_its_rate_limit_is_not_written_after_ctrl_c(
    monkeypatch,
):
    world = world_with(Image.good())
    world.ecs.clock.drive_sdk(monkeypatch)
    started = batch([("ECSCluster/ecs-dummy-service", "app:2", None)])
    backend = local_backend_of(world, started, ECS_RATES="RegisterTaskDefinition=2/0.001")
    rates = parse_rates("RegisterTaskDefinition=2/0.001")
    waits, sleep = threading.Event(), backend._sleep  # pylint: disable=protected-access

    def waiting(seconds):
        waits.set()
        sleep(seconds)

    limiter = backend._ledger.table.rate_limiter(rates, replace(world.clock, sleep=waiting))  # pylint: disable=protected-access
    limiter.take("RegisterTaskDefinition", 1, 0)
    backend.start(started.members)
    assert waits.wait(PATIENCE)
    backend.close(PATIENCE)
    (status,) = backend.poll([Row.of(member) for member in started.members]).values()
    assert (status.state, status.cause) == (State.NOT_STARTED, "the command ended before")
    assert world.calls["RegisterTaskDefinition"] == world.calls["UpdateService"] == 0


def test_without_a_table_no_later_wave_starts_after_ctrl_c():
    started = batch([("web", "web:2", "edge")])
    backend = local_backend_of(world_with(Image.good()), started)
    rows = [Row.of(member) for member in started.members]
    assert not backend.poll(rows)
    backend.close(1)
    assert [(status.state, status.cause) for status in backend.poll(rows).values()] == [
        (State.NOT_STARTED, "the command ended before")
    ]


def test_a_dry_run_reads_alone_and_tells_of_each_service(monkeypatch):
    world = world_with(Image.good())
    world.ecs.clock.drive_sdk(monkeypatch)
    planning = DryRun(
        world.boundary, None, environment("none"), LocalRateLimiter(RATES, world.clock), world.clock
    )
    begun = batch(
        [("ECSCluster/ecs-dummy-service", "app:2", None), ("ECSCluster/gone", "app:2", None)]
    )
    changes, gone = planning.plans(begun.members)
    assert [change["what"] for change in changes.changes] == [
        "image.ecs-dummy-container",
        "tag.old-custom-tag-name",
    ]
    assert changes.deploys and (gone.error, gone.error_type) == (
        "ecs_service_name gone not found",
        "ServiceNotFoundError",
    )
    assert set(world.calls) == {"DescribeServices", "DescribeTaskDefinition"}


def test_the_ledgers_table_tells_whose_account_it_is():
    client = boto3.client(
        "dynamodb", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:
        stub.add_response(
            "describe_table",
            {"Table": {"TableArn": "arn:aws:dynamodb:e:1:table/t"}},
            {"TableName": "t"},
        )
        stub.add_client_error("describe_table", "ResourceNotFoundException", http_status_code=400)
        stub.add_client_error("describe_table", "AccessDeniedException", http_status_code=400)
        assert session.table_arn("t", client) == "arn:aws:dynamodb:e:1:table/t"
        assert session.table_arn("t", client) is None
        with pytest.raises(AwsFailure):
            session.table_arn("t", client)


# What goes wrong.


def failure(code: str, outcome: Outcome = Outcome.REFUSED, reason: str = "Because.") -> AwsFailure:
    """A call that failed so."""
    return AwsFailure("SendMessageBatch", outcome, code, reason)


@pytest.mark.parametrize(
    ("given", "sentence", "is_transient"),
    [
        (
            failure("NoCredentialsError", Outcome.NOT_PERMITTED),
            "there are no credentials: log in",
            False,
        ),
        (
            failure("ProfileNotFound", reason="There is no profile x"),
            "There is no profile x: aws configure",
            False,
        ),
        (
            failure("ExpiredTokenException", Outcome.NOT_PERMITTED),
            "the credentials have expired: log in",
            False,
        ),
        (
            failure("InvalidClientTokenId", Outcome.NOT_PERMITTED),
            "AWS rejected the credentials",
            False,
        ),
        (
            failure("AccessDenied", Outcome.NOT_PERMITTED),
            "SendMessageBatch is not permitted: Because",
            False,
        ),
        (failure("EndpointConnectionError", Outcome.NOT_NOW), "Because: check the network", True),
        (
            failure("Throttling", Outcome.NOT_NOW),
            "SendMessageBatch failed: Throttling: Because",
            True,
        ),
        (
            failure("ReadTimeoutError", Outcome.UNKNOWN),
            "SendMessageBatch failed: ReadTimeoutError",
            True,
        ),
    ],
)
def test_what_aws_says_becomes_a_sentence_with_what_to_do(given, sentence, is_transient):
    trouble = aws_error_of(given)
    assert (
        str(trouble).startswith(sentence)
        and trouble.is_transient is is_transient
        and trouble.code == 3
    )


def test_the_shell_says_how_updates_are_done_and_never_which():
    shell = {
        "TASK_FAILURES": "5",
        "IMAGE": "x",
        "CLUSTER_NAME": "c",
        "SERVICE_NAME": "s",
        "PIN_DIGEST": "",
    }
    assert environment("table", "arn:", shell) == {
        "TASK_FAILURES": "5",
        "LEDGER_TABLE": "table",
        "ECS_ARN_PREFIX": "arn:",
    }
    with pytest.raises(CommandError, match="the environment's TASK_FAILURES is 'x'") as raised:
        environment("table", "", {"TASK_FAILURES": "x"})
    assert raised.value.code == 2

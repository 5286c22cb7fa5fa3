"""A task that must succeed before the service changes: it runs at most once, and the service is
unchanged unless the task exits with code 0.
"""

import pytest

from ecs_updater.aws.logs import Logs
from ecs_updater.context import Clock
from ecs_updater.deployments.task_run import run_task
from ecs_updater.errors import AwsFailure
from ecs_updater.ledger.entry import State
from fakes.simulated_ecs import Image
from fakes.wire import DENIED, SERVER_ERROR, THROTTLED
from support.rollout_world import EVENT, OLD_TAGS, ROLLBACK, SIDECAR

COMMAND = ["manage", "migrate", "--password=hush"]
RUN = {"command": COMMAND}
ALLOWED = {"ALLOWED_FIELDS": "*"}
OLD = ({"ecs-dummy-container": "busybox"}, OLD_TAGS)
NEW = ({"ecs-dummy-container": "app:2"}, {"release": "2"})
OTHER = {"ecs_image_name": "app:3", "ecs_tag": {"release": "3"}, "request_id": "other"}
LOGGED = {
    "logDriver": "awslogs",
    "options": {"awslogs-group": "/g", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "p"},
}


def send(world, run=None, environment=None, **fields):
    """Sends the update with a task."""
    event = {"run_before": {**RUN, **(run or {})}, "request_id": "first", **fields}
    return world.send(environment={**ALLOWED, **(environment or {})}, **event)


def exits(code, after=2.0):
    """Returns what a container does that ends."""
    return Image.exits(code, after=after, starts_after=2, shown_running=True)


def polls(world):
    """Returns the number of reads of the task."""
    return world.process.sent.count(("ecs", "DescribeTasks"))


def test_the_service_changes_after_the_task_has_succeeded(world):
    world.ecs.service.shown = {
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        "platformVersion": "1.4.0",
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
    }
    outcome = send(world, wait_seconds=120)
    assert outcome.verdict == "SUCCEEDED" and world.state == NEW
    assert "of run_before: container ecs-dummy-container exited with code 0" in outcome.notes[0]
    assert {"what": "runBefore", "from": None, "to": "(set) in container ecs-dummy-container"} in (
        outcome.answer["body"]["changes"]
    )
    (sent,) = world.ecs.world.standalone.requests
    assert sent == {
        **world.ecs.service.shown,
        "cluster": world.history[0].cluster_arn,
        "taskDefinition": world.ecs.running_arn,
        "count": 1,
        "clientToken": sent["clientToken"],
        "startedBy": f"ecs-updater/{sent['clientToken']}",
        "overrides": {"containerOverrides": [{"name": "ecs-dummy-container", "command": COMMAND}]},
    }
    assert len(sent["clientToken"]) == 64
    order = [name for name in world.ecs.writes if name != "UntagResource"]
    assert order == ["RegisterTaskDefinition", "RunTask", "TagResource", "UpdateService"]


def test_a_task_of_a_minute_costs_one_call_and_at_most_twenty_polls(world):
    world.ecs.world.standalone.image = exits(0, after=58)
    assert send(world, wait_seconds=60).verdict == "TIMED_OUT"
    assert world.process.sent.count(("ecs", "RunTask")) == 1 and polls(world) <= 20


def test_without_a_wait_the_reconciler_continues_from_the_ledger(world):
    outcome = send(world)
    assert outcome.verdict == "IN_PROGRESS" and "runs, the service changes after it" in outcome.text
    assert world.state == OLD and world.history[0].state is State.RUNNING_TASK
    assert not any("hush" in str(item) for item in world.dynamodb.items.values())
    assert send(world).verdict == "IN_PROGRESS", "a repetition continues"
    (ended,) = world.finish(60)
    assert ended.verdict == "SUCCEEDED" and world.state == NEW
    assert send(world).verdict == "SUCCEEDED" and len(world.ecs.world.standalone.all) == 1


def test_no_other_update_or_rollback_goes_on_while_the_task_runs(world):
    assert world.update(5).verdict == "SUCCEEDED"
    world.ecs.world.standalone.image, before = exits(0, after=100), world.state
    send(world)
    for event in (OTHER, {**ROLLBACK, "request_id": "back"}):
        outcome = world.send({**EVENT, **event} if event is OTHER else event)
        assert outcome.verdict == "LeaseHeldError" and "whose task of run_before" in outcome.text
        assert world.state == before
    world.pass_time(120)
    assert world.send(**OTHER).verdict == "LeaseHeldError", "the rollout goes on"
    assert world.finish(60)[0].verdict == "SUCCEEDED"
    assert world.send(**{**OTHER, "request_id": "later"}, wait_seconds=60).verdict == "SUCCEEDED"
    images = [world.ecs.world.task_definition(arn) for arn in world.made.values()]
    assert [each["containerDefinitions"][0]["image"] for each in images[2:]] == ["app:2", "app:3"]


def test_a_rollback_stops_the_rollout_after_the_task(world):
    assert world.update(5).verdict == "SUCCEEDED"
    send(world)
    world.pass_time(30)
    assert world.send(**OTHER).verdict == "LeaseHeldError", "it continues the first update"
    back = world.send({**ROLLBACK, "request_id": "back", "wait_seconds": 60})
    assert back.verdict == "SUCCEEDED", back.text
    world.finish(60)
    assert world.verdicts[1] == "STOPPED"


@pytest.mark.parametrize("waits", [True, False], ids=["the caller waits", "the reconciler ends it"])
def test_a_failed_task_leaves_the_service_as_it_is(world, waits, monkeypatch):
    lines = ["first\x1b[31m", "Traceback: no table\n"]
    world.ecs.revisions[0]["containerDefinitions"][0]["logConfiguration"] = LOGGED
    reads = []
    monkeypatch.setattr(Logs, "last_messages", lambda _, *names: reads.append(names) or lines)
    world.ecs.world.standalone.image = exits(3)
    outcome = send(world, wait_seconds=60 if waits else 0)
    if not waits:
        world.finish(60)
        outcome = send(world)
    (task,) = world.ecs.world.standalone.all
    assert outcome.verdict == "TaskRunFailedError" and world.state == OLD
    assert outcome.text == (
        f"[ERROR][ecs_service_rollout] FAILED: task {task.id} of run_before: container "
        "ecs-dummy-container exited with code 3: Essential container in task exited; the service "
        "is as it was, ecs-dummy-task:2 was registered and is not used; its last log lines: "
        "first\\x1b[31m | Traceback: no table"
    )
    assert reads == [("eu-west-1", "/g", f"p/ecs-dummy-container/{task.id}", 10)]
    assert outcome.error.details["task"]["exitCode"] == 3
    assert world.verdicts == ["FAILED"] and world.ecs.writes.count("UpdateService") == 0
    assert send(world).text == outcome.text and len(world.ecs.world.standalone.all) == 1
    assert world.send(**OTHER, wait_seconds=60).verdict == "SUCCEEDED"


@pytest.mark.parametrize("waits", [True, False], ids=["the caller waits", "the reconciler ends it"])
def test_a_task_that_takes_too_long_is_stopped(world, waits):
    world.ecs.world.standalone.image = exits(0, after=500)
    outcome = send(world, run := {"timeout_seconds": 30}, wait_seconds=90 if waits else 0)
    if not waits:
        world.finish(60)
        outcome = send(world, run)
    assert "it did not end within 30 seconds and was stopped; the service is as" in outcome.text
    assert "its log is not in CloudWatch Logs" in outcome.text
    (task,) = world.ecs.world.standalone.all
    assert task.stopped_reason == "ecs-updater: it did not end within 30 seconds"
    assert world.state == OLD and world.verdicts == ["FAILED"]


def test_a_process_that_exits_with_0_after_a_stop_has_not_succeeded(world):
    world.ecs.world.standalone.image = exits(0, after=500)
    send(world)
    (task,) = world.ecs.world.standalone.all
    task.wants_to_stop(world.clock.now(), "UserInitiated", "maintenance")
    task.last_status, task.containers[0].exit_code = "STOPPED", 0
    world.finish(60)
    assert "the task was stopped (UserInitiated): maintenance" in send(world).text
    assert world.state == OLD


def test_a_task_without_a_place_is_an_error_and_can_be_sent_again(world):
    world.ecs.world.standalone.failures = [{"reason": "RESOURCE:MEMORY", "arn": "x"}]
    outcome = send(world, wait_seconds=60)
    assert outcome.verdict == "TaskRunError" and world.state == OLD
    assert "could not be started: RESOURCE:MEMORY; the service is as it was" in outcome.text
    assert send(world, wait_seconds=60).verdict == "SUCCEEDED"


def test_a_task_that_may_have_been_started_is_looked_for_before_another_is(world):
    world.ecs.fail("RunTask", SERVER_ERROR, after_effect=True)
    assert send(world, wait_seconds=60).verdict == "SUCCEEDED"
    assert world.ecs.operations.count("RunTask") == 1
    assert len(world.ecs.world.standalone.all) == 1


def test_a_stopped_task_is_found_too(world):
    world.ecs.world.standalone.image = exits(1)
    world.ecs.kill("RunTask", after_effect=True)
    send(world)
    world.pass_time(200)
    assert send(world).verdict == "IN_PROGRESS" and len(world.ecs.world.standalone.all) == 1
    assert world.finish(60)[0].verdict == "FAILED"


def test_a_deployment_of_another_program_while_the_task_runs_is_not_replaced(world):
    send(world)
    world.ecs.deploy("app:9")
    (ended,) = world.finish(60)
    assert ended.verdict == "NOT_DEPLOYED" and "came while the task of run_before" in ended.cause
    assert world.state == ({"ecs-dummy-container": "app:9"}, OLD_TAGS)


def test_the_task_runs_in_the_named_container_and_a_sidecar_does_not_keep_it_running(make_world):
    world = make_world(containers=SIDECAR)
    fields = {"ecs_container_name": "ecs-dummy-container", "wait_seconds": 60}
    assert send(world, {"container": "sidecar"}, **fields).verdict == "SUCCEEDED"
    (sent,) = world.ecs.world.standalone.requests
    assert sent["overrides"]["containerOverrides"][0]["name"] == "sidecar"
    missing = send(world, {"container": "nobody"}, **fields, request_id="2", dry_run=True)
    assert missing.verdict == "NO_CHANGE", "nothing differs, so no task runs"
    missing = send(
        world, {"container": "nobody"}, **fields | {"ecs_image_name": "app:4"}, dry_run=True
    )
    assert missing.verdict == "ContainerNotFoundError"


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("waits", [True, False], ids=["the caller waits", "the reconciler ends it"])
def test_no_container_runs_on_after_the_command(make_world, code, waits):
    job, sidecar = SIDECAR
    world = make_world(containers=[{**job, "essential": False}, sidecar])
    world.ecs.world.standalone.image = exits(code)
    send(world, ecs_container_name="ecs-dummy-container", wait_seconds=60 if waits else 0)
    world.finish(60)
    world.pass_time(5)
    (task,) = world.ecs.world.standalone.all
    assert task.last_status == "STOPPED"
    assert task.stopped_reason == "ecs-updater: its command has ended"
    assert world.verdicts == ["FAILED" if code else "SUCCEEDED"]


@pytest.mark.parametrize("code", [0, 1])
def test_an_update_says_that_containers_run_on(make_world, code):
    job, sidecar = SIDECAR
    world = make_world(containers=[{**job, "essential": False}, sidecar])
    world.ecs.world.standalone.image = exits(code)
    world.ecs.fail("StopTask", DENIED)
    outcome = send(world, ecs_container_name="ecs-dummy-container", wait_seconds=60)
    sentence = (
        f"with code {code}, the rest of the task could not be stopped (User is not authorized"
    )
    assert sentence in (outcome.text if code else outcome.notes[0])


@pytest.mark.parametrize("waits", [True, False], ids=["the caller waits", "the reconciler ends it"])
@pytest.mark.parametrize("answer", [THROTTLED, SERVER_ERROR], ids=["throttled", "500"])
def test_a_task_that_cannot_be_stopped_yet_is_stopped_later(world, answer, waits):
    world.ecs.world.standalone.image = exits(0, after=900)
    world.ecs.fail("StopTask", answer, times=6)
    send(world, {"timeout_seconds": 30}, wait_seconds=120 if waits else 0)
    world.finish(60)
    (task,) = world.ecs.world.standalone.all
    world.pass_time(5)
    assert task.last_status == "STOPPED" and world.verdicts == ["FAILED"] and world.state == OLD


@pytest.mark.parametrize("answer", [THROTTLED, DENIED], ids=["throttled", "denied"])
def test_a_start_that_was_rejected_twice_is_known_to_have_started_nothing(world, answer):
    for number in (1, 2):
        world.ecs.fail("RunTask", answer, times=4 if answer is THROTTLED else 1)
        assert send(world).verdict == "TaskRunError"
        assert world.verdicts == ["NOT_DEPLOYED"] * number
    assert send(world, wait_seconds=60).verdict == "SUCCEEDED"
    assert len(world.ecs.world.standalone.all) == 1


def test_without_a_change_no_task_runs_and_a_forced_deployment_has_one(world):
    same = {"ecs_image_name": "busybox", "ecs_tag": OLD_TAGS}
    assert send(world, **same).verdict == "NO_CHANGE" and not world.ecs.world.standalone.all
    forced = {**same, "force_new_deployment": True, "request_id": "2", "wait_seconds": 60}
    assert send(world, **forced).verdict == "SUCCEEDED"
    assert len(world.ecs.world.standalone.all) == 1 and len(world.made) == 2


def test_without_a_ledger_the_call_must_wait_for_the_task(make_world):
    world = make_world(ledger=False)
    short = send(world, request_id=None, wait_seconds=599)
    assert "set wait_seconds to at least 600" in short.text and not world.ecs.writes
    assert send(world, request_id=None, wait_seconds=600).verdict == "SUCCEEDED"
    world.ecs.world.standalone.image = exits(0, after=500)
    fields = {"request_id": None, "ecs_image_name": "app:3", "wait_seconds": 600}
    late = world.send(environment=ALLOWED, run_before=RUN, ends_after=100, **fields)
    assert "within the wait of this call, which has no ledger, and was stopped" in late.text
    assert world.image == "app:2"


def test_a_task_that_ecs_has_forgotten_has_failed(world):
    send(world)
    world.finish(3 * 3600)
    assert "ECS does not have the task any more" in send(world).text and world.state == OLD


def test_a_call_that_is_denied_says_so(world):
    world.ecs.fail("RunTask", DENIED)
    outcome = send(world)
    assert outcome.verdict == "TaskRunError" and "User is not authorized" in outcome.text
    assert world.verdicts == ["NOT_DEPLOYED"]


def test_a_task_without_an_update_changes_nothing_else(world):
    clock = Clock(world.clock.now, world.clock.sleep, lambda: 0.5, world.clock.epoch)
    names = (world.boundary, "ECSCluster", "ecs-dummy-service", COMMAND)
    started = []
    result = run_task(*names, request_id="r", clock=clock, on_start=started.append)
    assert result.has_succeeded and started == [result.task_arn]
    world.ecs.world.standalone.image = exits(4)
    result = run_task(*names, request_id="r2", clock=clock, task_definition="ecs-dummy-task:1")
    assert result.exit_code == 4 and "exited with code 4" in result.reason
    assert set(world.ecs.writes) == {"RunTask"} and world.state == OLD


def test_a_task_that_cannot_be_read_is_given_up_after_its_timeout(world):
    clock = Clock(world.clock.now, world.clock.sleep, lambda: 0.5, world.clock.epoch)
    world.ecs.fail("DescribeTasks", SERVER_ERROR, times=9999)
    names = (world.boundary, "ECSCluster", "ecs-dummy-service", COMMAND)
    begin = clock.now()
    with pytest.raises(AwsFailure, match="Service Unavailable"):
        run_task(*names, request_id="r", clock=clock, timeout_seconds=30)
    assert 90 < clock.now() - begin < 150

"""The cause of a failure is what ended the tasks, in any order of their containers, or
what ECS reports about it.
"""

import pytest

from fakes.simulated_ecs import BREAKER, Image
from support.rollout_world import EVENT

APP = {"name": "app", "image": "busybox", "memory": 128}
PROXY = {"name": "proxy", "image": "proxy:1", "memory": 64}
MIGRATE = {"name": "migrate", "image": "migrate:1", "memory": 64, "essential": False}
LOG = {"name": "log", "image": "log:1", "memory": 64, "essential": False}
ADDED = ("ecs-service-connect-abc12", "aws-guardduty-agent-x1")
"""ECS ends these with 1 when the task ends, as it may."""
HOOK = "arn:aws:lambda:eu-west-1:123456789012:function:check"
BLUE_GREEN = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5}
ALARMS = {
    "alarms": {"enable": True, "rollback": True, "alarmNames": ["fewer-orders", "more-errors"]}
}


FAILED = Image.exits(code=1, after=0)


def send(world, app, others=None, **fields):
    """Updates to an image with this behaviour, beside others by their references."""
    for reference, image in {"app:2": app, **(others or {})}.items():
        world.ecs.publish(reference, image)
    return world.send({**EVENT, "ecs_container_name": "app", "wait_seconds": 180}, **fields)


ENDS = {
    "an exit code": (Image.exits(code=3), "container app exited with code 3, 3 times"),
    "a kill that nobody explains": (
        Image.exits(code=137),
        "container app exited with code 137, 3 times",
    ),
    "memory": (Image.oom(), "container app ran out of memory (exit code 137), 3 times"),
    "its own end without a failure": (
        Image.exits(code=0),
        "container app exited with code 0, 3 times",
    ),
    "a start that fails": (
        Image.cannot_start("CannotStartContainerError: exec: permission denied"),
        (
            "container app could not be started: CannotStartContainerError: exec: "
            "permission denied, 3 times"
        ),
    ),
    "an image that is not there": (
        Image.cannot_pull("not found"),
        "could not pull its image: CannotPullContainerError: not found",
    ),
}


@pytest.mark.parametrize("launch_type", ["FARGATE", "EC2"])
@pytest.mark.parametrize("end", ENDS)
def test_the_container_that_ended_the_task_is_the_cause_among_any_others(
    make_world, end, launch_type
):
    """Beside a container that has done its work, an unimportant one that failed, one that is only
    stopped, and those that ECS adds.
    """
    image, says = ENDS[end]
    world = make_world(
        containers=[MIGRATE, LOG, PROXY, APP], added_containers=ADDED, launch_type=launch_type
    )
    outcome = send(world, image, {"migrate:1": Image.exits(code=0, after=0), "log:1": FAILED})
    begin = "" if end.startswith("an image") else "FAILED: "
    assert f"{begin}{says}" in outcome.text and "3 times" in outcome.text, outcome.text


BESIDE = {
    "an essential sidecar fails": (
        {"containers": [APP, PROXY]},
        (Image.good(), {"proxy:1": Image.exits(code=7, starts_after=8)}),
        "FAILED: container proxy exited with code 7, 3 times",
    ),
    "ECS rolls back": (
        {"containers": [MIGRATE, LOG, APP], "breaker": BREAKER},
        (Image.exits(code=9), {"log:1": FAILED}),
        "ROLLED_BACK: container app exited with code 9, 3 times; ECS's circuit breaker returned",
    ),
}


@pytest.mark.parametrize("case", BESIDE)
def test_the_cause_is_the_container_that_failed(make_world, case):
    options, images, says = BESIDE[case]
    assert says in send(make_world(added_containers=ADDED, **options), *images).text


def test_the_reconciler_knows_the_containers_too(make_world):
    world = make_world(containers=[LOG, APP], added_containers=ADDED)
    send(world, Image.exits(code=137), {"log:1": FAILED}, wait_seconds=None)
    world.pass_time(120)
    (ended,) = world.reconcile().ended
    assert "FAILED: container app exited with code 137" in ended.cause


def test_what_a_container_died_of_is_read_with_no_call_more_than_for_one_container(make_world):
    calls = []
    for containers in ([APP], [MIGRATE, LOG, APP]):
        world = make_world(containers=containers)
        send(world, Image.exits(code=3))
        calls.append(dict(world.calls))
    assert calls[0] == calls[1]


@pytest.mark.parametrize("stopped", [150, 450])
def test_tasks_are_found_among_any_number_of_stopped_ones(make_world, stopped):
    world = make_world(desired=stopped)
    world.ecs.set_desired(1)
    outcome = world.send(wait_seconds=1)
    world.ecs.publish("app:3", Image.exits(code=5))
    outcome = world.send(ecs_image_name="app:3", wait_seconds=180)
    assert "FAILED: container ecs-dummy-container exited with code 5, 3 times" in outcome.text


# What ECS reports beside the tasks.

STRATEGIES = {
    "rolling": {},
    "blue/green": BLUE_GREEN,
    "canary": {**BLUE_GREEN, "strategy": "CANARY"},
}


@pytest.mark.parametrize(
    "strategy, stage, later_events",
    [
        ("rolling", "SCALE_UP", False),
        ("blue/green", "POST_TEST_TRAFFIC_SHIFT", False),
        ("canary", "POST_TEST_TRAFFIC_SHIFT", False),
        ("rolling", "SCALE_UP", True),
        ("blue/green", "POST_SCALE_UP", True),
    ],
)
def test_a_lifecycle_hook_that_fails_is_the_cause(make_world, strategy, stage, later_events):
    """With later events there is no record of ECS: an event says it, and forty come after it."""
    world = make_world(service_deployments=not later_events, configuration=STRATEGIES[strategy])
    world.ecs.fail_hook(stage, HOOK)
    for second in range(21, 61 if later_events else 21):
        world.ecs.at(second).add_event(
            "(service {service}) has begun draining connections on 1 tasks."
        )
    assert (
        f"ROLLED_BACK: Service deployment rolled back because {stage} lifecycle hook(s) failed. "
        f"Lifecycle hook target {HOOK} returned FAILED status; ECS returned the service to "
        "ecs-dummy-task:1"
    ) in world.send(wait_seconds=300).text


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("rollback", [True, False])
def test_an_alarm_is_the_cause_and_is_named(make_world, strategy, rollback):
    alarms = {"alarms": {**ALARMS["alarms"], "rollback": rollback}}
    world = make_world(configuration={**STRATEGIES[strategy], **alarms})
    world.ecs.at(18).trigger_alarm("more-errors")
    outcome = world.send(wait_seconds=300)
    assert f"{'ROLLED_BACK' if rollback else 'FAILED'}: Service deployment " in outcome.text
    assert "alarm more-errors was triggered" in outcome.text and "fewer-orders" not in outcome.text


@pytest.mark.parametrize("name", ["errors", "one", "ALARM", "s"])
def test_an_alarm_is_named_also_where_its_name_is_a_part_of_other_words(make_world, name):
    names = ["more-errors", name]
    world = make_world(configuration={"alarms": {**ALARMS["alarms"], "alarmNames": names}})
    world.ecs.publish("app:2", Image.slow(600))
    world.ecs.at(18).trigger_alarm("more-errors")
    world.ecs.at(19).show(alarms={"triggeredAlarmNames": names})
    outcome = world.send(wait_seconds=300)
    assert f"; alarm more-errors was triggered; alarm {name} was triggered; " in outcome.text


def test_a_hook_is_named_also_where_its_name_begins_another_ones(make_world):
    world = make_world(configuration=BLUE_GREEN)
    world.ecs.fail_hook("POST_SCALE_UP", f"{HOOK}-traffic")
    hooks = [{"targetArn": f"{HOOK}{end}", "status": "FAILED"} for end in ("", "-traffic")]
    world.ecs.at(19).show(lifecycleHookDetails=hooks)
    outcome = world.send(wait_seconds=300)
    assert f"; lifecycle hook {HOOK} failed; " in outcome.text
    assert outcome.text.count(f"{HOOK}-traffic") == 1, outcome.text


def test_an_event_that_is_older_than_the_deployment_is_not_its_cause(world):
    world.ecs.add_event("(service {service}) was unable to place a task because of yesterday.")
    world.pass_time(60)
    world.ecs.publish("app:2", Image.slow(600))
    world.ecs.fail_hook("SCALE_UP", HOOK)
    assert "yesterday" not in world.send(wait_seconds=120).text.partition("ECS's last")[0]


def test_a_task_that_cannot_be_placed_is_a_better_cause_than_that_tasks_failed_to_start(make_world):
    assert (
        "ROLLED_BACK: was unable to place a task because no container instance "
        "met all of its requirements"
    ) in make_world(breaker=BREAKER, image=Image.never_placed()).send(wait_seconds=300).text

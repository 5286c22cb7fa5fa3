"""What an observation of a deployment proves, and why tasks died: every verdict from answers as ECS
gives them.
"""

import itertools
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from ecs_updater.rollout.judgement import judge, timed_out
from ecs_updater.rollout.poller import pauses
from ecs_updater.rollout.rollout_state import ServiceDeployment, rollout_state_of
from ecs_updater.rollout.task_failures import (
    Containers,
    is_of,
    most_frequent,
    task_failure_of,
    task_failures_of,
)

OURS, OTHER = "ecs-svc/2", "ecs-svc/3"
FAMILY = "arn:aws:ecs:eu-west-1:123456789012:task-definition/app"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
NO_ROLLBACK = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}


def deployment(deployment_id: str = OURS, revision: int = 2, **fields: Any) -> dict[str, Any]:
    """A deployment as DescribeServices gives it: the PRIMARY one, on its way."""
    return {
        "id": deployment_id,
        "status": "PRIMARY",
        "taskDefinition": f"{FAMILY}:{revision}",
        "desiredCount": 2,
        "runningCount": 1,
        "pendingCount": 1,
        "failedTasks": 0,
        "rolloutState": "IN_PROGRESS",
        "rolloutStateReason": f"ECS deployment {deployment_id} in progress.",
    } | fields


def service(*deployments: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A service as DescribeServices gives it."""
    return {
        "status": "ACTIVE",
        "deployments": list(deployments),
        "deploymentConfiguration": {},
    } | fields


def task(number: int = 1, deployment_id: str = OURS, **fields: Any) -> dict[str, Any]:
    """A stopped task as DescribeTasks gives it: its only container exited with 1."""
    return {
        "taskArn": f"arn:aws:ecs:eu-west-1:123456789012:task/c/{number:032x}",
        "lastStatus": "STOPPED",
        "startedBy": deployment_id,
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "stoppedAt": NOON + timedelta(seconds=number),
        "containers": [{"name": "app", "exitCode": 1}],
    } | fields


def verdict(
    answer: dict[str, Any] | None,
    tasks: list[dict[str, Any]] | None = None,
    record: tuple[str, str] | None = None,
):
    """Verdict and reason of an answer, with stopped tasks and ECS's own record of the deployment;
    None while it goes on.
    """
    seen = rollout_state_of(answer, OURS)
    changes = {
        "task_failures": task_failures_of(tasks or [], OURS),
        "service_deployment": ServiceDeployment(*record) if record else None,
    }
    judgement = judge(type(seen)(**{**vars(seen), **changes}), 3)
    return judgement and (judgement.verdict, judgement.reason)


STARTING = deployment()
COMPLETE = deployment(runningCount=2, pendingCount=0, rolloutState="COMPLETED")
OLD = deployment(
    "ecs-svc/1", 1, status="ACTIVE", runningCount=2, pendingCount=0, rolloutState="COMPLETED"
)
GIVEN_UP = deployment(
    status="ACTIVE",
    runningCount=0,
    rolloutState="FAILED",
    rolloutStateReason="tasks failed to start.",
)
DONE = {"rolloutState": "COMPLETED", "runningCount": 2, "pendingCount": 0}
ROLLBACK = deployment(
    OTHER,
    1,
    rolloutStateReason="ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.",
)
SOMEBODYS = deployment(OTHER, 9)


@pytest.mark.parametrize(
    "answer, expected",
    [
        (service(STARTING, OLD), None),
        (service(COMPLETE), ("SUCCEEDED", "2 of 2 tasks run app:2")),
        (
            service(
                deployment(desiredCount=0, runningCount=0, pendingCount=0, rolloutState="COMPLETED")
            ),
            (
                "SUCCEEDED",
                "the service's desired count is 0: nothing runs, and the next task will run app:2",
            ),
        ),
        (
            service(deployment(rolloutState=None, runningCount=2, pendingCount=0)),
            ("SUCCEEDED", "2 of 2 tasks run app:2"),
        ),
        (service(deployment(rolloutState=None, runningCount=2, pendingCount=0), OLD), None),
        (service({**GIVEN_UP, "status": "PRIMARY"}), None),
        (
            service({**GIVEN_UP, "status": "PRIMARY"}, deploymentConfiguration=NO_ROLLBACK),
            ("FAILED", "tasks failed to start"),
        ),
        (service(ROLLBACK, GIVEN_UP, deploymentConfiguration=BREAKER), None),
        (service(ROLLBACK, GIVEN_UP), None),
        (service(ROLLBACK, deploymentConfiguration=BREAKER), None),
        (
            service({**ROLLBACK, **DONE}, GIVEN_UP, deploymentConfiguration=BREAKER),
            (
                "ROLLED_BACK",
                "tasks failed to start; ECS's circuit breaker returned the service to app:1",
            ),
        ),
        (
            service({**ROLLBACK, **DONE}, GIVEN_UP),
            ("ROLLED_BACK", "tasks failed to start; ECS returned the service to app:1"),
        ),
        (
            service(
                {**ROLLBACK, "rolloutState": "FAILED"}, GIVEN_UP, deploymentConfiguration=BREAKER
            ),
            (
                "FAILED",
                "tasks failed to start; and ECS could not roll back: "
                "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1",
            ),
        ),
        (
            service(SOMEBODYS, deployment(status="ACTIVE")),
            ("SUPERSEDED", "deployment ecs-svc/3 to app:9 took its place"),
        ),
        (
            service(SOMEBODYS, deploymentConfiguration=BREAKER),
            ("SUPERSEDED", "deployment ecs-svc/3 to app:9 took its place"),
        ),
        (
            service(status="DRAINING"),
            ("STOPPED", "the service is DRAINING: it was deleted during the rollout"),
        ),
        (None, ("STOPPED", "the service is MISSING: it was deleted during the rollout")),
    ],
)
def test_the_verdict_is_about_the_deployment_that_is_followed(answer, expected):
    assert verdict(answer) == expected


def test_a_steady_service_is_no_success_when_another_deployment_made_it_steady():
    """What ecs wait services-stable takes for a success: one deployment, running = desired."""
    done = deployment(OTHER, 1, runningCount=2, pendingCount=0, rolloutState="COMPLETED")
    steady = service(done, deploymentConfiguration=BREAKER)

    assert verdict(steady) == ("SUPERSEDED", "deployment ecs-svc/3 to app:1 took its place")
    assert verdict(steady, record=("ROLLBACK_SUCCESSFUL", "")) == (
        "ROLLED_BACK",
        "no reason was reported; ECS returned the service to app:1",
    )


@pytest.mark.parametrize(
    "record, expected",
    [
        (("SUCCESSFUL", ""), "SUCCEEDED"),
        (("STOPPED", "Stopped by a user."), "STOPPED"),
        (
            (
                "STOPPED",
                "Service deployment stopped because the circuit breaker threshold was exceeded.",
            ),
            "FAILED",
        ),
        (("STOP_REQUESTED", ""), None),
        (("ROLLBACK_REQUESTED", ""), None),
        (("ROLLBACK_IN_PROGRESS", ""), None),
        (("ROLLBACK_SUCCESSFUL", ""), "ROLLED_BACK"),
        (("ROLLBACK_FAILED", "no capacity."), "FAILED"),
        (("OF_THE_FUTURE", ""), None),
        (("IN_PROGRESS", ""), None),
        (("PENDING", ""), None),
    ],
)
def test_ecs_own_record_of_the_deployment_is_believed_first(record, expected):
    found = verdict(service(STARTING), record=record)

    assert (found and found[0]) == expected


def test_the_same_death_three_times_is_a_failure_without_a_circuit_breaker():
    assert verdict(service(STARTING, OLD), [task(1), task(2)]) is None
    assert verdict(service(STARTING, OLD), [task(1), task(2), task(3)]) == (
        "FAILED",
        "container app exited with code 1, 3 times",
    )


def test_with_a_circuit_breaker_it_decides():
    counting = {**STARTING, "failedTasks": 2}
    assert (
        verdict(
            service(counting, OLD, deploymentConfiguration=BREAKER), [task(n) for n in range(9)]
        )
        is None
    )


def test_deaths_that_a_circuit_breaker_does_not_count_are_a_failure_with_it_too():
    """Tasks that ran for a while before they died: failedTasks is 0 again as soon as one has
    started.
    """
    blind = {**STARTING, "failedTasks": 0}
    assert (
        verdict(service(blind, OLD, deploymentConfiguration=BREAKER), [task(n) for n in range(5)])
        is None
    )
    assert (
        verdict(service(blind, OLD, deploymentConfiguration=BREAKER), [task(n) for n in range(6)])[
            0
        ]
        == "FAILED"
    )


def test_different_deaths_and_those_of_other_deployments_do_not_add_up():
    different = [task(n, containers=[{"name": "app", "exitCode": n}]) for n in (1, 2, 3)]

    assert verdict(service(STARTING), different) is None
    assert verdict(service(STARTING), [task(n, "ecs-svc/1") for n in (1, 2, 3)]) is None


PULL = (
    "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve "
    "ref app:9: not found"
)
KILLED = "OutOfMemoryError: Container killed due to memory usage"
TWO_ENDED = [{"name": "log", "exitCode": 143}, {"name": "app", "exitCode": 3}]


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({}, ("exit", "container app exited with code 1")),
        ({"containers": TWO_ENDED}, ("exit", "container app exited with code 3")),
        (
            {"containers": [{"name": "app", "exitCode": 0}]},
            ("exit", "container app exited with code 0"),
        ),
        (
            {"containers": [{"name": "app", "exitCode": 1, "reason": "no space left."}]},
            ("exit", "container app exited with code 1 (no space left)"),
        ),
        (
            {
                "stopCode": "TaskFailedToStart",
                "stoppedReason": PULL,
                "containers": [{"name": "app"}],
            },
            ("image pull", f"the image could not be pulled: {PULL}"),
        ),
        (
            {"containers": [{"name": "app", "reason": PULL}]},
            ("image pull", f"container app could not pull its image: {PULL}"),
        ),
        (
            {"containers": [{"name": "app", "exitCode": 137, "reason": KILLED}]},
            ("out of memory", "container app ran out of memory (exit code 137)"),
        ),
        (
            {
                "stopCode": "ServiceSchedulerInitiated",
                "stoppedReason": "Task failed container health checks",
            },
            ("health check", "Task failed container health checks"),
        ),
        (
            {
                "stopCode": "ServiceSchedulerInitiated",
                "stoppedReason": "Task failed ELB health checks in (target-group x)",
            },
            ("health check", "Task failed ELB health checks in (target-group x)"),
        ),
        (
            {
                "stopCode": "TaskFailedToStart",
                "stoppedReason": "ResourceInitializationError: no secret.",
                "containers": [],
            },
            ("start", "a task could not be started: ResourceInitializationError: no secret"),
        ),
        (
            {
                "stopCode": "ServiceSchedulerInitiated",
                "stoppedReason": "Scaling activity initiated by (deployment ecs-svc/3)",
            },
            None,
        ),
        ({"stopCode": "UserInitiated", "stoppedReason": "Task stopped by a user"}, None),
        (
            {"stopCode": "SpotInterruption", "stoppedReason": "Your Spot Task was interrupted."},
            None,
        ),
        ({"lastStatus": "RUNNING", "stopCode": "", "stoppedReason": ""}, None),
    ],
)
def test_why_a_task_died_is_one_readable_sentence(fields, expected):
    failure = task_failure_of(task(**fields))

    assert (failure and (failure.kind, failure.cause)) == expected


@pytest.mark.parametrize(
    "fields, is_ours",
    [
        ({"startedBy": OURS}, True),
        ({"startedBy": OTHER}, False),  # Also of the same revision: whose it is says the id.
        ({"startedBy": "a-service"}, True),
        ({"startedBy": "a-service", "taskDefinitionArn": f"{FAMILY}:1"}, False),
        ({"startedBy": "a-service", "createdAt": NOON - timedelta(seconds=1)}, False),
    ],
)
def test_a_task_belongs_to_the_deployment_that_started_it_or_else_to_that_of_its_revision(
    fields, is_ours
):
    one = task() | {"taskDefinitionArn": f"{FAMILY}:2", "createdAt": NOON} | fields

    assert is_of(one, OURS, deployment(createdAt=NOON)) is is_ours
    assert bool(task_failures_of([one], OURS, deployment(createdAt=NOON))) is is_ours


def test_deaths_that_differ_in_ids_and_addresses_alone_are_the_same():
    reasons = [
        f"CannotPullContainerError: dial tcp 10.0.0.{n}:443: request 6f1e{n}c0ffee00{n}"
        for n in (1, 2, 3)
    ]
    task_failures = task_failures_of(
        [task(n, stoppedReason=reason, containers=[]) for n, reason in enumerate(reasons)], OURS
    )

    last, times = most_frequent(task_failures)

    assert times == 3 and last and last.cause.endswith(reasons[2])


def test_a_time_out_says_that_the_rollout_goes_on_and_what_was_heard_last():
    unable = (
        "(service app) was unable to place a task because no container instance met "
        "all of its requirements."
    )
    seen = rollout_state_of(service(STARTING, OLD, events=[{"message": unable}]), OURS)

    judgement = timed_out(seen, 60.4)

    assert judgement.verdict == "TIMED_OUT"
    assert judgement.reason == (
        "the rollout goes on: after 60 s 1 of 2 tasks run app:2; latest report: "
        "was unable to place a task because no container instance met all of its requirements"
    )


def test_it_looks_about_every_three_seconds_in_the_first_minute_and_seldom_after():
    gone, looks = 0.0, []
    for pause in pauses(lambda: 0.5):
        gone += pause
        looks.append(gone)
        if gone > 180:
            break

    assert 18 <= sum(moment <= 60 for moment in looks) <= 21
    assert len(looks) <= 32
    assert max(later - earlier for earlier, later in pairwise(looks)) <= 15


def test_two_that_begin_together_do_not_look_together_for_long():
    early, late = pauses(lambda: 0.0), pauses(lambda: 1.0)

    assert all(next(early) < next(late) for _ in range(40))


ONE_TASKS_CONTAINERS = [
    {"name": "app", "exitCode": 137},
    {"name": "migrate", "exitCode": 0},
    {"name": "log", "exitCode": 1},
    {"name": "proxy", "exitCode": 143},
    {"name": "ecs-service-connect-a1", "exitCode": 1},
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(5))))
def test_every_order_of_the_containers_is_the_same_death(order):
    one = task(containers=[ONE_TASKS_CONTAINERS[index] for index in order])
    failure = task_failure_of(one, Containers(["app", "proxy"], {"migrate", "log"}))
    assert failure and failure.cause == "container app exited with code 137"
    assert (
        task_failure_of(one).sameness
        == task_failure_of(task(containers=ONE_TASKS_CONTAINERS)).sameness
    )


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_failed_container_that_the_essential_one_waits_for_is_the_cause_in_every_order(order):
    containers = [
        {"name": "app"},
        {"name": "migrate", "exitCode": 4},
        {"name": "log", "exitCode": 0},
    ]
    fields = {"stopCode": "TaskFailedToStart", "stoppedReason": "Task failed to start"}
    one = task(containers=[containers[index] for index in order], **fields)
    failure = task_failure_of(one, Containers(["app"], {"migrate", "log"}))
    assert failure and failure.cause == "container migrate exited with code 4"

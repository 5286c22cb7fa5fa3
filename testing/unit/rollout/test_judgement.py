"""The verdict that a rollout state proves, and the causes of task failures, from answers of ECS."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from ecs_updater.rollout.judgement import judge, timed_out
from ecs_updater.rollout.poller import pauses
from ecs_updater.rollout.rollout_state import rollout_state_of
from ecs_updater.rollout.service_deployment import ServiceDeployment
from ecs_updater.rollout.task_failures import (
    Containers,
    is_of,
    most_frequent,
    task_failure_of,
    task_failures_of,
)
from fakes.simulated_ecs.images import OUT_OF_MEMORY

OWN, OTHER = "ecs-svc/2", "ecs-svc/3"
FAMILY = "arn:aws:ecs:eu-west-1:123456789012:task-definition/app"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
NO_ROLLBACK = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}


def deployment(deployment_id: str = OWN, revision: int = 2, **fields: Any) -> dict[str, Any]:
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


def task(number: int = 1, deployment_id: str = OWN, **fields: Any) -> dict[str, Any]:
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
    status: tuple[str, str] | None = None,
):
    """Returns verdict and reason of an answer, or None while the rollout goes on.

    ``tasks``: the stopped tasks. ``status``: status and reason of the service deployment.
    """
    state = replace(
        rollout_state_of(answer, OWN),
        task_failures=task_failures_of(tasks or [], OWN),
        service_deployment=ServiceDeployment(*status) if status else None,
    )
    judgement = judge(state, 3)
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
SUPERSEDING = deployment(OTHER, 9)


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
                "ROLLBACK_FAILED",
                "tasks failed to start; and ECS could not roll back: "
                "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1",
            ),
        ),
        (
            service(SUPERSEDING, deployment(status="ACTIVE")),
            ("SUPERSEDED", "deployment ecs-svc/3 to app:9 took its place"),
        ),
        (
            service(SUPERSEDING, deploymentConfiguration=BREAKER),
            ("SUPERSEDED", "deployment ecs-svc/3 to app:9 took its place"),
        ),
        (
            service(status="DRAINING"),
            ("STOPPED", "the service is DRAINING: it was deleted during the rollout"),
        ),
        (None, ("STOPPED", "the service is MISSING: it was deleted during the rollout")),
    ],
)
def test_the_verdict_is_about_the_polled_deployment(answer, expected):
    assert verdict(answer) == expected


def test_a_steady_service_is_not_a_success_if_another_deployment_made_it_steady():
    """`ecs wait services-stable` takes it for one: a single deployment, running = desired."""
    done = deployment(OTHER, 1, runningCount=2, pendingCount=0, rolloutState="COMPLETED")
    steady = service(done, deploymentConfiguration=BREAKER)
    assert verdict(steady) == ("SUPERSEDED", "deployment ecs-svc/3 to app:1 took its place")
    assert verdict(steady, status=("ROLLBACK_SUCCESSFUL", "")) == (
        "ROLLED_BACK",
        "no reason was reported; ECS returned the service to app:1",
    )


EXITED = "container app exited with code 1"


@pytest.mark.parametrize(
    "configuration, failed, tasks, expected",
    [
        ({}, 0, [task(1), task(2)], None),
        ({}, 0, [task(n) for n in (1, 2, 3)], f"{EXITED}, 3 times"),
        # Different failures, and those of other deployments, are not added up.
        ({}, 0, [task(n, containers=[{"name": "app", "exitCode": n}]) for n in (1, 2, 3)], None),
        ({}, 0, [task(n, "ecs-svc/1") for n in (1, 2, 3)], None),
        # A circuit breaker decides about the failures that it counts. `failedTasks` is 0 again as
        # soon as a task has started, so it does not count tasks that ran before they failed.
        (BREAKER, 2, [task(n) for n in range(9)], None),
        (BREAKER, 0, [task(n) for n in range(5)], None),
        (BREAKER, 0, [task(n) for n in range(6)], f"{EXITED}, 6 times"),
    ],
)
def test_identical_task_failures_are_a_failure_unless_the_circuit_breaker_counts_them(
    configuration, failed, tasks, expected
):
    current = service(
        {**STARTING, "failedTasks": failed}, OLD, deploymentConfiguration=configuration
    )
    assert verdict(current, tasks) == (expected and ("FAILED", expected))


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
                "stoppedReason": OUT_OF_MEMORY,
                "containers": [{"name": "a", "exitCode": 0}, {"name": "b", "exitCode": 137}],
            },
            ("out of memory", "container b ran out of memory (exit code 137)"),
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
def test_the_cause_of_a_task_failure_is_one_sentence(fields, expected):
    failure = task_failure_of(task(**fields))
    assert (failure and (failure.kind, failure.cause)) == expected


@pytest.mark.parametrize(
    "fields, is_own",
    [
        ({"startedBy": OWN}, True),
        ({"startedBy": OTHER}, False),
        ({"startedBy": "a-service"}, True),
        ({"startedBy": "a-service", "taskDefinitionArn": f"{FAMILY}:1"}, False),
        ({"startedBy": "a-service", "createdAt": NOON - timedelta(seconds=1)}, False),
    ],
)
def test_a_task_is_of_the_deployment_that_started_it_or_else_of_the_one_with_its_revision(
    fields, is_own
):
    stopped = task() | {"taskDefinitionArn": f"{FAMILY}:2", "createdAt": NOON} | fields
    assert is_of(stopped, OWN, deployment(createdAt=NOON)) is is_own
    assert bool(task_failures_of([stopped], OWN, deployment(createdAt=NOON))) is is_own


def test_task_failures_that_differ_only_in_ids_and_addresses_are_the_same():
    reasons = [
        f"CannotPullContainerError: dial tcp 10.0.0.{n}:443: request 6f1e{n}c0ffee00{n}"
        for n in (1, 2, 3)
    ]
    tasks = [task(n, stoppedReason=reason, containers=[]) for n, reason in enumerate(reasons)]
    last, times = most_frequent(task_failures_of(tasks, OWN))
    assert times == 3 and last and last.cause.endswith(reasons[2])


def test_a_time_out_reports_the_progress_and_the_latest_event():
    unable = "was unable to place a task because no container instance met all of its requirements"
    events = [{"message": f"(service app) {unable}."}]
    judgement = timed_out(rollout_state_of(service(STARTING, OLD, events=events), OWN), 60.4)
    assert (judgement.verdict, judgement.reason) == (
        "TIMED_OUT",
        f"the rollout goes on: after 60 s 1 of 2 tasks run app:2; latest report: {unable}",
    )


def test_it_polls_every_three_seconds_in_the_first_minute_and_less_often_later():
    moments = list(itertools.accumulate(itertools.islice(pauses(lambda: 0.5), 32)))
    assert 18 <= sum(moment <= 60 for moment in moments) <= 21
    assert moments[-1] > 180
    assert max(later - earlier for earlier, later in pairwise(moments)) <= 15


def test_two_updates_that_begin_together_do_not_poll_together():
    early, late = pauses(lambda: 0.0), pauses(lambda: 1.0)
    assert all(next(early) < next(late) for _ in range(40))


ESSENTIAL_KILLED = [
    {"name": "app", "exitCode": 137},
    {"name": "migrate", "exitCode": 0},
    {"name": "log", "exitCode": 1},
    {"name": "proxy", "exitCode": 143},
    {"name": "ecs-service-connect-a1", "exitCode": 1},
]
DEPENDENCY_FAILED = [
    {"name": "app"},
    {"name": "migrate", "exitCode": 4},
    {"name": "log", "exitCode": 0},
]
NOT_STARTED = {"stopCode": "TaskFailedToStart", "stoppedReason": "Task failed to start"}


@pytest.mark.parametrize(
    "containers, fields, essential, cause",
    [
        *(
            (order, {}, ["app", "proxy"], "container app exited with code 137")
            for order in itertools.permutations(ESSENTIAL_KILLED)
        ),
        *(
            # The essential container waits for it.
            (order, NOT_STARTED, ["app"], "container migrate exited with code 4")
            for order in itertools.permutations(DEPENDENCY_FAILED)
        ),
    ],
)
def test_every_order_of_the_containers_is_the_same_task_failure(
    containers, fields, essential, cause
):
    stopped = task(containers=list(containers), **fields)
    failure = task_failure_of(stopped, Containers(essential, {"migrate", "log"}))
    assert failure and failure.cause == cause
    in_order = sorted(containers, key=lambda container: container["name"])
    sameness = task_failure_of(task(containers=in_order, **fields)).sameness
    assert task_failure_of(stopped).sameness == sameness

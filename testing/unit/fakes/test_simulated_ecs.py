"""The simulated ECS does what ECS documents; each test says where.

The addresses begin with ``https://docs.aws.amazon.com/AmazonECS/latest/``.
"""

from itertools import pairwise

import pytest
from botocore.exceptions import ClientError

from fakes.simulated_ecs import (
    BREAKER,
    BREAKER_WITHOUT_ROLLBACK,
    NAMES,
    Image,
    Pace,
    Rollout,
    SimulatedEcs,
)
from fakes.simulated_ecs.deployments import threshold

# Rolling deployments


def test_an_update_makes_a_primary_deployment_beside_the_one_that_it_replaces():
    """APIReference/API_Deployment.html"""
    rollout = Rollout(Image.good())
    assert rollout.states() == {
        "new": ("PRIMARY", "IN_PROGRESS", 0),
        "old": ("ACTIVE", "COMPLETED", 0),
    }
    assert rollout.new != rollout.old
    assert (
        rollout.deployment(rollout.new)["rolloutStateReason"]
        == f"ECS deployment {rollout.new} in progress."
    )


def test_the_old_task_runs_until_the_new_one_does_and_then_its_deployment_goes():
    """developerguide/deployment-type-ecs.html"""
    rollout = Rollout(Image.good(starts_after=8))
    new = rollout.deployment(rollout.new, after=7)
    assert (new["pendingCount"], new["runningCount"], rollout.look()["runningCount"]) == (1, 0, 1)
    assert rollout.deployment(rollout.new, after=2)["runningCount"] == 1
    assert rollout.deployment(rollout.old)["desiredCount"] == 0
    assert rollout.states(9) == {"new": ("PRIMARY", "IN_PROGRESS", 0)}
    assert rollout.states(15) == {"new": ("PRIMARY", "COMPLETED", 0)}
    (stopped,) = rollout.tasks()
    assert (stopped["startedBy"], stopped["stopCode"]) == (rollout.old, "ServiceSchedulerInitiated")
    assert stopped["stoppedReason"] == f"Scaling activity initiated by (deployment {rollout.new})"


def test_a_deployment_is_not_completed_before_the_last_old_task_has_stopped():
    """developerguide/deployment-type-ecs.html"""
    rollout = Rollout(Image.good(), pace=Pace(stop_takes=100))
    assert rollout.states(100) == {
        "new": ("PRIMARY", "IN_PROGRESS", 0),
        "old": ("ACTIVE", "COMPLETED", 0),
    }
    assert rollout.states(30) == {"new": ("PRIMARY", "COMPLETED", 0)}


def test_the_events_of_a_good_deployment_are_told_in_the_words_of_ecs_and_the_newest_comes_first():
    """developerguide/service-event-messages-list.html"""
    rollout = Rollout(Image.good())
    started, stopped = (rollout.look(40), rollout.tasks("RUNNING"))[1] + rollout.tasks()
    assert [event["message"] for event in rollout.look()["events"]] == [
        "(service ecs-dummy-service) has reached a steady state.",
        f"(service ecs-dummy-service) (deployment {rollout.new}) deployment completed.",
        (
            "(service ecs-dummy-service) has stopped 1 running tasks: (task "
            f"{stopped['taskArn'][-32:]})."
        ),
        f"(service ecs-dummy-service) has started 1 tasks: (task {started['taskArn'][-32:]}).",
        "(service ecs-dummy-service) has reached a steady state.",
    ]


@pytest.mark.parametrize(
    ("configuration", "most", "fewest"),
    [
        ({"maximumPercent": 150, "minimumHealthyPercent": 100}, 6, 4),
        ({"maximumPercent": 100, "minimumHealthyPercent": 50}, 4, 2),
    ],
)
def test_never_more_and_never_fewer_tasks_than_the_configuration_allows(
    configuration, most, fewest
):
    """APIReference/API_DeploymentConfiguration.html"""
    rollout = Rollout(Image.good(), desired=4, configuration=configuration)
    seen = set()
    while rollout.deployment(rollout.new)["rolloutState"] == "IN_PROGRESS":
        tasks = rollout.sim.service.live
        seen.add(len(tasks))
        assert sum(task.is_good for task in tasks) >= fewest
        rollout.sim.clock.sleep(1)
    assert max(seen) == most
    assert rollout.look()["runningCount"] == 4


def test_equal_revisions_make_no_deployment_unless_it_is_forced():
    """APIReference/API_UpdateService.html"""
    sim = SimulatedEcs()
    client = sim.client()
    for _ in range(2):
        client.update_service(**NAMES, taskDefinition="ecs-dummy-task:1", desiredCount=1)
    assert len(sim.service.deployments) == 1
    client.update_service(**NAMES, forceNewDeployment=True)
    assert len(sim.service.deployments) == 2


def test_the_deployment_configuration_is_replaced_as_a_whole():
    """APIReference/API_UpdateService.html"""
    sim = SimulatedEcs(breaker=BREAKER, configuration={"maximumPercent": 150})
    answer = sim.client().update_service(
        **NAMES, deploymentConfiguration={"minimumHealthyPercent": 50}
    )
    assert answer["service"]["deploymentConfiguration"] == {
        "deploymentCircuitBreaker": {"enable": False, "rollback": False},
        "maximumPercent": 200,
        "minimumHealthyPercent": 50,
    }


def test_a_tag_is_resolved_once_per_deployment():
    """developerguide/deployment-type-ecs.html#deployment-container-image-stability"""
    rollout = Rollout(Image.good())
    first = rollout.sim.images.resolve("app:2")
    second = rollout.sim.publish("app:2", Image.good())
    rollout.look(10)
    assert [task["containers"][0]["imageDigest"] for task in rollout.tasks("RUNNING")] == [first]
    rollout.client.update_service(**NAMES, forceNewDeployment=True)
    rollout.look(10)
    assert (
        second in [task["containers"][0]["imageDigest"] for task in rollout.tasks("RUNNING")]
        and first != second
    )


def test_a_digest_in_a_reference_is_the_digest_that_runs():
    rollout = Rollout(Image.good())
    rollout.update("app:2@sha256:0123")
    rollout.look(60)
    assert [task["containers"][0]["imageDigest"] for task in rollout.tasks("RUNNING")] == [
        "sha256:0123"
    ]


def test_a_task_is_as_healthy_as_its_least_healthy_container():
    """APIReference/API_Task.html"""
    containers = [
        {"name": name, "image": image} for name, image in (("app", "busybox"), ("proxy", "proxy:1"))
    ]
    sim = SimulatedEcs(containers=containers, breaker=BREAKER)
    sim.publish("app:2", Image.good(healthy_after=2))
    sim.publish("proxy:1", Image.unhealthy(after=20))
    sim.deploy("app:2")
    sim.clock.sleep(20)
    assert [task.health for task in sim.service.primary.tasks] == ["UNKNOWN"]
    sim.clock.sleep(10)
    assert sim.service.primary.failed_tasks == 1


def test_with_nothing_desired_a_deployment_completes_without_a_task():
    rollout = Rollout(Image.cannot_pull(), desired=0)
    assert rollout.deployment(rollout.new, 30)["rolloutState"] == "COMPLETED"
    assert rollout.sim.service.tasks == []


def test_a_deployment_of_somebody_else_replaces_one_that_is_still_going_on():
    rollout = Rollout(Image.slow(300))
    rollout.sim.at(12).deploy("other:1")
    assert rollout.states(13) == {
        "another": ("PRIMARY", "IN_PROGRESS", 0),
        "new": ("ACTIVE", "IN_PROGRESS", 0),
        "old": ("ACTIVE", "COMPLETED", 0),
    }
    assert rollout.states(60) == {"another": ("PRIMARY", "COMPLETED", 0)}
    assert [
        d["status"] for d in rollout.client.list_service_deployments(**NAMES)["serviceDeployments"]
    ] == [
        "SUCCESSFUL",
        "STOPPED",
        "SUCCESSFUL",
    ]


def test_what_somebody_else_deploys_differs_in_its_image_alone():
    sim = SimulatedEcs(networkMode="awsvpc")
    sim.deploy("other:1")
    first, second = (sim.world.task_definition(f"ecs-dummy-task:{number}") for number in (1, 2))
    differing = {
        name for name in first.keys() | second.keys() if first.get(name) != second.get(name)
    }
    assert differing == {"containerDefinitions", "revision", "taskDefinitionArn"}
    assert sim.running_images == {"ecs-dummy-container": "other:1"}


def test_a_service_that_is_deleted_drains_and_stays_readable_as_inactive_for_a_while():
    """APIReference/API_DeleteService.html"""
    rollout = Rollout(Image.good())
    rollout.sim.at(5).delete_service()
    assert rollout.look(5.1)["status"] == "DRAINING"
    assert rollout.look(10)["status"] == "INACTIVE"
    assert rollout.client.list_service_deployments(**NAMES)["serviceDeployments"] == []
    with pytest.raises(ClientError, match="ServiceNotActiveException"):
        rollout.update("app:2")
    rollout.sim.clock.sleep(4000)
    answer = rollout.client.describe_services(cluster="ECSCluster", services=["ecs-dummy-service"])
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]


def test_for_a_while_after_an_update_a_service_may_be_read_as_it_was():
    rollout = Rollout(Image.good(), stale_reads=2)
    assert rollout.service["deployments"][0]["id"] == rollout.new
    assert rollout.states(1) == {"old": ("PRIMARY", "COMPLETED", 0)}
    assert set(rollout.states(1)) == {"new", "old"}


# Failures and the circuit breaker


@pytest.mark.parametrize(
    ("desired", "failures"), [(0, 3), (1, 3), (6, 3), (7, 4), (25, 13), (400, 200), (800, 200)]
)
def test_the_threshold_of_the_circuit_breaker_is_half_of_the_desired_tasks_within_its_bounds(
    desired, failures
):
    """developerguide/deployment-circuit-breaker.html#failure-threshold"""
    assert threshold(desired, BREAKER) == failures


@pytest.mark.parametrize(
    ("kind", "failures"), [("COUNT", 5), ("UNBOUNDED_PERCENT", 1), ("BOUNDED_PERCENT", 3)]
)
def test_the_threshold_can_be_configured(kind, failures):
    """APIReference/API_ThresholdConfiguration.html"""
    assert (
        threshold(20, BREAKER | {"thresholdConfiguration": {"type": kind, "value": 5}}) == failures
    )


@pytest.mark.parametrize(
    "image",
    [Image.exits(), Image.oom(), Image.cannot_pull(), Image.unhealthy(), Image.never_placed()],
)
def test_the_third_failed_task_of_a_service_of_one_trips_the_circuit_breaker(image):
    """developerguide/deployment-circuit-breaker.html"""
    rollout = Rollout(image, breaker=BREAKER, pace=Pace(lingers=60))
    while rollout.deployment(rollout.new)["failedTasks"] < 3:
        assert rollout.deployment(rollout.new)["rolloutState"] == "IN_PROGRESS"
        rollout.sim.clock.sleep(0.5)
    failed = rollout.deployment(rollout.new)
    assert (failed["status"], failed["rolloutState"]) == ("ACTIVE", "FAILED")
    assert failed["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."


def test_after_the_rollback_the_service_is_steady_and_the_failed_deployment_is_gone():
    """developerguide/deployment-circuit-breaker.html"""
    rollout = Rollout(Image.exits(), breaker=BREAKER)
    assert rollout.states(41) == {
        "another": ("PRIMARY", "IN_PROGRESS", 0),
        "new": ("ACTIVE", "FAILED", 3),
        "old": ("ACTIVE", "COMPLETED", 0),
    }
    primary = rollout.look()["deployments"][0]
    assert (
        primary["rolloutStateReason"]
        == f"ECS deployment circuit breaker: rolling back to deploymentId {primary['id']}."
    )
    assert rollout.states(60) == {"another": ("PRIMARY", "COMPLETED", 0)}
    service = rollout.look()
    assert service["taskDefinition"].endswith(":1") and service["runningCount"] == 1
    messages = [
        message.replace("(service ecs-dummy-service) ", "") for message in rollout.sim.messages
    ]
    failed = messages.index(f"(deployment {rollout.new}) deployment failed: tasks failed to start.")
    assert messages[failed + 1] == f"rolling back to deployment {primary['id']}."
    assert messages[-2:] == [
        f"(deployment {primary['id']}) deployment completed.",
        "has reached a steady state.",
    ]


@pytest.mark.parametrize("lingers", [0, 5])
def test_a_failed_deployment_is_listed_no_longer_than_it_lingers(lingers):
    rollout = Rollout(Image.exits(), breaker=BREAKER, pace=Pace(lingers=lingers))
    while rollout.sim.primary_id == rollout.new:
        rollout.sim.clock.sleep(0.5)
    assert ("new" in rollout.states()) is bool(lingers)
    assert "new" not in rollout.states(lingers)


def test_a_rollback_may_have_the_id_of_the_deployment_that_it_goes_back_to():
    rollout = Rollout(Image.exits(), breaker=BREAKER, rollback_reuses_id=True)
    assert rollout.states(41) == {
        "old": ("PRIMARY", "IN_PROGRESS", 0),
        "new": ("ACTIVE", "FAILED", 3),
    }
    assert rollout.states(40) == {"old": ("PRIMARY", "COMPLETED", 0)}
    assert (
        f"(service ecs-dummy-service) rolling back to deployment {rollout.old}."
        in rollout.sim.messages
    )


def test_without_the_rollback_option_the_failed_deployment_stays_and_launches_no_more_tasks():
    """APIReference/API_Deployment.html: "A deployment in FAILED state doesn't launch any new
    tasks."
    """
    rollout = Rollout(Image.exits(), breaker=BREAKER_WITHOUT_ROLLBACK)
    assert rollout.states(300) == {
        "new": ("PRIMARY", "FAILED", 3),
        "old": ("ACTIVE", "COMPLETED", 0),
    }
    assert len(rollout.tasks(deployment=rollout.new)) == 3
    assert rollout.look()["runningCount"] == 1
    assert rollout.history()["status"] == "STOPPED"
    rollout.sim.deploy("app:3")
    assert rollout.states(60) == {"another": ("PRIMARY", "COMPLETED", 0)}


def test_a_rollback_goes_to_the_last_deployment_that_completed_not_to_the_next_lower_revision():
    """APIReference/API_DeploymentCircuitBreaker.html"""
    rollout = Rollout(Image.good(), breaker=BREAKER)
    rollout.look(60)
    rollout.sim.publish("app:3", Image.slow())
    rollout.sim.publish("app:4", Image.exits())
    for image in ("app:3", "app:4"):
        rollout.update(image)
    assert rollout.look(100)["taskDefinition"].endswith(":2")


def test_a_rollback_that_fails_itself_is_not_rolled_back():
    """developerguide/service-deployment.html"""
    rollout = Rollout(Image.exits(), breaker=BREAKER)
    rollout.sim.images.remove("busybox")
    rollout.look(200)
    assert rollout.look()["deployments"][0]["rolloutState"] == "FAILED"
    assert rollout.look()["deployments"][0]["taskDefinition"].endswith(":1")
    assert rollout.history()["status"] == "ROLLBACK_FAILED"
    assert sum("rolling back" in message for message in rollout.sim.messages) == 1


def test_without_the_circuit_breaker_a_rollout_that_fails_goes_on_for_ever_and_ever_slower():
    """developerguide/service-throttle-logic.html"""
    rollout = Rollout(Image.cannot_pull())
    assert rollout.states(3600)["new"][1] == "IN_PROGRESS"
    begun = sorted(task["createdAt"] for task in rollout.tasks(deployment=rollout.new))
    pauses = [(later - earlier).total_seconds() for earlier, later in pairwise(begun)]
    assert pauses == sorted(pauses) and pauses[-1] > 10 * pauses[0]
    assert any(
        "is unable to consistently start tasks successfully" in message
        for message in rollout.sim.messages
    )


def test_a_task_that_reaches_running_sets_the_failed_tasks_back_to_nothing():
    """APIReference/API_Deployment.html"""
    rollout = Rollout(Image.in_turn(Image.exits(), Image.exits(), Image.good()), breaker=BREAKER)
    assert rollout.states(26)["new"] == ("PRIMARY", "IN_PROGRESS", 2)
    assert rollout.states(13)["new"] == ("PRIMARY", "IN_PROGRESS", 0)
    assert rollout.states(60) == {"new": ("PRIMARY", "COMPLETED", 0)}


def test_a_cumulative_circuit_breaker_sets_nothing_back():
    """APIReference/API_DeploymentCircuitBreaker.html"""
    loop = Image.in_turn(Image.exits(), Image.exits(seen_running=True), again=True)
    assert (
        Rollout(loop, breaker=BREAKER | {"resetOnHealthyTask": False}).states(120)["another"][0]
        == "PRIMARY"
    )
    assert Rollout(loop, breaker=BREAKER).states(120)["new"][0] == "PRIMARY"


def test_a_process_that_ends_after_its_task_was_running_is_no_failed_task():
    """APIReference/API_Deployment.html"""
    rollout = Rollout(Image.exits(code=3, after=4, seen_running=True), breaker=BREAKER)
    assert rollout.states(600)["new"] == ("PRIMARY", "IN_PROGRESS", 0)
    died = rollout.tasks(deployment=rollout.new)
    assert (
        len(died) > 10
        and {task["containers"][0]["exitCode"] for task in died} == {3}
        and "startedAt" in died[0]
    )


def test_a_transient_lack_of_room_is_told_and_overcome():
    """developerguide/service-event-messages-list.html"""
    rollout = Rollout(Image.placed_late(after=35), breaker=BREAKER)
    assert rollout.states(30)["new"] == ("PRIMARY", "IN_PROGRESS", 2)
    assert rollout.states(60) == {"new": ("PRIMARY", "COMPLETED", 0)}
    assert (
        sum(
            "was unable to place a task because no container instance" in message
            for message in rollout.sim.messages
        )
        == 2
    )


# Tasks


@pytest.mark.parametrize(
    ("image", "launch_type", "code", "reason", "exit_code", "container_reason"),
    [
        (
            Image.exits(2),
            "FARGATE",
            "EssentialContainerExited",
            "Essential container in task exited",
            2,
            None,
        ),
        (
            Image.exits(0),
            "FARGATE",
            "EssentialContainerExited",
            "Essential container in task exited",
            0,
            None,
        ),
        (
            Image.oom(),
            "FARGATE",
            "EssentialContainerExited",
            "Essential container in task exited",
            137,
            "OutOfMemoryError: ",
        ),
        (
            Image.cannot_pull("{image} no"),
            "FARGATE",
            "TaskFailedToStart",
            "CannotPullContainerError: app:2 no",
            None,
            "CannotPull",
        ),
        (
            Image.cannot_pull("no"),
            "EC2",
            "TaskFailedToStart",
            "Task failed to start",
            None,
            "CannotPullContainerError: no",
        ),
        (
            Image.cannot_start("CannotStartContainerError: x"),
            "EC2",
            "TaskFailedToStart",
            "Task failed to start",
            None,
            "CannotSta",
        ),
        (
            Image.unhealthy(5),
            "FARGATE",
            "ServiceSchedulerInitiated",
            "Task failed container health checks",
            143,
            None,
        ),
        (
            Image.unhealthy(5, target_group="tg"),
            "EC2",
            "ServiceSchedulerInitiated",
            "Task failed ELB health checks in (target-group tg)",
            143,
            None,
        ),
    ],
)
def test_a_stopped_task_tells_why(image, launch_type, code, reason, exit_code, container_reason):
    """developerguide/stopped-task-error-codes.html"""
    rollout = Rollout(image, launch_type=launch_type)
    rollout.look(20)
    (task, *_) = rollout.tasks(deployment=rollout.new)
    assert (task["lastStatus"], task["stopCode"], task["stoppedReason"]) == (
        "STOPPED",
        code,
        reason,
    )
    assert task["containers"][0].get("exitCode") == exit_code
    assert task["containers"][0].get("reason", "").startswith(container_reason or "")
    assert ("reason" in task["containers"][0]) is (container_reason is not None)
    assert task["healthStatus"] == ("UNHEALTHY" if "container health" in reason else "UNKNOWN")
    assert ("imageDigest" in task["containers"][0]) is not reason.endswith(
        "no"
    ) or launch_type == "EC2"


def test_a_stopped_task_can_be_described_for_an_hour():
    """APIReference/API_DescribeTasks.html"""
    rollout = Rollout(Image.exits(), breaker=BREAKER)
    rollout.look(12)
    (arn,) = [task["taskArn"] for task in rollout.tasks(deployment=rollout.new)]
    rollout.sim.clock.sleep(3580)
    assert arn in [task["taskArn"] for task in rollout.tasks()]
    rollout.sim.clock.sleep(30)
    assert arn not in [task["taskArn"] for task in rollout.tasks()]
    failures = rollout.client.describe_tasks(cluster="ECSCluster", tasks=[arn])["failures"]
    assert failures == [{"arn": arn, "reason": "MISSING"}]


def test_a_task_that_is_to_stop_is_listed_as_stopped_while_it_still_runs():
    """APIReference/API_ListTasks.html"""
    rollout = Rollout(Image.good())
    rollout.look(9)
    assert [(task["lastStatus"], task["startedBy"]) for task in rollout.tasks()] == [
        ("RUNNING", rollout.old)
    ]


def test_the_filter_by_deployment_must_be_the_only_one_and_shows_no_stopped_task():
    """APIReference/API_ListTasks.html"""
    rollout = Rollout(Image.exits())
    rollout.look(12)
    assert rollout.client.list_tasks(cluster="ECSCluster", startedBy=rollout.new)["taskArns"] == []
    with pytest.raises(ClientError, match="InvalidParameterException"):
        rollout.client.list_tasks(
            cluster="ECSCluster", startedBy=rollout.new, desiredStatus="STOPPED"
        )


def test_tasks_are_listed_a_hundred_at_a_time_and_described_no_more_at_once():
    """APIReference/API_ListTasks.html, APIReference/API_DescribeTasks.html"""
    rollout = Rollout(Image.good(), desired=150)
    rollout.look(40)
    page = rollout.client.list_tasks(cluster="ECSCluster", serviceName="ecs-dummy-service")
    assert (len(page["taskArns"]), "nextToken" in page) == (100, True)
    assert (
        len(rollout.tasks("RUNNING", rollout.new))
        == 150
        == rollout.deployment(rollout.new)["runningCount"]
    )
    with pytest.raises(ClientError, match="tasks can have at most 100"):
        rollout.client.describe_tasks(
            cluster="ECSCluster", tasks=[str(number) for number in range(101)]
        )
    started = [
        message.count("(task ") for message in rollout.sim.messages if "has started" in message
    ]
    assert started == [10] * 15


def test_a_service_has_a_hundred_events_at_most():
    """APIReference/API_Service.html"""
    sim = SimulatedEcs()
    for number in range(120):
        sim.warn(f"(service {{service}}) {number}")
    assert [len(sim.service.events), sim.messages[0], sim.messages[-1]] == [
        100,
        "(service ecs-dummy-service) 20",
        "(service ecs-dummy-service) 119",
    ]

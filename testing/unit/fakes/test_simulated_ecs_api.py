"""The simulated ECS as a client meets it: service deployments, waiters, faults, the clock.

The addresses begin with ``https://docs.aws.amazon.com/AmazonECS/latest/``.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError, WaiterError

from ecs_updater.aws.ecs import _CONFIG
from fakes.fake_ecs import CONNECTION_RESET, SERVER_ERROR, TIMED_OUT
from fakes.simulated_ecs import ANY, BREAKER, NAMES, Clock, Image, Killed, Rollout, SimulatedEcs


@pytest.fixture(name="stable")
def _stable(monkeypatch, waits):  # pylint: disable=unused-argument  # What is patched there must be patched before.
    """Runs boto3's waiter for stable services; the seconds that it took."""

    def wait(rollout):
        rollout.sim.clock.drive_sdk(monkeypatch)
        before = rollout.sim.clock.elapsed
        rollout.client.get_waiter("services_stable").wait(
            cluster=NAMES["cluster"], services=[NAMES["service"]]
        )
        return rollout.sim.clock.elapsed - before

    return wait


# Waiters


def test_the_waiter_of_boto3_sees_a_good_rollout_end(stable):
    rollout = Rollout(Image.good())
    assert 10 < stable(rollout) < 40
    assert rollout.look()["deployments"][0]["id"] == rollout.new


def test_the_waiter_of_boto3_cannot_tell_a_rollback_from_a_success(stable):
    """It waits for one deployment with as many running tasks as desired, which a service that was
    rolled back has too.
    """
    rollout = Rollout(Image.exits(), breaker=BREAKER)
    stable(rollout)
    (deployment,) = rollout.look()["deployments"]
    assert deployment["id"] != rollout.new and deployment["taskDefinition"].endswith(":1")


def test_the_waiter_of_boto3_gives_up_after_ten_minutes_of_a_crash_loop(stable):
    rollout = Rollout(Image.cannot_pull())
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        stable(rollout)
    assert 580 < rollout.sim.clock.elapsed < 620


# Service deployments


def test_a_service_deployment_begins_as_pending_and_ends_as_successful():
    """developerguide/service-deployment.html"""
    rollout = Rollout(Image.good(), breaker=BREAKER)
    assert rollout.service["currentServiceDeployment"] == rollout.history()["serviceDeploymentArn"]
    seen = [rollout.history()["status"]]
    for _ in range(40):
        rollout.sim.clock.sleep(1)
        seen += [status for status in [rollout.history()["status"]] if status != seen[-1]]
    assert seen == ["PENDING", "IN_PROGRESS", "SUCCESSFUL"]
    assert rollout.history()["deploymentCircuitBreaker"] == {
        "status": "MONITORING_COMPLETE",
        "failureCount": 0,
        "threshold": 3,
    }
    assert rollout.history()["finishedAt"] > rollout.history()["startedAt"]


def test_a_rollback_is_a_part_of_the_service_deployment_that_failed():
    """APIReference/API_ServiceDeployment.html, APIReference/API_Rollback.html"""
    rollout = Rollout(Image.exits(), breaker=BREAKER)
    rollout.look(41)
    under_way = rollout.history()
    assert (under_way["status"], under_way["deploymentCircuitBreaker"]) == (
        "ROLLBACK_IN_PROGRESS",
        {"status": "TRIGGERED", "failureCount": 3, "threshold": 3},
    )
    (source,) = under_way["sourceServiceRevisions"]
    assert (
        under_way["rollback"]["serviceRevisionArn"]
        == source["arn"]
        != under_way["targetServiceRevision"]["arn"]
    )
    rollout.look(60)
    done = rollout.history()
    assert (done["status"], done["serviceDeploymentArn"]) == (
        "ROLLBACK_SUCCESSFUL",
        under_way["serviceDeploymentArn"],
    )
    assert done["deploymentCircuitBreaker"] == under_way["deploymentCircuitBreaker"]
    assert (
        done["statusReason"]
        == "Service deployment rolled back because the circuit breaker threshold was exceeded."
    )
    assert len(rollout.client.list_service_deployments(**NAMES)["serviceDeployments"]) == 2


def test_a_service_revision_tells_task_definition_and_digests():
    """APIReference/API_ServiceRevision.html"""
    rollout = Rollout(Image.good())
    arn = rollout.history()["targetServiceRevision"]["arn"]
    answer = rollout.client.describe_service_revisions(serviceRevisionArns=[arn, f"{arn}0"])
    (revision,) = answer["serviceRevisions"]
    assert revision["taskDefinition"].endswith(":2")
    assert revision["containerImages"] == [
        {
            "containerName": "ecs-dummy-container",
            "image": "app:2",
            "imageDigest": rollout.sim.images.resolve("app:2"),
        }
    ]
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]
    running = rollout.look(40)["currentServiceRevisions"]
    assert running == [
        {"arn": arn, "requestedTaskCount": 1, "runningTaskCount": 1, "pendingTaskCount": 0}
    ]


@pytest.mark.parametrize("number_tells", [False, True])
def test_the_number_of_a_deployment_may_or_may_not_be_that_of_its_service_revision(number_tells):
    """Nothing documents it."""
    rollout = Rollout(Image.good(), deployment_has_number_of_revision=number_tells)
    number = rollout.history()["targetServiceRevision"]["arn"].rpartition("/")[2]
    assert (rollout.new == f"ecs-svc/{number}") is number_tells


def test_a_service_deployment_that_is_stopped_rolls_back_without_any_circuit_breaker():
    """developerguide/stop-service-deployment.html"""
    rollout = Rollout(Image.slow(300))
    rollout.look(5)
    arn = rollout.history()["serviceDeploymentArn"]
    rollout.client.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    assert rollout.history()["status"] == "ROLLBACK_REQUESTED"
    rollout.look(60)
    assert rollout.history()["status"] == "ROLLBACK_SUCCESSFUL"
    assert rollout.states() == {"another": ("PRIMARY", "COMPLETED", 0)}
    with pytest.raises(ClientError, match="ConflictException"):
        rollout.client.stop_service_deployment(serviceDeploymentArn=arn)


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        (False, "UnknownOperation"),
        (("UnsupportedFeatureException", "no"), "UnsupportedFeatureException"),
    ],
)
def test_there_are_partitions_and_emulators_without_service_deployments(answers, code):
    rollout = Rollout(Image.good(), service_deployments=answers)
    for call in (
        rollout.history,
        lambda: rollout.client.describe_service_revisions(serviceRevisionArns=["x"]),
    ):
        with pytest.raises(ClientError, match=code):
            call()
    assert not {"currentServiceDeployment", "currentServiceRevisions"} & rollout.look().keys()


# Refusals, tags, task definitions


def test_what_is_not_there_is_refused_as_ecs_refuses_it():
    """APIReference/API_DescribeServices.html, APIReference/API_UpdateService.html"""
    client = SimulatedEcs().client()
    answer = client.describe_services(cluster="ECSCluster", services=["other"])
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]
    with pytest.raises(ClientError, match="ClusterNotFoundException"):
        client.describe_services(cluster="other", services=["other"])
    with pytest.raises(ClientError, match="ServiceNotFoundException"):
        client.update_service(cluster="ECSCluster", service="other")
    with pytest.raises(ClientError, match="TaskDefinition not found"):
        client.update_service(**NAMES, taskDefinition="ecs-dummy-task:9")
    client.deregister_task_definition(taskDefinition="ecs-dummy-task:1")
    with pytest.raises(ClientError, match="TaskDefinition is inactive"):
        client.update_service(**NAMES, taskDefinition="ecs-dummy-task:1")


def test_a_family_stands_for_its_newest_active_revision():
    """APIReference/API_UpdateService.html"""
    rollout = Rollout(Image.good())
    rollout.client.deregister_task_definition(taskDefinition="ecs-dummy-task:2")
    answer = rollout.client.update_service(**NAMES, taskDefinition="ecs-dummy-task")
    assert answer["service"]["taskDefinition"].endswith(":1")


def test_tags_are_merged_removed_and_fifty_at_most():
    """APIReference/API_TagResource.html"""
    sim = SimulatedEcs(tags={"one": "1"})
    client, arn = sim.client(), sim.service.arn
    client.tag_resource(resourceArn=arn, tags=[{"key": "two", "value": "2"}])
    client.untag_resource(resourceArn=arn, tagKeys=["one"])
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "two", "value": "2"}]
    with pytest.raises(ClientError, match="exceeds the limit"):
        client.tag_resource(
            resourceArn=arn, tags=[{"key": str(number), "value": ""} for number in range(50)]
        )
    assert sim.service.tags == {"two": "2"}


# Faults


def test_throttled_calls_are_counted_with_their_times_and_cost_the_time_of_the_pauses(
    monkeypatch, waits
):  # pylint: disable=unused-argument
    sim = SimulatedEcs()
    sim.clock.drive_sdk(monkeypatch)
    sim.throttle("DescribeServices", times=2)
    sim.client(_CONFIG).describe_services(cluster="ECSCluster", services=["ecs-dummy-service"])
    assert sim.operations == ["DescribeServices"] * 3
    assert sim.clock.start == sim.calls[0].time < sim.calls[1].time < sim.calls[2].time


def test_a_throttle_for_some_seconds_ends_with_them():
    sim = SimulatedEcs(latency=0)
    sim.at(5).throttle(ANY, times=99, seconds=10)
    client = sim.client(_CONFIG)

    def is_throttled(after):
        sim.clock.sleep(after)
        try:
            client.list_tasks(cluster="ECSCluster")
        except ClientError:
            return True
        return False

    assert [is_throttled(4), is_throttled(2), is_throttled(8), is_throttled(2)] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "fault", [SERVER_ERROR, TIMED_OUT, CONNECTION_RESET], ids=["500", "timed out", "reset"]
)
@pytest.mark.parametrize("after_effect", [False, True])
def test_an_update_that_fails_has_had_its_effect_or_has_not(fault, after_effect):
    sim = SimulatedEcs()
    sim.fail("UpdateService", *[fault] * 5, after_effect=after_effect)
    with pytest.raises((BotoCoreError, ClientError)):
        sim.client(_CONFIG).update_service(**NAMES, forceNewDeployment=True)
    assert len(sim.service.history) == (1 + len(sim.writes) if after_effect else 1)


def test_a_call_that_times_out_takes_its_time():
    sim = SimulatedEcs(time_out=10)
    sim.fail("ListTasks", *[TIMED_OUT] * 4)
    with pytest.raises(ReadTimeoutError):
        sim.client(_CONFIG).list_tasks(cluster="ECSCluster")
    assert sim.clock.elapsed == 40


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_process_can_be_killed_in_the_middle_and_nothing_catches_it(after_effect):
    sim = SimulatedEcs()
    sim.kill("UpdateService", after_effect=after_effect)
    with pytest.raises(Killed):
        sim.client(_CONFIG).update_service(**NAMES, forceNewDeployment=True)
    assert sim.operations == ["UpdateService"]
    assert len(sim.service.deployments) == 1 + after_effect


# Time


def test_time_passes_only_when_somebody_sleeps_and_then_everything_happens_in_its_order():
    clock, seen = Clock(start=100), []
    clock.after(5, lambda: seen.append(("five", clock.now())))
    clock.after(2, lambda: clock.after(1, lambda: seen.append(("three", clock.now()))))
    clock.after(5, lambda: seen.append(("five too", clock.now())))
    assert (clock.now(), seen) == (100, [])
    clock.sleep(10)
    assert (seen, clock.now(), clock.slept) == (
        [("three", 103), ("five", 105), ("five too", 105)],
        110,
        [10],
    )
    assert (clock.datetime().timestamp(), clock.datetime().tzinfo, clock.elapsed) == (110, UTC, 10)


def test_the_same_scenario_gives_the_same_answers():
    def run(seed):
        rollout = Rollout(Image.exits(), breaker=BREAKER, seed=seed)
        rollout.look(100)
        return rollout.look(), rollout.tasks(), rollout.sim.calls

    first, again, other = (repr(run(seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_threads_share_the_world():
    sim = SimulatedEcs()

    def update(_):
        return sim.client().update_service(**NAMES, forceNewDeployment=True)["service"][
            "deployments"
        ][0]["id"]

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(update, range(8)))) == 8
    assert len(sim.service.history) == 9

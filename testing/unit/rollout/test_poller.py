"""Polls of an ECS that reports little or is throttled. `simulation/test_verdicts.py` has a whole
rollout for each verdict, with its calls.
"""

from ecs_updater.aws.ecs import _CONFIG, Ecs
from ecs_updater.rollout.poller import Clock, Poller, Rollout
from fakes.simulated_ecs import Image, SimulatedEcs


class SilentEcs(Ecs):
    """ECS as an emulator implements it: without events, without failed tasks if there is no circuit
    breaker, and with tasks that name their service.
    """

    def describe_service(self, cluster, service):
        answer, failures = super().describe_service(cluster, service)
        assert answer
        counts = {"failedTasks": 0, "runningCount": 0, "pendingCount": 0}
        deployments = [deployment | counts for deployment in answer["deployments"]]
        return answer | {"events": [], "deployments": deployments}, failures

    def stopped_tasks(self, cluster, service):
        tasks = super().stopped_tasks(cluster, service)
        return [task | {"startedBy": "ecs-dummy-service"} for task in tasks]


def polled(image, ecs=Ecs, throttled_for=0):
    """Deploys an image and polls for three minutes; returns the result and the number of calls."""
    simulation = SimulatedEcs()
    simulation.publish("app:2", image)
    rollout = Rollout("ECSCluster", simulation.service.arn, simulation.deploy("app:2"))
    simulation.throttle("*", throttled_for)
    clock = Clock(simulation.clock.now, simulation.clock.sleep, lambda: 0.5)
    poller = Poller(ecs(simulation.client(_CONFIG)), rollout, 3, clock)
    return poller.wait(simulation.clock.now() + 180), len(simulation.requests)


def test_task_failures_are_found_although_nothing_reports_them():
    result, calls = polled(Image.exits(code=3), SilentEcs)
    assert (result.judgement.verdict, result.judgement.reason) == (
        "FAILED",
        "container ecs-dummy-container exited with code 3, 3 times",
    )
    assert calls <= 40


def test_throttled_polls_are_noted_and_the_rollout_goes_on():
    result, _ = polled(Image.good(), throttled_for=20)
    assert result.judgement.verdict == "SUCCEEDED"
    assert any("Rate exceeded" in note for note in result.notes)

"""A deployment is followed to its verdict: whole rollouts against the simulated ECS, and what they
cost in calls.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from ecs_updater.aws.ecs import _CONFIG, Ecs
from ecs_updater.rollout.judgement import PollResult
from ecs_updater.rollout.poller import Clock, Poller, Rollout
from fakes.simulated_ecs import BREAKER, BREAKER_WITHOUT_ROLLBACK, Image, Pace, SimulatedEcs

NEW = "app:2"


class Scenario(NamedTuple):
    """A rollout of one image, what happens beside it, and what it must come to."""

    image: Image
    verdict: str
    reason: str
    """A part of it."""
    options: Mapping[str, Any] = MappingProxyType({})
    beside: tuple = ()
    """Seconds, method and arguments of what happens in the world."""
    most_seconds: float = 180


SCENARIOS = {
    "a good image": Scenario(
        Image.good(), "SUCCEEDED", "1 of 1 tasks run ecs-dummy-task:2", most_seconds=60
    ),
    "a good image, twelve tasks": Scenario(
        Image.good(), "SUCCEEDED", "12 of 12 tasks", {"desired": 12}
    ),
    "desired count 0": Scenario(Image.good(), "SUCCEEDED", "desired count is 0", {"desired": 0}),
    "exits, no circuit breaker": Scenario(
        Image.exits(code=3), "FAILED", "exited with code 3, 3 times"
    ),
    "exits, circuit breaker": Scenario(
        Image.exits(code=3), "ROLLED_BACK", "exited with code 3", {"breaker": BREAKER}
    ),
    "exits, circuit breaker without rollback": Scenario(
        Image.exits(code=3), "FAILED", "exited with code 3", {"breaker": BREAKER_WITHOUT_ROLLBACK}
    ),
    "exits, rollback known by its old id": Scenario(
        Image.exits(code=3),
        "ROLLED_BACK",
        "exited with code 3",
        {"breaker": BREAKER, "rollback_reuses_id": True},
    ),
    "exits, no service deployments": Scenario(
        Image.exits(code=3),
        "ROLLED_BACK",
        "exited with code 3",
        {"breaker": BREAKER, "service_deployments": False},
    ),
    "cannot be pulled": Scenario(Image.cannot_pull(), "FAILED", "could not pull its image"),
    "out of memory": Scenario(Image.oom(), "FAILED", "ran out of memory"),
    "never healthy": Scenario(Image.unhealthy(), "FAILED", "health check", most_seconds=800),
    "crashes after it ran, failedTasks resets": Scenario(
        Image.exits(code=1, after=5, seen_running=True), "FAILED", "exited with code 1, 3 times"
    ),
    "somebody else deploys": Scenario(
        Image.slow(), "SUPERSEDED", "took its place", {}, ((12, "deploy", "other:1"),)
    ),
    "somebody stops the deployment": Scenario(
        Image.slow(),
        "STOPPED",
        "somebody stopped the deployment, and ECS returned the service to "
        "ecs-dummy-task:1: Service",
        {},
        ((12, "stop_deployment"),),
    ),
    "the service is deleted": Scenario(
        Image.slow(), "STOPPED", "was deleted", {}, ((12, "delete_service"),)
    ),
    "too slow": Scenario(Image.slow(600), "TIMED_OUT", "the rollout goes on"),
    "placed late": Scenario(Image.placed_late(after=40), "SUCCEEDED", "1 of 1"),
    "never placed": Scenario(Image.never_placed(), "TIMED_OUT", "was unable to place a task"),
}


def follow(scenario: Scenario) -> tuple[SimulatedEcs, PollResult, int]:
    """Deploys the scenario's image and follows it; how many calls the following cost."""
    simulation = SimulatedEcs(**scenario.options)
    simulation.publish(NEW, scenario.image)
    simulation.publish("other:1", Image.good())
    previous = simulation.service.primary.id
    deployment_id = simulation.deploy(NEW)
    for seconds, method, *arguments in scenario.beside:
        getattr(simulation.at(seconds), method)(*arguments)
    clock = Clock(simulation.clock.now, simulation.clock.sleep, lambda: 0.5)
    rollout = Rollout("ECSCluster", simulation.service.arn, deployment_id, previous)
    polled = Poller(Ecs(simulation.client(_CONFIG)), rollout, 3, clock).wait(
        simulation.clock.now() + scenario.most_seconds
    )
    return simulation, polled, len(simulation.calls)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_rollout_comes_to_its_verdict(name):
    scenario = SCENARIOS[name]

    _, polled, _ = follow(scenario)

    assert (polled.judgement.verdict, scenario.reason in polled.judgement.reason) == (
        scenario.verdict,
        True,
    ), polled
    assert polled.seconds <= scenario.most_seconds


@pytest.mark.parametrize(
    "name", [name for name, scenario in SCENARIOS.items() if scenario.most_seconds <= 180]
)
def test_three_minutes_cost_at_most_forty_calls(name):
    assert follow(SCENARIOS[name])[2] <= 40


def test_a_rollout_of_seconds_costs_at_most_eight_calls():
    quick = Pace(settles_after=2, stop_takes=1)

    simulation, polled, calls = follow(
        Scenario(Image.good(starts_after=2), "SUCCEEDED", "", {"pace": quick})
    )

    assert polled.judgement.verdict == "SUCCEEDED" and polled.seconds < 12, polled
    assert calls <= 8, simulation.calls


class Silent(Ecs):
    """ECS as an emulator has it: no events, no failed tasks where there is no circuit breaker,
    tasks that name their service.
    """

    def describe_service(self, cluster, service):
        answer, failures = super().describe_service(cluster, service)
        assert answer
        deployments = [
            one | {"failedTasks": 0, "runningCount": 0, "pendingCount": 0}
            for one in answer["deployments"]
        ]
        return answer | {"events": [], "deployments": deployments}, failures

    def stopped_tasks(self, cluster, service):
        return [
            task | {"startedBy": "ecs-dummy-service"}
            for task in super().stopped_tasks(cluster, service)
        ]


def test_deaths_are_found_where_nothing_tells_of_them():
    simulation = SimulatedEcs()
    simulation.publish(NEW, Image.exits(code=3))
    clock = Clock(simulation.clock.now, simulation.clock.sleep, lambda: 0.5)
    rollout = Rollout("ECSCluster", simulation.service.arn, simulation.deploy(NEW))

    polled = Poller(Silent(simulation.client(_CONFIG)), rollout, 3, clock).wait(
        simulation.clock.now() + 180
    )

    assert polled.judgement.verdict == "FAILED"
    assert polled.judgement.reason == "container ecs-dummy-container exited with code 3, 3 times"
    assert len(simulation.calls) <= 40


def test_throttles_and_server_errors_are_survived():
    scenario = SCENARIOS["a good image"]
    simulation = SimulatedEcs()
    simulation.publish(NEW, scenario.image)
    deployment_id = simulation.deploy(NEW)
    simulation.throttle("*", 20)
    clock = Clock(simulation.clock.now, simulation.clock.sleep, lambda: 0.5)
    service = simulation.service.arn
    poller = Poller(
        Ecs(simulation.client(_CONFIG)), Rollout("ECSCluster", service, deployment_id), 3, clock
    )

    polled = poller.wait(simulation.clock.now() + 180)

    assert polled.judgement.verdict == "SUCCEEDED"
    assert any("Rate exceeded" in note for note in polled.notes)

"""Every verdict has its scenario, played on the simulated ECS: what the caller is outcome, how the
service ends, what the ledger says.

The table in SOLUTION.md is this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ecs_updater import errors
from fakes.simulated_ecs import BREAKER, BREAKER_WITHOUT_ROLLBACK, Image, Timing
from fakes.wire import ANY
from support.rollout_world import OLD_TAGS, World
from support.sampling import with_variants

SOLUTION = Path(__file__).resolve().parents[2] / "SOLUTION.md"
OLD, NEW, OTHER = "old", "new", "another"
IMAGES = {"busybox": OLD, "app:2": NEW, "other:1": OTHER}
CALLS_IN_THREE_MINUTES, CALLS_IN_SECONDS = 40, 8
WRITES = 6
"""What an update costs that nobody waits for: two reads and four writes."""


@dataclass(frozen=True)
class Scenario:
    """A rollout, what happens beside it, and what it must come to."""

    verdict: str
    says: str
    """A part of the sentence that the caller reads."""
    image: Image = field(default_factory=Image.good)
    service: Mapping[str, Any] = field(default_factory=dict)
    """Options of the simulation."""
    event: Mapping[str, Any] = field(default_factory=dict)
    beside: tuple[tuple[Any, ...], ...] = ()
    """Seconds, method and arguments of what happens in the world."""
    ends: str = NEW
    """Which image the service has afterwards, or is about to have."""
    tags: str = NEW
    wait: int = 180
    final: str | None = None
    """The ledger's verdict in the end, where it is another."""


BACK = {"rollback_on_failure": True}
SCENARIOS = {
    "a good image": Scenario("SUCCEEDED", "1 of 1 tasks run ecs-dummy-task:2"),
    "a good image, done in seconds": Scenario(
        "SUCCEEDED",
        "1 of 1",
        Image.good(starts_after=2),
        {"timing": Timing(steady_after=2, stop_takes=1)},
    ),
    "a slow image, three minutes": Scenario("SUCCEEDED", "1 of 1", Image.slow(130)),
    "120 tasks": Scenario("SUCCEEDED", "120 of 120 tasks", service={"desired": 120}),
    "desired count 0": Scenario(
        "SUCCEEDED", "desired count is 0: nothing runs", service={"desired": 0}
    ),
    "placed late, with a warning before": Scenario(
        "SUCCEEDED", "1 of 1", Image.placed_late(after=40)
    ),
    "two bad tasks, then good ones": Scenario(
        "SUCCEEDED", "1 of 1", Image.in_turn(Image.exits(code=1), Image.exits(code=1), Image.good())
    ),
    "reads that are stale at first": Scenario("SUCCEEDED", "1 of 1", service={"stale_reads": 6}),
    "throttled for twenty seconds": Scenario(
        "SUCCEEDED", "1 of 1", beside=((3, "throttle", ANY, 1000, 20),)
    ),
    "nothing differs": Scenario(
        "NO_CHANGE",
        "nothing differs",
        event={"ecs_image_name": "busybox", "ecs_tag": OLD_TAGS},
        ends=OLD,
        tags=OLD,
    ),
    "only tags": Scenario(
        "NO_CHANGE", "only tags changed", event={"ecs_image_name": "busybox"}, ends=OLD
    ),
    "nobody waits": Scenario(
        "IN_PROGRESS", "was started, and not waited for", wait=0, final="SUCCEEDED"
    ),
    "too slow for the wait": Scenario(
        "TIMED_OUT", "the rollout goes on: after 17", Image.slow(400), final="SUCCEEDED"
    ),
    "never placed": Scenario(
        "TIMED_OUT", "was unable to place a task", Image.never_placed(), final="open"
    ),
    "exits at once": Scenario(
        "FAILED", "container ecs-dummy-container exited with code 3, 3 times", Image.exits(code=3)
    ),
    "exits at once, breaker without rollback": Scenario(
        "FAILED", "exited with code 3", Image.exits(code=3), {"breaker": BREAKER_WITHOUT_ROLLBACK}
    ),
    "cannot be pulled": Scenario(
        "FAILED", "could not pull its image: CannotPullContainerError", Image.cannot_pull()
    ),
    "out of memory": Scenario("FAILED", "ran out of memory (exit code 137)", Image.oom()),
    "never healthy": Scenario(
        "FAILED", "failed container health checks", Image.unhealthy(), wait=800
    ),
    "crashes after it ran: failedTasks goes back to 0": Scenario(
        "FAILED", "exited with code 1, 3 times", Image.exits(code=1, after=5, shown_running=True)
    ),
    "the rollback fails too": Scenario(
        "FAILED",
        "and the rollback to ecs-dummy-task:1 ended with FAILED",
        Image.exits(code=3),
        event=BACK,
        beside=((10, "lose", "busybox"),),
        ends=OLD,
        tags=OLD,
    ),
    "exits at once, ECS's circuit breaker": Scenario(
        "ROLLED_BACK",
        "3 times; ECS's circuit breaker returned",
        Image.exits(code=3),
        {"breaker": BREAKER},
        ends=OLD,
    ),
    "the same, and the rollback fails, too": Scenario(
        "ROLLBACK_FAILED",
        "3 times; and ECS could not roll back: Service deployment rollback failed",
        Image.exits(code=3),
        {"breaker": BREAKER},
        beside=((10, "fail_rollback"),),
        ends=OLD,
    ),
    "exits at once, ECS's circuit breaker, rollback_on_failure": Scenario(
        "ROLLED_BACK",
        "the service is back: 1 of 1 tasks run ecs-dummy-task:1, its tags are what they were",
        Image.exits(code=3),
        {"breaker": BREAKER},
        BACK,
        ends=OLD,
        tags=OLD,
    ),
    "exits at once, rollback_on_failure": Scenario(
        "ROLLED_BACK",
        "the service is back: 1 of 1 tasks run ecs-dummy-task:1, its tags are what they were",
        Image.exits(code=3),
        event=BACK,
        ends=OLD,
        tags=OLD,
    ),
    "the same, and nobody waits": Scenario(
        "IN_PROGRESS",
        "not waited for",
        Image.exits(code=3),
        event=BACK,
        wait=0,
        ends=OLD,
        tags=OLD,
        final="ROLLED_BACK",
    ),
    "somebody else deploys": Scenario(
        "SUPERSEDED",
        "took its place",
        Image.slow(),
        beside=((12, "deploy", "other:1"),),
        ends=OTHER,
    ),
    "somebody stops the deployment": Scenario(
        "STOPPED",
        "somebody stopped the deployment",
        Image.slow(),
        beside=((12, "stop_deployment"),),
        ends=OLD,
    ),
    "somebody deletes the service": Scenario(
        "STOPPED", "was deleted", Image.slow(), beside=((12, "delete_service"),)
    ),
}
ERRORS = {
    "FAILED": errors.RolloutFailedError,
    "ROLLED_BACK": errors.RolloutRolledBackError,
    "ROLLBACK_FAILED": errors.RolloutRollbackFailedError,
    "STOPPED": errors.RolloutStoppedError,
    "SUPERSEDED": errors.RolloutSupersededError,
}
VARIANTS = {
    "": {},
    "no service deployments": {"service_deployments": False},
    "rollback has the old id": {"rollback_reuses_id": True},
    "revisions numbered like deployments": {"deployment_has_number_of_revision": True},
    "no ledger": {"ledger": False},
}


CANNOT_BE = {
    (
        "somebody stops the deployment",
        "no service deployments",
    ): "without them there is no StopServiceDeployment",
    (
        "the rollback fails too",
        "rollback has the old id",
    ): "the old deployment goes on with its old task, so nothing can fail",
    ("the same, and nobody waits", "no ledger"): "the event is refused: nobody would roll back",
}


def play(make_world, name: str, **options: Any) -> tuple[World, Any, float]:
    """Plays a scenario: the world, what the caller was outcome, and how long it took."""
    scenario = SCENARIOS[name]
    world = make_world(**{**scenario.service, **options}, image=scenario.image)
    world.ecs.publish("other:1", Image.good())
    for seconds, method, *arguments in scenario.beside:
        if method == "lose":
            world.ecs.clock.after(
                seconds, lambda reference=arguments[0]: world.ecs.images.remove(reference)
            )
        else:
            getattr(world.ecs.at(seconds), method)(*arguments)
    begin = world.clock.now()
    outcome = world.send(
        **({"wait_seconds": scenario.wait} if scenario.wait else {}), **scenario.event
    )
    return world, outcome, world.clock.now() - begin


@pytest.mark.parametrize("name, variant", with_variants(SCENARIOS, VARIANTS, CANNOT_BE))
def test_the_caller_the_service_and_the_ledger_agree_on_the_verdict(
    make_world, figure, name, variant
):
    scenario, options = SCENARIOS[name], VARIANTS[variant]
    world, outcome, seconds = play(make_world, name, **options)

    assert scenario.says in outcome.text, outcome.text
    if kind := ERRORS.get(scenario.verdict):
        assert isinstance(outcome.error, kind)
        assert f"[ecs_service_rollout] {scenario.verdict}: " in outcome.text
    else:
        assert outcome.verdict == scenario.verdict
    assert seconds <= max(scenario.wait, 20)
    if scenario.final != "ROLLED_BACK":
        assert_state(world, name)
    calls = sum(world.calls.values())
    if scenario.wait and not variant:
        figure(f"verdict: {name}", f"{scenario.verdict}, {seconds:.0f} s, {calls} ECS calls")
    if seconds <= 180 and "throttled" not in name:
        rollouts = 2 if scenario.event.get("rollback_on_failure") else 1
        assert calls <= WRITES + rollouts * CALLS_IN_THREE_MINUTES
    if "in seconds" in name:
        assert calls <= WRITES + CALLS_IN_SECONDS
    if variant != "no ledger":
        assert_end(world, outcome, name)


def assert_state(world, name):
    """The service has the image and the tags that the scenario ends with."""
    if name != "somebody deletes the service":
        scenario, (images, tags) = SCENARIOS[name], world.state
        assert IMAGES[images["ecs-dummy-container"]] == scenario.ends
        assert tags == (OLD_TAGS if scenario.tags == OLD else {"release": "2"})


def assert_end(world, outcome, name):
    """Once the reconciler has nothing left to do, the ledger has the same verdict and error."""
    scenario = SCENARIOS[name]
    world.pass_time(400)
    if scenario.final == "open":
        assert world.reconcile().open == 1
        return
    world.reconcile_all()
    (entry,) = world.history
    assert (entry.is_ended, entry.verdict) == (True, scenario.final or scenario.verdict)
    if outcome.error:
        error = (entry.error_type, entry.error_message)
        assert error == (type(outcome.error).__name__, str(outcome.error))
    assert_state(world, name)
    assert world.lease_is_free


def test_every_verdict_has_a_scenario():
    verdicts = {scenario.verdict for scenario in SCENARIOS.values()}
    assert verdicts == {"NO_CHANGE", "IN_PROGRESS", "TIMED_OUT", "SUCCEEDED", *ERRORS}


def test_the_table_in_solution_is_this_one():
    rows = [
        f"| {name} | {scenario.verdict} | {scenario.ends} | {scenario.tags} |"
        for name, scenario in SCENARIOS.items()
    ]
    assert [row for row in rows if row not in SOLUTION.read_text("utf-8").splitlines()] == []


SHOWN = {
    "NO_CHANGE": "only tags",
    "IN_PROGRESS": "nobody waits",
    "SUCCEEDED": "desired count 0",
    "TIMED_OUT": "too slow for the wait",
    "FAILED": "exits at once",
    "ROLLED_BACK": "exits at once, rollback_on_failure",
    "ROLLBACK_FAILED": "the same, and the rollback fails, too",
    "STOPPED": "somebody deletes the service",
    "SUPERSEDED": "somebody else deploys",
}
"""The scenario whose words docs/results-and-errors.md shows for a verdict."""


@pytest.mark.parametrize("verdict", SHOWN)
def test_the_document_shows_what_a_user_reads_for_each_verdict(make_world, verdict):
    lines = (SOLUTION.parent / "docs" / "results-and-errors.md").read_text("utf-8").splitlines()
    rows = "".join(line for line in lines if line.startswith(f"| `{verdict}` |"))
    _, outcome, _ = play(make_world, SHOWN[verdict])
    said = str(outcome.error) if outcome.error else outcome.answer["body"]["deployment"]["reason"]
    shown = said.partition(". ECS's last events")[0].partition("; latest report")[0]
    assert f"`{shown}`" in rows

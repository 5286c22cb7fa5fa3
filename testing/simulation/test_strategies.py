"""Blue/green, linear and canary deployments: every stage and end has its verdict, and the result
shows how far ECS is.
"""

from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from ecs_updater.deployments.response import ROLLOUT_ERRORS
from ecs_updater.ledger.entry import to_item
from ecs_updater_cli.batch.state import State, status_of, with_stage
from fakes.simulated_ecs import (
    FOREVER,
    STAGES,
    HookResult,
    Image,
    configuration_of,
    invoke_at,
    pause_at,
)
from support.rollout_world import EVENT, OLD_TAGS
from support.sampling import sample, with_variants
from support.strategy_scenarios import ALARM, GATE, SCENARIOS, STEP, rows

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "strategies.md"
IMAGES = {"busybox": "old", "app:2": "new", "other:1": "another"}
STRATEGIES = ("BLUE_GREEN", "LINEAR", "CANARY")
MOST_CALLS = 60
CONTAINER = {"name": "app", "image": "busybox", "memory": 128}
TASKS = ("ListTasks", "DescribeTasks")


def play(make_world, name, **options):
    """Plays a scenario. Returns the world and what the caller gets."""
    scenario = SCENARIOS[name]
    world = make_world(**options, configuration=scenario.configuration, image=scenario.image)
    world.ecs.publish("other:1", Image.good())
    world.ecs.service.hook_results |= scenario.results
    for seconds, method, *arguments in scenario.beside:
        happen = getattr(world.ecs.at(seconds) if seconds else world.ecs, method)
        happen(*arguments)
    wait = {"wait_seconds": scenario.wait} if scenario.wait else {}
    return world, world.send(**wait, **scenario.event)


def end(world):
    """Lets ECS and the reconciler end everything. Returns the verdict in the ledger."""
    world.pass_time(5000)
    world.reconcile_all()
    (entry,) = world.history
    assert world.lease_is_free
    return entry.verdict


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_caller_the_service_and_the_ledger_agree_on_the_verdict(make_world, name, figure):
    scenario = SCENARIOS[name]
    world, outcome = play(make_world, name)
    assert scenario.says in outcome.text, outcome.text
    if error := ROLLOUT_ERRORS.get(scenario.verdict):
        assert isinstance(outcome.error, error)
    else:
        assert outcome.verdict == scenario.verdict
    seconds, calls = world.ecs.clock.elapsed, sum(world.calls.values())
    figure(f"strategy: {name}", f"{scenario.verdict}, {seconds:.0f} s, {calls} ECS calls")
    if seconds <= 190:
        assert calls <= MOST_CALLS
    assert end(world) == (scenario.final or scenario.verdict)
    if "deletes" not in name:
        images, tags = world.state
        assert IMAGES[images["ecs-dummy-container"]] == scenario.ends
        assert tags == (OLD_TAGS if scenario.tags == "old" else EVENT["ecs_tag"])


def test_the_table_in_the_document_is_this_one():
    lines = DOCUMENT.read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith(tuple(f"| {s} |" for s in STRATEGIES))] == (
        rows()
    ), "write: PYTHONPATH=testing:lambda_code .tools/test/bin/python -m support.strategy_scenarios"


# Every stage.

PAUSABLE = [
    stage
    for stage in STAGES
    if stage
    not in ("RECONCILE_SERVICE", "SCALE_UP", "TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT")
    and stage not in ("BAKE_TIME", "CLEAN_UP")
]
HOOKED = [*PAUSABLE, "TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"]
RESULTS = {
    "succeeds": (HookResult(), "ROLLBACK", "SUCCEEDED"),
    "fails": (HookResult("FAILED"), "ROLLBACK", "ROLLED_BACK"),
    "times out": (HookResult(takes=FOREVER), "ROLLBACK", "ROLLED_BACK"),
    "times out, CONTINUE": (HookResult(takes=FOREVER), "CONTINUE", "SUCCEEDED"),
}


@pytest.mark.parametrize("strategy, stage, result", sample(product(STRATEGIES, HOOKED, RESULTS)))
def test_a_function_in_every_stage(make_world, strategy, stage, result):
    returned, action, verdict = RESULTS[result]
    hook = invoke_at(stage, minutes=1, action=action)
    world = make_world(configuration=configuration_of(strategy, hook))
    world.ecs.service.hook_results[stage] = returned
    outcome = world.send(wait_seconds=600)
    assert world.verdicts == [verdict], outcome.text
    assert verdict == "SUCCEEDED" or stage in outcome.text


ANSWERS = {
    "CONTINUE": "SUCCEEDED",
    "ROLLBACK": "ROLLED_BACK",
}


@pytest.mark.parametrize("strategy, stage, answer", sample(product(STRATEGIES, PAUSABLE, ANSWERS)))
def test_a_pause_in_every_stage(make_world, strategy, stage, answer):
    world = make_world(configuration=configuration_of(strategy, pause_at(stage)))
    waiting = world.send(wait_seconds=120)
    shown = waiting.answer["body"]["deployment"]
    awaited = world.ecs.service.history[-1].awaited
    assert shown["verdict"] == "TIMED_OUT" and f"stage {stage}: waits for approval" in waiting.text
    assert shown["hook"] == {
        "id": awaited.id,
        "awaits": "approval",
        "until": world.history[0].rollout["hook"]["until"],
        "then": "ROLLBACK",
    }
    ids = set()
    while awaited := world.ecs.service.history[-1].awaited:
        ids.add(awaited.id)
        world.ecs.answer_hook(answer)
        world.pass_time(30)
    has_steps = stage == STEP and strategy != "BLUE_GREEN" and answer == "CONTINUE"
    assert len(ids) == (2 if has_steps else 1)
    assert end(world) == ANSWERS[answer]


ENDS = {
    "an alarm": (("trigger_alarm", ALARM), "ROLLED_BACK"),
    "a stop": (("stop_deployment",), "STOPPED"),
    "another deployment": (("deploy", "other:1"), "SUPERSEDED"),
    "an alarm, and no rollback": (("trigger_alarm", ALARM), "ROLLBACK_FAILED"),
    "a deletion": (("delete_service",), "STOPPED"),
}


def stop_in(world, stage, what):
    """Lets something happen as soon as ECS is in a stage."""
    history = world.ecs.service.history[-1]

    def wait():
        if history.stage == stage and history.status == "IN_PROGRESS":
            getattr(world.ecs, what[0])(*what[1:])
        elif history.is_ongoing:
            world.ecs.clock.after(0.5, wait)

    wait()


@pytest.mark.parametrize("strategy, stage, how", sample(product(STRATEGIES, STAGES[1:], ENDS)))
def test_an_end_in_every_stage(make_world, strategy, stage, how):
    what, verdict = ENDS[how]
    hooks = [invoke_at(STEP)] if stage == STEP else []
    world = make_world(configuration=configuration_of(strategy, *hooks, alarms=[ALARM]))
    world.ecs.publish("other:1", Image.good())
    if "no rollback" in how:
        world.ecs.fail_rollback()
    world.ecs.at(0.3).add_event("(service {service}) has begun.")
    world.ecs.clock.after(0.5, lambda: stop_in(world, stage, what))
    outcome = world.send(wait_seconds=600)
    assert world.verdicts[-1] == verdict, outcome.text


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_deployment_that_replaces_another_one_is_reconciled_first(make_world, strategy):
    world = make_world(configuration=configuration_of(strategy, bake=10))
    world.send()
    world.pass_time(60)
    world.ecs.publish("app:3", Image.good())
    outcome = world.send(ecs_image_name="app:3", wait_seconds=3)
    assert "stage RECONCILE_SERVICE" in outcome.text
    world.pass_time(1000)
    world.reconcile_all()
    assert world.verdicts == ["SUCCEEDED", "SUPERSEDED"]


# What the result shows.


def test_the_result_shows_strategy_stage_traffic_and_alarms(make_world):
    configuration = configuration_of("LINEAR", percent=30, step_bake=2, alarms=[ALARM])
    world = make_world(configuration=configuration)
    shown = world.send(wait_seconds=200).answer["body"]["deployment"]
    assert {name: shown[name] for name in ("strategy", "stage", "traffic", "alarms")} == {
        "strategy": "LINEAR",
        "stage": "PRODUCTION_TRAFFIC_SHIFT",
        "traffic": {"production": 60, "test": 100.0},
        "alarms": {"configured": [ALARM], "triggered": []},
    }
    assert shown["stageSince"] == "2027-01-15T08:02:16Z"
    assert shown["stageUntil"] == "2027-01-15T08:04Z"


def test_the_reconciler_records_how_far_ecs_is(make_world):
    world = make_world(configuration=configuration_of("BLUE_GREEN", pause_at(GATE), bake=30))
    world.send()
    found = []
    for seconds in (4, 20, 60):
        world.pass_time(seconds)
        if seconds == 60:
            world.ecs.answer_hook()
            world.pass_time(30)
        world.reconcile()
        rollout = world.history[0].rollout
        found.append((rollout["stage"], rollout["traffic"]["production"], "hook" in rollout))
    assert found == [
        ("SCALE_UP", 0, False),
        (GATE, 0, True),
        ("BAKE_TIME", 100, False),
    ]
    assert world.history[0].answer["body"]["deployment"]["stage"] == "BAKE_TIME"


def test_the_begin_of_a_stage_stays_what_it_was_for_a_later_process(make_world):
    world = make_world(configuration=configuration_of("BLUE_GREEN", bake=30))
    world.send()
    until = set()
    for _ in range(4):
        world.pass_time(300)
        world.ecs.service.history[-1].updated_at = world.clock.now()
        world.reconcile()
        until.add(world.history[0].rollout["stageUntil"])
    assert len(until) == 1


@pytest.mark.parametrize("is_readable", [True, False])
@pytest.mark.parametrize(
    "configuration",
    [
        configuration_of("BLUE_GREEN", bake=1440),
        configuration_of("BLUE_GREEN", pause_at(GATE)),
        configuration_of("CANARY", step_bake=1440),
    ],
    ids=["bake time", "hook", "step"],
)
def test_the_maximum_age_does_not_run_while_ecs_waits(make_world, configuration, is_readable):
    world = make_world(configuration=configuration)
    world.send()
    world.pass_time(60)
    world.reconcile()
    world.pass_time(3 * 3600)
    if not is_readable:
        world.ecs.fail("DescribeServices", (400, "AccessDeniedException", "no"), times=9)
    run = world.reconcile(settings={"OPEN_UPDATE_MAX_HOURS": "1"})
    assert not run.ended


@pytest.mark.parametrize(
    "strategy, stage",
    [
        ("BLUE_GREEN", "BAKE_TIME"),
        ("LINEAR", "PRODUCTION_TRAFFIC_SHIFT"),
        ("CANARY", "PRODUCTION_TRAFFIC_SHIFT"),
    ],
)
def test_a_wait_of_unknown_duration_is_a_wait(make_world, strategy, stage):
    world = make_world(configuration=configuration_of(strategy, bake=1440, step_bake=1440))
    world.send()
    world.pass_time(60)
    world.ecs.show(deploymentConfiguration={"strategy": strategy})
    world.pass_time(3 * 3600)
    assert not world.reconcile(settings={"OPEN_UPDATE_MAX_HOURS": "1"}).ended
    assert world.history[0].rollout["stage"] == stage


def test_the_maximum_age_runs_after_the_wait(make_world):
    world = make_world(configuration=configuration_of("BLUE_GREEN", bake=1))
    world.send()
    world.pass_time(70)
    world.ecs.show(status="IN_PROGRESS", lifecycleStage="CLEAN_UP")
    world.pass_time(2 * 3600)
    (ended,) = world.reconcile(settings={"OPEN_UPDATE_MAX_HOURS": "1"}).ended
    assert ended.verdict == "TIMED_OUT"


# wait_until.


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("stage", [*STAGES[1:6], STAGES[7], *STAGES[8:]])
def test_a_wait_until_a_stage_ends_there_and_the_reconciler_ends_the_update(
    make_world, strategy, stage
):
    world = make_world(configuration=configuration_of(strategy, bake=5, step_bake=1))
    outcome = world.send(wait_seconds=800, wait_until=stage)
    shown = outcome.answer["body"]["deployment"]
    if stage == "CLEAN_UP":  # It is over before the next poll.
        assert shown["verdict"] in ("IN_PROGRESS", "SUCCEEDED")
    else:
        assert (shown["verdict"], shown["reachedStage"]) == ("IN_PROGRESS", stage)
        assert f"stage {stage} is reached, the rollout goes on: 1 of 1 tasks" in shown[
            "reason"
        ] or (stage in STAGES[:3] and f"stage {stage} is reached" in shown["reason"])
        assert STAGES.index(shown["stage"]) >= STAGES.index(stage)
        assert not outcome.notes
    assert end(world) == "SUCCEEDED"


def test_a_rolling_update_is_waited_for_to_its_end(world):
    assert world.send(wait_seconds=100, wait_until="BAKE_TIME").verdict == "SUCCEEDED"


def test_complete_is_the_default(make_world):
    world = make_world(configuration=configuration_of("BLUE_GREEN"))
    assert world.send(wait_seconds=300, wait_until="complete").verdict == "SUCCEEDED"


def test_a_failure_before_the_stage_is_the_verdict(make_world):
    world = make_world(
        configuration=configuration_of("BLUE_GREEN", invoke_at(GATE)),
    )
    world.ecs.service.hook_results[GATE] = HookResult("FAILED")
    outcome = world.send(wait_seconds=300, wait_until="BAKE_TIME")
    assert outcome.text.startswith("[ERROR][ecs_service_rollout] ROLLED_BACK: ")


@pytest.mark.parametrize("status", ["ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "STOP_REQUESTED"])
def test_the_command_line_takes_no_rollback_for_a_reached_stage(make_world, status):
    world = make_world(configuration=configuration_of("BLUE_GREEN", bake=60))
    world.send()
    world.pass_time(60)
    states = []
    for fields in ({}, {"status": status}):
        world.ecs.show(**fields)
        world.reconcile()
        item = to_item(world.history[0])
        states.append(with_stage(status_of(item), item, "BAKE_TIME").state)
    assert states == [State.STAGE_REACHED, State.DEPLOYING]
    assert world.history[0].answer["body"]["deployment"]["status"] == status


def test_an_unknown_stage_is_refused_with_the_allowed_ones(world):
    outcome = world.send(wait_seconds=300, wait_until="BAKETIME")
    assert "wait_until: 'BAKETIME' is not one of ['complete', " in outcome.text
    assert "'BAKE_TIME'" in outcome.text and not world.ecs.requests


def test_the_same_request_may_wait_for_another_stage(make_world):
    world = make_world(configuration=configuration_of("BLUE_GREEN", bake=2))
    for stage in ("SCALE_UP", "BAKE_TIME"):
        outcome = world.send(request_id="r", wait_seconds=300, wait_until=stage)
        assert outcome.answer["body"]["deployment"]["reachedStage"] == stage
    outcome = world.send(request_id="r", wait_seconds=300)
    assert outcome.verdict == "SUCCEEDED" and len(world.history) == 1


# Calls.


@pytest.mark.parametrize("strategy, clusters", with_variants(STRATEGIES, (1, 4)))
def test_the_reconciler_reads_twenty_service_deployments_with_one_call(
    make_world, strategy, clusters
):
    world, services = make_world(), 40
    configuration = configuration_of(strategy, bake=60, step_bake=60)
    first = world.ecs.world.register({"family": "f", "containerDefinitions": [CONTAINER]})
    for number in range(services):
        cluster, name = f"cluster-{number % clusters}", f"s{number}"
        world.ecs.world.add_service(
            name, first, 1, {}, "FARGATE", None, configuration, cluster=cluster
        )
        world.send(ecs_cluster_name=cluster, ecs_service_name=name)
    for _ in range(2):
        world.pass_time(120)  # A lease that was held shortly before means to read again.
        begin = len(world.ecs.operations)
        run = world.reconcile()
        calls = Counter(world.ecs.operations[begin:])
        assert (run.open, run.skipped) == (services, [])
        reads = {"DescribeServices": services / 10, "DescribeServiceDeployments": services / 20}
        assert {name: calls[name] for name in reads} == reads
        assert calls.keys() <= {*reads, *TASKS}
    world.pass_time(4 * 3600)
    assert len(world.reconcile().ended) == services

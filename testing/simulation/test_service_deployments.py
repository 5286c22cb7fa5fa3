"""ECS's own record of a deployment decides: a rollback in progress is not complete, and running
tasks are no success. CIRCUIT_BREAKER=enable adds ECS's circuit breaker.
"""

import pytest

from ecs_updater import errors
from ecs_updater.aws.ecs import Ecs
from ecs_updater.context import Clock
from ecs_updater.rollout.poller import Poller, Rollout
from fakes.simulated_ecs import (
    BREAKER,
    BREAKER_WITHOUT_ROLLBACK,
    Image,
    SimulatedEcs,
    Timing,
    configuration_of,
)
from support.rollout_world import EVENT, OLD_TAGS, ROLLBACK

BLUE_GREEN = configuration_of("BLUE_GREEN", bake=30)
WITHOUT_SERVICE_DEPLOYMENTS = {"service_deployments": False}
STRATEGIES = ("BLUE_GREEN", "LINEAR", "CANARY")
STAGES = (
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME",
    "CLEAN_UP",
    "OF_THE_FUTURE",
    None,
)
VERDICTS = {
    "PENDING": None,
    "IN_PROGRESS": None,
    "STOP_REQUESTED": None,
    "ROLLBACK_REQUESTED": None,
    "ROLLBACK_IN_PROGRESS": None,
    "OF_THE_FUTURE": None,
    "SUCCESSFUL": "SUCCEEDED",
    "STOPPED": "STOPPED",
    "ROLLBACK_SUCCESSFUL": "ROLLED_BACK",
    "ROLLBACK_FAILED": "ROLLBACK_FAILED",
}
SERVICE_DEPLOYMENTS = pytest.mark.parametrize(
    "has_service_deployments", [True, False], ids=["service deployments", "none"]
)


@pytest.fixture(name="baking", scope="module")
def _baking():
    """A blue/green deployment in its bake time: all tasks of the new revision run."""
    simulation = SimulatedEcs(configuration={**BLUE_GREEN, "bakeTimeInMinutes": 1440})
    deployment_id = simulation.deploy("app:2")
    simulation.clock.sleep(60)
    assert simulation.service.history[-1].stage == "BAKE_TIME"
    return simulation, Ecs(simulation.client()), deployment_id


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("status", VERDICTS)
def test_the_status_of_the_service_deployment_decides_in_every_stage(baking, status, stage):
    simulation, ecs, deployment_id = baking
    simulation.show(status=status, lifecycleStage=stage)
    clock = Clock(simulation.clock.now, simulation.clock.sleep, lambda: 0.5, simulation.clock.now)
    rollout = Rollout("ECSCluster", simulation.service.arn, deployment_id)
    polled = Poller(ecs, rollout, 3, clock).wait(clock.now() + 12)
    assert polled.judgement.verdict == (VERDICTS[status] or "TIMED_OUT")
    if status.startswith("ROLLBACK_") and VERDICTS[status] is None:
        assert "ECS is rolling back" in polled.judgement.reason
    elif VERDICTS[status] is None and stage:
        assert f"1 of 1 tasks run ecs-dummy-task:2, stage {stage}" in polled.judgement.reason


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_tasks_that_run_are_no_success_before_the_bake_time_is_over(make_world, strategy):
    world = make_world(configuration=configuration_of(strategy, bake=5))
    outcome = world.send(wait_seconds=200)
    assert (
        outcome.verdict == "TIMED_OUT"
        and "1 of 1 tasks run ecs-dummy-task:2, stage BAKE_TIME" in outcome.text
    )
    assert world.reconcile().open == 1
    world.pass_time(200)
    (ended,) = world.reconcile().ended
    assert ended.verdict == "SUCCEEDED"


# The bake time, and what is known to work


@pytest.mark.parametrize("ledger", [True, False], ids=["ledger", "none"])
def test_a_revision_in_its_bake_time_is_not_what_a_rollback_returns_to(make_world, ledger):
    world = make_world(ledger=ledger, configuration=BLUE_GREEN)
    world.send()
    world.pass_time(60)
    outcome = world.send(ROLLBACK)
    assert outcome.answer and outcome.answer["body"]["taskDefinitionArn"]["after"].endswith(
        "ecs-dummy-task:1"
    )


def test_a_revision_in_its_bake_time_is_not_where_a_failed_update_is_returned_to(make_world):
    world = make_world(configuration={**BLUE_GREEN, "maximumPercent": 300})
    world.send(ecs_image_name="app:1")
    world.pass_time(3000)
    world.reconcile()
    world.send()
    world.pass_time(60)
    world.ecs.publish("app:3", Image.exits(code=3))
    outcome = world.send(ecs_image_name="app:3", rollback_on_failure=True, wait_seconds=400)
    assert isinstance(outcome.error, errors.RolloutRolledBackError), outcome.text
    assert world.ecs.running_images == {"ecs-dummy-container": "app:1"}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_event_that_changes_nothing_in_the_bake_time_is_not_a_success_yet(make_world, strategy):
    world = make_world(configuration=configuration_of(strategy, bake=30))
    world.send()
    world.pass_time(60)
    assert world.send(request_id="again").verdict == "IN_PROGRESS"
    world.pass_time(3000)
    assert world.send(request_id="later").verdict == "NO_CHANGE"


# ECS's rollback


@SERVICE_DEPLOYMENTS
@pytest.mark.parametrize("back", [None, True], ids=["as it is", "rollback_on_failure"])
def test_a_rollback_of_ecs_that_goes_on_is_waited_for_and_ended_by_the_reconciler(
    make_world, has_service_deployments, back
):
    world = make_world(
        breaker=BREAKER, service_deployments=has_service_deployments, image=Image.exits(code=3)
    )
    outcome = world.send(wait_seconds=52, rollback_on_failure=back)
    assert (
        outcome.verdict == "TIMED_OUT"
        and "ECS is rolling back: after " in outcome.text
        and "exited with code 3, 3 times" in outcome.text
    )
    assert world.history[0].verdict is None
    world.pass_time(60)
    (ended,) = world.reconcile_all()
    assert ended.verdict == "ROLLED_BACK" and "exited with code 3" in ended.error_message
    assert world.tags == (OLD_TAGS if back else EVENT["ecs_tag"])


HOOK_FAILED = "Service deployment rolled back because {} lifecycle hook(s) failed"
NO_TARGET = "No rollback candidate was found to run the rollback"


def lose_the_old_image(world):
    """The image of the old revision is deleted."""
    world.ecs.images.remove("busybox")


def fail_a_hook(stage, has_target=True):
    """A lifecycle hook fails, where ECS has a revision for its rollback or does not."""

    def fail(world):
        if not has_target:
            world.ecs.forget_what_completed()
        world.ecs.fail_hook(stage, "arn:aws:lambda:eu-west-1:123456789012:function:check")

    return fail


ROLLBACKS_OF_ECS = {
    "it fails": (
        {"breaker": BREAKER, "image": Image.exits(code=3)},
        lose_the_old_image,
        ("ROLLBACK_FAILED: ", "exited with code 3", "and ECS could not roll back: "),
    ),
    "it fails, without has_service_deployments": (
        {"breaker": BREAKER, "image": Image.exits(code=3), **WITHOUT_SERVICE_DEPLOYMENTS},
        lose_the_old_image,
        ("ROLLBACK_FAILED: ", "exited with code 3", "and ECS could not roll back: "),
    ),
    "nothing to go back to": (
        {"configuration": BLUE_GREEN},
        fail_a_hook("POST_SCALE_UP", has_target=False),
        (
            f"ROLLBACK_FAILED: {HOOK_FAILED.format('POST_SCALE_UP')}",
            f"could not roll back: {NO_TARGET}",
        ),
    ),
    **{
        f"it begins late, lingers {lingers}, has_service_deployments {has_service_deployments}": (
            {
                "service_deployments": has_service_deployments,
                "timing": Timing(rollback_starts_after=12, lingers=lingers),
            },
            fail_a_hook("SCALE_UP"),
            (
                f"ROLLED_BACK: {HOOK_FAILED.format('SCALE_UP')}",
                "ECS returned the service to ecs-dummy-task:1",
            ),
        )
        for lingers in (0, 5)
        for has_service_deployments in (True, False)
    },
    "a failed state that nothing follows": (
        WITHOUT_SERVICE_DEPLOYMENTS,
        fail_a_hook("SCALE_UP", has_target=False),
        (f"FAILED: {HOOK_FAILED.format('SCALE_UP')}",),
    ),
}
"""Options of the world, what happens, and what the error says."""


@pytest.mark.parametrize("name", ROLLBACKS_OF_ECS)
def test_a_rollback_of_ecs_ends_with_its_verdict_and_its_cause(make_world, name):
    options, happen, says = ROLLBACKS_OF_ECS[name]
    world = make_world(**options)
    happen(world)
    text = world.send(wait_seconds=400).text
    assert not [part for part in says if part not in text], text
    if name == "a failed state that nothing follows":  # A failure after some polls.
        assert 30 <= world.ecs.clock.elapsed <= 60


@SERVICE_DEPLOYMENTS
@pytest.mark.parametrize("strategy", ["ROLLING", *STRATEGIES])
@pytest.mark.parametrize("end", ["breaker", "alarm"])
def test_a_failure_that_ecs_rolls_nothing_back_for_is_a_failure_in_every_strategy(
    make_world, has_service_deployments, strategy, end
):
    """Only rolling updates have a state, so that without a record an event is all there is."""
    alarms = {"alarms": {"enable": True, "rollback": False, "alarmNames": ["more-errors"]}}
    world = make_world(
        breaker=BREAKER_WITHOUT_ROLLBACK if end == "breaker" else None,
        service_deployments=has_service_deployments,
        configuration={**configuration_of(strategy, bake=5), **alarms},
    )
    if end == "breaker":
        world.ecs.publish("app:2", Image.exits(code=3))
    else:
        world.ecs.at(18).trigger_alarm("more-errors")
    outcome = world.send(wait_seconds=250)
    assert isinstance(outcome.error, errors.RolloutFailedError), outcome.text
    assert isinstance(world.send().error, errors.RolloutFailedError)
    assert ("exited with code 3" if end == "breaker" else "alarm") in outcome.text


@SERVICE_DEPLOYMENTS
def test_somebody_elses_deployment_after_the_failed_one_is_not_a_rollback(
    make_world, has_service_deployments
):
    world = make_world(
        breaker=BREAKER, service_deployments=has_service_deployments, image=Image.exits(code=3)
    )
    world.ecs.at(47).deploy("other:1")
    outcome = world.send(wait_seconds=200)
    assert isinstance(outcome.error, errors.RolloutSupersededError), outcome.text


def test_a_record_that_cannot_be_read_for_a_moment_leads_to_no_verdict(make_world):
    world = make_world(configuration={**BLUE_GREEN, "bakeTimeInMinutes": 2})
    world.ecs.clock.after(20, lambda: world.ecs.throttle("DescribeServiceDeployments", 1000, 60))
    assert world.send(wait_seconds=400).verdict == "SUCCEEDED"
    assert world.ecs.service.history[-1].status == "SUCCESSFUL"


# CIRCUIT_BREAKER=enable

ENABLE = {"CIRCUIT_BREAKER": "enable"}
REST = {"maximumPercent": 150, "minimumHealthyPercent": 50, "fieldOfTheFuture": {"x": 1}}


def configurations(world):
    """The deployment configuration that each UpdateService sent."""
    return [
        request.body.get("deploymentConfiguration")
        for request in world.ecs.requests
        if request.operation == "UpdateService"
    ]


def test_the_breaker_is_switched_on_and_the_rest_sent_back_unchanged(make_world):
    world = make_world(configuration=REST)
    outcome = world.send(environment=ENABLE)
    (sent,) = configurations(world)
    assert sent.pop("deploymentCircuitBreaker") | {"enable": True, "rollback": True} == {
        "enable": True,
        "rollback": True,
    }
    assert {name: sent[name] for name in REST} == REST
    assert {
        "what": "deploymentCircuitBreaker",
        "from": "off",
        "to": "on, with rollback",
    } in outcome.answer["body"]["changes"]


@pytest.mark.parametrize(
    "options, fields, sent",
    [
        ({"breaker": BREAKER}, {"environment": ENABLE}, [None]),
        ({"breaker": BREAKER_WITHOUT_ROLLBACK}, {"environment": ENABLE}, [None]),
        ({"configuration": REST}, {}, [None]),
        ({}, {"environment": ENABLE, "ecs_image_name": "busybox"}, []),
        *(
            ({"configuration": configuration_of(strategy)}, {"environment": ENABLE}, [None])
            for strategy in STRATEGIES
        ),
    ],
    ids=["it is on", "on without rollback", "by default", "only tags change", *STRATEGIES],
)
def test_the_breaker_is_left_as_it_is(make_world, options, fields, sent):
    world = make_world(**options)
    world.send(**fields)
    assert configurations(world) == sent


def test_with_it_a_bad_image_is_rolled_back_by_ecs(make_world):
    outcome = make_world(image=Image.exits(code=3)).send(environment=ENABLE, wait_seconds=180)
    assert "ECS's circuit breaker returned the service to ecs-dummy-task:1" in str(outcome.error)


# DEPLOYMENT_ALARMS

ALARMS = {"DEPLOYMENT_ALARMS": "more-errors, slow answers,more-errors"}
NAMES = ["more-errors", "slow answers"]


@pytest.mark.parametrize("strategy", ["ROLLING", *STRATEGIES])
def test_the_alarms_are_added_with_rollback_and_the_rest_sent_back_unchanged(make_world, strategy):
    configuration = {**configuration_of(strategy), **REST, "maximumPercent": 200}
    world = make_world(configuration=configuration)
    outcome = world.send(environment=ALARMS)
    (sent,) = configurations(world)
    assert sent.pop("alarms") == {"alarmNames": NAMES, "enable": True, "rollback": True}
    assert {name: sent[name] for name in configuration} == configuration
    assert {
        "what": "deploymentConfiguration.alarms",
        "from": None,
        "to": "more-errors, slow answers, with rollback",
    } in outcome.answer["body"]["changes"]
    world.pass_time(10)
    world.ecs.trigger_alarm("slow answers")
    (ended,) = world.finish(60)
    assert ended.verdict == "ROLLED_BACK" and "alarm slow answers was triggered" in ended.cause


@pytest.mark.parametrize("is_on", [True, False])
def test_a_service_with_alarms_keeps_its_own(make_world, is_on):
    own = {"enable": is_on, "rollback": False, "alarmNames": ["of-the-service"]}
    world = make_world(configuration={"alarms": own})
    world.send(environment=ALARMS)
    assert configurations(world) == [None]


def test_breaker_and_alarms_are_added_together(make_world):
    world = make_world(
        configuration={"alarms": {"enable": False, "rollback": False, "alarmNames": []}}
    )
    world.send(environment={**ALARMS, **ENABLE})
    (sent,) = configurations(world)
    assert sent["alarms"]["alarmNames"] == NAMES and sent["deploymentCircuitBreaker"]["enable"]


def test_the_alarms_are_added_after_the_task_of_run_before(make_world):
    world = make_world()
    world.send(environment=ALARMS, run_before={"command": ["true"]}, wait_seconds=300)
    (sent,) = configurations(world)
    assert sent["alarms"]["alarmNames"] == NAMES

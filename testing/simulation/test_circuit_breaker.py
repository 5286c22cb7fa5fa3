"""CIRCUIT_BREAKER=enable: a service without ECS's circuit breaker gets it with its next deployment;
the rest stays as it is.
"""

import pytest

from fakes.simulated_ecs import BREAKER, BREAKER_WITHOUT_ROLLBACK, Image

ENABLE = {"CIRCUIT_BREAKER": "enable"}
REST = {"maximumPercent": 150, "minimumHealthyPercent": 50, "fieldOfTheFuture": {"x": 1}}


def configuration(world):
    """What the last UpdateService sent of it."""
    return [one.body for one in world.ecs.requests if one.operation == "UpdateService"][-1].get(
        "deploymentConfiguration"
    )


def test_the_breaker_is_switched_on_and_the_rest_sent_back_unchanged(make_world):
    world = make_world(configuration=REST)
    outcome = world.send(environment=ENABLE)
    sent = configuration(world)
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


@pytest.mark.parametrize("breaker", [BREAKER, BREAKER_WITHOUT_ROLLBACK])
def test_a_breaker_that_is_on_is_left_as_it_is(make_world, breaker):
    world = make_world(breaker=breaker)
    world.send(environment=ENABLE)
    assert configuration(world) is None


def test_by_default_the_configuration_is_kept(make_world):
    world = make_world(configuration=REST)
    world.send()
    assert configuration(world) is None


def test_with_it_a_bad_image_is_rolled_back_by_ecs(make_world):
    world = make_world(image=Image.exits(code=3))
    outcome = world.send(environment=ENABLE, wait_seconds=180)
    assert "ECS's circuit breaker returned the service to ecs-dummy-task:1" in str(outcome.error)


def test_tags_alone_do_not_switch_it_on(world):
    world.send(environment=ENABLE, ecs_image_name="busybox")
    assert "UpdateService" not in world.ecs.operations

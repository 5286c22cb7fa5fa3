"""Updates over HTTP in a whole world: the lease makes 409s, a long wait is 202, and the reconciler
rolls back.
"""

import itertools
from dataclasses import replace

import pytest

from ecs_updater.api import get_routes, post_routes
from ecs_updater.api.query import DeploymentsQuery
from ecs_updater.deployments.deploy import deploy
from ecs_updater.ledger.queries import UpdateQueries
from fakes.simulated_ecs import Image, Timing, configuration_of
from support.http import NO_SCOPES, ask
from support.rollout_world import EVENT, OLD_TAGS

SHORT = {"cluster": "ECSCluster", "service": "ecs-dummy-service", "image": "app", "tag": "2"}
_NUMBERS = itertools.count(1)


@pytest.fixture(name="world")
def _world(make_world):
    """One that is quick enough for a request, which waits 25 seconds at most."""
    return make_world(
        timing=Timing(steady_after=2, stop_takes=1, lingers=1, retry_after=0.5),
        image=Image.good(starts_after=2),
    )


@pytest.fixture(name="post")
def _post(world):
    """Posts to the handler, whose updates go to the world on its clock, with a new id each time."""

    def do(event, call):
        own = replace(
            call, id=f"request-{next(_NUMBERS)}", time_left=lambda: 120.0, clock=world.clock
        )
        return deploy(event, world.environment, world.boundary, own, world.table)

    resolve = post_routes.update_app(do, lambda *_: None, NO_SCOPES).resolve
    return lambda path, body: ask(resolve, "POST", path, body)


def deployment(world, id_):
    """The answer of `GET /deployments/{id}`."""
    return get_routes.deployment(UpdateQueries(world.table), id_)


def test_a_short_update_deploys_and_keeps_the_tags(world, post):
    answer = post("/update", {**SHORT, "wait_seconds": 25})
    assert (answer.status, answer.json["deployment"]["verdict"]) == (200, "SUCCEEDED")
    assert world.tags == OLD_TAGS and set(world.ecs.running_images.values()) == {"app:2"}


@pytest.mark.parametrize("body", [SHORT, EVENT], ids=["short", "whole"])
def test_a_wait_until_a_stage_ends_there(world, post, body):
    world.ecs.service.configure(configuration_of("BLUE_GREEN", bake=60))
    answer = post("/update", {**body, "wait_seconds": 25, "wait_until": "SCALE_UP"})
    found = answer.json["deployment"]
    assert (answer.status, found["verdict"]) == (200, "IN_PROGRESS")
    assert (found["reachedStage"], found["strategy"]) == ("SCALE_UP", "BLUE_GREEN")


def test_a_long_wait_is_202_and_its_id_leads_to_the_verdict(world, post):
    before = world.clock.now()
    answer = post("/update", {**EVENT, "wait_seconds": 600, "request_id": "r-1"})
    assert (answer.status, answer.headers["Location"], world.clock.now() - before < 5) == (
        202,
        "deployments/r-1",
        True,
    )
    going_on = deployment(world, "r-1")
    assert (going_on["state"], going_on["verdict"]) == ("DEPLOYED", None)
    assert going_on["answer"]["deployment"]["verdict"] == "IN_PROGRESS"
    world.reconcile_all()
    assert deployment(world, "r-1")["verdict"] == "SUCCEEDED"


@pytest.mark.parametrize("body", [EVENT, SHORT], ids=["the event", "the short form"])
def test_a_rollout_that_fails_is_422_in_the_words_of_a_direct_call_and_so_is_the_event_again(
    world, post, body
):
    world.ecs.publish("app:2", Image.exits(code=3, after=1, starts_after=2))
    for fields in ({"wait_seconds": 25}, {}):
        answer = post("/update", body | fields)
        assert (answer.status, answer.json["errorType"]) == (422, "RolloutFailedError")
        assert answer.json["errorMessage"].startswith(
            "[ERROR][ecs_service_rollout] FAILED: container ecs-dummy-container exited with code 3"
        )


def test_a_long_wait_for_a_rollout_that_goes_on_is_202_and_its_id_leads_to_the_verdict_of_that(
    world, post
):
    world.ecs.publish("app:2", Image.exits(code=3, after=30))
    assert post("/update", EVENT).json["deployment"]["verdict"] == "IN_PROGRESS"
    answer = post("/update", {**EVENT, "wait_seconds": 600, "request_id": "r-2"})
    assert (answer.status, answer.json["deployment"]["verdict"]) == (202, "IN_PROGRESS")
    world.reconcile_all()
    ended = deployment(world, "r-2")
    assert (ended["verdict"], ended["errorType"]) == ("FAILED", "RolloutFailedError")
    assert "exited with code 3" in ended["cause"]


def test_a_service_that_another_update_holds_is_409_with_when_to_try_again_and_nothing_is_written(
    world, post
):
    give_back = world.held("another")
    answer = post("/update", EVENT)
    assert (answer.status, answer.json["errorType"], answer.headers["Retry-After"]) == (
        409,
        "LeaseHeldError",
        "5",
    )
    assert "UpdateService" not in world.ecs.operations
    give_back()
    assert post("/update", EVENT).status == 200


def test_the_same_request_id_gets_the_same_answer_with_any_wait_and_from_both_handlers(world, post):
    first = post("/update", {**EVENT, "request_id": "r", "wait_seconds": 25})
    assert post("/update", {**EVENT, "request_id": "r", "wait_seconds": 600}).json == first.json
    direct = world.send(request_id="r", action="update")
    assert {"requestId": "r", **direct.answer["body"]} == first.json
    assert world.ecs.operations.count("UpdateService") == 1


def test_a_rollback_goes_back_to_what_worked(world, post):
    assert (
        post("/update", {**EVENT, "wait_seconds": 25}).json["deployment"]["verdict"] == "SUCCEEDED"
    )
    answer = post(
        "/rollback", {"cluster": "ECSCluster", "service": "ecs-dummy-service", "wait_seconds": 25}
    )
    assert (answer.status, world.tags) == (200, OLD_TAGS)
    assert set(world.ecs.running_images.values()) != {"app:2"}
    page = get_routes.deployments(UpdateQueries(world.table), DeploymentsQuery())
    assert [update["action"] for update in page["deployments"]] == ["rollback", "update"]


def test_a_dry_run_writes_nothing_and_is_200_however_long_it_might_wait(world, post):
    answer = post("/update", {**SHORT, "dry_run": True, "wait_seconds": 600})
    assert answer.status == 200 and answer.json["dryRun"] and not world.history
    assert {"what": "image.ecs-dummy-container", "from": "busybox", "to": "app:2"} in answer.json[
        "changes"
    ]

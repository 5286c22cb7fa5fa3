"""Approvals: a PAUSE hook is answered once. The ledger has the caller and the time."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ecs_updater.api import get_routes, post_routes
from ecs_updater.api.query import DeploymentsQuery
from ecs_updater.aws.dynamodb import Put
from ecs_updater.context import Call
from ecs_updater.deployments.approvals import answer_hook
from ecs_updater.ledger.entry import to_item
from ecs_updater.ledger.queries import UpdateQueries
from ecs_updater.model.hook import (
    APPROVE,
    AWAITED,
    CONTINUE,
    REJECT,
    ROLLBACK,
    HookAnswer,
)
from ecs_updater_cli.batch.state import State, awaited_hook, status_of
from fakes.simulated_ecs import configuration_of, pause_at
from support.http import NO_SCOPES, REQUEST_ID, ask
from support.make import PROJECT
from support.paused import ON, PAUSED, STAGE, STATUS, VERDICT, Paused
from support.rollout_world import ROLLBACK as ROLLBACK_EVENT


@pytest.fixture(name="post")
def _post(paused):
    """Posts to the handler."""
    world = paused.world

    def answer(given, call):
        call = replace(call, clock=world.clock)
        return answer_hook(given, world.environment | ON, world.boundary, call, world.table)

    resolve = post_routes.update_app(lambda *_: {}, answer, NO_SCOPES).resolve
    return lambda path, body, **identity: ask(resolve, "POST", path, body, **identity)


@pytest.mark.parametrize("name, action", [(APPROVE, CONTINUE), (REJECT, ROLLBACK)])
def test_an_answer_over_http_reaches_ecs_once_and_is_shown_with_its_caller(
    paused, post, name, action
):
    hook = paused.hook
    answer = post(f"/deployments/update-1/{name}", {"hookId": hook.id}, apiKeyId="a1b2")
    given = {
        "hookId": hook.id,
        "stage": STAGE,
        "action": action,
        "by": "API key a1b2",
        "at": answer.json["approval"]["at"],
        "confirmed": True,
    }
    assert (answer.status, answer.json) == (200, {"requestId": "update-1", "approval": given})
    assert (hook.status, paused.sent) == (STATUS[action], 1)
    assert paused.end() == VERDICT[action]
    queries = UpdateQueries(paused.world.table)
    listed = get_routes.deployments(queries, DeploymentsQuery())["deployments"]
    for view in (*listed, get_routes.deployment(queries, "update-1")):
        assert view["approvals"] == [given]


def test_a_second_answer_is_409_and_names_the_state(paused, post):
    hook = paused.hook
    path, body = "/deployments/update-1/approve", {"hookId": hook.id}
    assert post(path, body).status == 200
    by = "approved by HTTP at "
    for name in (APPROVE, REJECT):
        answer = post(f"/deployments/update-1/{name}", body)
        assert (answer.status, answer.json["errorType"]) == (409, "HookNotAwaitedError")
        assert answer.json["requestId"] == REQUEST_ID
        message = answer.json["errorMessage"]
        assert f"[ERROR][approval] hook {hook.id} awaits no answer: it was {by}" in message
        assert message.endswith(f", and the service deployment is IN_PROGRESS at {STAGE}")
    assert paused.end() == "SUCCEEDED"
    message = post(path, body).json["errorMessage"]
    assert by in message and message.endswith("and the update has ended with SUCCEEDED")
    assert paused.sent == 1 and len(paused.answers) == 1


def test_a_hook_that_the_deployment_does_not_await_is_409_and_names_the_awaited_one(paused, post):
    answer = post("/deployments/update-1/approve", {"hookId": "ecs-pause-other"})
    assert answer.status == 409 and answer.json["errorMessage"].endswith(
        "hook ecs-pause-other awaits no answer: the service deployment is IN_PROGRESS at "
        f"{STAGE} and awaits hook {paused.hook.id}"
    )
    paused.world.pass_time(3600)
    text = paused.answer().text
    assert f"{paused.hook.id} awaits no answer: it is TIMED_OUT, and the service" in text
    answer = post("/deployments/other/approve", {"hookId": paused.hook.id})
    assert (answer.status, answer.json["errorType"]) == (404, "DeploymentNotFoundError")
    assert not paused.sent and not paused.answers


@pytest.mark.parametrize("hook_id", ["function", "other"])
def test_of_several_hooks_the_awaited_one_is_named(paused, hook_id):
    details = [
        {"hookId": "function", "status": "IN_PROGRESS", "targetType": "AWS_LAMBDA"},
        {"hookId": "earlier", "status": "SUCCEEDED", "targetType": "PAUSE"},
        {"hookId": "awaited", "status": AWAITED, "targetType": "PAUSE"},
    ]
    paused.world.ecs.show(lifecycleHookDetails=details)
    text = paused.answer(hook=SimpleNamespace(id=hook_id)).text
    assert text.endswith(f"IN_PROGRESS at {STAGE} and awaits hook awaited"), text


def test_a_hook_that_awaits_an_action_is_answered_without_its_type(paused):
    hook = paused.hook
    paused.world.ecs.show(lifecycleHookDetails=[{"hookId": hook.id, "status": "AWAITING_ACTION"}])
    assert paused.answer(hook=hook).answer["hookId"] == hook.id
    assert (hook.status, paused.sent) == ("SUCCEEDED", 1)


@pytest.mark.parametrize(
    "settings, error, sentence",
    [
        (
            {"APPROVALS": ""},
            "ApprovalsOffError",
            "APPROVALS is off: set it to on (the parameter Approvals)",
        ),
        ({"APPROVALS": "yes"}, "ConfigurationError", "APPROVALS is 'yes': set it to off or on"),
        ({"ALLOWED_SERVICES": "other/*"}, "NotAllowedError", "ALLOWED_SERVICES=other/*"),
    ],
)
def test_a_setting_that_does_not_allow_it_is_named_and_nothing_is_sent(
    paused, settings, error, sentence
):
    outcome = paused.answer(**settings)
    assert outcome.verdict == error and sentence in outcome.text
    assert not paused.sent and not paused.answers


def test_without_a_ledger_no_hook_is_known(make_world):
    world, call = make_world(ledger=False), Call()
    answer = HookAnswer("update-1", "hook", CONTINUE)
    outcome = world.outcome_of(
        lambda: answer_hook(answer, ON, world.boundary, call, None).to_json()
    )
    assert outcome.verdict == "ConfigurationError" and "LEDGER_TABLE is empty" in outcome.text


def test_each_step_of_a_canary_has_a_hook_of_its_own_and_each_answer_is_kept(make_world):
    hook = pause_at("PRE_PRODUCTION_TRAFFIC_SHIFT", minutes=60)
    paused = Paused(make_world(configuration=configuration_of("CANARY", hook, bake=1)))
    first = paused.hook
    assert paused.answer(caller="first").answer
    paused.world.pass_time(120)
    second = paused.hook
    assert second is not first and paused.answer(hook=first).verdict == "HookNotAwaitedError"
    assert paused.answer(caller="second").answer
    assert paused.end() == "SUCCEEDED"
    assert [caller for _, _, caller, _ in paused.answers] == ["first", "second"]


def test_the_answer_to_the_hook_of_a_rollback_reaches_its_deployment(make_world):
    """The rollback by UpdateService has hooks, too."""
    paused = Paused(make_world(configuration=PAUSED))
    paused.answer()
    paused.world.pass_time(300)
    paused.world.reconcile()
    outcome = paused.world.send({**ROLLBACK_EVENT, "request_id": "back"})
    assert outcome.verdict == "IN_PROGRESS"
    paused.world.pass_time(60)
    given = HookAnswer("back", paused.hook.id, CONTINUE)
    call = Call("x", "me", lambda: 29.0, paused.world.clock)
    environment = paused.world.environment | ON
    answer_hook(given, environment, paused.world.boundary, call, paused.world.table)
    assert paused.hook.status == "SUCCEEDED"


def test_the_answer_is_sent_to_the_account_and_region_of_the_service(paused):
    """The client of home knows no deployment of a target."""
    world, arns = paused.world, []

    class Home:
        """The client of another account, with a target for that of the service."""

        def for_arn(self, arn):
            """The client of the ARN's account."""
            arns.append(arn)
            return world.boundary

    given, environment = HookAnswer("update-1", paused.hook.id, CONTINUE), world.environment | ON
    answer_hook(given, environment, Home(), Call(caller="me", clock=world.clock), world.table)
    assert arns == [world.ecs.service.arn] and paused.sent == 1


@pytest.mark.parametrize("status", ["STOP_REQUESTED", "ROLLBACK_REQUESTED"])
def test_a_hook_of_a_deployment_that_is_being_stopped_awaits_no_answer(paused, status):
    paused.world.ecs.show(
        status=status, lifecycleHookDetails=[{"hookId": paused.hook.id, "status": AWAITED}]
    )
    outcome = paused.answer()
    assert outcome.verdict == "HookNotAwaitedError" and not paused.sent and not paused.answers
    assert outcome.text.endswith(f"awaits no answer: the service deployment is {status} at {STAGE}")


def test_a_hook_of_somebody_elses_deployment_is_not_answered_for_the_update(paused):
    """ECS had not named the update's service deployment yet."""
    world, table = paused.world, paused.world.table
    table.put(Put(to_item(replace(paused.entry, service_deployment_arn=None))))
    world.ecs.redeploy()
    world.pass_time(60)
    outcome = paused.answer()
    assert outcome.verdict == "HookNotAwaitedError" and not paused.sent
    assert outcome.text.endswith("awaits no answer: the update has no service deployment")


@pytest.mark.parametrize("caller, stored", [(None, "unknown"), ("a\nb", "a\\nb")])
def test_the_caller_of_an_answer_is_one_line(paused, caller, stored):
    assert paused.answer(caller=caller).answer["by"] == stored


def test_a_hook_is_shown_until_it_is_answered(paused):
    world, hook = paused.world, paused.hook
    path = PROJECT / "testing/events/eventbridge/HOOK_AWAITING_ACTION.json"
    assert world.reconcile(json.loads(path.read_text("utf-8"))).open == 1
    queries = UpdateQueries(world.table)
    shown = get_routes.deployment(queries, "update-1")["rollout"]
    assert (shown["stage"], shown["hook"]["id"], shown["hook"]["awaits"]) == (
        STAGE,
        hook.id,
        "approval",
    )
    status = status_of(to_item(paused.entry))
    assert (status.state, status.hook_id) == (State.AWAITING_APPROVAL, hook.id)
    paused.answer(hook=hook)
    assert status_of(to_item(paused.entry)).state is State.DEPLOYING
    world.pass_time(20)
    world.reconcile()
    assert "hook" not in get_routes.deployment(queries, "update-1")["rollout"]


def test_a_hook_is_shown_while_the_update_waits(make_world):
    """Somebody answers it beside the updater."""
    world, shown, hooks = make_world(configuration=PAUSED), [], []
    client = world.ecs.client()

    def answer():
        deployment = world.ecs.service.history[-1]
        hooks.append(deployment.awaited.id)
        client.continue_service_deployment(serviceDeploymentArn=deployment.arn, hookId=hooks[0])

    def read():
        shown.append((awaited_hook(to_item(world.history[0])) or {}).get("id"))

    for seconds, action in ((70, read), (71, answer), (110, read)):
        world.ecs.clock.after(seconds, action)
    assert world.send(request_id="update-1", wait_seconds=600).verdict == "SUCCEEDED"
    assert shown == [*hooks, None]


def test_the_event_of_a_hook_wakes_the_reconciler_for_its_service(paused):
    path = PROJECT / "testing/events/eventbridge/HOOK_AWAITING_ACTION.json"
    event = json.loads(path.read_text("utf-8"))
    assert paused.world.reconcile(event).open == 1
    other = {**event, "detail": {**event["detail"], "serviceArn": "arn:aws:ecs:e:1:service/a/b"}}
    assert paused.world.reconcile(other).open == 0

"""Approvals: a PAUSE hook is answered once, by whoever was first, and the ledger has who it was.

Two answers at once, lost responses and kills make no second one.
"""

import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ecs_updater.api import get_routes, post_routes
from ecs_updater.api.query import DeploymentsQuery
from ecs_updater.aws.dynamodb import Put
from ecs_updater.context import Call
from ecs_updater.deployments.approvals import answer_hook
from ecs_updater.ledger.approvals import SENDING_SECONDS, Approvals
from ecs_updater.ledger.entry import to_item
from ecs_updater.ledger.lease import LEASE_SECONDS
from ecs_updater.ledger.queries import UpdateQueries
from ecs_updater.model.hook import (
    APPROVE,
    AWAITED,
    CONTINUE,
    REJECT,
    ROLLBACK,
    Approval,
    HookAnswer,
)
from ecs_updater_cli.batch.state import State, awaited_hook, status_of
from fakes.memory_dynamodb import MemoryDynamodb
from fakes.simulated_ecs import Timing, configuration_of, pause_at
from fakes.wire import DENIED, SERVER_ERROR, THROTTLED, TIMED_OUT
from support.http import REQUEST_ID, ask
from support.make import PROJECT
from support.rollout_world import ROLLBACK as ROLLBACK_EVENT
from support.rollout_world import Function
from support.sampling import sample
from support.trouble import FAILURES, KILLS, Reach, Trouble

STAGE = "POST_TEST_TRAFFIC_SHIFT"
PAUSED = configuration_of("BLUE_GREEN", pause_at(STAGE, minutes=60), bake=1)
ON = {"APPROVALS": "on"}
CALL = "ContinueServiceDeployment"
STATUS = {CONTINUE: "SUCCEEDED", ROLLBACK: "FAILED"}
VERDICT = {CONTINUE: "SUCCEEDED", ROLLBACK: "ROLLED_BACK"}
_NUMBERS = itertools.count(1)


class Paused:
    """An update whose deployment awaits an answer."""

    def __init__(self, world, **fields):
        self.world, self.fields = world, {"request_id": "update-1", **fields}
        assert world.send(**self.fields).verdict in ("IN_PROGRESS", "TIMED_OUT")
        world.pass_time(60)
        assert self.deployment.awaited, self.deployment.stage

    @property
    def deployment(self):
        """The service deployment."""
        return self.world.ecs.service.history[-1]

    @property
    def hook(self):
        """The hook that was reached last."""
        return self.deployment.hooks[-1]

    @property
    def entry(self):
        """The update in the ledger."""
        return next(each for each in self.world.history if each.request_id == "update-1")

    @property
    def answers(self):
        """Of each answer in the ledger the hook, the action, the caller and whether ECS took it."""
        return [
            (each.hook_id, each.action, each.caller, each.is_confirmed)
            for each in self.entry.approvals
        ]

    @property
    def sent(self):
        """How often ContinueServiceDeployment was sent."""
        return self.world.ecs.operations.count(CALL)

    def answer(self, action=CONTINUE, hook=None, caller="me", **settings):
        """Answers the hook in a process of its own."""
        call = Call(f"answer-{next(_NUMBERS)}", caller, lambda: 29.0, self.world.clock)
        given = HookAnswer("update-1", (hook or self.hook).id, action)
        environment = {**self.world.environment, **ON, **settings}
        boundary, table = self.world.boundary, self.world.table
        return self.world.outcome_of(
            lambda: answer_hook(given, environment, boundary, call, table).to_json()
        )

    def end(self):
        """Lets the reconciler end the update. Returns the verdict."""
        (ended,) = self.world.finish(60)
        return ended.verdict


@pytest.fixture(name="paused")
def _paused(make_world):
    return Paused(make_world(configuration=PAUSED))


@pytest.fixture(name="post")
def _post(paused):
    """Posts to the handler."""
    world = paused.world

    def answer(given, call):
        call = replace(call, clock=world.clock)
        return answer_hook(given, world.environment | ON, world.boundary, call, world.table)

    resolve = post_routes.update_app(lambda *_: {}, answer).resolve
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
        "by": "API key a1b2, address 192.0.2.7",
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
    by = "approved by address 192.0.2.7 at "
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
    world, asked = paused.world, []

    class Home:
        """The client of another account, with a target for that of the service."""

        def for_arn(self, arn):
            """The client of the ARN's account."""
            asked.append(arn)
            return world.boundary

    given, environment = HookAnswer("update-1", paused.hook.id, CONTINUE), world.environment | ON
    answer_hook(given, environment, Home(), Call(caller="me", clock=world.clock), world.table)
    assert asked == [world.ecs.service.arn] and paused.sent == 1


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


# While the update is waited for


@pytest.mark.parametrize("action", [CONTINUE, ROLLBACK])
def test_an_update_that_waits_keeps_the_answer_that_came_meanwhile(make_world, action):
    """It holds the lease, and writes its entry as a whole."""
    world = make_world(configuration=PAUSED)
    answers = []

    def answer():
        paused = Paused.__new__(Paused)
        paused.world = world
        process, world.process = world.process, None
        answers.append(paused.answer(action))
        world.process = process

    world.ecs.clock.after(70, answer)
    outcome = world.send(request_id="update-1", wait_seconds=600)
    assert answers[0].answer and outcome.verdict in ("SUCCEEDED", "RolloutRolledBackError")
    (entry,) = world.history
    assert entry.is_ended and [each.action for each in entry.approvals] == [action]
    assert entry.approvals[0].is_confirmed


def test_an_update_that_waits_keeps_each_of_several_answers(make_world):
    """It knows the first one when the second one comes."""
    hook = pause_at("PRE_PRODUCTION_TRAFFIC_SHIFT", minutes=60)
    world = make_world(configuration=configuration_of("CANARY", hook, bake=1))
    answers = []

    def answer():
        paused = Paused.__new__(Paused)
        paused.world = world
        process, world.process = world.process, None
        if paused.deployment.awaited:
            answers.append(paused.answer(caller=f"number {len(answers)}"))
        world.process = process

    for seconds in range(60, 600, 60):
        world.ecs.clock.after(seconds, answer)
    assert world.send(request_id="update-1", wait_seconds=700).verdict == "SUCCEEDED"
    (entry,) = world.history
    assert all(each.answer for each in answers)
    assert [each.caller for each in entry.approvals] == ["number 0", "number 1"]
    assert all(each.is_confirmed for each in entry.approvals)


def test_an_answer_that_is_stored_when_the_update_ends_stays(paused):
    assert paused.answer(caller="first").answer
    world, approvals = paused.world, Approvals(paused.world.table, paused.world.clock.epoch)
    at = paused.entry.approvals[0].at
    late = Approval("late", "ecs-pause-other", CONTINUE, "second", at)
    writes = "TransactWriteItems"
    world.before(writes, lambda: approvals.claim(paused.entry, late), service="dynamodb")
    world.pass_time(300)
    world.reconcile()
    assert paused.entry.verdict == "SUCCEEDED"
    assert [caller for _, _, caller, _ in paused.answers] == ["first", "second"]


# Two at once, lost responses, kills


@pytest.mark.parametrize("first", [CONTINUE, ROLLBACK])
@pytest.mark.parametrize("second", [CONTINUE, ROLLBACK])
def test_of_two_answers_at_once_one_is_sent_and_the_other_is_409(paused, first, second):
    others = []
    paused.world.before(CALL, lambda: others.append(paused.answer(second, caller="second")))
    process = paused.world.process
    outcome = paused.answer(first, caller="first")
    assert process is not paused.world.process and outcome.answer
    assert others[0].verdict == "HookNotAwaitedError"
    word = {CONTINUE: "approved", ROLLBACK: "rejected"}[first]
    assert f"it is being {word} by first since " in others[0].text
    assert paused.answers == [(paused.hook.id, first, "first", True)] and paused.sent == 1
    assert paused.hook.status == STATUS[first]


def test_of_two_answers_that_read_the_hook_at_once_one_is_sent(paused):
    others = []
    is_first = [True]

    def answer():
        if is_first.pop() if is_first else False:
            others.append(paused.answer(ROLLBACK, caller="second"))

    paused.world.before("UpdateItem", answer, times=9, service="dynamodb")
    outcome = paused.answer(CONTINUE, caller="first")
    assert others[0].answer and outcome.verdict == "HookNotAwaitedError"
    assert "it was rejected by second at " in outcome.text
    assert paused.answers == [(paused.hook.id, ROLLBACK, "second", True)] and paused.sent == 1


def test_an_answer_to_an_update_that_ends_meanwhile_is_not_stored(paused):
    client, deployment, hook = paused.world.ecs.client(), paused.deployment, paused.hook

    def end():
        client.continue_service_deployment(serviceDeploymentArn=deployment.arn, hookId=hook.id)
        assert paused.end() == "SUCCEEDED"

    paused.world.before("UpdateItem", end, service="dynamodb")
    outcome = paused.answer(ROLLBACK)
    assert outcome.verdict == "HookNotAwaitedError" and not paused.answers and paused.sent == 1
    assert outcome.text.endswith("awaits no answer: the update has ended with SUCCEEDED")


def test_an_answer_that_ecs_has_taken_stays_the_only_one_where_ecs_shows_it_late(paused):
    hook = paused.hook
    assert paused.answer(caller="first").answer
    late = [{"hookId": hook.id, "status": AWAITED, "targetType": "PAUSE"}]
    paused.world.ecs.show(status="IN_PROGRESS", lifecycleHookDetails=late)
    paused.world.pass_time(SENDING_SECONDS + 1)
    outcome = paused.answer(ROLLBACK, hook=hook, caller="second")
    assert outcome.verdict == "HookNotAwaitedError" and paused.sent == 1
    assert "it was approved by first at " in outcome.text
    assert paused.answers == [(hook.id, CONTINUE, "first", True)]


def test_an_answer_that_somebody_gave_beside_the_updater_is_409_and_not_recorded(paused):
    client, deployment, hook = paused.world.ecs.client(), paused.deployment, paused.hook

    def answer():
        client.continue_service_deployment(serviceDeploymentArn=deployment.arn, hookId=hook.id)

    paused.world.before(CALL, answer)
    outcome = paused.answer(ROLLBACK)
    assert outcome.verdict == "HookNotAwaitedError"
    assert f"hook {hook.id} awaits no answer: it is SUCCEEDED, and " in outcome.text
    assert not paused.answers and paused.end() == "SUCCEEDED"


@pytest.mark.parametrize("fault", [TIMED_OUT, SERVER_ERROR], ids=["timed out", "500"])
@pytest.mark.parametrize("after_effect", [True, False])
def test_after_a_lost_response_the_hook_is_read_before_anything_is_sent_again(
    paused, fault, after_effect
):
    paused.world.ecs.fail(CALL, fault, after_effect=after_effect)
    begin = len(paused.world.ecs.operations)
    assert paused.answer().answer["confirmed"]
    operations = paused.world.ecs.operations[begin:]
    read = "DescribeServiceDeployments"
    assert operations == [read, CALL, read] + ([] if after_effect else [CALL])
    assert paused.answers == [(paused.hook.id, CONTINUE, "me", True)]


@pytest.mark.parametrize("status", ["IN_PROGRESS", "NEWER", None])
def test_an_answer_that_may_have_been_taken_stays_in_the_ledger(paused, status):
    """The status of the hook does not show it, or ECS does not list the hook any more."""
    hook, ecs = paused.hook, paused.world.ecs
    listed = [{"hookId": hook.id, "status": status, "targetType": "PAUSE"}] if status else []
    ecs.fail(CALL, TIMED_OUT, after_effect=True)
    paused.world.before(CALL, lambda: ecs.show(lifecycleHookDetails=listed))
    outcome = paused.answer()
    assert outcome.verdict == "ApprovalError" and "is not known" in outcome.text
    assert paused.answers == [(hook.id, CONTINUE, "me", False)] and paused.sent == 1


def test_without_a_response_the_error_says_that_the_outcome_is_not_known(paused):
    paused.world.ecs.fail(CALL, TIMED_OUT, times=9)
    outcome = paused.answer()
    assert outcome.verdict == "ApprovalError" and paused.sent == 3
    assert outcome.text.endswith("whether ECS has taken it is not known: read the update again")
    assert "it is being approved by me since " in paused.answer(caller="second").text
    paused.world.ecs.stop_failing()
    paused.world.pass_time(SENDING_SECONDS)
    assert paused.answer(ROLLBACK, caller="second").answer
    assert paused.answers == [(paused.hook.id, ROLLBACK, "second", True)]


def test_nothing_is_sent_again_when_another_answer_may_soon_be_sent(paused):
    world = paused.world
    world.ecs.fail(CALL, TIMED_OUT, times=9)
    world.before(CALL, lambda: world.clock.sleep(SENDING_SECONDS / 2), times=9)
    assert paused.answer().verdict == "ApprovalError" and paused.sent == 1


@pytest.mark.parametrize("fault, code", [(DENIED, "AccessDenied"), (THROTTLED, "Throttling")])
def test_a_call_without_an_effect_can_be_repeated_at_once(paused, fault, code):
    paused.world.ecs.fail(CALL, fault, times=9)
    outcome = paused.answer()
    assert outcome.verdict == "ApprovalError" and code in outcome.text and not paused.answers
    paused.world.ecs.stop_failing()
    assert paused.answer().answer


def test_a_call_that_ecs_rejects_for_another_reason_is_its_reason(paused):
    refused = (400, "UnsupportedFeatureException", "The feature is not supported here.")
    paused.world.ecs.fail(CALL, refused, times=9)
    outcome = paused.answer()
    assert outcome.verdict == "ApprovalRefusedError"
    assert outcome.text.startswith("[ERROR][approval] the hook could not be answered: Unsupported")
    assert not paused.answers and paused.hook.status == "AWAITING_ACTION"


@pytest.fixture(name="function", scope="module")
def _function():
    return Function(MemoryDynamodb())


@pytest.mark.parametrize("action", [CONTINUE, ROLLBACK])
def test_after_any_fault_the_answer_again_ends_with_one_answer(function, monkeypatch, action):
    def begin():
        paused = Paused(function.world(configuration=PAUSED, timing=Timing(steady_after=2)))
        paused.world.ecs.clock.drive_sdk(monkeypatch)
        return paused

    paused = begin()
    paused.answer(action)
    requests = list(paused.world.process.sent)
    assert [operation for _, operation in requests].count(CALL) == 1
    troubles = [
        *(Trouble(at, kind) for at in range(len(requests)) for kind in KILLS),
        *(
            Trouble(at, kind, reach)
            for at in range(len(requests))
            for kind in FAILURES
            for reach in Reach
        ),
    ]
    for trouble in sample(troubles):
        paused = begin()
        hook = paused.hook
        paused.world.at_next = trouble
        first = paused.answer(action)
        paused.world.pass_time(LEASE_SECONDS + 10)
        again = paused.answer(action, hook=hook)
        assert again.answer or again.verdict == "HookNotAwaitedError", (trouble, again.text)
        assert not (first.answer and again.answer), trouble
        assert hook.status == STATUS[action], trouble
        answers = [(hook_id, *others) for hook_id, *others in paused.answers if hook_id == hook.id]
        assert answers == [(hook.id, action, "me", True)], (trouble, again.text)
        assert paused.end() == VERDICT[action], trouble


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

"""Two answers at once, lost responses and kills: a PAUSE hook is answered once.

An update that waits for its deployment keeps the answers that come meanwhile.
"""

import pytest

from ecs_updater.ledger.approvals import SENDING_SECONDS, Approvals
from ecs_updater.ledger.lease import LEASE_SECONDS
from ecs_updater.model.hook import (
    AWAITED,
    CONTINUE,
    ROLLBACK,
    Approval,
)
from fakes.memory_dynamodb import MemoryDynamodb
from fakes.simulated_ecs import Timing, configuration_of, pause_at
from fakes.wire import DENIED, SERVER_ERROR, THROTTLED, TIMED_OUT
from support.paused import CALL, PAUSED, STATUS, VERDICT, Paused
from support.rollout_world import Function
from support.sampling import sample
from support.trouble import FAILURES, KILLS, Reach, Trouble

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

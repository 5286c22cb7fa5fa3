"""`ecs-updater approve` and `reject`, on the simulated ECS with a ledger."""

import json

import pytest

from ecs_updater_cli.backends.account import Account, Ledger, caller
from ecs_updater_cli.backends.sqs import LedgerBackend
from ecs_updater_cli.batch.state import State, Status
from ecs_updater_cli.batch.tracker import Row
from ecs_updater_cli.commands.options import AccountOptions
from fakes.memory_dynamodb import MemoryDynamodb
from fakes.simulated_ecs import configuration_of, pause_at
from fakes.wire import DENIED, TIMED_OUT
from support.rollout_world import World, boundary_of

STAGE = "POST_TEST_TRAFFIC_SHIFT"
SERVICE = ("ECSCluster", "ecs-dummy-service")
PREFIX = "arn:aws:ecs:eu-west-1:123456789012:"


@pytest.fixture(name="world")
def _world(monkeypatch):
    """A world in which the command works, and whose deployment awaits an answer."""
    fake = MemoryDynamodb()
    configuration = configuration_of("BLUE_GREEN", pause_at(STAGE), bake=1)
    world = World(fake, boundary_of(fake), configuration=configuration)
    world.ecs.clock.drive_sdk(monkeypatch)

    def start(account, *_):
        account.ecs, account.clock, account.region = world.boundary, world.clock, "eu-west-1"
        account.ledger = Ledger(world.table, PREFIX)

    monkeypatch.setattr(Account, "__init__", start)
    monkeypatch.delenv("APPROVALS", raising=False)
    world.send(request_id="update-1")
    world.pass_time(60)
    return world


def hook_of(world):
    """The hook that was reached last."""
    return world.ecs.service.history[-1].hooks[-1]


@pytest.mark.parametrize(("command", "status"), [("approve", "SUCCEEDED"), ("reject", "FAILED")])
def test_an_answer_is_exit_code_0_and_a_second_one_is_1_with_the_state(run, world, command, status):
    hook = hook_of(world)
    code, out, err = run(command, *SERVICE, hook.id)
    verb = "approved" if command == "approve" else "rejected"
    assert (code, err) == (0, "")
    assert out == f"ECSCluster/ecs-dummy-service: hook {hook.id} {verb} at {STAGE}\n"
    assert hook.status == status
    (answer,) = world.history[0].approvals
    assert (answer.caller, answer.is_confirmed) == (caller(), True)
    code, out, err = run("approve", *SERVICE, hook.id)
    assert (code, out) == (1, "")
    assert err.startswith(f"hook {hook.id} awaits no answer: it was {verb} by {caller()} at ")
    assert world.ecs.operations.count("ContinueServiceDeployment") == 1


def test_programs_get_an_object(run, world):
    code, out, _ = run("approve", *SERVICE, hook_of(world).id, "--json")
    found = json.loads(out)
    assert (code, found["type"], found["requestId"]) == (0, "approval", "update-1")
    assert (found["action"], found["stage"], found["confirmed"]) == ("CONTINUE", STAGE, True)


def test_a_hook_of_an_update_that_has_ended_is_found_in_its_answers(run, world):
    first = hook_of(world).id
    assert run("approve", *SERVICE, first)[0] == 0
    world.finish(120)
    world.send(request_id="update-2", ecs_image_name="app:3")
    world.pass_time(60)
    code, _, err = run("reject", *SERVICE, first)
    assert code == 1 and "was approved by" in err
    assert err.endswith(" and the update has ended with SUCCEEDED\n")
    assert run("reject", *SERVICE, hook_of(world).id)[0] == 0


@pytest.mark.parametrize(
    ("words", "setting", "code", "sentence"),
    [
        (("ECSCluster", "other", "h"), "", 1, "the ledger ecs-updater-ledger has no update of EC"),
        (("ECSCluster", "an other", "h"), "", 2, "ecs_service_name: 'an other' is neither"),
        ((*SERVICE, "h"), "off", 2, "APPROVALS is off: set it to on"),
        ((*SERVICE, "h"), "x", 2, "the environment's APPROVALS is 'x': set it to off or on"),
        (SERVICE, "", 2, "Usage: ecs-updater approve [OPTIONS] CLUSTER SERVICE HOOK_ID"),
    ],
)
def test_what_cannot_be_answered_says_why(run, world, monkeypatch, words, setting, code, sentence):
    monkeypatch.setenv("APPROVALS", setting)
    result, out, err = run("approve", *words)
    assert (result, out) == (code, "") and err.startswith(sentence)
    assert "ContinueServiceDeployment" not in world.ecs.operations


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (DENIED, "ContinueServiceDeployment is not permitted: "),
        (TIMED_OUT, "whether ECS has taken it is not known: read the update again\n"),
    ],
)
def test_a_failed_call_is_exit_code_3(run, world, fault, sentence):
    world.ecs.fail("ContinueServiceDeployment", fault, times=9)
    code, _, err = run("approve", *SERVICE, hook_of(world).id)
    assert code == 3 and sentence in err


def test_the_row_of_a_batch_has_the_command_with_the_options_of_the_batch(world):
    account = Account("n", None, None)
    options = AccountOptions(name="team", region="eu-west-1")
    backend = LedgerBackend(account, Ledger(world.table, PREFIX), "b", options)
    event = {"ecs_cluster_name": "shop", "ecs_service_name": "web", "target": "prod"}
    row = Row(type("Member", (), {"event": event, "number": 1}))
    status = Status(State.AWAITING_APPROVAL, hook_id="h")
    hint = backend._with_command(row, status).hint  # pylint: disable=protected-access
    assert hint.startswith(
        "ecs-updater approve shop web h --target prod --name team --region eu-west-1 continues it"
    )

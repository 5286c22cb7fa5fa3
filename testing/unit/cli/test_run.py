"""`ecs-updater run`: a one-off task on the simulated ECS, and what its end looks like."""

import json

import pytest

from ecs_updater_cli.backends.account import Account
from fakes.simulated_ecs import Image
from fakes.wire import DENIED
from support.rollout_world import World

SERVICE = ("run", "ECSCluster", "ecs-dummy-service")
COMMAND = ("--", "sh", "-c", "migrate --password=hush")
NO_LOG = "its log is not in CloudWatch Logs (awslogs with a stream prefix)\n"


@pytest.fixture(name="world")
def _world(monkeypatch):
    """A world in which the command works."""
    world = World()
    world.ecs.clock.drive_sdk(monkeypatch)

    def start(account, *_):
        account.ecs, account.clock, account.region = world.boundary, world.clock, "eu-west-1"

    monkeypatch.setattr(Account, "__init__", start)
    return world


def ended(world, code, after=2):
    """The command ends with this exit code."""
    image = Image.exits(code, after=after, starts_after=2, shown_running=True)
    world.ecs.world.standalone.image = image


@pytest.mark.parametrize(
    ("task_code", "code", "shown"),
    [
        (0, 0, "exited with code 0"),
        (3, 1, "exited with code 3: Essential container in task exited"),
    ],
)
def test_the_exit_code_says_whether_the_command_has_succeeded(
    run, world, monkeypatch, task_code, code, shown
):
    ended(world, task_code)
    result, out, err = run(*SERVICE, *COMMAND)
    arn = world.ecs.world.standalone.all[0].arn
    head = f"task {arn.rpartition('/')[2]} of ECSCluster/ecs-dummy-service runs\n"
    assert (result, out) == (code, f"container ecs-dummy-container {shown}\n")
    assert err == head + NO_LOG
    monkeypatch.setattr(
        "ecs_updater.deployments.task_run.TaskRunner._log_lines", lambda *_: ["one", "tw\x1bo"]
    )
    assert run(*SERVICE, *COMMAND)[1].startswith("one\ntw\\x1bo\ncontainer ")
    found = json.loads(run(*SERVICE, "--json", *COMMAND)[1])
    assert (found["succeeded"], found["exitCode"]) == (code == 0, task_code)
    assert found["logLines"] == ["one", "tw\\x1bo"]
    assert set(world.ecs.writes) == {"RunTask"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--container", "gone", "--", "x"), "container gone not found in task definition"),
        (("--task-definition", "gone:1", "--", "x"), "gone:1: "),
        (("--", "(set)"), "run_before.command: (set) stands for a value"),
        ((), "Usage: ecs-updater run [OPTIONS] CLUSTER SERVICE -- COMMAND..."),
    ],
)
def test_invalid_arguments_are_exit_code_2_and_start_no_task(run, world, words, sentence):
    code, out, err = run(*SERVICE, *words)
    assert (code, out) == (2, "") and err.startswith(sentence)
    assert not world.ecs.world.standalone.all


def test_a_call_that_aws_rejects_or_an_interruption_says_what_goes_on(run, world, monkeypatch):
    world.ecs.fail("RunTask", DENIED)
    code, _, err = run(*SERVICE, *COMMAND)
    assert code == 3 and "hush" not in err and "run_before" not in err
    world.ecs.fail("DescribeTasks", DENIED)
    code, _, err = run(*SERVICE, *COMMAND)
    assert code == 3 and "goes on without a timeout: aws ecs stop-task --cluster ECSCl" in err

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(world.boundary, "task", interrupt)
    code, _, err = run(*SERVICE, *COMMAND)
    assert code == 130 and err.splitlines()[1] == "interrupted" and "aws ecs stop-task" in err

"""The command line refuses what ALLOWED_IMAGES and ALLOWED_SERVICES of the shell do not allow, and
shows what the worker refused.
"""

import pytest

from ecs_updater_cli.batch.state import State, Status
from fakes.scripted_batch import WEB, ScriptedBackend, batch

EVIL = "attacker.example.net/exfil:latest"


@pytest.mark.parametrize(
    "words",
    [
        "validate",
        "deploy",
        "deploy --direct",
        "deploy --direct --no-ledger",
        "deploy --dry-run",
        f"update shop web {EVIL}",
        f"update shop web {EVIL} --direct --dry-run",
    ],
)
def test_an_image_that_the_shell_does_not_allow_is_exit_code_2_before_any_call_of_aws(
    monkeypatch, file, run, words
):
    file({**WEB, "ecs_image_name": EVIL})
    monkeypatch.setenv("ALLOWED_IMAGES", "docker.io/library/*")
    monkeypatch.setattr(
        "ecs_updater_cli.commands.deploy.Account", lambda *_: pytest.fail("AWS was called")
    )
    place = "" if words.startswith("update") else "deployments.json:1:76: deployments[0]: "
    code, _, err = run(*words.split())
    assert code == 2 and err.startswith(
        f"{place}ecs_image_name {EVIL} is not allowed: ALLOWED_IMAGES=docker.io/library/*\n"
    )


def test_an_invalid_list_in_the_shell_is_exit_code_2(monkeypatch, run):
    monkeypatch.setenv("ALLOWED_SERVICES", "shop/*,")
    code, _, err = run("rollback", "shop", "web", "--direct")
    assert code == 2 and err.startswith("the environment's ALLOWED_SERVICES has the pattern ''")


@pytest.mark.parametrize(
    "states, code",
    [
        ([(State.FAILED, "NotAllowedError")], 2),
        ([(State.FAILED, "NotAllowedError"), (State.NOT_STARTED, None)], 2),
        ([(State.FAILED, "NotAllowedError"), (State.SUCCEEDED, None)], 1),
        ([(State.FAILED, "ImageNotFoundError")], 1),
        ([(State.NOT_STARTED, None)], 1),
    ],
)
def test_a_batch_of_which_the_worker_refused_everything_is_exit_code_2(wait, states, code):
    step = {
        number: Status(state, "why", error_type=kind)
        for number, (state, kind) in enumerate(states, 1)
    }
    services = [(f"web-{number}", "web:2", None) for number in step]
    assert wait(ScriptedBackend(step), batch(services), as_json=True) == code

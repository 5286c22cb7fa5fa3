"""The command line refuses what the shell's ALLOWED_IMAGES and ALLOWED_SERVICES do not allow, and
says what the worker refused.
"""

import json
import signal

import pytest

from ecs_updater_cli.batch.state import State, Status
from ecs_updater_cli.commands.options import ViewOptions
from ecs_updater_cli.commands.wait import wait_for_batch
from ecs_updater_cli.main import main
from fakes.scripted_batch import ScriptedClock, ScriptedDoor, batch, opened

EVIL = "attacker.example.net/exfil:latest"
WEB = {
    "ecs_cluster_name": "shop",
    "ecs_service_name": "web",
    "ecs_image_name": "web:2",
    "ecs_tag": {},
}


@pytest.fixture(name="run")
def _run(capsys):
    """Runs a command line: exit code and standard error."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as result:
            main(words)
        return result.value.code, capsys.readouterr().err

    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize(
    "words",
    [
        ("validate",),
        ("deploy",),
        ("deploy", "--direct"),
        ("deploy", "--direct", "--no-ledger"),
        ("deploy", "--dry-run"),
        ("update", "shop", "web", EVIL),
        ("update", "shop", "web", EVIL, "--direct", "--dry-run"),
    ],
    ids=" ".join,
)
def test_what_the_shell_does_not_allow_is_exit_code_2_before_aws_is_asked(
    monkeypatch, tmp_path, run, words
):
    (tmp_path / "deployments.json").write_text(
        json.dumps([{**WEB, "ecs_image_name": EVIL}]), "utf-8"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALLOWED_IMAGES", "docker.io/library/*")
    monkeypatch.setattr(
        "ecs_updater_cli.commands.deploy.Account", lambda *_: pytest.fail("AWS was asked")
    )
    place = "" if words[0] == "update" else "deployments.json:1:76: deployments[0]: "
    code, told = run(*words)
    assert code == 2 and told.startswith(
        f"{place}ecs_image_name {EVIL} is not allowed: ALLOWED_IMAGES=docker.io/library/*\n"
    )


def test_an_invalid_list_in_the_shell_is_exit_code_2(monkeypatch, run):
    monkeypatch.setenv("ALLOWED_SERVICES", "shop/*,")
    code, told = run("rollback", "shop", "web", "--direct")
    assert code == 2 and told.startswith("the environment's ALLOWED_SERVICES has the pattern ''")


class Refusing(ScriptedDoor):
    """A door behind which the worker refuses."""

    def __init__(self, clock, states):
        super().__init__([{}], clock)
        self.states = states

    def poll(self, waiting):
        return {row.number: self.states[row.number - 1] for row in waiting}


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
def test_a_batch_of_which_the_worker_allowed_nothing_is_exit_code_2(printer, states, code):
    clock = ScriptedClock()
    backend = Refusing(clock, [Status(state, "why", error_type=kind) for state, kind in states])
    services = batch([(f"web-{number}", "web:2", None) for number, _ in enumerate(states)])
    assert (
        wait_for_batch(opened(backend), services, ViewOptions(as_json=True), printer, clock.clock)
        == code
    )

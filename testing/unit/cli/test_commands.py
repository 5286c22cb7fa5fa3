"""The commands as they are typed: exit codes, and the sentences that go with them.

Nothing here reaches a network.
"""

import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecs_updater.aws import session, sqs
from ecs_updater.context import REAL_TIME
from ecs_updater.ledger.memory import MemoryLedger
from ecs_updater_cli.backends.account import Ledger
from ecs_updater_cli.backends.factory import local_backend, sqs_backend
from ecs_updater_cli.backends.preview import DryRun
from ecs_updater_cli.batch.state import State, Status
from ecs_updater_cli.batch.tracker import Row
from ecs_updater_cli.commands import deploy as deploy_command
from ecs_updater_cli.commands import watch
from ecs_updater_cli.commands.options import AccountOptions, ViewOptions
from ecs_updater_cli.commands.wait import wait_for_batch
from ecs_updater_cli.errors import AwsError
from ecs_updater_cli.output.terminal import Printer
from fakes.scripted_batch import BATCH, ScriptedClock, ScriptedDoor, batch, opened

WEB = {
    "ecs_cluster_name": "shop",
    "ecs_service_name": "web",
    "ecs_image_name": "web:2",
    "ecs_tag": {},
}


@pytest.fixture(autouse=True)
def _shell(monkeypatch, tmp_path):
    """A shell in an empty directory, with credentials that open nothing."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    given = {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "COLUMNS": "100",
    }
    none = {
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in {**given, **none}.items():
        monkeypatch.setenv(name, value)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture(name="file")
def _file(tmp_path):
    """Writes a file of deployments; its name."""

    def write(value: object, name: str = "deployments.json") -> str:
        (tmp_path / name).write_text(json.dumps(value), "utf-8")
        return name

    return write


def test_a_good_file_is_exit_code_0_and_says_what_is_in_it(run, file):
    file([WEB, {**WEB, "ecs_service_name": "api", "group": "edge"}])
    assert run("validate") == (0, "deployments.json: 2 services in 1 group, nothing is wrong\n", "")


def test_what_is_wrong_in_the_file_is_exit_code_2_before_anything_is_asked_of_aws(run, file):
    file([{**WEB, "ecs_image_name": 7}])
    said = (
        "deployments[0].ecs_image_name: 7 is not of type 'string'; 7 is a number here: "
        'write "7", in quotes'
    )
    problem = f"deployments.json:1:76: {said}"
    for command in ("validate", "deploy"):
        assert run(command) == (2, "", f"{problem}\n1 problem: nothing was sent\n")


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="only Linux has a device that is always full"
)
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-m", "ecs_updater_cli", "validate"], ""),
        (
            ["-m", "fakes.scripted_batch", "{}"],
            f"detached: resume with ecs-updater watch {BATCH}\n",
        ),
    ],
    ids=["a command", "a batch that is followed"],
)
def test_output_that_cannot_be_written_is_one_sentence_and_a_batch_is_not_left_without_a_word(
    file, arguments, told
):
    file([WEB])
    testing = Path(__file__).resolve().parents[2]
    shell = os.environ | {"PYTHONPATH": f"{testing.parent / 'lambda_code'}:{testing}"}
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=shell,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr.endswith(f"the output cannot be written: No space left on device\n{told}")
    assert done.returncode == (130 if told else 1)


def test_arguments_that_mean_nothing_are_exit_code_2(run, file):
    file([WEB])
    assert run("deploy", "--no-such-option")[0] == 2
    assert run("deploy", "--max-failures", "0")[0] == 2
    code, _, err = run("deploy", "-i", "--json")
    assert (code, err) == (
        2,
        "--interactive is for people and --json for programs: take one of them\n",
    )
    code, _, err = run("deploy", "--no-ledger")
    assert (code, err) == (
        2,
        "--no-ledger goes with --direct: the queue's worker needs the ledger\n",
    )
    code, _, err = run("update", "shop", "web", "WEB:1", "--tag", "a=;")
    assert code == 2 and err.startswith("ecs_image_name: image 'WEB:1' is not a valid reference")
    code, _, err = run("update", "shop", "web", "web:1", "--tag", "nothing")
    assert (code, err) == (2, "--tag 'nothing': write KEY=VALUE\n")
    code, _, err = run("rollback", "shop", "a b")
    assert code == 2 and err.startswith("ecs_service_name: 'a b' is neither the name of a service")


@pytest.mark.parametrize(
    ("shell", "words", "sentence"),
    [
        (
            {"AWS_DEFAULT_REGION": ""},
            (),
            "there is no region: name one with --region, or set AWS_DEFAULT_REGION",
        ),
        (
            {},
            ("--profile", "nope"),
            "The config profile (nope) could not be found: aws configure list-profiles",
        ),
        (
            {"AWS_ENDPOINT_URL": "nonsense"},
            (),
            "Invalid endpoint: nonsense: check --region and AWS_ENDPOINT_URL",
        ),
        (
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            (),
            "there are no credentials: log in (aws configure, aws sso",
        ),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
            (),
            'Could not connect to the endpoint URL: "http://127.0.0.1:9/": check',
        ),
    ],
)
def test_aws_that_is_not_to_be_had_is_exit_code_3_and_one_sentence(
    run, file, monkeypatch, shell, words, sentence
):
    file([WEB])
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    for name, value in shell.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)  # pylint: disable=expression-not-assigned
    code, out, err = run("deploy", *words)
    assert (code, out) == (3, "") and err.startswith(sentence) and err.count("\n") == 1


def test_without_a_queue_or_a_ledger_a_sentence_says_what_to_do(run, file, monkeypatch):
    file([WEB])
    monkeypatch.setattr(sqs, "queue_url", lambda name: None)
    code, _, err = run("deploy")
    assert code == 3 and err.startswith(
        "there is no queue ecs-updater-fleet.fifo in eu-west-1: add --direct"
    )
    monkeypatch.setattr(sqs, "queue_url", lambda name: "https://queue")
    monkeypatch.setattr(session, "table_arn", lambda name: None)
    code, _, err = run("deploy", "--name", "other")
    assert code == 3 and err.startswith("there is no table other-ledger in eu-west-1: ")


def test_a_dry_run_without_a_ledger_does_not_ask_for_one(run, file, monkeypatch):
    file([WEB])
    asked = []
    monkeypatch.setattr(session, "table_arn", asked.append)
    monkeypatch.setattr(DryRun, "plans", lambda *_: [])
    assert run("deploy", "--direct", "--no-ledger", "--dry-run")[0] == 0 and not asked
    assert run("deploy", "--direct", "--dry-run")[0] == 0 and asked == ["ecs-updater-ledger"]


def test_an_update_without_tags_leaves_them_and_with_tags_adds_them(run, monkeypatch):
    given = []
    monkeypatch.setattr(
        "ecs_updater_cli.commands.update.deploy_batch",
        lambda events, *_: given.extend(events) or 0,
    )
    assert run("update", "shop", "web", "web:2")[0] == 0
    assert (
        run(
            "update",
            "shop",
            "web",
            "web:2",
            "--tag",
            "a=b=c",
            "--replace-tags",
            "--force",
            "--container",
            "app",
        )[0]
        == 0
    )
    assert given == [
        {**WEB, "ecs_tag_mode": "merge"},
        {
            **WEB,
            "ecs_tag": {"a": "b=c"},
            "ecs_tag_mode": "replace",
            "ecs_container_name": "app",
            "force_new_deployment": True,
        },
    ]


def interrupted(*_):
    """Somebody presses Ctrl-C."""
    raise KeyboardInterrupt


def test_ctrl_c_before_anything_was_begun_says_so(run, file, monkeypatch):
    file([WEB])
    monkeypatch.setattr(deploy_command, "Account", interrupted)
    assert run("deploy") == (130, "", "stopped: no update was started\n")
    monkeypatch.setattr(watch, "Account", interrupted)
    assert run("watch", BATCH) == (130, "", "interrupted\n")


class Interrupting(ScriptedDoor):
    """A door at which somebody presses Ctrl-C in the third look, or AWS is gone."""

    def __init__(self, clock, error):
        super().__init__([{}] * 9, clock)
        self.error, self.looks = error, 0

    def poll(self, waiting):
        self.looks += 1
        if self.looks == 3 and self.error:
            raise self.error
        return super().poll(waiting)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (
            KeyboardInterrupt(),
            130,
            "detached: resume with ecs-updater watch 20270115T080000Z-5eed\n",
        ),
        (BrokenPipeError(), 130, "detached: resume with ecs-updater watch 20270115T080000Z-5eed\n"),
        (
            AwsError("no way"),
            3,
            "no way\nnothing is lost: resume with ecs-updater watch 20270115T080000Z-5eed\n",
        ),
    ],
)
def test_who_is_interrupted_is_told_how_to_come_back_and_the_door_is_closed(
    printer, error, code, told
):
    clock, closed = ScriptedClock(), []
    backend = opened(Interrupting(clock, error), close=lambda: closed.append(clock.moment))
    assert (
        wait_for_batch(
            backend,
            batch([("web", "web:2", None)]),
            ViewOptions(as_json=True),
            printer,
            clock.clock,
        )
        == code
    )
    assert printer.err() == told and len(closed) == 1
    summary = json.loads(printer.out().splitlines()[-1])
    assert (summary["type"], summary["exitCode"]) == ("summary", code)


def test_without_a_ledger_nobody_says_that_nothing_is_lost(printer):
    clock = ScriptedClock()
    backend = opened(Interrupting(clock, AwsError("no way")), id_=None)
    assert (
        wait_for_batch(
            backend, batch([("web", "web:2", None)]), ViewOptions(), printer, clock.clock
        )
        == 3
    )
    assert printer.err() == "no way\nresume with ecs-updater watch 20270115T080000Z-5eed\n"


class Ending(Interrupting):
    """A door at which the last update ends while somebody leaves."""

    def __init__(self, clock, error, end):
        super().__init__(clock, error)
        self.end = end

    def close(self):
        """Somebody leaves."""
        self._steps = [{1: Status(self.end, "as it is")}]


@pytest.mark.parametrize(("end", "code"), [(State.SUCCEEDED, 0), (State.FAILED, 1)])
@pytest.mark.parametrize(
    ("error", "timeout", "told"),
    [(KeyboardInterrupt(), None, ""), (AwsError("no way"), None, "no way\n"), (None, 1, "")],
)
def test_an_update_that_ends_while_somebody_leaves_decides_how_the_whole_ended(
    printer, error, timeout, told, end, code
):
    clock = ScriptedClock()
    backend = Ending(clock, error, end)
    how = ViewOptions(as_json=True, timeout=timeout)
    assert (
        wait_for_batch(
            opened(backend, close=backend.close),
            batch([("web", "web:2", None)]),
            how,
            printer,
            clock.clock,
        )
        == code
    )
    summary = json.loads(printer.out().splitlines()[-1])
    assert (summary["outcome"], summary["exitCode"], summary["states"][end.value]) == (
        "over",
        code,
        1,
    )
    assert printer.err() == told


def test_who_reads_the_output_no_more_detaches():
    """As in ``| head -1``: not exit code 1, which says that an update did not succeed."""
    read, write = os.pipe()
    os.close(read)
    for options in ({"interactive": False}, {"interactive": False, "json": True}):
        command = [sys.executable, "-m", "fakes.scripted_batch", json.dumps(options)]
        shell = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            command,
            env=shell,
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            timeout=600,
            check=False,
        )
        assert (done.returncode, done.stderr) == (
            130,
            "detached: resume with ecs-updater watch 20270115T080000Z-5eed\n",
        )
    os.close(write)


LEFT = [
    Row.of(member)
    for member in batch(
        [("web", "web:2", None), ("api", "api:2", None), ("mail", "mail:2", "x")]
    ).members
]
UNDER_WAY = [
    replace(LEFT[0], status=Status(State.DEPLOYING, begun_at=1.0)),
    replace(LEFT[1], status=Status(State.RETRYING, begun_at=1.0)),
    LEFT[2],
]


def backends():
    """The three doors of one batch: through the queue, from this machine, and without a ledger."""
    prefix = "arn:aws:ecs:eu-west-1:123456789012:"
    ledger = SimpleNamespace(name="t", arn_prefix=prefix, progress=None, is_kept=True)
    in_memory = Ledger(MemoryLedger(), prefix)
    account = SimpleNamespace(ecs=None, needed_ledger=ledger, needed_queue=None, clock=REAL_TIME)
    begun, where = batch([("web", "web:2", None)]), AccountOptions()
    return (
        sqs_backend(account, begun, where),
        local_backend(account, ledger, begun, where),
        local_backend(account, in_memory, begun, where),
    )


def test_through_the_queue_whoever_leaves_is_told_whether_something_waits_for_him():
    queue, _, _ = backends()
    assert (
        queue.detach_note(UNDER_WAY, False) == "resume with ecs-updater watch 20270115T080000Z-5eed"
    )
    assert queue.detach_note(UNDER_WAY, True) == (
        "sent updates continue; resume with ecs-updater watch 20270115T080000Z-5eed, which "
        "sends the rest"
    )
    assert queue.hint(False) == "Ctrl-C detaches, and the updates go on"
    assert (
        queue.hint(True)
        == "Ctrl-C detaches: sent updates continue, the others wait for ecs-updater watch"
    )


def test_from_this_machine_whoever_leaves_is_told_what_goes_on_and_what_does_not():
    _, direct, alone = backends()
    back = "resume with ecs-updater watch 20270115T080000Z-5eed --direct"
    ends = "1 update under way (shop/web), which the reconciler finishes"
    assert direct.detach_note(UNDER_WAY, False) == f"{ends}; {back}, which starts the rest"
    assert direct.detach_note(UNDER_WAY[:1], False) == f"{ends}; {back}"
    assert direct.detach_note(UNDER_WAY[1:], True) == f"{back}, which starts the rest"
    assert alone.detach_note(UNDER_WAY[:1], False).startswith(
        "1 update under way (shop/web); without a ledger no process rolls them back on failure"
    )
    assert alone.detach_note(UNDER_WAY[1:], True) == "no update is under way"


def test_the_live_views_hint_changes_when_the_last_wave_has_begun(monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    out, clock = io.StringIO(), ScriptedClock()
    backend = ScriptedDoor(
        [{1: Status(State.SUCCEEDED)}, {2: Status(State.BEGUN)}, {2: Status(State.SUCCEEDED)}],
        clock,
    )
    services = [("web", "web:2", None), ("api", "api:2", "edge")]
    assert (
        wait_for_batch(
            opened(backend),
            batch(services),
            ViewOptions(interactive=True),
            Printer(out, io.StringIO()),
            clock.clock,
        )
        == 0
    )
    before, _, after = out.getvalue().rpartition("Ctrl-C leaves a wave behind")
    assert (
        before
        and "Ctrl-C detaches, and the updates go on" in after
        and "Ctrl-C detaches" not in before
    )

"""The commands as they are typed: exit codes, and the sentences that go with them.

Nothing here reaches a network.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import create_autospec

import pytest

from ecs_updater.aws import clients, sqs
from ecs_updater.aws.dynamodb import Table
from ecs_updater.context import REAL_TIME
from ecs_updater.ledger.memory import MemoryLedger
from ecs_updater_cli.backends.account import Account, Ledger
from ecs_updater_cli.backends.local import LocalBackend
from ecs_updater_cli.backends.sqs import SqsBackend
from ecs_updater_cli.batch.state import State, Status
from ecs_updater_cli.batch.tracker import Row
from ecs_updater_cli.commands import deploy, watch
from ecs_updater_cli.commands.options import AccountOptions
from ecs_updater_cli.errors import AwsError
from ecs_updater_cli.main import app
from fakes.scripted_batch import BATCH, WEB, ScriptedBackend, batch

RESUME = f"resume with ecs-updater watch {BATCH}"


API = {**WEB, "ecs_service_name": "api", "group": "edge"}
WRONG = {**WEB, "ecs_image_name": 7}
MERGED = {**WEB, "ecs_tag_mode": "merge"}
BACK = {"action": "rollback", "ecs_cluster_name": "shop", "ecs_service_name": "back"}
VALID = "deployments.json: 2 services, nothing is wrong\n"
BARE = (
    "an empty ecs_tag removes all tags of 2 services, and ecs_tag_mode: merge would keep them: "
    "shop/web, shop/api\n"
)
PROBLEM = (
    "deployments.json:1:76: deployments[0].ecs_image_name: 7 is not of type 'string'; "
    '7 is a number here: write "7", in quotes\n1 problem: nothing was sent\n'
)


@pytest.mark.parametrize(
    ("words", "events", "result"),
    [
        ("validate", [WEB, API], (0, VALID, BARE)),
        ("validate", [MERGED, BACK], (0, VALID, "")),
        ("validate deployments.json", [WRONG], (2, "", PROBLEM)),
        ("deploy -f deployments.json", [WRONG], (2, "", PROBLEM)),
    ],
)
def test_a_file_is_checked_before_any_call_of_aws(run, file, words, events, result):
    file(*events)
    assert run(*words.split()) == result


def test_without_a_name_the_first_default_file_is_taken(run, file, tmp_path):
    code, _, err = run("deploy")
    assert code == 2 and err.startswith(
        "this folder has no deployments.yaml, deployments.yml or deployments.json: name the file"
    )
    file(WEB)
    (tmp_path / "deployments.yaml").write_text("[]", "utf-8")
    assert run("validate")[2].startswith("deployments.yaml:1:1: deployments: the list is empty")
    assert run("validate", "a.json", "-f", "b.json")[2].startswith("there are two files")


NEEDLESS = {"rich", "yaml", "jsonschema", "botocore", "aws_lambda_powertools"}


@pytest.mark.parametrize(
    ("words", "needless"),
    [
        ("--help", NEEDLESS),
        ("deploy --help", NEEDLESS),
        ("validate", {"botocore", "aws_lambda_powertools"}),
    ],
)
def test_a_command_imports_only_what_it_needs(file, words, needless):
    file(MERGED)
    program = (
        "import contextlib, sys; from ecs_updater_cli.main import main\n"
        "with contextlib.suppress(SystemExit): main(sys.argv[2:])\n"
        "sys.exit(','.join(sorted(set(sys.argv[1].split(',')) & sys.modules.keys())))"
    )
    found = command(["-c", program, ",".join(needless), *words.split()], subprocess.DEVNULL)
    assert found == (1, "\n")  # Nothing but the end of the line of an empty message.


@pytest.mark.parametrize("name", app.commands)
def test_the_help_of_a_command_shows_no_types(run, name):
    code, out, _ = run(name, "--help")
    assert code == 0 and out.startswith(f"Usage: ecs-updater {name} [OPTIONS]")
    assert not re.search(r"<\w|\b(TEXT|PATH|INTEGER|FLOAT|BOOLEAN)\b", out)


def complete(run, monkeypatch, *words):
    """The words that bash offers for the last word: exit code, standard output, standard error."""
    monkeypatch.setenv("_ECS_UPDATER_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(["ecs-updater", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    return run()


def test_a_shell_completes_commands_and_options_and_is_silent_without_credentials(run, monkeypatch):
    assert complete(run, monkeypatch, "val") == (0, "plain,validate\n", "")
    assert complete(run, monkeypatch, "deploy", "--li") == (0, "plain,--live\n", "")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert complete(run, monkeypatch, "update", "shop", "w") == (0, "\n", "")


def command(arguments, stdout):
    """Runs Python in a process of its own: exit code and standard error."""
    shell = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, *arguments],
        env=shell,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=600,
        check=False,
    )
    return result.returncode, result.stderr


@pytest.mark.skipif(
    not os.path.exists("/dev/full"), reason="only Linux has a device that is always full"
)
@pytest.mark.parametrize(
    ("arguments", "code", "note"),
    [
        (["-m", "ecs_updater_cli", "validate"], 1, ""),
        (["-m", "fakes.scripted_batch", "{}"], 130, f"detached: {RESUME}\n"),
    ],
    ids=["a command", "a batch that is watched"],
)
def test_output_that_cannot_be_written_is_one_sentence_and_a_batch_can_be_resumed(
    file, arguments, code, note
):
    file(WEB)
    with open("/dev/full", "w", encoding="ascii") as full:
        result, err = command(arguments, full)
    assert err.endswith(f"the output cannot be written: No space left on device\n{note}")
    assert result == code


@pytest.mark.parametrize("options", [{}, {"json": True}], ids=["lines", "objects"])
def test_a_reader_that_closes_the_output_detaches_the_command(options):
    """As in ``| head -1``: not exit code 1, which means that an update did not succeed."""
    read, write = os.pipe()
    os.close(read)
    arguments = ["-m", "fakes.scripted_batch", json.dumps({"live": False, **options})]
    assert command(arguments, write) == (130, f"detached: {RESUME}\n")
    os.close(write)


BEFORE = """\
Usage: ecs-updater [OPTIONS] COMMAND [ARGS]...
Try 'ecs-updater --help' for help.

Error: No such option '--region'. Write the options of a command after its name.
"""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("deploy --no-such-option", ""),
        ("deploy --max-failures 0", ""),
        ("--region us-east-1 status", BEFORE),
        (
            "deploy --interactive --json",
            "--live is for people and --json for programs: take one of",
        ),
        (
            "deploy --no-ledger",
            "--no-ledger goes with --direct: the queue's worker needs the ledger",
        ),
        (
            "update shop web WEB:1 --tag a=;",
            "ecs_image_name: image 'WEB:1' is not a valid reference",
        ),
        ("update shop web web:1 --tag nothing", "--tag 'nothing': write KEY=VALUE\n"),
        ("update shop web", "name an IMAGE, or a setting to change, for example --env NAME=VALUE"),
        ("update shop web --env hunter2", "--env: write NAME=VALUE, or --unset-env NAME\n"),
        ("update shop web --env A=hunter2 --env A=b", "--env: 'A' is given twice\n"),
        ("update shop web --env A=hunter2 --unset-env A", "--unset-env 'A': --env sets it\n"),
        ("update shop web --secret A=hunter2", "ecs_secrets.A: write the ARN of a secret"),
        ("update shop web --command 'hunter2", "--command: No closing quotation: write one word"),
        ("update shop web --command a --command b", "--command is given 2 times: write one"),
        ("update shop web --memory 2", "ecs_memory: 2 is less than the minimum of 6"),
        ("update shop web --run-before-timeout 9", "--run-before-container and --run-before-time"),
        ("rollback shop a/b", "ecs_service_name: 'a/b' is neither the name of a service"),
        ("rollback shop web --direct", "the environment's ALLOWED_SERVICES has the pattern ''"),
    ],
)
def test_invalid_arguments_and_settings_are_exit_code_2(run, file, monkeypatch, words, sentence):
    file(WEB)
    if "ALLOWED" in sentence:
        monkeypatch.setenv("ALLOWED_SERVICES", "shop/*,")
    code, _, err = run(*words.split())
    assert code == 2 and err.startswith(sentence) and "hunter2" not in err


@pytest.mark.parametrize(
    ("words", "missing"),
    [("", "yet"), ("--cluster shop --service web", "of cluster shop, service web")],
)
def test_a_history_without_updates_says_so(run, monkeypatch, words, missing):
    table = create_autospec(Table, instance=True)
    table.configure_mock(**{"page.return_value": ([], None)})
    monkeypatch.setattr(Account, "needed_ledger", Ledger(table, "arn:aws:ecs:eu-west-1:1:"))
    result = run("history", *words.split())
    assert result == (0, "", f"the ledger has no update {missing}\n")


NO_QUEUE = "there is no queue ecs-updater-fleet.fifo in eu-west-1: add --direct"
NO_TABLE = "there is no table other-ledger in eu-west-1: "
NO_ENDPOINT = "Invalid endpoint: nonsense: check --region and AWS_ENDPOINT_URL"


@pytest.mark.parametrize(
    ("words", "queue", "sentence"),
    [
        ("deploy", None, NO_QUEUE),
        ("deploy --name other", "https://queue", NO_TABLE),
        ("status --name other", None, NO_TABLE),
        ("status", None, NO_ENDPOINT),
    ],
)
def test_without_queue_ledger_or_endpoint_a_sentence_says_what_to_do(
    run, file, monkeypatch, words, queue, sentence
):
    file(WEB)
    monkeypatch.setattr(sqs, "queue_url", lambda name: queue)
    monkeypatch.setattr(clients, "table_arn", lambda name: None)
    if sentence == NO_ENDPOINT:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    code, out, err = run(*words.split())
    assert (code, out, err.count("\n")) == (3, "", 1) and err.startswith(sentence)


def test_a_dry_run_without_a_ledger_looks_for_no_table(run, file, monkeypatch):
    file(WEB)
    names = []
    monkeypatch.setattr(clients, "table_arn", names.append)
    monkeypatch.setattr(deploy, "dry_run", lambda *_: [])
    assert run("deploy", "--direct", "--no-ledger", "--dry-run")[0] == 0 and not names
    assert run("deploy", "--direct", "--dry-run")[0] == 0 and names == ["ecs-updater-ledger"]


def test_an_update_without_tags_keeps_them_and_with_tags_adds_them(run, monkeypatch):
    events = []
    monkeypatch.setattr(
        "ecs_updater_cli.commands.deploy.deploy_batch",
        lambda given, *_: events.extend(given) or 0,
    )
    assert run("update", "shop", "web", "web:2")[0] == 0
    options = "--tag a=b=c --replace-tags --force --container app"
    assert run("update", "shop", "web", "web:2", *options.split())[0] == 0
    replaced = {"ecs_tag": {"a": "b=c"}, "ecs_tag_mode": "replace", "ecs_container_name": "app"}
    assert events == [
        {**WEB, "ecs_tag_mode": "merge"},
        {**WEB, **replaced, "force_new_deployment": True},
    ]


SECRET = "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/key"


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        (
            ["--env", "A=b=c", "--env", "EMPTY=", "--unset-env", "OLD"],
            {"ecs_environment": {"A": "b=c", "EMPTY": "", "OLD": None}},
        ),
        (
            ["--secret", f"KEY={SECRET}", "--unset-secret", "OLD"],
            {"ecs_secrets": {"KEY": SECRET, "OLD": None}},
        ),
        (["--command", "sh -c 'sleep 1; date'"], {"ecs_command": ["sh", "-c", "sleep 1; date"]}),
        (["--command", ""], {"ecs_command": []}),
        (["--cpu", "64", "--memory", "128"], {"ecs_cpu": 64, "ecs_memory": 128}),
        (
            ["--task-cpu", "256", "--task-memory", "512", "--container", "app"],
            {"ecs_task_cpu": 256, "ecs_task_memory": 512, "ecs_container_name": "app"},
        ),
    ],
)
def test_an_option_of_update_is_a_field_of_the_event_and_needs_no_image(
    run, monkeypatch, options, fields
):
    events = []
    monkeypatch.setattr(deploy, "deploy_batch", lambda given, *_: events.extend(given) or 0)
    assert run("update", "shop", "web", *options) == (0, "", "")
    assert run("update", "shop", "web", "web:2", *options) == (0, "", "")
    image = {"ecs_image_name": "web:2"}
    common = {name: value for name, value in WEB.items() if name not in image}
    event = {**common, "ecs_tag_mode": "merge", **fields}
    assert events == [event, event | image]


def interrupted(*_):
    """The user presses Ctrl-C."""
    raise KeyboardInterrupt


def test_ctrl_c_before_a_batch_has_started_says_so(run, file, monkeypatch):
    file(WEB)
    monkeypatch.setattr(deploy, "Account", interrupted)
    assert run("deploy") == (130, "", "stopped: no update was started\n")
    monkeypatch.setattr(watch, "Account", interrupted)
    assert run("watch", BATCH) == (130, "", "interrupted\n")


class InterruptedBackend(ScriptedBackend):
    """A backend whose third poll raises an error, if any.

    `end`: the state that the update has from then on.
    """

    def __init__(self, error, end=None, **options):
        super().__init__(*[{}] * 9, **options)
        self.error, self.end, self.polls = error, end, 0

    def poll(self, waiting):
        self.polls += 1
        if self.polls == 3 and self.error:
            raise self.error
        return super().poll(waiting)

    def close(self):
        super().close()
        if self.end:
            self._steps = [{1: Status(self.end, "as it is")}]


DENIED = AwsError("denied")


@pytest.mark.parametrize(
    ("error", "id_", "code", "note"),
    [
        (KeyboardInterrupt(), BATCH, 130, f"detached: {RESUME}\n"),
        (BrokenPipeError(), BATCH, 130, f"detached: {RESUME}\n"),
        (DENIED, BATCH, 3, f"denied\nnothing is lost: {RESUME}\n"),
        # Without a ledger.
        (DENIED, None, 3, f"denied\n{RESUME}\n"),
    ],
)
def test_an_interrupted_command_says_how_to_resume_and_closes_the_backend(
    wait, printer, error, id_, code, note
):
    backend = InterruptedBackend(error, id_=id_)
    assert wait(backend, as_json=True) == code
    assert printer.err() == note and backend.is_closed
    summary = json.loads(printer.out().splitlines()[-1])
    assert (summary["type"], summary["exitCode"]) == ("summary", code)


@pytest.mark.parametrize(("end", "code"), [(State.SUCCEEDED, 0), (State.FAILED, 1)])
@pytest.mark.parametrize(
    ("error", "timeout", "note"),
    [(KeyboardInterrupt(), None, ""), (DENIED, None, "denied\n"), (None, 1, "")],
)
def test_an_update_that_ends_while_the_command_detaches_decides_the_exit_code(
    wait, printer, error, timeout, note, end, code
):
    assert wait(InterruptedBackend(error, end), as_json=True, timeout=timeout) == code
    summary = json.loads(printer.out().splitlines()[-1])
    assert (summary["outcome"], summary["exitCode"]) == ("over", code)
    assert summary["states"][end.value] == 1 and printer.err() == note


SERVICES = [("web", "web:2", None), ("api", "api:2", None), ("mail", "mail:2", "x")]
WAITING = [Row(member) for member in batch(SERVICES).members]
UNDER_WAY = [
    replace(WAITING[0], status=Status(State.DEPLOYING, begun_at=1.0)),
    replace(WAITING[1], status=Status(State.RETRYING, begun_at=1.0)),
    WAITING[2],
]


@pytest.fixture(name="backends")
def _backends():
    """The backends of one batch: the queue, this machine, and this machine without a ledger."""
    prefix = "arn:aws:ecs:eu-west-1:123456789012:"
    ledger = SimpleNamespace(name="t", arn_prefix=prefix, progress=None, is_kept=True)
    account = SimpleNamespace(ecs=None, needed_ledger=ledger, needed_queue=None, clock=REAL_TIME)
    return (
        SqsBackend(account, BATCH, AccountOptions()),
        LocalBackend(account, ledger, BATCH, AccountOptions()),
        LocalBackend(account, Ledger(MemoryLedger(), prefix), BATCH, AccountOptions()),
    )


GOES_ON = f"started updates continue, and the reconciler finishes them; {RESUME}"
HINT = "Ctrl-C detaches: started updates continue, the others wait for ecs-updater watch"
LOST = (
    "1 update under way (shop/web); without a ledger no process rolls them back on failure: "
    "ecs-updater status shows them"
)
STOPS = "Ctrl-C stops: no other process starts or rolls back the rest"


@pytest.mark.parametrize(
    ("number", "under_way", "others", "hint"),
    [
        (0, GOES_ON, GOES_ON, HINT),
        (1, f"{GOES_ON} --direct", f"{GOES_ON} --direct", HINT),
        (2, LOST, "no update is under way", STOPS),
    ],
    ids=["queue", "this machine", "this machine without a ledger"],
)
def test_a_backend_says_what_goes_on_and_what_waits_for_the_command(
    backends, number, under_way, others, hint
):
    backend = backends[number]
    assert backend.detach_note(UNDER_WAY) == under_way
    assert backend.detach_note(UNDER_WAY[1:]) == others
    assert backend.hint == hint


# ALLOWED_IMAGES and ALLOWED_SERVICES of the shell, and refusals of the worker.

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

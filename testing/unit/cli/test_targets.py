"""Commands about services of other accounts and regions, on simulated accounts."""

import json
import time
from types import SimpleNamespace

import pytest

from ecs_updater.aws import clients
from ecs_updater.aws.dynamodb import Table
from ecs_updater.context import Clock
from ecs_updater.ledger.batch import Member
from ecs_updater.ledger.memory import MemoryLedger
from ecs_updater.ledger.queries import UpdateQueries
from ecs_updater_cli.backends import local
from ecs_updater_cli.backends.account import Account, Ledger
from ecs_updater_cli.backends.preview import read_services
from ecs_updater_cli.backends.sqs import LedgerBackend, SqsBackend
from ecs_updater_cli.batch.state import State, Status, TaskCounts
from ecs_updater_cli.batch.tracker import Row, Tracker
from ecs_updater_cli.commands.options import AccountOptions
from ecs_updater_cli.output.screen import draw
from ecs_updater_cli.output.tables import updates_table
from fakes.accounts import Accounts, account_of, prefix_of
from fakes.memory_dynamodb import TABLE
from fakes.scripted_batch import WEB
from fakes.simulated_ecs import Clock as SimulatedClock
from fakes.simulated_ecs import SimulatedEcs
from fakes.wire import PREFIX

SERVICES = {"shop": {"web": {"image": "web:1", "tags": {"owner": "me"}}}}
STAGE, PROD = {**WEB, "target": "stage"}, {**WEB, "target": "prod"}
STAGE_ARN = f"{prefix_of(0)}service/shop/web"
DIRECT = ("--direct", "--no-ledger")


@pytest.fixture(name="accounts")
def _accounts():
    """The service `shop/web` at home and in the targets `stage` and `prod`."""
    home = SimulatedEcs(SimulatedClock(), services=SERVICES)
    targets = {
        name: SimulatedEcs(home.clock, services=SERVICES, prefix=prefix_of(index))
        for index, name in enumerate(("stage", "prod"))
    }
    clock = Clock(home.clock.now, home.clock.sleep, epoch=home.clock.now)
    return Accounts(clock, home, targets)


@pytest.fixture(name="run")
def _run(run, monkeypatch, accounts):
    """Runs a command without a table in the simulated accounts. Time passes when it waits."""
    monkeypatch.setattr(local, "RECONCILE_SECONDS", 0.02)
    monkeypatch.setattr(local, "_IDLE_SECONDS", 0.01)
    monkeypatch.setattr(clients, "get_session", lambda: accounts.session)
    connect = Account.__init__

    def sleep(seconds):
        time.sleep(0.01)  # For the threads of the backend.
        accounts.clock.sleep(seconds)

    def start(account, *names):
        connect(account, *names)
        account.clock = Clock(accounts.clock.now, sleep, epoch=accounts.clock.now)

    monkeypatch.setattr(Account, "__init__", start)
    monkeypatch.setattr(Account, "ledger", None)
    yield run
    clients.session.cache_clear()


def image(accounts, name):
    """The image of a target's service, or of the one at home."""
    ecs = accounts.home if name == "home" else accounts.simulated[name]
    service = ecs.world.find("web", ecs.world.arn_of("cluster", "shop")).service
    revision = service.primary.revision
    return revision.task_definition["containerDefinitions"][0]["image"]


def images(accounts):
    """The images of the three services."""
    return [image(accounts, name) for name in ("home", "stage", "prod")]


def roles(accounts):
    """The names of the assumed roles, and of their sessions."""
    return {(arn.rpartition("/")[2], session) for arn, session in accounts.assumed}


def test_an_update_is_of_the_service_in_the_target_and_takes_its_update_role(run, accounts):
    code, out, err = run("update", "shop", "web", "web:2", "--target", "stage", *DIRECT)
    assert code == 0 and "SUCCEEDED     stage/shop/web  web:2  1 of 1" in out, (out, err)
    assert images(accounts) == ["web:1", "web:2", "web:1"]
    assert roles(accounts) == {("update", "ecs-updater")}
    code, out, _ = run("rollback", "shop", "web", "--target", "stage", "--json", *DIRECT)
    last = json.loads(out.splitlines()[-2])
    assert code == 0 and image(accounts, "stage") == "web:1"
    assert (last["target"], last["cluster"], last["service"]) == ("stage", "shop", "web")
    assert STAGE_ARN.partition(":service")[0] in last["taskDefinitionArn"]["after"]


def test_commands_that_only_read_take_the_read_role(run, accounts):
    run("update", "shop", "web", "web:2", "--target", "stage", *DIRECT)
    accounts.assumed.clear()
    at = ("--target", "stage")
    code, out, _ = run("diff", "shop", "web", *at)
    assert code == 0 and out.startswith("stage/shop/web  ") and '"web:1" -> "web:2"' in out
    code, out, _ = run("export", "--cluster", "shop", *at)
    assert code == 0 and out.startswith("defaults:\n  target: stage\n  ecs_cluster_name: shop\n")
    code, out, _ = run("status", *at)
    assert code == 0 and [line.split()[0] for line in out.splitlines()] == [
        "SERVICE",
        "stage/shop/web",
    ]
    code, out, _ = run("update", "shop", "web", "web:3", *at, "--dry-run", "--json")
    assert code == 0 and json.loads(out.splitlines()[0])["target"] == "stage"
    assert roles(accounts) == {("read", "ecs-updater")}
    code, _, err = run("run", "shop", "web", *at, "--", "true")
    assert "of stage/shop/web runs" in err and ("update", "ecs-updater") in roles(accounts), err


def test_what_is_exported_from_a_target_does_not_differ_from_it(run, accounts, tmp_path):
    _, out, _ = run("export", "--cluster", "shop", "--target", "prod")
    (tmp_path / "deployments.yaml").write_text(out, "ascii")
    assert run("sync", "--check")[0] == 0
    run("update", "shop", "web", "web:2", "--target", "prod", *DIRECT)
    assert run("sync", "--check")[0] == 4
    assert run("sync", *DIRECT)[0] == 0 and images(accounts) == ["web:1"] * 3


@pytest.mark.parametrize(
    "words", ["update shop web web:2 --direct --no-ledger", "status", "export --cluster shop"]
)
def test_without_a_target_neither_the_parameter_nor_a_role_is_needed(run, accounts, words):
    accounts.parameter = "not JSON"
    assert run(*words.split())[0] == 0
    assert run(*words.split(), "--target", "home")[0] == 0
    assert not accounts.calls


REJECTED = {
    "unknown": ("stag", 2, "target: 'stag' is not in the parameter /ecs-updater/targets"),
    "of another type": ("x" * 41, 2, "target: 'x"),
}


@pytest.mark.parametrize(
    "words",
    ["update shop web web:2 --direct --no-ledger", "diff shop web", "run shop web true"],
)
@pytest.mark.parametrize(("name", "code", "sentence"), REJECTED.values(), ids=REJECTED)
def test_a_target_that_does_not_exist_is_exit_code_2(run, accounts, words, name, code, sentence):
    found, out, err = run(*words.split(), "--target", name)
    assert (found, out) == (code, "") and sentence in err, err
    assert name != "stag" or "did you mean the target stage?" in err
    assert not accounts.assumed


def test_a_parameter_that_cannot_be_used_is_one_sentence_without_the_external_id(run, accounts):
    words = ("status", "--target", "stage")
    accounts.parameter = '{"stage": {"external_id": "hush"}}'
    code, out, err = run(*words)
    assert (code, out) == (2, "") and "hush" not in err and err.count("\n") == 1
    assert err.startswith("the parameter /ecs-updater/targets: stage: 'account' is a required")
    code, out, err = run("diff", "shop", "web", *words[1:], "--name", "other")
    assert (code, out) == (3, "") and err.startswith(
        "the targets in the parameter /other/targets of eu-west-1 cannot be read: "
    ), err


@pytest.mark.parametrize("words", ["status", "diff shop web", "export --cluster shop"])
def test_a_role_that_cannot_be_assumed_is_one_sentence(run, accounts, words):
    accounts.deny("stage")
    code, out, err = run(*words.split(), "--target", "stage")
    assert (code, out) == (3, "") and err.count("\n") == 1
    role = f"arn:aws:iam::{account_of(0)}:role/read"
    assert f"target stage: the role {role} could not be assumed" in err, err


def test_a_file_names_one_service_of_three_accounts_and_each_is_updated_there(run, accounts, file):
    file(WEB, {**STAGE, "ecs_image_name": "web:3"}, {**PROD, "ecs_image_name": "web:4"})
    code, out, err = run("deploy", *DIRECT)
    assert code == 0 and "3 services" in out, (out, err)
    assert images(accounts) == ["web:2", "web:3", "web:4"]


def test_the_option_is_the_target_of_entries_that_name_none(run, accounts, file):
    file(WEB, {**PROD, "ecs_image_name": "web:3"})
    assert run("deploy", "--target", "stage", *DIRECT)[0] == 0
    assert images(accounts) == ["web:1", "web:2", "web:3"]
    file({**WEB, "target": "home"})
    assert run("sync", "--target", "stage", *DIRECT)[0] == 0
    assert images(accounts) == ["web:2", "web:2", "web:3"]


def test_a_target_whose_role_is_denied_fails_and_the_others_are_updated(run, accounts, file):
    accounts.deny("prod")
    file(WEB, STAGE, PROD)
    code, out, _ = run("deploy", "--dry-run")
    assert code == 1 and "3 services: 2 to deploy, 1 that cannot be updated" in out
    code, out, err = run("deploy", *DIRECT)
    assert code == 1 and images(accounts) == ["web:2", "web:2", "web:1"]
    assert "3 services" in out and "2 succeeded, 1 failed" in out, (out, err)
    assert "FAILED        prod/shop/web   web:2  AccessDenied: User: " in out
    assert "target prod: the role" in out and "Traceback" not in out + err
    assert "the tags of 1 service could not be read" in err


TWICE = [{**STAGE, "ecs_service_name": STAGE_ARN}, STAGE]
CASES = {
    "twice": (TWICE, "this is stage/shop/web again, which deployments[0] in line 1"),
    "an ARN without a target": (
        [{**WEB, "ecs_service_name": STAGE_ARN}, PROD],
        f"shop/web is in {prefix_of(0).rstrip(':')}, and this command works in {PREFIX[:-1]}: "
        "take another --profile or --region, or name its target",
    ),
    "an ARN of another target": (
        [{**PROD, "ecs_service_name": STAGE_ARN}],
        "prod/shop/web: target: prod is account 333333333333 in region us-east-1, but "
        f"ecs_service_name is '{STAGE_ARN}': leave one of them out",
    ),
    "an unknown name": ([WEB, {**WEB, "target": "prd"}], "prd/shop/web: target: 'prd' is not in"),
    "not a name": ([{**WEB, "target": 7}], "deployments[0].target: 7 is not of type 'string'"),
}


@pytest.mark.parametrize(("events", "sentence"), CASES.values(), ids=CASES)
def test_a_file_with_a_wrong_place_is_rejected_before_anything_is_sent(
    run, accounts, file, events, sentence
):
    file(*events)
    for options in (DIRECT, ("--dry-run",)):
        code, out, err = run("deploy", *options)
        assert (code, out) == (2, "") and sentence in err, err
    assert not accounts.assumed


def test_a_file_does_not_have_the_accounts_of_targets(run, file):
    file({**STAGE, "ecs_service_name": STAGE_ARN}, {**WEB, "target": "home"}, PROD)
    assert run("validate")[0] == 0
    file({**WEB, "ecs_service_name": STAGE_ARN}, STAGE)
    assert run("validate")[0] == 0
    assert run("deploy", *DIRECT)[0] == 2


def test_a_shell_completes_no_names_of_a_target(run, monkeypatch):
    monkeypatch.setenv("_ECS_UPDATER_COMPLETE", "bash_complete")
    words = ["ecs-updater", "update", "--target", "stage", "sh"]
    monkeypatch.setenv("COMP_WORDS", " ".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    monkeypatch.setattr("subprocess.run", None)
    assert run() == (0, "\n", "")


def rows_of(*events):
    """Rows of updates that roll out."""
    prefixes = {None: PREFIX, "stage": prefix_of(0), "prod": prefix_of(1)}
    for number, event in enumerate(events, 1):
        prefix = prefixes[event.get("target")]
        names = f"{prefix}cluster/shop", f"{prefix}service/shop/web"
        status = Status(State.DEPLOYING, cluster_arn=names[0], service_arn=names[1])
        yield Row(Member(number, f"b-{number}", event), status)


def test_a_message_is_in_the_group_of_the_service_in_its_target(accounts):
    sent = []
    ledger = Ledger(MemoryLedger(), PREFIX)
    account = SimpleNamespace(
        ecs=accounts.boundary(),
        clock=accounts.clock,
        needed_ledger=ledger,
        needed_queue=SimpleNamespace(send=sent.extend),
    )
    arn = {**WEB, "ecs_service_name": STAGE_ARN}
    SqsBackend(account, "b", AccountOptions()).start(
        [row.member for row in rows_of(WEB, STAGE, PROD)] + [Member(4, "b-4", arn)]
    )
    groups = [message.group for message in sent]
    assert len(set(groups)) == 3 and groups[3] == groups[1]
    assert [json.loads(message.body).get("target") for message in sent] == [
        *(None, "stage", "prod", None),
    ]


def test_tasks_are_counted_in_each_target_and_not_where_that_is_denied(accounts):
    accounts.deny("prod")
    account = SimpleNamespace(ecs=accounts.boundary(), clock=accounts.clock)
    backend = LedgerBackend(account, Ledger(MemoryLedger(), PREFIX), "b", AccountOptions())
    found = {}
    for _ in range(4):
        rows = [row for row in rows_of(PROD, STAGE, WEB) if row.number not in found]
        found |= backend.counts(rows)
        accounts.clock.sleep(1)
    assert found == {2: TaskCounts(1, 1), 3: TaskCounts(1, 1)}


def test_the_reads_before_a_batch_take_the_tokens_of_each_account(accounts):
    begin = accounts.clock.now()
    names = [
        (f"{prefix}cluster/shop", "web")
        for prefix in (PREFIX, prefix_of(0), prefix_of(1))
        for _ in range(35)
    ]
    found = read_services(accounts.boundary(), {}, accounts.clock, names, lambda index, _: index)
    assert list(found) == list(range(105))
    # The calls take 0.6 seconds. 105 tokens of one account would take four more.
    assert accounts.clock.now() < begin + 1


def test_one_service_by_name_and_by_arn_in_one_file_is_an_error(run, accounts, tmp_path):
    file = tmp_path / "f.yaml"
    common = 'ecs_cluster_name: shop, ecs_image_name: "web:2", ecs_tag: {}'
    for second, error in (
        (f'target: stage, ecs_service_name: "{STAGE_ARN}"', "this is stage/shop/web again"),
        (f'ecs_service_name: "{STAGE_ARN}"', "or name its target"),
    ):
        entries = [
            f"- {{{common}, {fields}}}\n"
            for fields in ("target: stage, ecs_service_name: web", second)
        ]
        file.write_text(f"deployments:\n{''.join(entries)}", "utf-8")
        code, _, err = run("deploy", str(file), *DIRECT)
        assert code == 2 and error in err, err
    assert images(accounts) == ["web:1"] * 3


def test_the_live_view_names_the_target_of_each_service():
    def text(*events):
        members = [row.member for row in rows_of(*events)]
        return [line.plain for line in draw(Tracker(members, 0.0), 1.0, 120, 20).renderables]

    title, *lines = text(WEB, STAGE)
    assert "2 clusters" in title
    assert "shop/web" in lines[3] and "stage/shop/web" in lines[4]
    assert "cluster stage/shop" in text(STAGE)[0]


def entry(prefix):
    """An entry of the ledger."""
    side = {"images": {}, "tags": {}}
    return {
        **dict.fromkeys(("begun_at", "ended_at", "updated_at", "number", "verdict")),
        "request_id": "r",
        "action": "update",
        "state": "ENDED",
        "before": side,
        "after": side,
        "service": f"{prefix}service/shop/web",
        "service_arn": f"{prefix}service/shop/web",
        "cluster_arn": f"{prefix}cluster/shop",
    }


def test_the_history_names_targets_and_selects_by_them(run, accounts, monkeypatch):
    places = [PREFIX, prefix_of(1), prefix_of(0), prefix_of(7)]
    pages = {None: ([entry(place) for place in places[:2]], "2")}
    pages["2"] = ([entry(place) for place in places[2:]], None)
    queried = []

    def of_all(*_, after=None, cluster=None):
        queried.append(cluster)
        return pages[after]

    monkeypatch.setattr(UpdateQueries, "of_all", of_all)
    ledger = Ledger(Table(TABLE, accounts.session.create_client("dynamodb")), PREFIX)
    monkeypatch.setattr(Account, "ledger", ledger)
    code, out, _ = run("history")
    names = [line.split()[1] for line in out.splitlines()[1:]]
    assert code == 0 and names == [
        *("shop/web", "prod/shop/web", "stage/shop/web"),
        f"{account_of(7)}:us-east-1/shop/web",
    ]
    code, out, _ = run("history", "--json", "--target", "stage", "--cluster", "shop")
    assert code == 0 and [json.loads(line)["target"] for line in out.splitlines()] == ["stage"]
    assert queried[-1] == f"{prefix_of(0)}cluster/shop"
    accounts.parameter = "not JSON"
    code, out, _ = run("history")
    assert code == 0 and f"{account_of(0)}:eu-central-1/shop/web" in out
    assert run("history", "--target", "stage")[0] == 2
    assert updates_table([], []).row_count == 0


def test_a_rare_target_is_searched_in_large_pages_of_the_history(run, accounts, monkeypatch):
    entries = [entry(PREFIX)] * 250 + [entry(prefix_of(0))] * 3
    sizes = []

    def of_all(_, most, after=None, cluster=None):
        del cluster
        sizes.append(most)
        last = (after or 0) + most
        return entries[last - most : last], last if last < len(entries) else None

    monkeypatch.setattr(UpdateQueries, "of_all", of_all)
    ledger = Ledger(Table(TABLE, accounts.session.create_client("dynamodb")), PREFIX)
    monkeypatch.setattr(Account, "ledger", ledger)
    code, out, _ = run("history", "--target", "stage", "--limit", "2", "--json")
    assert code == 0 and len(out.splitlines()) == 2
    assert sizes == [100] * 3
    sizes.clear()
    run("history", "--limit", "2")
    assert sizes == [2]

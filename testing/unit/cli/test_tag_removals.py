"""Where a batch replaces tags, the command says first which ones it removes: with few calls, and
without changing what follows.
"""

import json

import pytest

from ecs_updater.aws.ecs import Ecs
from ecs_updater_cli.backends.account import Account, Ledger
from ecs_updater_cli.commands import deploy as deploy_command
from ecs_updater_cli.main import main
from fakes.many_services import ManyServices, client_of, service

PREFIX = "arn:aws:ecs:eu-west-1:123456789012:"
TAGS = [{"key": key, "value": "x"} for key in ("stage", "owner", "aws:cloudformation:stack-name")]
HEAD = "ecs_tag_mode is replace: these tags are removed, and merge would keep them"


def event(name, tags=("owner",), cluster="shop", **fields):
    """An event that sets these tags."""
    names = {"ecs_cluster_name": cluster, "ecs_service_name": name, "ecs_image_name": "web:2"}
    return {**names, "ecs_tag": dict.fromkeys(tags, "x"), **fields}


@pytest.fixture(name="many")
def _many():
    """Thirty services with two tags of their own, and one with many."""
    services = {
        f"web-{number:02}": service("shop", f"web-{number:02}", tags=TAGS) for number in range(30)
    }
    services["busy"] = service(
        "shop", "busy", tags=[{"key": f"k{number:02}", "value": "x"} for number in range(50)]
    )
    return ManyServices({"shop": services})


@pytest.fixture(name="deploy")
def _deploy(monkeypatch, tmp_path, capsys, many):
    """Deploys events, up to the moment at which they would be sent: what was said before, and what
    would be sent.
    """
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    sent = []
    monkeypatch.setattr(Account, "ecs", Ecs(client_of(many)))
    monkeypatch.setattr(Account, "needed_queue", "queue")
    monkeypatch.setattr(Account, "needed_ledger", Ledger(None, PREFIX))
    monkeypatch.setattr(deploy_command, "SqsBackend", lambda *_: None)
    monkeypatch.setattr(Ledger, "save_batch", lambda _, started: sent.extend(started.members))
    monkeypatch.setattr(deploy_command, "wait_for_batch", lambda *_: 0)

    def deploy(events, *words):
        (tmp_path / "deployments.json").write_text(json.dumps(events), "utf-8")
        with pytest.raises(SystemExit) as result:
            main(["deploy", *words])
        out, err = capsys.readouterr()
        assert out == "", "standard output is for the batch"
        return result.value.code, err, len(sent)

    return deploy


@pytest.mark.parametrize(
    "words", [(), ("--direct", "--no-ledger"), ("--json",), ("--json", "--direct", "--no-ledger")]
)
def test_what_is_removed_is_said_before_anything_is_sent(deploy, many, words):
    many.before = lambda operation, _: None
    code, err, _ = deploy(
        [event("web-00"), event("web-01", ("owner", "stage")), event("web-02", ())], *words
    )
    assert code == 0 and err.endswith(
        f"{HEAD}\n  shop/web-00: stage\n  shop/web-02: owner, stage\n"
    )
    # Without a ledger one more checks the connection.
    assert many.calls == {"DescribeServices": 2 if "--no-ledger" in words else 1}


def test_ten_services_are_one_call_and_each_is_one_line(deploy, many):
    _, err, sent = deploy([event(f"web-{number:02}") for number in range(30)])
    assert many.calls == {"DescribeServices": 3} and sent == 30
    assert err.splitlines() == [HEAD, *(f"  shop/web-{number:02}: stage" for number in range(30))]


@pytest.mark.parametrize(
    "one",
    [
        event("web-00", ("owner", "stage", "new")),
        event("web-00", (), ecs_tag_mode="merge"),
        {"action": "rollback", "ecs_cluster_name": "shop", "ecs_service_name": "web-00"},
        event("no-such-service"),
        event("web-00", cluster="no-such-cluster"),
    ],
    ids=["no tag less", "merge", "a rollback", "no service", "no cluster"],
)
def test_where_nothing_is_removed_nothing_is_said(deploy, one):
    assert deploy([one]) == (0, "", 1)


def test_what_could_not_be_read_is_said_in_one_line_and_changes_nothing(deploy, many):
    denied = (
        400,
        "AccessDeniedException",
        "User is not authorized to perform: ecs:DescribeServices",
    )
    many.before = lambda operation, body: denied if "web-12" in body["services"] else None
    code, err, sent = deploy([event(f"web-{number:02}") for number in range(25)])
    assert (code, sent, len(err.splitlines())) == (0, 25, 1 + 15 + 1)
    assert err.splitlines()[-1] == (
        "the tags of 10 services could not be read, so removed tags are not listed there: "
        "DescribeServices is not permitted: "
        "User is not authorized to perform: ecs:DescribeServices"
    )

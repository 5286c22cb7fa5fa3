"""A batch that replaces tags first lists the tags that it removes, with few calls, and without any
effect on the updates.
"""

from collections import Counter

import pytest

from ecs_updater.aws.ecs import Ecs
from ecs_updater_cli.backends.account import Account, Ledger
from ecs_updater_cli.commands import deploy as deploy_command
from fakes.simulated_ecs import SimulatedEcs

PREFIX = "arn:aws:ecs:eu-west-1:123456789012:"
HEAD = "ecs_tag_mode is replace: these tags are removed, and merge would keep them"


def event(name, tags=("owner",), cluster="shop", **fields):
    """An event that sets these tags."""
    names = {"ecs_cluster_name": cluster, "ecs_service_name": name, "ecs_image_name": "web:2"}
    return {**names, "ecs_tag": dict.fromkeys(tags, "x"), **fields}


@pytest.fixture(name="ecs")
def _ecs():
    """Thirty services with two tags of their own."""
    tags = dict.fromkeys(("stage", "owner", "aws:cloudformation:stack-name"), "x")
    services = {f"web-{number:02}": {"tags": tags} for number in range(30)}
    return SimulatedEcs(services={"shop": services})


@pytest.fixture(name="deploy")
def _deploy(monkeypatch, file, run, ecs):
    """Deploys events up to the moment at which they would be sent.

    Returns exit code, standard error, and the number of events that would be sent.
    """
    sent = []
    monkeypatch.setattr(Account, "ecs", Ecs(ecs.client()))
    monkeypatch.setattr(Account, "needed_queue", "queue")
    monkeypatch.setattr(Account, "needed_ledger", Ledger(None, PREFIX))
    monkeypatch.setattr(deploy_command, "SqsBackend", lambda *_: None)
    monkeypatch.setattr(Ledger, "save_batch", lambda _, started: sent.extend(started.members))
    monkeypatch.setattr(deploy_command, "wait_for_batch", lambda *_: 0)

    def deploy(events, *words):
        file(*events)
        code, out, err = run("deploy", *words)
        assert out == "", "standard output is for the batch"
        return code, err, len(sent)

    return deploy


@pytest.mark.parametrize(
    "words", [(), ("--direct", "--no-ledger"), ("--json",), ("--json", "--direct", "--no-ledger")]
)
def test_removed_tags_are_listed_before_anything_is_sent(deploy, ecs, words):
    code, err, _ = deploy(
        [event("web-00"), event("web-01", ("owner", "stage")), event("web-02", ())], *words
    )
    lines = f"{HEAD}\n  shop/web-00: stage\n  shop/web-02: owner, stage\n"
    assert code == 0 and err.endswith(lines)
    # Without a ledger one more call checks the connection.
    assert Counter(ecs.operations) == {"DescribeServices": 2 if "--no-ledger" in words else 1}


def test_ten_services_are_one_call_and_each_is_one_line(deploy, ecs):
    _, err, sent = deploy([event(f"web-{number:02}") for number in range(30)])
    assert Counter(ecs.operations) == {"DescribeServices": 3} and sent == 30
    assert err.splitlines() == [HEAD, *(f"  shop/web-{number:02}: stage" for number in range(30))]


@pytest.mark.parametrize(
    "update",
    [
        event(f"{PREFIX}service/shop/web-00"),
        event("web-00", cluster=f"{PREFIX}cluster/shop"),
    ],
    ids=["ARN", "ARN of the cluster"],
)
def test_a_service_that_is_named_by_an_arn_is_known_too(deploy, update):
    assert deploy([update])[1].splitlines() == [HEAD, "  shop/web-00: stage"]


@pytest.mark.parametrize(
    "update",
    [
        event("web-00", ("owner", "stage", "new")),
        event("web-00", (), ecs_tag_mode="merge"),
        {"action": "rollback", "ecs_cluster_name": "shop", "ecs_service_name": "web-00"},
        event("no-such-service"),
        event("web-00", cluster="no-such-cluster"),
    ],
    ids=["no tag less", "merge", "a rollback", "no service", "no cluster"],
)
def test_nothing_is_listed_where_no_tag_is_removed(deploy, update):
    assert deploy([update]) == (0, "", 1)


def test_services_that_cannot_be_read_are_one_line_and_change_nothing(deploy, ecs):
    message = "User is not authorized to perform: ecs:DescribeServices"
    denied = (400, "AccessDeniedException", message)
    ecs.before = lambda request: (denied, False) if "web-12" in request.body["services"] else None
    code, err, sent = deploy([event(f"web-{number:02}") for number in range(25)])
    assert (code, sent, len(err.splitlines())) == (0, 25, 1 + 15 + 1)
    assert err.splitlines()[-1] == (
        "the tags of 10 services could not be read, so removed tags are not listed there: "
        f"DescribeServices is not permitted: {message}"
    )

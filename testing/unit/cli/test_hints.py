"""Beside ``… not found``, which callers compare, stands where it was looked for and, where lists
may be read, the nearest name.
"""

import json
from functools import partial

import pytest

from ecs_updater.api import post_routes
from ecs_updater.aws.ecs import Ecs
from ecs_updater.deployments.deploy import deploy
from ecs_updater.errors import EcsUpdaterError
from ecs_updater_cli.backends.account import Account
from ecs_updater_cli.batch import watcher
from ecs_updater_cli.commands import status as status_command
from ecs_updater_cli.commands.status import FilteredEcsReader
from fakes.fake_ecs import DENIED
from fakes.many_services import ManyServices, client_of, service
from fakes.simulated_ecs import Image
from support.http import ask
from support.rollout_world import World

EVENT = {
    "ecs_cluster_name": "shop",
    "ecs_service_name": "web",
    "ecs_image_name": "web:2",
    "ecs_tag": {},
}
SERVICE, CLUSTER = (
    {**EVENT, "ecs_service_name": "web-fronted"},
    {**EVENT, "ecs_cluster_name": "Shops"},
)


@pytest.fixture(name="many")
def _many():
    """Two clusters."""
    names = ("web-frontend", "web-backend", "mail", *(f"worker-{number}" for number in range(250)))
    return ManyServices(
        {name: {one: service(name, one) for one in names} for name in ("shop", "office")}
    )


@pytest.fixture(name="ecs")
def _ecs(many):
    """ECS as the command line has it, which may read lists."""
    return Ecs(client_of(many), may_list=True)


def refused(ecs, event):
    """The error of an update."""
    with pytest.raises(EcsUpdaterError) as error:
        deploy(event, {}, ecs)
    return error.value


def test_the_functions_hint_names_the_cluster_and_costs_no_call(many):
    function = Ecs(client_of(many))
    error = refused(function, SERVICE)
    assert str(error) == "[ERROR][ecs_service_read] ecs_service_name web-fronted not found"
    assert error.hint == "looked in cluster shop in eu-west-1"
    error = refused(function, CLUSTER)
    assert str(error) == "[ERROR][ecs_service_read] ecs_cluster_name Shops not found"
    assert error.hint == "looked in eu-west-1"
    assert many.calls == {"DescribeServices": 2}


def test_where_lists_may_be_read_the_nearest_name_is_offered_and_a_list_is_read_once(many, ecs):
    for _ in range(3):
        assert (
            refused(ecs, SERVICE).hint
            == "looked in cluster shop in eu-west-1: did you mean web-frontend?"
        )
        assert refused(ecs, CLUSTER).hint == "looked in eu-west-1: did you mean shop?"
    assert (
        refused(ecs, {**EVENT, "ecs_service_name": "quite-another"}).hint
        == "looked in cluster shop in eu-west-1"
    )
    assert (many.calls["ListServices"], many.calls["ListClusters"]) == (3, 1), (
        "253 names in pages of 100"
    )


def test_an_update_that_finds_its_service_reads_no_list(monkeypatch):
    world = World()
    world.ecs.publish("app:2", Image.good())
    world.ecs.clock.drive_sdk(monkeypatch)
    world.boundary.may_list = True
    assert world.send().verdict == "IN_PROGRESS"
    assert set(world.calls) == {
        *("DescribeServices", "DescribeTaskDefinition", "RegisterTaskDefinition", "UpdateService"),
        *("TagResource", "UntagResource"),
    }


def test_over_http_the_hint_is_a_field_of_its_own(many):
    function = Ecs(client_of(many))
    resolve = post_routes.update_app(lambda event, call: deploy(event, {}, function, call)).resolve
    answer = ask(
        resolve,
        "POST",
        "/update",
        {"cluster": "shop", "service": "web-fronted", "image": "web", "tag": "2"},
    )
    assert (answer.status, answer.json["errorMessage"]) == (
        404,
        "[ERROR][ecs_service_read] ecs_service_name web-fronted not found",
    )
    assert answer.json["hint"] == "looked in cluster shop in eu-west-1"
    assert "hint" not in ask(resolve, "POST", "/update", {}).json


# The command line


@pytest.fixture(name="run")
def _run(run, monkeypatch, tmp_path, many, ecs):
    """Runs a command without a ledger."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Account, "ecs", ecs)
    monkeypatch.setattr(watcher, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(
        status_command, "FilteredEcsReader", partial(FilteredEcsReader, client=client_of(many))
    )
    return run


HINT = "looked in cluster shop in eu-west-1: did you mean web-frontend?"


def test_the_command_line_has_the_hint_in_a_second_line(run):
    code, out, _ = run("update", "shop", "web-fronted", "web:2", "--direct", "--no-ledger")
    lines = out.splitlines()
    failed = next(number for number, line in enumerate(lines) if "FAILED" in line)
    assert (
        code == 1
        and lines[failed].endswith("ecs_service_name web-fronted not found")
        and lines[failed + 1].strip() == HINT
    )


@pytest.mark.parametrize(
    "words, said",
    [
        (
            ("web-fronted",),
            "not found: web-fronted\nlooked in eu-west-1: did you mean web-frontend?\n",
        ),
        (
            ("--cluster", "office", "male"),
            "not found: male\nlooked in cluster office in eu-west-1: did you mean mail?\n",
        ),
        (
            ("--cluster", "ofice"),
            (
                "there is no such service\nlooked in cluster ofice in "
                "eu-west-1: did you mean office?\n"
            ),
        ),
        (
            ("mail", "zzz", "--cluster", "shop"),
            "not found: zzz\nlooked in cluster shop in eu-west-1\n",
        ),
    ],
)
def test_status_says_where_it_looked(run, words, said):
    code, _, err = run("status", *words)
    assert (code, err) == (1, said)


@pytest.mark.parametrize(
    "fault", [DENIED, (500, "ServerException", "no"), (400, "ClusterNotFoundException", "gone")]
)
def test_a_list_that_cannot_be_read_changes_nothing_about_the_error(many, ecs, fault, monkeypatch):
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    many.before = lambda operation, _: fault if operation.startswith("List") else None
    error = refused(ecs, SERVICE)
    assert (
        type(error).__name__ == "ServiceNotFoundError"
        and error.hint == "looked in cluster shop in eu-west-1"
    )


def test_a_dry_run_has_it_too(run):
    _, out, _ = run(
        "update", "shop", "web-fronted", "web:2", "--direct", "--no-ledger", "--dry-run"
    )
    assert f"ecs_service_name web-fronted not found\n    {HINT}\n" in out


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_programs_get_it_as_a_field(run, words):
    _, out, _ = run(
        "update", "shop", "web-fronted", "web:2", "--direct", "--no-ledger", "--json", *words
    )
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["hint"] for record in records if record.get("errorType")] == [HINT]

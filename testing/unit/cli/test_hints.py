"""Beside ``… not found``, which callers compare, an error has a hint: where the function
looked and, if lists may be read, the nearest name.
"""

import json
from collections import Counter
from functools import partial

import pytest

from ecs_updater.aws.ecs import Ecs
from ecs_updater.deployments.deploy import deploy
from ecs_updater.errors import EcsUpdaterError
from ecs_updater_cli.backends.account import Account
from ecs_updater_cli.batch import watcher
from ecs_updater_cli.commands import status as status_command
from ecs_updater_cli.commands.status import FilteredEcsReader
from fakes.scripted_batch import WEB
from fakes.simulated_ecs import Image, SimulatedEcs
from fakes.wire import DENIED
from support.rollout_world import World

WRONG_SERVICE = {**WEB, "ecs_service_name": "web-fronted"}
WRONG_CLUSTER = {**WEB, "ecs_cluster_name": "Shops"}
PLACE = "looked in cluster shop in eu-west-1"
HINT = f"{PLACE}: did you mean web-frontend?"


@pytest.fixture(name="simulated", scope="module")
def _simulated():
    """Two clusters with the same 253 services."""
    workers = (f"worker-{number}" for number in range(250))
    services = {name: {} for name in ("web-frontend", "web-backend", "mail", *workers)}
    return SimulatedEcs(services={"shop": services, "office": services})


@pytest.fixture(name="calls")
def _calls(simulated):
    """The number of calls of each operation in this test."""
    simulated.requests.clear()
    return lambda: Counter(simulated.operations)


@pytest.fixture(name="ecs")
def _ecs(simulated):
    """ECS as the command line has it, which may read lists."""
    return Ecs(simulated.client(), may_list=True)


def error_of(ecs, event):
    """The error of an update."""
    with pytest.raises(EcsUpdaterError) as error:
        deploy(event, {}, ecs)
    return error.value


@pytest.mark.parametrize(
    ("event", "message", "hint"),
    [
        (WRONG_SERVICE, "ecs_service_name web-fronted not found", PLACE),
        (WRONG_CLUSTER, "ecs_cluster_name Shops not found", "looked in eu-west-1"),
    ],
)
def test_the_functions_hint_names_the_cluster_and_costs_no_call(
    simulated, calls, event, message, hint
):
    error = error_of(Ecs(simulated.client()), event)
    assert (str(error), error.hint) == (f"[ERROR][ecs_service_read] {message}", hint)
    assert calls() == {"DescribeServices": 1}


def test_where_lists_may_be_read_the_nearest_name_is_offered_and_a_list_is_read_once(ecs, calls):
    for _ in range(3):
        assert error_of(ecs, WRONG_SERVICE).hint == HINT
        assert error_of(ecs, WRONG_CLUSTER).hint == "looked in eu-west-1: did you mean shop?"
    assert error_of(ecs, {**WEB, "ecs_service_name": "quite-another"}).hint == PLACE
    # 253 names in pages of 100.
    assert (calls()["ListServices"], calls()["ListClusters"]) == (3, 1)


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


@pytest.mark.parametrize(
    "fault", [DENIED, (500, "ServerException", "no"), (400, "ClusterNotFoundException", "gone")]
)
def test_a_list_that_cannot_be_read_changes_nothing_about_the_error(simulated, fault):
    simulated.before = lambda request: (
        (fault, False) if request.operation.startswith("List") else None
    )
    error = error_of(Ecs(simulated.client(), may_list=True), WRONG_SERVICE)
    simulated.before = None
    assert (type(error).__name__, error.hint) == ("ServiceNotFoundError", PLACE)


# The command line


@pytest.fixture(name="run")
def _run(run, monkeypatch, simulated, ecs):
    """Runs a command on the simulated ECS."""
    monkeypatch.setattr(Account, "ecs", ecs)
    monkeypatch.setattr(watcher, "POLL_SECONDS", 0.01)
    reader = partial(FilteredEcsReader, client=simulated.client())
    monkeypatch.setattr(status_command, "FilteredEcsReader", reader)
    return run


UPDATE = ("update", "shop", "web-fronted", "web:2", "--direct", "--no-ledger")


@pytest.mark.parametrize(("words", "indent"), [((), 10), (("--dry-run",), 4)])
def test_the_command_line_has_the_hint_in_a_second_line(run, words, indent):
    code, out, _ = run(*UPDATE, *words)
    assert code == 1
    assert f"ecs_service_name web-fronted not found\n{'':{indent}}{HINT}\n" in out


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_an_object_for_programs_has_the_hint_as_a_field(run, words):
    _, out, _ = run(*UPDATE, "--json", *words)
    objects = [json.loads(line) for line in out.splitlines()]
    assert [found["hint"] for found in objects if found.get("errorType")] == [HINT]


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        (
            "web-fronted",
            "not found: web-fronted\nlooked in eu-west-1: did you mean web-frontend?",
        ),
        (
            "--cluster office male",
            "not found: male\nlooked in cluster office in eu-west-1: did you mean mail?",
        ),
        (
            "--cluster ofice",
            "there are no services in cluster ofice in eu-west-1: did you mean office?",
        ),
        ("mail zzz --cluster shop", "not found: zzz\nlooked in cluster shop in eu-west-1"),
        ("--tag a=b", "there are no services with these tags in eu-west-1"),
    ],
)
def test_status_says_where_it_looked(run, words, sentences):
    code, _, err = run("status", *words.split())
    assert (code, err) == (1, f"{sentences}\n")

"""Whole runs of `make all-local`: both ways of SAM, in a hostile shell, with an event that cannot
succeed, interrupted.

The runs are parallel, each in its own workspace, because a run in Docker waits more
than it works.
"""

import re
import shutil
import signal
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

import pytest

from support.docker import in_docker
from support.events import OUTCOMES
from support.make import Result, Workspace, until
from support.shell import CANARY, ENDPOINTS, HOSTILE, PROXIES, Elsewhere, another_program

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

STEP = "deploy-ecs-cluster"
ALL_OK = "8 of 8 events as expected: 3 changed the service, 5 were refused and changed nothing\n"
OTHERS = {
    "CLUSTER_NAME": "another-cluster",
    "SERVICE_NAME": "another-service",
    "TASK_DEFINITION_NAME": "another-task",
    "STACK_NAME": "another-stack",
    "LAMBDA_FUNCTION_NAME": "another-function",
    "CONTAINER_IMAGE": "registry.example.com:5000/team/app:1.0",
    "TAG_NAME": "another tag",
    "TAG_VALUE": "another value",
    "AWS_DEFAULT_REGION": "us-west-2",
    "ENVIRONMENT": "a test",
    "OWNER": "two words",
    "CONTACT": "someone+ecs@example.com",
}


class WholeRun(NamedTuple):
    """The outcome of a run of ``all-local``."""

    workspace: Workspace
    result: Result
    listened: set[tuple[str, int]]
    """Where it listened while it deployed."""
    docker_left: set[str]
    """The containers and images that Docker has now and had not before."""

    def rows(self) -> list[list[str]]:
        """The lines of the table, cut into event, expected and actual outcome, seconds and
        verdict.
        """
        table = self.result.output.partition("\nevent ")[2].partition("\n\n")[0]
        cells = (re.split(r"\s{2,}", line) for line in table.splitlines())
        return [row for row in cells if row[0] in OUTCOMES]


@pytest.fixture(scope="module", name="elsewhere")
def _elsewhere() -> Iterator[Elsewhere]:
    """Where a hostile shell leads: endpoints and proxies."""
    with another_program() as program:
        yield program


@pytest.fixture(scope="module", name="whole_runs")
def _whole_runs(  # pylint: disable=unused-argument  # The last one only locks.
    workspace, workspace_with_package, elsewhere, why_no_docker, alone_in_docker
) -> dict[str, WholeRun]:
    """``all-local`` in a hostile shell with other settings, the same in Docker, and with an event
    that cannot succeed.
    """
    workspaces = {
        "emulator": workspace_with_package("emulator", VERBOSE="1", **OTHERS),
        "mismatch": workspace_with_package("mismatch", CONTAINER_IMAGE=":1.36"),
    }
    # The bundle is there already, since a proxy is where the packages in it would have to come
    # from.
    home = workspaces["emulator"].directory / "home"
    home.mkdir()
    hostile = HOSTILE | dict.fromkeys([*ENDPOINTS, *PROXIES], elsewhere.url) | {"HOME": str(home)}
    runs = {
        "emulator": workspaces["emulator"].start("all-local", environment=hostile),
        "mismatch": workspaces["mismatch"].start("all-local"),
    }
    before: set[str] = set()
    if not why_no_docker:
        before = in_docker()
        workspaces["docker"] = workspace("docker", SAM_MODE="docker", TAG_VALUE=OTHERS["TAG_VALUE"])
        runs["docker"] = workspaces["docker"].start(
            "all-local", environment=HOSTILE | dict.fromkeys(ENDPOINTS, elsewhere.url)
        )
    listened = {}
    for name, run in runs.items():
        until(lambda run=run: STEP in run.output() or run.has_ended(), f"{name} deploys")
        listened[name] = workspaces[name].listening()
    results = {name: run.result() for name, run in runs.items()}
    docker_left = set() if why_no_docker else in_docker() - before
    return {
        name: WholeRun(workspaces[name], results[name], listened[name], docker_left)
        for name in runs
    }


def test_all_local_on_the_emulator_has_all_eight_events_as_expected(whole_runs):
    run = whole_runs["emulator"]

    assert run.result.status == 0, run.result.output
    assert [row[:3] for row in run.rows()] == [[*row, row[1]] for row in OUTCOMES.items()]
    assert [verdict for *_, verdict in run.rows()] == ["ok"] * 8
    image = OTHERS["CONTAINER_IMAGE"]
    assert [row[3] for row in run.rows()] == [
        f"{image} → busybox:1.36, tags +1 -1",
        f"{image} → busybox:1.36, tags +4 -1",
        f"busybox:1.36 → {image}, tags +1 -1",
        *["unchanged"] * 5,
    ]
    assert ALL_OK in run.result.output and "does not report it: errorType" in run.result.output
    assert "SAM mode emulator: as SAM_MODE says" in run.result.output


def test_every_setting_can_be_overridden(whole_runs):
    output = whole_runs["emulator"].result.output

    assert (
        "registering a revision of task definition another-task with image "
        "registry.example.com:5000/team/app:1.0"
    ) in output
    assert "creating service another-service with tag another tag=another value" in output
    assert "creating bucket another-stack-artifacts-000000000000-us-west-2" in output
    *_, removal = output.partition("• removing everything\n")
    assert [line for line in removal.splitlines() if line.startswith("• removing")] == [
        "• removing service another-service",
        "• removing 5 revisions of task definition another-task",
        "• removing stack another-stack-lambda",
        "• removing stack another-stack-ledger",
        "• removing stack another-stack-ecs",
        "• removing stack another-stack-vpc",
        "• removing table another-function-ledger",
        "• removing bucket another-stack-artifacts-000000000000-us-west-2",
    ]


def test_a_hostile_shell_changes_nothing_and_no_call_leaves_the_emulator(whole_runs, elsewhere):
    assert not elsewhere.received
    assert CANARY not in whole_runs["emulator"].result.output


def test_a_mismatch_fails_the_run_and_is_named(whole_runs):
    run = whole_runs["mismatch"]

    assert run.result.status != 0
    assert [event for event, *_, verdict in run.rows() if verdict == "FAILED"] == [
        "SAME_INITIAL_VALUES"
    ]
    assert "service.image is 'busybox:1.36', not ':1.36'" in run.result.output
    assert "7 of 8 events as expected. FAILED: SAME_INITIAL_VALUES" in run.result.output
    assert "deploying stack" not in run.result.output, "only the failed step shows its output"
    assert "✗ run-lambda-test-sam failed, see above" in run.result.output


@pytest.mark.usefixtures("docker")
def test_all_local_in_docker_has_all_eight_events_and_their_error_types_as_expected(whole_runs):
    run = whole_runs["docker"]

    assert run.result.status == 0, run.result.output
    assert {event: actual for event, _, actual, *_ in run.rows()} == OUTCOMES
    assert [verdict for *_, verdict in run.rows()] == ["ok"] * 8
    assert ALL_OK in run.result.output and "not compared" not in run.result.output
    assert len(run.result.output.splitlines()) < 30


@pytest.mark.parametrize("name", ["emulator", "mismatch", "docker"])
def test_nothing_is_left_of_a_whole_run(name, whole_runs, request):
    if name == "docker":
        request.getfixturevalue("docker")

    assert not whole_runs[name].workspace.left()


@linux
@pytest.mark.usefixtures("docker")
def test_for_docker_the_emulator_listens_on_one_address_of_this_machine_only(whole_runs):
    run = whole_runs["docker"]
    ((address, port),) = run.listened

    assert ip_address(address).is_private and not ip_address(address).is_unspecified
    assert port == run.workspace.port


# Interrupted


@pytest.fixture(name="interruptible")
def _interruptible() -> Iterator[None]:
    """Lets SIGINT through to what a test starts, even where these tests run in the background and
    it is ignored.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_removes_everything(sign, workspace_with_package):
    workspace = workspace_with_package(sign.name)
    run = workspace.start("all-local")
    run.wait_for_output(STEP)
    run.send(sign)
    run.wait_for_output("deploy-ecs-cluster interrupted: removing everything")
    run.send(sign)  # An impatient second time.

    assert run.result().status == -sign, "a shell shows 128 and the number of the signal"
    until(lambda: not workspace.left(), f"nothing is left, but {workspace.left()}", pause=0.2)
    assert "• interrupted, everything removed" in run.output()
    assert "failed" not in run.output() and "Traceback" not in run.output()


def test_after_a_kill_clean_removes_everything_and_the_next_run_can_start(workspace_with_package):
    workspace = workspace_with_package("SIGKILL")
    run = workspace.start("all-local")
    run.wait_for_output(STEP)
    run.send(signal.SIGKILL)
    run.result()

    assert workspace.left(), "a kill leaves the emulator: else this test shows nothing"
    workspace.clean()
    assert workspace.make("emulator-up").status == 0
    workspace.clean()

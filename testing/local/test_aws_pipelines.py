"""`make all-aws` and `make all-aws-tf`: whole on the emulator, and killed at many points on a stand-in for an account.

Afterwards the emulator has what it had before, service by service. The runs go beside each other: Terraform waits more than it
works.
"""

import re
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import pytest
from event_suite.invokers import gateway
from support.account import ON_ACCOUNT, Account
from support.events import OUTCOMES
from support.inventory import inventory
from support.make import Result, Workspace, until

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


class Point(NamedTuple):
    """Where a run is killed."""

    says: str
    there: str = ""
    """The beginning of something that must be there too."""
    cleaning: str = ""
    """Where `make clean` is killed as well, before it is called again."""


CLOUDFORMATION_POINTS = [
    Point("deploying stack ecs-updater-vpc", "ec2 vpc"),
    Point("deploying stack ecs-updater-ecs"),
    Point("creating service ecs-dummy-service", "ecs service", cleaning="removing service ecs-dummy-service"),
    Point("making bucket", "s3 buckets"),
    Point("deploying stack ecs-updater-ledger", "dynamodb tables", cleaning="removing stack ecs-updater-ledger"),
    Point("deploying stack ecs-updater-lambda", "iam roles ecs-updater-eu-west-1"),
    Point("deploying stack ecs-updater-api", "apigateway rest apis", cleaning="removing stack ecs-updater-api"),
    Point("deploying stack ecs-updater-fleet", "sqs queues", cleaning="removing stack ecs-updater-fleet"),
    Point("── run-lambda-test-aws", cleaning="removing stack ecs-updater-ecs"),
]
TERRAFORM_POINTS = [
    Point("applying network and cluster", "ec2 vpc"),
    Point("creating service ecs-dummy-service", cleaning="destroying what Terraform made"),
    # As soon as the completer is there: its table, role and rules are, and what lets the rules call it is not.
    Point("applying ledger and function", "lambda functions ecs-updater-completer"),
    # Before its stage is there.
    Point("applying ledger, function and API", "apigateway rest apis"),
    # Before its worker is there.
    Point("applying everything", "sqs queues"),
]


class WholeRun(NamedTuple):
    """A pipeline on an emulator that ran before."""

    workspace: Workspace
    result: Result
    before: set[str]
    after: set[str]


class Break(NamedTuple):
    """A run that was killed."""

    made: set[str]
    """What was there then and not before."""
    cleaned: Result
    left: set[str]
    """What is there after `make clean`, and was not before."""
    files: list[str]
    """What is there of the run on this machine."""


@pytest.fixture(scope="module", name="runs")
def _runs(workspace_with_package, why_no_terraform) -> Iterator[dict[str, Future]]:
    """Everything that takes long, beside each other: by name, what becomes of it."""
    with ThreadPoolExecutor() as pool:
        runs = {
            "all-aws": pool.submit(whole_run, workspace_with_package("all-aws"), "all-aws"),
            "all-aws killed": pool.submit(broken_runs, workspace_with_package, "all-aws", CLOUDFORMATION_POINTS),
        }
        if not why_no_terraform:
            runs["all-aws-tf"] = pool.submit(whole_run, workspace_with_package("all-aws-tf"), "all-aws-tf")
            runs["all-aws-tf killed"] = pool.submit(broken_runs, workspace_with_package, "all-aws-tf", TERRAFORM_POINTS)
        yield runs


def whole_run(here: Workspace, pipeline: str) -> WholeRun:
    """Runs a pipeline on an emulator that a person started before."""
    assert here.make("emulator-up").status == 0
    endpoint = f"http://127.0.0.1:{here.port}"
    before = inventory(endpoint)
    result = here.make(pipeline)
    return WholeRun(here, result, before, inventory(endpoint))


def broken_runs(workspace: Callable[..., Workspace], pipeline: str, points: list[Point]) -> dict[str, Break]:
    """Kills a pipeline at each of the points, one run after the other on one account, and calls `make clean` then."""
    account = Account(workspace(f"account-of-{pipeline}"))
    here = workspace(f"{pipeline}-killed", **ON_ACCOUNT)
    before = account.inventory()
    found = {}
    for point in points:
        run = here.start(pipeline, environment=account.shell)
        kill(run, point.says, lambda point=point: not point.there or is_there(account, before, point.there))
        made = account.inventory() - before
        if point.cleaning:
            kill(here.start("clean", environment=account.shell, TARGET=None), point.cleaning, lambda: True)
        cleaned = here.make("clean", environment=account.shell, TARGET=None)
        found[point.says] = Break(made, cleaned, account.inventory() - before, files_left(here))
    account.end()
    return found


def files_left(here: Workspace) -> list[str]:
    """What is there of a run on this machine, without the sockets between Terraform and a provider: a killed one leaves them."""
    return [one for one in here.left() if not one.startswith(f"{here.temporary}/plugin")]


def is_there(account: Account, before: set[str], beginning: str) -> bool:
    """Tells whether something new is in the account."""
    return any(one.startswith(beginning) for one in account.inventory() - before)


def kill(run, text: str, condition: Callable[[], bool]) -> None:
    """Kills a run, and everything that it started, when it has said a text and the condition holds."""
    run.until_it_says(text)
    until(lambda: condition() or run.has_ended(), text, 300)
    assert not run.has_ended(), run.output()
    run.send(signal.SIGKILL)
    run.result()


PIPELINES = ["all-aws", "all-aws-tf"]


@pytest.fixture(name="whole")
def _whole(request, runs) -> WholeRun:
    """The whole run of the pipeline that the test is parametrised with."""
    return result_of(request.param, runs, request)


@pytest.fixture(name="broken")
def _broken(request, runs) -> Break:
    """What became of a run that was killed at the point that the test is parametrised with."""
    pipeline, text = request.param
    return result_of(f"{pipeline} killed", runs, request)[text]


def result_of(name: str, runs: dict[str, Future], request):
    """Waits for a run; skips the test where it cannot be."""
    if "-tf" in name:
        request.getfixturevalue("terraform")
    return runs[name].result()


@pytest.mark.parametrize("whole", PIPELINES, indirect=True)
def test_the_pipeline_passes_with_all_suites(whole):
    assert whole.result.status == 0, whole.result.output
    assert list(tables(whole)) == ["aws-cli", "http"]
    for table in tables(whole).values():
        assert [line.split()[0] for line in table.splitlines() if line.endswith("  ok")] == list(OUTCOMES)
    assert re.search(r"= \d+ passed, 5 skipped in", whole.result.output)
    assert re.search(r"= \d+ passed, 1 skipped in", whole.result.output)


@pytest.mark.parametrize("whole, by_the_gateway", [("all-aws", False), ("all-aws-tf", True)], indirect=["whole"])
def test_the_gateway_refuses_a_body_itself_where_terraform_has_told_it_to(whole, by_the_gateway):
    """The emulator passes over that from CloudFormation, and AWS does not."""
    assert (gateway.VIOLATION in tables(whole)["http"]) is by_the_gateway


def tables(whole: WholeRun) -> dict[str, str]:
    """The tables at the end of a run, by the way that the events went."""
    _, *found = re.split(r"^The events through (\S+):$", whole.result.output, flags=re.MULTILINE)
    return dict(zip(found[::2], found[1::2], strict=True))


@pytest.mark.parametrize("whole", PIPELINES, indirect=True)
def test_the_pipeline_leaves_the_emulator_as_it_was(whole):
    assert whole.after == whole.before


@pytest.mark.parametrize("whole", PIPELINES, indirect=True)
def test_an_emulator_that_ran_before_runs_on(whole):
    assert whole.workspace.make("emulator-up").output.startswith("• the emulator already runs")
    assert whole.workspace.make("clean").status == 0
    assert not whole.workspace.left()


@pytest.mark.parametrize(
    "broken",
    [("all-aws", point.says) for point in CLOUDFORMATION_POINTS] + [("all-aws-tf", point.says) for point in TERRAFORM_POINTS],
    indirect=True,
    ids=lambda point: re.sub(r"\W+", "-", " ".join(point)),
)
def test_after_a_kill_clean_empties_the_account(broken):
    assert broken.made, "nothing had been made when the run was killed: this test shows nothing"
    assert broken.cleaned.status == 0, broken.cleaned.output
    assert not broken.left, broken.cleaned.output
    assert not broken.files

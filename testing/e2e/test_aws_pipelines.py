"""`make all-aws` and `make all-aws-tf` killed at many points, on a stand-in for an account that
then has what it had before.

test_permissions_enforced.py runs whole pipelines with the deployer's policies. Runs are parallel,
because Terraform waits more than it works.
"""

import re
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from support.account import ON_ACCOUNT, Account
from support.make import Result, Workspace, until

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


class Point(NamedTuple):
    """Where a run is killed."""

    says: str
    there: str = ""
    """How something begins that must be there too, as a regular expression."""
    cleaning: str = ""
    """Where `make clean` is killed as well, before it is called again."""
    step: str = ""
    """The step that is run instead of the whole pipeline: it applies at once what those before it
    would have applied.
    """


CLOUDFORMATION_POINTS = [
    Point("deploying stack ecs-updater-vpc", "ec2 vpc"),
    Point(
        "creating service ecs-dummy-service",
        "ecs service",
        cleaning="removing service ecs-dummy-service",
    ),
    Point("creating bucket", "s3 buckets"),
    Point("deploying stack ecs-updater-lambda", "iam roles ecs-updater-eu-west-1"),
    Point(
        "deploying stack ecs-updater-api",
        "apigateway rest apis",
        cleaning="removing stack ecs-updater-api",
    ),
    Point("── run-lambda-test-aws", cleaning="removing stack ecs-updater-ecs"),
]
TERRAFORM_POINTS = [
    Point("applying network and cluster", "ec2 vpc"),
    Point("creating service ecs-dummy-service", cleaning="destroying Terraform's resources"),
    # Before its stage is there.
    Point("applying ledger, function and API", "apigateway rest apis", step="deploy-api-aws-tf"),
    # Before its worker is there.
    Point("applying everything", "sqs queues .*-fleet"),
]


class Break(NamedTuple):
    """A run that was killed."""

    made: set[str]
    """What was there then and not before."""
    cleaned: Result
    left: set[str]
    """What is there after `make clean`, and was not before."""
    files: list[str]
    """What is there of the run on this machine."""


Runs = dict[tuple[str, str], Future]
"""By pipeline and point, a future of the breaks at that point and some others."""


@pytest.fixture(scope="module", name="runs")
def _runs(workspace, package, why_no_terraform) -> Iterator[Runs]:
    """Three accounts beside each other: one for Terraform, and two for CloudFormation, since a run
    waits as much as it works.
    """
    shares = [("all-aws", CLOUDFORMATION_POINTS[1::2]), ("all-aws", CLOUDFORMATION_POINTS[::2])]
    if not why_no_terraform:
        shares.append(("all-aws-tf", TERRAFORM_POINTS))
    with ThreadPoolExecutor() as pool:
        runs: Runs = {}
        for pipeline, points in shares:
            future = pool.submit(broken_runs, workspace, package, pipeline, points)
            runs |= {(pipeline, point.says): future for point in points}
        yield runs


def broken_runs(
    workspace: Callable[..., Workspace], package: Path, pipeline: str, points: list[Point]
) -> dict[str, Break]:
    """Kills a pipeline at each of the points, one run after the other on one account, and calls
    `make clean` then.
    """
    account = Account(workspace(f"account-of-{pipeline}"))
    here = workspace(f"{pipeline}-killed", VERBOSE="1", **ON_ACCOUNT)
    before = account.inventory()
    found = {}
    for point in points:
        here.bring(package)
        run = here.start(point.step or pipeline, environment=account.shell)
        kill(
            run,
            point.says,
            lambda point=point: not point.there or is_there(account, before, point.there),
        )
        made = account.inventory() - before
        if point.cleaning:
            kill(
                here.start("clean", environment=account.shell, TARGET=None),
                point.cleaning,
                lambda: True,
            )
        cleaned = here.make("clean", environment=account.shell, TARGET=None)
        found[point.says] = Break(made, cleaned, account.inventory() - before, files_left(here))
    account.end()
    return found


def files_left(here: Workspace) -> list[str]:
    """What is there of a run on this machine, without the sockets between Terraform and a provider:
    a killed one leaves them.
    """
    return [item for item in here.left() if not item.startswith(f"{here.temporary}/plugin")]


def is_there(account: Account, before: set[str], beginning: str) -> bool:
    """Whether something new that begins with this regular expression is in the account."""
    return any(
        re.match(beginning, item)
        for item in account.inventory(beginning.partition(" ")[0]) - before
    )


def kill(run, text: str, condition: Callable[[], bool]) -> None:
    """Kills a run, and everything that it started, when it has said a text and the condition
    holds.
    """
    run.wait_for_output(text)
    until(lambda: condition() or run.has_ended(), text, pause=0.1)
    assert not run.has_ended(), run.output()
    run.send(signal.SIGKILL)
    run.result()


@pytest.fixture(name="broken")
def _broken(request, runs) -> Break:
    """The outcome of a run that was killed at the point that the test is parametrised with; skips
    where it cannot be.
    """
    if request.param not in runs:
        request.getfixturevalue("terraform")
    return runs[request.param].result()[request.param[1]]


@pytest.mark.parametrize(
    "broken",
    [("all-aws", point.says) for point in CLOUDFORMATION_POINTS]
    + [("all-aws-tf", point.says) for point in TERRAFORM_POINTS],
    indirect=True,
    ids=lambda point: re.sub(r"\W+", "-", " ".join(point)),
)
def test_after_a_kill_clean_empties_the_account(broken):
    assert broken.made, "nothing had been made when the run was killed: this test shows nothing"
    assert broken.cleaned.status == 0, broken.cleaned.output
    assert not broken.left, broken.cleaned.output
    assert not broken.files

"""What the layers of tests share: an environment that leads to no account, a sample of the faults,
a bundle, the aws cli, Docker's turns, an order of files, and the figures printed at the end.
"""

import fcntl
import gc
import logging
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import quick_sdk
from support.isolation import isolate

quick_sdk.remember()
isolate(os.environ)  # Before the first import of a handler, which makes its client.


# One offset for all workers, another one for each run: see support.sampling.
os.environ.setdefault("TEST_OFFSET", str(int(time.time()) % 10))


def pytest_collection_finish():
    """Freezes what the imports have made, the SDK's models above all: the garbage collector took a
    sixth of the time.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(autouse=True)
def _log_level() -> Iterator[None]:
    """Keeps the log's level from one test to the next: the command line quiets the log."""
    log = logging.getLogger("ecs-updater")
    level = log.level
    yield
    log.setLevel(level)


# The files that take longest begin first, so that no long one runs last.
_LONGEST_FIRST = (
    "test_aws_pipelines",
    "test_permissions_enforced",
    "test_parity",
    "test_documents",
    "test_terraform",
    "test_teardown",
    "test_jwt",
    "test_all_local",
    "test_deployed_api",
    "test_notify",
    "test_account",
    "test_bundle",
    "test_alarms",
    "test_steps",
    "test_suites",
    "test_waf",
    "test_misuse",
    "test_faults",
    "test_interleavings",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts files, of which each is one worker's."""
    rank = {name: number for number, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


FIGURE = "figure"


@pytest.fixture
def figure(record_property):
    """Notes a line for the table that is printed at the end:
    ``figure("verdict SUCCEEDED", "14 calls, 31 s")``.
    """
    return lambda what, text: record_property(FIGURE, (what, text))


def pytest_terminal_summary(terminalreporter):
    """Prints which sample of the cases this run has taken, and the figures of all tests."""
    offset = os.environ["TEST_OFFSET"]
    terminalreporter.write_line(
        "every case of the long lists"
        if os.environ.get("TEST_ALL")
        else f"a sample of the faults and other long lists: TEST_OFFSET={offset} takes it again"
    )
    reports = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if hasattr(report, "user_properties")
    ]
    figures = sorted(
        {
            tuple(value)
            for report in reports
            for name, value in report.user_properties
            if name == FIGURE
        }
    )
    if figures:
        terminalreporter.section("figures")
        width = max(len(what) for what, _ in figures)
        for what, text in figures:
            terminalreporter.write_line(f"{what:{width}}  {text}")


@pytest.fixture(scope="session", name="package")
def _package(tmp_path_factory) -> Path:
    """A bundle for this machine's Python, built once for all workers."""
    from support.make import Workspace  # pylint: disable=import-outside-toplevel

    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    package = shared / "ecs-updater-package.zip"
    with (shared / "package.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not package.exists():
            here = Workspace(tmp_path_factory.mktemp("package"))
            here.make("build-lambda-package").succeeded()
            shutil.copy2(here.build / package.name, package)
    return package


@pytest.fixture(scope="session", name="aws_cli")
def _aws_cli(tmp_path_factory) -> Iterator[str]:
    """The aws cli of this project, quicker to start."""
    from support.make import PROJECT, TOOLS  # pylint: disable=import-outside-toplevel
    from support.tool_server import serving_aws  # pylint: disable=import-outside-toplevel

    subprocess.run(
        [PROJECT / "scripts" / "install-tool", "aws"],
        check=True,
        env={**os.environ, "TOOLS_DIR": str(TOOLS)},
    )
    with serving_aws(tmp_path_factory.mktemp("aws")) as program:
        yield program


@pytest.fixture(scope="module", name="alone_in_docker")
def _alone_in_docker() -> Iterator[None]:
    """Waits until no other worker's tests look at what Docker has, before and after."""
    from support.make import TOOLS  # pylint: disable=import-outside-toplevel

    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "docker-tests.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def ecs_fake():
    """A fresh simulated ECS with one service; see fakes.simulated_ecs."""
    from fakes.simulated_ecs import SimulatedEcs  # pylint: disable=import-outside-toplevel

    return SimulatedEcs()

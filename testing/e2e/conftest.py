"""What the local tests share: workspaces for runs of make, a bundle, and whether Docker can be
used.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.docker import why_not
from support.make import PROJECT, Workspace
from support.terraform import Terraform, Unavailable


@pytest.fixture(scope="session", name="why_no_docker")
def _why_no_docker() -> str:
    """Why Docker cannot run the function here; empty when it can."""
    return why_not()


@pytest.fixture(name="docker")
def _docker_usable(why_no_docker) -> None:
    """Skips the test where Docker cannot be used."""
    if why_no_docker:
        pytest.skip(f"Docker: {why_no_docker}")


@pytest.fixture(scope="module", name="workspace")
def _workspace(tmp_path_factory, aws_cli) -> Iterator[Callable[..., Workspace]]:
    """Makes workspaces, with SAM_MODE=emulator by default. Ends what a failed test left in them."""
    made = []

    def make(name: str, project: Path = PROJECT, **settings: str) -> Workspace:
        made.append(
            Workspace(
                tmp_path_factory.mktemp(name),
                project,
                **{"SAM_MODE": "emulator", "AWS_CLI": aws_cli, **settings},
            )
        )
        return made[-1]

    yield make
    for workspace in made:
        workspace.end()


@pytest.fixture(scope="module", name="workspace_with_package")
def _workspace_with_package(workspace, package) -> Callable[..., Workspace]:
    """Makes workspaces in which the bundle need not be built any more."""

    def make(name: str, **settings: str) -> Workspace:
        made = workspace(name, **settings)
        made.bring(package)
        return made

    return make


@pytest.fixture(scope="module", name="path_without_docker")
def _path_without_docker(tmp_path_factory) -> str:
    """A PATH with every program of this machine but Docker's."""
    programs = tmp_path_factory.mktemp("programs")
    for directory in filter(os.path.isdir, os.get_exec_path()):
        for program in Path(directory).iterdir():
            if not program.name.startswith("docker") and not (programs / program.name).is_symlink():
                (programs / program.name).symlink_to(program)
    return str(programs)


@pytest.fixture(scope="session", name="why_no_terraform")
def _why_no_terraform(tmp_path_factory) -> str:
    """Why Terraform cannot be used here; empty when it can."""
    try:
        Terraform(tmp_path_factory.mktemp("terraform") / "tree", {})
    except Unavailable as reason:
        return str(reason)
    return ""


@pytest.fixture(name="terraform")
def _terraform(why_no_terraform) -> None:
    """Skips the test where Terraform cannot be used."""
    if why_no_terraform:
        pytest.skip(why_no_terraform)

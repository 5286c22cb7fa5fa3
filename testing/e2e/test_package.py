"""The command line as a Python package, installed in fresh environments, and as a container."""

import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ecs_updater import __version__
from support.account import CREDENTIALS
from support.docker import base_image, docker
from support.make import PROJECT, TOOLS

UV = TOOLS / "uv" / "bin" / "uv"
LOCKED = PROJECT / "scripts" / "environments" / "cli.txt"
IMAGE = "ecs-updater-test"
DEPLOYMENTS = """
deployments:
- {ecs_cluster_name: ECSCluster, ecs_service_name: ecs-dummy-service,
   ecs_image_name: "busybox:1.36", ecs_tag: {}}
"""


def run(*command: object, **environment: str) -> str:
    """Runs a program and returns its standard output."""
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(name="built", scope="module")
def _built(tmp_path_factory) -> dict[str, str]:
    """The wheel and the source archive, by their endings. `make dist` runs twine's check."""
    build = tmp_path_factory.mktemp("dist")
    paths = run("make", "-s", "-C", PROJECT, "dist", f"BUILD_DIR={build}").split()
    assert [os.path.basename(path).partition("-")[0] for path in paths] == ["ecs_updater"] * 2
    assert all(f"-{__version__}" in path for path in paths)
    return {Path(path).suffix: path for path in paths}


def with_pip(directory: Path, package: str) -> Path:
    """Installs a package into a virtual environment; its folder of programs."""
    run(UV, "venv", "--no-project", directory / "venv")
    run(UV, "pip", "install", "--python", directory / "venv", "--constraints", LOCKED, package)
    return directory / "venv" / "bin"


def with_uv_tool(directory: Path, package: str) -> Path:
    """Installs a package as a tool; the folder of its programs."""
    folders = {f"UV_TOOL{part}_DIR": str(directory / f"tool{part}") for part in ("", "_BIN")}
    run(UV, "tool", "install", "--no-config", "--constraints", LOCKED, package, **folders)
    return directory / "tool_BIN"


@pytest.mark.parametrize("ending", [".whl", ".gz"])
@pytest.mark.parametrize("install", [with_pip, with_uv_tool])
def test_the_package_installs_the_command_with_its_dependencies(
    built, tmp_path, install: Callable[[Path, str], Path], ending
):
    command = install(tmp_path, built[ending]) / "ecs-updater"
    assert run(command, "--version") == f"ecs-updater {__version__}\n"
    (tmp_path / "deployments.yaml").write_text(DEPLOYMENTS, "utf-8")
    assert "1 service" in run(command, "validate", tmp_path / "deployments.yaml")


@pytest.fixture(name="base")
def _base(alone_in_docker, tmp_path):  # pylint: disable=unused-argument
    """A base for the image without a registry: the substitute for Lambda's, with pip and the locked
    wheels in it.
    """
    pip = (UV.parent / "python", "-m", "pip")
    run(*pip, "download", "--quiet", "--require-hashes", "-r", LOCKED, "-d", tmp_path / "wheels")
    run(UV, "pip", "install", "--target", tmp_path / "site", "pip")
    (tmp_path / "Dockerfile").write_text(
        f"FROM {base_image()}\n"
        "COPY site /usr/lib/python3/dist-packages\n"
        "COPY wheels /wheels\n"
        "ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels\n",
        "utf-8",
    )
    name = f"{IMAGE}-base"
    run("docker", "build", "--quiet", "--tag", name, tmp_path)
    yield name
    run("docker", "image", "rm", "--force", IMAGE, name)
    # What the first stage left.
    label = "label=ecs-updater.stand-in=lambda-base-image"
    run("docker", "image", "prune", "--force", "--filter", label)


def compose_options(shell: dict[str, str]) -> tuple[list[str], list[str]]:
    """The options of `docker run` and the words of the command, as compose.yaml has them."""
    text = (PROJECT / "compose.yaml").read_text("utf-8")
    text = re.sub(r"\$\{(\w+)(?::-([^}]*))?}", lambda m: shell.get(m[1], m[2] or ""), text)
    service = yaml.safe_load(text)["services"]["deploy"]
    options = ["--init", "--read-only", "--cap-drop", *service["cap_drop"]]
    options += ["--user", service["user"], "--tmpfs", *service["tmpfs"]]
    options += [f"--security-opt={option}" for option in service["security_opt"]]
    options += [f"--volume={volume}" for volume in service["volumes"]]
    options += [f"--env={name}={shell[name]}" for name in service["environment"] if name in shell]
    return options, shlex.split(service["command"])


@pytest.mark.usefixtures("docker")
def test_the_image_deploys_the_file_of_the_current_folder(workspace, base, tmp_path):
    here = workspace("image")
    here.make("emulator-up", "deploy-ecs-cluster", "deploy-ecs-service").succeeded()
    here.make("image", IMAGE_NAME=IMAGE, BASE_IMAGE=base).succeeded()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "deployments.yaml").write_text(DEPLOYMENTS, "utf-8")
    shell = {
        **CREDENTIALS,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": here.endpoint,
        "PWD": str(folder),
        "HOME": str(tmp_path),
        "OPTIONS": "--direct",
    }
    options, command = compose_options(shell)

    assert "rollback" in docker("run", "--rm", IMAGE, "--help")
    # The emulator listens on this machine only.
    output = docker("run", "--rm", "--network", "host", *options, IMAGE, *command)

    assert "1 succeeded" in output
    assert docker("run", "--rm", IMAGE, "--version") == f"ecs-updater {__version__}"
    assert docker("run", "--rm", "--entrypoint", "id", IMAGE, "-u") == "10001"

"""The Python package of the command line, installed in a fresh environment."""

import os
import subprocess

from support.make import PROJECT

DEPLOYMENTS = """
deployments:
- {ecs_cluster_name: shop, ecs_service_name: web, ecs_image_name: "web:2", ecs_tag: {}}
"""


def run(*command: object) -> str:
    """Runs a program and returns its standard output."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_installs_the_command_with_its_dependencies(tmp_path):
    tools = PROJECT / ".tools"
    built = run("make", "-s", "-C", PROJECT, "dist", f"BUILD_DIR={tmp_path}").split()
    (wheel,) = (path for path in built if path.endswith(".whl"))
    assert [os.path.basename(path).partition("-")[0] for path in built] == ["ecs_updater"] * 2
    uv, environment = tools / "uv" / "bin" / "uv", tmp_path / "environment"
    locked = PROJECT / "scripts" / "environments" / "cli.txt"
    run(uv, "venv", "--no-project", environment)
    run(uv, "pip", "install", "--python", environment, "--constraints", locked, wheel)
    command = environment / "bin" / "ecs-updater"

    assert "deploy" in run(command, "--help")
    (tmp_path / "deployments.yaml").write_text(DEPLOYMENTS, "utf-8")
    assert "1 service" in run(command, "validate", "--file", tmp_path / "deployments.yaml")

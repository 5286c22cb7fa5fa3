"""A file as the source of a cluster's services, on the emulator."""

import os
import subprocess
from collections.abc import Callable

import pytest
import yaml

from support.account import CREDENTIALS
from support.make import PROJECT, TOOLS, Workspace

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(name="emulator", scope="module")
def _emulator(workspace) -> Workspace:
    """The dummy service, one with two containers, and one that CodeDeploy updates."""
    emulator = workspace("sync")
    emulator.make("emulator-up", "deploy-ecs-cluster", "deploy-ecs-service").succeeded()
    ecs = emulator.client("ecs")
    images = {"app": "nginx", "log": "fluent/fluent-bit"}.items()
    containers = [{"name": name, "image": image, "memory": 64} for name, image in images]
    ecs.register_task_definition(family="web", containerDefinitions=containers)
    for name, controller in (("web", "ECS"), ("blue-green", "CODE_DEPLOY")):
        ecs.create_service(
            cluster="ECSCluster",
            serviceName=name,
            taskDefinition="web",
            desiredCount=1,
            deploymentController={"type": controller},
        )
    return emulator


@pytest.fixture(name="run")
def _run(emulator, tmp_path) -> Command:
    """Runs a program in an empty directory, with the credentials of the emulator."""
    shell = {**os.environ, **CREDENTIALS, "AWS_DEFAULT_REGION": "eu-west-1"}
    shell |= {"AWS_ENDPOINT_URL": emulator.endpoint, "PYTHONPATH": str(PROJECT / "lambda_code")}

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(map(str, words)),
            cwd=tmp_path,
            env=shell,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_written_file_finds_a_change_by_somebody_else_and_takes_it_back(
    emulator, run, aws_cli, tmp_path
):
    ecs_updater = (TOOLS / "cli" / "bin" / "python3", "-m", "ecs_updater_cli")
    written = run(*ecs_updater, "export", "--cluster", "ECSCluster")
    assert written.returncode == 0, written
    (tmp_path / "deployments.yaml").write_text(written.stdout, "ascii")
    names = [event["ecs_service_name"] for event in yaml.safe_load(written.stdout)["deployments"]]
    assert names == ["ecs-dummy-service", "web"]
    assert "\n# blue-green has the deployment controller CODE_DEPLOY: " in written.stdout
    assert run(*ecs_updater, "validate").returncode == 0
    same = run(*ecs_updater, "sync", "--check")
    assert (same.returncode, same.stdout.count("\n")) == (0, 1), same

    containers = '[{"name": "app", "image": "nginx:2", "memory": 64}'
    containers += ', {"name": "log", "image": "fluent/fluent-bit", "memory": 64}]'
    family = ("--family", "web", "--container-definitions", containers)
    assert run(aws_cli, "ecs", "register-task-definition", *family).returncode == 0
    service = ("--cluster", "ECSCluster", "--service", "web", "--task-definition", "web")
    assert run(aws_cli, "ecs", "update-service", *service).returncode == 0

    differs = run(*ecs_updater, "sync", "--check")
    assert differs.returncode == 4, differs
    assert differs.stdout.startswith('~ ECSCluster/web\n    ~ image.app: "nginx:2" -> "nginx"\n')
    assert "ecs-dummy-service" not in differs.stdout
    done = run(*ecs_updater, "sync", "--direct")
    assert done.returncode == 0 and "1 service in" in done.stdout, done
    assert run(*ecs_updater, "sync", "--check").returncode == 0
    (web,) = emulator.client("ecs").describe_services(cluster="ECSCluster", services=["web"])[
        "services"
    ]
    assert web["taskDefinition"].endswith(":task-definition/web:3")

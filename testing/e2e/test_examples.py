"""The examples, each run on an emulator as its document says."""

import json
import os
import re
import shutil
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from e2e.event_suite.cases import ServiceState
from e2e.event_suite.service import Service
from support import terraform as terraform_cli
from support.account import CREDENTIALS
from support.make import PROJECT, TOOLS, Workspace
from support.pseudo_terminal import Terminal
from support.terraform import TREE

EXAMPLES = PROJECT / "examples"
MODULES = ("ecs-updater-vpc", "ecs-updater-ecs-cluster", "ecs-updater-service")
IMAGE = "image.ecs-dummy-container"
OLD_TAG = "tag.old-custom-tag-name"
TAGS = {"tag.owner": "platform team", "tag.release": "1.36"}
EVENTS: dict[str, tuple[str | None, dict[str, str | None]]] = {
    "update": ("SUCCEEDED", {IMAGE: "busybox:1.36", OLD_TAG: None, **TAGS}),
    "image-only": ("IN_PROGRESS", {IMAGE: "busybox:1.36"}),
    "tags-only": ("NO_CHANGE", {"tag.release": "2"}),
    "several-containers": (
        "IN_PROGRESS",
        {"image.app": "nginx:1.29", "image.log": "fluent/fluent-bit:4.0", "tag.release": "2"},
    ),
    "dry-run": (
        None,
        {IMAGE: "busybox:1.36", OLD_TAG: None, "tag.owner": TAGS["tag.owner"]},
    ),
    "settings": (
        "IN_PROGRESS",
        {
            "environment.ecs-dummy-container.LOG_LEVEL": "debug",
            "environment.ecs-dummy-container.API_TOKEN": "(set)",
            "task.cpu": "512",
            "task.memory": "1024",
        },
    ),
    "target": ("SUCCEEDED", {"image.web": "busybox:1.36", "tag.owner": TAGS["tag.owner"]}),
    "moved-tag": ("IN_PROGRESS", {"deployment": "forced"}),
    "idempotent": ("IN_PROGRESS", {IMAGE: "busybox:1.36", OLD_TAG: None, "tag.release": "1.36"}),
    "rollback": (
        "SUCCEEDED",
        {IMAGE: "busybox", OLD_TAG: "old-custom-tag-value", **dict.fromkeys(TAGS)},
    ),
}
"""By event the verdict and the changes of the service as `make deploy-ecs-service` leaves it."""
Root = tuple[Workspace, Path, subprocess.Popen[str]]
OVERRIDES = """
module "ecs_updater" {
  cluster_name           = module.ecs_cluster.cluster_name
  task_definition_family = "*"
  passable_role_arns     = module.service.passable_role_arns
  lambda_package         = "%s"
  runtime                = "python%d.%d"
  endpoint_url           = "%s"
}
"""
"""The example's call for the services of the modules' documents."""


@pytest.fixture(scope="module", name="root", autouse=True)
def _root(workspace, package, why_no_terraform, tmp_path_factory) -> Iterator[Root | None]:
    """Begins to apply the example with services, because Terraform waits for minutes."""
    if why_no_terraform:
        yield None
        return
    here = workspace("terraform")
    here.make("emulator-up").succeeded()
    directory = tmp_path_factory.mktemp("root")
    (directory / TREE.name).symlink_to(TREE)
    tree = Path(shutil.copytree(EXAMPLES / "terraform", directory / "examples" / "terraform"))
    usages = [(TREE / "modules" / name / "README.md").read_text("utf-8") for name in MODULES]
    services = "".join(usage.partition("```hcl\n")[2].partition("```")[0] for usage in usages)
    services = services.replace("./modules", f"../../{TREE.name}/modules")
    (tree / "services.tf").write_text(services, "utf-8")
    values = (package, *sys.version_info[:2], here.endpoint)
    (tree / "main_override.tf").write_text(OVERRIDES % values, "utf-8")
    environment = {"AWS_ENDPOINT_URL": here.endpoint}
    done = terraform_cli.run(tree, environment, "init", "-input=false")
    assert done.returncode == 0, done.stderr
    with (tree / "log").open("w") as log:
        streams = {"stdout": log, "stderr": subprocess.STDOUT}
        begun = terraform_cli.begin(tree, environment, "apply", "-auto-approve", **streams)
    yield here, tree, begun
    begun.kill()  # If the test that waits for it was not selected.
    begun.wait()


@pytest.fixture(scope="module", name="deployed")
def _deployed(workspace_with_package) -> Workspace:
    """An emulator with the function, the dummy service, one with two containers, and one in
    another account.
    """
    here = workspace_with_package("examples")
    steps = ("deploy-ecs-cluster", "deploy-ecs-service", "deploy-lambda-aws")
    fields = "ecs_environment,ecs_task_cpu,ecs_task_memory"
    parameter = "/ecs-updater/targets"
    settings = {"ALLOWED_FIELDS": fields, "TARGETS_PARAMETER": parameter}
    here.make("emulator-up", *steps, **settings).succeeded()
    targets = (EXAMPLES / "targets.json").read_text("utf-8")
    here.client("ssm").put_parameter(Name=parameter, Value=targets, Type="SecureString")
    (target,) = json.loads(targets).values()
    keys = {"aws_access_key_id": target["account"], "aws_secret_access_key": "test"}
    ecs = here.client("ecs", region_name=target["region"], **keys)
    ecs.create_cluster(clusterName="shop")
    container = {"name": "web", "image": "busybox", "memory": 64}
    ecs.register_task_definition(family="web", containerDefinitions=[container])
    ecs.create_service(cluster="shop", serviceName="web", taskDefinition="web", desiredCount=1)
    ecs = here.client("ecs")
    images = {"app": "nginx", "log": "fluent/fluent-bit"}.items()
    containers = [{"name": name, "image": image, "memory": 64} for name, image in images]
    ecs.register_task_definition(family="web", containerDefinitions=containers)
    ecs.create_service(
        cluster="ECSCluster", serviceName="web", taskDefinition="web", desiredCount=1
    )
    return here


def shell(here: Workspace, **variables: object) -> dict[str, str]:
    """The environment of a command that calls the emulator."""
    given = {"AWS_ENDPOINT_URL": here.endpoint, "AWS_DEFAULT_REGION": "eu-west-1", **variables}
    return {**os.environ, **CREDENTIALS, **{name: str(value) for name, value in given.items()}}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("events/*.json")), ids=lambda path: path.stem)
def test_an_event_makes_its_changes(path, deployed, aws_cli, tmp_path):
    deployed.make("deploy-ecs-service").succeeded()
    before = [path.with_stem("update")] if path.stem == "rollback" else []
    for event in (*before, path):
        command = f"lambda invoke --function-name ecs-updater --payload fileb://{event} answer.json"
        command = [aws_cli, "--endpoint-url", deployed.endpoint, *command.split()]
        subprocess.run(command, cwd=tmp_path, env=shell(deployed), check=True)
    answer = json.loads((tmp_path / "answer.json").read_text("utf-8"))

    verdict, changes = EVENTS[path.stem]
    assert answer["statusCode"] == 200, answer
    assert answer["body"]["deployment"].get("verdict") == verdict
    made = {change["what"]: change["to"] for change in answer["body"]["changes"]}
    made.pop("taskDefinition", None)  # A rollback names its revision.
    assert made == changes


def test_the_file_is_deployed_with_the_live_view(deployed):
    deployed.make("deploy-ecs-service").succeeded()
    command = [TOOLS / "cli" / "bin" / "python3", "-m", "ecs_updater_cli", "deploy", "--file"]
    command += [EXAMPLES / "deployments.yaml", "--direct", "-i"]
    environment = shell(deployed, PYTHONPATH=PROJECT / "lambda_code")
    with Terminal([str(part) for part in command], 100, 24, environment) as screen:
        assert screen.ends() == 0, screen.text
        assert re.search(r"✓ succeeded +ecs-dummy-service .* 1/1 ", screen.text), screen.text


def test_the_script_of_the_gitlab_job_installs_the_command_and_updates_the_service(
    deployed, tmp_path
):
    deployed.make("deploy-ecs-service").succeeded()
    job = yaml.safe_load((EXAMPLES / "gitlab" / ".gitlab-ci.yml").read_text("utf-8"))["deploy"]
    given = {"CI_PROJECT_DIR": tmp_path, "CI_COMMIT_TAG": "1.36", "CI_COMMIT_SHORT_SHA": "0123abc"}
    variables = {
        name: string.Template(value).substitute(given) for name, value in job["variables"].items()
    }
    environment = tmp_path / "environment"
    subprocess.run(
        [TOOLS / "uv" / "bin" / "uv", "venv", "--quiet", "--seed", "--no-project", environment],
        check=True,
    )
    variables |= given | {"AWS_TOKEN": "a token", "ECS_UPDATER": PROJECT}
    variables["PATH"] = f"{environment}/bin:{os.environ['PATH']}"
    script = "\n".join((*job["before_script"], *job["script"]))

    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        env=shell(deployed, **variables),
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done
    assert (tmp_path / ".aws-token").read_text("utf-8") == "a token"
    tags = {"old-custom-tag-name": "old-custom-tag-value", "release": "1.36", "commit": "0123abc"}
    service = Service(deployed.client("ecs"), "ECSCluster", "ecs-dummy-service")
    assert service.read() == ServiceState("busybox:1.36", tags)


@pytest.mark.usefixtures("terraform")
def test_terraform_changes_no_service_that_ecs_updater_updated(root):
    here, tree, begun = root
    assert begun.wait() == 0, (tree / "log").read_text("utf-8")
    event = {"ecs_service_name": "web", "ecs_image_name": "nginx:1.30", "ecs_tag": {"release": "2"}}
    payload = json.dumps({"ecs_cluster_name": "ECSCluster", "wait_seconds": 60, **event})
    answer = here.client("lambda").invoke(FunctionName="ecs-updater", Payload=payload)
    assert json.load(answer["Payload"])["body"]["deployment"]["verdict"] == "SUCCEEDED"

    changes = terraform_cli.changes(tree, {"AWS_ENDPOINT_URL": here.endpoint})

    forgotten = {f'module.service.aws_ecs_service.this["{name}"]' for name in ("web", "worker")}
    assert {address for address in changes if "module.service" in address} == forgotten
    assert all(changes[address] == {"availability_zone_rebalancing"} for address in forgotten)

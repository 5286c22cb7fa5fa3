"""The GitHub Action, whose steps run as GitHub's runner runs them, and the role for it. Both on the
emulator.
"""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from support import terraform as terraform_cli
from support.account import CREDENTIALS
from support.make import PROJECT, Workspace
from support.parity_declarations import snake
from support.parity_state import KINDS, Deployment
from support.permissions import document

ACTION = yaml.safe_load((PROJECT / "action.yml").read_text("utf-8"))
EXAMPLES = PROJECT / "examples" / "github"
# https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell
SHELLS = {"bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"]}


class Outcome(NamedTuple):
    """What a workflow sees of a step with the action."""

    status: int
    outputs: Mapping[str, str]
    summary: str
    log: str


def evaluated(text: str, context: Mapping[str, str]) -> str:
    """Replaces GitHub's expressions."""
    return re.sub(r"\$\{\{ (.+?) }}", lambda match: context.get(match[1], ""), text)


class Runner:
    """Runs the steps of the action in a job with the credentials of the emulator."""

    def __init__(self, directory: Path, endpoint: str):
        self.workspace = directory / "workspace"
        self.workspace.mkdir()
        self._directory = directory
        self._shell = {
            **os.environ,
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": endpoint,
            "GITHUB_ACTION_PATH": str(PROJECT),
            "RUNNER_TEMP": str(directory),
            "POWERTOOLS_LOG_LEVEL": "INFO",  # JSON lines of the log are no results.
        }
        install, self._update = ACTION["runs"]["steps"]
        assert self._run(install, {}).returncode == 0

    def use(self, **given: str) -> Outcome:
        """Runs the action with these inputs."""
        inputs = {name: about.get("default", "") for name, about in ACTION["inputs"].items()}
        inputs |= {name.replace("_", "-"): value for name, value in given.items()}
        assert inputs.keys() == ACTION["inputs"].keys()
        written, summary = self._directory / "output", self._directory / "summary"
        for file in (written, summary):
            file.write_text("", "utf-8")
        variables = {
            name: evaluated(value, {"toJSON(inputs)": json.dumps(inputs)})
            for name, value in self._update["env"].items()
        }
        files = {"GITHUB_OUTPUT": str(written), "GITHUB_STEP_SUMMARY": str(summary)}
        done = self._run(self._update, variables | files)
        step = f"steps.{self._update['id']}.outputs."
        lines = written.read_text("utf-8").splitlines()
        context = {step + name: value for name, _, value in (line.partition("=") for line in lines)}
        outputs = {
            name: evaluated(about["value"], context) for name, about in ACTION["outputs"].items()
        }
        return Outcome(
            done.returncode, outputs, summary.read_text("utf-8"), done.stdout + done.stderr
        )

    def _run(self, step: Mapping[str, Any], variables: Mapping[str, str]):
        script = self._directory / "step.sh"
        script.write_text(step["run"], "utf-8")
        return subprocess.run(
            [*SHELLS[step["shell"]], script],
            cwd=self.workspace,
            env={**self._shell, **variables},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(name="emulator", scope="module")
def _emulator(workspace) -> Workspace:
    emulator = workspace("github")
    emulator.make("emulator-up", "deploy-ecs-cluster", "deploy-ecs-service").succeeded()
    return emulator


@pytest.fixture(name="runner", scope="module")
def _runner(emulator, tmp_path_factory) -> Runner:
    return Runner(tmp_path_factory.mktemp("runner"), emulator.endpoint)


def documented_inputs() -> dict[str, str]:
    """The inputs in the workflow that the documents show, as GitHub passes them."""
    text = (PROJECT / "docs" / "command-line.md").read_text("utf-8")
    (block,) = re.findall(r"```yaml\n(jobs:.*?)```", text, re.DOTALL)
    assert block in (EXAMPLES / "deploy.yml").read_text("utf-8")
    (job,) = yaml.safe_load(block)["jobs"].values()
    (step,) = (step for step in job["steps"] if "/ecs-updater@" in step.get("uses", ""))
    given = {name.replace("-", "_"): value for name, value in step["with"].items()}
    context = {"github.sha": "0123abc", "github.ref_name": "1.36"}
    return {
        name: evaluated(str(value), context).replace("True", "true")
        for name, value in given.items()
    }


def test_the_documented_step_updates_the_service_after_a_dry_run(runner):
    planned = runner.use(**documented_inputs(), dry_run="true")
    assert (planned.status, planned.outputs["verdict"]) == (0, "")
    changed = '-> "busybox:1.36", + tag.release: "0123abc"` |'
    assert changed in planned.summary, planned

    done = runner.use(**documented_inputs())

    assert done.status == 0, done
    assert done.outputs["verdict"] == "SUCCEEDED"
    assert done.outputs["task-definition-arn"].endswith(":task-definition/ecs-dummy-task:2")
    (result,) = json.loads(done.outputs["results"])
    assert done.outputs["deployment-id"] == result["deploymentId"]
    row = "| `ECSCluster/ecs-dummy-service` | `busybox:1.36` | `SUCCEEDED` | `ecs-dummy-task:2` |"
    assert row in done.summary


def test_a_failed_service_fails_the_step_whose_outputs_are_set(runner):
    events = [
        {"ecs_service_name": name, "ecs_image_name": "busybox:1.37"}
        for name in ("ecs-dummy-service", "missing")
    ]
    defaults = {"ecs_cluster_name": "ECSCluster", "ecs_tag": {}, "ecs_tag_mode": "merge"}
    file = runner.workspace / "services.yaml"
    file.write_text(yaml.safe_dump({"defaults": defaults, "deployments": events}), "utf-8")

    done = runner.use(command="deploy", file="services.yaml", direct="true", region="eu-west-1")

    assert (done.status, done.outputs["verdict"]) == (1, "FAILED"), done
    results = {result["service"]: result for result in json.loads(done.outputs["results"])}
    assert results["ecs-dummy-service"]["state"] == "succeeded"
    assert results["missing"]["cause"] == "ecs_service_name missing not found"
    assert "| `FAILED` |  | `ecs_service_name missing not found` |" in done.summary


def test_a_sync_has_the_plan_and_the_results_in_the_summary(runner):
    event = {"ecs_service_name": "ecs-dummy-service", "ecs_image_name": "busybox:1.35"}
    defaults = {"ecs_cluster_name": "ECSCluster", "ecs_tag": {}, "ecs_tag_mode": "merge"}
    file = runner.workspace / "deployments.yaml"
    file.write_text(yaml.safe_dump({"defaults": defaults, "deployments": [event]}), "utf-8")
    planned, done = "| `PLANNED` |  | `~ image.ecs-dummy-container: ", "| `SUCCEEDED` | `ecs-dummy"

    checked = runner.use(command="sync", check="true")
    assert (checked.status, checked.outputs["verdict"]) == (4, ""), checked
    assert planned in checked.summary and done not in checked.summary

    synced = runner.use(command="sync", direct="true")
    assert (synced.status, synced.outputs["verdict"]) == (0, "SUCCEEDED"), synced
    assert planned in synced.summary and done in synced.summary
    (result,) = json.loads(synced.outputs["results"])
    assert result["state"] == "succeeded"

    again = runner.use(command="sync", check="true")
    assert again.status == 0 and "| `NO_CHANGE` |" in again.summary, again


def test_the_target_of_a_step_is_another_account_and_region(runner, emulator):
    account, region = "222222222222", "eu-central-1"
    keys = {"aws_access_key_id": account, "aws_secret_access_key": "test"}
    ecs = emulator.client("ecs", region_name=region, **keys)
    ecs.create_cluster(clusterName="shop")
    container = {"name": "web", "image": "busybox:1.36", "memory": 64}
    ecs.register_task_definition(family="web", containerDefinitions=[container])
    ecs.create_service(cluster="shop", serviceName="web", taskDefinition="web", desiredCount=1)
    roles = {
        f"{kind}_role": f"arn:aws:iam::{account}:role/ecs-updater-target-{kind}-{region}"
        for kind in ("update", "read")
    }
    target = {"account": account, "region": region, "external_id": "an-external-id", **roles}
    emulator.client("ssm").put_parameter(
        Name="/ecs-updater/targets", Value=json.dumps({"production": target}), Type="SecureString"
    )

    service = {"cluster": "shop", "service": "web", "target": "production"}
    done = runner.use(**service, image="busybox:1.37", direct="true")

    assert (done.status, done.outputs["verdict"]) == (0, "SUCCEEDED"), done
    revision = f"arn:aws:ecs:{region}:{account}:task-definition/web:2"
    assert done.outputs["task-definition-arn"] == revision
    assert "| `production/shop/web` | `busybox:1.37` | `SUCCEEDED` | `web:2` |" in done.summary
    (found,) = ecs.describe_services(cluster="shop", services=["web"])["services"]
    assert found["taskDefinition"] == revision


UPDATE = {"cluster": "ECSCluster", "service": "ecs-dummy-service", "image": "busybox"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"command": "deploy; touch executed"}, "the input command is 'deploy; touch executed'"),
        ({"cluster": "ECSCluster", "service": "web"}, "the command update needs the input image"),
        (UPDATE | {"waves": "true"}, "the input waves does not belong to the command update"),
        (
            {"command": "sync", "dry_run": "true"},
            "the input dry-run does not belong to the command sync",
        ),
        (UPDATE | {"direct": "yes\n::debug::x"}, r"is 'yes\n::debug::x': use true"),
        (UPDATE | {"image": "$(touch executed)"}, "ecs_image_name"),
        (UPDATE | {"image": "--help"}, "ecs_image_name"),
    ],
)
def test_invalid_inputs_are_refused_and_never_executed(runner, given, expected):
    done = runner.use(**given)
    assert done.status == 2, done
    assert expected in done.summary and expected in done.log
    assert done.outputs["verdict"] == ""
    assert not (runner.workspace / "executed").exists()


@pytest.mark.usefixtures("terraform")
def test_cloudformation_and_terraform_make_the_same_role(emulator, tmp_path):
    iam, cloudformation = emulator.client("iam"), emulator.client("cloudformation")
    send = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    sender = iam.create_policy(PolicyName="sender", PolicyDocument=document([send]))["Policy"]
    account = "arn:aws:iam::000000000000:"
    values = {
        "Repository": "octocat@123456/shop@456789",
        "Claim": "ref:refs/heads/main",
        "OidcProviderArn": f"{account}oidc-provider/token.actions.githubusercontent.com",
        "SenderPolicyArn": sender["Arn"],
        "ClusterName": "ECSCluster",
        "TaskDefinitionFamily": "ecs-dummy-*",
        "PassableRoleArns": [f"{account}role/task", f"{account}role/execution"],
        "LedgerTableName": "another-ledger",
    }
    parameters = {**values, "PassableRoleArns": ",".join(values["PassableRoleArns"])}
    cloudformation.create_stack(
        StackName="github",
        TemplateBody=(EXAMPLES / "oidc-role.yml").read_text("utf-8"),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in {**parameters, "RoleName": "by-cloudformation"}.items()
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="github", WaiterConfig={"Delay": 1}
    )
    (tmp_path / "main.tf").symlink_to(EXAMPLES / "oidc-role.tf")
    variables = tmp_path / "terraform.tfvars.json"
    shell = {**CREDENTIALS, "AWS_ENDPOINT_URL": emulator.endpoint, "AWS_REGION": "eu-west-1"}

    def apply(given: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        variables.write_text(json.dumps({snake(n): value for n, value in given.items()}), "utf-8")
        return terraform_cli.run(tmp_path, shell, "apply", "-auto-approve", "-input=false")

    assert terraform_cli.run(tmp_path, shell, "init", "-input=false").returncode == 0
    refused = apply({"Repository": values["Repository"]})
    assert "sender_policy_arn for the queue, cluster_name for" in refused.stderr, refused
    done = apply({**values, "RoleName": "by-terraform"})
    assert done.returncode == 0 and "Warning" not in done.stdout, done

    roles = Deployment(emulator.client).kind(KINDS["roles"])
    made = [roles[f"by-{tool}"] | {"RoleName": ""} for tool in ("cloudformation", "terraform")]
    assert made[0]["policies"] and made[0]["managed"] and made[0] == made[1]

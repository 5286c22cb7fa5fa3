"""CloudFormation and Terraform make the same: as written, with several sets of values, and as
deployed, on an emulator each.

What may differ is listed with its reason in ``support/parity_list.py``, and below what the emulator
does differently for the two.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from e2e.event_suite import cases, run
from e2e.event_suite.comparison import differences
from e2e.event_suite.invokers import lambda_api
from e2e.event_suite.service import Service
from support import parity_comparison as comparison
from support import terraform as terraform_cli
from support.cloudformation import load
from support.make import PROJECT, Workspace
from support.parity import Unlisted
from support.parity_comparison import Sides
from support.parity_deployed import Deployment
from support.parity_list import ADDRESSES, MODULES
from support.parity_mutations import CLOUDFORMATION, TERRAFORM
from support.terraform import TREE, DanglingReference, Terraform, Unavailable

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

TEMPLATES = {path.name: load(path) for path in sorted((PROJECT / "infraestructure").glob("*.yml"))}
SOURCES = {
    module: "".join(path.read_text("utf-8") for path in sorted(directory.glob("*.tf")))
    for module, directory in {
        "": TREE,
        **{module: TREE / "modules" / module for module, _ in MODULES.values()},
    }.items()
}
ACCOUNT = "111122223333"
SCHEMAS = PROJECT / "lambda_code" / "ecs_updater" / "schemas"

VALUES: dict[str, dict[str, Any]] = {
    "the defaults": {},
    "instances": {"launch_type": "EC2", "reserved_concurrency": 0},
    "no default": {
        "stack_name": "another-stack",
        "vpc_cidr": "10.7.0.0/16",
        "cluster_name": "Another_Cluster",
        "container_insights": "enhanced",
        "launch_type": "EC2",
        "instance_type": "t4g.small",
        "instance_count": 2,
        "instance_image": "ami-0123456789abcdef0",
        "key_pair_name": "a key",
        "function_name": "another-function",
        "runtime": "python3.12",
        "architecture": "arm64",
        "memory_size": 512,
        "timeout": 60,
        "reserved_concurrency": -1,
        "task_definition_family": "team-*",
        "passable_role_arns": [
            f"arn:aws:iam::{ACCOUNT}:role/task",
            f"arn:aws:iam::{ACCOUNT}:role/team/*",
        ],
        "permissions_boundary": f"arn:aws:iam::{ACCOUNT}:policy/boundary",
        "event_cluster_name": "a-cluster",
        "event_service_name": "a-service",
        "event_container_name": "a-container",
        "event_image": "registry.example.com/app:1.0",
        "expected_task_definition_family": "a-family",
        "unknown_fields": "drop",
        "task_failures": 5,
        "open_update_max_hours": 48,
        "allowed_images": ["registry.example.com/team/*", "docker.io/library/busybox:1.3[67]"],
        "allowed_services": ["ECSCluster/web", "team-*/*"],
        "circuit_breaker": "enable",
        "verify_image": "warn",
        "pin_digest": "digest",
        "private_registries": ["registry.internal:5000", "10.0.0.7"],
        "ledger_retention_days": 7,
        "update_memory_size": 384,
        "status_memory_size": 1024,
        "api_auth": "iam",
        "stage_name": "live",
        "throttle_rate": 30,
        "throttle_burst": 60,
        "key_rate": 5,
        "key_burst": 8,
        "daily_quota": 500,
        "queue_retention_days": 7,
        "maximum_concurrency": 8,
        "alarm_topic_arn": f"arn:aws:sns:us-west-2:{ACCOUNT}:alarms",
        "ecs_rates": ["RegisterTaskDefinition=40/2", "UpdateService=80/0.5"],
        "tag_filters": ["team", "cost center"],
        "account_log_role": "make",
        "deletion_protection": False,
        "poll_minutes": 1,
        "endpoint_url": "http://127.0.0.1:4566",
        "log_level": "DEBUG",
        "log_retention_days": 90,
        "environment": "production",
        "owner": "two words",
        "contact": "someone+ecs@example.com",
    },
}
REGIONS = {"no default": "us-west-2"}

SETTINGS = {
    "STACK_NAME": "another-stack",
    "CLUSTER_NAME": "another-cluster",
    "SERVICE_NAME": "another-service",
    "TASK_DEFINITION_NAME": "another-task",
    "CONTAINER_IMAGE": "registry.example.com:5000/team/app:1.0",
    "TAG_NAME": "another tag",
    "TAG_VALUE": "another value",
    "LAMBDA_FUNCTION_NAME": "another-function",
    "LAUNCH_TYPE": "EC2",
    "RESERVED_CONCURRENCY": "2",
    "API_AUTH": "iam",
    "ENVIRONMENT": "a test",
    "OWNER": "two words",
    "CONTACT": "someone+ecs@example.com",
}
"""What the deployments are called, and the Makefile's defaults are not."""

_BY_TERRAFORM = (
    "CloudFormation puts its tags on what a stack makes, not on what a launch template in it makes"
)
_UNREAD = "the emulator's CloudFormation passes over it"
_UNTAGGED = "the emulator's CloudFormation gives a rule no stack tags"
_NO_TAGS = "CloudFormation cannot tag a policy"
_ADDRESS = "the emulator answers with another name of its own address than it was called by"
EXPLAINED = {
    "instances.tags.ecs-updater.PropagateAtLaunch is True, not False": (
        "the emulator's CloudFormation; AWS's lets stack tags go on"
    ),
    **{
        f"instances.template.TagSpecifications.{of}.ecs-updater should not be there": _BY_TERRAFORM
        for of in ("network-interface", "volume")
    },
    "instances.template's tags.ecs-updater should not be there": (
        "the emulator's CloudFormation gives a template no stack tags"
    ),
    "function.configuration.DeadLetterConfig should not be there": _UNREAD,
    "ledger.expires.AttributeName should not be there": _UNREAD,
    "ledger.expires.TimeToLiveStatus is 'ENABLED', not 'DISABLED'": _UNREAD,
    "ledger.recovery is 'ENABLED', not 'DISABLED'": _UNREAD,
    "API.endpoint is ['REGIONAL'], not None": (
        "the emulator's CloudFormation keeps it in words that its API does not have"
    ),
    "API.routes./rollback.POST.validator is 'body-and-parameters', not None": _UNREAD,
    "API.routes./update.POST.validator is 'body-and-parameters', not None": _UNREAD,
    "API.stages.v1.logs.of a call is ": _UNREAD,
    "API.stages.v1.logs.to is 'arn:aws:logs:": _UNREAD,
    "API.validators is ": _UNREAD,
    "rules.deployments.tags.ecs-updater should not be there": _UNTAGGED,
    "rules.poll.tags.ecs-updater should not be there": _UNTAGGED,
    **{
        f"senders.tags.{name} should not be there": _NO_TAGS
        for name in ("contact", "ecs-updater", "environment", "owner")
    },
    **{
        f"what calls the worker[0].tags.{name} should not be there": _UNREAD
        for name in ("contact", "ecs-updater", "environment", "owner")
    },
    **{
        f"worker.configuration.Environment.Variables.{name} is 'http://emulator/": _ADDRESS
        for name in ("DEAD_LETTER_QUEUE_URL", "QUEUE_URL")
    },
    "what calls the worker[0].StartingPosition is missing": (
        "the emulator's CloudFormation gives one to a queue's mapping too"
    ),
    "network.security groups.another-stack-vpc-tasks.out.all should not be there": (
        "the provider takes away what AWS lets out of a new group, with ports that the "
        "emulator does not find it by"
    ),
}
"""What Terraform's deployment has other than CloudFormation's, and why."""

FORGOTTEN = {
    # When a network interface is to be deleted. It also answers with the security group in an
    # element of another name.
    ADDRESSES["LaunchTemplate"]: {"network_interfaces"},
    # What its answer leaves out in the protocol that the provider speaks.
    **{
        ADDRESSES[alarm]: {
            "actions_enabled",
            "alarm_description",
            "dimensions",
            "period",
            "statistic",
            "treat_missing_data",
        }
        for alarm in ("FleetAlarm", "DeadLetterAlarm")
    },
    # Follows the template's latest version.
    ADDRESSES["AutoScalingGroup"]: {"launch_template"},
}
"""What the emulator does not keep, so that Terraform would set it again."""


@dataclass(frozen=True)
class Deployed:
    """One deployment, as it was found on its emulator."""

    state: dict[str, Any]
    wrong: dict[str, list[str]]
    """How each test event's answer differs from what it must be."""
    answers: dict[str, Any]
    changes: dict[str, set[str]]
    """What Terraform, where it was used, would change after all of it: the attributes by the
    resource's address.
    """


@pytest.fixture(scope="module", name="terraform")
def _terraform(tmp_path_factory) -> Terraform:
    """Terraform in a copy of the tree; skips where there is none, or no provider that it could
    install.
    """
    try:
        credentials = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test"}
        return Terraform(tmp_path_factory.mktemp("terraform") / "tree", credentials)
    except Unavailable as reason:
        return pytest.skip(str(reason))


@pytest.fixture(scope="module", name="deployments")
def _deployments(terraform, workspace_with_package) -> Iterator[dict[str, Future[Deployed]]]:
    """Deploys with both, beside each other, as Terraform waits more than it works.

    It all ends with the emulators.
    """
    targets = {
        "CloudFormation": [
            "deploy-ecs-cluster",
            "deploy-ecs-service",
            "deploy-lambda-aws",
            "deploy-api-aws",
            "deploy-fleet-aws",
        ],
        # The first makes everything else too.
        "Terraform": ["deploy-fleet-aws-tf", "deploy-ecs-service"],
    }
    assert terraform
    spaces = {
        tool: workspace_with_package(tool, EMULATOR_HOST="127.0.0.1", **SETTINGS)
        for tool in targets
    }
    with ThreadPoolExecutor() as pool:
        yield {tool: pool.submit(_deployed, spaces[tool], steps) for tool, steps in targets.items()}


@pytest.fixture(scope="module", autouse=True)
def _begin_to_deploy(request) -> None:
    """Lets the deployments begin before the first test, unless only others were asked for."""
    if any(
        "deployments" in item.fixturenames
        for item in request.session.items
        if item.path == request.path
    ):
        request.getfixturevalue("deployments")


@pytest.fixture(scope="module", name="sides")
def _sides(terraform, workspace, tmp_path_factory) -> Callable[[str], Sides]:
    """Gives both sides with one of the sets of values."""
    emulator = workspace("plans")
    started = emulator.make("emulator-up")
    assert started.status == 0, started.output
    package = tmp_path_factory.mktemp("package") / "package.zip"
    package.touch()

    @cache
    def made(values: str) -> Sides:
        region = REGIONS.get(values, "eu-west-1")
        variables = {
            **VALUES[values],
            "lambda_package": str(package),
            "schemas_directory": str(SCHEMAS),
        }
        document = terraform.plan(
            variables, AWS_REGION=region, AWS_ENDPOINT_URL=f"http://127.0.0.1:{emulator.port}"
        )
        return Sides(
            TEMPLATES,
            document,
            SOURCES,
            variables,
            {"AWS::AccountId": ACCOUNT, "AWS::Region": region},
        )

    return made


def _deployed(workspace: Workspace, targets: list[str]) -> Deployed:
    """Deploys, reads what is there, sends the test events, and lets Terraform plan again."""
    done = workspace.make("emulator-up", *targets)
    assert done.status == 0, done.output
    endpoint = f"http://127.0.0.1:{workspace.port}"

    def client(service: str) -> Any:
        return boto3.session.Session().client(
            service, endpoint_url=endpoint, config=Config(proxies={})
        )

    names = (SETTINGS[name] for name in ("LAMBDA_FUNCTION_NAME", "CLUSTER_NAME", "STACK_NAME"))
    state = json.dumps(Deployment(client, *names).everything()).replace(endpoint, "http://emulator")
    service = Service(client("ecs"), SETTINGS["CLUSTER_NAME"], SETTINGS["SERVICE_NAME"])
    wrong, answers = _sent(endpoint, service, workspace.directory)
    changes = {}
    for tree in workspace.build.glob("terraform-*/tree"):
        environment = {
            "TF_DATA_DIR": str(tree.parent / "data"),
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": endpoint,
        }
        changes = terraform_cli.changes(tree, environment)
    return Deployed(json.loads(state), wrong, answers, changes)


def _sent(
    endpoint: str, service: Service, directory: Path
) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Sends the test events.

    Returns how the answers differ from what they must be, and the answers.
    """
    invoke = lambda_api.invoker(
        {"LAMBDA_FUNCTION_NAME": SETTINGS["LAMBDA_FUNCTION_NAME"], "AWS_ENDPOINT_URL": endpoint}
    )
    wrong, answers = {}, {}
    for case in cases.load({"AWS_DEFAULT_REGION": "eu-west-1", **SETTINGS}):
        sent = run.execute(case, invoke, service, directory / "events").invocation
        assert sent, f"{case.name} was not sent"
        wrong[case.name] = list(run.compare(case, sent))
        answers[case.name] = _lasting(sent.answer or sent.error_message)
    return wrong, answers


def _lasting(answer: Any) -> Any:
    """An answer without what is new in each: times and the deployment's id."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "(a time)", json.dumps(answer, sort_keys=True))
    return json.loads(re.sub(r'"ecs-svc/\w+"', '"(an id)"', text))


# As written


every_set = pytest.mark.parametrize("values", VALUES)


def test_the_last_set_of_values_has_no_default_in_it(sides):
    configured = sides("no default").plan.root.configuration["variables"]
    assert VALUES["no default"].keys() == configured.keys() - {
        "lambda_package",
        "schemas_directory",
    }
    for name, value in VALUES["no default"].items():
        assert value != configured[name]["default"], name


@every_set
def test_both_make_the_same_resources(sides, values):
    assert not comparison.resources(sides(values))


@every_set
def test_both_give_the_same_outputs(sides, values):
    assert not comparison.outputs(sides(values))


@every_set
def test_every_resource_of_terraform_carries_the_tag_of_ownership_that_stacks_give(sides, values):
    assert not comparison.ownership(sides(values))


@every_set
def test_no_permission_is_wider_than_aws_allows_no_queue_loses_messages_and_no_log_stays_for_ever(
    sides, values
):
    for made in sides(values).made:
        assert not list(comparison.rules(made))


def test_every_resource_in_the_list_is_made_by_both(sides):
    made = [side for values in VALUES for side in sides(values).made]
    assert {name for side in made for name in side} == ADDRESSES.keys()


def test_parameters_and_the_variables_of_the_modules_say_the_same(sides):
    assert not comparison.parameters(sides("the defaults"))


def test_both_refuse_in_the_same_words_what_does_not_go_together(sides):
    assert not comparison.conditions(sides("the defaults"))


def test_no_arn_has_its_partition_written_out():
    """The emulator has one partition alone, so that a plan does not show it."""
    texts = [
        *SOURCES.values(),
        *(path.read_text("utf-8") for path in (PROJECT / "infraestructure").glob("*.yml")),
    ]
    lines = [
        line
        for text in texts
        for line in text.splitlines()
        if not re.search(r"AllowedPattern:|regex\(", line)
    ]
    assert not [line for line in lines if "arn:aws" in line]


def test_the_root_module_says_of_its_variables_what_the_modules_say(sides):
    assert not comparison.root(sides("the defaults"))


@pytest.mark.parametrize(
    "mutation",
    [
        *(
            pytest.param(mutation, id=f"CloudFormation: {name}")
            for name, mutation in CLOUDFORMATION.items()
        ),
        *(pytest.param(mutation, id=f"Terraform: {name}") for name, mutation in TERRAFORM.items()),
    ],
)
def test_a_change_of_one_side_alone_is_found(sides, mutation):
    assert found(sides("no default"), mutation) or found(sides("the defaults"), mutation)


def found(both: Sides, mutation: Callable[[Sides], Sides]) -> list[str]:
    """What the comparison finds of a change.

    Some of it is made with the defaults alone: an emulator has no TLS to ask for.
    """
    assert not comparison.everything(both)
    try:
        return comparison.everything(mutation(both))
    except (Unlisted, DanglingReference) as stranger:
        return [str(stranger)]


# As deployed


def test_both_deployments_are_the_same_but_for_what_is_explained(deployments):
    differing = list(
        differences(*(deployments[tool].result().state for tool in ("CloudFormation", "Terraform")))
    )
    unexplained = [line for line in differing if not line.startswith(tuple(EXPLAINED))]
    assert not unexplained
    assert len(differing) == len(EXPLAINED), "some of it is explained, and is not there"


@pytest.mark.parametrize("tool", ["CloudFormation", "Terraform"])
def test_every_test_event_is_answered_as_it_must_be(deployments, tool):
    assert not {event: wrong for event, wrong in deployments[tool].result().wrong.items() if wrong}


def test_both_deployments_give_the_same_answers(deployments):
    assert not list(
        differences(
            *(deployments[tool].result().answers for tool in ("CloudFormation", "Terraform"))
        )
    )


def test_terraform_would_change_nothing_after_the_events_but_what_the_emulator_forgets(deployments):
    assert deployments["Terraform"].result().changes == FORGOTTEN

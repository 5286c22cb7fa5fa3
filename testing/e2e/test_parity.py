"""CloudFormation and Terraform create the same: as deployed on an emulator each, with no default
value left, and, where an emulator does not show it, as written.

What may differ is listed with its reason, here and in ``support/parity_*.py``.
"""

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from e2e.event_suite.comparison import differences
from support import parity_declarations as declarations
from support import parity_unseen as unseen
from support import terraform as terraform_cli
from support.account import CREDENTIALS
from support.cloudformation import TEMPLATES, USUAL, Stack
from support.make import PROJECT, Workspace
from support.parity_declarations import MODULES, snake
from support.parity_mutations import mutations
from support.parity_state import Deployment
from support.terraform import TREE, Terraform

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

ACCOUNT = "000000000000"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/0123-abcd"
SCHEMAS = "lambda_code/ecs_updater/schemas"
OPTIONAL = ("push-aws", "target-aws", "codepipeline-aws", "operations-aws")
AFTER_THE_CLUSTER = ("lambda-aws", "api-aws", "fleet-aws", *OPTIONAL)
SOURCES = {
    template: "".join(
        path.read_text("utf-8") for path in sorted((TREE / "modules" / module).glob("*.tf"))
    )
    for template, module in MODULES.items()
}
SETTINGS = {
    "STACK_NAME": "another-stack",
    "CLUSTER_NAME": "another-cluster",
    "TASK_DEFINITION_NAME": "another-task",
    "LAMBDA_FUNCTION_NAME": "another-function",
    "PERMISSIONS_BOUNDARY": BOUNDARY,
    "ALLOWED_IMAGES": "registry.example.com/team/*,docker.io/library/busybox:1.3[67]",
    "ALLOWED_SERVICES": "ECSCluster/web,team-*/*",
    "ALLOWED_FIELDS": "ecs_desired_count,run_before",
    "ALLOWED_SECRETS": "arn:*:parameter/shop/*,*:secret:web-??????",
    "TASK_LOG_GROUP": "/ecs/web-*",
    # The default of home. The emulator's CloudFormation does not see that a list is empty.
    "PASSABLE_ROLE_ARNS": f"arn:aws:iam::{ACCOUNT}:role/another-stack-ecs-eu-west-1-execution",
    "TARGETS_PARAMETER": "/another/targets",
    "TARGET_ROLE_ARNS": f"arn:aws:iam::{ACCOUNT}:role/one,arn:aws:iam::{ACCOUNT}:role/two-*",
    "TARGET_READ_ROLE_ARNS": f"arn:aws:iam::{ACCOUNT}:role/three",
    "HOME_ACCOUNT": "111111111111",
    "HOME_REGION": "us-east-1",
    "EXTERNAL_ID": "an-external=id",
    "UPDATE_PRINCIPAL_ARNS": "arn:aws:iam::111111111111:role/a,arn:aws:iam::111111111111:user/b/*",
    "READ_PRINCIPAL_ARNS": "arn:aws:iam::111111111111:role/c",
    "EXPRESS_SERVICES": "true",
    "TRACING": "Active",
    "EVENT_BUS": "verdicts",
    "NOTIFY_TOPIC_ARN": f"arn:aws:sns:eu-west-1:{ACCOUNT}:verdicts",
    "ALARM_TOPIC_ARN": f"arn:aws:sns:us-west-2:{ACCOUNT}:alarms",
    "METRICS_BY_SERVICE": "true",
    "SENDER_DRY_RUNS": "true",
    "ECR_REPOSITORIES": "team/*,web",
    "KMS_KEY_ARN": KEY,
    "LAUNCH_TYPE": "EC2",
    "STRATEGY": "LINEAR",
    "RESERVED_CONCURRENCY": "2",
    "API_AUTH": "iam",
    "API_UPDATE_CONCURRENCY": "3",
    "API_STATUS_CONCURRENCY": "4",
    "API_SOURCE_CIDRS": "192.0.2.0/24,2001:db8::/32",
    "API_PRINCIPAL_ARNS": f"arn:aws:iam::{ACCOUNT}:role/one,arn:aws:iam::111111111111:user/b",
    "ENVIRONMENT": "a test",
    "OWNER": "two words",
    "CONTACT": "someone+ecs@example.com",
}
"""Every setting of the Makefile that reaches the resources, without its default."""

GIVEN = {
    name
    for path in (*(PROJECT / "scripts").glob("deploy-*"), PROJECT / "scripts" / "function.sh")
    for name in re.findall(r'"([A-Z][A-Za-z]+)=\$', path.read_text("utf-8"))
}
"""The parameters that the scripts give."""

DEFAULTS: dict[str, Any] = {
    "vpc_cidr": "10.7.0.0/16",
    "instance_type": "t4g.small",
    "instance_image": "ami-0123456789abcdef0",
    "key_pair_name": "a key",
    "event_cluster_name": "a-cluster",
    "event_service_name": "a-service",
    "event_container_name": "a-container",
    "event_image": "registry.example.com/app:1.0",
    "expected_task_definition_family": "a-family",
    "private_registries": ["registry.internal:5000", "10.0.0.7"],
    "deployment_alarms": ["errors", "slow answers"],
    "ecs_rates": ["RegisterTaskDefinition=40/2", "UpdateService=80/0.5"],
    "tag_filters": ["team", "cost center"],
}
"""Other defaults of the parameters that the scripts do not give; the other ones have a choice."""


def other_default(name: str, declared: Mapping[str, Any]) -> Any:
    """Returns another default of a parameter."""
    bounds = [declared.get("MaxValue"), declared.get("MinValue")]
    choices = [None, declared["Default"]]
    found = [value for value in declared.get("AllowedValues", bounds) if value not in choices]
    return found[-1] if found else DEFAULTS[snake(name)]


POSITION = "the emulator's CloudFormation has one for every mapping"
REVOKED = "the provider revokes a new group's rule by ports that the emulator's does not have"
LAUNCHED = "CloudFormation tags what a stack creates, not what a template launches"
UNTAGGED = "the emulator's CloudFormation passes no tag of the stack on"
TAGS = ("contact", "ecs-updater", "environment", "owner")
QUEUES = "mappings.arn:aws:sqs:eu-west-1:000000000000:another-function-"
MAPPINGS = (f"{QUEUES}fleet.fifo", f"{QUEUES}push")
RULES = ("completer-deployments", "completer-poll", "push")
API = "APIs.another-function-api"
EXPLAINED = {
    **dict.fromkeys(
        (
            *(f"{API}.endpoint", f"{API}.validators", f"{API}.stages.v1.accessLogSettings"),
            rf"{API}\.routes\.POST [\w/{{}}]+\.validator",
            *(f"tables.another-function-ledger.{part}" for part in ("expires", "recovery", "SSE")),
            *(r"functions\.[\w-]+\.KMSKeyArn", r"roles\.[\w-]+\.PermissionsBoundary"),
            "functions.another-function.DeadLetterConfig",
        ),
        "the emulator's CloudFormation ignores it",
    ),
    "policies.another-function-fleet-sender-eu-west-1.tags": "CloudFormation cannot tag it",
    "profiles.another-stack-ecs-eu-west-1-instance.tags": "CloudFormation cannot tag it",
    **dict.fromkeys(
        (
            *(f"{mapping}.tags" for mapping in MAPPINGS),
            *(f"rules.another-function-{rule}.tags" for rule in RULES),
            "templates.another-stack-ecs-instances.tags.ecs-updater",
            *(f"groups.another-stack-ecs-instances.tags.{t}.PropagateAtLaunch" for t in TAGS),
        ),
        UNTAGGED,
    ),
    **{
        f"templates.another-stack-ecs-instances.launched.{kind}.ecs-updater": LAUNCHED
        for kind in ("network-interface", "volume")
    },
    **{f"{mapping}.StartingPosition": POSITION for mapping in MAPPINGS},
    **{f"security groups.another-stack-{group}.out.-1": REVOKED for group in ("vpc-tasks", "alb")},
}
"""Patterns of places that differ, and why. ``parity_unseen`` compares what is ignored."""

FORGOTTEN = {
    # When an interface is deleted; and the security group is in another element of its answer.
    "module.ecs_cluster.aws_launch_template.instances[0]": {"network_interfaces"},
    # What its answer leaves out in the protocol of the provider.
    "module.ecs_updater.module.operations[0].aws_cloudwatch_metric": {
        *("actions_enabled", "alarm_actions", "alarm_description", "dimensions", "period"),
        *("extended_statistic", "ok_actions", "statistic", "treat_missing_data"),
    },
    # Follows the template's latest version.
    "module.ecs_cluster.aws_autoscaling_group.instances[0]": {"launch_template"},
}
"""What the emulator does not keep, so that Terraform would set it again."""

Deployed = tuple[dict[str, Any], dict[str, set[str]]]
"""The state of a deployment, and the attributes by address that Terraform would change."""


@pytest.fixture(scope="module", name="terraform")
def _terraform(tmp_path_factory, why_no_terraform) -> Terraform:
    """Terraform in a copy of the tree."""
    if why_no_terraform:
        pytest.skip(why_no_terraform)
    return Terraform(tmp_path_factory.mktemp("terraform") / "tree", CREDENTIALS)


@pytest.fixture(scope="module", name="project")
def _project(tmp_path_factory) -> Path:
    """A copy of the project with other defaults in both trees."""
    project = tmp_path_factory.mktemp("project")
    shutil.copy2(PROJECT / "Makefile", project)
    for name in ("scripts", "infraestructure", TREE.name, SCHEMAS):
        shutil.copytree(PROJECT / name, project / name)
    for template, module in MODULES.items():
        folder = project / TREE.name / "modules" / module
        paths = (project / "infraestructure" / template, folder / "variables.tf")
        here, there = (path.read_text("utf-8") for path in paths)
        for name, declared in TEMPLATES[template]["Parameters"].items():
            if name not in GIVEN:
                value = other_default(name, declared)
                text = ",".join(value) if isinstance(value, list) else value
                here = replaced(rf"(\n  {name}:\n(?:    .*\n)*?    Default: ).*", text, here)
                if f'variable "{snake(name)}"' in there:  # Others are the function's.
                    place = rf'(variable "{snake(name)}" \{{\n(?:  .*\n)*?  default += ).*'
                    there = replaced(place, value, there)
        for path, text in zip(paths, (here, there), strict=True):
            path.write_text(text, "utf-8")
    return project


def replaced(place: str, value: Any, text: str) -> str:
    """A text with a value, as JSON, behind the first match of a pattern, which must be there."""
    text, count = re.subn(place, lambda match: match[1] + json.dumps(value), text, count=1)
    assert count, f"no {place}"
    return text


@pytest.fixture(scope="module", name="deployments")
def _deployments(terraform, workspace, project, package) -> Iterator[dict[str, Future[Deployed]]]:
    """Deploys with both, in parallel: Terraform waits more than it works."""
    assert terraform
    targets = {
        "CloudFormation": [f"deploy-{part}" for part in ("ecs-cluster", *AFTER_THE_CLUSTER)],
        # The first deploys all the parts but those that are off by default.
        "Terraform": [f"deploy-{part}-tf" for part in ("fleet-aws", *OPTIONAL)],
    }
    spaces = {
        tool: workspace(tool, project, EMULATOR_HOST="127.0.0.1", **SETTINGS) for tool in targets
    }
    for space in spaces.values():
        space.bring(package)
    with ThreadPoolExecutor() as pool:
        yield {tool: pool.submit(deployed, spaces[tool], steps) for tool, steps in targets.items()}


def deployed(workspace: Workspace, targets: list[str]) -> Deployed:
    """Deploys, reads what is there, and lets Terraform plan again, with the addresses of 1.0.0."""
    workspace.make("emulator-up", *targets).succeeded()
    # A session for each thread.
    options = {"endpoint_url": workspace.endpoint, "config": Config(proxies={})}
    client = partial(boto3.session.Session().client, **options)
    changes: dict[str, set[str]] = {}
    outputs: dict[str, Any] = {
        snake(output["OutputKey"]): output["OutputValue"]
        for stack in client("cloudformation").describe_stacks()["Stacks"]
        for output in stack.get("Outputs", [])
    }
    for tree in workspace.build.glob("terraform-*/tree"):
        environment = {"TF_DATA_DIR": str(tree.parent / "data"), "AWS_REGION": "eu-west-1"}
        environment["AWS_ENDPOINT_URL"] = workspace.endpoint
        state_file = tree.parent / "terraform.tfstate"
        made = json.loads(state_file.read_text("utf-8"))["outputs"]
        outputs = {name: output["value"] for name, output in made.items()}
        parts = "ledger|lambda|api|fleet"  # Those of 1.0.0.
        addresses = re.compile(rf"module\.ecs_updater\.(module\.(?:{parts}))(\[0])?")
        state_file.write_text(addresses.sub(r"\1", state_file.read_text("utf-8")), "utf-8")
        changes = terraform_cli.changes(tree, environment)
        workspace.make("deploy-lambda-aws-tf").succeeded()  # Terraform refuses its -target.
    state = json.dumps(Deployment(client).read(outputs))
    # The emulator's CloudFormation has another name of its address.
    address = rf"http://(localhost|127\.0\.0\.1):{workspace.port}"
    return json.loads(re.sub(address, "http://emulator", state)), changes


# As deployed


def unexplained(here: dict[str, Any], there: dict[str, Any]) -> list[str]:
    """The differences of two states that are not explained."""
    return [line for line in differences(here, there) if not re.match("|".join(EXPLAINED), line)]


def test_both_deployments_are_the_same_but_for_what_is_explained(deployments):
    sides = [deployments[tool].result()[0] for tool in ("CloudFormation", "Terraform")]
    assert unexplained(*sides) == []
    found = list(differences(*sides))
    assert not [place for place in EXPLAINED if not any(re.match(place, line) for line in found)]


def test_terraform_would_change_nothing_but_what_the_emulator_forgets(deployments):
    found: dict[str, set[str]] = defaultdict(set)
    for address, attributes in deployments["Terraform"].result()[1].items():
        found[address.partition("_alarm.")[0]] |= attributes
    assert found == FORGOTTEN


def test_a_change_of_one_leaf_of_a_deployment_is_noticed(deployments):
    states = {tool: deployment.result()[0] for tool, deployment in deployments.items()}
    for tool, other in (("CloudFormation", "Terraform"), ("Terraform", "CloudFormation")):
        for kind, part in states[tool].items():
            for change, changed in mutations({kind: part}):
                if not re.match("|".join(EXPLAINED), change.partition(" ")[2]):
                    assert unexplained(changed, {kind: states[other][kind]}), f"{tool}: {change}"


# As written


EVERYTHING = {
    "launch_type": "EC2",
    "account_log_role": "make",
    "permissions_boundary": BOUNDARY,
    "kms_key_arn": KEY,
    "tracing": "Active",
    "api_auth": "jwt",
    "jwt_issuer": "https://issuer.example.com",
    "jwt_audience": "us",
    "jwks_url": "https://issuer.example.com/keys",
    "scopes_parameter_name": "/ecs-updater/scopes",
}
"""The values with which both create every resource."""


@pytest.fixture(scope="module", name="written")
def _written(terraform, workspace, package) -> tuple[dict[str, Stack], unseen.Plan]:
    """The stacks and the plan for AWS, not for an emulator."""
    (emulator := workspace("plans")).make("emulator-up").succeeded()
    webhooks = {"Name": "webhooks", "SecretString": '{"slack_webhook_url": "https://example.com"}'}
    secret = emulator.client("secretsmanager").create_secret(**webhooks)["ARN"]
    texts = dict.fromkeys(("lambda_package", "authorizer_package"), str(package))
    texts |= {"web_acl_arn": USUAL["WebAclArn"], "cluster_name": "ECSCluster"}
    texts |= {"schemas_directory": str(PROJECT / SCHEMAS)}
    objects = {
        "target": {"home_account": "111111111111", "home_region": "us-east-1", "external_id": "id"},
        "notify": {"webhook_secret_arn": secret, "slack_webhook": True},
    }
    optional = dict.fromkeys(("push", "codepipeline", "operations", "load_balancer"), True)
    place = {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": emulator.endpoint}
    plan = terraform.plan(texts | objects | optional | EVERYTHING, **place)
    return stacks(TEMPLATES), unseen.Plan(plan)


def stacks(templates: dict[str, Any]) -> dict[str, Stack]:
    """The stacks that the templates make with their defaults."""
    given = {name.title().replace("_", ""): value for name, value in EVERYTHING.items()}
    suffixes = {name: name[2:-4].replace("load-balancer", "alb") for name in templates}
    return {
        name: Stack(template, given | {"AWS::StackName": f"ecs-updater{suffixes[name]}"})
        for name, template in templates.items()
    }


def test_both_trees_have_what_the_emulator_does_not_show(written):
    assert not list(unseen.compare(*written))


def test_a_change_of_what_the_emulator_does_not_show_is_noticed(written):
    made, plan = written
    for template, stack in made.items():
        for name, resource in stack.resources.items():
            compared = unseen.properties(name, resource)
            for change, document in mutations(TEMPLATES[template], "Resources", name, "Properties"):
                # These values take the first branch of every condition.
                place = change.partition(".Properties.")[2].split(".Fn::If.2")
                if len(place) == 1 and place[0].startswith(compared):
                    changed = made | stacks({template: document})
                    assert noticed(unseen.compare, changed, plan), change


@pytest.mark.parametrize("template", TEMPLATES)
def test_parameters_variables_and_outputs_are_declared_in_the_same_way(template):
    assert not list(declarations.compare(template, TEMPLATES[template], SOURCES[template]))


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_change_of_one_declaration_is_noticed(template):
    source = SOURCES[template]
    for part in ("Parameters", "Outputs"):
        for change, document in mutations(TEMPLATES[template], part):
            _, name, field = change.split(".")[:3]
            is_compared = field not in ("Value", "Condition")
            if is_compared and (template, snake(name)) not in declarations.ONLY_PARAMETERS:
                assert noticed(declarations.compare, template, document, source), change
    for block in re.finditer(r'^\w+ "(\w+)" \{\n((  .*)?\n)*}', source, re.MULTILINE):
        if (template, block[1]) in declarations.ONLY_VARIABLES:
            continue
        for line in re.finditer(rf"^ +({FIELDS}) += .*\n", block[0], re.MULTILINE):
            changed = source.replace(block[0], block[0].replace(line[0], ""))
            assert noticed(declarations.compare, template, TEMPLATES[template], changed), line[0]


FIELDS = "type|description|default|nullable|condition|error_message"


def noticed(compare: Callable[..., Iterator[str]], *sides: Any) -> bool:
    """Whether a comparison finds a difference, or cannot read one side."""
    try:
        return any(compare(*sides))
    except Exception:  # pylint: disable=broad-exception-caught
        return True

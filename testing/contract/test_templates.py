"""The CloudFormation templates against the code that they deploy, the scripts that deploy them, and
the project's rules.
"""

import ast
import importlib
import inspect
import re
from dataclasses import fields
from types import ModuleType
from typing import Any, get_args
from unittest.mock import Mock

import boto3
import pytest

from ecs_updater.aws import dynamodb, ecr, ecs, express, logs, scaling
from ecs_updater.model.request import GUARDED_FIELDS
from ecs_updater.settings import PushSettings, QueueSettings, Settings
from support.cloudformation import TEMPLATES, Stack, allows
from support.isolation import FUNCTION_SETTINGS
from support.make import PROJECT
from support.permissions import actions

VPC, ECS, LEDGER, LAMBDA, API, FLEET, ALB, *_ = TEMPLATES.values()
PUSH, CODEPIPELINE = TEMPLATES["07-push.yml"], TEMPLATES["08-codepipeline.yml"]
TARGET = TEMPLATES["09-target.yml"]

# What AWS's Service Authorization Reference allows as the resource of an action, if not an ARN.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonmessagegatewayservice.html
# ecs:ListTasks is about instances; asked for the tasks of a service, only its condition on the
# cluster narrows it. The status function lists the clusters and services of the whole region.
ONLY_STAR = (
    {
        "ecs:DescribeTaskDefinition",
        "ecs:DiscoverPollEndpoint",
        "ecs:ListTasks",
        "ecs:ListClusters",
        "ecs:ListServices",
    }
    | {
        f"ssmmessages:{verb}{channel}"
        for verb in ("Create", "Open")
        for channel in ("ControlChannel", "DataChannel")
    }
    | {"ecr:DescribePullThroughCacheRules", "application-autoscaling:DescribeScalableTargets"}
    | {"tag:GetResources", "xray:PutTelemetryRecords", "xray:PutTraceSegments"}
    | {
        f"elasticloadbalancing:Describe{kind}"
        for kind in ("Listeners", "Rules", "TargetGroups", "TargetHealth")
    }
    | {"codepipeline:PutJobFailureResult", "codepipeline:PutJobSuccessResult"}
)

ROLE = "arn:aws:iam::000000000000:role/task"
SERVICE = "arn:aws:ecs:eu-west-1:000000000000:service/ECSCluster/web"
ELSEWHERE = "arn:aws:ecs:eu-west-1:000000000000:service/Other/web"
REVISION = "arn:aws:ecs:eu-west-1:000000000000:task-definition/web:7"
TASK = "arn:aws:ecs:eu-west-1:000000000000:task/ECSCluster/0123"
TASK_LOG = "arn:aws:logs:eu-west-1:000000000000:log-group:/ecs/web:log-stream:web/app/0123"
IN_CLUSTER = {"ecs:cluster": "arn:aws:ecs:eu-west-1:000000000000:cluster/ECSCluster"}
DEAD_LETTER_QUEUE = "arn:aws:sqs:eu-west-1:000000000000:ecs-updater-dead-letters"
PASSED = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
REGISTERED = {"ecs:CreateAction": "RegisterTaskDefinition"}

ALL = {
    "PassableRoleArns": ROLE,
    "VerifyImage": "warn",
    "LedgerTableName": "a-ledger",
    "RunTasks": "true",
    "TaskLogGroupName": "/ecs/*",
    "ReadScalableTargets": "true",
    "ExpressServices": "true",
    "Tracing": "Active",
}
"""The parameters with which the function may do all that it ever may."""

EVERYTHING = {"LaunchType": "EC2", "AccountLogRole": "make"}
"""The parameters with which the stacks create every resource."""

every_template = pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)


def function_stack(**parameters: Any) -> Stack:
    """Returns the function's stack."""
    return Stack(LAMBDA, parameters)


def function(**parameters: Any) -> dict[str, Any]:
    """Returns the function's properties."""
    (properties,) = function_stack(**parameters).of_type("AWS::Lambda::Function")
    return properties


def policy(**parameters: Any) -> list[dict[str, Any]]:
    """Returns the statements of the function's role."""
    return function_stack(**parameters).statements


def called_by(gateway: ModuleType, service: str) -> set[str]:
    """Returns the IAM actions of the calls that a gateway makes to a service, read from its
    source.
    """
    operations = boto3.client(service).meta.method_to_api_mapping
    tree = ast.parse(inspect.getsource(gateway))
    names = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    called = {api for name, api in operations.items() if name in names or api in texts}
    # IAM does not know a transaction, only what is in it.
    transacted = (
        {f"{kind.__name__}Item" for kind in get_args(dynamodb.Write)}
        if "TransactWriteItems" in called
        else set()
    )
    return {f"{service}:{name}" for name in (called | transacted) - {"TransactWriteItems"}}


def read_by(*kinds: type[Settings | QueueSettings | PushSettings]) -> set[str]:
    """Returns the names of the variables from which these settings are read."""
    environment = Mock(**{"get.side_effect": lambda name, default=None: default})
    for kind in kinds:
        kind.from_environment(environment)
    return {call.args[0] for call in environment.get.call_args_list}


TARGETS = {"ECS_ARN_PREFIX", "TARGETS_PARAMETER"}
"""Where the function is, and the name of the parameter with other accounts and regions."""
NOTIFICATIONS = {"EVENT_BUS", "NOTIFY_TOPIC_ARN"}
"""Where verdicts are sent, see `aws.notifications`."""
READ = read_by(Settings) | TARGETS
IN_EVENTS = {"CLUSTER_NAME", "SERVICE_NAME", "CONTAINER_NAME", "IMAGE"}
"""A request and a message name what they are about: no default makes an empty one an update."""

every_function = pytest.mark.parametrize(
    ("name", "template", "declared"),
    [
        ("Function", LAMBDA, READ | NOTIFICATIONS),
        ("UpdateFunction", API, READ - IN_EVENTS | {"API_AUTH", "SCOPES_PARAMETER", "APPROVALS"}),
        (
            "FleetFunction",
            FLEET,
            (READ | read_by(QueueSettings)) - IN_EVENTS | {"QUEUE_URL", "DEAD_LETTER_QUEUE_URL"},
        ),
        (
            "PushFunction",
            PUSH,
            read_by(PushSettings) - {"MAX_RECEIVES"}
            | {"QUEUE_URL", "LEDGER_TABLE", "ALLOWED_IMAGES", "ALLOWED_SERVICES"},
        ),
        ("CodepipelineFunction", CODEPIPELINE, READ - IN_EVENTS),
        (
            "Completer",
            LEDGER,
            {"LEDGER_TABLE", "LEDGER_RETENTION_DAYS", "TASK_FAILURES", "OPEN_UPDATE_MAX_HOURS"}
            | TARGETS
            | NOTIFICATIONS
            | {"DEPLOYMENT_ALARMS"},
        ),
    ],
)

SETTINGS: list[tuple[str, Any, str, Any]] = [
    ("EventClusterName", "c", "cluster", "c"),
    ("EventServiceName", "s", "service", "s"),
    ("EventContainerName", "n", "container", "n"),
    ("EventImage", "i", "image", "i"),
    ("ExpectedTaskDefinitionFamily", "f", "family", "f"),
    ("UnknownFields", "drop", "unknown_fields", "drop"),
    ("TaskFailures", 5, "task_failures", 5),
    ("CircuitBreaker", "enable", "circuit_breaker", "enable"),
    ("DeploymentAlarms", "a b,c", "deployment_alarms", ("a b", "c")),
    ("VerifyImage", "require", "verify_image", "require"),
    ("PinDigest", "digest", "pin_digest", "digest"),
    (
        "PrivateRegistries",
        "r:5000,10.0.0.7",
        "private_registries",
        frozenset({"r:5000", "10.0.0.7"}),
    ),
    ("LedgerRetentionDays", 7, "ledger_retention_days", 7),
    ("AllowedImages", "docker.io/*,*:1.3[67]", "allowed_images", "docker.io/*,*:1.3[67]"),
    ("AllowedServices", "shop/*,a/b", "allowed_services", "shop/*,a/b"),
    ("AllowedFields", "ecs_cpu,run_before", "allowed_fields", "ecs_cpu,run_before"),
    ("AllowedSecrets", "arn:*:web,*/shop", "allowed_secrets", "arn:*:web,*/shop"),
    ("OpenUpdateMaxHours", 48, "open_update_max_hours", 48),
]
"""A parameter with a value, and the setting with its value, for every setting but the table."""


def variables(name: str, template: dict[str, Any], **parameters: Any) -> dict[str, str]:
    """Returns the environment of a function."""
    names = {"FunctionName": "team", "LedgerTableName": "team-ledger"}
    return Stack(template, names | parameters).resources[name]["Properties"]["Environment"][
        "Variables"
    ]


# The function's permissions


def test_the_policy_allows_the_calls_that_the_code_makes_and_no_other_of_these_services():
    gateways = {"ecs": ecs, "dynamodb": dynamodb, "ecr": ecr}
    gateways |= {"logs": logs, "application-autoscaling": scaling}
    called = set().union(*(called_by(module, service) for service, module in gateways.items()))
    called |= called_by(express, "ecs")
    by_lambda = {"logs:CreateLogStream", "logs:PutLogEvents"}
    # Only the command line watches a batch and lists names and images: test_permissions_fleet.py.
    of_senders = {
        "dynamodb:BatchGetItem",
        "ecs:ListServices",
        "ecs:ListClusters",
        "ecr:DescribeImages",
    }
    allowed = {action for action in actions(policy(**ALL)) if action.split(":")[0] in gateways}
    # Only the API's update function answers hooks: test_templates_api.py.
    called.remove("ecs:ContinueServiceDeployment")
    assert allowed - by_lambda == called - of_senders


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("ecs:DescribeServices", SERVICE, {}),
        # "not found", not "access denied", answers a wrong cluster name.
        ("ecs:DescribeServices", ELSEWHERE, {}),
        ("ecs:DescribeTaskDefinition", "*", {}),
        ("ecs:RegisterTaskDefinition", REVISION, {}),
        ("ecs:RegisterTaskDefinition", REVISION.replace(":7", ":*"), {}),
        ("ecs:TagResource", REVISION, REGISTERED),
        ("ecs:UpdateService", SERVICE, {}),
        ("ecs:TagResource", SERVICE, {}),
        ("ecs:UntagResource", SERVICE, {}),
        ("iam:PassRole", ROLE, PASSED),
        ("ecs:RunTask", REVISION, IN_CLUSTER),
        ("ecs:StopTask", TASK, IN_CLUSTER),
        ("logs:GetLogEvents", TASK_LOG, {}),
        ("application-autoscaling:DescribeScalableTargets", "*", {}),
        (
            "logs:CreateLogStream",
            "arn:aws:logs:eu-west-1:000000000000:log-group:/aws/lambda/ecs-updater:log-stream:x",
            {},
        ),
        (
            "logs:PutLogEvents",
            "arn:aws:logs:eu-west-1:000000000000:log-group:/aws/lambda/ecs-updater:log-stream:x",
            {},
        ),
        ("sqs:SendMessage", DEAD_LETTER_QUEUE, {}),
    ],
)
def test_the_function_may(action, resource, context):
    assert allows(policy(**ALL), action, resource, context)


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("ecs:UpdateService", ELSEWHERE, {}),
        ("ecs:TagResource", ELSEWHERE, {}),
        ("ecs:UntagResource", ELSEWHERE, {}),
        ("ecs:UpdateService", SERVICE.replace("ECSCluster", "ECSClusterTwo"), {}),
        ("ecs:DescribeServices", SERVICE.replace("eu-west-1", "us-east-1"), {}),
        ("ecs:DescribeServices", SERVICE.replace("000000000000", "444455556666"), {}),
        ("ecs:TagResource", REVISION, {}),  # A revision that is there keeps the tags it has.
        ("ecs:UntagResource", REVISION, REGISTERED),
        ("ecs:TagResource", "arn:aws:ecs:eu-west-1:000000000000:cluster/ECSCluster", {}),
        ("ecs:DeleteService", SERVICE, {}),
        ("ecs:DeregisterTaskDefinition", REVISION, {}),
        ("ecs:RunTask", REVISION, {"ecs:cluster": IN_CLUSTER["ecs:cluster"] + "Two"}),
        ("ecs:RunTask", REVISION, {}),
        ("ecs:StopTask", TASK.replace("ECSCluster", "Other"), IN_CLUSTER),
        ("logs:GetLogEvents", TASK_LOG.replace("/ecs/", "/aws/"), {}),
        ("iam:PassRole", ROLE, {}),
        ("iam:PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}),
        ("iam:PassRole", ROLE + "-other", PASSED),
        (
            "logs:PutLogEvents",
            "arn:aws:logs:eu-west-1:000000000000:log-group:/aws/lambda/ecs-updater-two:log-stream:x",
            {},
        ),
    ],
)
def test_the_function_may_not(action, resource, context):
    assert not allows(policy(**ALL), action, resource, context)


def test_without_their_parameters_no_role_can_be_passed_and_no_task_run():
    by_parameter = {action for action in actions(policy(**ALL)) if action not in actions(policy())}
    assert by_parameter > {"iam:PassRole", "ecs:RunTask", "ecs:StopTask", "logs:GetLogEvents"}


@pytest.mark.parametrize("template", [LAMBDA, API, FLEET], ids=["function", "api", "fleet"])
def test_the_templates_accept_the_fields_that_the_code_guards(template):
    pattern = template["Parameters"]["AllowedFields"]["AllowedPattern"]
    fields_or_all = re.findall(r"[a-z_]+|\\\*", pattern)
    assert sorted(fields_or_all) == sorted((*GUARDED_FIELDS, r"\*"))


@pytest.mark.parametrize(
    "stack",
    [Stack(template, ALL if template is LAMBDA else EVERYTHING) for template in TEMPLATES.values()],
    ids=TEMPLATES,
)
def test_only_actions_that_know_no_resource_are_allowed_on_every_resource(stack):
    standalone = [*stack.of_type("AWS::IAM::ManagedPolicy"), *stack.of_type("AWS::IAM::Policy")]
    policies = [
        part for role in stack.of_type("AWS::IAM::Role") for part in role.get("Policies", [])
    ]
    for policy_of_role in [*policies, *standalone]:
        for statement in policy_of_role["PolicyDocument"]["Statement"]:
            allowed, sid = set(actions([statement])), statement["Sid"]
            assert statement["Resource"] != "*" or allowed <= ONLY_STAR, sid
            assert allowed != {"ecs:ListTasks"} or "ArnLike" in statement["Condition"], sid
            assert not any("*" in action for action in allowed), sid


@pytest.mark.parametrize("stack", [ECS, LEDGER, LAMBDA, API, ALB, PUSH])
def test_every_role_trusts_one_service_and_takes_a_permissions_boundary(stack):
    for value in ("", "arn:aws:iam::000000000000:policy/boundary"):
        roles = Stack(stack, {**EVERYTHING, "PermissionsBoundary": value}).of_type("AWS::IAM::Role")
        assert roles
        for role in roles:
            (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
            assert statement["Action"] == "sts:AssumeRole"
            trusted = statement["Principal"]["Service"].removesuffix(".amazonaws.com")
            assert trusted in ("lambda", "ecs-tasks", "ec2", "apigateway", "ecs")
            # AWS's own are wider than what is needed, and grow.
            assert not role.get("ManagedPolicyArns")
            assert role.get("PermissionsBoundary", "") == value


# The function's configuration


def test_the_handler_is_there():
    module, _, name = function()["Handler"].rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_no_setting_of_a_function_reaches_the_tests_from_the_shell():
    functions = [
        resource["Properties"]
        for template in TEMPLATES.values()
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function"
    ]
    names = {name for each in functions for name in each["Environment"]["Variables"]}
    assert names - {"AWS_ENDPOINT_URL"} == FUNCTION_SETTINGS


@every_function
def test_the_settings_of_a_function_are_declared_and_no_others(name, template, declared):
    by_others = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_LOG_LEVEL"}
    by_others |= {"UPDATER_NAME", "METRICS_BY_SERVICE"}
    assert variables(name, template).keys() - by_others == declared


@pytest.mark.parametrize(("name", "template", "_"), every_function.args[1])
def test_what_is_set_reaches_the_settings_of_every_function(name, template, _):
    settings = [setting for setting in SETTINGS if setting[0] in template["Parameters"]]
    given = {parameter: value for parameter, value, *_ in settings}
    wanted = {field: value for _, _, field, value in settings}
    assert Settings.from_environment(variables(name, template, **given)) == Settings(
        ledger_table="team-ledger", **wanted
    )
    assert Settings.from_environment(variables(name, template)) == Settings(
        ledger_table="team-ledger"
    )
    if name == "Function":
        assert {*wanted, "ledger_table"} == {field.name for field in fields(Settings)}


def test_one_call_at_a_time_unless_nothing_is_to_be_reserved():
    assert function()["ReservedConcurrentExecutions"] == "1"
    assert "ReservedConcurrentExecutions" not in function(ReservedConcurrency=-1)


def test_logs_are_json_in_a_declared_group_and_dead_letters_are_kept_encrypted():
    resources = function_stack().resources
    properties = resources["Function"]["Properties"]
    assert properties["LoggingConfig"]["LogFormat"] == "JSON"
    (group,) = function_stack().of_type("AWS::Logs::LogGroup")
    assert properties["LoggingConfig"]["LogGroup"] == group["LogGroupName"]
    assert properties["DeadLetterConfig"]["TargetArn"] == DEAD_LETTER_QUEUE
    assert resources["DeadLetterQueue"]["Properties"]["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize(("name", "template", "_"), every_function.args[1])
def test_no_log_level_drops_the_metrics_whose_lines_have_the_level_info(name, template, _):
    for level in template["Parameters"]["LogLevel"]["AllowedValues"]:
        properties = Stack(template, {"LogLevel": level}).resources[name]["Properties"]
        kept = properties["LoggingConfig"]["ApplicationLogLevel"]
        assert kept == ("DEBUG" if level == "DEBUG" else "INFO")
        assert properties["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == level


@every_template
def test_every_queue_refuses_calls_without_tls_which_an_emulator_has_not(template):
    stack = Stack(template)
    names = [queue["QueueName"] for queue in stack.of_type("AWS::SQS::Queue")]
    refusals = [
        (policy_of_queue["Queues"], refusals_of(policy_of_queue))
        for policy_of_queue in stack.of_type("AWS::SQS::QueuePolicy")
    ]
    assert refusals == [
        (
            [f"https://sqs.eu-west-1.amazonaws.com/000000000000/{name}"],
            [
                {
                    "Sid": "RefuseWithoutTls",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sqs:*",
                    "Resource": f"arn:aws:sqs:eu-west-1:000000000000:{name}",
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        )
        for name in names
    ]
    on_emulator = Stack(template, {"EndpointUrl": "http://127.0.0.1:4566"})
    assert not any(map(refusals_of, on_emulator.of_type("AWS::SQS::QueuePolicy")))


def refusals_of(policy_of_queue: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the statements of a queue's policy that refuse calls."""
    statements = policy_of_queue["PolicyDocument"]["Statement"]
    return [statement for statement in statements if statement["Effect"] == "Deny"]


# What every template keeps to


def test_every_stack_that_a_script_creates_has_the_four_tags():
    assert set(re.findall(r'"([\w$-]+)=\$', scripts("stacks.sh"))) >= {
        "environment",
        "owner",
        "contact",
        "$OWNERSHIP_TAG",
    }
    for name, call in (
        ("stacks.sh", "cloudformation deploy "),
        ("function.sh", "cloudformation create-change-set "),
        ("deploy-lambda-sam", '/sam" deploy '),
    ):
        (command,) = [
            line for line in scripts(name).replace("\\\n", "").splitlines() if call in line
        ]
        assert '--tags "${tags[@]}"' in command, name


@every_template
def test_every_finding_of_a_scanner_that_is_skipped_says_why(template):
    for name, resource in template["Resources"].items():
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            assert set(skip) == {"id", "comment"} and len(skip["comment"].split()) > 3, name


@every_template
def test_every_parameter_is_described_grouped_and_used(template):
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(template["Parameters"])
    used = repr({key: template[key] for key in ("Conditions", "Resources") if key in template})
    for name, parameter in template["Parameters"].items():
        assert parameter["Description"].endswith("."), name
        assert f"'Ref': '{name}'" in used or f"${{{name}}}" in used, name
        assert parameter.get("Default", "-") != "" or parameter["Description"].startswith(
            "Optional"
        ), name


@every_template
def test_every_bound_says_what_is_wanted(template):
    for name, parameter in template["Parameters"].items():
        bounds = {"AllowedPattern", "AllowedValues", "MinValue", "MaxValue"} & set(parameter)
        assert bool(bounds) == ("ConstraintDescription" in parameter), name


def test_no_arn_has_its_partition_or_its_region_written_out():
    """An emulator has one of each."""
    modules = (PROJECT / "infraestructure-terraform" / "modules").glob("*/*.tf")
    paths = [*(PROJECT / "infraestructure").glob("*.yml"), *modules]
    for line in (line for path in paths for line in path.read_text("utf-8").splitlines()):
        if not re.search(r"AllowedPattern:|regex\(", line):
            assert not re.search("arn:aws|eu-west-1", line), line


@every_template
def test_conditions_are_named_has(template):
    assert all(name.startswith("Has") for name in template.get("Conditions", {}))


# The scripts that deploy them


def scripts(*names: str) -> str:
    """Returns the text of scripts."""
    return "".join((PROJECT / "scripts" / name).read_text(encoding="utf-8") for name in names)


def given_by(*names: str) -> tuple[str, set[str]]:
    """Returns the text of scripts, and the parameters that they give."""
    # Those of API and fleet are in a function that only their scripts call.
    text = scripts(*names)
    shared = re.search(
        r"^need_function_outputs\(\) \{.*?^}$", scripts("function.sh"), re.DOTALL | re.MULTILINE
    )
    assert shared
    text = text + shared[0] if '"${updater[@]}"' in text else text.replace(shared[0], "")
    return text, set(re.findall(r'"([A-Z][A-Za-z]+)=\$', text))


SAM, AWS = (("function.sh", name) for name in ("deploy-lambda-sam", "deploy-lambda-aws"))
OF_API, OF_FLEET = ("deploy-api-aws",), ("deploy-fleet-aws",)


@pytest.mark.parametrize(
    ("names", "templates"),
    [
        (("stacks.sh", "deploy-ecs-cluster"), [VPC, ECS, ALB]),
        (SAM, [LEDGER, LAMBDA]),
        (AWS, [LEDGER, LAMBDA]),
        (OF_API, [API]),
        (OF_FLEET, [FLEET]),
        (("deploy-push-aws",), [PUSH]),
        (("deploy-codepipeline-aws",), [CODEPIPELINE]),
        (("deploy-target-aws",), [TARGET]),
        (("deploy-waf-aws",), [TEMPLATES["11-waf.yml"]]),
        (("deploy-notify-aws",), [TEMPLATES["06-notify.yml"]]),
    ],
)
def test_every_parameter_that_a_script_gives_exists_and_none_without_default_is_forgotten(
    names, templates
):
    _, given = given_by(*names)
    declared = {
        key: parameter
        for template in templates
        for key, parameter in template["Parameters"].items()
    }
    assert given
    assert given <= set(declared)
    assert {key for key, parameter in declared.items() if "Default" not in parameter} <= given


def test_no_default_of_a_tag_looks_like_somebody():
    assert ECS["Parameters"]["Contact"]["Default"] == "not-set"
    assert "CONTACT              := not-set" in (PROJECT / "Makefile").read_text(encoding="utf-8")

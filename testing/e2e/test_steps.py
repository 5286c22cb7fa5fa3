"""The targets of the Makefile one at a time, as a person calls them: on one emulator that they
share, with one deployment on it.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from support.events import OUTCOMES
from support.make import PROJECT, Result, Workspace, until
from support.shell import HOSTILE

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

# A stack whose creation fails: nobody sends the signal that it waits for.
NEVER_COMPLETE = """\
Resources:
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Never:
    Type: AWS::CloudFormation::WaitCondition
    Properties: {Handle: !Ref Handle, Timeout: "1", Count: 1}
"""


@pytest.fixture(scope="module", name="started")
def _started(workspace, path_without_docker) -> Iterator[tuple[Workspace, Result]]:
    """An emulator that was started in a hostile shell, where SAM's mode was left to the machine and
    there is no Docker.
    """
    here = workspace("steps", SAM_MODE="auto")
    yield here, here.make("emulator-up", environment=HOSTILE | {"PATH": path_without_docker})
    here.clean()


@pytest.fixture(scope="module", name="emulator")
def _emulator(started) -> Workspace:
    """The workspace of an emulator that runs."""
    here, result = started
    assert result.status == 0, result.output
    return here


@pytest.fixture(scope="module", name="deployment")
def _deployment(emulator, package) -> Result:
    """Everything deployed, where the creation of the first stack had failed before."""
    create_stack_that_fails(emulator, "ecs-updater-vpc", "ROLLBACK_COMPLETE", OnFailure="ROLLBACK")
    steps = ["deploy-ecs-cluster", "deploy-ecs-service", "deploy-lambda-sam"]
    return emulator.make(*steps, environment=HOSTILE, LAMBDA_PACKAGE=str(package))


@pytest.fixture(scope="module", name="deployed")
def _deployed(emulator, deployment) -> Workspace:
    """The workspace of an emulator with everything deployed."""
    assert deployment.status == 0, deployment.output
    return emulator


def create_stack_that_fails(here: Workspace, name: str, status: str, **options: str) -> None:
    """Creates a stack with the tag of this project, and waits until it has this status."""
    cloudformation = here.client("cloudformation")
    tags = [{"Key": "ecs-updater", "Value": name.rpartition("-")[0]}]
    cloudformation.create_stack(StackName=name, TemplateBody=NEVER_COMPLETE, Tags=tags, **options)
    until(
        lambda: (
            cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == status
        ),
        f"{name} is {status}",
    )


DEPLOY_CLUSTER = "make deploy-ecs-cluster TARGET=local"
DEPLOY_API = "make deploy-api-aws TARGET=local"
DEPLOY_ALL = "make deploy-ecs-cluster deploy-ecs-service deploy-lambda-sam TARGET=local"


NO_FUNCTION = "LedgerTableName: make deploy-lambda-sam TARGET=local"


@pytest.mark.parametrize(
    "target, expected",
    [
        (
            "deploy-ecs-service",
            f"the stacks absent-vpc and absent-ecs have no output SubnetIds: {DEPLOY_CLUSTER}",
        ),
        (
            "deploy-lambda-sam",
            f"the stack absent-ecs has no output TaskExecutionRoleArn: {DEPLOY_CLUSTER}, "
            "or set PASSABLE_ROLE_ARNS for your services",
        ),
        (
            "deploy-api-aws",
            f"the stacks absent-ledger and absent-lambda have no output {NO_FUNCTION}",
        ),
        *(
            (target, f"the stacks absent-ledger and absent-lambda have no output {NO_FUNCTION}")
            for target in ("deploy-fleet-aws", "deploy-push-aws", "deploy-codepipeline-aws")
        ),
        (
            "deploy-operations-aws",
            "there is no stack absent-lambda: make deploy-lambda-aws TARGET=local",
        ),
        *(
            (target, f"there is no API of ecs-updater: {DEPLOY_API}")
            for target in ("api-key", "api-url", "run-api-test")
        ),
        (
            "run-fleet-test",
            "there is no queue ecs-updater-fleet.fifo: make deploy-fleet-aws TARGET=local",
        ),
        ("run-lambda-test-sam", f"there is no stack absent-lambda: {DEPLOY_ALL}"),
        ("invoke-sam EVENT=e.json", f"there is no stack absent-lambda: {DEPLOY_ALL}"),
    ],
)
def test_a_step_without_the_stacks_before_it_says_what_to_do(target, expected, emulator, package):
    assert (
        emulator.make(*target.split(), STACK_NAME="absent", LAMBDA_PACKAGE=str(package)).complaint()
        == expected
    )


def test_the_function_updates_your_services_without_the_stacks_of_the_demo(workspace, package):
    here = workspace("yours")
    here.make("emulator-up").succeeded()
    ecs, container = here.client("ecs"), {"name": "web", "image": "busybox", "memory": 64}
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(family="web-shop", containerDefinitions=[container])
    ecs.create_service(cluster="shop", serviceName="web", taskDefinition="web-shop", desiredCount=1)
    settings = {
        "STACK_NAME": "yours",
        "LAMBDA_FUNCTION_NAME": "yours",
        "CLUSTER_NAME": "shop",
        "TASK_DEFINITION_NAME": "web-*",
        "PASSABLE_ROLE_ARNS": "arn:aws:iam::000000000000:role/web-*",
    }

    steps = ("deploy-lambda-aws", "deploy-api-aws", "deploy-fleet-aws")
    here.make(*steps, LAMBDA_PACKAGE=str(package), **settings).succeeded()

    event = {
        "ecs_cluster_name": "shop",
        "ecs_service_name": "web",
        "ecs_image_name": "busybox:1.36",
        "ecs_tag": {},
    }
    answer = here.client("lambda").invoke(FunctionName="yours", Payload=json.dumps(event))
    assert json.load(answer["Payload"])["statusCode"] == 200
    (service,) = ecs.describe_services(cluster="shop", services=["web"])["services"]
    assert service["taskDefinition"].endswith("task-definition/web-shop:2")
    cleaned = here.make("clean", **settings).succeeded()
    assert "shop" not in cleaned.output
    assert not here.left()


def test_a_half_built_stack_is_named_with_its_cause_and_the_way_out(emulator):
    create_stack_that_fails(emulator, "half-built-vpc", "CREATE_FAILED", OnFailure="DO_NOTHING")

    complaint = emulator.make("deploy-ecs-cluster", STACK_NAME="half-built").complaint()

    way_out = "make clean TARGET=local removes it, then run this again."
    assert complaint.startswith(f"stack half-built-vpc is incomplete (CREATE_FAILED): {way_out}")
    assert "Never (AWS::CloudFormation::WaitCondition): WaitCondition timed out" in complaint


def test_a_strategy_that_shifts_traffic_needs_its_load_balancer_and_is_kept(workspace):
    here = workspace("canary", STACK_NAME="canary")
    here.make("emulator-up", "deploy-ecs-cluster").succeeded()
    assert here.make("deploy-ecs-service", STRATEGY="CANARY").complaint() == (
        "the stack canary-alb has no output LoadBalancerSecurityGroupId: "
        "make deploy-ecs-cluster TARGET=local STRATEGY=CANARY"
    )

    steps = ("deploy-ecs-cluster", "deploy-ecs-service", "deploy-ecs-service")  # Made, and reset.
    output = here.make(*steps, STRATEGY="CANARY").succeeded().output

    assert (
        "the emulator keeps STRATEGY=CANARY but has no stages of a deployment: it updates the "
        "service like a rolling one" in output
    )
    (service,) = here.client("ecs").describe_services(
        cluster="ECSCluster", services=["ecs-dummy-service"]
    )["services"]
    assert service["deploymentConfiguration"]["strategy"] == "CANARY"
    (balancer,) = service["loadBalancers"]
    groups = {
        group["TargetGroupArn"]: group["TargetGroupName"]
        for group in here.client("elbv2").describe_target_groups()["TargetGroups"]
    }
    advanced = balancer["advancedConfiguration"]
    assert groups[balancer["targetGroupArn"]] == "canary-alb-b"
    assert groups[advanced["alternateTargetGroupArn"]] == "canary-alb-g"
    assert advanced["roleArn"].endswith(":role/canary-alb-eu-west-1")
    assert len({advanced["productionListenerRule"], advanced["testListenerRule"]}) == 2
    assert len(service["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"]) == 2
    assert here.make("deploy-ecs-service").complaint() == (
        "STRATEGY=ROLLING, but service ecs-dummy-service has CANARY: use that, or "
        "make clean TARGET=local first"
    )
    here.clean()


def test_an_event_from_a_file_is_answered(deployed, tmp_path):
    example = PROJECT / "examples" / "events" / "update.json"
    event_file = shutil.copy(example, tmp_path / "an event.json")
    answer = deployed.make("invoke-sam", EVENT=str(event_file))
    assert json.loads(answer.output)["body"]["deployment"]["verdict"] == "SUCCEEDED"


def test_on_the_emulator_the_reconciler_ends_an_update_within_seconds(deployed):
    event = {"ecs_cluster_name": "ECSCluster", "ecs_service_name": "ecs-dummy-service"}
    event |= {"ecs_image_name": "busybox:2", "ecs_tag": {}}
    answer = deployed.client("lambda").invoke(FunctionName="ecs-updater", Payload=json.dumps(event))
    assert json.load(answer["Payload"])["body"]["deployment"]["verdict"] == "IN_PROGRESS"

    def has_ended() -> bool:
        items = deployed.client("dynamodb").scan(TableName="ecs-updater-ledger")["Items"]
        return {item["state"]["S"] for item in items if "state" in item} == {"ENDED"}

    until(has_ended, "every update has ended", 60, pause=0.5)


# The API


@pytest.fixture(scope="module", name="api")
def _api(deployed, package) -> Workspace:
    """The same workspace, with the API deployed, where another one writes the logs of the account's
    APIs.
    """
    change = {"op": "replace", "path": "/cloudwatchRoleArn", "value": OTHERS_ROLE}
    deployed.client("apigateway").update_account(patchOperations=[change])
    deployed.make("deploy-api-aws", environment=HOSTILE, LAMBDA_PACKAGE=str(package)).succeeded()
    return deployed


OTHERS_ROLE = "arn:aws:iam::000000000000:role/of-others"


def test_the_apis_own_suite_passes_and_shows_no_key(api):
    key = api.make("api-key").output.strip()

    result = api.make("run-api-test", environment={"PYTHONDONTWRITEBYTECODE": ""}).succeeded()
    assert result.ok_events == list(OUTCOMES)
    assert (
        " passed, 1 skipped in " in result.output
        and "API_AUTH=key asks for no signature" in result.output
    )
    assert key not in result.output
    assert not (PROJECT / "testing" / "e2e" / "api_suite" / "__pycache__").exists()


def test_one_wrong_answer_fails_the_suites_and_both_are_run(api):
    lambda_, name = api.client("lambda"), "ecs-updater-api-update"
    variables = lambda_.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    lambda_.update_function_configuration(
        FunctionName=name, Environment={"Variables": variables | {"TASK_DEF": "another"}}
    )
    try:
        result = api.make("run-api-test")
    finally:
        lambda_.update_function_configuration(
            FunctionName=name, Environment={"Variables": variables}
        )

    assert result.status != 0
    assert (
        "base: The regular case: a new image, and one tag in the place of another. FAILED"
        in result.output
    )
    assert "FAILED testing/e2e/api_suite/test_updating.py::test_the_short" in result.output


@pytest.mark.parametrize(
    "content, words",
    [(b"[1]", "[1] is not of type 'object'"), (b'"%s"' % (b"a" * 5_000_000), "aaa…aaa")],
    ids=["a list", "5 MB"],
)
def test_an_event_that_the_function_refuses_gives_its_one_short_line(
    content, words, deployed, tmp_path
):
    (tmp_path / "event.json").write_bytes(content)

    result = deployed.make("invoke-sam", EVENT=str(tmp_path / "event.json"))

    (line,) = (line for line in result.output.splitlines() if not line.startswith("make: ***"))
    assert line.startswith("[ERROR][json_validation] wrong input event format: ") and words in line
    assert result.status != 0 and len(line) < 400


def deployment_of(here: Workspace) -> str:
    """Returns the id of the stage's deployment.

    Fails when it is not the one of the stack, or not the only one of the API.
    """
    gateway, cloudformation = here.client("apigateway"), here.client("cloudformation")
    found = cloudformation.describe_stack_resources(StackName="ecs-updater-api")["StackResources"]
    by_type = {part["ResourceType"]: part["PhysicalResourceId"] for part in found}
    rest_api = by_type["AWS::ApiGateway::RestApi"]
    (stage,) = gateway.get_stages(restApiId=rest_api)["item"]
    deployments = [part["id"] for part in gateway.get_deployments(restApiId=rest_api)["items"]]
    assert deployments == [by_type["AWS::ApiGateway::Deployment"]] == [stage["deploymentId"]]
    return deployments[0]


def test_a_change_reaches_the_stage_of_an_api_that_is_there(api, package):
    made = [deployment_of(api)]
    for auth in ("iam", "key"):
        said = api.make("deploy-api-aws", LAMBDA_PACKAGE=str(package), API_AUTH=auth).output
        assert ("next: make run-api-test" in said) == (auth == "iam"), said
        made.append(deployment_of(api))
    assert len(set(made)) == 3, "another one for each change"
    assert api.make("deploy-api-aws", LAMBDA_PACKAGE=str(package)).status == 0
    assert deployment_of(api) == made[-1], "the same one where nothing changed"


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_deployment_of_the_api_ends_with_its_url_and_a_command_that_calls_it(api, package):
    result = api.make("deploy-api-aws", LAMBDA_PACKAGE=str(package)).succeeded()
    url, following = result.output.splitlines()[-2:]
    assert url == f"• the API is at {api.make('api-url').output.strip()}"
    command = following.removeprefix("• next: ")
    ran = subprocess.run(
        ["bash", "-c", command], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert "ecs-dummy-service" in ran.stdout

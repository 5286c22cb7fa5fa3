"""A service of a second account is updated through an assumed role, with the external id only.

The emulator takes a 12-digit access key as the account's id, and with EMULATOR_AUTH=true it
evaluates policies and trust policies. Cluster and service are in the second account, in another
region than the function.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support import http
from support.account import NUMBER, ON_ACCOUNT
from support.make import Workspace, until
from support.permissions import adapt_role, adapt_trust, document

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

HOME_REGION, THERE, REGION = "eu-west-1", "222222222222", "eu-central-1"
PARAMETER, EXTERNAL_ID = "/ecs-updater/targets", "an-external-id"
PERSON = f"arn:aws:iam::{NUMBER}:user/person"
ROLE = f"arn:aws:iam::{THERE}:role/ecs-updater-target-%s-{REGION}"
CLUSTER = f"arn:aws:ecs:{REGION}:{THERE}:cluster/shop"
SERVICE = f"arn:aws:ecs:{REGION}:{THERE}:service/shop/web"
SETTINGS = {"CLUSTER_NAME": "shop", "TASK_DEFINITION_NAME": "web"}
AT_HOME = SETTINGS | {
    "PASSABLE_ROLE_ARNS": f"arn:aws:iam::{NUMBER}:role/web",
    "TARGETS_PARAMETER": PARAMETER,
    "TARGET_ROLE_ARNS": ROLE % "update",
    "TARGET_READ_ROLE_ARNS": ROLE % "read",
}
HOME = {
    "HOME_ACCOUNT": NUMBER,
    "HOME_REGION": HOME_REGION,
    "EXTERNAL_ID": EXTERNAL_ID,
    "UPDATE_PRINCIPAL_ARNS": PERSON,
}
SHELL = {"AWS_ACCESS_KEY_ID": THERE, "AWS_SECRET_ACCESS_KEY": "test"}
EVENT = {
    "ecs_cluster_name": "shop",
    "ecs_service_name": "web",
    "ecs_image_name": "busybox:1.37",
    "ecs_tag": {"team": "a"},
    "wait_seconds": 60,
}
BY_TARGET, BY_ARN = {**EVENT, "target": "production"}, {**EVENT, "ecs_cluster_name": CLUSTER}


@dataclass
class Deployment:
    """The function at home, and the roles, the cluster and the service in the second account."""

    home: Workspace
    there: Workspace
    entry: dict[str, str] = field(init=False)
    """The target, as `make deploy-target-aws` prints it."""
    _changes: int = 0

    def __post_init__(self) -> None:
        self.home.make("emulator-up", "deploy-lambda-aws", "deploy-api-aws").succeeded()
        output = self.make_there("deploy-target-aws", **HOME)
        self.entry = next(json.loads(line) for line in output.splitlines() if line.startswith("{"))
        for role, policy in (
            ("ecs-updater-eu-west-1", "ecs-updater"),
            ("ecs-updater-completer-eu-west-1", "ecs-updater-completer"),
            ("ecs-updater-api-status-eu-west-1", "ecs-updater-api-status"),
        ):
            adapt_role(self.home.client("iam"), RoleName=role, PolicyName=policy)
        iam = self.client_there("iam")
        for kind in ("update", "read"):
            name = (ROLE % kind).rpartition("/")[2]
            adapt_role(iam, RoleName=name, PolicyName=f"ecs-updater-target-{kind}")
            adapt_trust(iam, name)
        self.ecs = self.client_there("ecs")
        self.ecs.create_cluster(clusterName="shop")
        container = {"name": "web", "image": "busybox:1.36", "memory": 64}
        self.ecs.register_task_definition(family="web", containerDefinitions=[container])
        service = {"serviceName": "web", "taskDefinition": "web:1", "launchType": "FARGATE"}
        self.ecs.create_service(cluster="shop", desiredCount=1, **service)

    def make_there(self, *targets: str, **settings: str) -> str:
        """Runs `make` with credentials of the second account. Returns its output."""
        shell = {**SHELL, "AWS_ENDPOINT_URL": self.home.endpoint}
        return self.there.make(*targets, environment=shell, **settings).succeeded().output

    def client_there(self, service: str) -> Any:
        """Returns a client in the second account and its region."""
        keys = {name.lower(): value for name, value in SHELL.items()}
        return self.home.client(service, region_name=REGION, **keys)

    def configure(self, **changed: str) -> None:
        """Writes the parameter. The functions read it again, because their instances are new."""
        value = {"production": {**self.entry, "external_id": EXTERNAL_ID, **changed}}
        self.home.client("ssm").put_parameter(
            Name=PARAMETER, Value=json.dumps(value), Type="SecureString", Overwrite=True
        )
        functions = self.home.client("lambda")
        self._changes += 1
        for name in ("ecs-updater", "ecs-updater-completer", "ecs-updater-api-status"):
            found = functions.get_function_configuration(FunctionName=name)["Environment"]
            found["Variables"]["CHANGES"] = str(self._changes)
            functions.update_function_configuration(FunctionName=name, Environment=found)

    def invoke(self, event: dict[str, Any], function: str = "ecs-updater") -> dict[str, Any]:
        """Returns the function's answer, or its error."""
        answer = self.home.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        found: dict[str, Any] = json.load(answer["Payload"])
        return found

    def running(self) -> tuple[str, str, dict[str, str]]:
        """Returns revision, image and tags of the service."""
        found = self.ecs.describe_services(cluster="shop", services=["web"], include=["TAGS"])
        (service,) = found["services"]
        revision = service["taskDefinition"]
        definition = self.ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]
        return (
            revision.rpartition("/")[2],
            definition["containerDefinitions"][0]["image"],
            {tag["key"]: tag["value"] for tag in service.get("tags", [])},
        )

    def ledger(self) -> list[str]:
        """Returns the keys in the ledger."""
        items = self.home.client("dynamodb").scan(TableName="ecs-updater-ledger")["Items"]
        return sorted(f"{item['pk']['S']} {item['sk']['S']}" for item in items)


@pytest.fixture(scope="module", name="deployment")
def _deployment(workspace, package) -> Iterator[Deployment]:
    home = workspace("home", EMULATOR_AUTH="true", RECONCILE_SECONDS="0", **AT_HOME)
    home.bring(package)
    there = workspace("there", **ON_ACCOUNT, **SETTINGS, AWS_DEFAULT_REGION=REGION)
    deployment = Deployment(home, there)
    yield deployment
    deployment.make_there("clean", **HOME)
    roles = deployment.client_there("iam").list_roles()["Roles"]
    assert not roles
    home.make("clean").succeeded()


def refused(deployment: Deployment, event: dict[str, Any]) -> str:
    """Returns the error of an event that must write nothing."""
    before = deployment.running(), deployment.ledger()
    message: str = deployment.invoke(event)["errorMessage"]
    assert (deployment.running(), deployment.ledger()) == before
    return message


@pytest.mark.parametrize("event", [BY_TARGET, BY_ARN], ids=["target", "ARN"])
def test_with_a_wrong_external_id_the_update_is_refused_and_nothing_is_written(deployment, event):
    deployment.configure(external_id="another-id")
    message = refused(deployment, event)
    assert message.startswith("[ERROR][ecs_service_read] AccessDenied: ")
    assert f"not authorized to perform: sts:AssumeRole on resource: {ROLE % 'update'}" in message
    assert "target production: " in message and "check its trust policy" in message
    assert "another-id" not in message


def test_without_an_external_id_or_with_another_role_no_session_is_given(deployment):
    """A person whom the update role trusts, and whose own policy allows everything."""
    iam = deployment.home.client("iam")
    iam.create_user(UserName="person")
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    iam.put_user_policy(UserName="person", PolicyName="all", PolicyDocument=document([statement]))
    key = iam.create_access_key(UserName="person")["AccessKey"]
    keys = {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
    }
    sts = deployment.home.client("sts", **keys)

    def assume(kind: str, **external_id: str) -> str:
        try:
            given = {"RoleArn": ROLE % kind, "RoleSessionName": "person", **external_id}
            answer: str = sts.assume_role(**given)["AssumedRoleUser"]["Arn"]
            return answer
        except ClientError as error:
            return error.response["Error"]["Code"]

    assert assume("update") == "AccessDenied"
    assert assume("update", ExternalId=EXTERNAL_ID + "-2") == "AccessDenied"
    assert assume("read", ExternalId=EXTERNAL_ID) == "AccessDenied"
    assert assume("update", ExternalId=EXTERNAL_ID).endswith(f"target-update-{REGION}/person")


def test_without_a_target_another_account_is_refused(deployment):
    deployment.configure()
    message = refused(deployment, {**BY_ARN, "ecs_cluster_name": CLUSTER.replace(THERE, "3" * 12)})
    assert f"for which the parameter {PARAMETER} has no target" in message
    assert "'staging' is not in the parameter" in refused(
        deployment, {**EVENT, "target": "staging"}
    )


@pytest.mark.parametrize(
    ("event", "image"),
    [(BY_TARGET, "busybox:1.37"), (BY_ARN, "busybox:1.38")],
    ids=["target", "ARN"],
)
def test_the_function_updates_the_service_through_the_assumed_role(deployment, event, image):
    deployment.configure()
    answer = deployment.invoke({**event, "ecs_image_name": image})
    assert answer.get("statusCode") == 200, answer
    body = answer["body"]
    assert body["deployment"]["verdict"] == "SUCCEEDED"
    assert (body["AFTER"]["clusterArn"], body["AFTER"]["serviceArn"]) == (CLUSTER, SERVICE)
    assert deployment.running()[1:] == (image, {"team": "a"})
    assert any(key.startswith(SERVICE) for key in deployment.ledger())
    assert deployment.home.client("ecs").list_clusters()["clusterArns"] == []


def test_the_reconciler_finds_the_end_of_an_update_there(deployment):
    """ECS's events of the second account do not reach it, so its schedule does."""
    deployment.configure()
    event = {**BY_TARGET, "ecs_image_name": "busybox:1.39", "wait_seconds": 0}
    assert deployment.invoke(event)["body"]["deployment"]["verdict"] == "IN_PROGRESS"
    schedule = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    ended: list[dict[str, Any]] = []

    def has_ended() -> bool:
        answer = deployment.invoke(schedule, "ecs-updater-completer")
        assert not answer["skipped"], answer
        ended.extend(answer["ended"])
        return bool(ended)

    until(has_ended, "the rollout has ended", pause=0.5)
    assert [entry["verdict"] for entry in ended] == ["SUCCEEDED"]
    assert deployment.running()[1] == "busybox:1.39"


def test_the_list_has_the_services_there_and_names_a_target_that_cannot_be_read(deployment):
    def listed() -> dict[str, Any]:
        answer = deployment.invoke(http.event("GET", "/list"), "ecs-updater-api-status")
        assert answer.get("statusCode") == 200, answer
        found: dict[str, Any] = json.loads(answer["body"])
        return found

    deployment.configure()
    found = listed()
    assert [service["target"] for service in found["services"]] == ["production"], found
    deployment.configure(external_id="another-id")
    (left_out,) = listed()["unavailable"]
    assert left_out["target"] == "production" and "AccessDenied" in left_out["reason"]

"""The function that tells, with its own role, on an emulator that enforces IAM: it can read what it tells of, and write nothing.

The statements are made into such for the emulator first, as for the other functions in testing/local/test_permissions.py.
"""

import json
import shutil
from collections.abc import Callable, Iterable
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from support.account import Account
from support.make import Workspace
from support.permissions import Statement, actions, as_the_emulator_asks, document, without

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

FUNCTION, TABLE, CLUSTER, SERVICE = "ecs-updater-api-status", "ecs-updater-ledger", "ECSCluster", "ecs-dummy-service"
ROLE = {"RoleName": f"{FUNCTION}-eu-west-1", "PolicyName": FUNCTION}
KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}
# A question that cannot be answered without the action.
QUESTIONS = {
    "ecs:ListClusters": "/list",
    "ecs:ListServices": "/list",
    "ecs:DescribeServices": "/list",
    "ecs:DescribeTaskDefinition": "/list?images=1",
    "dynamodb:Query": "/deployments",
    "dynamodb:GetItem": "/deployments/no-such-id",
}
WRITES: dict[str, Callable[[Any, Any], object]] = {
    "ecs:UpdateService": lambda ecs, _: ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=0),
    "ecs:DeleteService": lambda ecs, _: ecs.delete_service(cluster=CLUSTER, service=SERVICE, force=True),
    "ecs:RegisterTaskDefinition": lambda ecs, _: ecs.register_task_definition(
        family="any", containerDefinitions=[{"name": "any", "image": "busybox", "memory": 64}]
    ),
    "dynamodb:PutItem": lambda _, dynamodb: dynamodb.put_item(TableName=TABLE, Item=KEY),
    "dynamodb:DeleteItem": lambda _, dynamodb: dynamodb.delete_item(TableName=TABLE, Key=KEY),
    "dynamodb:UpdateItem": lambda _, dynamodb: dynamodb.update_item(TableName=TABLE, Key=KEY),
    "dynamodb:DeleteTable": lambda _, dynamodb: dynamodb.delete_table(TableName=TABLE),
}


class Door:
    """The API on an emulator that enforces IAM, and the role of the function that tells."""

    def __init__(self, workspace: Workspace):
        self.endpoint = Account(workspace).endpoint
        result = workspace.make("deploy-ecs-cluster", "deploy-ecs-service", "deploy-lambda-aws", "deploy-api-aws")
        assert result.status == 0, result.output
        (stack,) = self.client("cloudformation").describe_stacks(StackName="ecs-updater-api")["Stacks"]
        output = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        found = self.client("apigateway").get_api_key(apiKey=output["ECSUpdateApiKey"], includeValue=True)
        self._address, self._key = output["ApiInvokeUrl"], found["value"]
        deployed = self.client("iam").get_role_policy(**ROLE)["PolicyDocument"]["Statement"]
        self.statements = [as_the_emulator_asks(one) for one in deployed]

    def client(self, service: str, **credentials: str) -> Any:
        """A client of the SDK for a service of the emulator."""
        config = Config(retries={"total_max_attempts": 1}, proxies={})
        return boto3.client(service, endpoint_url=self.endpoint, config=config, **credentials)  # type: ignore[call-overload]

    def permit(self, statements: Iterable[Statement]) -> None:
        """Gives the function's role these permissions alone, and the function a fresh start: it remembers what it has read."""
        text, functions = document(statements), self.client("lambda")
        self.client("iam").put_role_policy(**ROLE, PolicyDocument=text)
        variables = functions.get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
        fresh = {"Variables": variables | {"PERMITTED": str(len(text))}}
        functions.update_function_configuration(FunctionName=FUNCTION, Environment=fresh)

    def ask(self, question: str) -> tuple[int, dict[str, Any]]:
        """The status and the answer to a GET."""
        request = Request(self._address + question, headers={"x-api-key": self._key})
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except HTTPError as refused:
            return refused.code, json.load(refused)


@pytest.fixture(scope="module", name="door")
def _door(workspace_with_package) -> Door:
    return Door(workspace_with_package("api-permissions", EMULATOR_AUTH="true"))


def test_with_its_own_role_the_function_answers_every_question(door):
    door.permit(door.statements)
    status, answer = door.ask("/list?images=1")
    assert (status, [one["serviceName"] for one in answer["services"]]) == (200, [SERVICE])
    assert answer["services"][0]["images"]
    assert door.ask("/deployments")[0] == 200
    assert door.ask("/deployments/no-such-id")[1]["errorType"] == "DeploymentNotFoundError"


@pytest.mark.parametrize("action", QUESTIONS)
def test_without_an_action_of_its_role_the_question_that_needs_it_is_answered_with_an_error(door, action):
    door.permit(without(door.statements, action))
    status, answer = door.ask(QUESTIONS[action])
    assert status in (403, 502) and answer.keys() == {"errorType", "errorMessage", "requestId"}, answer


def test_these_are_all_the_actions_of_its_role_but_for_its_logs(door):
    assert {one for one in actions(door.statements) if not one.startswith("logs:")} == QUESTIONS.keys()


@pytest.mark.parametrize("action", WRITES)
def test_whoever_has_its_permissions_cannot_write(door, action):
    iam, user = door.client("iam"), action.replace(":", "-")
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=document(door.statements))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    own = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    ecs, dynamodb = door.client("ecs", **own), door.client("dynamodb", **own)

    assert ecs.list_services(cluster=CLUSTER)["serviceArns"]
    with pytest.raises(ClientError, match=f"not authorized to perform: {action}"):
        WRITES[action](ecs, dynamodb)

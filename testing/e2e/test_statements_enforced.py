"""Each function with the policy of its role less one statement, on an emulator that enforces IAM:
a call of the function is refused, which is allowed with the statement.

The statements are the templates', with every parameter that adds one. What the emulator cannot show
is in ``NOT_HERE`` with the reason; testing/contract/test_statements.py holds those.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from ecs_updater.push.policy import POLICY
from support.account import Account
from support.deployer import ACCOUNT, REGION
from support.http import event as request
from support.make import Workspace
from support.permissions import actions, as_the_emulator_asks, document
from support.push_run import RECORDED, WEB
from support.recorder import Call, Recorder
from support.statements import NOT_HERE, POLICIES, STATEMENTS, TOPIC

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

PARTS = ("lambda-aws", "api-aws", "fleet-aws", "push-aws", "codepipeline-aws")
SERVICE = {"ecs_cluster_name": "ECSCluster", "ecs_service_name": "ecs-dummy-service"}
UPDATE = SERVICE | {"ecs_image_name": "nginx", "ecs_tag": {"new": "value"}}
ROLLOUT = UPDATE | {"force_new_deployment": True, "wait_seconds": 60}
OPEN = UPDATE | {"force_new_deployment": True}
ROLLBACK = SERVICE | {"action": "rollback", "ecs_service_name": "web"}
"""The ledger has no history of this service."""
THERE = "us-east-1"
TARGET = UPDATE | {"target": "there"}
TARGETS = {
    "there": {
        "account": ACCOUNT,
        "region": THERE,
        **dict.fromkeys(("update_role", "read_role"), f"arn:aws:iam::{ACCOUNT}:role/there"),
        "external_id": "an-id",
    }
}
"""Another region of the account."""
IMAGE = UPDATE | {"ecs_image_name": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shop/web:1"}
TICK = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
PUSH = {"Records": [{"messageId": "one", "body": json.dumps(RECORDED)}]}


def message(body: str) -> dict[str, Any]:
    """The event of the worker with one message."""
    attributes = {"ApproximateReceiveCount": "1", "MessageGroupId": "g", "SenderId": "me"}
    attributes |= {"MessageDeduplicationId": "d", "SentTimestamp": "1"}
    sent = {"messageId": "m", "receiptHandle": "r", "body": body, "attributes": attributes}
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:ecs-updater-fleet.fifo"
    return {"Records": [sent | {"eventSourceARN": arn, "messageAttributes": {}}]}


SCOPES = (("SCOPES_PARAMETER", "/ecs-updater/scopes"),)


class Drive(NamedTuple):
    """The function that is invoked, by the end of its name, and its event."""

    function: str
    event: dict[str, Any]
    before: dict[str, Any] | None = None
    """An event of the direct function before."""
    variables: tuple[tuple[str, str], ...] = ()
    """Further variables of the function."""


DRIVES = {
    ("ecs-updater", "ReadServices"): Drive("", UPDATE),
    ("ecs-updater", "ChangeServices"): Drive("", UPDATE),
    ("ecs-updater", "FollowDeployments"): Drive("", ROLLBACK),
    ("ecs-updater", "ReadTasks"): Drive("", ROLLOUT),
    ("ecs-updater", "ListTasks"): Drive("", ROLLOUT),
    ("ecs-updater", "ReadTaskDefinitions"): Drive("", UPDATE),
    ("ecs-updater", "RegisterTaskDefinitions"): Drive("", UPDATE),
    ("ecs-updater", "ReadImages"): Drive("", IMAGE | {"dry_run": True}),
    ("ecs-updater", "ReadTargets"): Drive("", TARGET),
    ("ecs-updater", "AssumeTargetRoles"): Drive("", TARGET),
    ("ecs-updater", "UseLedger"): Drive("", UPDATE),
    ("ecs-updater-fleet", "SendDeadLetters"): Drive("-fleet", message("{")),
    ("ecs-updater-completer", "ReadServices"): Drive("-completer", TICK, OPEN),
    ("ecs-updater-completer", "UseLedger"): Drive("-completer", TICK, OPEN),
    ("ecs-updater-completer", "SendEvents"): Drive("-completer", TICK, OPEN),
    ("ecs-updater-api-status", "ListClusters"): Drive("-api-status", request("GET", "/list")),
    ("ecs-updater-api-status", "ListServices"): Drive("-api-status", request("GET", "/list")),
    ("ecs-updater-api-status", "ReadServices"): Drive("-api-status", request("GET", "/list")),
    ("ecs-updater-api-status", "ReadTaskDefinitions"): Drive(
        "-api-status", request("GET", "/list?images=1")
    ),
    ("ecs-updater-api-status", "ReadLedger"): Drive(
        "-api-status", request("GET", "/deployments/an-id")
    ),
    ("ecs-updater-api-status", "ReadRecent"): Drive("-api-status", request("GET", "/deployments")),
    ("ecs-updater-api-status", "ReadTargets"): Drive(
        "-api-status", request("GET", "/list?target=there")
    ),
    ("ecs-updater-api-status", "AssumeTargetRoles"): Drive(
        "-api-status", request("GET", "/list?target=there")
    ),
    ("ecs-updater-api-status", "ReadScopes"): Drive(
        "-api-status", request("GET", "/list"), variables=SCOPES
    ),
    ("ecs-updater-api-scopes", "ReadScopes"): Drive(
        "-api-update", request("POST", "/update", UPDATE), variables=SCOPES
    ),
    ("ecs-updater-completer", "PublishMessages"): Drive(
        "-completer", TICK, OPEN, (("NOTIFY_TOPIC_ARN", TOPIC),)
    ),
    ("ecs-updater-push", "FindServices"): Drive("-push", PUSH),
    ("ecs-updater-push", "ReadServices"): Drive("-push", PUSH),
    ("ecs-updater-push", "ReadTaskDefinitions"): Drive("-push", PUSH),
    ("ecs-updater-push", "SendUpdates"): Drive("-push", PUSH),
    ("ecs-updater-push", "UseLedger"): Drive("-push", PUSH),
}
"""By policy and Sid what makes the function call."""
FUNCTIONS = ("", *dict.fromkeys(drive.function for drive in DRIVES.values() if drive.function))
HOLDERS = {
    "ecs-updater": f"ecs-updater-{REGION}",
    "ecs-updater-fleet": f"ecs-updater-{REGION}",
    "ecs-updater-api-scopes": f"ecs-updater-{REGION}",
    "ecs-updater-completer": f"ecs-updater-completer-{REGION}",
    "ecs-updater-api-status": f"ecs-updater-api-status-{REGION}",
    "ecs-updater-push": f"ecs-updater-push-{REGION}",
}
"""The role of each policy."""


class Deployment:
    """All functions on an emulator that enforces IAM, with every statement that they may have."""

    def __init__(self, workspace: Workspace, recorder: Recorder):
        self.recorder, self._number = recorder, 2
        self._permitted: dict[str, list[Call]] = {}
        self._iam, self._lambda = (workspace.client(name) for name in ("iam", "lambda"))
        for policy in HOLDERS:
            self.permit(policy)
        settings = {
            "AWS_ENDPOINT_URL": recorder.url,
            "TARGETS_PARAMETER": "/ecs-updater/targets",
            "VERIFY_IMAGE": "warn",
        }
        self._variables = {
            name: self._lambda.get_function_configuration(FunctionName=f"ecs-updater{name}")[
                "Environment"
            ]["Variables"]
            | settings
            for name in FUNCTIONS
        }

    def permit(self, policy: str, less: str = "") -> None:
        """Gives the role of a policy its statements, or all but one."""
        kept = [part for part in POLICIES[policy] if part["Sid"] != less]
        holder = {"RoleName": HOLDERS[policy], "PolicyName": policy}
        if kept:
            given = document(map(as_the_emulator_asks, kept))
            self._iam.put_role_policy(**holder, PolicyDocument=given)
        else:
            self._iam.delete_role_policy(**holder)

    def permitted(self, drive: Drive) -> list[Call]:
        """The calls that a function makes with all of its statements."""
        key = repr(drive)
        if key not in self._permitted:
            self._permitted[key] = self.drive(drive)
        return self._permitted[key]

    def drive(self, drive: Drive) -> list[Call]:
        """Invokes a function. Returns the calls that it made."""
        if drive.before:
            self.invoke("", drive.before)
        first = len(self.recorder.calls)
        self.invoke(drive.function, drive.event, dict(drive.variables))
        return self.recorder.calls[first:]

    def invoke(
        self,
        function: str,
        event: dict[str, Any],
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Invokes a function with further variables."""
        # Each event asks for something new, and no instance has cached an answer.
        self._number += 1
        number, name = str(self._number), f"ecs-updater{function}"
        payload = json.dumps(event).replace("nginx", f"nginx:{number}")
        pushed = RECORDED["detail"]
        payload = payload.replace(pushed["image-tag"], f"1.4.{number}")
        payload = payload.replace(pushed["image-digest"], f"sha256:{self._number:064}")
        payload = payload.replace(RECORDED["time"], f"2027-01-15T08:{self._number:02}:00Z")
        fresh = {"Variables": self._variables[function] | {"NUMBER": number, **variables}}
        self._lambda.update_function_configuration(FunctionName=name, Environment=fresh)
        self._lambda.invoke(FunctionName=name, Payload=payload)


@pytest.fixture(scope="module", name="deployment")
def _deployment(workspace_with_package) -> Iterator[Deployment]:
    settings = {"EMULATOR_AUTH": "true", "RECONCILE_SECONDS": "0"}
    workspace = workspace_with_package("statements", **settings)
    account = Account(workspace)
    steps = ("ecs-cluster", "ecs-service", *PARTS)
    workspace.make(*(f"deploy-{step}" for step in steps)).succeeded()
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    iam, there = workspace.client("iam"), {"RoleName": "there"}
    iam.create_role(**there, AssumeRolePolicyDocument=document([trust]))
    everything = document([{"Effect": "Allow", "Action": "*", "Resource": "*"}])
    iam.put_role_policy(**there, PolicyName="everything", PolicyDocument=everything)
    workspace.client("sns").create_topic(Name="verdicts")
    web = {"name": "web", "image": f"{WEB}:1.4.1", "memory": 64}
    ecs = workspace.client("ecs")
    ecs.register_task_definition(family="ecs-dummy-task-web", containerDefinitions=[web])
    ecs.create_service(
        cluster="ECSCluster",
        serviceName="web",
        taskDefinition="ecs-dummy-task-web",
        desiredCount=1,
        tags=[{"key": POLICY, "value": "semver:1.4.x"}],
    )
    workspace.client("ssm").put_parameter(
        Name="/ecs-updater/targets", Type="String", Value=json.dumps(TARGETS)
    )
    with Recorder(urlsplit(account.endpoint).port).serving() as recorder:
        yield Deployment(workspace, recorder)


def test_every_statement_is_shown_to_be_needed_here_or_has_a_reason():
    assert sorted([*DRIVES, *NOT_HERE]) == sorted(STATEMENTS)


@pytest.mark.parametrize(("policy", "sid"), DRIVES)
def test_without_a_statement_a_call_of_the_function_is_refused(deployment, policy, sid):
    drive = DRIVES[policy, sid]
    (statement,) = [part for part in POLICIES[policy] if part["Sid"] == sid]
    refusals = tuple(f"not authorized to perform: {name}" for name in actions([statement]))

    def refused(calls: list[Call]) -> list[Call]:
        return [call for call in calls if any(text in call.answer for text in refusals)]

    assert not refused(deployment.permitted(drive))
    deployment.permit(policy, less=sid)
    try:
        calls = deployment.drive(drive)
    finally:
        deployment.permit(policy)
    assert refused(calls), [(call.operation, call.answer[:300]) for call in calls]

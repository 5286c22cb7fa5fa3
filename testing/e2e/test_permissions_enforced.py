"""The function with its own role, and the pipelines with the deployer's policies, on an emulator
that enforces IAM.

The emulator asks other questions than AWS for some calls, so statements are made into such for the
emulator first: ``support.permissions.as_the_emulator_asks``. What it does not ask about at all,
testing/contract/test_permissions.py holds.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from e2e.event_suite.cases import ServiceState
from e2e.event_suite.service import Service
from support.account import ON_ACCOUNT, Account
from support.cloudformation import TEMPLATES, Stack, allows
from support.deployer import (
    IDLE_HERE,
    handled,
    needs,
    of_pipelines,
    policies,
    policy,
    resource_types,
)
from support.events import OUTCOMES
from support.make import Result, Workspace, until
from support.permissions import (
    Statement,
    actions,
    adapt_role,
    as_the_emulator_asks,
    document,
    expanded,
    idle,
    without,
)
from support.recorder import Call, Recorder
from support.repeating import repeating
from support.terraform import Unavailable

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

_OPTIONAL = ("push", "codepipeline")
# With Terraform a step also deploys the parts that it needs: `fleet` deploys the function and the
# API. The queues of pushes and of the fleet are made together: the provider waits.
PIPELINES = {
    "all-aws": {"ENTRY_POINTS_AWS": [*("lambda", "api", "fleet"), *_OPTIONAL, "operations"]},
    "all-aws-tf": {"ENTRY_POINTS_TF": [*_OPTIONAL, "fleet", "operations"]},
}
"""The pipelines, each with its setting of the parts to deploy: those that are optional, too."""
TARGET = {"HOME_ACCOUNT": "111111111111", "EXTERNAL_ID": "an-id"}
ROLE, POLICY, TABLE = "ecs-updater-eu-west-1", "ecs-updater", "ecs-updater-ledger"
RECONCILERS = {"RoleName": "ecs-updater-completer-eu-west-1", "PolicyName": "ecs-updater-completer"}
WORKER = {"RoleName": ROLE, "PolicyName": "ecs-updater-fleet"}
STATUS = {"RoleName": "ecs-updater-api-status-eu-west-1", "PolicyName": "ecs-updater-api-status"}
AT_FIRST = ServiceState("busybox", {"kept": "as it is", "old": "value"})
EVENT = {
    "ecs_cluster_name": "ECSCluster",
    "ecs_service_name": "ecs-dummy-service",
    "ecs_image_name": "busybox",
}
NOTHING = EVENT | {"ecs_tag": AT_FIRST.tags}
ROLLOUT = NOTHING | {"force_new_deployment": True, "wait_seconds": 60}
EVERYTHING = EVENT | {"ecs_image_name": "nginx", "ecs_tag": {"new": "value"}}
ROLLBACK = {name: EVENT[name] for name in ("ecs_cluster_name", "ecs_service_name")} | {
    "action": "rollback"
}
_LEDGER = "[ERROR][ecs_service_read] the function's role may not do "
# What an event answers when its role lacks an action: the contract's messages. The last three come
# after a registration.
MESSAGES = {
    "dynamodb:GetItem": _LEDGER + "GetItem on the table ",
    "dynamodb:UpdateItem": _LEDGER + "UpdateItem on the table ",
    "dynamodb:Query": _LEDGER + "Query on the table ",
    "dynamodb:PutItem": _LEDGER + "TransactWriteItems on the table ",
    "ecs:DescribeServices": "[ERROR][ecs_service_read] reading ecs service unexpected error: ",
    "ecs:DescribeTaskDefinition": (
        "[ERROR][ecs_service_read] reading ecs service unexpected error: "
    ),
    "ecs:RegisterTaskDefinition": (
        "[ERROR][ecs_service_update] new task_definition could not be created "
    ),
    "ecs:UpdateService": (
        "[ERROR][ecs_service_update] service could not be update with new task_definition "
    ),
    "ecs:TagResource": "[ERROR][ecs_service_update] updating service tag unexpected error: ",
    "ecs:UntagResource": "[ERROR][ecs_service_update] updating service tag unexpected error: ",
}
# What an event can do without, as far as it gets: it is refused that, and answers as it does with
# it.
GOES_WITHOUT = {
    # The entry stays open, and the next update of the service ends it.
    "dynamodb:DeleteItem": NOTHING,
    "ecs:ListTasks": ROLLOUT,  # The answer does not say what the tasks run.
    "ecs:DescribeTasks": ROLLOUT,
    "ecs:ListServiceDeployments": ROLLBACK,  # To what the ledger says has worked, if anything.
}
# What the emulator cannot show: it has no service deployments. testing/contract/test_permissions.py
# holds these.
NOT_HERE = {
    "ecs:DescribeServiceDeployments": "a service has a current service deployment",
    "ecs:DescribeServiceRevisions": "a revision is read that a service deployment names",
    "ecs:StopServiceDeployment": "a service deployment is stopped",
}


def _in_the_template() -> list[str]:
    """The actions of the role on ECS and on the ledger, as the template has them."""
    statements = Stack(TEMPLATES["03-lambda.yml"], {"LedgerTableName": TABLE}).statements
    return [action for action in actions(statements) if action.startswith(("ecs:", "dynamodb:"))]


class Deployment:
    """The function on an emulator that enforces IAM, its role's statements, and the service that it
    changes.
    """

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.account = Account(workspace)
        steps = ("deploy-ecs-cluster", "deploy-ecs-service", "deploy-lambda-aws")
        workspace.make(*steps).succeeded()
        clients = (workspace.client(name) for name in ("iam", "lambda", "dynamodb", "ecs"))
        self._iam, self._lambda, self._dynamodb, ecs = clients
        self._reconcilers = adapt_role(self._iam, **RECONCILERS)
        self.service = Service(ecs, "ECSCluster", "ecs-dummy-service")
        self.deployed: list[Statement] = self._iam.get_role_policy(
            RoleName=ROLE, PolicyName=POLICY
        )["PolicyDocument"]["Statement"]
        self.statements = adapt_role(self._iam, RoleName=ROLE, PolicyName=POLICY)

    @contextmanager
    def recorded(self) -> Iterator[list[Call]]:
        """Sends the function's calls over a recorder until the end of the block; what they are."""
        before = self._lambda.get_function_configuration(FunctionName="ecs-updater")["Environment"]
        with Recorder(urlsplit(self.account.endpoint).port).serving() as recorder:
            recording = {"Variables": before["Variables"] | {"AWS_ENDPOINT_URL": recorder.url}}
            self._lambda.update_function_configuration(
                FunctionName="ecs-updater", Environment=recording
            )
            try:
                yield recorder.calls
            finally:
                self._lambda.update_function_configuration(
                    FunctionName="ecs-updater", Environment=before
                )

    def forget(self) -> None:
        """Empties the ledger."""
        for item in self._dynamodb.scan(TableName=TABLE)["Items"]:
            self._dynamodb.delete_item(
                TableName=TABLE, Key={name: item[name] for name in ("pk", "sk")}
            )

    def permit(self, statements: Iterable[Statement]) -> None:
        """Gives the function's role these permissions in the place of all that it had."""
        self._iam.put_role_policy(
            RoleName=ROLE, PolicyName=POLICY, PolicyDocument=document(statements)
        )

    def invoke(self, event: dict[str, Any], function: str = "ecs-updater") -> dict[str, Any]:
        """The function's answer, or its error."""
        return json.load(
            self._lambda.invoke(FunctionName=function, Payload=json.dumps(event))["Payload"]
        )

    def reconcile(self, less: str = "") -> dict[str, Any]:
        """Invokes the reconciler with its own role, or with one action `less`."""
        statements = document(without(self._reconcilers, less))
        self._iam.put_role_policy(**RECONCILERS, PolicyDocument=statements)
        return self.invoke(
            {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}},
            RECONCILERS["PolicyName"],
        )

    def refusal(self, event: dict[str, Any]) -> str:
        """The function's error message. Fails when it answers."""
        answer = self.invoke(event)
        assert "errorMessage" in answer, answer
        return answer["errorMessage"]


class Run(NamedTuple):
    """Result of a pipeline that ran with only the deployer's policies."""

    result: Result
    calls: list[Call]
    """The calls of that person; the function's own are not among them."""
    left: set[str]
    """What is in the account, and was not before."""

    @property
    def tables(self) -> dict[str, str]:
        """The tables at the end, by the way that the events went."""
        _, *found = re.split(r"^The events through (\S+):$", self.result.output, flags=re.MULTILINE)
        return dict(zip(found[::2], found[1::2], strict=True))


def deployer(
    account: Account, statements: Iterable[Statement], name: str = "deployer"
) -> dict[str, str]:
    """Makes a user with only these permissions. Returns the environment of a shell of that user."""
    iam = account.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(
        UserName=name,
        PolicyName="all",
        PolicyDocument=document(map(as_the_emulator_asks, statements)),
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        "AWS_ENDPOINT_URL": account.endpoint,
    }


@contextmanager
def functions_permitted(iam: Any) -> Iterator[None]:
    """Adapts the roles of function, reconciler, worker and status function to the emulator, as soon
    as they exist.
    """

    def permit() -> None:
        for role in ({"RoleName": ROLE, "PolicyName": POLICY}, RECONCILERS, WORKER, STATUS):
            with suppress(iam.exceptions.NoSuchEntityException):
                # Again and again: Terraform's second step restores what it finds changed.
                adapt_role(iam, **role)

    with repeating(permit, 0.2):
        yield


FOR_A_HINT = "ListServices"
"""What the command line asks for the name that is nearest to one that is not there.

It goes on where it may not.
"""


def run_as_deployer(workspace: Callable[..., Workspace], pipeline: str, strategy: str) -> Run:
    """Runs a pipeline on a separate account."""
    account = Account(workspace(f"account-of-{pipeline}", EMULATOR_AUTH="true"))
    shell = deployer(account, of_pipelines())
    before = account.inventory()
    here = workspace(f"{pipeline}-by-a-deployer", STRATEGY=strategy, **ON_ACCOUNT)
    with (
        Recorder(urlsplit(account.endpoint).port).serving() as recorder,
        functions_permitted(account.client("iam")),
    ):
        environment = shell | {"AWS_ENDPOINT_URL": recorder.url}
        suffix = "aws-tf" if pipeline.endswith("-tf") else "aws"
        ((setting, parts),) = PIPELINES[pipeline].items()
        steps = " ".join(f"deploy-{part}-{suffix}" for part in parts)
        result = here.make(pipeline, environment=environment, **{setting: steps})
    left = account.inventory() - before
    account.end()
    deployers = [
        call
        for call in recorder.calls
        if call.access_key == shell["AWS_ACCESS_KEY_ID"] and call.operation != FOR_A_HINT
    ]
    return Run(result, deployers, left)


@pytest.fixture(scope="module", name="runs")
def _runs(workspace_with_package, why_no_terraform) -> Iterator[dict[str, Future]]:
    """The pipelines, beside each other and beside the other tests."""

    def with_terraform() -> Run:
        if why_no_terraform:
            raise Unavailable(why_no_terraform)
        return run_as_deployer(workspace_with_package, "all-aws-tf", "ROLLING")

    with ThreadPoolExecutor() as pool:
        yield {
            "all-aws-tf": pool.submit(with_terraform),
            "all-aws": pool.submit(
                run_as_deployer, workspace_with_package, "all-aws", "BLUE_GREEN"
            ),
        }


def _result(run: Future) -> Run:
    """The outcome of a pipeline. Skips the test where there is no Terraform for it."""
    if isinstance(reason := run.exception(), Unavailable):
        pytest.skip(str(reason))
    return run.result()


@pytest.fixture(scope="module", name="deployed")
def _deployed(request, workspace_with_package) -> Deployment:
    # The pipelines take longest: where they are wanted, they begin now.
    if any("runs" in getattr(test, "fixturenames", ()) for test in request.session.items):
        request.getfixturevalue("runs")
    # Only the tests invoke the reconciler.
    settings = {"EMULATOR_AUTH": "true", "RECONCILE_SECONDS": "0"}
    return Deployment(workspace_with_package("permissions", **settings))


@pytest.fixture(scope="module", name="calls_for_a_target")
def _calls_for_a_target(deployed, workspace, why_no_terraform) -> list[Call]:
    """The calls of somebody who deploys and removes the roles of a target with both tools, and has
    only the policy for that.
    """
    shell = deployer(deployed.account, policy("target"), "deployer-of-a-target")
    here = workspace("target", **ON_ACCOUNT, **TARGET)
    with Recorder(urlsplit(deployed.account.endpoint).port).serving() as recorder:
        environment = shell | {"AWS_ENDPOINT_URL": recorder.url}
        for suffix in ("aws", "aws-tf") if not why_no_terraform else ("aws",):
            here.make(f"deploy-target-{suffix}", "clean", environment=environment).succeeded()
    return [call for call in recorder.calls if call.access_key == shell["AWS_ACCESS_KEY_ID"]]


@pytest.fixture(scope="module", name="recorded")
def _recorded(runs, calls_for_a_target) -> list[Call]:
    """The calls of both pipelines, and of those who deploy the roles of a target."""
    return calls_for_a_target + [call for run in runs.values() for call in _result(run).calls]


@pytest.fixture(name="deployment")
def _deployment(deployed: Deployment) -> Deployment:
    """The deployment with its role as it was deployed, the service in its first state, and nothing
    in the ledger.
    """
    deployed.forget()
    deployed.permit(deployed.statements)
    deployed.service.restore(AT_FIRST)
    return deployed


# The function


def test_the_emulator_enforces_the_role(deployment):
    deployment.permit([{"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}])
    assert "not authorized to perform: ecs:DescribeServices" in deployment.refusal(
        EVERYTHING | {"dry_run": True}
    )
    assert "not authorized to perform: dynamodb:GetItem" in deployment.refusal(EVERYTHING)


def test_what_is_made_of_the_role_for_the_emulator_allows_no_other_cluster_or_action(deployment):
    adapted = actions(deployment.statements)
    adapted.remove("sqs:SendMessageBatch")
    assert adapted == actions(deployment.deployed)
    for own, other, refused in (
        ("/ECSCluster", "/Other", "ecs:UpdateService"),
        (TABLE, "other-ledger", "dynamodb:GetItem"),
    ):
        elsewhere = [
            {**statement, "Resource": [arn.replace(own, other) for arn in statement["Resource"]]}
            for statement in deployment.statements
        ]
        assert elsewhere != deployment.statements
        deployment.permit(elsewhere)
        assert f"not authorized to perform: {refused}" in deployment.refusal(EVERYTHING)
        assert deployment.service.read() == AT_FIRST


@pytest.mark.parametrize("action", MESSAGES)
def test_without_an_action_the_event_fails_as_the_contract_says_and_the_service_stays_as_it_was(
    deployment, action
):
    is_less = action == "ecs:UntagResource"
    event = EVENT | {"ecs_tag": {"kept": "as it is"}} if is_less else EVERYTHING
    deployment.permit(without(deployment.statements, action))
    message = deployment.refusal(event)
    assert message.startswith(MESSAGES[action])
    assert f"not authorized to perform: {action} because" in message
    assert "read" in MESSAGES[action] or "; the service is as it was" in message
    assert deployment.service.read() == AT_FIRST
    deployment.permit(deployment.statements)
    assert deployment.invoke(event)["statusCode"] == 200


def test_without_the_right_to_remove_tags_an_error_says_that_the_tags_could_not_be_restored(
    deployment,
):
    deployment.permit(without(deployment.statements, "ecs:UntagResource"))
    message = deployment.refusal(EVERYTHING)
    assert "the service runs its old revision, but its tags could not be put back" in message
    assert (
        message.startswith(MESSAGES["ecs:UntagResource"]) and json.dumps(AT_FIRST.tags) in message
    )
    assert deployment.service.read() == ServiceState("busybox", {**AT_FIRST.tags, "new": "value"})


@pytest.mark.parametrize("action", GOES_WITHOUT)
def test_what_an_event_can_do_without_it_asks_for_and_goes_on_without(deployment, action):
    deployment.permit(without(deployment.statements, action))
    with deployment.recorded() as calls:
        answer = deployment.invoke(GOES_WITHOUT[action])
    assert [call for call in calls if f"not authorized to perform: {action} because" in call.answer]
    text = answer.get("errorMessage") or answer["body"]["deployment"]["verdict"]
    assert text in ("NO_CHANGE", "SUCCEEDED") or "has no earlier revision than " in text


def test_of_every_action_of_the_template_is_shown_here_that_it_is_needed_or_said_why_it_cannot_be():
    assert sorted([*MESSAGES, *GOES_WITHOUT, *NOT_HERE]) == sorted(_in_the_template())


def test_the_emulator_has_no_service_deployments(deployment):
    """When it has some, the actions for them can be shown here."""
    with deployment.recorded() as calls:
        assert deployment.invoke(ROLLOUT)["statusCode"] == 200
        assert "has no earlier revision than " in deployment.refusal(ROLLBACK)
    assert [
        json.loads(call.answer) for call in calls if call.operation == "ListServiceDeployments"
    ] == [{"serviceDeployments": []}]


# The reconciler


def test_the_reconciler_ends_with_its_own_role_what_nobody_waited_for(deployment):
    assert deployment.reconcile() == {"ended": [], "open": 0, "notified": 0, "skipped": []}
    assert deployment.invoke(EVERYTHING)["body"]["deployment"]["verdict"] == "IN_PROGRESS"

    (skipped,) = deployment.reconcile(less="ecs:DescribeServices")["skipped"]
    assert "not authorized to perform: ecs:DescribeServices" in skipped
    assert "not authorized to perform: dynamodb:UpdateItem" in str(
        deployment.reconcile(less="dynamodb:UpdateItem")
    )
    answers: list[dict[str, Any]] = []
    until(
        lambda: answers.append(deployment.reconcile()) or answers[-1]["ended"],
        "the rollout has ended",
        pause=0.5,
    )

    assert [entry["verdict"] for entry in answers[-1]["ended"]] == ["SUCCEEDED"] and not answers[
        -1
    ]["skipped"]
    assert deployment.service.read() == ServiceState("nginx", {"new": "value"})
    assert deployment.reconcile() == {"ended": [], "open": 0, "notified": 0, "skipped": []}


# The deployer


@pytest.mark.parametrize(
    ("action", "target"),
    [
        ("cloudformation:CreateChangeSet", "deploy-ecs-cluster"),
        ("ecs:UpdateService", "deploy-ecs-service"),
        ("lambda:GetFunctionConfiguration", "run-lambda-test-aws"),
    ],
)
def test_without_an_action_of_the_deployers_a_target_fails_and_says_which(
    deployment, workspace_with_package, action, target
):
    shell = deployer(deployment.account, without(of_pipelines(), action), target)
    result = workspace_with_package(f"{target}-less", **ON_ACCOUNT).make(target, environment=shell)
    assert result.status != 0
    assert f"not authorized to perform: {action}" in result.output


def test_the_roles_of_a_target_need_only_their_own_policy(deployed, calls_for_a_target):
    assert {"CreateRole", "CreateChangeSet"} < {call.operation for call in calls_for_a_target}
    assert not [call for call in calls_for_a_target if "not authorized" in call.answer]
    roles = deployed.account.client("iam").list_roles()["Roles"]
    assert not [role for role in roles if "-target-" in role["RoleName"]]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_pipeline_passes_with_all_suites_with_these_policies_and_roles_and_leaves_nothing(
    runs, pipeline
):
    run = _result(runs[pipeline])
    output = run.result.output
    assert run.result.status == 0, output
    assert list(run.tables) == ["aws-cli", "http"]
    for table in run.tables.values():
        assert [line.split()[0] for line in table.splitlines() if line.endswith("  ok")] == list(
            OUTCOMES
        )
    assert re.search(r"^• run-lambda-test-unittest: .* \d+ passed, 5 skipped$", output, re.M)
    assert re.search(r"^• run-api-test: .* \d+ passed, 1 skipped$", output, re.M)
    assert len(output.splitlines()) <= 60
    assert not run.left
    assert run.calls and not [call for call in run.calls if "not authorized" in call.answer]


def test_aws_would_allow_every_call_of_the_pipelines(recorded):
    allowed = list(expanded(of_pipelines()))
    refused = {
        (need.action, need.resource, str(need.context))
        for _, need in needs(recorded)
        if not allows(allowed, need.action, need.resource, need.context)
    }
    assert not refused


def test_nothing_in_the_policies_is_idle(recorded):
    """Without any action of any statement a recorded call is refused, or a handler of
    CloudFormation's, or a clean-up.
    """
    requested = {
        (need.action, need.resource, tuple(need.context.items())) for _, need in needs(recorded)
    }
    by_cloudformation = set().union(*handled(resource_types()).values())
    if not by_cloudformation:
        pytest.skip(
            "CloudFormation's schemas are not here: make lint installs cfn-lint, which has them"
        )
    found = idle(policies(), ((action, arn, dict(context)) for action, arn, context in requested))
    found = {(part, action) for part, action in found if action not in by_cloudformation}
    assert found == set(IDLE_HERE)
    assert not {action for _, action in found} >= set(actions(policies()))

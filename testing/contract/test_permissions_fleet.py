"""What the worker and a sender ask AWS for, by the code's calls, against the policies that they
have; and what deploying may touch.

testing/contract/test_permissions.py has the updater's role, which the worker's is but for its
queues, and the rest of the deployer's policies.
"""

import ast
import inspect
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from ecs_updater.aws import sqs
from ecs_updater.ledger.batch import Batch, Batches, members_of
from ecs_updater.ledger.queries import Progress
from fakes.memory_dynamodb import TABLE
from fakes.wire import Request
from support.cloudformation import TEMPLATES, Stack, allows
from support.deployer import ACCOUNT, REGION, policies
from support.permissions import expanded, idle, listed
from support.table_calls import KEYS, table_and_keys

pytest_plugins = ["support.ledger_fixtures"]

QUEUE, DEAD_LETTER_QUEUE = (
    f"arn:aws:sqs:{REGION}:{ACCOUNT}:ecs-updater-fleet{name}.fifo" for name in ("", "-dead-letters")
)
LEDGER = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{TABLE}"
SERVICE = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/ECSCluster/ecs-dummy-service"
# Lambda takes the messages with the worker's role.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
BY_LAMBDA = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
# The transaction and the batch of DynamoDB ask for what is in them; SQS asks for a batch of
# messages as for one.
AS = {"TransactWriteItems": "PutItem", "SendMessageBatch": "SendMessage"}

Requested = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module", name="stack")
def _stack() -> Stack:
    """The fleet, as the scripts deploy it."""
    return Stack(TEMPLATES["05-fleet.yml"])


@pytest.fixture(scope="module", name="sender")
def _sender(stack) -> list[dict[str, Any]]:
    """The statements of those who send."""
    (found,) = stack.of_type("AWS::IAM::ManagedPolicy")
    return found["PolicyDocument"]["Statement"]


@pytest.fixture(scope="module", name="worker")
def _worker(stack) -> list[dict[str, Any]]:
    """The statements that the fleet adds to the role of the updater."""
    (policy_of_the_worker,) = stack.of_type("AWS::IAM::Policy")
    return policy_of_the_worker["PolicyDocument"]["Statement"]


def called_of_sqs() -> set[str]:
    """The actions of the calls that the code makes to SQS, read from its source."""
    operations = boto3.client("sqs", region_name=REGION).meta.method_to_api_mapping.values()
    nodes = ast.walk(ast.parse(inspect.getsource(sqs)))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant)}
    return {f"sqs:{AS.get(name, name)}" for name in texts & set(operations)}


def requested_of_the_table(requests: list[Request]) -> Iterator[Requested]:
    """What DynamoDB asks about for each request: the action, the table, and the partition keys that
    the request names.
    """
    for request in requests:
        _, keys = table_and_keys(request.body)
        yield f"dynamodb:{AS.get(request.operation, request.operation)}", LEDGER, {KEYS: keys}


@pytest.fixture(name="requested")
def _requested(fake, table, begin) -> list[Requested]:
    """All that a batch asks for that is sent, watched and stopped, one update of which has begun
    already.
    """
    entry, fake.requests[:] = begin(), []
    batches = Batches(table, retention_days=7)
    members = list(
        members_of(
            "a-batch", [{"ecs_service_name": f"s{number}"} for number in range(30)], [None] * 30
        )
    )
    batches.begin(Batch("a-batch", "2026-11-27T09:30:00Z", len(members)), members)
    assert batches.find("a-batch") and len(batches.members("a-batch")) == 30
    assert Progress(table).of([entry.request_id, *(member.request_id for member in members)])
    batches.stop("a-batch", "enough")
    queue = [(f"sqs:{operation}", QUEUE, {}) for operation in ("GetQueueUrl", "SendMessage")]
    beside = [
        ("ecs:DescribeServices", SERVICE, {}),
        ("dynamodb:DescribeTable", LEDGER, {}),
    ]
    found = [*requested_of_the_table(fake.requests), *queue, *beside]
    return [(action, resource, _of_the_account(context)) for action, resource, context in found]


def _of_the_account(context: dict[str, Any]) -> dict[str, Any]:
    """The context with the keys of services as the services of this account and cluster have
    them.
    """
    return {
        name: [SERVICE if key.startswith("arn:") else key for key in keys]
        for name, keys in context.items()
    }


def test_a_sender_may_do_everything_that_a_batch_asks_for(requested, sender):
    assert {action for action, *_ in requested} == {
        action for statement in sender for action in listed(statement["Action"])
    }
    assert not [call for call in requested if not allows(sender, *call)]


def test_nothing_in_the_policy_of_a_sender_is_idle(requested, sender):
    assert not idle(sender, requested)
    (watched,) = (
        statement["Condition"]["ForAllValues:StringLike"][KEYS]
        for statement in sender
        if statement["Sid"] == "WatchUpdates"
    )
    for pattern in watched:
        assert [
            keys
            for action, _, context in requested
            for keys in context.values()
            if action.endswith("BatchGetItem")
            and any(key.startswith(pattern.rstrip("*")) for key in keys)
        ], pattern


def test_a_sender_reads_task_definitions_only_where_dry_runs_are_permitted(sender):
    (planner,) = Stack(TEMPLATES["05-fleet.yml"], {"SenderDryRuns": "true"}).of_type(
        "AWS::IAM::ManagedPolicy"
    )
    more = [part for part in planner["PolicyDocument"]["Statement"] if part not in sender]
    assert [(part["Action"], part["Resource"]) for part in more] == [
        ("ecs:DescribeTaskDefinition", "*")
    ]


@pytest.mark.parametrize(
    ("what", "other"),
    [(ACCOUNT, "444455556666"), (REGION, "us-east-1"), ("ecs-updater-", "other-")],
)
def test_a_sender_may_do_nothing_with_another_account_region_or_fleet(
    requested, sender, what, other
):
    changed = [
        (action, resource.replace(what, other), context)
        for action, resource, context in requested
        if what in resource
    ]
    assert changed and not [call for call in changed if allows(sender, *call)]


def test_the_worker_may_do_with_its_queues_what_it_and_lambda_do_and_no_more(worker):
    own = called_of_sqs() - {"sqs:GetQueueUrl"}  # It gets the addresses as settings.
    assert own == {"sqs:ChangeMessageVisibility", "sqs:SendMessage"}
    by_queue = {statement["Resource"]: set(listed(statement["Action"])) for statement in worker}
    assert by_queue == {
        QUEUE: BY_LAMBDA | {"sqs:ChangeMessageVisibility"},
        DEAD_LETTER_QUEUE: {"sqs:SendMessage"},
    }


# The deployer

OWN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:ecs-updater-fleet"
MAPPING = f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:an-id"
SENDERS = f"arn:aws:iam::{ACCOUNT}:policy/ecs-updater-fleet-sender-{REGION}"
OTHER_ALARM = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:other"
OTHERS = [
    OWN.replace("ecs-updater-fleet", name)
    for name in ("ecs-updater", "ecs-updater-fleet-2", "other")
]


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("lambda:CreateEventSourceMapping", "*"),
        *((f"lambda:{verb}EventSourceMapping", MAPPING) for verb in ("Delete", "Get", "Update")),
    ],
)
def test_the_deployer_makes_and_changes_only_what_calls_this_worker(action, resource):
    allowed = list(expanded(policies()))
    assert allows(allowed, action, resource, {"lambda:FunctionArn": OWN})
    assert not [
        other
        for other in OTHERS
        if allows(allowed, action, resource, {"lambda:FunctionArn": other})
    ]
    assert not allows(allowed, action, resource, {})


@pytest.mark.parametrize("kind", ["user/someone", "role/someone", "group/someone"])
def test_the_deployer_takes_the_senders_policy_back_and_no_other_and_gives_none(kind):
    allowed, holder = list(expanded(policies())), f"arn:aws:iam::{ACCOUNT}:{kind}"
    name = kind.partition("/")[0].capitalize()
    assert allows(allowed, f"iam:Detach{name}Policy", holder, {"iam:PolicyARN": SENDERS})
    for other in (SENDERS + "-2", "arn:aws:iam::aws:policy/AdministratorAccess"):
        assert not allows(allowed, f"iam:Detach{name}Policy", holder, {"iam:PolicyARN": other})
        assert not allows(allowed, f"iam:Attach{name}Policy", holder, {"iam:PolicyARN": other})
    assert not allows(allowed, f"iam:Attach{name}Policy", holder, {"iam:PolicyARN": SENDERS})
    assert not allows(allowed, "iam:CreatePolicyVersion", SENDERS + "-2")


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        *(
            (f"cloudwatch:{operation}", OTHER_ALARM)
            for operation in ("PutMetricAlarm", "DeleteAlarms")
        ),
        ("cloudwatch:PutDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/ecs-updater-2"),
        *(
            (f"sqs:{operation}", QUEUE.replace(".fifo", "-2.fifo"))
            for operation in ("CreateQueue", "DeleteQueue", "SetQueueAttributes")
        ),
        *(
            (f"sqs:{operation}", QUEUE)
            for operation in ("ReceiveMessage", "DeleteMessage", "PurgeQueue")
        ),
        ("sqs:SendMessage", DEAD_LETTER_QUEUE),
        ("lambda:InvokeFunction", OWN),
    ],
)
def test_the_deployer_touches_no_other_alarm_or_queue_and_takes_no_message(action, resource):
    statements = policies("fleet", "operations")
    assert not allows(list(expanded(statements)), action, resource)

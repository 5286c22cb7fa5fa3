"""The fleet's template against the worker: the queue, the worker's settings, and who may send.

The emulator has no TLS to require, and its IAM does not evaluate keys of the table: both are
tested here, as the template has them.
"""

import re
from typing import Any

import pytest

from ecs_updater import throttling
from ecs_updater.aws.ecs_reader import SERVICES_PER_CALL
from ecs_updater.settings import QueueSettings
from ecs_updater.worker.run import NEEDED_SECONDS
from support.cloudformation import TEMPLATES, USUAL, Stack, allows

FLEET = TEMPLATES["05-fleet.yml"]
ARN = "arn:aws:%s:eu-west-1:000000000000:%s"
QUEUE, DEAD_LETTER_QUEUE = (
    ARN % ("sqs", f"ecs-updater-fleet{name}.fifo") for name in ("", "-dead-letters")
)
TABLE = ARN % ("dynamodb", "table/ecs-updater-ledger")
SERVICE = ARN % ("ecs", "service/ECSCluster/web")


def made(name: str, **parameters: Any) -> dict[str, Any]:
    """Returns the properties of a resource."""
    return Stack(FLEET, parameters).resources[name]["Properties"]


# The queue


@pytest.mark.parametrize("name", ["FleetQueue", "FleetDeadLetterQueue"])
def test_a_service_keeps_its_order_and_waits_for_no_other(name):
    queue = made(name)
    assert queue["QueueName"].endswith(".fifo") and queue["FifoQueue"] is True
    assert (queue["DeduplicationScope"], queue["FifoThroughputLimit"]) == (
        "messageGroup",
        "perMessageGroupId",
    )
    # Two messages are the same when they say so: one text may well be sent twice.
    assert queue["ContentBasedDeduplication"] is False
    assert queue["SqsManagedSseEnabled"] is True


def test_a_message_stays_hidden_for_six_of_the_workers_time_outs():
    assert made("FleetQueue")["VisibilityTimeout"] == 6 * made("FleetFunction")["Timeout"]


def test_dead_letters_stay_as_long_as_sqs_keeps_any_and_longer_than_they_waited():
    # In a FIFO queue a dead letter's time begins anew when it is moved.
    most = max(made("FleetQueue", QueueRetentionDays=14)["MessageRetentionPeriod"], 1_209_600)
    assert made("FleetDeadLetterQueue")["MessageRetentionPeriod"] == most


def test_failed_messages_go_to_the_dead_letter_queue_which_accepts_only_this_queue():
    redrive = made("FleetQueue")["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == DEAD_LETTER_QUEUE
    assert made("FleetDeadLetterQueue")["RedriveAllowPolicy"] == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [QUEUE],
    }
    assert "RedrivePolicy" not in made("FleetDeadLetterQueue")
    variables = made("FleetFunction")["Environment"]["Variables"]
    assert str(redrive["maxReceiveCount"]) == variables["MAX_RECEIVES"]


# The worker


def test_the_queue_calls_the_worker_with_as_many_services_as_are_read_together():
    mapping = made("FleetMapping", MaximumConcurrency=7)
    assert (mapping["EventSourceArn"], mapping["FunctionName"]) == (QUEUE, "ecs-updater-fleet")
    assert mapping["BatchSize"] == SERVICES_PER_CALL == 10
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": "7"}


def test_with_as_many_workers_as_there_are_each_gets_its_revisions_registered_in_its_time():
    """All begin at once, with ten services each, when nothing is left in the bucket of ECS that is
    emptied first.
    """
    workers = int(made("FleetMapping")["ScalingConfig"]["MaximumConcurrency"])
    waiting = workers * SERVICES_PER_CALL / throttling.RATES[throttling.REGISTER].per_second
    assert waiting + NEEDED_SECONDS < made("FleetFunction")["Timeout"]


def test_the_worker_knows_its_queues_and_how_the_arns_of_its_account_begin():
    changed = "RegisterTaskDefinition=40/2,UpdateService=80/0.5"
    given = made("FleetFunction", EcsRates=changed)["Environment"]["Variables"]
    address = "https://sqs.eu-west-1.amazonaws.com/000000000000/ecs-updater-fleet"
    assert (given["QUEUE_URL"], given["DEAD_LETTER_QUEUE_URL"]) == (
        f"{address}.fifo",
        f"{address}-dead-letters.fifo",
    )
    settings = QueueSettings.from_environment(given)
    assert settings == QueueSettings("arn:aws:ecs:eu-west-1:000000000000:", given["ECS_RATES"], 20)
    assert throttling.parse_rates(settings.ecs_rates)[throttling.UPDATE] == throttling.Rate(80, 0.5)


@pytest.mark.parametrize(
    "text",
    [
        "RegisterTaskDefinition",
        "UpdateService=0/5",
        "UpdateService=50/0",
        "UpdateService=50/0.0",
        "RunTask=1/1",
        "=1/1",
    ],
)
def test_a_rate_with_which_no_message_could_be_worked_off_is_refused(text):
    assert not re.fullmatch(FLEET["Parameters"]["EcsRates"]["AllowedPattern"], text)
    with pytest.raises(ValueError):
        throttling.parse_rates(text)


# What the worker may, and what a sender


def test_the_worker_has_the_role_and_the_log_group_of_the_function():
    worker = made("FleetFunction")
    assert (worker["Role"], worker["LoggingConfig"]["LogGroup"]) == (
        USUAL["UpdaterRoleArn"],
        USUAL["UpdaterLogGroupName"],
    )
    kinds = {resource["Type"] for resource in FLEET["Resources"].values()}
    assert not kinds & {"AWS::IAM::Role", "AWS::Logs::LogGroup"}


def test_the_role_may_work_off_the_queue_beside_what_the_function_may():
    assert made("FleetWorkerPolicy")["Roles"] == ["ecs-updater-eu-west-1"]
    # Lambda refuses an event source mapping if the role may not receive from the queue.
    assert FLEET["Resources"]["FleetMapping"]["DependsOn"] == "FleetWorkerPolicy"


SENDER = made("FleetSenderPolicy")["PolicyDocument"]["Statement"]
KEYS = "dynamodb:LeadingKeys"


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("sqs:GetQueueUrl", QUEUE, {}),
        ("sqs:SendMessage", QUEUE, {}),
        ("dynamodb:DescribeTable", TABLE, {}),
        *(
            (f"dynamodb:{operation}", TABLE, {KEYS: ["BATCH#20261127T0930Z-ab"]})
            for operation in ("GetItem", "PutItem", "Query", "UpdateItem")
        ),
        ("dynamodb:BatchGetItem", TABLE, {KEYS: ["REQUEST#one", "REQUEST#two"]}),
        (
            "dynamodb:BatchGetItem",
            TABLE,
            {KEYS: [SERVICE, SERVICE + "-two", SERVICE.replace("ECSCluster", "Missing")]},
        ),
        ("ecs:DescribeServices", SERVICE, {}),
    ],
)
def test_a_sender_may(action, resource, context):
    assert allows(SENDER, action, resource, context)


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("sqs:SendMessage", DEAD_LETTER_QUEUE, {}),
        *(
            (f"sqs:{operation}", QUEUE, {})
            for operation in ("ReceiveMessage", "DeleteMessage", "PurgeQueue", "SetQueueAttributes")
        ),
        *(
            (f"dynamodb:{operation}", TABLE, {KEYS: [SERVICE]})
            for operation in ("GetItem", "PutItem", "UpdateItem", "Query")
        ),
        *(
            (f"dynamodb:{operation}", TABLE, {KEYS: ["TIMING"]})
            for operation in ("PutItem", "UpdateItem")
        ),
        ("dynamodb:PutItem", TABLE, {KEYS: ["REQUEST#one"]}),
        ("dynamodb:PutItem", TABLE, {}),
        ("dynamodb:PutItem", TABLE + "-two", {KEYS: ["BATCH#one"]}),
        ("dynamodb:Query", TABLE + "/index/recent", {KEYS: ["UPDATES"]}),
        ("dynamodb:BatchGetItem", TABLE, {KEYS: ["REQUEST#one", "LEASE#one"]}),
        *(
            (f"dynamodb:{operation}", TABLE, {KEYS: ["BATCH#one"]})
            for operation in ("DeleteItem", "Scan", "BatchWriteItem")
        ),
        ("ecs:DescribeServices", SERVICE.replace("ECSCluster", "Other"), {}),
        ("ecs:DescribeTaskDefinition", "*", {}),  # It has the variables of every container.
        *((f"ecs:{operation}", SERVICE, {}) for operation in ("UpdateService", "TagResource")),
    ],
)
def test_a_sender_may_not(action, resource, context):
    assert not allows(SENDER, action, resource, context)

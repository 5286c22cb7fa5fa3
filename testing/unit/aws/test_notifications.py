"""The channels of verdicts send what AWS takes, and say what it did not take."""

import pytest
from botocore.stub import Stubber

from ecs_updater.aws import clients
from ecs_updater.aws.notifications import EventBus, Topic, channels_of
from ecs_updater.errors import AwsFailure
from unit.model.test_verdict_event import event_of

TOPIC = "arn:aws:sns:eu-west-1:123456789012:verdicts"


@pytest.fixture(name="stub")
def _stub():
    """A topic with a stubbed client, which checks the parameters by the service model."""
    client = clients.session().create_client(
        *("sns", "eu-west-1"), aws_access_key_id="test", aws_secret_access_key="test"
    )
    with Stubber(client) as stub:
        yield Topic(TOPIC, client), stub


def test_messages_have_subject_text_and_attributes_and_a_failed_one_has_its_reason(stub):
    topic, stubber = stub
    events = [event_of(id="a"), event_of(id="b", verdict="STOPPED")]
    entries = [
        {
            "Id": str(index),
            "Subject": f"{event.verdict}: update of web in production",
            "Message": event.message(),
            "MessageAttributes": {
                "verdict": {"DataType": "String", "StringValue": event.verdict},
                "cluster": {"DataType": "String", "StringValue": "production"},
            },
        }
        for index, event in enumerate(events)
    ]
    failed = {"Id": "1", "Code": "InternalError", "SenderFault": False}
    stubber.add_response(
        "publish_batch",
        {"Successful": [{"Id": "0", "MessageId": "m"}], "Failed": [failed]},
        {"TopicArn": TOPIC, "PublishBatchRequestEntries": entries},
    )
    assert topic.send(events) == {"b": "InternalError: no reason"}


def test_a_missing_topic_is_a_failure(stub):
    topic, stubber = stub
    stubber.add_client_error("publish_batch", "NotFound", "Topic does not exist", 404)
    with pytest.raises(AwsFailure, match="Topic does not exist"):
        topic.send([event_of()])


@pytest.mark.parametrize(
    ("environment", "channels"),
    [
        ({}, []),
        ({"EVENT_BUS": "", "NOTIFY_TOPIC_ARN": ""}, []),
        ({"EVENT_BUS": "default"}, [(EventBus, "default")]),
        ({"EVENT_BUS": "b", "NOTIFY_TOPIC_ARN": TOPIC}, [(EventBus, "b"), (Topic, TOPIC)]),
    ],
)
def test_an_empty_setting_switches_a_channel_off(environment, channels):
    found = channels_of(environment)
    assert [(type(channel), channel.address) for channel in found] == channels

"""The last lines of a log stream."""

import pytest
from botocore.session import Session

from ecs_updater.aws.logs import Logs
from ecs_updater.errors import AwsFailure
from fakes.wire import Refusal, Wire


class LogStream(Wire):
    """One log stream."""

    def answer(self, operation, body):
        if body["logStreamName"] != "p/app/1":
            raise Refusal("ResourceNotFoundException", "The specified log stream does not exist.")
        return {"events": [{"message": "one", "timestamp": 1}, {"timestamp": 2}]}


def test_the_last_messages_are_read_with_one_call():
    fake, session = LogStream("logs"), Session()
    session.get_component("event_emitter").register("before-send.logs", fake._send)  # pylint: disable=protected-access
    logs = Logs(lambda: session)
    assert logs.last_messages("eu-west-1", "/g", "p/app/1", 10) == ["one", ""]
    request = fake.requests[0]
    assert request.body == {
        "logGroupName": "/g",
        "logStreamName": "p/app/1",
        "limit": 10,
        "startFromHead": False,
    }
    with pytest.raises(AwsFailure, match="log stream does not exist"):
        logs.last_messages("eu-west-1", "/g", "other", 10)

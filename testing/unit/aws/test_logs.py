"""The last lines of a log stream."""

import pytest

from ecs_updater.aws import logs
from ecs_updater.errors import AwsFailure
from fakes.wire import Refusal, Wire


class Logs(Wire):
    """One log stream."""

    def answer(self, operation, body):
        if body["logStreamName"] != "p/app/1":
            raise Refusal("ResourceNotFoundException", "The specified log stream does not exist.")
        return {"events": [{"message": "one", "timestamp": 1}, {"timestamp": 2}]}


def test_the_last_messages_are_read_with_one_call(monkeypatch):
    fake = Logs("logs")
    client = fake.client()
    monkeypatch.setattr(logs, "_client", lambda region: client)
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

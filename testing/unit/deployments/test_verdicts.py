"""A function without a ledger sends its verdict itself, and a failure changes no outcome."""

import pytest

from ecs_updater.aws.notifications import EventBus
from ecs_updater.context import Call, Clock
from ecs_updater.deployments import verdicts
from ecs_updater.errors import InvalidEventError, RolloutFailedError
from fakes.event_bus import BUS, MemoryBus, MemoryTopic
from fakes.simulated_ecs import Image, SimulatedEcs
from fakes.wire import DENIED

GOOD = Image.good()


@pytest.fixture(name="bus")
def _bus():
    return MemoryBus()


@pytest.fixture(name="topic")
def _topic():
    return MemoryTopic()


@pytest.fixture(name="update")
def _update(event, ecs_of, bus, topic, monkeypatch):
    """Does one update without a table, on simulated ECS."""
    channels = (EventBus(BUS, bus.client(EventBus.CONFIG)), topic)
    monkeypatch.setattr(verdicts, "channels_of", lambda _: channels)

    def update(image=GOOD, **fields):
        ecs = SimulatedEcs()
        ecs.publish("app:2", image)
        clock = Clock(ecs.clock.now, ecs.clock.sleep, lambda: 0.5, ecs.clock.now)
        call = Call("request-1", "test", lambda: 900.0, clock)
        whole = event(**{"ecs_image_name": "app:2", "wait_seconds": 600, **fields})
        return verdicts.deploy_and_send(whole, {}, ecs_of(ecs), call)

    return update


def test_a_verdict_is_sent_after_the_update(update, bus, topic):
    answer = update()
    assert answer["body"]["deployment"]["verdict"] == "SUCCEEDED"
    assert "notes" not in answer["body"]["deployment"]
    assert bus.verdicts == ["SUCCEEDED"] and bus.details[0]["requestId"] == "request-1"
    assert [event.id for event in topic.events] == [bus.details[0]["id"]]


def test_an_error_with_a_verdict_is_sent_and_raised(update, bus):
    with pytest.raises(RolloutFailedError):
        update(Image.exits(code=1))
    assert bus.verdicts == ["FAILED"] and bus.details[0]["errorType"] == "RolloutFailedError"


def test_no_verdict_no_event(update, bus):
    assert update(wait_seconds=0)["body"]["deployment"]["verdict"] == "IN_PROGRESS"
    with pytest.raises(InvalidEventError):
        update(surplus=1)
    assert not bus.entries


def test_a_failed_send_is_a_note_and_changes_nothing_else(update, bus, topic, log):
    bus.fail("PutEvents", DENIED, times=9)
    deployment = update()["body"]["deployment"]
    note = f"the verdict was not sent to {BUS}: AccessDeniedException: "
    assert deployment["verdict"] == "SUCCEEDED" and deployment["notes"][0].startswith(note)
    assert log()[-1]["message"].startswith(note) and len(topic.events) == 1
    with pytest.raises(RolloutFailedError) as raised:
        update(Image.exits(code=1))
    assert raised.value.details["notes"][-1].startswith(note)

"""The event and the message of a verdict stay inside AWS's limits, whatever an update has."""

import json
from importlib import resources

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from ecs_updater.model.verdict_event import DETAIL_BYTES, VerdictEvent, as_json

SCHEMA = Draft4Validator(
    json.loads(resources.files("ecs_updater").joinpath("schemas/verdict-event.json").read_text())
)
SERVICE = "arn:aws:ecs:eu-west-1:123456789012:service/production/web"


def event_of(**fields):
    """An event of a failed update, with other fields."""
    return VerdictEvent(
        **{
            "id": "0" * 32,
            "request_id": "release-2",
            "action": "update",
            "verdict": "FAILED",
            "cause": "exit code 1",
            "service": SERVICE,
            "service_arn": SERVICE,
            "begun_at": "2026-11-30T10:00:00.000Z",
            "ended_at": "2026-11-30T10:01:03.000Z",
            "duration_seconds": 63.0,
            "images_before": {"web": "web:1", "proxy": "envoy:1"},
            "images_after": {"web": "web:2", "proxy": "envoy:1"},
            "task_definition_before": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:1",
            **fields,
        }
    )


def test_the_message_is_for_a_reader():
    event = event_of(target="abroad", batch="friday", error_type="RolloutFailedError")
    assert event.subject == "FAILED: update of web in production"
    assert event.attributes == {"verdict": "FAILED", "cluster": "production"}
    assert event.message().splitlines() == [
        "FAILED: update of web in production",
        "",
        "Cause: exit code 1",
        "Image: proxy: envoy:1; web: web:1 -> web:2",
        "Task definition: web:1",
        "Account and region: 123456789012, eu-west-1",
        "Target: abroad",
        "Begun: 2026-11-30T10:00:00.000Z",
        "Ended: 2026-11-30T10:01:03.000Z, after 63 s",
        "Request id: release-2",
        "Batch: friday",
        "Error: RolloutFailedError",
        f"Event id: {'0' * 32}",
    ]


TEXT = st.text(st.characters(), max_size=2000) | st.text('"\\<!&\n\ud800漢', max_size=2000)


@given(TEXT, TEXT.map(lambda text: text[:128]), TEXT, st.dictionaries(TEXT, TEXT, max_size=10))
def test_any_text_gives_a_valid_event_and_a_summary_that_fits_into_json(
    cause, request_id, caller, images
):
    event = event_of(
        cause=cause[:2000],
        request_id=request_id,
        caller=caller,
        images_after=images,
        batch=caller[:99],
    )
    text = as_json(event.detail())
    assert len(text.encode()) <= DETAIL_BYTES
    detail = json.loads(text)
    SCHEMA.validate(detail)
    # As an input transformer does it.
    assert json.loads(f'{{"text": "{detail["summary"]}"}}') == {"text": detail["summary"]}
    assert event.subject.isascii() and len(event.subject) <= 100
    assert len(event.message().encode("utf-8", "replace")) < 25_000


def test_the_longest_names_fit_into_subject_and_attributes():
    name = "w" * 255
    event = event_of(service=SERVICE.replace("production/web", f"{name}/{name}"))
    assert len(event.subject) == 100 and len(event.attributes["cluster"]) == 255

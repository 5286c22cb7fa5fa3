"""The event of a push: what of it is read, and which events are ignored or refused."""

import json

import pytest

from ecs_updater.errors import InvalidEventError
from ecs_updater.model.push import Push
from support.push_run import RECORDED, push_event


def changed(*path, value=None):
    """The event with another value. None: without it."""
    event = json.loads(json.dumps(RECORDED))
    *outer, name = path
    place = event
    for part in outer:
        place = place[part]
    if value is None:
        del place[name]
    else:
        place[name] = value
    return json.dumps(event)


def test_a_recorded_event_is_read():
    assert Push.parse(json.dumps(RECORDED)) == Push(
        account="123456789012",
        region="eu-west-1",
        repository="shop/web",
        tag="1.4.2",
        digest="sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd12345678",
        pushed_at=1_800_000_000,
    )


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(push_event(None)),
        changed("detail", "image-tag", value=""),
        changed("detail", "action-type", value="DELETE"),
        changed("detail", "result", value="FAILURE"),
        changed("detail-type", value="ECR Image Scan"),
    ],
)
def test_an_event_that_is_not_about_a_pushed_tag_is_ignored(body):
    assert Push.parse(body) is None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        changed("detail"),
        changed("detail", value="text"),
        changed("detail", "image-digest"),
        changed("detail", "image-digest", value="sha256:short"),
        changed("detail", "image-tag", value=["1.4.2"]),
        changed("account", value=123456789012),
        changed("time", value="yesterday"),
    ],
)
def test_another_text_is_refused(body):
    with pytest.raises(InvalidEventError):
        Push.parse(body)

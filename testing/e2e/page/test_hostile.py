"""Values that try to be more than text: everything is shown as it is, and nothing of it runs."""

import shlex

import pytest

from e2e.page.browser import expect, has_no_sideways_scroll
from e2e.page.samples import HOSTILE, deployment, service

SHAPE = "(element) => [...element.querySelectorAll('*')].map((each) => each.localName)"


def _service(text):
    fields = {
        "clusterName": text,
        "taskDefinition": text,
        "rolloutState": text,
        "capacityProviders": [text],
    }
    return service(text, images={text: text, "second": text}, tags={text: text}, **fields)


def _deployment(number, text):
    side = {"taskDefinition": text, "images": {text: text}, "tags": [{"key": text, "value": text}]}
    fields = {
        "cause": text,
        "verdict": text,
        "deploymentId": text,
        "action": text,
        "batch": text,
        "begunAt": text,
        "endedAt": text,
    }
    error = {
        "errorType": text,
        "errorMessage": text,
        "rollback": {"taskDefinition": text},
        "requestId": text,
    }
    return deployment(
        str(number),
        text,
        text,
        before={"images": {}, "tags": []},
        after=side,
        caller=text,
        answer={"deployment": {"notes": [text]}},
        **fields,
        **error,
    )


@pytest.fixture(name="hostile")
def _hostile(open_lists, api):
    """A tab with a harmless row in each list, and below it one for each hostile value."""
    api.services = [_service(text) for text in ("harmless", *HOSTILE)]
    api.deployments = [
        _deployment(number, text) for number, text in enumerate(("harmless", *HOSTILE))
    ]
    return open_lists(api)


def test_hostile_values_in_the_lists_are_shown_literally_and_make_no_elements(hostile):
    for name in ("services", "deployments"):
        harmless, *rows = hostile.locator(f"#{name}-rows tr:has(th)").all()
        shape, text_of_harmless = harmless.evaluate(SHAPE), harmless.text_content()
        for text, row in zip(HOSTILE, rows, strict=True):
            assert row.text_content() == text_of_harmless.replace("harmless", text)
            assert row.evaluate(SHAPE) == shape
    batches = [f"Batch: 1 {text.lower()}{text}" for text in ("harmless", *HOSTILE)]
    expect(hostile.locator("tr.batch")).to_have_text(batches, use_inner_text=False)
    assert has_no_sideways_scroll(hostile)
    assert hostile.locator("a[href]:not([href^='#'])").count() == 0


def test_hostile_values_in_the_details_are_shown_literally_and_make_no_elements(hostile):
    shape, harmless = None, None
    rows = hostile.locator("#deployments-rows tr:has(th)").all()
    for text, row in zip(("harmless", *HOSTILE), rows, strict=True):
        row.get_by_role("link").click()
        dialog = hostile.locator("dialog")
        is_shown = "(title) => document.querySelector('dialog h2').textContent === title"
        hostile.wait_for_function(is_shown, arg=f"{text} in {text}")
        words = shlex.split(dialog.locator("pre").text_content())
        assert words == ["ecs-updater", "rollback", text, text, "--region", "eu-west-1"]
        link = dialog.get_by_role("link")
        assert link.evaluate("(link) => link.host") == "eu-west-1.console.aws.amazon.com"
        shown = hostile.locator("dialog :is(dl, p:not(:has(a)))").all_text_contents()
        shape, harmless = shape or dialog.evaluate(SHAPE), harmless or shown
        assert shown == [each.replace("harmless", text) for each in harmless]
        assert dialog.evaluate(SHAPE) == shape
        hostile.keyboard.press("Escape")

"""A deployment that awaits approval: its row, the buttons, and what an answer leads to."""

import pytest

from e2e.page.browser import expect, violations
from e2e.page.samples import HOOK, PAUSED, deployment, service
from e2e.page.test_lists import row
from fakes.scripted_api import error

STATE = (
    "[ERROR][approval] hook ecs-pause-1 awaits no answer: it was approved by API key a1b2 at "
    "2026-11-26T13:05:00.000Z"
)


@pytest.fixture(name="api")
def _api(api):
    """One whose only deployment awaits approval."""
    api.services = [service("web")]
    api.deployments = [deployment("req-1", "web", **PAUSED)]
    return api


@pytest.fixture(name="dialog")
def _dialog(lists):
    """The details of that deployment."""
    row(lists, "web", "deployments").get_by_role("link").click()
    return lists.get_by_role("dialog", name="web in shop")


def test_the_row_and_the_answer_to_the_first_question_say_that_it_awaits_approval(
    lists, screenshots
):
    badge = row(lists, "web", "deployments").locator(".badge")
    expect(badge).to_have_text("Awaiting approval")
    assert badge.locator("bdi").evaluate("(text) => text.scrollWidth <= text.clientWidth")
    expect(lists.locator("#answer")).to_have_text("1 deployment awaits approval")
    lists.screenshot(path=screenshots / "approval-list.png")


@pytest.mark.parametrize(
    "button, name, done, after",
    [
        ("Approve", "approve", "Approved: the deployment continues.", "Approved"),
        ("Reject and roll back", "reject", "Rejected: ECS rolls back.", "Rejected"),
    ],
)
def test_a_button_sends_the_hook_that_is_shown_and_the_answer_is_shown_with_its_sender(
    lists, dialog, api, screenshots, button, name, done, after
):
    region = dialog.get_by_role("region", name="Approval")
    for text in (
        "The deployment is paused at Pre production traffic shift. Without an answer until "
        "26 Nov 2026, 15:05:00 CET, ECS rolls back.",
        f"Hook {HOOK['id']}",
    ):
        expect(region).to_contain_text(text)
    for text in ("StrategyCanary", "New revision5 % of production, 100 % of test"):
        expect(dialog).to_contain_text(text)
    assert violations(lists) == []
    lists.screenshot(path=screenshots / f"approval-{name}.png")
    region.get_by_role("button", name=button).click()
    expect(dialog.get_by_role("status")).to_have_text(done)
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    assert api.posted == [(name, "req-1", {"hookId": HOOK["id"]})]
    expect(dialog.get_by_role("region", name="Approval")).to_have_count(0)
    expect(dialog).to_contain_text(f"{after}API key a1b2, 26 Nov 2026, 14:05:00 CET")
    lists.screenshot(path=screenshots / f"approval-{name}-done.png")
    assert violations(lists) == []
    dialog.get_by_role("button", name="Close").click()
    expect(row(lists, "web", "deployments").locator(".badge")).to_have_text("In progress")


def test_a_caller_whose_scope_has_no_approvals_sees_why_there_is_no_button(lists, api, screenshots):
    update = deployment("req-1", "web", **PAUSED, actions=["read", "update"])
    api.deployments, api.services = [update], [service("web", actions=["read", "update"])]
    lists.get_by_role("button", name="Refresh").click()
    row(lists, "web", "deployments").get_by_role("link").click()
    dialog = lists.get_by_role("dialog", name="web in shop")
    expect(dialog).to_contain_text(
        "This key may not answer it: its scope does not allow approve for this service."
    )
    expect(dialog.get_by_role("button", name="Approve")).to_have_count(0)
    expect(dialog).to_contain_text("Allowed to youread, update")
    assert violations(lists) == []
    lists.screenshot(path=screenshots / "approval-not-allowed.png")
    dialog.get_by_role("button", name="Close").click()
    row(lists, "web", "services").get_by_role("link").click()
    expect(lists.get_by_role("dialog")).to_contain_text("Allowed to youread, update")


def test_an_answer_that_comes_too_late_shows_the_state(dialog, api):
    api.instead["approve"] = error(409, "HookNotAwaitedError", STATE)
    dialog.get_by_role("button", name="Approve").click()
    expect(dialog.get_by_role("alert")).to_have_text(
        f"409 HookNotAwaitedError: {STATE.removeprefix('[ERROR][approval] ')} (request 4f1c2d3e)"
    )
    expect(dialog.get_by_role("button", name="Approve")).to_be_enabled()
    expect(dialog.get_by_role("status")).to_be_empty()


def test_a_key_that_is_not_accepted_any_more_is_forgotten(lists, dialog, api):
    api.instead["reject"] = error(403, "Forbidden", "its value is not a key of this API")
    dialog.get_by_role("button", name="Reject").click()
    expect(lists.get_by_label("Key of this API")).to_be_visible()


def test_without_approvals_there_are_no_buttons_and_the_setting_is_named(open_lists, api):
    api.has_approvals = False
    tab = open_lists(api)
    row(tab, "web", "deployments").get_by_role("link").click()
    region = tab.get_by_role("region", name="Approval")
    expect(region).to_contain_text("This API takes no answers: APPROVALS is off.")
    expect(region.get_by_role("button")).to_have_count(0)

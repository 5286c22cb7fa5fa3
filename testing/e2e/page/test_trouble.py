"""Errors are shown in words, and automatic refreshes wait longer after failures."""

import pytest

from e2e.page.browser import enter_key, expect, wait_until_loaded
from e2e.page.samples import HOSTILE, deployment, service
from fakes.scripted_api import FORBIDDEN, error

HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture(name="clocked")
def _clocked(new_tab, api):
    """Opens a tab with the lists loaded, whose time only the test moves."""

    def clocked(address=""):
        tab = new_tab(api, address)
        tab.clock.install()
        tab.reload()
        tab.clock.pause_at("2030-01-01T12:00:00Z")
        enter_key(tab)
        wait_until_loaded(tab)
        return tab

    return clocked


def pass_seconds(tab, seconds):
    """Lets time go on, with what is due in it, and waits for what then is loaded."""
    tab.clock.run_for(seconds * 1000)
    wait_until_loaded(tab)


def alert(tab, section="services"):
    """What went wrong with a section."""
    return tab.locator(f"#{section}").get_by_role("alert")


NO_JSON = "Error: the answer is not the API's"
READ_ERROR = "reading ecs service unexpected error: slow"
REQUEST = "(request 4f1c2d3e)"
ERRORS = [
    (
        "list",
        error(502, "ServiceReadError", f"[ERROR][ecs_service_read] {READ_ERROR}"),
        f"502 ServiceReadError: {READ_ERROR} {REQUEST}",
    ),
    # What the function's role may not do says nothing of the key.
    (
        "list",
        error(403, "ServiceReadError", "ListClusters: AccessDeniedException: no"),
        f"403 ServiceReadError: ListClusters: AccessDeniedException: no {REQUEST}",
    ),
    (
        "list",
        error(429, "QuotaExceeded", "the quota of this key is used up", Retry_After="3600"),
        "Too many requests: try again in 3600 seconds. "
        f"429 QuotaExceeded: the quota of this key is used up {REQUEST}",
    ),
    (
        "list",
        (500, {}, {"errorType": HOSTILE[0], "errorMessage": HOSTILE[1], "requestId": HOSTILE[2]}),
        f"500 {HOSTILE[0]}: {HOSTILE[1]} (request {HOSTILE[2]})",
    ),
    ("deployments", (502, {}, "<h1>Bad gateway</h1>"), f"502 {NO_JSON}"),
    ("deployments", (200, {}, "not JSON"), f"200 {NO_JSON}"),
]
"""A route, its answer, and what the section says."""


def test_an_error_is_shown_in_its_section_what_was_there_stays_and_the_next_refresh_ends_it(
    lists, api
):
    sections = {"list": "services", "deployments": "deployments"}
    for route, answer, text in ERRORS:
        api.instead[route] = answer
        lists.get_by_role("button", name="Refresh").click()
        expect(alert(lists, sections[route])).to_have_text(text)
        expect(lists.get_by_role("rowheader", name="checkout")).to_have_count(2)
        expect(lists.get_by_label("Key of this API")).to_be_hidden()
        (other,) = set(sections.values()) - {sections[route]}
        expect(alert(lists, other)).to_be_empty()
        del api.instead[route]
        lists.get_by_role("button", name="Refresh").click()
        expect(alert(lists, sections[route])).to_be_empty()


def test_a_key_that_is_taken_back_is_asked_for_again(lists, api):
    api.instead["list"] = api.instead["deployments"] = FORBIDDEN
    lists.get_by_role("button", name="Refresh").click()
    expect(lists.get_by_role("alert").filter(has_text="does not accept this key")).to_be_visible()
    expect(lists.get_by_label("Key of this API")).to_be_focused()
    expect(lists.get_by_role("table")).to_have_count(0)


def test_an_api_that_cannot_be_reached_is_said(lists):
    lists.route("**/list?*", lambda route: route.abort("connectionrefused"))
    lists.get_by_role("button", name="Refresh").click()
    expect(alert(lists)).to_have_text("The API could not be reached.")


def test_it_refreshes_every_5_seconds_while_something_is_in_progress(clocked, api):
    tab = clocked()
    expect(tab.locator("#loaded")).to_have_text("Loaded 13:00:00, every 5 s")
    pass_seconds(tab, 5)
    api.services[0] = service("checkout", rolloutState="FAILED")
    api.deployments[0] = deployment("req-5", "checkout", verdict="FAILED")
    pass_seconds(tab, 5)
    expect(tab.locator("#answer")).to_have_text("3 services need attention")
    expect(tab.locator("#loaded")).to_have_text("Loaded 13:00:10, every 1 min")
    for seconds, loads in ((59, 3), (1, 4)):
        pass_seconds(tab, seconds)
        assert len(api.queries("list")) == len(api.queries("deployments")) == loads
    tab.get_by_label("Automatic refresh").uncheck()
    pass_seconds(tab, 3600)
    expect(tab.locator("#loaded")).to_have_text("Loaded 13:01:10")


def test_a_refresh_does_not_interrupt_what_the_reader_has_asked_for(clocked, api):
    api.deployments = [deployment(f"r{number}", "web", state="BEGUN") for number in range(60)]
    tab = clocked()
    api.gate.clear()
    tab.get_by_role("button", name="Load older deployments").click()
    tab.clock.run_for(5000)
    api.gate.set()
    expect(tab.locator("#deployments-rows tr")).to_have_count(60)


def test_many_services_are_read_less_often_for_ecs_has_a_rate(clocked, api):
    api.services += [service(f"service-{number}") for number in range(300)]
    tab = clocked()
    for seconds in range(5, 45, 5):
        pass_seconds(tab, 5)
        # Four pages in 20 seconds.
        assert len(api.queries("list")) == 4 + 4 * (seconds // 20)
        assert len(api.queries("deployments")) == 1 + seconds // 5


def test_open_details_are_read_again_with_the_lists(clocked, api):
    dialog = (tab := clocked("#/deployments/req-5")).get_by_role("dialog")
    expect(dialog).to_contain_text("In progress")
    api.deployments[0] = deployment("req-5", "checkout", verdict="INTERRUPTED")
    pass_seconds(tab, 5)
    expect(dialog).to_contain_text("Interrupted")


def test_it_does_not_refresh_while_the_tab_is_hidden(clocked, api):
    tab = clocked()
    for is_hidden, loads in ((True, 1), (False, 2)):
        tab.evaluate(HIDE, is_hidden)
        pass_seconds(tab, 3600 if is_hidden else 1)
        assert len(api.queries("list")) == loads


def test_it_waits_as_long_as_a_throttled_api_asks(clocked, api):
    api.instead["list"] = error(429, "TooManyRequests", "slower", Retry_After="600")
    tab = clocked()
    expect(alert(tab)).to_contain_text("try again in 600 seconds")
    expect(tab.locator("#loaded")).to_contain_text("Failed 13:00:00, again 13:10:00")
    pass_seconds(tab, 590)
    tab.evaluate(HIDE, True)
    tab.evaluate(HIDE, False)
    assert len(api.queries("list")) == 1
    del api.instead["list"]
    pass_seconds(tab, 15)
    expect(alert(tab)).to_be_empty()


def test_after_failures_it_waits_longer_and_longer(clocked, api):
    api.instead["list"] = error(504, "GatewayTimeout", "no answer within 29 seconds")
    tab = clocked()
    for loads in (1, 2, 2, 2, 2, 3, 3):
        pass_seconds(tab, 5)
        assert len(api.queries("list")) == loads

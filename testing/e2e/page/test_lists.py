"""What the page shows of services and deployments, and how it is filtered, counted and paged."""

import re

import pytest

from e2e.page.browser import NOW, enter_key, expect, wait_until_loaded
from e2e.page.samples import A_FEW_DEPLOYMENTS, deployment, service
from ecs_updater.api.query import LAUNCH_TYPES
from ecs_updater.ledger.entry import State
from ecs_updater.model.verdict import Verdict


def row(tab, name, table="services"):
    """The first row of a service in one of the two tables."""
    rows = tab.locator(f"#{table}").get_by_role("row")
    return rows.filter(has=tab.get_by_role("rowheader", name=name)).first


def names(tab, table="services"):
    """The names in the rows of a table."""
    return tab.locator(f"#{table}-rows th a")


def tile(tab, name):
    """A count, which is a filter."""
    return tab.locator("#counts").get_by_role("button", name=name)


SHOWN = [
    *("services orders shop", "services orders 2 of 2", "services orders Steady"),
    *("services orders shop/orders:2.0.1 and 1 more", "services checkout 1 of 21 pending"),
    *("services search Not steady", "services search last failed", "services reports Failed"),
    *("services orders environment production owner platform contact platform@example.com",),
    *("services mail shop/mail:1.4.2", "services reports no tags"),
    *("deployments reports Rolled back", "deployments reports container app exited with code 1"),
    *("deployments reports shop/reports:1.4.1 → 1.4.2", "deployments reports took 2 min 35 s"),
    *("deployments mail Rollback: No other image", "deployments checkout In progress"),
    *("deployments checkout for 3 min 49 s", "deployments billing took under 1 s"),
    "deployments billing ecs_service_name billing not found",
    "deployments search container app ran out of memory (exit code 137)",
]
"""Table, row and what is in it."""


def test_rows_show_states_counts_images_tags_changes_causes_and_times(lists):
    for shown in SHOWN:
        table, name, text = shown.split(maxsplit=2)
        expect(row(lists, name, table)).to_contain_text(text)
    begun = row(lists, "reports", "deployments").locator("time")
    expect(begun).to_have_text("4 min ago")
    # Berlin is an hour ahead.
    expect(begun).to_have_attribute("title", "26 Nov 2026, 14:01:05 CET (2026-11-26T13:01:05.000Z)")
    expect(names(lists)).to_have_text(["search", "reports", "checkout", "orders", "mail"])
    expect(lists.locator("#scope")).to_have_text("production eu-west-1 · account 123456789012")
    lists.clock.set_fixed_time(NOW.replace("13:06:00", "13:08:00"))
    expect(begun).to_have_text("6 min ago")
    expect(row(lists, "checkout", "deployments")).to_contain_text("for 5 min 49 s")


WORDS = {
    Verdict.SUCCEEDED: "good Succeeded",
    Verdict.NO_CHANGE: "idle No change",
    Verdict.IN_PROGRESS: "moving In progress",
    Verdict.SUPERSEDED: "idle Superseded",
    Verdict.NOT_DEPLOYED: "bad Refused",
    Verdict.FAILED: "bad Failed",
    Verdict.ROLLED_BACK: "back Rolled back",
    Verdict.ROLLBACK_FAILED: "bad Rollback failed",
    Verdict.TIMED_OUT: "warn Timed out",
    Verdict.STOPPED: "warn Stopped",
    Verdict.INTERRUPTED: "warn Interrupted",
    Verdict.NOT_STARTED: "warn Not started",
}
"""Kind and word of each verdict."""
BADGES = "(all) => all.map((badge) => `${badge.classList[1]} ${badge.textContent}`)"


def test_every_verdict_state_and_launch_type_is_in_words_without_a_prefix_for_programs(
    open_lists, api
):
    # ECS's own words in a cause stay. So no cause here has one.
    api.deployments = [
        deployment(f"v{number}", "web", verdict=verdict, cause="[ERROR][stage] broken")
        for number, verdict in enumerate(Verdict)
    ] + [
        deployment(f"s{number}", "web", state=state, verdict=None)
        for number, state in enumerate(State)
        if state is not State.ENDED
    ]
    api.services = [
        service(f"s{number}", launchType=launch_type, rolloutState=None)
        for number, launch_type in enumerate(LAUNCH_TYPES)
    ]
    tab = open_lists(api)
    states = ["moving In progress"] * 5 + ["moving Rolling back"]
    shown = tab.locator("#deployments-rows .badge").evaluate_all(BADGES)
    assert shown == [WORDS[verdict] for verdict in Verdict] + states
    for link in tab.locator("tbody a").all():
        link.click()
        expect(tab.locator("dialog h3").first).to_be_visible()
        text = tab.locator("body").inner_text()
        assert "[ERROR]" not in text and not re.search(r"\b[A-Z]+_[A-Z]+\b", text), text
        tab.keyboard.press("Escape")


def test_each_count_is_that_of_the_rows_its_filter_shows_also_after_more_is_loaded(open_lists, api):
    api.deployments = [
        {**update, "id": f"u{number}"} for number, update in enumerate(9 * A_FEW_DEPLOYMENTS)
    ]
    tab = open_lists(api)

    def compare():
        shown = []
        for button in tab.locator("#counts button").all():
            button.click()
            shown.append(button.text_content())
            table = names(tab, button.get_attribute("data-list"))
            expect(table).to_have_count(int(shown[-1].split()[0]))
            expect(button).to_have_attribute("aria-pressed", "true")
        tile(tab, "Deployments").click()
        return shown

    assert compare()[:4] == ["50 Deployments", "8 In progress", "7 Refused", "7 Failed"]
    expect(tab.locator("#deployments-status")).to_have_text("the last 50 deployments")
    tab.get_by_role("button", name="Load older deployments").click()
    expect(tab.locator("#deployments-status")).to_have_text("63 deployments")
    tab.get_by_role("searchbox").fill("search")
    counts = ["18 Deployments", "0 In progress", "0 Refused", "9 Failed", "0 Rolled back"]
    assert compare() == [*counts, "9 Incomplete", "1 Services", "1 Need attention"]
    expect(tab.locator("#answer")).to_have_text("1 service needs attention")
    tab.get_by_role("searchbox").fill("")
    assert compare()[-2:] == ["5 Services", "2 Need attention"]
    expect(tab.locator("#answer")).to_have_text("2 services need attention")


@pytest.mark.parametrize(
    "services, updates, sentence",
    [
        (["COMPLETED"], [], "Nothing is wrong"),
        (["COMPLETED"], [{"state": "BEGUN"}], "Nothing is wrong, 1 deployment in progress"),
        (["FAILED", "COMPLETED"], [], "1 service needs attention"),
        # A failure that a later deployment has mended is history.
        (["COMPLETED"], [{}, {"verdict": "FAILED"}], "Nothing is wrong"),
        (["COMPLETED"], [{"verdict": "NOT_DEPLOYED"}, {}], "1 service needs attention"),
    ],
)
def test_it_answers_whether_something_is_wrong(open_lists, api, services, updates, sentence):
    api.services = [
        service(f"s{number}", rolloutState=state) for number, state in enumerate(services)
    ]
    api.deployments = [
        deployment(f"u{number}", "s0", **fields) for number, fields in enumerate(updates)
    ]
    expect(open_lists(api).locator("#answer")).to_have_text(sentence)


def test_the_deployments_of_a_batch_stand_together_under_their_count(lists):
    batch = lists.locator("tr.batch")
    expect(batch).to_have_text("Batch: 1 rolled back, 1 failed, 1 refused20261126T130000Z-5eed")
    members = lists.locator("tr.batch ~ tr.member th a")
    expect(members).to_have_text(["reports", "search", "billing"])
    tile(lists, "Refused").click()
    expect(batch).to_contain_text("Batch: 1 refused")
    expect(names(lists, "deployments")).to_have_text(["billing"])


def test_the_pages_own_filters_apply_at_once_without_a_request_and_can_be_cleared(lists, api):
    before = len(api.requested)
    for typed, shown in (
        ("CHECK", ["checkout"]),
        ("office", ["reports", "mail"]),
        ("envoy:v1.33", ["orders"]),
        ("unit 8", ["search"]),
        ("no such thing", []),
    ):
        lists.get_by_role("searchbox").fill(typed)
        expect(names(lists)).to_have_text(shown)
        expect(lists.locator("#services-status")).to_have_text(f"{len(shown)} of 5 services")
    tile(lists, "Failed").click()
    expect(lists.get_by_text("Nothing that was loaded matches the filters.")).to_have_count(2)
    expect(lists.locator("#answer")).to_have_text("The filters select no service")
    lists.locator("#deployments").get_by_role("button", name="Clear filters").click()
    expect(lists.locator("#deployments")).to_be_focused()
    expect(names(lists)).to_have_count(5)
    expect(names(lists, "deployments")).to_have_count(7)
    assert len(api.requested) == before


def test_tags_and_launch_type_select_services_and_with_them_their_deployments(lists, api):
    api.services.append(service("batch", launchType="EC2", tags={"environment": "staging"}))
    api.deployments.append(deployment("ec2", "batch"))
    lists.get_by_label("Tag environment").fill("staging")
    lists.get_by_label("Tag environment").press("Enter")
    expect(names(lists)).to_have_text(["batch"])
    expect(names(lists, "deployments")).to_have_text(["batch"])
    query = {"images": "1", "limit": "100", "launch_type": "ALL"}
    staging = query | {"environment": "staging"}
    assert api.queries("list") == [query, staging]  # Enter has loaded once.
    with lists.expect_response("**/list?*launch_type=EC2*"):
        lists.get_by_label("Launch type").select_option("EC2")
    expect(names(lists)).to_have_text(["batch"])
    assert api.queries("list")[-1] == staging | {"launch_type": "EC2"}
    lists.get_by_label("Tag environment").fill("nowhere")
    lists.get_by_role("button", name="Refresh").click()
    expect(tile(lists, "Services")).to_have_text("0 Services")
    lists.locator("#services").get_by_role("button", name="Clear filters").click()
    expect(names(lists)).to_have_count(6)
    expect(names(lists, "deployments")).to_have_count(8)


def test_while_it_loads_it_says_so_and_that_nothing_is_there_too(tab, api):
    api.gate.clear()
    enter_key(tab)
    expect(tab.locator("#services")).to_have_attribute("aria-busy", "true")
    expect(tab.locator("#services-empty")).to_have_text("Loading…")
    expect(tab.locator("#answer")).to_have_text("Loading…")
    api.gate.set()
    wait_until_loaded(tab)
    expect(tab.locator("#services-empty")).to_be_hidden()

    api.services, api.deployments = [], []
    tab.get_by_role("button", name="Refresh").click()
    expect(tab.get_by_text("There is no active service")).to_be_visible()
    expect(tab.get_by_text("No deployment was recorded yet.")).to_be_visible()


@pytest.mark.parametrize(
    "page_size, following, loaded",
    [(100, [None, "100", "200"], "250"), (23, [None, *map(str, range(23, 250, 23))], "230")],
    ids=["all pages", "ten pages, then more on demand"],
)
def test_pages_of_services_are_loaded_in_their_order_and_after_ten_it_asks_before_it_loads_more(
    tab, api, page_size, following, loaded
):
    api.services = [service(f"service-{number:03}") for number in range(250)]
    api.page_size = page_size
    enter_key(tab)
    status = tab.locator("#services-status")
    more = tab.get_by_role("button", name="Load more services")
    if loaded != "250":
        expect(status).to_have_text(f"the first {loaded} services")
        expect(tab.locator("#answer")).to_contain_text("Nothing is wrong so far")
        more.click()
    expect(status).to_have_text("250 services")
    expect(names(tab)).to_have_text([f"service-{number:03}" for number in range(250)])
    assert [query.get("next") for query in api.queries("list")] == following
    expect(more).to_be_hidden()


def test_older_deployments_come_on_demand_and_stay_when_it_is_refreshed(tab, api):
    api.deployments = [deployment(f"r{number}", f"service-{number:03}") for number in range(120)]
    enter_key(tab)
    for shown in (50, 100, 120):
        expect(names(tab, "deployments")).to_have_count(shown)
        if shown < 120:
            tab.get_by_role("button", name="Load older deployments").click()
    with tab.expect_response("**/deployments?*next=100*"):
        tab.get_by_role("button", name="Refresh").click()
    expect(names(tab, "deployments")).to_have_text(
        [f"service-{number:03}" for number in range(120)]
    )
    following = [query.get("next") for query in api.queries("deployments")]
    assert following == [None, "50", "100"] * 2

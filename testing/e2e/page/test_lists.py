"""What the page shows of services and deployments, and how it is filtered, paged and refreshed."""

import pytest

from e2e.page.browser import enter_key, expect
from e2e.page.samples import deployment, service


def row(tab, name, table="services"):
    """The row of a service in one of the two tables."""
    return (
        tab.locator(f"#{table}")
        .get_by_role("row")
        .filter(has=tab.get_by_role("rowheader", name=name))
    )


SHOWN = [
    *("services orders shop", "services orders FARGATE", "services orders orders:7"),
    *("services orders 2 of 2 running", "services orders Completed"),
    *("services orders shop/orders:2.0.1", "services orders envoy/envoy:v1.33"),
    *("services orders proxy", "services mail FARGATE, FARGATE_SPOT", "services reports Failed"),
    *("deployments reports Rolled back", "deployments reports tasks failed to start (exit code 1)"),
    *("deployments reports shop/reports:1.4.2", "deployments reports was 1.4.1"),
    *("deployments mail Rollback", "deployments checkout In progress"),
    "deployments search Timed out",
]
"""Table, row and what is in it."""


def test_rows_show_counts_images_rollouts_tags_changes_verdicts_causes_and_times(lists):
    for shown in SHOWN:
        table, name, text = shown.split(maxsplit=2)
        expect(row(lists, name, table)).to_contain_text(text)
    tags = ["environment production", "owner platform", "contact platform@example.com"]
    expect(row(lists, "orders").get_by_role("listitem")).to_have_text(tags)
    begun = row(lists, "reports", "deployments").locator("time")
    expect(begun).to_have_text("26 Nov 2026, 14:02:11")  # Berlin is an hour ahead.
    expect(begun).to_have_attribute("title", "2026-11-26T13:02:11.123Z")


def test_a_running_update_is_marked_in_words_and_its_end_is_shown_on_refresh(lists, api):
    checkout = row(lists, "checkout")
    expect(checkout).to_contain_text("In progress")
    expect(checkout).to_contain_text("1 of 2 running1 pending")
    expect(checkout).to_have_class("moving")
    expect(row(lists, "search")).to_contain_text("Not steady")
    expect(lists.locator("#services").get_by_role("status")).to_have_text(
        "5 services, 2 updating, 1 failed"
    )

    api.services[0] = service("checkout")
    api.deployments[0] = deployment("req-5", "checkout")
    lists.get_by_role("button", name="Refresh").click()
    expect(checkout).to_contain_text("Completed")
    expect(checkout).not_to_have_class("moving")
    expect(row(lists, "checkout", "deployments")).to_contain_text("Succeeded")
    expect(lists.locator("#services").get_by_role("status")).to_have_text(
        "5 services, 1 updating, 1 failed"
    )


def test_the_pages_own_filters_apply_at_once_and_without_a_request(lists, api):
    before = len(api.requested)
    names = lists.locator("#services-rows th > bdi")
    for typed, shown in (
        ("CHECK", ["checkout"]),
        ("office", ["mail", "reports"]),
        ("envoy:v1.33", ["orders"]),
        ("no such thing", []),
    ):
        lists.get_by_label("Name or image contains").fill(typed)
        expect(names).to_have_text(shown)
        status = lists.locator("#services").get_by_role("status")
        expect(status).to_contain_text(f"{len(shown)} of 5 services")
    expect(lists.get_by_text("Nothing that was loaded matches the filters.")).to_have_count(2)
    lists.get_by_label("Name or image contains").fill("")
    lists.get_by_label("Only what is updating").check()
    expect(names).to_have_text(["checkout", "search"])
    expect(lists.locator("#deployments-rows th > bdi")).to_have_text(["checkout"])
    assert len(api.requested) == before


def test_tags_and_launch_type_are_the_servers_filters(lists, api):
    api.services.append(service("batch", launchType="EC2", tags={"environment": "staging"}))
    lists.get_by_label("Launch type").select_option("All")
    expect(row(lists, "batch")).to_be_visible()
    lists.get_by_label("Tag environment").fill("staging")
    lists.get_by_label("Tag environment").press("Enter")
    expect(lists.locator("#services-rows th > bdi")).to_have_text(["batch"])
    *_, before, query = api.queries("list")  # Enter has loaded once.
    assert "environment" not in before
    assert query == {"environment": "staging", "launch_type": "ALL", "images": "1", "limit": "100"}
    lists.get_by_label("Tag environment").fill("nowhere")
    lists.get_by_role("button", name="Refresh").click()
    expect(
        lists.get_by_text("There is no active service with this launch type and these tags.")
    ).to_be_visible()


def test_while_it_loads_it_says_so_and_that_nothing_is_there_too(tab, api):
    api.gate.clear()
    enter_key(tab)
    expect(tab.locator("#services")).to_have_attribute("aria-busy", "true")
    expect(tab.locator("#services-empty")).to_have_text("Loading…")
    api.gate.set()
    expect(tab.locator("#services")).to_have_attribute("aria-busy", "false")
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
    status = tab.locator("#services").get_by_role("status")
    more = tab.get_by_role("button", name="Load more services")
    if loaded != "250":
        expect(status).to_have_text(f"{loaded} services so far, none updating")
        more.click()
    expect(status).to_have_text("250 services, none updating")
    names = [f"service-{number:03}" for number in range(250)]
    expect(tab.locator("#services-rows th > bdi")).to_have_text(names)
    assert [query.get("next") for query in api.queries("list")] == following
    expect(more).to_be_hidden()


def test_older_deployments_come_on_demand(tab, api):
    api.deployments = [deployment(f"r{number}", f"service-{number:02}") for number in range(45)]
    enter_key(tab)
    names = tab.locator("#deployments-rows th > bdi")
    for shown in (20, 40, 45):
        expect(names).to_have_count(shown)
        if shown < 45:
            tab.get_by_role("button", name="Load older deployments").click()
    expect(names).to_have_text([f"service-{number:02}" for number in range(45)])
    assert [query.get("next") for query in api.queries("deployments")] == [None, "20", "40"]


def test_details_of_a_deployment_are_read_when_they_are_opened_and_said_to_be_gone(lists, api):
    row(lists, "reports", "deployments").get_by_role("button", name="Details").click()
    dialog = lists.get_by_role("dialog", name="reports in office")
    for text in (
        "RolloutRolledBackError",
        "reports:6 → reports:7",
        "ecs-svc/1234567890123456789",
        "req-3",
        "none → 2026-11",
    ):
        expect(dialog).to_contain_text(text)
    assert len(api.queries("deployments/{id}")) == 1
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()

    row(lists, "orders", "deployments").get_by_role("button", name="Details").click()
    lists.get_by_text("Recorded answer").click()
    expect(lists.get_by_role("dialog").locator("pre")).to_contain_text('"changed": true')
    lists.keyboard.press("Escape")

    api.deployments = []
    row(lists, "mail", "deployments").get_by_role("button", name="Details").click()
    error = "404 DeploymentNotFoundError: there is no such deployment"
    expect(lists.get_by_role("dialog").get_by_role("alert")).to_contain_text(error)


def test_many_tags_are_there_on_demand_and_a_refresh_that_changes_nothing_leaves_them_open(
    lists, api
):
    search = row(lists, "search")
    expect(search.get_by_text("unit 8")).to_be_hidden()
    search.get_by_text("7 more tags").click()
    with lists.expect_response("**/list?*"):
        lists.get_by_role("button", name="Refresh").click()
    expect(lists.locator("#services")).to_have_attribute("aria-busy", "false")
    assert len(api.queries("list")) == 2
    expect(search.get_by_text("unit 8")).to_be_visible()

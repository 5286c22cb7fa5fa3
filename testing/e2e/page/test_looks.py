"""The page for every reader: narrow and wide, light and dark, with a screen reader.

Screenshots are made to be looked at.
"""

import os
import re
from pathlib import Path

import pytest

from e2e.page.browser import (
    enter_key,
    expect,
    has_no_sideways_scroll,
    violations,
)
from e2e.page.samples import A_FEW_SERVICES, deployment, service

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
LAPTOP = {"viewport": {"width": 1280, "height": 900}}
LONG = service(
    "x" * 255,
    "c" * 255,
    images={"a" * 255: f"{'r' * 255}@sha256:{'0' * 64}"},
    tags={"k" * 128: "v" * 256},
)


@pytest.fixture(name="screenshots", scope="session")
def _screenshots(tmp_path_factory):
    """Where the pictures go: below BUILD_DIR, which scripts set, else where pytest keeps its
    files.
    """
    build = os.environ.get("BUILD_DIR")
    directory = (
        Path(build, "page-screenshots") if build else tmp_path_factory.mktemp("page-screenshots")
    )
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture(name="show")
def _show(open_lists, api):
    """Opens the lists without motion. The keywords are the browser's."""
    return lambda **options: open_lists(api, reduced_motion="reduce", **options)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name, device", [("laptop", LAPTOP), ("phone", PHONE)])
def test_it_is_accessible_in_both_schemes_on_both_screens(show, screenshots, name, device, scheme):
    tab = show(color_scheme=scheme, **device)
    tab.screenshot(path=screenshots / f"{name}-{scheme}.png", full_page=True)
    assert violations(tab) == []
    tab.get_by_role("button", name="Details of reports").click()
    expect(tab.locator("dialog h3").first).to_be_visible()
    tab.screenshot(path=screenshots / f"{name}-{scheme}-details.png")
    assert violations(tab) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("auth", ["iam", "key"])
def test_its_first_sight_and_errors_are_accessible(new_tab, api, screenshots, scheme, auth):
    api.auth = auth
    tab = new_tab(api, color_scheme=scheme, **PHONE)
    tab.goto(api.url)
    expect(tab.locator("h2:visible")).to_have_count(1)
    tab.screenshot(path=screenshots / f"first-{auth}-{scheme}.png")
    assert violations(tab) == []
    assert has_no_sideways_scroll(tab)
    if auth == "key":
        api.instead["list"] = 500, {}, {"errorType": "InternalError", "errorMessage": "x" * 300}
        enter_key(tab)
        expect(tab.locator("#services").get_by_role("alert")).to_contain_text("InternalError")
        assert violations(tab) == []


@pytest.mark.parametrize("width", [320, 360, 600, 841, 1280])
def test_no_width_and_no_name_makes_the_page_scroll_sideways(show, api, screenshots, width):
    update = deployment("i" * 128, "x" * 255, "c" * 255, cause="w" * 300)
    api.services, api.deployments = [LONG, *A_FEW_SERVICES], [update]
    tab = show(viewport={"width": width, "height": 740})
    expect(tab.locator("#services-rows tr")).to_have_count(6)
    tab.screenshot(path=screenshots / f"long-{width}.png", full_page=True)
    assert has_no_sideways_scroll(tab)
    tab.get_by_role("button", name="Details").click()
    expect(tab.locator("dialog h3").first).to_be_visible()
    assert has_no_sideways_scroll(tab)
    assert tab.evaluate(
        "((dialog) => dialog.scrollWidth <= dialog.clientWidth)(document.querySelector('dialog'))"
    )


def test_two_hundred_services_are_shown_and_nothing_is(show, api, screenshots):
    api.services = [
        service(f"service-{number:03}", f"cluster-{number % 7}") for number in range(200)
    ]
    tab = show(**LAPTOP)
    expect(tab.locator("#services-rows tr")).to_have_count(200)
    tab.screenshot(path=screenshots / "many.png")
    api.services, api.deployments = [], []
    tab = show(**LAPTOP)
    tab.screenshot(path=screenshots / "none.png")
    expect(tab.locator("#services-rows tr")).to_have_count(0)


def test_a_screen_reader_finds_its_way_and_on_a_phone_a_card_is_still_a_row_of_a_table(show):
    tab = show(**PHONE)
    table = tab.get_by_role("table", name="Services with their tasks")
    expect(table.get_by_role("columnheader")).to_have_text(
        ["Service", "Cluster", "Tasks", "Rollout", "Images", "Tags"]
    )
    checkout = table.get_by_role("row").filter(has=tab.get_by_role("rowheader", name="checkout"))
    expect(checkout.get_by_role("cell")).to_have_count(5)
    label = checkout.get_by_role("cell").first.evaluate(
        "(cell) => getComputedStyle(cell, '::before').content"
    )
    assert label.startswith('"Cluster"')
    tree = show(**LAPTOP).locator("body").aria_snapshot()
    landmarks = [
        "banner",
        "main",
        'search "Filters and refresh"',
        'region "Services"',
        'region "Last deployments"',
    ]
    assert [landmark for landmark in landmarks if f"- {landmark}" not in tree] == []
    headings = re.findall(r'- heading "(.*)" \[level=(\d)\]', tree)
    assert headings == [("ecs-updater", "1"), ("Services", "2"), ("Last deployments", "2")]
    expect(tab.locator("#services").get_by_role("status")).to_have_text(
        "5 services, 2 updating, 1 failed"
    )


def test_motion_is_only_where_the_reader_has_not_asked_for_less(open_lists, api):
    for wish, name in (("reduce", "none"), ("no-preference", "turn")):
        tab = open_lists(api, reduced_motion=wish)
        mark = tab.locator("#services-rows .badge.moving svg").first
        assert mark.evaluate("(svg) => getComputedStyle(svg).animationName") == name

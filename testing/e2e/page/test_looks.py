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
from e2e.page.samples import A_FEW_DEPLOYMENTS, A_FEW_SERVICES, deployment, service

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
TABLET = {"viewport": {"width": 768, "height": 1024}}
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
LONG = service(
    "x" * 255,
    "c" * 255,
    images={"a" * 255: f"{'r' * 255}@sha256:{'0' * 64}"},
    tags={"k" * 128: "v" * 256},
)
LONG_UPDATE = deployment("i" * 128, "x" * 255, "c" * 255, cause="w" * 300, batch="b" * 128)
HEIGHTS = """[...document.querySelectorAll("tbody tr")].map((row) => row.getBoundingClientRect().height)"""
OVERLAPS = """[...document.querySelectorAll("tbody tr, #counts > div, header")].flatMap((whole) => {
  const boxes = [...whole.children].map((part) => part.getBoundingClientRect()).filter((box) => box.width);
  const areOver = (one, other) => one.left < other.right - 1 && other.left < one.right - 1
    && one.top < other.bottom - 1 && other.top < one.bottom - 1;
  return boxes.some((one, index) => boxes.slice(index + 1).some((other) => areOver(one, other)))
    ? [whole.textContent] : [];
})"""


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
@pytest.mark.parametrize(
    "name, device", [("desktop", DESKTOP), ("tablet", TABLET), ("phone", PHONE)]
)
def test_it_is_accessible_in_both_schemes_on_all_screens(show, screenshots, name, device, scheme):
    tab = show(color_scheme=scheme, **device)
    tab.screenshot(path=screenshots / f"{name}-{scheme}.png", full_page=True)
    assert violations(tab) == []
    tab.locator("#deployments").get_by_role("link", name="reports").click()
    expect(tab.locator("dialog h3").first).to_be_visible()
    tab.screenshot(path=screenshots / f"{name}-{scheme}-details.png")
    assert violations(tab) == []
    tab.get_by_role("button", name="Close").click()
    if name == "phone":
        tab.get_by_role("button", name="Filters").click()
    tab.get_by_role("searchbox").fill("nothing")
    tab.screenshot(path=screenshots / f"{name}-{scheme}-empty.png")
    assert violations(tab) == []


@pytest.mark.parametrize("width", [320, 390, 768, 1200, 1440])
def test_a_row_is_no_higher_than_44_pixels_and_nothing_is_laid_over_its_neighbour(show, api, width):
    api.services, api.deployments = [LONG, *A_FEW_SERVICES], [LONG_UPDATE, *A_FEW_DEPLOYMENTS]
    tab = show(viewport={"width": width, "height": 800})
    assert max(tab.evaluate(HEIGHTS)) <= 44
    assert tab.evaluate(OVERLAPS) == []
    deployments, services = (
        tab.locator(f"#{name}").bounding_box() for name in ("deployments", "services")
    )
    is_beside = services["y"] == deployments["y"] and services["x"] > deployments["x"]
    assert is_beside == (width >= 1200)


def test_on_a_phone_the_filters_are_folded_and_say_how_many_apply(show):
    tab = show(**PHONE)
    toggle, field = tab.locator("#toggle"), tab.get_by_role("searchbox")
    expect(toggle).to_have_attribute("aria-expanded", "false")
    expect(field).to_be_hidden()
    toggle.click()
    expect(toggle).to_have_attribute("aria-expanded", "true")
    field.fill("mail")
    expect(toggle).to_have_text("Filters (1)")


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
        expect(tab.locator("#answer")).to_have_text("Not everything could be loaded")
        assert violations(tab) == []


@pytest.mark.parametrize("width", [320, 390, 600, 841, 1280])
def test_no_width_and_no_name_makes_the_page_scroll_sideways(show, api, screenshots, width):
    api.services, api.deployments = [LONG, *A_FEW_SERVICES], [LONG_UPDATE]
    tab = show(viewport={"width": width, "height": 740})
    expect(tab.locator("#services-rows tr")).to_have_count(6)
    tab.screenshot(path=screenshots / f"long-{width}.png", full_page=True)
    assert has_no_sideways_scroll(tab)
    tab.locator("#deployments").get_by_role("link").click()
    expect(tab.locator("dialog h3").first).to_be_visible()
    assert has_no_sideways_scroll(tab)
    assert tab.evaluate(
        "((dialog) => dialog.scrollWidth <= dialog.clientWidth)(document.querySelector('dialog'))"
    )


def test_two_hundred_services_are_shown_and_nothing_is(show, api, screenshots):
    api.services = [
        service(f"service-{number:03}", f"cluster-{number % 7}") for number in range(200)
    ]
    tab = show(**DESKTOP)
    expect(tab.locator("#services-rows tr")).to_have_count(200)
    tab.screenshot(path=screenshots / "many.png")
    api.services, api.deployments = [], []
    tab = show(**DESKTOP)
    tab.screenshot(path=screenshots / "none.png")
    expect(tab.locator("#services-rows tr")).to_have_count(0)


def test_a_screen_reader_finds_its_way_and_on_a_phone_a_card_is_still_a_row_of_a_table(show):
    tab = show(**PHONE)
    table = tab.get_by_role("table", name="Services with their state")
    expect(table.get_by_role("columnheader")).to_have_text(
        ["State", "Service", "Tasks", "Image and tags"]
    )
    checkout = table.get_by_role("row").filter(has=tab.get_by_role("rowheader", name="checkout"))
    expect(checkout.get_by_role("cell")).to_have_count(3)
    tree = show(**DESKTOP).locator("body").aria_snapshot()
    landmarks = [
        "banner",
        "main",
        'search "Filters"',
        'group "Deployments by outcome"',
        'region "Services"',
        'region "Deployments"',
    ]
    assert [landmark for landmark in landmarks if f"- {landmark}" not in tree] == []
    headings = re.findall(r'- heading "(.*)" \[level=(\d)\]', tree)
    assert headings == [("ecs-updater", "1"), ("Deployments", "2"), ("Services", "2")]
    expect(tab.locator("header").get_by_role("status")).to_have_text("2 services need attention")


def test_motion_is_only_where_the_reader_has_not_asked_for_less(open_lists, api):
    for wish, name in (("reduce", "none"), ("no-preference", "turn")):
        tab = open_lists(api, reduced_motion=wish)
        mark = tab.locator("#services-rows .badge.moving svg").first
        assert mark.evaluate("(svg) => getComputedStyle(svg).animationName") == name

"""The page for every reader: narrow and wide, light and dark, with a screen reader.

Screenshots are made to be looked at.
"""

import re

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
PROBLEMS = """() => {
  const high = [...document.querySelectorAll("tbody tr")].filter((row) => row.offsetHeight > 44);
  const areOver = (one, other) => one.left < other.right - 1 && other.left < one.right - 1
    && one.top < other.bottom - 1 && other.top < one.bottom - 1;
  const mixed = [...document.querySelectorAll("tbody tr, #counts > div, header")].filter((all) => {
    const parts = [...all.children].map((part) => part.getBoundingClientRect());
    const boxes = parts.filter((box) => box.width);
    return boxes.some((one, at) => boxes.slice(at + 1).some((other) => areOver(one, other)));
  });
  return [high, mixed].map((all) => all.map((each) => each.textContent));
}"""
"""Rows that are higher than 44 pixels, and elements whose parts lie over each other."""
BESIDE = """() => {
  const [one, other] = ["deployments", "services"].map((id) =>
    document.getElementById(id).getBoundingClientRect());
  return other.top === one.top && other.left > one.right;
}"""


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
        expect(tab.get_by_role("searchbox")).to_be_hidden()
        tab.get_by_role("button", name="Filters", expanded=False).click()
    tab.get_by_role("searchbox").fill("nothing")
    expect(tab.locator("#toggle")).to_have_text("Filters (1)")
    tab.screenshot(path=screenshots / f"{name}-{scheme}-empty.png")
    assert violations(tab) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("auth", ["iam", "jwt", "key"])
def test_its_first_sight_and_errors_are_accessible(new_tab, api, screenshots, scheme, auth):
    api.auth = auth
    tab = new_tab(api, color_scheme=scheme, **PHONE)
    expect(tab.locator("h2:visible")).to_have_count(1)
    tab.screenshot(path=screenshots / f"first-{auth}-{scheme}.png")
    assert violations(tab) == []
    assert has_no_sideways_scroll(tab)
    if auth == "key":
        api.instead["list"] = 500, {}, {"errorType": "InternalError", "errorMessage": "x" * 300}
        enter_key(tab)
        expect(tab.locator("#services").get_by_role("alert")).to_contain_text("InternalError")
        expect(tab.locator("#answer")).to_have_text("Not everything could be loaded")
        expect(tab.locator("#services-empty")).to_have_text("Nothing could be loaded.")
        assert violations(tab) == []


@pytest.mark.parametrize("width", [320, 390, 600, 768, 1200, 1440])
def test_no_width_and_no_name_breaks_the_rows_or_makes_the_page_scroll_sideways(
    show, api, screenshots, width
):
    api.services, api.deployments = [LONG, *A_FEW_SERVICES], [LONG_UPDATE, *A_FEW_DEPLOYMENTS]
    tab = show(viewport={"width": width, "height": 740})
    tab.screenshot(path=screenshots / f"long-{width}.png", full_page=True)
    assert tab.evaluate(PROBLEMS) == [[], []]
    assert tab.evaluate(BESIDE) == (width >= 1200)
    assert has_no_sideways_scroll(tab)
    tab.locator("#deployments").get_by_role("link").first.click()
    expect(tab.locator("dialog h3").first).to_be_visible()
    assert has_no_sideways_scroll(tab)
    assert tab.evaluate(
        "((dialog) => dialog.scrollWidth <= dialog.clientWidth)(document.querySelector('dialog'))"
    )


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

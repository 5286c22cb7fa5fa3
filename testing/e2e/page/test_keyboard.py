"""Everything works with only the keyboard, in the order of the page. The focus is never lost."""

from e2e.page.browser import enter_key, expect
from e2e.page.samples import deployment
from fakes.scripted_api import KEY

FOCUSED = """() => {
  const element = document.activeElement;
  const label = element.labels?.[0]?.cloneNode(true);
  label?.querySelector("select, input")?.remove();
  return element.getAttribute("aria-label") ?? (label ?? element).textContent.trim();
}"""


def tabs_to(tab, count):
    """Where so many presses of Tab lead: the names of what then has the focus, and shows it."""
    names = []
    for _ in range(count):
        tab.keyboard.press("Tab")
        names.append(tab.evaluate(FOCUSED))
        outline = tab.evaluate("getComputedStyle(document.activeElement).outline")
        assert outline.endswith(" solid 2px"), names
    return names


def test_the_order_of_the_focus_is_the_order_on_the_page_and_the_focus_is_visible(lists):
    lists.reload()
    expect(lists.locator("#deployments-rows th")).to_have_count(7)
    names = tabs_to(lists, 20)
    assert names[:3] == ["Skip to the deployments", "Skip to the services", "Forget key"]
    assert names[3:7] == ["Automatic refresh", "Refresh", "7 Deployments", "1 In progress"]
    assert names[11:14] == ["5 Services", "2 Need attention", "Search"]
    fields = ["Tag environment", "Tag owner", "Tag contact", "Launch type"]
    assert names[14:] == [*fields, "checkout", "orders"]


def test_the_skip_link_leads_past_the_deployments(lists):
    lists.get_by_role("link", name="Skip to the services").focus()
    lists.keyboard.press("Enter")
    expect(lists.locator("#services")).to_be_focused()
    assert tabs_to(lists, 1) == ["search"]


def refresh(lists, api, count):
    """Loads the lists as an automatic refresh does, with one more deployment."""
    api.deployments.insert(0, deployment(f"req-{count}", "newest"))
    lists.evaluate("document.getElementById('filters').requestSubmit()")
    expect(lists.locator("#deployments-rows th")).to_have_count(count)


def test_details_open_and_close_by_key_and_give_the_focus_back_which_a_refresh_leaves(lists, api):
    button = lists.locator("#deployments").get_by_role("link", name="reports")
    button.focus()
    lists.keyboard.press("Enter")
    dialog = lists.get_by_role("dialog")
    expect(dialog).to_contain_text("RolloutRolledBackError")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    refresh(lists, api, count=8)
    lists.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    refresh(lists, api, count=9)
    expect(button).to_be_focused()


def test_details_that_are_opened_again_at_once_are_loaded(lists):
    lists.locator("#deployments").get_by_role("link", name="checkout").click()
    dialog = lists.get_by_role("dialog")
    expect(dialog.get_by_role("heading").first).to_have_text("checkout in shop")
    # In one task: the first dialog's event comes when the second one is open.
    lists.evaluate(
        "document.getElementById('details').close(); "
        "document.querySelector('[href=\"#/deployments/req-3\"]').click()"
    )
    expect(dialog).to_contain_text("RolloutRolledBackError")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()


def test_loading_the_last_page_does_not_lose_the_focus(tab, api):
    api.deployments = [deployment(f"r{number}", "orders") for number in range(51)]
    enter_key(tab)
    tab.get_by_role("button", name="Load older deployments").focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#deployments-rows th")).to_have_count(51)
    expect(tab.locator("#deployments")).to_be_focused()


def test_key_and_filters_are_entered_and_sent_without_a_mouse(tab):
    tab.keyboard.type(KEY)  # The field has the focus from the beginning.
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("rowheader", name="checkout").first).to_be_visible()
    expect(tab.locator("#deployments")).to_be_focused()

    tab.get_by_role("searchbox").focus()
    tab.keyboard.type("mail")
    expect(tab.locator("#services-rows th a")).to_have_text(["mail"])
    for _ in range(4):
        tab.keyboard.press("Tab")
    # Whichever of the two keys sends it: a choice is a change, and Enter sends what is chosen.
    with tab.expect_request("**/list?*launch_type=MANAGED_INSTANCES*"):
        tab.keyboard.press("End")
        tab.keyboard.press("Enter")

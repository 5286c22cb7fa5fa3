"""How the page loads, and where it keeps the key."""

import re

from e2e.page.browser import enter_key, expect
from e2e.page.samples import A_FEW_SERVICES
from fakes.scripted_api import FORBIDDEN, KEY, UNAUTHORIZED, ScriptedApi

STORED = "[Object.values(sessionStorage), Object.keys(localStorage), document.cookie]"


DECODED_ICON = """async () => {
  const icon = new Image();
  icon.src = document.querySelector("link[rel=icon]").href;
  await icon.decode();
  return icon.naturalWidth;
}"""


def test_it_loads_with_its_icon_under_its_policy_and_asks_nothing_before_it_has_a_key(tab, api):
    assert "default-src 'none'" in tab.reload().headers["content-security-policy"]
    expect(
        tab.get_by_role("heading", name="Is something wrong with the ECS services?")
    ).to_be_visible()
    expect(tab.get_by_label("Key of this API")).to_be_focused()
    expect(tab.get_by_role("table")).to_have_count(0)
    assert tab.evaluate(DECODED_ICON) > 0
    assert api.headers == []


def test_the_policy_would_stop_what_is_not_the_pages_own(browser, api):
    """Not by way of new_tab, which takes every violation for a defect: here it is the proof."""
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(api.url)
    outcome = tab.evaluate(
        """async () => {
          const stopped = [];
          let ran = "markup refused";
          await new Promise((done) => {
            addEventListener(
              "securitypolicyviolation",
              (event) => stopped.push(event.effectiveDirective) === 3 && done(),
            );
            try { document.body.innerHTML = "<img>"; ran = "markup taken"; } catch {}
            new Image().src = "http://127.0.0.1:9/image.png";
            fetch("http://127.0.0.1:9/").catch(() => {});
          });
          return [ran, stopped.sort()];
        }"""
    )
    context.close()
    assert outcome == ["markup refused", ["connect-src", "img-src", "require-trusted-types-for"]]


def test_the_key_is_kept_for_the_tab_sent_in_its_header_and_nowhere_else(lists, api):
    assert lists.evaluate(STORED) == [[KEY], [], ""]
    assert KEY not in lists.url
    lists.reload()
    expect(lists.get_by_role("rowheader", name="checkout").first).to_be_visible()

    other = lists.context.new_page()
    other.goto(api.url)
    expect(other.get_by_label("Key of this API")).to_have_value("")
    expect(other.get_by_role("table")).to_have_count(0)
    assert other.evaluate(STORED) == [[], [], ""]
    assert {headers["x-api-key"] for headers in api.headers} == {KEY}
    assert all("cookie" not in headers and "referer" not in headers for headers in api.headers)
    assert not [query for _, query in api.requested if KEY in query.values()]


def test_forgetting_the_key_removes_it_and_all_that_was_read(lists):
    lists.get_by_role("button", name="Forget key").click()
    expect(lists.get_by_label("Key of this API")).to_be_focused()
    assert lists.evaluate(STORED) == [[], [], ""]
    assert "checkout" not in lists.locator("body").inner_html()
    lists.reload()
    expect(lists.get_by_role("table")).to_have_count(0)


def test_a_wrong_key_is_said_and_not_kept_and_spaces_around_the_right_one_do_not_count(tab, api):
    enter_key(tab, "ключ")
    expect(tab.get_by_role("alert").filter(has_text="letters of ASCII only")).to_be_visible()
    assert api.headers == []
    enter_key(tab, "wrong")
    expect(tab.get_by_role("alert").filter(has_text="does not accept this key")).to_contain_text(
        FORBIDDEN[2]["errorMessage"]
    )
    expect(tab.get_by_label("Key of this API")).to_be_focused()
    assert tab.evaluate(STORED) == [[], [], ""]
    enter_key(tab, f"  {KEY} ")
    expect(tab.get_by_role("rowheader", name="checkout").first).to_be_visible()


def test_with_jwt_it_asks_for_a_token_and_sends_it_in_its_header_only(new_tab):
    with ScriptedApi(auth="jwt") as api:
        api.services = list(A_FEW_SERVICES)
        tab = new_tab(api)
        field = tab.get_by_label("Bearer token for this API")
        expect(field).to_be_focused()
        expect(tab.locator("#key-help")).to_contain_text("Your issuer of tokens gives it.")
        expect(tab.locator("#key-help")).to_contain_text("forget the token here")
        field.fill("expired")
        tab.get_by_role("button", name="Show services").click()
        expect(tab.get_by_role("alert").filter(has_text="accept this token")).to_contain_text(
            UNAUTHORIZED[2]["errorMessage"]
        )
        field.fill(KEY)
        tab.get_by_role("button", name="Show services").click()
        expect(tab.get_by_role("rowheader", name="checkout").first).to_be_visible()
        assert api.headers and not [sent for sent in api.headers if "x-api-key" in sent]
        tab.get_by_role("button", name="Forget token").click()
        assert tab.evaluate(STORED) == [[], [], ""]


def test_with_iam_it_says_what_to_use_and_asks_nothing(new_tab):
    with ScriptedApi(auth="iam") as api:
        tab = new_tab(api)
        expect(tab.get_by_role("heading", name="signed requests only")).to_be_visible()
        expect(tab.locator("pre")).to_contain_text(f'curl "{api.url}/list"')
        expect(tab.locator("pre")).to_contain_text(re.compile("--aws-sigv4"))
        expect(tab.get_by_label("Key of this API")).to_be_hidden()
        assert not api.headers

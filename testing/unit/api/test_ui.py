"""The page's document: its policy, no other file, and its two values in their place."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from ecs_updater.api import ui

DOCUMENT, HEADERS = ui.document(("environment", "owner", "contact"), "key")


class _Elements(HTMLParser):
    """Every element with its attributes, and what is in the style and the script."""

    def __init__(self, document):
        super().__init__()
        self.found, self.texts, self.open = [], {"style": [], "script": []}, None
        self.feed(document)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.open = tag

    def handle_endtag(self, tag):
        self.open = None

    def handle_data(self, data):
        if self.open in self.texts:
            self.texts[self.open].append(data)


ELEMENTS = _Elements(DOCUMENT)
SCRIPT = "".join(ELEMENTS.texts["script"])
POLICY = dict(
    directive.split(" ", 1) for directive in HEADERS["Content-Security-Policy"].split("; ")
)


@pytest.mark.parametrize("kind", ["style", "script"])
def test_the_policys_hash_is_of_exactly_the_inline_text(kind):
    assert [name for name, _ in ELEMENTS.found].count(kind) == 1
    text = "".join(ELEMENTS.texts[kind])
    assert text in DOCUMENT and len(text) > 1000
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert POLICY[f"{kind}-src"] == f"'sha256-{digest}'"


def test_the_policy_allows_nothing_but_style_script_icon_and_the_api():
    assert {
        name: value for name, value in POLICY.items() if name not in ("style-src", "script-src")
    } == {
        "default-src": "'none'",
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


def test_nothing_in_it_comes_from_elsewhere():
    # A name, not an address to read.
    assert set(re.findall(r"\w+://[\w./-]+", DOCUMENT)) <= {"http://www.w3.org/2000/svg"}
    links = [
        value
        for _, attributes in ELEMENTS.found
        for name, value in attributes.items()
        if name in ("href", "src", "action")
    ]
    assert [link for link in links if not link.startswith(("#", "data:image/svg+xml,"))] == []
    assert not re.search(r"@import|url\(", DOCUMENT)


def test_there_are_no_inline_handlers_and_no_inline_styles():
    attributes = {name for _, attributes in ELEMENTS.found for name in attributes}
    assert [name for name in attributes if name.startswith("on") or name == "style"] == []


def test_the_script_makes_no_markup_and_no_code_from_text():
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser",
        SCRIPT,
    )
    assert "</script" not in SCRIPT.lower() and "<!--" not in SCRIPT


def test_the_script_keeps_the_key_for_the_tab_only():
    assert "sessionStorage" in SCRIPT
    assert not re.search(r"localStorage|indexedDB|cookie|caches\b|console\.(?!a)", SCRIPT)


@pytest.mark.parametrize("auth", ["key", "iam", '"><script>alert(1)</script>'])
def test_values_stay_in_their_attributes(auth):
    keys = (
        '"><script>alert(1)</script>',
        "it's",
        "a&amp;b",
        "{auth}",
        "{approvals}",
        "/*script*/",
        "مرحبا",
        "\u2028",
    )
    document, headers = ui.document(keys, auth, has_approvals=True)
    elements = _Elements(document)
    assert [name for name, _ in elements.found] == [name for name, _ in ELEMENTS.found]
    body = next(attributes for name, attributes in elements.found if name == "body")
    assert set(body) == {"data-auth", "data-approvals", "data-tag-filters"}
    assert (body["data-auth"], body["data-approvals"]) == (auth, "on")
    assert tuple(ui.json.loads(body["data-tag-filters"])) == keys
    assert headers == HEADERS  # The policy does not depend on them.

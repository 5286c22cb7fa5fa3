"""The page's document as it leaves the function: its policy fits it, it stands alone, and its two
values stay in their place.
"""

import base64
import hashlib
import re
from html.parser import HTMLParser
from importlib import resources

import pytest

from ecs_updater.api import ui

TAG_FILTERS = ("environment", "owner", "contact")
MOST_BYTES = 30_000
DOCUMENT, HEADERS = ui.document(TAG_FILTERS, "key")


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
IDS = [attributes["id"] for _, attributes in ELEMENTS.found if "id" in attributes]
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


def test_the_headers_keep_it_out_of_caches_and_its_address_to_itself():
    assert HEADERS["Content-Type"] == "text/html; charset=utf-8"
    assert HEADERS["Cache-Control"] == "no-store"
    assert HEADERS["Referrer-Policy"] == "no-referrer"
    assert HEADERS["X-Content-Type-Options"] == "nosniff"


def test_the_headers_of_one_answer_are_not_those_of_the_next():
    ui.document(TAG_FILTERS, "key")[1].clear()
    assert ui.document(TAG_FILTERS, "key")[1] == HEADERS


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
    assert not re.search(r"localStorage|indexedDB|cookie|caches\b|console\.", SCRIPT)


@pytest.mark.parametrize("auth", ["key", "iam", '"><script>alert(1)</script>'])
def test_values_stay_in_their_attributes(auth):
    keys = (
        '"><script>alert(1)</script>',
        "it's",
        "a&amp;b",
        "{auth}",
        "/*script*/",
        "مرحبا",
        "\u2028",
    )
    document, headers = ui.document(keys, auth)
    elements = _Elements(document)
    assert [name for name, _ in elements.found] == [name for name, _ in ELEMENTS.found]
    body = next(attributes for name, attributes in elements.found if name == "body")
    assert set(body) == {"data-auth", "data-tag-filters"}
    assert body["data-auth"] == auth
    assert tuple(ui.json.loads(body["data-tag-filters"])) == keys
    assert headers == HEADERS  # The policy does not depend on them.


def test_every_id_that_is_referred_to_is_there_once():
    assert sorted(set(IDS)) == sorted(IDS)
    names = re.findall(r'\$\("([\w-]+)"\)', SCRIPT)
    parts = re.findall(r'this\.part\("(\w+)"\)', SCRIPT)
    names += [f"{name}-{part}" for name in ("services", "deployments") for part in parts]
    names += re.findall(r'"([\w-]+)"', " ".join(re.findall(r"const id of \[(.*?)\]", SCRIPT)))
    for _, attributes in ELEMENTS.found:
        for name in ("for", "aria-labelledby", "aria-describedby"):
            names += attributes.get(name, "").split()
        names += [attributes["href"][1:]] if attributes.get("href", "").startswith("#") else []
    assert len(names) > 40
    assert sorted(set(names) - set(IDS)) == []


def test_every_field_has_a_label():
    labelled = {attributes.get("for") for name, attributes in ELEMENTS.found if name == "label"}
    for label in re.findall(r"<label[^>]*>.*?</label>", DOCUMENT, re.DOTALL):
        labelled |= set(re.findall(r'<(?:input|select) id="([\w-]+)"', label))
    fields = [
        attributes.get("id") for name, attributes in ELEMENTS.found if name in ("input", "select")
    ]
    assert set(fields) <= labelled and len(fields) == 5


def test_it_is_small():
    assert len(DOCUMENT.encode()) <= MOST_BYTES


def test_no_file_of_it_is_longer_than_a_person_reads_at_once():
    files = [
        file
        for file in resources.files(ui).iterdir()
        if file.name.endswith((".html", ".css", ".js"))
    ]
    assert len(files) == 7
    for file in files:
        lines = file.read_text("utf-8").splitlines()
        assert len(lines) <= 300, file.name
        assert max(map(len, lines)) <= 132, file.name


def test_comments_and_indentation_are_all_that_is_left_out():
    """No text of the sources spans lines, so that no line of one can be taken for a comment."""
    for name in ("base.js", "list.js", "rows.js", "details.js", "page.js"):
        source = resources.files(ui).joinpath(name).read_text("utf-8")
        assert all(line.count("`") % 2 == 0 for line in source.splitlines()), name
        for line in map(str.strip, source.splitlines()):
            assert line.startswith(("//", "/**")) or line in DOCUMENT

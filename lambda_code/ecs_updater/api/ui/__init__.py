"""The page for people: services and deployments in a browser. Pure: one document with its style and
script inline.

Nothing is fetched but this API's own answers, and nothing runs but this script: the document's
Content-Security-Policy names style and script by their hashes, and its Trusted Types leave no way
from text to markup. https://www.w3.org/TR/CSP3/
"""

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from functools import cache
from importlib import resources

_STYLE, _SCRIPT, _AUTH, _TAG_FILTERS = "/*style*/", "/*script*/", "{auth}", "{tag_filters}"
"""Where these go in page.html; the two of the body come in this order."""

_SCRIPTS = ("base.js", "list.js", "rows.js", "details.js", "page.js")
"""The parts of the one script, each of which uses those before it."""


def _read(name: str) -> str:
    """A file without indentation and lines of comment, which only a reader of the source needs.

    No text here spans lines.
    """
    lines = map(
        str.strip, resources.files(__package__).joinpath(name).read_text("utf-8").splitlines()
    )
    return "".join(f"{line}\n" for line in lines if line and not line.startswith(("//", "/**")))


def _source(text: str) -> str:
    """How a policy names an inline style or script of exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _parts() -> tuple[str, str, str, str]:
    """The document before, between and after its two values, and its policy.

    Read once, and only where the page is asked for.
    """
    style, script = _read("page.css"), "".join(map(_read, _SCRIPTS))
    before, _, rest = _read("page.html").replace(_STYLE, style).partition(_AUTH)
    between, _, after = rest.partition(_TAG_FILTERS)
    policy = (
        *(
            "default-src 'none'",
            f"style-src {_source(style)}",
            f"script-src {_source(script)}",
            "connect-src 'self'",
        ),
        # The one image is the tab's icon.
        *("img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"),
        *("require-trusted-types-for 'script'", "trusted-types 'none'"),
    )
    return before, between, after.replace(_SCRIPT, script), "; ".join(policy)


def document(tag_filters: Sequence[str], auth: str) -> tuple[str, dict[str, str]]:
    """The page and the headers that it needs.

    ``tag_filters``: the keys of the tags that ``/list`` filters by, in the order of their fields.
    ``auth``: ``key`` or ``iam``, how the API authorises: with ``iam`` the page says what to use
    instead of a browser.
    """
    before, between, after, policy = _parts()
    keys = html.escape(json.dumps(list(tag_filters)))
    return f"{before}{html.escape(auth)}{between}{keys}{after}", {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }

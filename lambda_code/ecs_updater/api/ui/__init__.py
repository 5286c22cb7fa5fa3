"""The page for a browser: services and deployments. One document with its style and script inline.

The page fetches only this API's responses and runs only its own script: its Content-Security-Policy
has the hashes of style and script, and its Trusted Types forbid to turn text into markup.
https://www.w3.org/TR/CSP3/
"""

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from functools import cache
from importlib import resources

from ...settings import OFF, ON

_STYLE, _SCRIPT = "/*style*/", "/*script*/"
_AUTH, _APPROVALS, _TAG_FILTERS = "{auth}", "{approvals}", "{tag_filters}"
"""Placeholders in page.html. Those of the body are in this order."""

_SCRIPTS = (
    "base.js",
    "words.js",
    "list.js",
    "targets.js",
    "deployments.js",
    "services.js",
    "details.js",
    "page.js",
)
"""Parts of the script, in their order."""


def _read(name: str) -> str:
    """Returns a file without indentation and comments. No string in it spans lines."""
    lines = map(
        str.strip, resources.files(__package__).joinpath(name).read_text("utf-8").splitlines()
    )
    return "".join(f"{line}\n" for line in lines if line and not line.startswith(("//", "/**")))


def _source(text: str) -> str:
    """Returns the policy's source for an inline style or script of this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _parts() -> tuple[Sequence[str], str]:
    """Returns the document before, between and after its values, and its policy."""
    style, script = _read("page.css"), "".join(map(_read, _SCRIPTS))
    before, _, rest = _read("page.html").replace(_STYLE, style).partition(_AUTH)
    between, _, rest = rest.partition(_APPROVALS)
    last, _, after = rest.partition(_TAG_FILTERS)
    policy = (
        *(
            "default-src 'none'",
            f"style-src {_source(style)}",
            f"script-src {_source(script)}",
            "connect-src 'self'",
        ),
        # The only image is the tab's icon.
        *("img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"),
        *("require-trusted-types-for 'script'", "trusted-types 'none'"),
    )
    return (before, between, last, after.replace(_SCRIPT, script)), "; ".join(policy)


def document(
    tag_filters: Sequence[str], auth: str, *, has_approvals: bool = False
) -> tuple[str, dict[str, str]]:
    """Returns the page and its headers.

    `tag_filters`: tag keys that `/list` filters by, in the order of their fields. `auth`: `key`,
    `iam` or `jwt`. With `iam` the page explains what to use instead of a browser.
    `has_approvals`: whether the API takes answers to hooks.
    """
    (before, between, last, after), policy = _parts()
    keys = html.escape(json.dumps(list(tag_filters)))
    approvals = ON if has_approvals else OFF
    return f"{before}{html.escape(auth)}{between}{approvals}{last}{keys}{after}", {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }

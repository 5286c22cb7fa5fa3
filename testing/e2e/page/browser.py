"""The system's browser, and what every test asks of a tab.

Only this module imports packages that only the environment `browser` has.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# pylint: disable=import-error  # pylint runs in the environment `test`, which has no browser's driver.
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

# pylint: enable=import-error
from fakes.scripted_api import KEY

__all__ = [
    *("NOW", "enter_key", "expect", "find", "has_no_sideways_scroll", "launch", "violations"),
    "wait_until_loaded",
]

NOW = "2026-11-26T13:06:00Z"
"""The time in every tab."""

_FLAGS = (
    *(
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
    ),
    *("--disable-component-update", "--disable-sync"),
)
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def find() -> str | None:
    """The program of the system's Chromium, or None: the one without a window first, which needs
    less than half of the time.
    """
    return next(
        filter(
            None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))
        ),
        None,
    )


@contextmanager
def launch(path: str) -> Iterator[Browser]:
    """The browser, running."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def enter_key(tab: Page, key: str = KEY) -> None:
    """Enters a key as a reader does."""
    tab.get_by_label("Key of this API").fill(key)
    tab.get_by_role("button", name="Show services").click()


def wait_until_loaded(tab: Page) -> None:
    """Waits until both lists show what the API has."""
    for name in ("services", "deployments"):
        expect(tab.locator(f"#{name}")).to_have_attribute("aria-busy", "false")


def has_no_sideways_scroll(tab: Page) -> bool:
    """Whether the page is no wider than its window."""
    return tab.evaluate(
        "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) <= innerWidth"
    )


def violations(tab: Page) -> list[str]:
    """What axe finds, as lines to read."""
    found: dict[str, Any] = Axe().run(tab, options=_RULES).response
    assert found["passes"], "axe looked at nothing"
    return [
        f"{each['id']}: {node['html']}" for each in found["violations"] for node in each["nodes"]
    ]

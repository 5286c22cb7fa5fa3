"""What the page's tests share: the system's browser, an API for each test, and a tab in which
nothing may go wrong unseen.
"""

import os
from pathlib import Path

import pytest

from e2e.page.browser import NOW, enter_key, expect, find, launch, wait_until_loaded
from e2e.page.samples import A_FEW_DEPLOYMENTS, A_FEW_SERVICES
from fakes.scripted_api import ScriptedApi

_ERRORS = """addEventListener(
  "securitypolicyviolation",
  (event) => console.error("CSP:", event.effectiveDirective, event.sample),
)"""
# Under load a browser takes its time, and a test that passes waits no longer for that.
expect.set_options(timeout=120_000)
_HTTP_ERROR = "Failed to load resource: "
"""How the browser's own note of an error that the test asked for begins."""


@pytest.fixture(scope="session", name="browser")
def _browser():
    """The system's Chromium, in Debian's package chromium-headless-shell or chromium.

    Without it the tests are skipped; with REQUIRE_BROWSER they fail.
    """
    path = find()
    if not path:
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(
            "there is no chromium on this machine"
        )
    with launch(path) as browser:
        yield browser


@pytest.fixture(name="api")
def _api():
    """An API with a few services and deployments."""
    with ScriptedApi() as api:
        api.services, api.deployments = list(A_FEW_SERVICES), list(A_FEW_DEPLOYMENTS)
        yield api


@pytest.fixture(name="new_tab")
def _new_tab(browser):
    """Opens the page in separate contexts and records problems: errors, violations of the policy,
    requests to elsewhere.
    """
    contexts, problems, allowed = [], [], []

    def collect_errors(page):
        page.on(
            "console",
            lambda message: message.type in ("error", "warning") and problems.append(message.text),
        )
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "dialog", lambda dialog: (problems.append(f"dialog {dialog.message}"), dialog.dismiss())
        )
        page.on(
            "request",
            lambda request: (
                request.url.startswith((*allowed, "data:"))
                or problems.append(f"request {request.url}")
            ),
        )

    def new_tab(api, address="", **options):
        allowed.append(api.origin)
        context = browser.new_context(
            **{"timezone_id": "Europe/Berlin", "locale": "en-GB", **options}
        )
        context.set_default_timeout(120_000)
        context.add_init_script(_ERRORS)
        context.on("page", collect_errors)
        contexts.append(context)
        context.clock.set_fixed_time(NOW)
        page = context.new_page()
        page.goto(f"{api.url}{address}")
        return page

    yield new_tab
    for context in contexts:
        context.close()
    assert [problem for problem in problems if not problem.startswith(_HTTP_ERROR)] == []


@pytest.fixture(name="tab")
def _tab(new_tab, api):
    """A tab that shows the page, and asks for the key."""
    return new_tab(api)


@pytest.fixture(name="open_lists")
def _open_lists(new_tab):
    """Opens tabs with the lists loaded, at a fixed time and without automatic refreshes. The
    keywords are the browser's.
    """

    def open_lists(api, **options):
        page = new_tab(api, **options)
        enter_key(page)
        wait_until_loaded(page)
        page.get_by_label("Automatic refresh").uncheck()
        return page

    return open_lists


@pytest.fixture(name="lists")
def _lists(open_lists, api):
    """A tab with the lists loaded."""
    return open_lists(api)


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

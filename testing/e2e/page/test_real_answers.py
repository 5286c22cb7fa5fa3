"""The page with the function's own answers behind it: the routes as they are, on an ECS and a
ledger of this process.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from e2e.page.browser import expect, violations
from ecs_updater.api.get_routes import status_app
from ecs_updater.api.service_list import ServiceList
from ecs_updater.ledger.entry import Entry, Side, to_item
from fakes.scripted_api import FORBIDDEN, KEY, STAGE, Answer, ScriptedApi
from fakes.simulated_ecs import SimulatedEcs
from fakes.wire import ACCOUNT, FAMILY_ARN, REGION
from support.http import NO_SCOPES, ask

ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}:"
ENVIRONMENT = {"TAG_FILTERS": "environment,owner,contact", "ENVIRONMENT": "staging"}


def entry(number: int, request_id: str, **fields: Any) -> Entry:
    """An update of a service that is being rolled out."""
    return Entry(
        service=f"{ARN}service/shop/web",
        number=number,
        request_id=request_id,
        owner="holder",
        fence=number,
        cluster_arn=f"{ARN}cluster/shop",
        service_arn=f"{ARN}service/shop/web",
        before=Side(f"{FAMILY_ARN}:1", {"app": "registry/web:1"}, {"owner": "me"}),
        after=Side(f"{FAMILY_ARN}:2", {"app": "registry/web:2"}, {"owner": "me"}),
        begun_at="2026-11-26T13:02:11.000000Z",
        **fields,
    )


class _History(list[Entry]):
    """The ledger, as far as the routes read it."""

    def of_all(self, most: int, *_: Any) -> tuple[list[dict[str, Any]], None]:
        """All entries on one page."""
        return [to_item(each) for each in self[:most]], None

    def find(self, request_id: str) -> Entry | None:
        """The entry of a request."""
        return next((each for each in self if each.request_id == request_id), None)


class _RealApi(ScriptedApi):
    """Calls the handler after it has checked the key, as the gateway does."""

    def __init__(self, resolve: Any):
        super().__init__()
        self.resolve = resolve

    def answer(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        route = path.removeprefix(STAGE) or "/"
        if route != "/" and headers.get("x-api-key") != KEY:
            return FORBIDDEN
        answer = ask(self.resolve, "GET", f"{route}?{urlencode(query)}", headers=dict(headers))
        return answer.status, answer.headers, answer.text


@pytest.fixture(name="real")
def _real():
    moving = [{"id": "ecs-svc/1", "status": "PRIMARY", "rolloutState": "IN_PROGRESS"}]
    shop = {f"service-{number:03}": {} for number in range(101)}
    shop["web"] = {"deployments": moving, "runningCount": 0, "tags": {"owner": "me & you"}}
    ecs = SimulatedEcs(services={"shop": shop, "tools": {"old": {"launchType": "EC2"}}})
    answer = {"statusCode": 200, "body": {"deployment": {"notes": ["not verified"]}}}
    entries = [
        entry(2, "pipeline/42 ?", batch="20261126-5eed", caller="ecs-updater, by me"),
        entry(1, "request-1").answered("SUCCEEDED", "it runs", answer),
    ]
    with _RealApi(
        status_app(ServiceList(ecs.reader()), _History(entries), ENVIRONMENT, NO_SCOPES).resolve
    ) as api:
        yield api


def test_the_page_works_with_the_functions_own_answers(open_lists, real):
    tab = open_lists(real)
    names = tab.locator("#services-rows th a")
    others = [f"service-{number:03}" for number in range(101)] + ["old"]
    expect(names).to_have_text(["web", *others])
    expect(tab.locator("#services-rows tr").first).to_contain_text("In progress")
    expect(tab.locator("#services-rows tr").first).to_contain_text("registry/web:1")
    expect(tab.locator("#scope")).to_have_text(f"staging {REGION} · account {ACCOUNT}")

    tab.get_by_label("Tag owner").fill("me & you")
    tab.get_by_role("button", name="Refresh").click()
    expect(names).to_have_text(["web"])
    tab.get_by_label("Tag owner").fill("")
    for name, count in {"EC2": 1, "External": 0, "Managed instances": 0, "All": 103}.items():
        tab.get_by_label("Launch type").select_option(name)
        expect(names).to_have_count(count)
    expect(tab.locator("#services").get_by_role("alert")).to_be_empty()

    updates = tab.locator("#deployments-rows th a")
    expect(updates).to_have_count(2)
    expect(tab.locator("tr.batch")).to_contain_text("Batch: 1 in progress")
    for link, texts in (
        (updates.first, ("pipeline/42 ?", "Senderecs-updater, by me")),
        (updates.last, ("it runs", "not verified")),
    ):
        link.click()
        for text in texts:
            expect(tab.get_by_role("dialog")).to_contain_text(text)
        tab.keyboard.press("Escape")
    tab.get_by_role("searchbox").fill("web")
    expect(names).to_have_text(["web"])
    assert violations(tab) == []

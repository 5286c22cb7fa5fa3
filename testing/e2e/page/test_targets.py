"""What the page shows of other accounts and regions, and how they are filtered."""

import re

import pytest

from e2e.page.browser import expect, has_no_sideways_scroll, violations, wait_until_loaded
from e2e.page.samples import ACCOUNT, deployment, service

PLACES = {
    "dr": "arn:aws:ecs:us-east-1:123456789012",
    "shop-prod": "arn:aws:ecs:eu-central-1:222222222222",
}
GONE = "arn:aws:ecs:eu-west-1:333333333333"
REASON = "AccessDenied: not authorized (target stage: the role could not be assumed)"


def arns(name, place):
    """The ARNs of a service and its cluster in a place."""
    return {"serviceArn": f"{place}:service/shop/{name}", "clusterArn": f"{place}:cluster/shop"}


@pytest.fixture(name="api")
def _api(api):
    """The service `web` at home and in two targets, and one target that cannot be read."""
    api.services = [service("web", target=None)] + [
        service("web", target=name, **arns("web", place)) for name, place in PLACES.items()
    ]
    update = {"verdict": "FAILED", "cause": "container app exited with code 1"}
    api.deployments = [
        deployment("req-2", "web", **update, serviceArn=arns("web", PLACES["dr"])["serviceArn"]),
        deployment("req-1", "web"),
        deployment("req-0", "web", serviceArn=arns("web", GONE)["serviceArn"]),
    ]
    api.unavailable = [{"target": "stage", "reason": REASON}]
    return api


def shown(tab, table):
    """Names and places in the rows of a table."""
    return tab.locator(f"#{table}-rows th")


def test_services_and_deployments_of_one_name_are_shown_with_their_targets(lists):
    # What needs attention comes first: only the service in `dr` has failed.
    places = ["webshop in dr", "webshop", "webshop in shop-prod"]
    expect(shown(lists, "services")).to_have_text(places)
    expect(lists.locator("#services-rows .problem")).to_have_text("last failed")
    places = ["webshop in dr", "webshop", "webshop in 333333333333 eu-west-1"]
    expect(shown(lists, "deployments")).to_have_text(places)
    error = lists.locator("#services-error")
    expect(error).to_have_text(f"The target stage could not be read: {REASON}")


def test_a_target_selects_services_and_their_deployments(lists, api):
    target = lists.get_by_label("Target")
    options = ["All", "Home", "dr", "shop-prod", "stage"]
    expect(target.locator("option")).to_have_text(options)
    target.select_option("shop-prod")
    wait_until_loaded(lists)
    expect(shown(lists, "services")).to_have_text(["webshop in shop-prod"])
    expect(shown(lists, "deployments")).to_have_count(0)
    assert api.queries("list")[-1]["target"] == "shop-prod"
    expect(target.locator("option")).to_have_text(options)
    target.select_option("home")
    wait_until_loaded(lists)
    expect(shown(lists, "services")).to_have_text(["webshop"])
    expect(shown(lists, "deployments")).to_have_text(["webshop"])
    lists.locator("#clear").click()
    wait_until_loaded(lists)
    expect(shown(lists, "services")).to_have_count(3)
    assert "target" not in api.queries("list")[-1]
    lists.get_by_role("searchbox").fill("shop-prod")
    expect(shown(lists, "services")).to_have_text(["webshop in shop-prod"])
    lists.get_by_role("button", name="Forget key").click()
    expect(lists.locator("#target option")).to_have_text(["All", "Home"])


def test_the_details_of_a_service_have_its_target_and_a_command_for_it(lists, api):
    lists.locator("#services-rows").get_by_role("link", name="web").first.click()
    expect(lists).to_have_url(re.compile("#/services/shop/web/dr$"))
    details = lists.get_by_role("dialog")
    expect(details.get_by_role("heading").first).to_have_text("web in shop in dr")
    expect(details).to_contain_text("Targetdr")
    command = "ecs-updater rollback shop web --target dr --region eu-west-1"
    expect(details.locator("pre")).to_have_text(command)
    link = details.get_by_role("link", name="Open in the AWS console")
    expect(link).to_have_attribute("href", re.compile("^https://us-east-1.console.aws.amazon.com/"))
    assert api.queries("deployments")[-1]["cluster"] == f"{PLACES['dr']}:cluster/shop"
    lists.goto(f"{api.url}#/services/shop/web")
    expect(details.locator("pre")).to_have_text("ecs-updater rollback shop web --region eu-west-1")
    assert ACCOUNT not in str(api.queries("deployments")[-1])
    lists.goto(f"{api.url}#/deployments/req-0")
    expect(details).to_contain_text("Target333333333333 eu-west-1")
    expect(details.locator("pre")).to_have_count(0)


def test_without_targets_there_is_no_such_filter(open_lists, api):
    api.services, api.unavailable = [service("web", target=None)], []
    api.deployments = []
    tab = open_lists(api)
    expect(shown(tab, "services")).to_have_text(["webshop"])
    expect(tab.locator("#target")).to_be_hidden()
    expect(tab.locator("#services-error")).to_be_empty()


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_targets_fit_every_screen(open_lists, api, size):
    width, height = size
    tab = open_lists(api, viewport={"width": width, "height": height})
    assert has_no_sideways_scroll(tab) and violations(tab) == []

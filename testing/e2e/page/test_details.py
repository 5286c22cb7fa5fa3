"""Details of a deployment or a service: each at an address of its own."""

import pytest

from e2e.page.browser import enter_key, expect, violations
from e2e.page.samples import ACCOUNT
from e2e.page.test_lists import row, tile

COMMAND = "ecs-updater rollback office reports --region eu-west-1"
CONSOLE = "https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/office/services/reports"


DETAILS = {
    "reports": (
        "Rolled back container app exited with code 1, 3 times; the service is back: 2 of 2 tasks",
        *("RolloutRolledBackError", "reports:6 → reports:7", "ecs-svc/1234567890123456789"),
        *("26 Nov 2026, 14:03:40 CET (2 min ago)", "Duration2 min 35 s", "req-3", "none → 2026-11"),
        *("20261126T130000Z-5eed", COMMAND),
    ),
    "checkout": ("SenderAPI key a1b2c3d4e5", "StepDeployed"),
    "orders": (
        *("the image was not verified", "Variable LOG_LEVEL of appinfo → debug"),
        *("Variable DB_PASSWORD of app(set) → (set)", "Secret TOKEN of appnone → arn:aws:ssm:"),
        *("Command of app(set) → none", "CPU of app128 → 256", "Memory of log-routernone → 64"),
        *("CPU of the task256 → 512", "Deployment configuration: minimum healthy percent50 → 100"),
        *("Desired count2 → 3", "Field containerDefinitions[0].newerset → dropped"),
        *("Somethingold → new", "Tagsrelease"),
    ),
    "mail": ("Rollback to the last revision that worked",),
    "billing": ("none → 123456789012.dkr.ecr.eu-west-1.amazonaws.com/billing:2",),
}


def test_a_row_opens_the_details_of_a_deployment_with_what_to_do(lists):
    lists.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for name, texts in DETAILS.items():
        row(lists, name, "deployments").locator("td").last.click()
        for text in texts:
            expect(lists.get_by_role("dialog", name=f"{name} in ")).to_contain_text(text)
        link = lists.get_by_role("link", name="Open in the AWS console").get_attribute("href")
        assert link.startswith(f"{CONSOLE}/") == (name == "reports")
        lists.get_by_role("button", name="Copy").click()
        expect(lists.get_by_role("button", name="Copied")).to_be_visible()
        copied = lists.evaluate("navigator.clipboard.readText()")
        assert (copied == COMMAND) == (name == "reports")
        lists.keyboard.press("Escape")


def test_a_row_opens_the_details_of_a_service_with_its_deployments_and_all_its_tags(lists, api):
    row(lists, "search").get_by_role("link").click()
    dialog = lists.get_by_role("dialog", name="search in shop")
    for text in ("Not steady", "1 of 3 running", "Runs onFargate", "search:7", "unit 8"):
        expect(dialog).to_contain_text(text)
    assert violations(lists) == []
    last = dialog.get_by_role("listitem")
    expect(last.locator(".badge")).to_have_text(["Failed", "Timed out"])
    assert api.queries("deployments")[-1] == {"cluster": "shop", "service": "search", "limit": "5"}
    last.get_by_role("link").first.click()
    expect(dialog).to_contain_text("Failed container app ran out of memory (exit code 137)")


def test_the_address_is_kept_by_a_reload_asked_for_the_key_and_left_by_the_back_button(
    new_tab, lists, api
):
    link = row(lists, "reports", "deployments").get_by_role("link")
    for step, is_open in (
        *((link.click, True), (lists.reload, True), (lists.go_back, False)),
        *((lists.go_forward, True), (lambda: lists.keyboard.press("Escape"), False)),
        (lists.go_forward, True),  # To close it was to go back.
    ):
        step()
        lists.wait_for_url(f"{api.url}#/deployments/req-3" if is_open else api.url)
        expect(lists.get_by_text("RolloutRolledBackError")).to_be_visible(visible=is_open)

    for address, text in (
        ("deployments/req-3", "RolloutRolledBackError"),
        ("services/office/mail", "Runs onFargate spot"),
        ("deployments/gone", "404 DeploymentNotFoundError: there is no such deployment"),
        ("deployments/..", "This is not the address of a deployment."),
        ("services/office/gone", "The list of services does not have it."),
    ):
        tab = new_tab(api, f"#/{address}")
        expect(tab.get_by_role("dialog")).to_be_hidden()
        enter_key(tab)
        expect(tab.get_by_role("dialog")).to_contain_text(text)
        tab.get_by_role("button", name="Close").click()
        tab.wait_for_url(api.url)
        expect(tile(tab, "Services")).to_have_text("5 Services")


@pytest.mark.parametrize(
    "partition, host",
    [("aws-cn", "cn-north-1.console.amazonaws.cn"), ("elsewhere", None), ("aws:ecs:x/@", None)],
)
def test_a_link_to_the_console_is_only_where_there_is_one(open_lists, api, partition, host):
    arn = ACCOUNT.replace("aws", partition).replace("eu-west-1", "cn-north-1")
    api.deployments[0]["serviceArn"] = f"{arn}:service/shop/checkout"
    api.scope["region"] = "cn-north-1"
    tab = open_lists(api)
    row(tab, "checkout", "deployments").get_by_role("link").click()
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_contain_text("ecs-updater rollback shop checkout")
    links = dialog.get_by_role("link").evaluate_all("(all) => all.map((link) => link.host)")
    assert links == [host] * bool(host)

"""Terraform associates a web ACL with the API. The emulator's CloudFormation refuses the type, so
testing/e2e/test_parity.py compares the template with the module.
"""

import shutil

import pytest

from support.account import ON_ACCOUNT, Account

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


def test_terraform_associates_the_web_acl_and_clean_leaves_nothing_but_the_web_acl(
    workspace, workspace_with_package, why_no_terraform
):
    if why_no_terraform:
        pytest.skip(why_no_terraform)
    account = Account(workspace("account-with-waf"))
    here = workspace_with_package("waf", **ON_ACCOUNT)
    refused = here.make("deploy-waf-aws-tf", environment=account.shell)
    assert refused.status != 0 and "WEB_ACL_ARN is empty" in refused.output
    waf = account.client("wafv2")
    nothing = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False}
    web_acl = waf.create_web_acl(
        Name="guard",
        Scope="REGIONAL",
        DefaultAction={"Allow": {}},
        VisibilityConfig={**nothing, "MetricName": "guard"},
    )["Summary"]["ARN"]
    before = account.inventory()

    here.make("deploy-waf-aws-tf", environment=account.shell, WEB_ACL_ARN=web_acl).succeeded()
    (api,) = account.client("apigateway").get_rest_apis()["items"]
    stage = f"arn:aws:apigateway:eu-west-1::/restapis/{api['id']}/stages/v1"
    assert waf.get_web_acl_for_resource(ResourceArn=stage)["WebACL"]["Name"] == "guard"

    here.make("clean", environment=account.shell, WEB_ACL_ARN=web_acl).succeeded()
    assert account.inventory() == before
    assert not waf.list_resources_for_web_acl(WebACLArn=web_acl)["ResourceArns"]
    account.end()

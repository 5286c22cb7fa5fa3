"""The tagging API: all pages, and a failure as an AwsFailure."""

import boto3
import pytest
from botocore.stub import Stubber

from ecs_updater.aws.tagging import Tagging
from ecs_updater.errors import AwsFailure, Outcome

PREFIX = "arn:aws:ecs:eu-west-1:123456789012:service/ECSCluster/"


@pytest.fixture(name="stubbed")
def _stubbed():
    client = boto3.client("resourcegroupstaggingapi", region_name="eu-west-1")
    with Stubber(client) as stubber:
        yield Tagging(client), stubber
        stubber.assert_no_pending_responses()


def page(token, *names, policy="digest:main"):
    """A page with these services."""
    tags = [{"Key": "ecs-updater:policy", "Value": policy}, {"Key": "team", "Value": "a"}]
    found = [{"ResourceARN": PREFIX + name, "Tags": tags} for name in names]
    return {"ResourceTagMappingList": found, "PaginationToken": token}


def request_for(token):
    """The request for a page."""
    return {
        "TagFilters": [{"Key": "ecs-updater:policy"}],
        "ResourceTypeFilters": ["ecs:service"],
        "ResourcesPerPage": 100,
        "PaginationToken": token,
    }


def test_all_pages_are_read_and_sorted(stubbed):
    tagging, stubber = stubbed
    stubber.add_response("get_resources", page("next", "web-2", "web-1"), request_for(""))
    stubber.add_response("get_resources", page("", "api"), request_for("next"))
    found = tagging.services_with("ecs-updater:policy")
    assert list(found) == [PREFIX + name for name in ("api", "web-1", "web-2")]
    assert found[PREFIX + "api"] == {"ecs-updater:policy": "digest:main", "team": "a"}


def test_a_failure_has_its_outcome(stubbed):
    tagging, stubber = stubbed
    stubber.add_client_error("get_resources", "AccessDeniedException", "no", 400)
    with pytest.raises(AwsFailure) as raised:
        tagging.services_with("ecs-updater:policy")
    assert raised.value.outcome is Outcome.NOT_PERMITTED

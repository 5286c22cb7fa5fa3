"""Lists of services: their calls, their content, and pages that lose and repeat nothing."""

import json
import math

import pytest

from ecs_updater.api.query import ListQuery
from ecs_updater.api.service_list import ServiceList
from ecs_updater.errors import InvalidQueryError
from fakes.simulated_ecs import SimulatedEcs
from fakes.wire import PREFIX


def forever():
    """The time that is left to a page."""
    return math.inf


def world(clusters, services, **fields):
    """So many clusters with so many services each."""
    named = {f"web-{number:04d}": fields for number in range(services)}
    return ecs_with({f"cluster-{number:02d}": named for number in range(clusters)})


def ecs_with(services):
    """An ECS whose calls take no time, so that the rate limits decide."""
    return SimulatedEcs(services=services, has_limits=True, latency=0)


def names(page):
    """Cluster and service of each line."""
    return [(view["clusterName"], view["serviceName"]) for view in page["services"]]


def pages(listing, after_each=lambda: None, **query):
    """Every page of a list."""
    found, token = [], None
    while token or not found:
        found.append(listing.page(ListQuery(**query, next=token), forever))
        token = found[-1]["next"]
        after_each()
    return found


def test_a_thousand_services_of_one_cluster_cost_111_calls_and_none_is_throttled():
    ecs = world(1, 1000)
    page = ServiceList(ecs.reader()).page(ListQuery(), forever)
    assert len(page["services"]) == 1000 and page["next"] is None
    calls = {"ListClusters": 1, "ListServices": 10, "DescribeServices": 100}
    assert ecs.buckets.calls == calls
    assert ecs.buckets.throttled.total() == 0


def test_the_image_of_each_distinct_revision_is_read_once_also_for_later_pages():
    ecs = world(2, 30, taskDefinition=f"{PREFIX}task-definition/web-0000:1")
    listing = ServiceList(ecs.reader())
    for _ in range(2):
        page = listing.page(ListQuery(images=True), forever)
    assert {json.dumps(view["images"]) for view in page["services"]} == {
        '{"app": "registry/web-0000:1"}'
    }
    assert ecs.buckets.calls["DescribeTaskDefinition"] == 1


@pytest.mark.parametrize("limit", [1, 7, 10, 99, 250])
def test_pages_put_together_are_the_list(limit):
    ecs = world(3, 33) if limit < 10 else world(20, 50)
    listing = ServiceList(ecs.reader())
    whole = names(listing.page(ListQuery(), forever))
    listed = pages(listing, limit=limit)
    assert [len(page["services"]) for page in listed[:-1]] == [limit] * (len(listed) - 1)
    assert [name for page in listed for name in names(page)] == whole


def test_services_that_appear_during_paging_make_none_lost_and_none_listed_twice():
    ecs = world(20, 50)
    listing = ServiceList(ecs.reader())
    before = set(names(listing.page(ListQuery(), forever)))
    added = iter(range(10_000))

    def another():
        for cluster in list(ecs.world.clusters.values()):
            for prefix in ("a", "web-0025-", "z"):
                ecs.add_service(cluster, f"{prefix}{next(added)}")
        ecs.add_service(f"a-{next(added)}", "web")

    listed = [name for page in pages(listing, another, limit=90) for name in names(page)]
    assert len(listed) == len(set(listed)) and before <= set(listed)


def test_active_services_are_selected_by_launch_type_and_all_tags():
    spot = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    group = [{"capacityProvider": "our-instances", "weight": 1}]
    services = {
        "fargate": {"tags": {"owner": "x", "environment": "live"}},
        "spot": {
            "launchType": None,
            "capacityProviderStrategy": spot,
            "tags": {"owner": "x"},
        },
        "group": {"launchType": None, "capacityProviderStrategy": group},
        "mixed": {"launchType": None, "capacityProviderStrategy": [*spot, *group]},
        "ec2": {"launchType": "EC2"},
        "external": {"launchType": "EXTERNAL"},
        "managed": {"launchType": "MANAGED_INSTANCES"},
        "draining": {"status": "DRAINING"},
        "inactive": {"status": "INACTIVE"},
    }
    listing = ServiceList(ecs_with({"c": services}).reader())
    for query, expected in (
        ({}, ["fargate", "spot"]),
        ({"launch_types": {"EC2"}}, ["ec2", "group", "mixed"]),
        ({"launch_types": {"EXTERNAL", "MANAGED_INSTANCES"}}, ["external", "managed"]),
        ({"tags": {"owner": "x"}}, ["fargate", "spot"]),
        ({"tags": {"owner": "x", "environment": "live"}}, ["fargate"]),
        ({"tags": {"owner": "X"}}, []),
        ({"tags": {"owner": ""}}, []),
    ):
        assert [name for _, name in names(listing.page(ListQuery(**query), forever))] == expected


def test_a_page_is_no_larger_than_lambdas_answer():
    large = {f"{number:02d}" + "k" * 126: "v" * 256 for number in range(50)}
    listed = pages(ServiceList(world(1, 400, tags=large).reader()))
    assert len(listed) > 1 and max(len(json.dumps(page)) for page in listed) < 5_000_000
    assert len({name for page in listed for name in names(page)}) == 400


@pytest.mark.parametrize(
    "token", ["", "x", "e30", "W10", "eyJjbHVzdGVyIjoxLCJzZXJ2aWNlIjoieCJ9", "é", "x" * 10_000]
)
def test_a_token_that_no_page_gave_is_refused(token):
    with pytest.raises(InvalidQueryError, match="next: this is not what an earlier page"):
        ServiceList(world(1, 1).reader()).page(ListQuery(next=token), forever)


def test_an_odd_service_is_shown_as_far_as_it_is_known_and_breaks_no_list():
    revision = f"{PREFIX}task-definition/express:1"
    deployments = [{"id": "1", "status": "PRIMARY", "taskDefinition": revision}]
    services = {
        "express": {
            "taskDefinition": None,
            "resourceManagementType": "ECS",
            "deployments": deployments,
        },
        "external": {
            "taskDefinition": None,
            "deploymentController": {"type": "EXTERNAL"},
            "deployments": [],
            "taskSets": [],
        },
        "odd": {"tags": {None: "x"}},
        "usual": {},
    }
    page = ServiceList(ecs_with({"c": services}).reader()).page(ListQuery(images=True), forever)
    listed = {
        view["serviceName"]: (view["taskDefinition"], view["images"]) for view in page["services"]
    }
    assert listed == {
        "express": ("express:1", {"app": "registry/express:1"}),
        "external": (None, None),
        "usual": ("usual:1", listed["usual"][1]),
    }

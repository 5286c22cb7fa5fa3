"""The ledger for who only reads it: page by page, the newest first, by service, by cluster, and of
all.
"""

import json
import string
from dataclasses import replace

import pytest

from ecs_updater.api import get_routes as routes
from ecs_updater.api.query import DeploymentsQuery
from ecs_updater.api.serializers import id_of, request_id_of
from ecs_updater.aws.dynamodb import Put
from ecs_updater.errors import (
    ConfigurationError,
    InvalidQueryError,
    LedgerError,
)
from ecs_updater.ledger.entry import Side, to_item
from ecs_updater.ledger.lease import Holder
from ecs_updater.ledger.queries import UpdateQueries
from fakes.memory_dynamodb import DENIED
from fakes.wire import ACCOUNT, CLUSTER_ARN, REGION, SERVICE_ARN
from support.ledger import intent, message_of, succeeded

pytest_plugins = ["support.ledger_fixtures"]
ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}:"


@pytest.fixture(name="queries")
def _queries(table):
    return UpdateQueries(table)


@pytest.fixture(name="made")
def _made(history, leases, clock):
    """Makes so many updates of each service, one after another; their request_ids as they were
    made.
    """

    def make(count, *services):
        made = []
        for number in range(count):
            for service in services or (SERVICE_ARN,):
                clock.now += 1
                name = service.rpartition("service/")[2]
                lease = leases.acquire(service, Holder.of(f"{name.replace('/', '-')}-{number}"))
                cluster = f"{ARN}cluster/{name.partition('/')[0]}"
                entry = history.begin(
                    replace(intent(lease), cluster_arn=cluster, service_arn=service)
                ).entry
                history.finish(succeeded(entry))
                leases.release(service, lease.holder)
                made.append(entry.request_id)
        return made

    return make


def all_pages(queries, **query):
    """Every page of a list."""
    pages, token = [], None
    while token or not pages:
        pages.append(routes.deployments(queries, DeploymentsQuery(**query, next=token)))
        token = pages[-1]["next"]
    return pages


def joined(pages):
    """The request_ids that all pages list."""
    return [view["requestId"] for page in pages for view in page["deployments"]]


def test_the_updates_of_a_service_come_page_by_page_the_newest_first(queries, made):
    ids = made(7)
    pages = all_pages(queries, service=SERVICE_ARN, limit=3)
    assert [len(page["deployments"]) for page in pages] == [3, 3, 1]
    assert joined(pages) == ids[::-1]


def test_the_updates_of_all_services_are_ordered_by_their_beginning(queries, made):
    ids = made(5, f"{ARN}service/a/web", f"{ARN}service/b/web", SERVICE_ARN)
    assert joined(all_pages(queries, limit=4)) == ids[::-1]


@pytest.mark.parametrize(
    "odd",
    [
        {"before": None},
        {"after": "nothing"},
        {"request_id": 7},
        {"cluster_arn": None},
        {"state": 1},
        {"rollback": {"x": "y"}},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "query", [{}, {"service": SERVICE_ARN}, {"cluster_arn": CLUSTER_ARN}], ids=str
)
def test_an_item_that_is_not_an_entry_is_left_out_of_every_list(queries, made, table, odd, query):
    ids = made(3)
    (item,) = (item for item in table.query(SERVICE_ARN, "UPDATE#") if item["request_id"] == ids[1])
    table.put(Put({name: value for name, value in {**item, **odd}.items() if value is not None}))
    assert joined(all_pages(queries, limit=1, **query)) == [ids[2], ids[0]]


def test_the_updates_of_a_cluster_are_found_among_those_of_all(queries, made):
    ids = made(6, f"{ARN}service/a/web", f"{ARN}service/b/web", f"{ARN}service/b/api")
    found = joined(all_pages(queries, cluster_arn=f"{ARN}cluster/a", limit=2))
    assert found == [id_ for id_ in reversed(ids) if id_.startswith("a-")]
    assert not joined(all_pages(queries, cluster_arn=f"{ARN}cluster/c", limit=2))


def test_an_update_that_is_begun_while_one_pages_moves_nothing(queries, made):
    ids = made(4)
    first = routes.deployments(queries, DeploymentsQuery(limit=2))
    made(1, f"{ARN}service/z/later")
    second = routes.deployments(queries, DeploymentsQuery(limit=2, next=first["next"]))
    assert joined([first, second]) == ids[::-1]


def test_an_update_is_shown_with_the_response_of_its_caller(queries, made):
    made(1)
    (listed,) = routes.deployments(queries, DeploymentsQuery())["deployments"]
    assert (
        listed["verdict"] == "SUCCEEDED"
        and listed["state"] == "ENDED"
        and listed["deploymentId"] == "ecs-svc/2"
    )
    assert listed["before"] == {
        "taskDefinition": "ecs-dummy-task:1",
        "images": {"app": "busybox"},
        "tags": [{"key": "old", "value": "tag"}],
    }
    assert (listed["clusterName"], listed["serviceName"], listed["rollback"]) == (
        "ECSCluster",
        "ecs-dummy-service",
        None,
    )
    whole = routes.deployment(queries, listed["id"])
    error = {"errorType": None, "errorMessage": None}
    assert whole == {**listed, **error, "answer": {"changed": True}, "caller": None}


def test_an_update_that_goes_on_has_no_verdict_yet_and_one_that_is_returned_says_where_to(
    queries, history, lease
):
    history.advance(
        history.begin(intent(lease("r"), cluster_arn=CLUSTER_ARN))
        .entry.deployed("ecs-svc/9")
        .rolling_back("it exited", "arn:aws:ecs:r:1:task-definition/f:1", "ecs-svc/10")
    )
    whole = routes.deployment(queries, "r")
    assert (whole["state"], whole["verdict"], whole["endedAt"]) == ("ROLLING_BACK", None, None)
    assert whole["rollback"] == {"taskDefinition": "f:1", "deploymentId": "ecs-svc/10"}


@pytest.mark.parametrize(
    "request_id", ["simple-1.2_3", "a/b", "~", ".", "..", "é ü", "a b", "%2F", "x" * 128, "~eA"]
)
def test_any_request_id_has_an_address(queries, history, lease, request_id):
    history.begin(intent(lease(request_id)))
    part = id_of(request_id)
    assert request_id_of(part) == request_id and set(part) <= {
        *string.ascii_letters,
        *string.digits,
        *"~._-",
    }
    assert part.strip(".") and routes.deployment(queries, part)["id"] == part


def test_a_place_of_another_list_is_refused(queries, made):
    made(3)
    of_all = routes.deployments(queries, DeploymentsQuery(limit=1))["next"]
    of_service = routes.deployments(queries, DeploymentsQuery(service=SERVICE_ARN, limit=1))["next"]
    for query in (
        DeploymentsQuery(next=of_service),
        DeploymentsQuery(service=SERVICE_ARN, next=of_all),
        DeploymentsQuery(service=f"{ARN}service/a/b", next=of_service),
    ):
        assert "next: this is not" in message_of(
            InvalidQueryError, routes.deployments, queries, query
        )


@pytest.mark.parametrize("service", [None, SERVICE_ARN])
def test_a_page_is_no_larger_than_lambdas_answer(queries, table, lease, service):
    side = Side("arn:t/f:1", {}, {"k": "é" * 20_000})
    entry = replace(intent(lease()), before=side, after=side)
    for number in range(40):
        begun_at, id_ = f"2027-01-15T08:00:{number:02}Z", f"r-{number}"
        table.put(Put(to_item(replace(entry, number=number, request_id=id_, begun_at=begun_at))))
    pages = all_pages(queries, service=service, limit=100)
    assert len(pages) > 1 and max(len(json.dumps(page)) for page in pages) < 5_000_000
    assert joined(pages) == [f"r-{number}" for number in reversed(range(40))]


def test_without_a_ledger_or_with_one_that_may_not_be_read_the_setting_is_named(queries, fake):
    assert "LEDGER_TABLE is empty" in message_of(
        ConfigurationError, routes.deployments, None, DeploymentsQuery()
    )
    fake.fail("Query", DENIED)
    message = message_of(LedgerError, routes.deployments, queries, DeploymentsQuery())
    assert "Query on the table ecs-updater-ledger" in message and "secret" not in message

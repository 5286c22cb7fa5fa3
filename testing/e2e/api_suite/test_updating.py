"""Updates and rollbacks over HTTP, and what the API answers about them afterwards."""

import uuid
from typing import Any

import pytest

from e2e.api_suite.answers import answered
from e2e.event_suite.api import Api

NEW = {"image": "busybox", "tag": "1.36"}


@pytest.fixture(name="number")
def _number() -> str:
    """An id for a request, which no other request has."""
    return f"api-suite-{uuid.uuid4()}"


def deployment(api: Api, number: str) -> dict[str, Any]:
    """Returns an update, which the API answers by its id and in the list without the answer."""
    before = answered(api.call("GET", f"deployments/{number}"))
    listed = answered(api.call("GET", "deployments?limit=100"))["deployments"]
    whole = answered(api.call("GET", f"deployments/{number}"))
    (found,) = (update for update in listed if update["id"] == number)
    # The reconciler may have ended it meanwhile.
    assert found in [{name: read[name] for name in found} for read in (before, whole)]
    assert whole.keys() - found.keys() == {"answer", "errorType", "errorMessage"}
    return whole


def test_the_short_form_changes_the_image_and_keeps_the_tags(api, names, service, at_first):
    body = answered(api.post("update", names | NEW))

    assert body["AFTER"]["serviceImage"] == "busybox:1.36" and body["changed"] is True
    assert service.read() == type(at_first)("busybox:1.36", at_first.tags)


def test_the_contracts_event_changes_image_and_tags(api, names, service, at_first):
    event = {
        "ecs_cluster_name": names["cluster"],
        "ecs_service_name": names["service"],
        "ecs_image_name": "busybox:1.36",
    }

    answered(api.post("update", event | {"ecs_tag": {"owner": "api suite"}}))

    assert service.read() == type(at_first)("busybox:1.36", {"owner": "api suite"})


def test_a_dry_run_writes_nothing(api, names, service, at_first):
    body = answered(api.post("update", names | NEW | {"dry_run": True}))

    assert body["dryRun"] is True and body["changed"] is True
    assert service.read() == at_first


@pytest.mark.usefixtures("service")
def test_an_update_is_found_by_the_id_of_its_answer(api, names, at_first):
    body = answered(api.post("update", names | NEW))
    found = deployment(api, body["requestId"])

    assert (found["action"], found["clusterName"], found["serviceName"]) == (
        "update",
        names["cluster"],
        names["service"],
    )
    assert [list(found[when]["images"].values()) for when in ("before", "after")] == [
        [at_first.image],
        ["busybox:1.36"],
    ]
    assert found["begunAt"] and found["errorType"] is None
    of_service = answered(
        api.call(
            "GET", f"deployments?cluster={names['cluster']}&service={names['service']}&limit=1"
        )
    )
    assert [update["id"] for update in of_service["deployments"]] == [
        body["requestId"]
    ] and of_service["next"]


@pytest.mark.usefixtures("service")
def test_a_request_that_is_repeated_with_its_id_gets_the_same_answer_and_does_nothing_again(
    api, names, number
):
    first, second = (
        answered(api.post("update", names | NEW | {"request_id": number})) for _ in range(2)
    )

    assert first == second and first["requestId"] == number
    assert deployment(api, number)["answer"] is not None


@pytest.mark.usefixtures("service")
def test_a_long_wait_is_answered_at_once_with_where_to_follow_it(api, names, number):
    reply = api.post("update", names | NEW | {"wait_seconds": 100, "request_id": number})

    assert answered(reply, 202)["deployment"]["verdict"] == "IN_PROGRESS"
    assert reply.headers["location"] == f"deployments/{number}"
    assert answered(api.call("GET", reply.headers["location"]))["id"] == number


@pytest.mark.parametrize("form", ["short", "contract"])
def test_a_rollback_returns_the_service_to_what_it_ran_before(form, api, names, service, at_first):
    answered(api.post("update", names | NEW | {"wait_seconds": 20}))
    event = (
        names
        if form == "short"
        else {"ecs_cluster_name": names["cluster"], "ecs_service_name": names["service"]}
    )

    body = answered(api.post("rollback", event))

    assert body["AFTER"]["serviceImage"] == at_first.image
    assert service.read() == at_first
    assert deployment(api, body["requestId"])["action"] == "rollback"

"""Each write names its update in the user agent, by which a trail of AWS CloudTrail is searched."""

import re

import pytest

from ecs_updater.aws.ecs import WRITES
from support.documents import blocks, read
from support.fault_runs import BAD, GOOD, TIMING
from support.rollout_world import EVENT


@pytest.fixture(name="agents")
def _agents(make_world):
    """Makes a world, and a list of operation and user agent of each request to ECS."""

    def make(**options):
        world, sent = make_world(**options), []

        def keep(request, event_name, **_):
            sent.append((event_name.rpartition(".")[2], request.headers["User-Agent"].decode()))

        client = world.boundary._client  # pylint: disable=protected-access
        client.meta.events.register_first("before-send.ecs", keep)
        return world, sent

    return make


def named(sent):
    """The operations whose user agents name an update, with its `request_id`."""
    return [
        (operation, agent.partition(" md/request-id#")[2].partition(" ")[0])
        for operation, agent in sent
        if " md/request-id#" in agent
    ]


def test_every_write_of_an_update_names_it_and_no_read_does(agents):
    world, sent = agents(image=GOOD)
    world.send(request_id="request-1", wait_seconds=60)
    assert named(sent) == [
        (operation, "request-1")
        for operation in (
            "RegisterTaskDefinition",
            "TagResource",
            "UntagResource",
            "UpdateService",
        )
    ]
    assert all("app/ecs-updater" in agent for _, agent in sent)


def test_the_reconcilers_rollback_names_the_update_that_failed(agents):
    world, sent = agents(image=BAD, timing=TIMING)
    world.send(request_id="request-1", rollback_on_failure=True)
    begun = len(named(sent))
    world.finish(60)
    assert world.verdicts == ["ROLLED_BACK"]
    assert {request_id for _, request_id in named(sent)[begun:]} == {"request-1"}
    assert "StopServiceDeployment" in {operation for operation, _ in named(sent)[begun:]}
    assert {
        operation for operation, _ in sent if not operation.startswith(("Describe", "List"))
    } <= {*WRITES}


def test_the_next_update_names_itself_also_after_the_end_of_an_open_one(agents):
    world, sent = agents(image=GOOD)
    world.send(request_id="request-1")
    world.pass_time(600)
    begun = len(sent)
    world.send(EVENT | {"ecs_image_name": "app:3"}, request_id="request-2")
    assert {request_id for _, request_id in named(sent[begun:])} == {"request-2"}


@pytest.mark.parametrize(
    "request_id, text",
    [
        ("2026-11-30T09:30Z#1", "2026-11-30T09-30Z-1"),
        ("a b\r\nX-Header: c", "a-b--X-Header--c"),
        ("é漢", "--"),
        ("x" * 128, "x" * 128),
    ],
)
def test_a_request_id_cannot_add_a_header_or_another_part(agents, request_id, text):
    world, sent = agents(image=GOOD)
    world.send(request_id=request_id)
    assert {name for _, name in named(sent)} == {text}


def test_the_query_of_the_document_finds_the_request_id(agents):
    (query,) = [
        block.text for block in blocks(read("docs/operations.md")) if block.language == "sql"
    ]
    pattern = re.search("regexp_extract\\(userAgent, '(.*)', 1\\)", query)[1]
    world, sent = agents(image=GOOD)
    world.send(request_id="request-1")
    found = [re.search(pattern, agent) for _, agent in sent]
    assert {match[1] for match in found if match} == {"request-1"}

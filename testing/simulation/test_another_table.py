"""The ledger in another DynamoDB: moto's whole table, made as the template has it."""

import boto3
import moto
import pytest
from moto.core.models import botocore_stubber

from ecs_updater.api.get_routes import deployments
from ecs_updater.api.query import DeploymentsQuery
from ecs_updater.aws.dynamodb import Table
from ecs_updater.errors import LeaseHeldError, RolloutRolledBackError
from ecs_updater.ledger.lease import LEASE_SECONDS
from ecs_updater.ledger.queries import UpdateQueries
from fakes.memory_dynamodb import TABLE
from fakes.simulated_ecs import Image
from fakes.wire import REGION, Killed
from support.cloudformation import Stack, load
from support.make import PROJECT
from support.rollout_world import OLD_TAGS, World
from support.trouble import KILLS, Trouble

KEYS = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")


@pytest.fixture(name="world")
def _world():
    template = load(PROJECT / "infraestructure" / "02-ledger.yml")
    (table,) = Stack(template, {"ClusterName": "ECSCluster"}).of_type("AWS::DynamoDB::Table")
    with moto.mock_aws():
        client = boto3.client("dynamodb", region_name=REGION)
        client.create_table(TableName=TABLE, **{key: table[key] for key in KEYS})
        world = World(boundary=Table(TABLE, client), image=Image.exits(code=3))
        ecs = world.boundary._client  # pylint: disable=protected-access
        ecs.meta.events.unregister("before-send", botocore_stubber)  # It is not moto's ECS.

        def send_nothing_when_dead(**_):
            if world.process.is_dead:
                raise Killed("it is dead already")

        client.meta.events.register_first("before-send.dynamodb", send_nothing_when_dead)
        yield world


@pytest.mark.parametrize("call", [3, 5], ids=["TagResource", "UpdateService"])
@pytest.mark.parametrize("kill", KILLS, ids=lambda kill: kill.name)
def test_an_update_that_is_killed_is_taken_up_and_rolled_back_there_too(world, call, kill):
    event = {"rollback_on_failure": True, "request_id": "first"}
    world.at_next = Trouble(call, kill)
    assert world.send(**event).was_killed
    assert isinstance(world.send(request_id="second").error, LeaseHeldError)
    world.pass_time(LEASE_SECONDS + 10)
    assert isinstance(world.send(**event, wait_seconds=300).error, RolloutRolledBackError)
    assert world.send(ecs_image_name="app:3", request_id="third").verdict == "IN_PROGRESS"
    world.finish(60)
    assert world.verdicts == ["SUCCEEDED", "ROLLED_BACK"]
    assert world.history[1].before.tags == OLD_TAGS
    pages = [deployments(UpdateQueries(world.table), DeploymentsQuery(limit=1))]
    pages.append(
        deployments(UpdateQueries(world.table), DeploymentsQuery(limit=1, next=pages[0]["next"]))
    )
    assert [page["deployments"][0]["id"] for page in pages] == ["third", "first"]

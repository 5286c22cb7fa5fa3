"""The table in a dictionary answers as moto's DynamoDB does, to all that the ledger asks."""

import boto3
import moto
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from moto.core.models import botocore_stubber

from ecs_updater.ledger.queries import RECENT
from fakes.memory_dynamodb import SCHEMA, TABLE, MemoryDynamodb
from fakes.wire import REGION, Refusal
from support.fault_runs import BAD, GOOD, NEW, OLD, TIMING
from support.rollout_world import World, boundary_of
from support.trouble import KILLED, KILLED_AFTER, Trouble

NOT_COMPARED = {
    "ConsumedCapacity",
    "ItemCollectionMetrics",
    "ResponseMetadata",
    "Error",
    "__type",
    "message",
}
"""What moto and the SDK add."""


class Compared(MemoryDynamodb):
    """Sends each request to moto's table, too, and notes where the responses differ. To be used
    under ``moto.mock_aws()``.
    """

    def __init__(self):
        super().__init__()
        self.moto = boto3.client("dynamodb", region_name=REGION)
        index_schema = [
            {"AttributeName": RECENT.hash_key, "KeyType": "HASH"},
            {"AttributeName": RECENT.range_key, "KeyType": "RANGE"},
        ]
        self.moto.create_table(
            TableName=TABLE,
            AttributeDefinitions=[
                {"AttributeName": key["AttributeName"], "AttributeType": "S"}
                for key in (*SCHEMA, *index_schema)
            ],
            KeySchema=SCHEMA,
            GlobalSecondaryIndexes=[
                {
                    "IndexName": RECENT.name,
                    "KeySchema": index_schema,
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        self.requested, self.refused, self.differences = set(), set(), []

    def client(self, config=None):
        client = super().client(config)
        # The SDK asks all handlers: the effect would come twice.
        client.meta.events.unregister("before-send", botocore_stubber)
        return client

    def answer(self, operation, body):
        self.requested.add(
            (operation, body.get("ConditionExpression"), body.get("UpdateExpression"))
        )
        call = getattr(self.moto, xform_name(operation))
        expected = compared(lambda: call(**body))
        answer = super().answer
        mine = compared(lambda: answer(operation, body))
        if mine != expected:
            self.differences.append((operation, body, mine, expected))
        if "Code" in mine:
            self.refused.add(operation)
            raise Refusal(mine.pop("Code"), mine.pop("Message"), **mine)
        return mine

    @property
    def items_of_moto(self):
        """All items of moto's table by their keys."""
        pages = self.moto.get_paginator("scan").paginate(TableName=TABLE)
        items = [item for page in pages for item in page["Items"]]
        return {(item["pk"]["S"], item["sk"]["S"]): item for item in items}


def compared(call):
    """What of the response to ``call`` is compared; of an error, too."""
    try:
        content = call()
    except ClientError as error:
        content = error.response | error.response["Error"]
    except Refusal as refusal:
        content = refusal.body | {"Code": refusal.code, "Message": refusal.body["message"]}
    return {name: value for name, value in content.items() if name not in NOT_COMPARED}


@pytest.fixture(name="both", scope="module")
def _both():
    with moto.mock_aws():
        yield Compared()


@pytest.fixture(name="table", scope="module")
def _table(both):
    return boundary_of(both)


@pytest.mark.parametrize("image", [GOOD, BAD], ids=["good", "bad"])
def test_they_agree_on_updates_that_are_killed_and_taken_up_again(both, table, image, monkeypatch):
    both.requested.clear()
    for at in range(2, 40, 5):
        both.clear()
        for pk, sk in both.items_of_moto:
            both.moto.delete_item(TableName=table.name, Key={"pk": {"S": pk}, "sk": {"S": sk}})
        world = World(both, table, timing=TIMING)
        world.ecs.clock.drive_sdk(monkeypatch)
        world.ecs.images.becomes(OLD, GOOD)
        world.ecs.publish(NEW, image)
        world.at_next = Trouble(at, (KILLED, KILLED_AFTER)[at % 2])
        for _ in range(3):  # The second one finds the lease held.
            world.send(request_id="request-1", rollback_on_failure=True)
            world.pass_time(70)
        world.reconcile_all()
        assert world.history[0].is_ended
        assert both.items == both.items_of_moto
    assert len(both.requested) >= 9 and "UpdateItem" in both.refused
    assert not both.differences

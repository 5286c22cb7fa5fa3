"""The table in a dictionary answers as moto's DynamoDB does, to all that the ledger asks."""

import json

import boto3
import moto
import pytest
from moto.core.models import botocore_stubber

from ecs_updater.aws.dynamodb import ConditionFailed, Delete, Put, Update
from ecs_updater.ledger.queries import RECENT
from fakes.fake_ecs import REGION
from fakes.memory_dynamodb import TABLE, MemoryDynamodb
from support.fault_runs import BAD, GOOD, NEW, OLD, PACE
from support.rollout_world import World, boundary_of
from support.trouble import KILLED, KILLED_AFTER, Trouble

NOT_COMPARED = {"ConsumedCapacity", "ItemCollectionMetrics"}
"""What moto adds unasked."""


class Moto(MemoryDynamodb):
    """moto's table. To be made and used under ``moto.mock_aws()``."""

    def __init__(self):
        super().__init__()
        self.admin = boto3.client("dynamodb", region_name=REGION)
        self.admin.create_table(
            TableName=TABLE,
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"}
                for name in ("pk", "sk", RECENT.hash_key, RECENT.range_key)
            ],
            KeySchema=keys("pk", "sk"),
            GlobalSecondaryIndexes=[
                {
                    "IndexName": RECENT.name,
                    "KeySchema": keys(RECENT.hash_key, RECENT.range_key),
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )

    @property
    def items(self):
        pages = self.admin.get_paginator("scan").paginate(TableName=TABLE)
        items = [item for page in pages for item in page["Items"]]
        return {(item["pk"]["S"], item["sk"]["S"]): item for item in items}

    def _effect(self, event_name, request):
        return botocore_stubber(event_name, request)


def keys(partition, sort):
    """A schema of keys."""
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


class Both(MemoryDynamodb):
    """Asks both, and notes where they differ."""

    def __init__(self, other):
        super().__init__()
        self.other = other
        self.asked, self.refused, self.differences = set(), set(), []

    def client(self, config=None):
        client = super().client(config)
        # The SDK asks all handlers: the effect would come twice.
        client.meta.events.unregister("before-send", botocore_stubber)
        return client

    def _effect(self, event_name, request):
        mine = super()._effect(event_name, request)
        theirs = self.other._effect(event_name, request)  # pylint: disable=protected-access  # It is of the same class.
        body = json.loads(request.body)
        self.asked.add((event_name, body.get("ConditionExpression"), body.get("UpdateExpression")))
        said = [(one.status_code, without(json.loads(one.content))) for one in (mine, theirs)]
        if said[0][0] != 200:
            self.refused.add(event_name)
        if said[0] != said[1]:
            self.differences.append((event_name, body, *said))
        return mine


def without(content):
    """What of an answer is compared."""
    return {name: value for name, value in content.items() if name not in NOT_COMPARED}


@pytest.fixture(name="both", scope="module")
def _both():
    with moto.mock_aws():
        yield Both(Moto())


@pytest.fixture(name="table", scope="module")
def _table(both):
    return boundary_of(both)


@pytest.mark.parametrize("image", [GOOD, BAD], ids=["good", "bad"])
def test_they_agree_on_updates_that_are_killed_and_taken_up_again(both, table, image, monkeypatch):
    both.asked.clear()
    for at in range(2, 40, 5):
        both.clear()
        for pk, sk in both.other.items:
            both.other.admin.delete_item(
                TableName=table.name, Key={"pk": {"S": pk}, "sk": {"S": sk}}
            )
        world = World(both, table, pace=PACE)
        world.ecs.clock.drive_sdk(monkeypatch)
        world.ecs.images.becomes(OLD, GOOD)
        world.ecs.publish(NEW, image)
        world.at_next = Trouble(at, (KILLED, KILLED_AFTER)[at % 2])
        for _ in range(3):  # The second one finds the lease held.
            world.send(request_id="request-1", rollback_on_failure=True)
            world.pass_time(70)
        world.reconcile_all()
        assert world.history[0].is_ended
        assert both.items == both.other.items
    assert len(both.asked) >= 9 and {name.rpartition(".")[2] for name in both.refused} >= {
        "UpdateItem"
    }
    assert not both.differences


def test_they_agree_on_conditions_pages_and_transactions(both, table):
    both.asked.clear()
    for number in range(5):
        table.put(
            Put(
                {
                    "pk": "page",
                    "sk": f"{number}",
                    "number": number,
                    "flag": True,
                    "list": ["a", {"b": 1.5}],
                }
            )
        )
    assert [one["number"] for one in table.query("page", newest_first=True, most=3)] == [4, 3, 2]
    assert [one["number"] for one in table.query("page", most=9)] == [0, 1, 2, 3, 4]
    assert (
        table.query("page", "4") and not table.query("page", "5") and table.get("page", "9") is None
    )
    conditions = {
        "attribute_not_exists(#number)": False,
        "attribute_not_exists(#other)": True,
        "#number < :three AND #number = :two": True,
        "#number < :two OR #number <= :two": True,
        "#number <> :two": False,
        "#other <> :two": True,
        "#other = :two": False,
        "#other < :two": False,
        "#number <> :two AND #number = :two OR #number = :two": True,
        "#number <> :two AND (#number = :two OR #number = :two)": False,
        "#number IN (:three, :two)": True,
        "#number IN (:three)": False,
        "#number = :text": False,
    }
    values = {"two": 2, "three": 3, "text": "2"}
    for condition, holds in conditions.items():
        used = {name: value for name, value in values.items() if f":{name}" in condition}
        update = Update(
            "page",
            "2",
            "SET #seen = if_not_exists(#seen, :zero) + :one",
            condition,
            used | {"zero": 0, "one": 1},
        )
        if holds:
            table.update(update)
        else:
            with pytest.raises(ConditionFailed):
                table.update(update)
    assert table.get("page", "2")["seen"] == sum(conditions.values())
    table.update(
        Update(
            "page",
            "new",
            "SET #a = :a, #b = :a REMOVE #c, #d",
            "attribute_not_exists(#pk)",
            {"a": 1},
        )
    )
    with pytest.raises(ConditionFailed) as refused:
        there = Put({"pk": "page", "sk": "4"}, "attribute_not_exists(#pk)")
        table.write(Delete("page", "3"), there, Put({"pk": "page", "sk": "6"}))
    assert [item and item["sk"] for item in refused.value.items] == [None, "4", None]
    table.write(
        Delete("page", "3"),
        Delete("page", "8"),
        Put({"pk": "page", "sk": "4"}, "#number = :four", {"four": 4}),
    )
    assert [one["sk"] for one in table.query("page")] == ["0", "1", "2", "4", "new"]
    assert both.items == both.other.items
    assert not both.differences


def test_what_it_does_not_know_it_refuses():
    table = MemoryDynamodb()
    key = {"pk": {"S": "a"}, "sk": {"S": "b"}}
    named = {"TableName": TABLE}
    with pytest.raises(AssertionError, match="size"):
        table.answer("PutItem", named | {"Item": key, "ConditionExpression": "size(#pk) > :one"})
    with pytest.raises(AssertionError):
        table.answer(
            "Query",
            named
            | {
                "KeyConditionExpression": "sk = :sk",
                "ExpressionAttributeValues": {":sk": {"S": "b"}},
            },
        )
    with pytest.raises(AttributeError):
        table.answer("BatchWriteItem", named)

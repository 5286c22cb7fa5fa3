"""What a request to DynamoDB is about: its table, and the partition keys that it names, on which a
condition of IAM can be.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

from collections.abc import Mapping
from typing import Any

KEYS = "dynamodb:LeadingKeys"


def table_and_keys(body: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Those of a request, as it travels; no keys where it names none."""
    match body:
        case {"TransactItems": [{"Put": {"TableName": table}}, *_] as items}:
            return table, [item["Put"]["Item"]["pk"]["S"] for item in items]
        case {"RequestItems": {**tables}}:
            ((table, requested),) = tables.items()
            return table, [key["pk"]["S"] for key in requested["Keys"]]
        case {
            "TableName": table,
            "ExpressionAttributeValues": {":pk": key},
            "KeyConditionExpression": _,
        }:
            return table, [key["S"]]
        case {"TableName": table}:
            named = body.get("Item", body.get("Key", {}))
            return table, [named["pk"]["S"]] if "pk" in named else []
    raise NotImplementedError(body)

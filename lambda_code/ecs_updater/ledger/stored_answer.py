"""Stores the response of an update in the entry's item, reduced if the item is too large. Pure.

An item has at most 400 KB. Fifty tags of the maximum size have 77 KB, and a response can repeat the
tags before and after the update twice each. A reduced response lacks what the entry has in other
attributes. `restore` adds that again.
"""

import json
from collections.abc import Mapping
from typing import Any

from ..model.tags import TagChanges, listed

_REDUCED = "recorded"
"""Field that marks a reduced body."""

_NOTE = "too large for the ledger: what the entry has in before and after is left out"

Json = Mapping[str, Any]


def store(answer: Json, item: Json, limit: int) -> str:
    """Returns the response as JSON of at most `limit` bytes, reduced as little as possible.

    `item` has the entry's other attributes.
    """
    text = json.dumps(answer, ensure_ascii=False)
    for reduced in (_without_tags, _without_states):
        if size(text) > limit:
            text = json.dumps(
                {**answer, "body": {**reduced(answer["body"], item), _REDUCED: _NOTE}},
                ensure_ascii=False,
            )
    return text


def restore(text: str, item: Json) -> dict[str, Any]:
    """Returns the whole response. A value that was not stored is None."""
    answer: dict[str, Any] = json.loads(text)
    body = answer.get("body")
    if not isinstance(body, dict) or _REDUCED not in body:
        return answer
    before, after = item["before"], item["after"]
    changes = body.get("changes", _image_changes(before, after))
    images = [change for change in changes if change["what"].startswith("image.")]
    others = [change for change in changes if change not in images]
    whole = {
        **body,
        "BEFORE": _state(body.get("BEFORE", {}), before, after, item),
        "AFTER": _state(body.get("AFTER", {}), after, before, item),
        "changes": [*images, *_tag_changes(before, after), *others],
    }
    del whole[_REDUCED]
    return {**answer, "body": whole}


def size(value: Any) -> int:
    """Returns an upper estimate of the bytes of `value` in the table."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return len(text.encode("utf-8", "backslashreplace"))


def _without_tags(body: Json, item: Json) -> Json:
    """Returns the body without the tags and changes of tags that the entry has."""
    sides = {"BEFORE": item["before"], "AFTER": item["after"]}
    states = {
        name: {
            **body[name],
            "tags": [
                tag for tag in body[name]["tags"] if side["tags"].get(tag["key"]) != tag["value"]
            ],
        }
        for name, side in sides.items()
    }
    return {
        **body,
        **states,
        "changes": [change for change in body["changes"] if not change["what"].startswith("tag.")],
    }


def _without_states(body: Json, _: Json) -> Json:
    """Returns the minimum that a repetition needs."""
    deployment = {name: body["deployment"].get(name) for name in ("id", "verdict", "reason")}
    return {
        "changed": body.get("changed"),
        "taskDefinitionArn": body.get("taskDefinitionArn"),
        "deployment": deployment,
    }


def _state(stored: Json, side: Json, other: Json, item: Json) -> dict[str, Any]:
    arn = side.get("task_definition_arn") or other.get("task_definition_arn") or ""
    changed = (name for name, image in side["images"].items() if other["images"].get(name) != image)
    name = stored.get("taskDefinitionName", next(changed, next(iter(side["images"]), None)))
    return {
        "clusterArn": item["cluster_arn"],
        "serviceArn": item["service_arn"],
        "taskDefinitionName": name,
        "taskDefinitionFamily": arn.rpartition("/")[2].partition(":")[0],
        "serviceImage": side["images"].get(name),
        "serviceMemory": None,
        "updatedOn": None,
        **stored,
        "tags": listed(
            {**side["tags"], **{tag["key"]: tag["value"] for tag in stored.get("tags", ())}}
        ),
    }


def _image_changes(before: Json, after: Json) -> list[dict[str, Any]]:
    pairs = {name: (before["images"].get(name), image) for name, image in after["images"].items()}
    return [
        {"what": f"image.{name}", "from": old, "to": new}
        for name, (old, new) in pairs.items()
        if old != new
    ]


def _tag_changes(before: Json, after: Json) -> list[dict[str, Any]]:
    old, new = before["tags"], after["tags"]
    changes = TagChanges(old, new)
    keys = sorted({*changes.to_set, *changes.to_remove})
    return [{"what": f"tag.{key}", "from": old.get(key), "to": new.get(key)} for key in keys]

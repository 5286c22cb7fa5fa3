"""A service and an update as the API shows them, in ECS's own words. Pure."""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from ..model import service as service_description
from ..model.arn import name_of, revision_name
from ..model.field_types import build
from ..model.hook import Approval
from ..model.tags import listed

Json = dict[str, Any]

_IN_PATH = re.compile(r"[A-Za-z0-9._-]{1,128}")


def id_of(request_id: str) -> str:
    """Returns a `request_id` for a URL path: itself if possible, else `~` and base64."""
    if _IN_PATH.fullmatch(request_id) and request_id.strip("."):
        return request_id
    return "~" + base64.urlsafe_b64encode(
        request_id.encode("utf-8", "surrogatepass")
    ).decode().rstrip("=")


def request_id_of(text: str) -> str:
    """Returns the `request_id` of a part of a URL path made by `id_of`, else the text itself."""
    if not text.startswith("~"):
        return text
    try:
        padded = text[1:] + "=" * (-(len(text) - 1) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode(
            "utf-8", "surrogatepass"
        )
    except ValueError:
        return text


def launch_type(service: Mapping[str, Any]) -> str:
    """Returns the launch type of a service, by default EC2 as in ECS."""
    return service_description.launch_type(service) or service_description.EC2


def service_view(service: Mapping[str, Any], target: str | None = None) -> Json:
    """Returns the view of a service of DescribeServices. `target`: None stands for home."""
    return {
        "target": target,
        "clusterName": name_of(service["clusterArn"]),
        "clusterArn": service["clusterArn"],
        "serviceName": service["serviceName"],
        "serviceArn": service["serviceArn"],
        "launchType": launch_type(service),
        "capacityProviders": service_description.capacity_providers(service),
        "taskDefinition": _revision(service_description.task_definition(service)),
        "desiredCount": service.get("desiredCount", 0),
        "runningCount": service.get("runningCount", 0),
        "pendingCount": service.get("pendingCount", 0),
        "rolloutState": service_description.primary_deployment(service).get("rolloutState"),
        "tags": listed(service_description.tags(service)),
    }


def deployment_view(item: Mapping[str, Any]) -> Json:
    """Returns the view of an entry as the ledger's index has it, see `ledger.queries.SHOWN`."""
    rollback = item.get("rollback")
    return {
        "id": id_of(item["request_id"]),
        "requestId": item["request_id"],
        "action": item["action"],
        "clusterName": name_of(item["cluster_arn"]),
        "serviceName": name_of(item["service_arn"]),
        "serviceArn": item["service_arn"],
        "state": item["state"],
        "verdict": item.get("verdict"),
        "cause": item.get("cause"),
        "deploymentId": item.get("deployment_id"),
        "rollout": item.get("rollout"),
        "before": _side(item["before"]),
        "after": _side(item["after"]),
        "rollback": rollback
        and {
            "taskDefinition": _revision(rollback["task_definition_arn"]),
            "deploymentId": rollback.get("deployment_id"),
        },
        "begunAt": item.get("begun_at"),
        "updatedAt": item.get("updated_at"),
        "endedAt": item.get("ended_at"),
        "batch": item.get("batch"),
        "caller": item.get("caller"),
        "approvals": [build(Approval, each).to_json() for each in item.get("approvals", ())],
    }


def whole_deployment_view(item: Mapping[str, Any]) -> Json:
    """Returns the view of an entry with the response or the error of its caller."""
    answer = item.get("answer")
    return {
        **deployment_view(item),
        "answer": json.loads(answer)["body"] if answer else None,
        "errorType": item.get("error_type"),
        "errorMessage": item.get("error_message"),
    }


def _side(side: Mapping[str, Any]) -> Json:
    return {
        "taskDefinition": _revision(side.get("task_definition_arn")),
        "images": dict(sorted(side.get("images", {}).items())),
        "tags": listed(side.get("tags", {})),
    }


def _revision(task_definition_arn: str | None) -> str | None:
    return revision_name(task_definition_arn) if task_definition_arn else None

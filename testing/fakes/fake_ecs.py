"""A small stateful ECS behind botocore's ``before-send``: what the emulators cannot show is played
here, on the wire.

It keeps every field of a task definition (the emulators drop those they do not know), records each
request as it would leave the machine, and fails where a test says so: before the effect, or after
it with the answer lost.

Not a judge of what ECS accepts: its own refusals are tested against moto.
"""

import copy
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from .answers import answer_of

REGION, ACCOUNT = "eu-west-1", "123456789012"
CLUSTER_ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/ECSCluster"
SERVICE_ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/ECSCluster/ecs-dummy-service"
FAMILY_ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/ecs-dummy-task"

THROTTLED = (400, "ThrottlingException", "Rate exceeded")
SERVER_ERROR = (500, "ServerException", "Service Unavailable. Please try again later.")
DENIED = (400, "AccessDeniedException", "User is not authorized to perform this action")
REFUSED = (400, "ClientException", "Invalid setting for container.")
TIMED_OUT = ReadTimeoutError(endpoint_url="https://ecs")
CONNECTION_RESET = ConnectionClosedError(endpoint_url="https://ecs")
UNREACHABLE = EndpointConnectionError(endpoint_url="https://ecs")

Fault = tuple[int, str, str] | Exception


@dataclass(frozen=True)
class Request:
    """One request as it left for AWS."""

    operation: str
    body: dict[str, Any]


class _Refusal(Exception):
    def __init__(self, status: int, code: str, message: str):
        self.answer = status, {"__type": code, "message": message}
        super().__init__(message)


class FakeEcs:
    """One cluster with one service, ``ecs-dummy-service``, whose running revision is
    ``ecs-dummy-task:1``.
    """

    def __init__(self, containers: list[dict[str, Any]] | None = None, **task_definition: Any):
        self.requests: list[Request] = []
        self._faults: dict[str, list[tuple[Fault, bool]]] = defaultdict(list)
        self.revisions: list[dict[str, Any]] = []
        self.revision_tags: list[list[dict[str, str]]] = []
        self.clock = 1_700_000_000.0
        self.register(
            {
                "family": "ecs-dummy-task",
                "containerDefinitions": containers
                or [{"name": "ecs-dummy-container", "image": "busybox", "memory": 128}],
                "cpu": "256",
                "memory": "512",
                **task_definition,
            }
        )
        self.tags = {"old-custom-tag-name": "old-custom-tag-value"}
        self.service = {
            "clusterArn": CLUSTER_ARN,
            "serviceArn": SERVICE_ARN,
            "serviceName": "ecs-dummy-service",
            "status": "ACTIVE",
            "desiredCount": 1,
            "createdAt": self.clock,
        }
        self.deploy(self.newest["taskDefinitionArn"])

    # What a test looks at or sets up.

    @property
    def newest(self) -> dict[str, Any]:
        """The newest revision."""
        return self.revisions[-1]

    @property
    def images(self) -> dict[str, str]:
        """Image by container, of the revision that the service runs."""
        running = self._revision(self.service["taskDefinition"])
        return {c["name"]: c["image"] for c in running["containerDefinitions"]}

    @property
    def operations(self) -> list[str]:
        """The operations in the order in which they went over the wire, retries included."""
        return [request.operation for request in self.requests]

    @property
    def writes(self) -> list[str]:
        """Those of them that write."""
        return [operation for operation in self.operations if not operation.startswith("Describe")]

    def fail(self, operation: str, *faults: Fault, after_effect: bool = False) -> None:
        """The next calls of ``operation`` fail with these faults, one each; ``after_effect``: after
        having done their work.
        """
        self._faults[operation] += [(fault, after_effect) for fault in faults]

    def client(self, config: Config | None = None) -> Any:
        """A real boto3 client whose requests end here instead of on a socket."""
        client = boto3.client("ecs", region_name=REGION, config=config)
        client.meta.events.register_last("before-send.ecs", self.serve)
        return client

    def register(self, body: dict[str, Any]) -> dict[str, Any]:
        """RegisterTaskDefinition, keeping what it is given."""
        body = copy.deepcopy(body)
        self.revision_tags.append(body.pop("tags", []))
        number = len(self.revisions) + 1
        self.revisions.append(
            body
            | {
                "taskDefinitionArn": f"{FAMILY_ARN}:{number}",
                "revision": number,
                "status": "ACTIVE",
                "registeredAt": self._tick(),
                "registeredBy": f"arn:aws:iam::{ACCOUNT}:user/somebody",
                "compatibilities": ["EC2", "FARGATE"],
                "requiresAttributes": [{"name": "ecs.capability.docker-remote-api.1.18"}],
            }
        )
        return self.newest

    def deploy(self, task_definition_arn: str) -> dict[str, Any]:
        """A new PRIMARY deployment of the service."""
        now = self._tick()
        deployment = {
            "id": f"ecs-svc/{int(now)}",
            "status": "PRIMARY",
            "taskDefinition": task_definition_arn,
            "rolloutState": "COMPLETED",
            "createdAt": now,
            "updatedAt": now,
        }
        earlier = [{**d, "status": "ACTIVE"} for d in self.service.get("deployments", [])]
        self.service |= {
            "taskDefinition": task_definition_arn,
            "deployments": [deployment, *earlier],
        }
        return deployment

    # The wire.

    def serve(self, request: Any, **_: Any) -> AWSResponse:
        """Answers one request of a client, as a handler of botocore's ``before-send``."""
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        body = json.loads(request.body)
        self.requests.append(Request(operation, body))
        fault, after_effect = (
            self._faults[operation].pop(0) if self._faults[operation] else (None, False)
        )
        answer = 0, {}
        if fault is None or after_effect:
            answer = self._answer(operation, body)
        if isinstance(fault, Exception):
            raise fault
        if fault:
            status, code, message = fault
            answer = status, {"__type": code, "message": message}
        return answer_of(request.url, *answer)

    def _answer(self, operation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        handlers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "DescribeServices": self._describe_services,
            "DescribeTaskDefinition": self._describe_task_definition,
            "RegisterTaskDefinition": lambda body: {"taskDefinition": self.register(body)},
            "UpdateService": self._update_service,
            "TagResource": self._tag_resource,
            "UntagResource": self._untag_resource,
        }
        try:
            return 200, handlers[operation](body)
        except _Refusal as refusal:
            return refusal.answer

    def _describe_services(self, body: dict[str, Any]) -> dict[str, Any]:
        if body["cluster"] not in ("ECSCluster", CLUSTER_ARN):
            raise _Refusal(400, "ClusterNotFoundException", "Cluster not found.")
        (service,) = body["services"]
        if service not in (self.service["serviceName"], SERVICE_ARN):
            return {"services": [], "failures": [{"arn": service, "reason": "MISSING"}]}
        tags = [{"key": key, "value": value} for key, value in self.tags.items()]
        return {
            "services": [
                self.service | ({"tags": tags} if "TAGS" in body.get("include", []) else {})
            ],
            "failures": [],
        }

    def _describe_task_definition(self, body: dict[str, Any]) -> dict[str, Any]:
        revision = self._revision(body["taskDefinition"])
        return {
            "taskDefinition": revision,
            "tags": self.revision_tags[self.revisions.index(revision)],
        }

    def _update_service(self, body: dict[str, Any]) -> dict[str, Any]:
        arn = body.get("taskDefinition", self.service["taskDefinition"])
        if arn != self.service["taskDefinition"] or body.get("forceNewDeployment"):
            self.deploy(arn)
        return {"service": self.service}

    def _tag_resource(self, body: dict[str, Any]) -> dict[str, Any]:
        self.tags |= {tag["key"]: tag["value"] for tag in body["tags"]}
        if len([key for key in self.tags if not key.startswith("aws:")]) > 50:
            raise AssertionError("the service had more than 50 tags")
        return {}

    def _untag_resource(self, body: dict[str, Any]) -> dict[str, Any]:
        self.tags = {key: value for key, value in self.tags.items() if key not in body["tagKeys"]}
        if not self.tags and body["tagKeys"]:
            self.was_without_tags = True
        return {}

    was_without_tags = False
    """Whether an UntagResource ever left the service without any tag."""

    def _revision(self, name: str) -> dict[str, Any]:
        if name == self.newest["family"]:
            return self.newest
        return next(
            r
            for r in self.revisions
            if name in (r["taskDefinitionArn"], f"{r['family']}:{r['revision']}")
        )

    def _tick(self) -> float:
        self.clock += 1
        return self.clock

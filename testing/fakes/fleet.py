"""An ECS with many services, each of a family of its own, behind botocore's ``before-send``;
throttled as ECS throttles.

Time is the test's. A deployment is complete so many seconds after it was made; what ECS refuses is
tested elsewhere.
"""

import itertools
import json
import re
import threading
from collections.abc import Callable
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse

from ecs_updater.aws import ecs as boundary
from ecs_updater.aws.ecs import Ecs

from .answers import answer_of
from .ecs_buckets import THROTTLED, Buckets
from .fake_ecs import ACCOUNT, CLUSTER_ARN, REGION

PREFIX = f"arn:aws:ecs:{REGION}:{ACCOUNT}:"
FIRST = "registry/app:1"
_NAME = re.compile(rf"({PREFIX}(cluster|service)/)?[\w/-]{{1,255}}", re.ASCII)
"""What ECS takes for the name of a cluster or of a service.

For any other one it refuses the whole call.
"""

Json = dict[str, Any]


class Fleet:
    """``size`` services, ``web-001`` and so on, in the cluster ECSCluster."""

    def __init__(self, size: int, now: Callable[[], float], seconds: float = 30.0):
        self.buckets = Buckets()
        self.names = [f"web-{number:03d}" for number in range(1, size + 1)]
        self.updates: list[tuple[str, str]] = []
        """Every UpdateService: service and revision."""
        self.registered: list[str] = []
        """Every revision that was registered."""
        self.before: Callable[[str, Json], tuple[int, str, str] | None] = lambda operation, body: (
            None
        )
        """Asked before each call, which it may refuse: with status, code and message."""
        self.failing: set[str] = set()
        """Services whose deployments fail."""
        self._now, self._seconds = now, seconds
        self._ids = itertools.count(2)
        self._lock = threading.RLock()
        self._revisions: dict[str, list[Json]] = {}
        self._services: dict[str, Json] = {}
        for name in self.names:
            arn = self._register(
                {
                    "family": name,
                    "containerDefinitions": [{"name": "app", "image": FIRST, "memory": 64}],
                }
            )
            deployment = self._deployment(arn, "ecs-svc/1", self._now() - 3600)
            self._services[name] = {
                "clusterArn": CLUSTER_ARN,
                "serviceArn": f"{PREFIX}service/ECSCluster/{name}",
                "serviceName": name,
                "status": "ACTIVE",
                "launchType": "FARGATE",
                "desiredCount": 1,
                "createdAt": self._now() - 7200,
                "deploymentConfiguration": {},
                "deployments": [deployment],
                "tags": [{"key": "team", "value": "a"}],
            }
        self.registered.clear()

    def boundary(self) -> Ecs:
        """A real boundary whose requests end here."""
        client = boto3.client("ecs", region_name=REGION, config=boundary._CONFIG)  # pylint: disable=protected-access
        made = Ecs(client)
        client.meta.events.register_last("before-send.ecs", self._answer)
        return made

    def event(self, name: str, image: str = "registry/app:2", **fields: Any) -> Json:
        """An event that gives a service another image."""
        event = {
            "ecs_cluster_name": "ECSCluster",
            "ecs_service_name": name,
            "ecs_image_name": image,
            "ecs_tag": {"team": "a"},
        }
        return event | fields

    def image(self, name: str) -> str:
        """What a service runs, or is on its way to."""
        return self._revision(self._services[name]["deployments"][0]["taskDefinition"])[
            "containerDefinitions"
        ][0]["image"]

    def _answer(self, event_name: str, request: Any, **_: Any) -> AWSResponse:
        operation, body = event_name.rpartition(".")[2], json.loads(request.body)
        with self._lock:
            if not self.buckets.take(operation, self._now()):
                return answer_of(request.url, *THROTTLED)
            if (refusal := self.before(operation, body)) is not None:
                status, code, message = refusal  # pylint: disable=unpacking-non-sequence
                return answer_of(request.url, status, {"__type": code, "message": message})
            return answer_of(request.url, *getattr(self, f"_do_{operation}")(body))

    def _do_DescribeServices(self, body: Json) -> tuple[int, Json]:  # pylint: disable=invalid-name
        assert len(body["services"]) <= 10
        if not all(_NAME.fullmatch(one) for one in (body["cluster"], *body["services"])):
            return 400, {
                "__type": "InvalidParameterException",
                "message": "Invalid identifier: Unexpected number of separators",
            }
        names = [one.rpartition("/")[2] for one in body["services"]]
        if body["cluster"].rpartition("/")[2] != "ECSCluster":
            return 400, {"__type": "ClusterNotFoundException", "message": "Cluster not found."}
        there = [name for name in names if name in self._services]
        missing = [
            {"arn": f"{PREFIX}service/ECSCluster/{name}", "reason": "MISSING"}
            for name in names
            if name not in there
        ]
        return 200, {"services": [self._told(name) for name in there], "failures": missing}

    def _do_DescribeTaskDefinition(self, body: Json) -> tuple[int, Json]:  # pylint: disable=invalid-name
        return 200, {"taskDefinition": self._revision(body["taskDefinition"]), "tags": []}

    def _do_RegisterTaskDefinition(self, body: Json) -> tuple[int, Json]:  # pylint: disable=invalid-name
        return 200, {"taskDefinition": self._revision(self._register(body)), "tags": []}

    def _do_UpdateService(self, body: Json) -> tuple[int, Json]:  # pylint: disable=invalid-name
        service = self._services[body["service"].rpartition("/")[2]]
        revision = body.get("taskDefinition") or service["deployments"][0]["taskDefinition"]
        self.updates.append((service["serviceName"], revision.rpartition("/")[2]))
        for one in service["deployments"]:
            one["status"] = "ACTIVE"
        service["deployments"].insert(
            0, self._deployment(revision, f"ecs-svc/{next(self._ids)}", self._now())
        )
        return 200, {"service": self._told(service["serviceName"])}

    def _do_TagResource(self, body: Json) -> tuple[int, Json]:  # pylint: disable=invalid-name
        service = self._services[body["resourceArn"].rpartition("/")[2]]
        tags = {one["key"]: one["value"] for one in [*service["tags"], *body["tags"]]}
        service["tags"] = [{"key": key, "value": value} for key, value in tags.items()]
        return 200, {}

    def _do_UntagResource(self, body: Json) -> tuple[int, Json]:  # pylint: disable=invalid-name
        service = self._services[body["resourceArn"].rpartition("/")[2]]
        service["tags"] = [one for one in service["tags"] if one["key"] not in body["tagKeys"]]
        return 200, {}

    def _do_ListTasks(self, body: Json) -> tuple[int, Json]:  # pylint: disable=invalid-name,unused-argument
        return 200, {"taskArns": []}

    def _do_ListServiceDeployments(self, body: Json) -> tuple[int, Json]:  # pylint: disable=invalid-name,unused-argument
        return 200, {"serviceDeployments": []}

    def _told(self, name: str) -> Json:
        service, now = self._services[name], self._now()
        primary = service["deployments"][0]
        is_complete = now - primary["createdAt"] >= self._seconds
        if is_complete and name in self.failing:
            primary |= {
                "rolloutState": "FAILED",
                "rolloutStateReason": "tasks failed to start.",
                "failedTasks": 3,
            }
            return {
                **service,
                "taskDefinition": primary["taskDefinition"],
                "runningCount": 1,
                "pendingCount": 0,
                "events": [],
            }
        if is_complete:
            del service["deployments"][1:]
        pending = int(not is_complete)
        state = "COMPLETED" if is_complete else "IN_PROGRESS"
        primary |= {"rolloutState": state, "runningCount": 1 - pending, "pendingCount": pending}
        return {
            **service,
            "taskDefinition": primary["taskDefinition"],
            "runningCount": 1,
            "pendingCount": pending,
            "events": [],
        }

    def _register(self, body: Json) -> str:
        revisions = self._revisions.setdefault(body["family"], [])
        arn = f"{PREFIX}task-definition/{body['family']}:{len(revisions) + 1}"
        revisions.append(
            {**body, "taskDefinitionArn": arn, "revision": len(revisions) + 1, "status": "ACTIVE"}
        )
        self.registered.append(arn.rpartition("/")[2])
        return arn

    def _revision(self, name: str) -> Json:
        family, _, number = name.rpartition("/")[2].partition(":")
        return self._revisions[family][int(number) - 1 if number else -1]

    @staticmethod
    def _deployment(revision: str, number: str, now: float) -> Json:
        counts = {"desiredCount": 1, "runningCount": 0, "pendingCount": 1, "failedTasks": 0}
        moments = {"createdAt": now, "updatedAt": now}
        return {
            "id": number,
            "status": "PRIMARY",
            "taskDefinition": revision,
            "rolloutState": "IN_PROGRESS",
            **counts,
            **moments,
        }

"""An ECS with many services, behind botocore's ``before-send``: lists and descriptions alone,
counted, and throttled.

Throttled as ECS throttles, by the clock of the test, which only sleeping moves.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse

from ecs_updater.aws import ecs_reader
from ecs_updater.aws.ecs_reader import EcsReader
from ecs_updater.context import Clock

from .answers import answer_of
from .ecs_buckets import THROTTLED, Buckets
from .fake_ecs import ACCOUNT, REGION

ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}:"


class VirtualTime:
    """A clock for many threads: who sleeps moves it to its own moment of waking, which others may
    have passed already.
    """

    def __init__(self) -> None:
        self._now = 1000.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Lets them pass."""
        with self._lock:
            self._now += seconds

    @property
    def clock(self) -> Clock:
        """As the code takes it."""
        return Clock(now=self.now, sleep=self.sleep)


def service(cluster: str, name: str, **fields: Any) -> dict[str, Any]:
    """A service as DescribeServices tells it, on Fargate unless the fields say otherwise; None
    leaves a field out.
    """
    deployment = {"id": "ecs-svc/1", "status": "PRIMARY", "rolloutState": "COMPLETED"}
    described = {
        "clusterArn": f"{ARN}cluster/{cluster}",
        "serviceArn": f"{ARN}service/{cluster}/{name}",
        "serviceName": name,
        "status": "ACTIVE",
        "launchType": "FARGATE",
        "taskDefinition": f"{ARN}task-definition/{name}:1",
        "desiredCount": 1,
        "runningCount": 1,
        "pendingCount": 0,
        "deployments": [deployment],
        "tags": [],
        **fields,
    }
    return {name: value for name, value in described.items() if value is not None}


class ManyServices:
    """Clusters by name, each with its services by name."""

    def __init__(self, clusters: dict[str, dict[str, dict[str, Any]]]):
        self.clusters = clusters
        self.buckets = Buckets()
        self.time = VirtualTime()
        self.before: Callable[[str, dict[str, Any]], tuple[int, str, str] | None] = (
            lambda operation, body: None
        )
        """Asked before each call, which it may refuse, and before which it may change what there
        is.
        """
        self._lock = threading.Lock()

    @property
    def calls(self) -> Counter[str]:
        """Every call, by operation."""
        return self.buckets.calls

    @property
    def throttled(self) -> int:
        """How many of them were."""
        return self.buckets.throttled.total()

    def reader(self) -> EcsReader:
        """A real boundary whose requests end here."""
        config = ecs_reader._CONFIG  # pylint: disable=protected-access  # The function's own settings.
        client = boto3.client("ecs", region_name=REGION, config=config)
        reader = EcsReader(client, clock=self.time.clock)
        client.meta.events.register_last("before-send.ecs", self._answer)
        return reader

    def _answer(self, event_name: str, request: Any, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        body = json.loads(request.body)
        with self._lock:
            if not self.buckets.take(operation, self.time.now()):
                return answer_of(request.url, *THROTTLED)
            refusal = self.before(operation, body)
            if refusal is not None:
                return answer_of(
                    request.url, refusal[0], {"__type": refusal[1], "message": refusal[2]}
                )
            return answer_of(request.url, *getattr(self, f"_{operation}")(body))

    def _ListClusters(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # pylint: disable=invalid-name
        return _page("clusterArns", [f"{ARN}cluster/{name}" for name in self.clusters], body)

    def _ListServices(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # pylint: disable=invalid-name
        cluster = body["cluster"].rpartition("/")[2]
        if cluster not in self.clusters:
            return 400, {"__type": "ClusterNotFoundException", "message": "Cluster not found."}
        # In no order that would help: ECS promises none.
        arns = sorted(
            (one["serviceArn"] for one in self.clusters[cluster].values()),
            key=lambda arn: arn[::-1],
        )
        return _page("serviceArns", arns, body)

    def _DescribeServices(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # pylint: disable=invalid-name
        cluster = body["cluster"].rpartition("/")[2]
        if cluster not in self.clusters:
            return 400, {"__type": "ClusterNotFoundException", "message": "Cluster not found."}
        assert len(body["services"]) <= 10 and body["include"] == ["TAGS"]
        there = self.clusters[cluster]
        found = [there[name] for name in reversed(body["services"]) if name in there]
        failures = [
            {"arn": name, "reason": "MISSING"} for name in body["services"] if name not in there
        ]
        return 200, {"services": found, "failures": failures}

    def _DescribeTaskDefinition(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # pylint: disable=invalid-name
        family = body["taskDefinition"].rpartition("/")[2].partition(":")[0]
        container = {"name": "app", "image": f"registry/{family}:1"}
        return 200, {
            "taskDefinition": {
                "taskDefinitionArn": body["taskDefinition"],
                "containerDefinitions": [container],
            }
        }


def _page(name: str, members: list[str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    first = int(body.get("nextToken", 0))
    last = first + body.get("maxResults", 10)
    return 200, {
        name: members[first:last],
        **({"nextToken": str(last)} if last < len(members) else {}),
    }


def client_of(many):
    """A client whose requests end there."""
    client = boto3.client(
        "ecs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    client.meta.events.register_last("before-send.ecs", many._answer)  # pylint: disable=protected-access
    return client

"""Services with policies, pushes to Amazon ECR, and the function that sends their updates."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ecs_updater.context import Call
from ecs_updater.ledger.pushes import AcceptedPushes
from ecs_updater.push.policy import CONTAINER, POLICY
from ecs_updater.push.run import Clients, PushResult, PushRun
from fakes.wire import ACCOUNT, REGION

from .fleet_run import TIMEOUT, FleetRun

EVENTS = Path(__file__).resolve().parents[1] / "events" / "eventbridge"
RECORDED = json.loads((EVENTS / "ECR_PUSH.json").read_text("utf-8"))
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
WEB = f"{REGISTRY}/shop/web"


def digest_of(text: str) -> str:
    """A digest."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def push_event(
    tag: str | None, at: float = 0, digest: str | None = None, repository: str = "shop/web"
) -> dict[str, Any]:
    """The recorded event of a push, with another tag. ``at``: seconds since the epoch."""
    detail = {
        **RECORDED["detail"],
        "image-tag": tag,
        "image-digest": digest or digest_of(f"{tag}"),
        "repository-name": repository,
    }
    if tag is None:
        del detail["image-tag"]
    time = (
        datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else RECORDED["time"]
    )
    return {**RECORDED, "time": time, "detail": detail}


class SimulatedTagging:
    """Stands in for ``aws.tagging.Tagging`` over the services of a simulated ECS."""

    def __init__(self, ecs: Any):
        self._ecs = ecs
        self.failure: Exception | None = None

    def services_with(self, key: str) -> dict[str, dict[str, str]]:
        """The tags of services, by ARN."""
        if self.failure:
            raise self.failure
        services = (scheduler.service for scheduler in self._ecs.world.schedulers.values())
        return {service.arn: service.tags for service in services if key in service.tags}


class PushedFleet(FleetRun):
    """Many services that run ``shop/web:1.4.1``, each with a policy."""

    def __init__(self, size: int, policy: str = "semver:1.4.x", **options: Any):
        options = {"image": f"{WEB}:1.4.1", "tags": {"team": "a", POLICY: policy}, **options}
        super().__init__(size, **options)
        self.tagging = SimulatedTagging(self.ecs)
        self.accepted = AcceptedPushes(self.table)
        self.images: dict[str, dict[str, str]] = {}

    def set_policy(self, name: str, policy: str | None, container: str | None = None) -> None:
        """Changes the tags of a service. None: it has no such tag."""
        tags = {"team": "a", POLICY: policy, CONTAINER: container}
        found = {key: value for key, value in tags.items() if value is not None}
        self.ecs.service_of(name).tags = found

    def handle(self, *records: dict[str, Any], **settings: str) -> PushResult:
        """Invokes the function once with the records of messages."""
        end = self.time() + TIMEOUT
        call = Call("pushes", time_left=lambda: end - self.time(), clock=self.clock)
        clients = Clients(self.boundary, self.tagging, self.queue, self.table, self.images)  # type: ignore[arg-type]
        return PushRun(self.environment | settings, clients, call).process(records)

    def push(self, *tags: str, **settings: str) -> PushResult:
        """Invokes the function once with pushes of these tags, at this time."""
        return self.handle(*(record_of(push_event(tag, self.time())) for tag in tags), **settings)

    def tags_of_images(self) -> list[str]:
        """The tag that each service runs."""
        return [self.ecs.image(name).rpartition(":")[2] for name in self.ecs.names]


def record_of(event: Any, id_: str = "") -> dict[str, Any]:
    """The record of a message with an event, or with a text."""
    body = event if isinstance(event, str) else json.dumps(event)
    return {"messageId": id_ or hashlib.sha256(body.encode()).hexdigest(), "body": body}

"""The world of one case: a service in some state, the function's settings, and what is recorded
while one event is handled.
"""

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any
from unittest import mock

from ecs_updater.aws.ecs_reader import EcsReader
from ecs_updater.aws.targets import TargetAccess
from ecs_updater.context import Call
from ecs_updater.log import logger
from fakes.queue import FifoQueue
from fakes.simulated_ecs import BREAKER, EXPRESS, Image, configuration_of
from fakes.simulated_ecs.simulation import CLUSTER, SERVICE
from fakes.wire import PREFIX

from ..paused import PAUSED
from ..rollout_world import SIDECAR, Function
from . import samples
from .mutation import Generator
from .samples import WEB_IMAGE

QUICK = Image.good(starts_after=2)

SERVICES: tuple[dict[str, Any], ...] = (
    *({}, {}, {}, {}, {}),
    {"containers": SIDECAR},
    {"breaker": BREAKER},
    {"desired": 0},
    {"service_deployments": False},
    {"configuration": configuration_of("BLUE_GREEN", bake=1)},
    EXPRESS,
)
"""Options of the simulated ECS."""

SETTINGS: tuple[dict[str, str], ...] = (
    *({}, {}, {}, {}),
    {"ALLOWED_IMAGES": "docker.io/library/app:*,docker.io/library/busybox:*"},
    {"ALLOWED_IMAGES": "docker.io/library/other:*"},
    {"ALLOWED_SERVICES": f"{CLUSTER}/{SERVICE}"},
    {"ALLOWED_SERVICES": "Other/*"},
    {"ALLOWED_FIELDS": "", "ALLOWED_SECRETS": ""},
    {"CLUSTER_NAME": CLUSTER, "SERVICE_NAME": SERVICE, "IMAGE": "app:2"},
    {"TASK_DEF": "other"},
    {"APPROVALS": "on"},
    {"TAG_FILTERS": "team"},
    {"ENVIRONMENT": "production", "LEDGER_RETENTION_DAYS": "x"},
)

_DOCKER_HUB = r"^((index\.|registry-1\.)?docker\.io(:443)?/)?(library/)?"

# What a read or a refusal may leave in the table: the lease that was taken and given back, the
# buckets of the rate limiter, and where the reconciler goes on.
_WITHOUT_TRACE = ("LEASE", "PACE", "OPEN-CURSOR")


class Queue(FifoQueue):
    """A queue whose messages are handed over by the case, not received."""

    def hide(self, receipt: str, seconds: int) -> None:
        """Hides a message."""

    @property
    def bodies(self) -> list[str]:
        """The messages that were sent."""
        return [held.message.body for held in self._held]


class Setting:
    """One case's service, ledger, queues and environment."""

    def __init__(self, draw: Generator, function: Function, has_ledger: bool = True):
        self.draw = draw
        options = draw.pick(SERVICES)
        self.awaited = "hook"
        is_paused = draw.chance(0.12) and has_ledger
        if is_paused:
            options = {"configuration": PAUSED}
        self.world = function.world(image=QUICK, **options)
        if not has_ledger:
            self.world.table = None
        self.world.boundary.targets = TargetAccess("", PREFIX, clock=self.world.clock)
        self.queue, self.dead_letter_queue = Queue(self.now), Queue(self.now)
        self._prepare(is_paused)
        self.environment = self.world.environment | {
            "ECS_ARN_PREFIX": PREFIX,
            **draw.pick(SETTINGS),
        }
        self.scopes: str | None = None
        self.repositories: tuple[str, ...] | None = None
        """Those of which the caller's scope allows images. None: it is not known."""
        if is_paused and draw.chance(0.8):
            self.environment["APPROVALS"] = "on"
        self.images: set[str] = set()
        self.before: dict[Any, Any] = {}
        self.written: list[str] = []
        """Operations of ECS that had an effect."""
        self.requests = 0
        self.log = io.StringIO()

    @property
    def now(self) -> Callable[[], float]:
        """The time."""
        return self.world.clock.epoch

    def _prepare(self, is_paused: bool) -> None:
        """An update that is open or has ended, a policy, or nothing."""
        draw, world = self.draw, self.world
        if is_paused:
            world.send(request_id="update-1")
            world.pass_time(60)
            if awaited := world.ecs.service.history[-1].awaited:
                self.awaited = awaited.id
        elif draw.chance(0.3):
            world.send(request_id="update-1", wait_seconds=draw.pick((0, 60)))
        if draw.chance(0.05) and world.table:
            world.held("another")

    def give_scopes(self) -> None:
        """The callers of the API have an identity, and in some cases scopes."""
        self.environment |= self.draw.pick(({}, {"API_AUTH": "iam"}, {"API_AUTH": "jwt"}))
        if self.draw.chance(0.5):
            self.scopes, self.repositories = samples.scopes(self.draw)

    def run_policies(self, tags: dict[str, str]) -> None:
        """The service runs an image of Amazon ECR and has a policy for it."""
        if WEB_IMAGE not in self._images():
            self.world.redeploy({"name": "ecs-dummy-container", "image": WEB_IMAGE, "memory": 128})
            self.world.pass_time(120)
        self.world.ecs.tag(tags)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Records what the function writes and logs. Its environment is that of the case."""
        ecs, dynamodb = self.world.ecs, self.world.dynamodb
        self.before, self.images = self._kept(), self._images()
        self.written, self.log = [], io.StringIO()
        begun = len(ecs.requests) + len(dynamodb.requests)
        answer = ecs.answer

        def recorded(operation: str, body: Any) -> Any:
            content = answer(operation, body)
            if not operation.startswith(("Describe", "List")):
                self.written.append(operation)
            return content

        ecs.answer = recorded
        handler = logger.registered_handler
        stream, handler.stream = handler.stream, self.log
        try:
            with (
                mock.patch.dict(os.environ, self.environment),
                mock.patch.object(Call, "of", self._call),
            ):
                yield
        finally:
            handler.stream = stream
            logger.thread_safe_clear_keys()
            del ecs.answer
            self.requests = len(ecs.requests) + len(dynamodb.requests) - begun

    def _call(self, context: Any) -> Call:
        end = self.now() + context.get_remaining_time_in_millis() / 1000
        clock = self.world.clock
        return Call(
            context.aws_request_id,
            context.invoked_function_arn,
            lambda: end - self.now(),
            clock,
            lambda_request_id=context.aws_request_id,
        )

    def _kept(self) -> dict[Any, Any]:
        return {
            key: item
            for key, item in self.world.dynamodb.items.items()
            if not any(part.startswith(_WITHOUT_TRACE) for part in key)
        }

    @property
    def noted(self) -> list[Any]:
        """Keys of new items of the ledger. Old ones change where another update is recovered."""
        return sorted(self._kept().keys() - self.before.keys())

    @property
    def is_recovered(self) -> bool:
        """Whether an update went on that was accepted before: its writes are not the event's."""
        after = self._kept()
        entries = [key for key in self.before if key[1].startswith("UPDATE#")]
        return any(after.get(key) != self.before[key] for key in entries)

    def _images(self) -> set[str]:
        return {
            container["image"]
            for revision in self.world.ecs.revisions
            for container in revision["containerDefinitions"]
        }

    @property
    def new_images(self) -> set[str]:
        """Images of revisions that were registered."""
        return self._images() - self.images

    def reader(self, client: Any) -> EcsReader:
        """The reader of the status function."""
        self.world.ecs.take(client)
        return EcsReader(client, clock=self.world.clock)

    def disallowed(self) -> list[str]:
        """What was written against an allow list or a scope, which this states in its own words."""
        if self.is_recovered:
            return []
        allowed = self.environment.get("ALLOWED_IMAGES", "")
        names = {re.sub(_DOCKER_HUB, "", image, flags=re.I) for image in self.new_images}
        found = [name for name in names if allowed and re.split("[:@]", name)[0] not in allowed]
        if (scope := self.repositories) is not None:
            found += [name for name in names if re.split("[:@]", name)[0] not in scope]
            found += [] if scope else self.written
        services = self.environment.get("ALLOWED_SERVICES", "") or "*"
        if not fnmatchcase(f"{CLUSTER}/{SERVICE}", services):
            found += self.written
        return found

"""Thousands of open updates on the simulated ECS, and runs of the reconciler with the time that
calls take in an account.
"""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from ecs_updater.aws import dynamodb
from ecs_updater.aws.dynamodb import Table
from ecs_updater.aws.ecs import _CONFIG, Ecs
from ecs_updater.context import Call
from ecs_updater.deployments.reconciler import RATE_SHARE, Reconciliation, reconcile
from fakes.memory_dynamodb import TABLE
from fakes.simulated_ecs import Image
from fakes.simulated_ecs.simulation import CLUSTER
from fakes.wire import Json, Killed, Request

from .fleet_run import FleetRun
from .rollout_world import QUICK

ECS_SECONDS, DYNAMODB_SECONDS = 0.05, 0.006
"""Duration of a call."""

TIMEOUT = 900.0
"""Of the reconciler's function. Then the next run begins."""

_REVISIONS = 100
"""Different revisions that the services run."""


class OpenUpdates:
    """``size`` services with an open update each.

    Of a hundred, one fails and is rolled back, 33 have ended, and the others go on.
    """

    def __init__(self, size: int, timeout: float = TIMEOUT):
        bodies = [
            {"family": f"family-{number}", "containerDefinitions": [_container(number, 1)]}
            for number in range(min(size, _REVISIONS))
        ]
        self.run = FleetRun(size, shared=bodies)
        self._timeout = timeout
        self.polls: Counter[str] = Counter()
        """Number of polls by service."""
        self.seconds = 0.0
        """Duration of the latest run."""
        self._kill_at: int | None = None
        self._begin_all(len(bodies))
        client = self.run.ecs.client(_CONFIG.merge(QUICK))
        self._ecs = Ecs(client, share=RATE_SHARE, clock=self.run.clock)
        self._table = Table(TABLE, self.run.dynamodb.client(dynamodb._CONFIG.merge(QUICK)))  # pylint: disable=protected-access
        self.run.ecs.before, self.run.dynamodb.before = self._ecs_call, self._dynamodb_call
        self.run.ecs.buckets.calls.clear()

    def _begin_all(self, revisions: int) -> None:
        run, names = self.run, self.run.ecs.names
        for number in range(revisions):
            image = Image.exits(code=3) if number == 1 else Image.slow(10 * 3600 * (number % 3))
            run.ecs.images.becomes(f"registry/app-{number}:2", image)
        event = run.ecs.event(names[0], "registry/app-0:2", rollback_on_failure=True)
        run.send(event)
        run.work()
        items = run.dynamodb._items  # pylint: disable=protected-access
        first = {key: json.dumps(item) for key, item in items.items() if names[0] in str(item)}
        made = self._deployment(names[0])
        arns = {
            self.run.ecs.service_of(names[0]).primary.revision.task_definition["family"]: made[1]
        }
        for number, name in enumerate(names[1:], 1):
            family = f"family-{number % revisions}"
            if family not in arns:
                body = {
                    "family": family,
                    "containerDefinitions": [_container(number % revisions, 2)],
                }
                arns[family] = run.ecs.world.register(body)["taskDefinitionArn"]
            update = {"cluster": CLUSTER, "service": name, "taskDefinition": arns[family]}
            run.ecs.answer("UpdateService", update)
            new = self._deployment(name)
            changes = {
                names[0]: name,
                made[0]: new[0],
                "message-1": f"message-{number + 1}",
                "family-0:": f"{family}:",
                "app-0:": f"app-{number % revisions}:",
            }
            for key, text in first.items():
                if "RATE" not in key[0]:
                    item = json.loads(_replaced(text, changes))
                    items[item["pk"]["S"], item["sk"]["S"]] = item

    def _deployment(self, name: str) -> tuple[str, str]:
        primary = self.run.ecs.service_of(name).primary
        return primary.id, primary.revision.task_definition["taskDefinitionArn"]

    def _ecs_call(self, _: Request) -> None:
        self.run.time.now += ECS_SECONDS

    def _dynamodb_call(self, request: Request) -> None:
        self.run.time.now += DYNAMODB_SECONDS
        key = request.body.get("Key", {})
        if request.operation == "UpdateItem" and key["pk"]["S"] == "OPEN":
            self.polls[key["sk"]["S"].rpartition("#")[0].rpartition("/")[2]] += 1
            if self._kill_at is not None and self.polls.total() >= self._kill_at:
                self._kill_at = None
                raise Killed("the reconciler")

    def reconcile(self, kill_after: int | None = None, event: Any = None) -> Reconciliation | None:
        """Runs the reconciler on its schedule, or for an event of ECS.

        ``kill_after``: it is killed at this poll. Then returns None.
        """
        start = self.run.time()
        end = start + self._timeout
        self._kill_at = None if kill_after is None else self.polls.total() + kill_after
        call = Call("reconciler", None, lambda: end - self.run.time(), self.run.clock)
        try:
            return reconcile(event, self.run.environment, self._ecs, self._table, call)
        except Killed:
            return None
        finally:
            self.seconds = self.run.time() - start
            assert self.seconds <= self._timeout, "the function has timed out"
            self.run.time.now = end

    @property
    def markers(self) -> list[Json]:
        """The markers of the open updates."""
        return [item for (pk, _), item in self.run.dynamodb.items.items() if pk == "OPEN"]

    @property
    def never_polled(self) -> set[str]:
        """The services that no run has polled."""
        return set(self.run.ecs.names) - self.polls.keys()


def _container(number: int, tag: int) -> dict[str, object]:
    return {"name": "app", "image": f"registry/app-{number}:{tag}", "memory": 128}


def _replaced(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def spread(counts: Iterable[int]) -> int:
    """The difference between the largest and the smallest number."""
    numbers = list(counts)
    return max(numbers) - min(numbers)

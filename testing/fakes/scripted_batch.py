"""A batch whose course is written down, shown by the real loop and the real views: what the tests
put into a terminal.

Time is the script's: a second for each look, however long that takes.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ecs_updater.context import Clock
from ecs_updater.ledger.batch import Batch, Member, members_of
from ecs_updater_cli.backends.account import StartedBatch
from ecs_updater_cli.batch.state import State, Status, TaskCounts
from ecs_updater_cli.batch.tracker import Row
from ecs_updater_cli.commands.options import ViewOptions
from ecs_updater_cli.commands.watch import wait_for_batch
from ecs_updater_cli.output.terminal import Printer

START = 1_800_000_000.0
_MOST_IDLE_POLLS = 1000
BATCH = "20270115T080000Z-5eed"

WEB = {
    "ecs_cluster_name": "shop",
    "ecs_service_name": "web",
    "ecs_image_name": "web:2",
    "ecs_tag": {},
}

HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202ereversed\r\nnext"
"""What a tag, a cause or an image must not do to a terminal."""


def batch(
    services: Sequence[tuple[str, str, str | None]], max_failures: int | None = None
) -> StartedBatch:
    """A batch of services of the cluster ``shop``, or of the one before a slash: name, image,
    group.
    """
    events = []
    for name, image, _ in services:
        cluster, _, service = f"shop/{name}".rpartition("/")
        names = {"ecs_cluster_name": cluster.rpartition("/")[2], "ecs_service_name": service}
        events.append({**names, "ecs_image_name": image, "ecs_tag": {}})
    members = list(members_of(BATCH, events, [group for _, _, group in services]))
    return StartedBatch(
        Batch(BATCH, "2027-01-15T08:00:00.000Z", len(members), "somebody", max_failures), members
    )


class ScriptedClock:
    """A clock that only the script moves."""

    def __init__(self, pause: float = 0.0):
        self.moment, self._pause = START, pause
        self.stands_still = False

    def sleep(self, seconds: float) -> None:
        """A second passes, in hardly any time."""
        del seconds
        if not self.stands_still:
            self.moment += 1.0
        time.sleep(self._pause)

    @property
    def clock(self) -> Clock:
        """As the code takes it."""
        return Clock(now=lambda: self.moment, sleep=self.sleep, epoch=lambda: self.moment)


class ScriptedBackend:
    """A backend whose polls return the steps of a script: by the service's number its status from
    then on.
    """

    def __init__(
        self,
        *steps: Mapping[int, Status],
        counts: Mapping[int, TaskCounts] | None = None,
        id_: str | None = BATCH,
        awaited: str = Row.awaited,
        pause: float = 0.0,
    ):
        self._steps, self._counts = list(steps), counts or {}
        self.time = ScriptedClock(pause)
        self._pause, self._idle_polls = pause, 0
        self._status: dict[int, Status] = {}
        self._begun_at: dict[int, float] = {}
        self.id, self.awaited = id_, awaited
        self.hint = "Ctrl-C detaches, and the updates go on"
        self.started: list[list[int]] = []
        self.is_closed = False

    def start(self, members: Sequence[Member]) -> None:
        """Notes which."""
        self.started.append([member.number for member in members])

    def poll(self, waiting: Sequence[Row]) -> Mapping[int, Status]:
        """The next step; after the last one nothing changes any more, and time stands still."""
        if self._steps:
            for number, status in self._steps.pop(0).items():
                begun_at = self._begun_at.setdefault(number, self.time.moment)
                ended_at = self.time.moment if status.state.is_over else None
                is_begun = status.state not in (State.QUEUED, State.NOT_STARTED)
                self._status[number] = replace(
                    status, begun_at=begun_at if is_begun else None, ended_at=ended_at
                )
        else:
            self.time.stands_still = True
            self._idle_polls += 1
            # With a pause, a terminal shows the batch until the test ends it.
            assert self._pause or self._idle_polls < _MOST_IDLE_POLLS, "the batch does not end"
        numbers = [row.number for row in waiting if row.number in self._status]
        return {number: self._status[number] for number in numbers}

    def counts(self, waiting: Sequence[Row]) -> Mapping[int, TaskCounts]:
        """Those of the script."""
        return {
            row.number: self._counts[row.number] for row in waiting if row.number in self._counts
        }

    def close(self) -> None:
        """Notes it."""
        self.is_closed = True

    def detach_note(self, *_: object) -> str:
        """How to resume."""
        return f"resume with ecs-updater watch {BATCH}"


GOOD, TO = State.SUCCEEDED, State.DEPLOYING


def shop(
    count: int = 12, said: str = HOSTILE
) -> tuple[StartedBatch, list[dict[int, Status]], dict[int, TaskCounts]]:
    """A batch in the middle: some done, some at it, one failed, two with what ECS ``said`` in their
    causes.
    """
    names = [
        "web",
        "api",
        "checkout",
        "search",
        "mail",
        "billing",
        "reports",
        "images",
        "admin",
        "gateway",
        "sessions",
        "worker",
    ]
    names += [f"tenant-{number:03d}" for number in range(count - len(names))]
    begun = batch(
        [
            (name, f"registry.example.com/shop/{name}:2.4.{number}", None)
            for number, name in enumerate(names[:count])
        ]
    )
    begin = {number: Status(State.BEGUN) for number in range(1, 9)}
    deploy = {number: Status(TO, f"to {names[number - 1]}:7") for number in range(1, 9)}
    first = {
        1: Status(GOOD, "2 of 2 tasks run web:7"),
        2: Status(State.UNCHANGED, "nothing differs"),
        3: Status(
            State.FAILED,
            "container app exited with code 3, 3 times; the service was not rolled back",
        ),
        9: Status(State.BEGUN),
    }
    second = {
        4: Status(GOOD, "4 of 4 tasks run search:7"),
        5: Status(State.ROLLING_BACK, f"back to mail:6, {said}"),
        6: Status(State.ROLLED_BACK, f"{said}; the service is back: 2 of 2 tasks run billing:6"),
        9: Status(TO, "to admin:7"),
        10: Status(
            State.RETRYING,
            "new task_definition could not be created Rate exceeded; the service is as it was",
        ),
    }
    return (
        begun,
        [begin, deploy, first, second],
        {5: TaskCounts(1, 2), 7: TaskCounts(1, 3), 8: TaskCounts(0, 1), 9: TaskCounts(2, 4)},
    )


def ending() -> dict[int, Status]:
    """The step after which all of the twelve have their end."""
    good = {number: Status(GOOD, "2 of 2 tasks run x:7") for number in (7, 8, 9, 10, 11)}
    not_started = Status(State.NOT_STARTED, "one update of the batch has failed")
    return {**good, 5: Status(State.ROLLED_BACK, "the service is back"), 12: not_started}


def play() -> int:
    """Plays the batch that the arguments say: how it is shown, how many services, whether it comes
    to an end.
    """
    options: dict[str, Any] = json.loads(sys.argv[1])
    begun, steps, counts = shop(options.get("count", 12), options.get("said", HOSTILE))
    last = [ending()] if options.get("ends") else []
    backend = ScriptedBackend(*steps, *last, counts=counts, pause=0.01)
    how = ViewOptions(options.get("live", True), options.get("json", False))
    return wait_for_batch(backend, begun, how, Printer(), backend.time.clock)


if __name__ == "__main__":
    sys.exit(play())

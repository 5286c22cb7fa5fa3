"""The services of a batch with their status, the changes between two polls, and the waves."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ecs_updater.ledger.batch import Member
from ecs_updater.model.arn import revision_name
from ecs_updater.model.event_parser import ROLLBACK
from ecs_updater.model.revision_settings import CONTAINER_FIELDS, TASK_FIELDS, by_container

from ..manifest.entries import ServiceIdentity
from ..output.terminal import number_of
from .state import State, Status, TaskCounts


@dataclass(frozen=True)
class Row:
    """One service of the batch, with its status."""

    member: Member
    status: Status = field(default_factory=Status)
    counts: TaskCounts | None = None
    polled_at: float = 0.0
    """When the counts were read, in seconds since the epoch."""
    # What a rollout waits for when all its tasks run.
    awaited: str = "the reconciler"

    @property
    def number(self) -> int:
        """From 1, in the order of the file."""
        return self.member.number

    @property
    def identity(self) -> ServiceIdentity:
        """The service, with the names of its cluster and its target."""
        return ServiceIdentity.of(self.member.event)

    @property
    def service(self) -> str:
        """Name of the service."""
        return self.identity.service

    @property
    def image(self) -> str | None:
        """The requested image, or `rollback`. None: only other settings change."""
        event = self.member.event
        return ROLLBACK if event.get("action") == ROLLBACK else event.get("ecs_image_name")

    @property
    def requested(self) -> str:
        """The requested image or settings in a few words."""
        return self.image or _settings_of(self.member.event)

    @property
    def name(self) -> str:
        """Target, if there is one, cluster and service."""
        return str(self.identity)

    @property
    def state(self) -> State:
        """State of the update."""
        return self.status.state

    def progress(self, now: float, *, with_counts: bool = False) -> str:
        """Returns what a rollout waits for, and the cause."""
        cause, counts = self.status.cause, self.counts
        is_paused = self.state is State.AWAITING_APPROVAL
        if not counts or not self.polled_at or not self.state.is_rolling_out or is_paused:
            return cause
        running = f"{counts} run; " if with_counts else ""
        subject = "tasks" if counts.running < counts.desired else self.awaited
        text = f"{running}waiting for {subject} (polled {int(now - self.polled_at)} s ago)"
        return f"{text}; {cause}" if self.state is State.DEPLOYING else f"{cause}; {text}"

    def seconds(self, now: float) -> float | None:
        """Returns the duration of the update until its end or `now`, in seconds since the epoch.

        None if the update has not begun.
        """
        if self.status.begun_at is None:
            return None
        return max(0.0, (self.status.ended_at or now) - self.status.begun_at)


def _settings_of(event: Mapping[str, Any]) -> str:
    """Returns for example `2 settings, count 3`."""
    settings = [
        *(value for _, fields in by_container(event) for value in _container_values(fields)),
        *(event[name] for name in TASK_FIELDS if name in event),
        *event.get("ecs_deployment", {}),
    ]
    images, count = event.get("ecs_container_images", {}), event.get("ecs_desired_count")
    parts = (
        revision_name(event.get("ecs_task_definition", "")),
        number_of(len(images), "image") if images else "",
        number_of(len(settings), "setting") if settings else "",
        "" if count is None else f"count {count}",
    )
    return ", ".join(filter(None, parts))


def _container_values(fields: Mapping[str, Any]) -> Iterator[object]:
    """Yields each requested setting of a container, and each variable by itself."""
    for name in CONTAINER_FIELDS:
        value = fields.get(name)
        yield from value if isinstance(value, Mapping) else () if value is None else (value,)


class Tracker:
    """The rows of a batch by number, and its waves: the groups of the batch one after another.

    A wave starts when all updates of the waves before it have succeeded. The thread of the live
    view reads the rows, so a row is replaced and never modified.
    """

    def __init__(
        self,
        members: Sequence[Member],
        begun_at: float,
        batch: str | None = None,
        awaited: str = Row.awaited,
    ):
        """`batch` is the id in the ledger, if any; `begun_at` is in seconds since the epoch.

        See `Row.awaited`.
        """
        self.batch, self.begun_at = batch, begun_at
        self._rows = {member.number: Row(member, awaited=awaited) for member in members}
        groups = dict.fromkeys(member.group for member in members)
        self.waves = sorted(groups, key=lambda group: group is not None)
        """The group of each wave, in the order of their first services. None comes first."""
        self.waves_left = list(self.waves)

    @property
    def rows(self) -> list[Row]:
        """All rows in the order of the file."""
        return list(self._rows.values())

    @property
    def waiting(self) -> list[Row]:
        """The rows whose update is not over."""
        return [row for row in self.rows if not row.state.is_over]

    @property
    def is_good(self) -> bool:
        """Whether all services are as requested."""
        return all(row.state.is_good for row in self.rows)

    @property
    def tally(self) -> Counter[State]:
        """Number of rows by state."""
        return Counter(row.state for row in self.rows)

    def seconds(self, now: float) -> float:
        """Returns the duration of the batch until its end or `now`, in seconds since the epoch."""
        ended_at = max(row.status.ended_at or 0.0 for row in self.rows) if not self.waiting else 0.0
        return max(0.0, (ended_at or now) - self.begun_at)

    def apply(self, statuses: Mapping[int, Status]) -> list[Row]:
        """Stores the current statuses by number. Returns the rows whose state or hook has changed.

        A status that contains the number of tasks replaces the counts of the row.
        """
        changed = []
        for number, status in sorted(statuses.items()):
            row = self._rows[number]
            if status != row.status:
                counts = status.counts or row.counts
                self._rows[number] = replace(row, status=status, counts=counts)
            if (status.state, status.hook_id) != (row.state, row.status.hook_id):
                changed.append(self._rows[number])
        return changed

    def apply_counts(self, counts: Mapping[int, TaskCounts], now: float) -> None:
        """Stores the current number of tasks by number of the row."""
        for number, count in counts.items():
            if not self._rows[number].state.is_over:
                self._rows[number] = replace(self._rows[number], counts=count, polled_at=now)

"""One service of a batch, as it is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ecs_updater.ledger.batch import Member
from ecs_updater.model.event_parser import ROLLBACK

from .state import State, Status, TaskCounts


@dataclass(frozen=True)
class Row:
    """One service of the batch."""

    number: int
    """From 1, in the order of the file."""
    cluster: str
    service: str
    """By name."""
    image: str
    """The image that was asked for; of a rollback ``rollback``."""
    group: str | None = None
    request_id: str = ""
    event: Mapping[str, Any] = field(default_factory=dict)
    status: Status = field(default_factory=Status)
    counts: TaskCounts | None = None

    @classmethod
    def of(cls, member: Member) -> "Row":
        """That of a service of which nothing is known yet."""
        event = member.event
        return cls(
            number=member.number,
            cluster=event["ecs_cluster_name"].rpartition("/")[2],
            service=event["ecs_service_name"].rpartition("/")[2],
            image=ROLLBACK if event.get("action") == ROLLBACK else event["ecs_image_name"],
            group=member.group,
            request_id=member.request_id,
            event=event,
        )

    @property
    def name(self) -> str:
        """Cluster and service."""
        return f"{self.cluster}/{self.service}"

    @property
    def state(self) -> State:
        """How far it is."""
        return self.status.state

    @property
    def member(self) -> Member:
        """As the batch has it."""
        return Member(self.number, self.request_id, self.event, self.group)

    def with_status(self, status: Status) -> "Row":
        """The row with what is known now; what ended tells its tasks itself."""
        return replace(self, status=status, counts=status.counts or self.counts)

    def with_task_counts(self, counts: TaskCounts) -> "Row":
        """The row with its tasks as they are now."""
        return replace(self, counts=counts)

    def seconds(self, now: float) -> float | None:
        """For how long it has gone on, or went on; ``now`` in seconds since the epoch.

        None where it has not begun.
        """
        if self.status.begun_at is None:
            return None
        return max(0.0, (self.status.ended_at or now) - self.status.begun_at)

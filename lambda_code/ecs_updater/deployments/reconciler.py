"""Completes the updates whose caller did not wait, or whose process was killed: the ledger's open
entries.

Woken by EventBridge's ``ECS Deployment State Change`` events, which are sent once at best and tell
of a failure only where the circuit breaker is on, and by a slow poll for what no event tells.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..aws.dynamodb import Table
from ..aws.ecs import Ecs
from ..aws.errors import AwsFailure, Outcome
from ..context import Call, Clock
from ..errors import ConfigurationError, EcsUpdaterError, LeaseHeldError, LedgerError
from ..ledger.entry import Entry, Side, seconds
from ..ledger.lease import Holder, Leases
from ..ledger.memory import MemoryLedger
from ..ledger.open_entries import OpenEntries, OpenEntry, Page
from ..ledger.store import History
from ..log import logger
from ..model.arn import service_key
from ..model.verdict import Verdict
from ..settings import Settings
from .recovery import GONE, NO_SERVICE, Recovery, in_order
from .waiter import Waiter

_SERVICES_AT_ONCE = 10
"""The most services of one DescribeServices."""

_NEEDED_SECONDS = 30.0
"""What has to be left of the function's time to look at one more service."""


_SKIPPED_AT_MOST = 200
"""How many reasons the answer has, which is one line of the log."""


@dataclass
class Completed:
    """What one run came to."""

    ended: list[Entry] = field(default_factory=list)
    """Without what is large in an entry, since a run can end thousands."""
    open: int = 0
    """Entries whose rollout goes on."""
    skipped: list[str] = field(default_factory=list)
    """Entries, or services, that were not looked at, and why."""

    def settled(self, entry: Entry) -> None:
        """Counts an entry as it is after it was looked at."""
        if entry.is_ended:
            slim = replace(
                entry,
                before=Side(),
                after=Side(),
                rollback_tags=None,
                digests={},
                answer=None,
                error_attributes=None,
            )
            self.ended.append(slim)
        else:
            self.open += 1

    def skip(self, key: str, reason: str) -> None:
        """Counts what was not looked at, and logs it."""
        logger.warning("skipped", entry=key, reason=reason)
        self.skipped.append(f"{key}: {reason}")

    def to_json(self) -> dict[str, Any]:
        """The answer of the function."""
        listed, others = self.skipped[:_SKIPPED_AT_MOST], len(self.skipped) - _SKIPPED_AT_MOST
        return {
            "ended": [
                {
                    "service": entry.service,
                    "requestId": entry.request_id,
                    "verdict": entry.verdict,
                    "cause": entry.cause,
                }
                for entry in self.ended
            ],
            "open": self.open,
            "skipped": [*listed, f"and {others} more, see the log"] if others > 0 else listed,
        }


def complete(  # pylint: disable=too-many-arguments,too-many-positional-arguments
    event: Any,
    environment: Mapping[str, str],
    ecs: Ecs,
    table: Table | MemoryLedger | None,
    call: Call,
    batch: str | None = None,
) -> Completed:
    """Looks at the open entries, of the service that ``event`` is about or of all, and ends those
    that have come to their end.

    An entry or a service that raises anything is skipped. Where no time is left, the next run goes
    on from there. ``batch``: only the entries of this batch. Raises ConfigurationError without a
    table, LedgerError when it cannot be read.
    """
    settings = Settings.from_environment(environment)
    if table is None:
        raise ConfigurationError(
            "the function's LEDGER_TABLE is empty: without a ledger there is nothing to complete"
        )
    history, leases, open_entries = _parts(table, settings.ledger_retention_days, call.clock)
    recovery = Recovery(ecs, Waiter(ecs, settings, call.clock), history)
    completed, service = Completed(), service_of(event)
    for page in [Page(open_entries.of(service), True)] if service else open_entries.pages():
        for read in _read(
            ecs, page.entries, completed, call, batch, settings.open_update_max_hours * 3600
        ):
            if call.time_left() < _NEEDED_SECONDS:
                completed.skip(read.key, "no time left, the next run goes on here")
                return completed
            if not page.is_all and batch is None:
                # Before the look: where it ends the run, the next run comes past it.
                open_entries.go_on_after(read.entries[-1])
            _complete_service(read, leases, recovery, completed, f"completer {call.id}")
    return completed


def _parts(
    table: Table | MemoryLedger, retention_days: int, clock: Clock
) -> tuple[History, Leases, OpenEntries]:
    """Returns the parts of the ledger that the reconciler uses."""
    if isinstance(table, MemoryLedger):
        return table.history, table.leases, table.open_entries
    return (
        History(table, retention_days=retention_days, clock=clock.epoch),
        Leases(table, clock=clock.epoch, sleep=clock.sleep),
        OpenEntries(table),
    )


def _complete_service(
    read: "_Read", leases: Leases, recovery: Recovery, completed: Completed, holder: str
) -> None:
    try:
        with leases.held(read.key, Holder.of(holder)) as lease:
            known = None if lease.term.is_stale(read.at) else read.service
            for entry in in_order(read.readable):
                try:
                    settled = recovery.settle(entry, lease, known)
                    if settled.rollback or settled.verdict == Verdict.INTERRUPTED:
                        known = None
                    completed.settled(settled)
                except LeaseHeldError:
                    completed.open += 1  # The holder of the lease works on it.
                except EcsUpdaterError as error:
                    completed.skip(read.key, str(error))
    except LeaseHeldError:
        completed.open += len(read.readable)
    except EcsUpdaterError as error:
        completed.skip(read.key, str(error))


def service_of(event: Any) -> str | None:
    """The key of the service that an event of EventBridge is about; None for all of them."""
    if not isinstance(event, dict) or event.get("detail-type") != "ECS Deployment State Change":
        return None
    resources = event.get("resources")
    arn = (
        next((one for one in resources if isinstance(one, str)), "")
        if isinstance(resources, list)
        else ""
    )
    try:
        return service_key(arn)
    except ValueError:
        return None


@dataclass(frozen=True)
class _Read:
    """One service with open entries, as it was read."""

    at: float
    service: Mapping[str, Any] | None
    """As DescribeServices tells it; None when it does not."""
    entries: list[OpenEntry]
    """Those that can be read, the oldest first."""

    @property
    def key(self) -> str:
        """The service's key."""
        return self.entries[0].service

    @property
    def readable(self) -> list[Entry]:
        """The entries themselves."""
        return [one.found for one in self.entries if isinstance(one.found, Entry)]


def _read(  # pylint: disable=too-many-arguments,too-many-positional-arguments,too-many-locals
    ecs: Ecs,
    entries: Sequence[OpenEntry],
    completed: Completed,
    call: Call,
    batch: str | None,
    most_seconds: float,
) -> Iterator[_Read]:
    """Reads the services of ``entries``, or of those of a batch, ten of a cluster with one call.

    One that cannot be read is skipped, unless it has an entry that has not changed for
    ``most_seconds``: that ends all the same.
    """
    by_cluster: dict[str, dict[str, list[OpenEntry]]] = defaultdict(lambda: defaultdict(list))
    for one in entries:
        if isinstance(one.found, LedgerError):
            completed.skip(one.service, str(one.found))
        elif batch in (None, one.found.batch):
            by_cluster[one.found.cluster_arn][one.found.service_arn].append(one)
    for cluster, by_service in by_cluster.items():
        for first in range(0, len(by_service), _SERVICES_AT_ONCE):
            arns = list(by_service)[first : first + _SERVICES_AT_ONCE]
            at = call.clock.epoch()
            for arn, service in _described(ecs, cluster, arns).items():
                read = _Read(
                    at, None if isinstance(service, Exception) else service, by_service[arn]
                )
                has_aged = any(
                    at - (seconds(entry.updated_at) or at) > most_seconds for entry in read.readable
                )
                if isinstance(service, Exception) and not has_aged:
                    completed.skip(read.key, str(service))
                else:
                    yield read


def _described(
    ecs: Ecs, cluster: str, arns: Sequence[str]
) -> dict[str, Mapping[str, Any] | Exception | None]:
    """Each service as DescribeServices returns it, or why it does not.

    Where one spoils the call, each is asked by itself.
    """
    try:
        services, _ = ecs.describe_services(cluster, arns)
        told = {service["serviceArn"]: service for service in services}
        return {arn: told.get(arn) for arn in arns}
    except Exception as error:  # pylint: disable=broad-exception-caught
        failure = error if isinstance(error, AwsFailure) else None
        if failure and failure.code in GONE:
            return {arn: {**NO_SERVICE, "serviceArn": arn} for arn in arns}
        if len(arns) == 1 or (failure and failure.outcome is not Outcome.REFUSED):
            return dict.fromkeys(arns, error)
        return {arn: one for each in arns for arn, one in _described(ecs, cluster, [each]).items()}

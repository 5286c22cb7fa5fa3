"""Completes the updates whose caller did not wait, or whose process was killed: the ledger's open entries.

Woken by EventBridge's ``ECS Deployment State Change`` events, which are sent once at best and tell of a failure only where the
circuit breaker is on, and by a slow poll for what no event tells.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..aws.dynamodb import Table
from ..aws.ecs import Ecs
from ..aws.failure import AwsFailure
from ..call import Call
from ..errors import ConfigurationError, EcsUpdaterError, LeaseHeldError
from ..ledger.entry import Entry
from ..ledger.history import History
from ..ledger.key import service_key
from ..ledger.lease import Holder, Leases
from .recovery import GONE, NO_SERVICE, Recovery
from .rolling import Rolling
from ..settings import Settings

_SERVICES_AT_ONCE = 10
"""The most services of one DescribeServices."""

_NEEDED_SECONDS = 30.0
"""What has to be left of the function's time to look at one more service."""


@dataclass
class Completed:
    """What one run came to."""

    ended: list[Entry] = field(default_factory=list)
    open: int = 0
    """Entries whose rollout goes on."""
    skipped: list[str] = field(default_factory=list)
    """Services that were not looked at, and why."""

    def to_json(self) -> dict[str, Any]:
        """The answer of the function."""
        return {
            "ended": [
                {"service": entry.service, "requestId": entry.request_id, "verdict": entry.verdict, "cause": entry.cause}
                for entry in self.ended
            ],
            "open": self.open,
            "skipped": self.skipped,
        }


def complete(  # pylint: disable=too-many-arguments,too-many-positional-arguments
    event: Any, environment: Mapping[str, str], ecs: Ecs, table: Table | None, call: Call, batch: str | None = None
) -> Completed:
    """Looks at the open entries, of the service that ``event`` is about or of all, and ends those that have come to their end.

    ``batch``: only at those of this batch. Raises ConfigurationError without a table, LedgerError when it cannot be read.
    """
    settings = Settings.from_environment(environment)
    if table is None:
        raise ConfigurationError("the function's LEDGER_TABLE is empty: without a ledger there is nothing to complete")
    history = History(table, retention_days=settings.ledger_retention_days, clock=call.clock.epoch)
    leases = Leases(table, clock=call.clock.epoch, sleep=call.clock.sleep)
    recovery = Recovery(ecs, Rolling(ecs, settings, call.clock), history)
    completed = Completed()
    entries = [one for one in history.unfinished(service_of(event)) if batch in (None, one.batch)]
    for read in _read(ecs, entries, completed, call):
        if call.time_left() < _NEEDED_SECONDS:
            completed.skipped.append(f"{read.key}: no time left, the next run looks at it")
            continue
        try:
            with leases.hold(read.key, Holder.of(f"completer {call.id}")) as hold:
                known = None if hold.lease.is_stale(read.at) else read.service
                settled = [recovery.settle(entry, hold, known) for entry in read.entries]
            completed.ended += [entry for entry in settled if entry.is_ended]
            completed.open += sum(not entry.is_ended for entry in settled)
        except LeaseHeldError:
            completed.open += len(read.entries)  # Whoever holds the service is at it.
        except EcsUpdaterError as error:
            completed.skipped.append(f"{read.key}: {error}")
    return completed


def service_of(event: Any) -> str | None:
    """The key of the service that an event of EventBridge is about; None for all of them."""
    if not isinstance(event, dict) or event.get("detail-type") != "ECS Deployment State Change":
        return None
    resources = event.get("resources")
    arn = next((one for one in resources if isinstance(one, str)), "") if isinstance(resources, list) else ""
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
    entries: list[Entry]
    """The oldest first."""

    @property
    def key(self) -> str:
        """The service's key."""
        return self.entries[0].service


def _read(ecs: Ecs, entries: Sequence[Entry], completed: Completed, call: Call) -> Iterator[_Read]:
    """Reads the services of ``entries``, ten of a cluster with one call."""
    by_cluster: dict[str, dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        by_cluster[entry.cluster_arn][entry.service_arn].append(entry)
    for cluster, by_service in by_cluster.items():
        for first in range(0, len(by_service), _SERVICES_AT_ONCE):
            arns = list(by_service)[first : first + _SERVICES_AT_ONCE]
            at = call.clock.epoch()
            try:
                services, _ = ecs.describe_services(cluster, arns)
            except AwsFailure as failure:
                if failure.code not in GONE:
                    completed.skipped += [f"{arn}: {failure}" for arn in arns]
                    continue
                services = [{**NO_SERVICE, "serviceArn": arn} for arn in arns]
            told = {service["serviceArn"]: service for service in services}
            yield from (_Read(at, told.get(arn), by_service[arn]) for arn in arns)

"""Finishes the open entries of the ledger: updates without a waiting caller, or interrupted ones.

EventBridge invokes it for `ECS Deployment State Change` events, which are sent at most once and
report a failure only with the circuit breaker on, and for `ECS Hook State Change` events. A
schedule invokes it for everything else.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_hook_state_change_events.html
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .. import metrics
from ..aws.dynamodb import Table
from ..aws.ecs import SERVICE_DEPLOYMENTS_PER_CALL, Ecs
from ..aws.ecs_reader import service_batches
from ..context import Call
from ..errors import (
    AwsFailure,
    ConfigurationError,
    EcsUpdaterError,
    LeaseHeldError,
    LedgerError,
    Outcome,
    one_line,
)
from ..ledger.entry import Entry, Side, changed_at, seconds
from ..ledger.lease import Holder, Lease, Leases
from ..ledger.memory import MemoryLedger
from ..ledger.store import History, OpenEntry, ledger_of
from ..log import keys_of, logger
from ..model.arn import account_prefix, service_key
from ..rollout.rollout_state import SERVICE_DEPLOYMENT, rollout_state_of
from ..settings import Settings
from .recovery import GONE, NO_SERVICE, Recoveries, in_order
from .waiter import is_stop

_DEPLOYMENT_EVENT, _HOOK_EVENT = "ECS Deployment State Change", "ECS Hook State Change"

RATE_SHARE = 0.5
"""Share of ECS's rates that the function takes. The rest is for updates at the same time."""

ALL_SERVICES = "RECONCILER"
"""Key of the lease of a run over all services."""

_NEEDED_SECONDS = 30.0
"""Minimum remaining seconds to reconcile one more service."""

_OVERDUE_SECONDS = 3600.0
"""Seconds in which a run ends an entry that is too old."""

_LISTED_AT_MOST, _CAUSE_LENGTH = 100, 500
"""Bounds of the response, which is one line of the log: CloudWatch Logs takes 256 KB."""


@dataclass
class Reconciliation:
    """Result of one run."""

    ended: list[Entry] = field(default_factory=list)
    """Without the large fields, since a run can end thousands of entries."""
    open: int = 0
    """Entries whose rollout goes on."""
    skipped: list[str] = field(default_factory=list)
    """Entries or services that were not reconciled, verdicts that were not sent, and why."""
    notified: int = 0
    """Verdicts that were sent."""
    found: int = 0
    """Readable entries that were open at the begin of the run."""
    oldest_seconds: float = 0.0
    """Age of the oldest of them."""
    overdue: int = 0
    """Entries that should have ended an hour ago or earlier."""
    is_beside: bool = False
    """Whether another run over all services goes on, which measures the entries."""

    def measure(self, entry: Entry, now: float, most_seconds: float) -> None:
        """Measures an open entry. `most_seconds`: without a change for longer, it ends."""
        self.found += 1
        self.oldest_seconds = max(self.oldest_seconds, now - (seconds(entry.begun_at) or now))
        self.overdue += now - (changed_at(entry) or now) > most_seconds + _OVERDUE_SECONDS

    def count(self, entry: Entry) -> None:
        """Counts a recovered entry."""
        if not entry.is_ended:
            self.open += 1
            return
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

    def skip(self, key: str, reason: str, entries: Sequence[Entry] = ()) -> None:
        """Counts a skipped service or unreadable entry. Logs it for each of its `entries`."""
        for keys in [keys_of(entry) for entry in entries] or [{}]:
            logger.warning("skipped", entry=key, reason=reason, **keys)
        self.skipped.append(f"{key}: {reason}")

    def put_metrics(self) -> None:
        """Writes the metrics of a run over all services."""
        if self.is_beside:
            return
        metrics.measure_run(
            open_updates=self.found - len(self.ended),
            oldest_seconds=self.oldest_seconds,
            overdue=self.overdue,
            skipped=len(self.skipped),
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the response of the function."""
        listed = [one_line(reason, _CAUSE_LENGTH) for reason in self.skipped[:_LISTED_AT_MOST]]
        others = len(self.skipped) - _LISTED_AT_MOST
        not_listed = len(self.ended) - _LISTED_AT_MOST
        return {
            "ended": [
                {
                    "service": entry.service,
                    "requestId": entry.request_id,
                    "verdict": entry.verdict,
                    "cause": entry.cause and one_line(entry.cause, _CAUSE_LENGTH),
                }
                for entry in self.ended[:_LISTED_AT_MOST]
            ],
            **({"endedNotListed": not_listed} if not_listed > 0 else {}),
            "open": self.open,
            "notified": self.notified,
            "skipped": [*listed, f"and {others} more, see the log"] if others > 0 else listed,
        }


@dataclass(frozen=True)
class _OpenService:
    """One service with open entries."""

    key: str
    read_at: float
    service: Mapping[str, Any] | None
    """The service in DescribeServices. None: it was not returned."""
    entries: list[Entry]
    """The readable entries, the oldest first."""
    failure: Exception | None = None
    """Why the service could not be read."""

    @property
    def age(self) -> float:
        """Returns the seconds since the last change of its oldest entry."""
        return self.read_at - min(changed_at(entry) or self.read_at for entry in self.entries)


def reconcile(  # pylint: disable=too-many-arguments,too-many-positional-arguments
    event: Any,
    environment: Mapping[str, str],
    ecs: Ecs,
    table: Table | MemoryLedger | None,
    call: Call,
    batch: str | None = None,
) -> Reconciliation:
    """Ends the open entries that have a verdict, of the event's service or of all services.

    An entry or service that raises anything is skipped. If no time is left, the next run continues.
    `batch`: only the entries of this batch. Raises ConfigurationError without a table, and
    LedgerError if it cannot be read.
    """
    settings = Settings.from_environment(environment)
    if table is None:
        raise ConfigurationError(
            "the function's LEDGER_TABLE is empty: without a ledger there is nothing to complete"
        )
    ledger, key = ledger_of(table, settings.ledger_retention_days, call.clock), service_of(event)
    recoveries = Recoveries(ecs, settings, ledger.history, call.clock)
    most_seconds = settings.open_update_max_hours * 3600
    run = _Run(ecs, ledger.history, ledger.leases, recoveries, call, batch, most_seconds)
    if key or batch is not None:
        run.reconcile(key or "")
        return run.result
    try:
        # One run at a time: two would make their calls twice as fast.
        with ledger.leases.held(ALL_SERVICES, run.new_holder()) as lease:
            run.reconcile("", lease)
    except LeaseHeldError:
        run.result.is_beside = True
        run.result.skip("all services", "another run goes on")
    return run.result


@dataclass
class _Run:
    """One run."""

    ecs: Ecs
    history: History
    leases: Leases
    recoveries: Recoveries
    call: Call
    batch: str | None
    most_seconds: float
    """Maximum age of an entry whose service cannot be read."""
    result: Reconciliation = field(default_factory=Reconciliation)

    def new_holder(self) -> Holder:
        """Returns a holder of a lease."""
        return Holder.of(f"reconciler {self.call.id}")

    def reconcile(self, key: str, own: Lease | None = None) -> None:
        """Reconciles a service, or all. `own`: the lease of the run, which is kept.

        Raises LeaseHeldError if it is lost, and LedgerError.
        """
        for entries in self.history.open_pages(key):
            for service in _open_services(self.ecs, entries, self.result, self.call, self.batch):
                for entry in service.entries:
                    self.result.measure(entry, service.read_at, self.most_seconds)
                if self.call.time_left() < _NEEDED_SECONDS:
                    reason = "no time left, the next run goes on here"
                    self.result.skip(service.key, reason, service.entries)
                    return
                if own:
                    own.keep()
                # Before the recovery: if it kills the run, the next run polls all others first.
                self.history.begin_poll(service.entries)
                if service.failure and service.age <= self.most_seconds:
                    self.result.skip(service.key, str(service.failure), service.entries)
                else:
                    self._recover(service)

    def _recover(self, service: _OpenService) -> None:
        """Recovers the entries of one service under its lease."""
        result, recovery = self.result, self.recoveries.of(service.key)
        try:
            with self.leases.held(service.key, self.new_holder()) as lease:
                known = None if lease.is_stale(service.read_at) else service.service
                for entry in in_order(service.entries):
                    try:
                        recovered = recovery.recover(entry, lease, known)
                        if recovered.has_written_in_recovery:
                            known = None
                        result.count(recovered)
                    except LeaseHeldError:
                        result.open += 1  # The holder of the lease continues it.
                    except EcsUpdaterError as error:
                        result.skip(service.key, str(error), [entry])
        except LeaseHeldError:
            result.open += len(service.entries)
        except EcsUpdaterError as error:
            result.skip(service.key, str(error), service.entries)


def service_of(event: Any) -> str | None:
    """Returns the key of the service in an event of EventBridge. None: all services."""
    if not isinstance(event, dict):
        return None
    names: Any = []
    if event.get("detail-type") == _DEPLOYMENT_EVENT:
        names = event.get("resources")
    elif event.get("detail-type") == _HOOK_EVENT and isinstance(event.get("detail"), dict):
        # Its resource is the service deployment.
        names = [event["detail"].get("serviceArn")]
    names = names if isinstance(names, list) else []
    try:
        return service_key(next((name for name in names if isinstance(name, str)), ""))
    except ValueError:
        return None


def _open_services(
    ecs: Ecs,
    entries: Sequence[OpenEntry],
    result: Reconciliation,
    call: Call,
    batch: str | None,
) -> Iterator[_OpenService]:
    """Yields the services of entries, or of those of a batch, read ten at a time."""
    by_service: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        if isinstance(entry.found, LedgerError):
            result.skip(entry.service, str(entry.found))
        elif batch in (None, entry.found.batch):
            names = entry.found.cluster_arn, entry.found.service_arn
            by_service.setdefault(names, []).append(entry.found)
    for batches in _joined(service_batches(by_service)):
        read_at = call.clock.epoch()
        found = {
            (cluster, arn): answer
            for cluster, arns in batches
            for arn, answer in _describe(ecs, cluster, arns).items()
        }
        ahead = _service_deployments(ecs, found, by_service)
        for names, answer in found.items():
            known = None if isinstance(answer, Exception) else answer
            if known and names in ahead:
                known = {**known, SERVICE_DEPLOYMENT: ahead[names]}
            opened = by_service[names]
            failure = answer if isinstance(answer, Exception) else None
            yield _OpenService(opened[0].service, read_at, known, opened, failure)


def _joined(
    batches: Iterable[tuple[str, list[str]]],
) -> Iterator[list[tuple[str, list[str]]]]:
    """Yields the batches of one account with at most as many services as service deployments fit
    one call.
    """
    joined: list[tuple[str, list[str]]] = []
    for cluster, arns in batches:
        services = sum(len(others) for _, others in joined) + len(arns)
        is_other = any(account_prefix(other) != account_prefix(cluster) for other, _ in joined)
        if is_other or services > SERVICE_DEPLOYMENTS_PER_CALL:
            yield joined
            joined = []
        joined.append((cluster, arns))
    if joined:
        yield joined


def _service_deployments(
    ecs: Ecs,
    found: Mapping[tuple[str, str], Mapping[str, Any] | Exception | None],
    entries: Mapping[tuple[str, str], Sequence[Entry]],
) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Returns the current service deployments that decide about entries. One call, or none.

    Empty after a failure: each is then read separately.
    """
    wanted: dict[str, tuple[str, str]] = {}
    for names, service in found.items():
        current = service.get("currentServiceDeployment") if isinstance(service, Mapping) else None
        if current and any(_needs_service_deployment(service, entry) for entry in entries[names]):
            wanted[current] = names
    if len(wanted) < 2:
        return {}
    try:
        read = ecs.for_arn(next(iter(wanted.values()))[0]).service_deployments(list(wanted))
    except (AwsFailure, EcsUpdaterError):
        return {}
    return {wanted[arn]: answer for arn, answer in read.items() if arn in wanted}


def _needs_service_deployment(service: Any, entry: Entry) -> bool:
    deployment_id = entry.rollback.deployment_id if entry.rollback else entry.deployment_id
    return deployment_id is not None and (
        rollout_state_of(service, deployment_id).needs_service_deployment or is_stop(entry)
    )


def _describe(
    ecs: Ecs, cluster: str, arns: Sequence[str]
) -> dict[str, Mapping[str, Any] | Exception | None]:
    """Returns each service in DescribeServices, or why it could not be read.

    After a refused call, each service is read separately.
    """
    try:
        services, _ = ecs.for_arn(cluster).describe_services(cluster, arns)
        by_arn = {service["serviceArn"]: service for service in services}
        return {arn: by_arn.get(arn) for arn in arns}
    except Exception as error:  # pylint: disable=broad-exception-caught
        failure = error if isinstance(error, AwsFailure) else None
        if failure and failure.code in GONE:
            return {arn: {**NO_SERVICE, "serviceArn": arn} for arn in arns}
        is_for_all = isinstance(error, EcsUpdaterError) or (
            failure is not None and failure.outcome is not Outcome.REFUSED
        )
        if len(arns) == 1 or is_for_all:
            return dict.fromkeys(arns, error)
        return {arn: read for each in arns for arn, read in _describe(ecs, cluster, [each]).items()}

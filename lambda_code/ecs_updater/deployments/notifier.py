"""Sends the verdicts of ended updates, see `ledger.verdicts` and `aws.notifications`.

The reconciler does so at the end of each run. One run sends at a time, else parallel runs would
send the same verdicts. A failure is a skipped entry of the run, and the next run tries again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ..aws.dynamodb import Table
from ..aws.ecs import Ecs
from ..aws.notifications import EVENTS_PER_CALL, Channel
from ..aws.targets import TargetAccess
from ..context import Call
from ..errors import AwsFailure, LeaseHeldError, LedgerError
from ..ledger.entry import Entry, seconds
from ..ledger.lease import Holder, Lease, Leases
from ..ledger.verdicts import PendingVerdict, PendingVerdicts
from ..log import logger
from ..model.verdict_event import VerdictEvent
from .reconciler import Reconciliation, reconcile
from .verdicts import event_of

REPEATABLE_SECONDS = 3600.0
"""Seconds from a transient failure to its verdict, unless the request was repeated: longer than the
retries of Lambda and of the queue's worker.
"""

_NEEDED_SECONDS = 12.0
"""Minimum remaining seconds to send ten more verdicts."""

_LEASE, _LEASE_WAIT = "NOTIFIER", 10.0
"""Key of the sender's lease, and maximum seconds to wait for it."""


def reconcile_and_send(
    event: Any,
    environment: Mapping[str, str],
    ecs: Ecs,
    table: Table | None,
    call: Call,
    channels: Sequence[Channel],
) -> Reconciliation:
    """Runs the reconciler, see `reconcile`, then sends all pending verdicts.

    Without channels the verdicts are dropped.
    """
    result = reconcile(event, environment, ecs, table, call)
    if table:
        Notifier(table, channels, ecs.targets, call, result).send()
    return result


class Notifier:
    """Sends what is pending in a table."""

    def __init__(
        self,
        table: Table,
        channels: Sequence[Channel],
        targets: TargetAccess,
        call: Call,
        result: Reconciliation,
    ):
        self._pending, self._channels, self._targets = PendingVerdicts(table), channels, targets
        self._leases = Leases(table, clock=call.clock.epoch, sleep=call.clock.sleep)
        self._call, self._result = call, result
        self._broken: set[str] = set()
        """The channels that failed as a whole: they are not called again in this run."""
        self._handled: set[str] = set()

    def send(self) -> None:
        """Sends all pending verdicts, and counts them in the result. Raises nothing.

        One call if nothing is pending.
        """
        try:
            if not self._pending.markers():
                return
            deadline = self._call.clock.epoch() + _LEASE_WAIT
            if self._call.time_left() < _NEEDED_SECONDS + _LEASE_WAIT:
                deadline = 0.0
            holder = Holder.of(f"notifier {self._call.id}")
            with self._leases.held(_LEASE, holder, deadline) as lease:
                # A run that waits for the lease leaves its verdicts after a while.
                while self._send_all(lease):
                    pass
        except LeaseHeldError:
            logger.info("another run sends the verdicts")
        except LedgerError as error:
            self._result.skip("verdicts", str(error))

    def _send_all(self, lease: Lease) -> bool:
        """Sends the verdicts of all markers. Returns whether another pass may find more."""
        has_sent, after = False, ""
        while markers := self._pending.markers(after):
            after = markers[-1]["sk"]
            if not self._channels:
                self._pending.store([marker["sk"] for marker in markers], {})
                continue
            found = [each for each in self._pending.found(markers) if each.key not in self._handled]
            self._handled.update(each.key for each in found)
            for first in range(0, len(found), EVENTS_PER_CALL):
                if len(self._broken) == len(self._channels):
                    return False
                if self._call.time_left() < _NEEDED_SECONDS:
                    self._result.skip("verdicts", "no time left, the next run sends the others")
                    return False
                lease.keep()
                has_sent = self._send_few(found[first : first + EVENTS_PER_CALL]) or has_sent
        return has_sent

    def _send_few(self, found: Sequence[PendingVerdict]) -> bool:
        """Sends at most ten verdicts, and stores that. Returns whether one was sent."""
        events: dict[str, VerdictEvent] = {}
        over = []
        for pending in found:
            if isinstance(pending.entry, LedgerError):
                self._result.skip(pending.key, str(pending.entry))
            elif pending.entry is None or self._is_repeated(pending.entry):
                over.append(pending.key)
            elif self._is_final(pending.entry):
                events[pending.key] = event_of(pending.entry, self._targets)
        left: dict[str, list[str]] = {key: [] for key in events}
        for channel in self._channels:
            keys = [each.key for each in found if each.is_pending_for(channel.name)]
            for key in self._send(channel, {key: events[key] for key in keys if key in events}):
                left[key].append(channel.name)
        sent = [key for key, names in left.items() if not names]
        self._result.notified += len(sent)
        most = len(self._channels)
        partly = {key: names[0] for key, names in left.items() if 0 < len(names) < most}
        self._pending.store([*over, *sent], partly)
        return bool(sent)

    def _send(self, channel: Channel, events: Mapping[str, VerdictEvent]) -> list[str]:
        """Sends events by the key of their marker. Returns the keys of those that were not sent."""
        if not events or channel.name in self._broken:
            return list(events)
        try:
            failed = channel.send(list(events.values()))
        except AwsFailure as failure:
            self._broken.add(channel.name)
            self._result.skip(f"verdicts to {channel.address}", str(failure))
            return list(events)
        keys = [key for key, event in events.items() if event.id in failed]
        for key in keys:
            self._result.skip(f"verdict {key} to {channel.address}", failed[events[key].id])
        return keys

    def _is_final(self, entry: Entry) -> bool:
        """Returns whether an ended entry is final: a retry would have come by now."""
        age = self._call.clock.epoch() - (seconds(entry.ended_at) or 0.0)
        return not entry.may_be_repeated or age >= REPEATABLE_SECONDS

    def _is_repeated(self, entry: Entry) -> bool:
        """Returns whether a later attempt has a verdict in place of this one. One call, or none."""
        is_possible = entry.may_be_repeated and self._is_final(entry)
        return is_possible and self._pending.is_repeated(entry)

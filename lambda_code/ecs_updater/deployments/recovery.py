"""Finishes or undoes what somebody else began: an update whose caller did not wait, or whose
process was killed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..aws.ecs import Ecs
from ..aws.errors import AwsFailure, Outcome
from ..errors import (
    EcsUpdaterError,
    InternalError,
    LeaseHeldError,
    LedgerError,
    RolloutFailedError,
    ServiceReadError,
    ServiceUpdateError,
)
from ..ledger.entry import Entry, State
from ..ledger.lease import Lease
from ..ledger.store import History, entry_key
from ..log import logger
from ..model.service import own_tags, primary_deployment
from ..model.tags import TagChanges, taken_back
from ..model.verdict import Verdict
from . import tag_writer
from .journal import Journal
from .response import RolloutOutcome, of_entry
from .waiter import Waiter, running_deployment

GONE = ("ClusterNotFoundException", "ServiceNotFoundException")
"""Codes of ECS that say that there is no such service any more."""

_OF_THE_LEDGER = (LeaseHeldError, LedgerError)

NO_SERVICE: Mapping[str, Any] = {"status": "INACTIVE"}
"""A service that is gone, as DescribeServices would tell it."""


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Open entries of a service as they are to be settled: first those that may have to be undone,
    the newest first.

    What an interrupted update has written lies upon what the earlier ones wrote, and a rollback
    compares with that.
    """
    oldest_first = sorted(entries, key=lambda entry: entry.number)
    interrupted = [entry for entry in oldest_first if entry.is_before_deployment]
    return [
        *reversed(interrupted),
        *(entry for entry in oldest_first if not entry.is_before_deployment),
    ]


class Recovery:
    """Brings open entries to their end. Whoever calls holds the service's lease."""

    def __init__(self, ecs: Ecs, rolling: Waiter, history: History):
        self._ecs, self._waiter, self._history = ecs, rolling, history
        self._overtaken: list[Journal] = []

    def settle(
        self,
        entry: Entry,
        lease: Lease,
        service: Mapping[str, Any] | None = None,
        *,
        is_followed_by_a_deployment: bool = False,
    ) -> Entry:
        """Brings an entry to its end, as far as that can be seen now; the entry as it then is.

        ``service`` is what DescribeServices says, where that was asked already.
        ``is_followed_by_a_deployment``: a later update is about to deploy, so a service that has to
        be returned is left to it; see ``end_overtaken``. Raises ServiceReadError, LeaseHeldError or
        LedgerError, and InternalError for an entry with which nothing can be done.
        """
        try:
            return self._settled(entry, lease, service, is_followed_by_a_deployment)
        except EcsUpdaterError:
            raise
        except Exception as defect:
            key = f"{entry.service} {entry_key(entry.number)}"
            logger.exception("an open update cannot be ended", entry=key)
            raise InternalError(
                f"{type(defect).__name__}: the entry {key} cannot be ended, the log has the details"
            ) from None

    def _settled(
        self,
        entry: Entry,
        lease: Lease,
        service: Mapping[str, Any] | None,
        is_followed_by_a_deployment: bool,
    ) -> Entry:
        try:
            journal = Journal(self._history.take_over(entry, lease.term), self._history, lease)
        except LeaseHeldError:
            return entry  # It has ended since it was found.
        try:
            outcome = self._look(journal, service, is_followed_by_a_deployment)
            is_stuck = outcome.error is not None and not outcome.is_final
            if is_stuck and self._waiter.without_an_end(journal.entry, str(outcome.error)):
                outcome = replace(outcome, is_final=True)
        except EcsUpdaterError as failure:
            given_up = (
                None
                if isinstance(failure, _OF_THE_LEDGER)
                else self._waiter.without_an_end(journal.entry, str(failure))
            )
            if given_up is None:
                raise
            outcome = given_up
        self._end(journal, outcome)
        return journal.entry

    def _look(
        self, journal: Journal, service: Mapping[str, Any] | None, is_followed_by_a_deployment: bool
    ) -> RolloutOutcome:
        """What an entry comes to, as far as that can be seen now."""
        entry = journal.entry
        try:
            if service is None:
                service = self.describe(entry)
            if entry.state not in (State.DEPLOYED, State.ROLLING_BACK):
                deployment = self.deployment_of(entry, service)
                if deployment is None:
                    self._undo(journal, service)
                    return RolloutOutcome(is_final=False)
                journal.deployed(
                    deployment["id"],
                    deployment.get("updatedAt"),
                    None,
                    deployment.get("taskDefinition"),
                )
            is_failing = primary_deployment(service).get("id") == journal.entry.deployment_id
            may_roll_back = not (is_followed_by_a_deployment and is_failing)
            past = [] if entry.deploys else self._history.latest(entry.service)
            outcome = self._waiter.look(journal, service, may_roll_back=may_roll_back, past=past)
            back = journal.entry.rollback
            if (
                may_roll_back
                and not outcome.is_final
                and back
                and back.deployment_id == primary_deployment(service).get("id", "")
            ):
                # Its tags are put back now; perhaps the return is done, too.
                outcome = self._waiter.look(journal, service)
            if outcome.verdict == Verdict.FAILED and not outcome.is_final and not may_roll_back:
                self._overtaken.append(journal)
            return outcome
        except AwsFailure as failure:
            raise ServiceReadError(
                f"{failure}; an earlier update of the service (request_id "
                f"{entry.request_id}) is not done"
            ).caused_by(failure) from failure

    def end_overtaken(self) -> None:
        """Ends the updates that would have been returned, after a later one has deployed over
        them.
        """
        for journal in self._overtaken:
            error = RolloutFailedError(
                f"{journal.entry.cause}; a later update came before the service was returned"
            )
            journal.failed(Verdict.FAILED, error)
        self._overtaken.clear()

    def describe(self, entry: Entry) -> Mapping[str, Any]:
        """The entry's service as it is. Raises ServiceReadError."""
        try:
            service, _ = self._ecs.describe_service(entry.cluster_arn, entry.service_arn)
        except AwsFailure as failure:
            if failure.code not in GONE:
                raise ServiceReadError(str(failure)).caused_by(failure) from failure
            service = None
        return service or NO_SERVICE

    def deployment_of(self, entry: Entry, service: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The deployment that an entry made, if it made one. Raises ServiceReadError."""
        if not entry.may_have_deployed:
            return None
        found = running_deployment(service, entry) or self._deployment_that_is_gone(entry)
        return (
            next(
                (one for one in service.get("deployments", []) if one.get("id") == found),
                {"id": found},
            )
            if found
            else None
        )

    def _deployment_that_is_gone(self, entry: Entry) -> str | None:
        """The deployment of a revision of the entry's own that ECS does not list any more, for it
        was replaced: its tasks tell.
        """
        own = entry.after.task_definition_arn
        if entry.action != "update" or own in (None, entry.before.task_definition_arn):
            return None
        try:
            stopped = self._ecs.stopped_tasks(entry.cluster_arn, entry.service_arn)
        except AwsFailure as failure:
            if failure.outcome in (Outcome.REFUSED, Outcome.NOT_PERMITTED):
                return None  # It will never be told.
            raise ServiceReadError(str(failure)).caused_by(failure) from failure
        own_tasks = (
            task.get("startedBy", "") for task in stopped if task.get("taskDefinitionArn") == own
        )
        return next(
            (started_by for started_by in own_tasks if started_by.startswith("ecs-svc/")), None
        )

    @staticmethod
    def _end(journal: Journal, outcome: RolloutOutcome) -> None:
        if not outcome.is_final:
            return
        if outcome.error:
            journal.failed(outcome.verdict, outcome.error)
        else:
            journal.ended(of_entry(journal.entry, outcome.deployment))

    def _undo(self, journal: Journal, service: Mapping[str, Any]) -> None:
        """Takes back the tags of an update that came to no deployment, as far as nobody has changed
        them since.
        """
        entry = journal.entry
        error: EcsUpdaterError = ServiceUpdateError(
            "the update was interrupted before its deployment: the service runs what it ran, its "
            "tags are what they were"
        )
        changes = taken_back(own_tags(service), TagChanges(entry.before.tags, entry.after.tags))
        if changes and service.get("status") == "ACTIVE":
            journal.before_write()
            tag_writer.write(self._ecs, entry.service_arn, changes)
        journal.failed(Verdict.INTERRUPTED, error, is_untouched=True)

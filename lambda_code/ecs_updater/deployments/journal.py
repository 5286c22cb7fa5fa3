"""Advances an update's entry in the ledger before and after each step.

Before a write to the service, a step raises if the ledger cannot be written: every write can be
found later. After the deployment, no step raises: a later process finds and finishes the entry.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from .. import metrics
from ..context import REQUEST_ID
from ..errors import EcsUpdaterError, LeaseHeldError, LedgerError, ServerFault
from ..ledger.entry import Entry, TaskRun
from ..ledger.lease import Lease
from ..ledger.store import History
from .response import ROLLOUT_FIELDS, Answer, of_entry, running_deployment, started_deployment

WRITE_SECONDS = 75
"""Maximum duration of one write to ECS with its retries, for which the lease must last."""


class Journal:
    """The entry of one update, its ledger, and the lease under which it is written."""

    def __init__(self, entry: Entry, history: History, lease: Lease):
        self.entry = entry
        self.history = history
        self.notes: list[str] = []
        """Failed writes of the ledger, for the response and the log."""
        self.has_deployed = False
        self._lease = lease
        self._is_behind = False
        """Whether the last step could not be written to the ledger."""

    # Before a write to the service. All raise LeaseHeldError or LedgerError.

    def before_write(self) -> None:
        """Confirms the lease for one write to the service, and names the update of the write."""
        self._lease.confirm(WRITE_SECONDS)
        REQUEST_ID.set(self.entry.request_id)

    def registered(self, task_definition_arn: str) -> None:
        """Records the registered revision."""
        entry = self.entry.registered(task_definition_arn)
        entry = replace(entry, answer=of_entry(entry))
        if self.has_deployed:
            # After a second plan, the ledger has the deployed revision until the next deployment.
            self.entry = entry
        else:
            self._advance(entry)

    def running_task(self, task: TaskRun) -> None:
        """Records that the task is about to be started, or that it has succeeded."""
        self._advance(self.entry.running_task(task))

    def tagged(self) -> None:
        """Records that the tags are written."""
        self._advance(self.entry.tagged())

    def redirected(self, task_definition_arn: str, tags: Mapping[str, str] | None) -> None:
        """Records another target of the rollback, with its tags if they are known."""
        entry = self.entry if tags is None else replace(self.entry, rollback_tags=tags)
        self._advance(entry.rolling_back(entry.cause or "", task_definition_arn))

    # After the start of a task, or after the deployment. None raises.

    def task_started(self, task_arn: str) -> None:
        """Records the task. Without the record, it is found by its `startedBy`."""
        assert self.entry.task
        task = replace(self.entry.task, task_arn=task_arn)
        self._write(self._advance, self.entry.running_task(task))

    def may_take_back(self) -> bool:
        """Returns whether the lease lasts for a write, without a call of the ledger."""
        return self._lease.margin() >= WRITE_SECONDS

    def keep_lease(self) -> None:
        """Renews the lease during a wait."""
        self._write(self._lease.keep)

    def deployed(
        self,
        deployment_id: str | None,
        updated_on: datetime | None,
        service_deployment_arn: str | None = None,
        task_definition_arn: str | None = None,
    ) -> None:
        """Records the deployment. `task_definition_arn`: its revision, if it is known."""
        self.has_deployed = True
        entry = self.entry.deployed(deployment_id, service_deployment_arn, task_definition_arn)
        # While the task ran, the response was about the task.
        deployment = started_deployment(entry) if entry.task else None
        entry = replace(entry, answer=of_entry(entry, deployment, updated_on=updated_on))
        self._write(self._advance, entry)

    def planned_again(self) -> None:
        """Records the plan that was made after the deployment."""
        self._write(self._advance, self.entry)

    def joined(
        self,
        deployment_id: str,
        service_deployment_arn: str | None,
        task_definition_arn: str | None = None,
    ) -> None:
        """Records the running deployment, by which an update without its own is judged.

        `task_definition_arn`: its revision, if it may be another one than the entry's.
        """
        entry = self.entry.joined(deployment_id, service_deployment_arn, task_definition_arn)
        self.has_deployed = self.has_deployed or entry.only_changes_settings
        shown = None if entry.settings else running_deployment(entry, deployment_id)
        answer = of_entry(entry, shown)
        self._write(self._advance, replace(entry, answer=answer))

    def rolling_back(
        self, cause: str, task_definition_arn: str, deployment_id: str | None = None
    ) -> None:
        """Records the rollback and, if it is known, its deployment."""
        entry = self.entry.rolling_back(cause, task_definition_arn, deployment_id)
        if entry != self.entry or self._is_behind:  # The age counts from the last change.
            self._write(self._advance, entry)

    def polled(self, shown: Mapping[str, Any]) -> None:
        """Notes what a poll has read, see `RolloutState.shown`. The next write records it."""
        if shown != self.entry.rollout:
            self.entry = replace(self.entry, rollout=shown)

    def progressed(self, shown: Mapping[str, Any]) -> None:
        """Records what a poll has read while the rollout goes on."""
        if shown == self.entry.rollout:
            return
        entry = replace(self.entry, rollout=shown)
        deployment = (entry.answer or {})["body"]["deployment"]
        kept = {name: value for name, value in deployment.items() if name not in ROLLOUT_FIELDS}
        self._write(self._advance, replace(entry, answer=of_entry(entry, {**kept, **shown})))

    def answered(self, answer: Answer) -> None:
        """Records the response while the rollout goes on."""
        if answer != self.entry.answer:
            self._write(self._advance, replace(self.entry, answer=answer))

    def ended(self, answer: Answer) -> None:
        """Ends the entry with this response."""
        deployment = answer["body"]["deployment"]
        entry = self.entry.answered(deployment["verdict"], deployment["reason"], answer)
        self._write(self._finish, entry)

    def failed(self, verdict: str, error: EcsUpdaterError, *, is_untouched: bool = False) -> None:
        """Ends the entry with this error. `is_untouched`: the service is as it was."""
        again = is_untouched and isinstance(error, ServerFault)
        cause = self.entry.cause or str(error)
        self._write(self._finish, self.entry.refused(verdict, cause, error, may_be_repeated=again))

    def _advance(self, entry: Entry) -> None:
        self.entry = self.history.advance(entry)

    def _finish(self, entry: Entry) -> None:
        self.entry = self.history.finish(entry)
        metrics.count_verdict(self.entry)

    def _write(self, write: Callable[..., None], *arguments: Entry) -> None:
        """Writes, and notes a failure."""
        try:
            write(*arguments)
            self._is_behind = self._is_behind and not arguments
        except (LedgerError, LeaseHeldError) as error:
            if arguments:
                self.entry, self._is_behind = arguments[0], True
            if str(error) not in self.notes:
                self.notes.append(str(error))

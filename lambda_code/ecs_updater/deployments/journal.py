"""The ledger's entry of one update, advanced before and after each step of it.

A step that is about to change the service raises where the ledger cannot be written, so nothing is
done that nobody could find. What follows the deployment raises nothing: it is done, and whoever
finds the entry open finishes it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from ..errors import EcsUpdaterError, LeaseHeldError, LedgerError, ServerFault
from ..ledger.entry import Entry, Side
from ..ledger.lease import Lease
from ..ledger.store import History
from ..model import task_definition as td
from ..model.plan import Plan
from ..model.request import Request, RollbackRequest, UpdateRequest
from ..model.tags import REPLACE
from .response import Answer, of_entry, of_plan, running_deployment


def intent(
    plan: Plan, request: Request, digests: Mapping[str, Iterable[str]], rollback_to: str | None
) -> Entry:
    """Returns the entry of a plan, without what only a lease gives: its number and its owner.

    ``digests``: what each container may show as the digest of its image, where that is known.
    """
    snapshot, planned = plan.snapshot, plan.after
    before = {
        one["name"]: one.get("image", "")
        for one in snapshot.task_definition["containerDefinitions"]
    }
    after = {one["name"]: one.get("image", "") for one in planned["containerDefinitions"]}
    return Entry(
        service=snapshot.key,
        number=0,
        request_id="",
        owner="",
        fence=0,
        cluster_arn=snapshot.cluster_arn,
        service_arn=snapshot.service_arn,
        action="rollback" if isinstance(request, RollbackRequest) else "update",
        before=Side(
            snapshot.task_definition_arn,
            before,
            snapshot.tags,
            td.essential_containers(snapshot.task_definition, plan.container),
        ),
        after=Side(
            planned.get("taskDefinitionArn") if plan.revision is None else None,
            after,
            plan.tags.after,
            td.essential_containers(planned, plan.container),
        ),
        rollback_on_failure=isinstance(request, UpdateRequest) and request.rollback_on_failure,
        rollback_to=rollback_to,
        replaces_tags=isinstance(request, UpdateRequest)
        and request.tags is not None
        and request.tag_mode == REPLACE,
        deploys=plan.deploys,
        digests={container: sorted(several) for container, several in digests.items()},
        previous_deployment_id=snapshot.deployment_id,
        previous_service_deployment_arn=snapshot.service_deployment_arn,
        answer=of_plan(plan),
    )


WRITE_SECONDS = 75
"""The most seconds that one write to ECS takes, its retries included: the lease has to last that
long.
"""


class Journal:
    """The entry of one update, where it is kept, and the lease under which it is written."""

    def __init__(self, entry: Entry, history: History, lease: Lease):
        self.entry = entry
        self.history = history
        self.notes: list[str] = []
        """What could not be written, for the response and the log."""
        self.has_deployed = False
        """Whether this attempt made a deployment."""
        self._lease = lease
        self._is_behind = False
        """Whether the ledger lacks the last step, since it could not be written."""

    # Before a change of the service. All raise LeaseHeldError or LedgerError.

    def before_write(self) -> None:
        """Confirms that the service is still this update's to write."""
        self._lease.confirm(WRITE_SECONDS)

    def registered(self, task_definition_arn: str) -> None:
        """The new revision is registered."""
        entry = self.entry.registered(task_definition_arn)
        entry = replace(entry, answer=of_entry(entry))
        if self.has_deployed:
            # Planned again: the ledger names the deployed revision until the next one is deployed.
            self.entry = entry
        else:
            self._advance(entry)

    def tagged(self) -> None:
        """The tags are written."""
        self._advance(self.entry.tagged())

    def redirected(self, task_definition_arn: str, tags: Mapping[str, str] | None) -> None:
        """The rollback goes to this revision instead, with ``tags`` where they are known."""
        entry = self.entry if tags is None else replace(self.entry, rollback_tags=tags)
        self._advance(entry.rolling_back(entry.cause or "", task_definition_arn))

    # After the deployment. None raises.

    def may_take_back(self) -> bool:
        """Whether the service is still this update's to write, without asking the ledger, which
        just failed.
        """
        return self._lease.lasts(WRITE_SECONDS)

    def keep_lease(self) -> None:
        """Keeps the lease during a wait."""
        self._write(self._lease.keep)

    def deployed(
        self,
        deployment_id: str | None,
        updated_on: datetime | None,
        service_deployment_arn: str | None = None,
        task_definition_arn: str | None = None,
    ) -> None:
        """The deployment is made.

        ``task_definition_arn``: the revision that it runs, where that is known.
        """
        self.has_deployed = True
        entry = self.entry.deployed(deployment_id, service_deployment_arn, task_definition_arn)
        entry = replace(entry, answer=of_entry(entry, updated_on=updated_on))
        self._write(self._advance, entry)

    def planned_again(self) -> None:
        """The plan has changed since the deployment was made."""
        self._write(self._advance, self.entry)

    def joined(self, deployment_id: str, service_deployment_arn: str | None) -> None:
        """The update makes no deployment: it is judged by the one that runs."""
        entry = self.entry.joined(deployment_id, service_deployment_arn)
        answer = of_entry(entry, running_deployment(entry, deployment_id))
        self._write(self._advance, replace(entry, answer=answer))

    def rolling_back(
        self, cause: str, task_definition_arn: str, deployment_id: str | None = None
    ) -> None:
        """See ``Entry.rolling_back``."""
        entry = self.entry.rolling_back(cause, task_definition_arn, deployment_id)
        if entry != self.entry or self._is_behind:  # Its age counts from its last change.
            self._write(self._advance, entry)

    def answered(self, answer: Answer) -> None:
        """The caller gets this response, and the rollout goes on."""
        if answer != self.entry.answer:
            self._write(self._advance, replace(self.entry, answer=answer))

    def ended(self, answer: Answer) -> None:
        """The update has ended with this response."""
        deployment = answer["body"]["deployment"]
        entry = self.entry.answered(deployment["verdict"], deployment["reason"], answer)
        self._write(self._end, entry)

    def failed(self, verdict: str, error: EcsUpdaterError, *, is_untouched: bool = False) -> None:
        """The update has ended with this error. ``is_untouched``: the service is as it was."""
        again = is_untouched and isinstance(error, ServerFault)
        cause = self.entry.cause or str(error)
        self._write(self._end, self.entry.refused(verdict, cause, error, may_be_repeated=again))

    def _advance(self, entry: Entry) -> None:
        self.entry = self.history.advance(entry)

    def _end(self, entry: Entry) -> None:
        self.entry = self.history.finish(entry)

    def _write(self, write: Callable[..., None], *arguments: Entry) -> None:
        """Writes, and notes where that failed."""
        try:
            write(*arguments)
            self._is_behind = self._is_behind and not arguments
        except (LedgerError, LeaseHeldError) as error:
            if arguments:
                self.entry, self._is_behind = arguments[0], True
            if str(error) not in self.notes:
                self.notes.append(str(error))

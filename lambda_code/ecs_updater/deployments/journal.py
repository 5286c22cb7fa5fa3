"""One update's entry while the update is at work: what ``service.progress`` is told goes into the
ledger, where there is one.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..errors import EcsUpdaterError, LeaseHeldError, LedgerError, ServerFault
from ..ledger.entry import Entry, Side
from ..ledger.lease import Hold
from ..ledger.store import History
from ..model import task_definition as td
from ..model.arn import service_key
from ..model.plan import Plan
from ..model.request import Request, RollbackRequest, UpdateRequest
from ..model.tags import REPLACE
from .response import of_plan, with_deployment, with_revision, with_running_deployment


def intent(
    plan: Plan, request: Request, digests: Mapping[str, Iterable[str]], rollback_to: str | None
) -> Entry:
    """The entry of ``plan``, without what only a lease gives: its number and its owner.

    ``digests`` is what each container may show as the digest of its image, where that is known.
    """
    snapshot = plan.snapshot
    before = {
        one["name"]: one.get("image", "")
        for one in snapshot.task_definition["containerDefinitions"]
    }
    after = {one["name"]: one.get("image", "") for one in plan.after["containerDefinitions"]}
    return Entry(
        service=service_key(snapshot.service_arn, snapshot.cluster_arn),
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
            plan.after.get("taskDefinitionArn") if plan.revision is None else None,
            after,
            plan.tags.after,
            td.essential_containers(plan.after, plan.container),
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


class Record:
    """The entry of an update, its place in the ledger, and the lease under which it is written; the
    last two may be None.
    """

    def __init__(self, entry: Entry, history: History | None = None, hold: Hold | None = None):
        self.entry = entry
        self.notes: list[str] = []
        """What could not be written, for the answer and the log."""
        self.has_deployed = False
        """Whether a deployment was made, told or not."""
        self.history, self._hold = history, hold
        self._is_behind = False
        """Whether the ledger lacks the last step, since it could not be written."""

    @property
    def is_remembered(self) -> bool:
        """Whether there is a ledger, so that somebody else can go on."""
        return self.history is not None

    # What service.progress is told.

    def before_write(self) -> None:
        """Makes sure that the service is still this update's to write.

        Raises LeaseHeldError or LedgerError.
        """
        if self._hold:
            self._hold.confirm(WRITE_SECONDS)

    def may_take_back(self) -> bool:
        """Whether the service is still this update's to write, without asking the ledger, which
        just failed.
        """
        return self._hold is None or self._hold.lasts(WRITE_SECONDS)

    def registered(self, task_definition_arn: str) -> None:
        """Raises LeaseHeldError or LedgerError."""
        entry = self.entry.registered(task_definition_arn)
        entry = entry.told(with_revision(entry.answer or {}, task_definition_arn))
        if self.has_deployed:
            # Planned again: the ledger names the revision that is deployed until the next one is.
            self.entry = entry
        else:
            self._advance(entry)

    def tagged(self) -> None:
        """Raises LeaseHeldError or LedgerError."""
        self._advance(self.entry.tagged())

    def deployed(
        self,
        deployment_id: str | None,
        updated_on: datetime | None,
        service_deployment_arn: str | None = None,
        task_definition_arn: str | None = None,
    ) -> None:
        """Raises nothing: the deployment is made, and the ledger follows when it can be written
        again.

        ``task_definition_arn``: the revision that it runs, where that is known.
        """
        self.has_deployed = True
        entry = self.entry.deployed(deployment_id, service_deployment_arn, task_definition_arn)
        self._tell(
            self._advance,
            entry.told(with_deployment(entry.answer or {}, deployment_id, updated_on)),
        )

    def planned_again(self) -> None:
        """Writes an entry that says something else of the deployment, which is made already.

        Raises nothing.
        """
        self._tell(self._advance, self.entry)

    def joined(self, deployment_id: str, service_deployment_arn: str | None) -> None:
        """Judges the update by a deployment that runs already, for it makes none of its own.

        Raises nothing.
        """
        entry = self.entry.joined(deployment_id, service_deployment_arn)
        revision = (entry.after.task_definition_arn or "").rpartition("/")[2]
        self._tell(
            self._advance,
            entry.told(with_running_deployment(entry.answer or {}, deployment_id, revision)),
        )

    def redirected(self, task_definition_arn: str, tags: Mapping[str, str] | None) -> None:
        """The rollback goes to this revision instead, with ``tags`` where they are known.

        Raises LeaseHeldError or LedgerError.
        """
        entry = self.entry if tags is None else replace(self.entry, rollback_tags=tags)
        self._advance(entry.rolling_back(entry.cause or "", task_definition_arn))

    # What comes after the deployment. None of it raises: what was done is done, and whoever finds
    # the entry open finishes it.

    def keep(self) -> None:
        """Keeps the lease during a wait."""
        if self._hold:
            self._tell(self._hold.keep)

    def rolling_back(
        self, cause: str, task_definition_arn: str, deployment_id: str | None = None
    ) -> None:
        """See ``Entry.rolling_back``."""
        entry = self.entry.rolling_back(cause, task_definition_arn, deployment_id)
        if entry != self.entry or self._is_behind:  # Its age counts from its last change.
            self._tell(self._advance, entry)

    def told(self, answer: Mapping[str, Any]) -> None:
        """The caller gets this answer, and the rollout goes on."""
        if answer != self.entry.answer:
            self._tell(self._advance, self.entry.told(answer))

    def answered(self, answer: Mapping[str, Any]) -> None:
        """The update has ended with this answer."""
        deployment = answer["body"]["deployment"]
        self._tell(
            self._end, self.entry.answered(deployment["verdict"], deployment["reason"], answer)
        )

    def refused(self, verdict: str, error: EcsUpdaterError, *, is_untouched: bool = False) -> None:
        """The update has ended with this error. ``is_untouched``: the service is as it was."""
        again = is_untouched and isinstance(error, ServerFault)
        self._tell(
            self._end,
            self.entry.refused(
                verdict, self.entry.cause or str(error), error, may_be_repeated=again
            ),
        )

    def _advance(self, entry: Entry) -> None:
        self.entry = self.history.advance(entry) if self.history else entry

    def _end(self, entry: Entry) -> None:
        self.entry = self.history.end(entry) if self.history else entry

    def _tell(self, write: Callable[..., None], *arguments: Entry) -> None:
        try:
            write(*arguments)
            self._is_behind = self._is_behind and not arguments
        except (LedgerError, LeaseHeldError) as error:
            if arguments:
                self.entry, self._is_behind = arguments[0], True
            if str(error) not in self.notes:
                self.notes.append(str(error))

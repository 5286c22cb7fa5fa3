"""Recognises a repeated request by its `request_id` and replays the outcome of the first one."""

from typing import TYPE_CHECKING

from ..errors import (
    EcsUpdaterError,
    InvalidEventError,
    LeaseHeldError,
    ServiceUpdateRefusedError,
    one_line,
)
from ..ledger.entry import Entry, TaskRun
from ..ledger.lease import Holder
from ..ledger.store import History
from ..model.arn import is_named
from ..model.request import Request
from .response import Answer, error_of, of_entry

if TYPE_CHECKING:  # Only the HTTP API has scopes.
    from ..model.scopes import Scope

_FIRST_REQUEST = "request_id_of"

_LATER = 200
"""Entries to read for a later deployment. Many updates may have changed nothing."""


class Identity:
    """Identity of a request: its `request_id` and the content of the event."""

    def __init__(
        self,
        history: History,
        request: Request,
        holder: Holder,
        fingerprint: str,
        scope: "Scope | None" = None,
    ):
        """`scope`: the part of the caller's scope that allows the request."""
        self._history, self._request, self._scope = history, request, scope
        self.holder, self.fingerprint = holder, fingerprint
        self.is_repetition = False
        """Whether the request was begun before, and so may have registered its revision."""
        self.task: TaskRun | None = None
        """Task of the attempt before, which is not run again."""

    def find(self) -> Entry | None:
        """Returns the entry of an earlier attempt.

        Raises InvalidEventError if the `request_id` belongs to another request. Raises
        ServiceUpdateRefusedError if the request could be repeated, but a later one has deployed.
        """
        entry = self._history.find(self.holder.request_id)
        self.is_repetition = entry is not None
        self.task = entry.task if entry else None
        if entry:
            self.check_same(entry)
            if entry.is_ended and entry.may_be_repeated:
                self._check_still_latest(entry)
        return entry

    def check_begun_elsewhere(self, entry: Entry) -> None:
        """Checks an entry that another process has begun meanwhile.

        Raises InvalidEventError, or LeaseHeldError if it has not ended for good.
        """
        self.check_same(entry)
        if not has_ended_for_good(entry):
            raise LeaseHeldError(
                f"the update of request_id {self.holder.request_id} is under way elsewhere, "
                "try again"
            )

    def check_same(self, entry: Entry) -> None:
        """Checks that an entry with the `request_id` is of the same event.

        Raises InvalidEventError, and NotAllowedError if the caller's scope does not allow its
        images.
        """
        # Two functions can have different defaults: the same event then names another service.
        is_same_service = is_named(entry.service, self._request.cluster, self._request.service)
        if entry.fingerprint not in (None, self.fingerprint) or not is_same_service:
            # The caller's scope may not have the other event's service.
            which = "" if self._scope else f", of {entry.begun_at}, for {entry.service}"
            raise InvalidEventError(
                f"request_id: {self.holder.request_id!r} was another event's{which}: a repetition "
                "must ask for the same"
            )
        # Only the plan of a new update checks the images of an existing revision.
        if self._scope and getattr(self._request, "task_definition", None):
            self._scope.check_revision(self._request, entry.after.images)

    def _check_still_latest(self, entry: Entry) -> None:
        """Raises ServiceUpdateRefusedError if a later update has deployed.

        Lambda repeats an asynchronous invocation minutes later.
        """
        for later in self._history.latest(entry.service, _LATER):
            if later.deployment_id and later.number > entry.number:
                raise ServiceUpdateRefusedError(
                    "service could not be update with new task_definition: a later update "
                    f"(request_id {one_line(later.request_id)}, {later.begun_at}) has deployed "
                    "since this one was begun: send it again with another request_id"
                )


def has_ended_for_good(entry: Entry) -> bool:
    """Returns whether a repetition gets the same outcome."""
    return entry.is_ended and not entry.may_be_repeated


def replay(entry: Entry) -> Answer:
    """Returns the first attempt's response with the outcome of its deployment since then.

    Raises the first attempt's error.
    """
    if entry.error_type:
        error = error_of(entry)
        error.details[_FIRST_REQUEST] = entry.begun_at
        raise error
    answer = entry.answer or {}
    deployment = answer["body"]["deployment"]
    if deployment["verdict"] == entry.verdict:
        return dict(answer)
    return of_entry(entry, {**deployment, "verdict": entry.verdict, "reason": entry.cause})


def is_replayed(error: EcsUpdaterError) -> bool:
    """Returns whether an error is the one of an earlier attempt that ended for good."""
    return _FIRST_REQUEST in error.details

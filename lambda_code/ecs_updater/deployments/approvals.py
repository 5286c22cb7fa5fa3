"""Answers a PAUSE hook of an update's deployment: `approve` continues it, `reject` rolls it back.

The order is: find the update in the ledger, read its service deployment, store the answer with its
caller, ContinueServiceDeployment, store that ECS has taken it.

ECS takes one answer of each hook. Before the call, the ledger has the answer, so a second one at
the same time is rejected and not sent. After a lost response the hook is read before the call is
repeated. After a kill, a hook that still awaits an answer can be answered again, see
`ledger.approvals.SENDING_SECONDS`. If it does not, the next answer is rejected, and confirms the
stored one.

A hook that awaits no answer is a HookNotAwaitedError with its state. The service's lease is not
needed: an update that waits for its deployment holds it.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContinueServiceDeployment.html
"""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..aws.dynamodb import Table
from ..aws.ecs import Ecs
from ..context import REQUEST_ID, Call
from ..errors import (
    ApprovalError,
    ApprovalRefusedError,
    ApprovalsOffError,
    AwsFailure,
    ConfigurationError,
    DeploymentNotFoundError,
    HookNotAwaitedError,
    LedgerError,
    Outcome,
    one_line,
)
from ..ledger.approvals import SENDING_SECONDS, Approvals
from ..ledger.entry import Entry, iso, seconds
from ..ledger.store import History
from ..model.hook import CONTINUE, Approval, HookAnswer, PauseHook, awaited_hook_of, pause_hooks_of
from ..model.request import AllowLists, Request
from ..model.scopes import Action
from ..model.service import primary_deployment
from ..settings import ApprovalSettings, Settings
from .reader import read_errors

_SEND_SECONDS = 75.0
"""Maximum duration of one ContinueServiceDeployment with its retries."""

_SENDS, _PAUSE = 3, 2.0
"""Maximum calls without a response, and the seconds after each before the hook is read."""

_OFF = (
    "APPROVALS is off: set it to on (the parameter Approvals), or answer the hook with aws ecs "
    "continue-service-deployment"
)


def answer_hook(
    answer: HookAnswer, environment: Mapping[str, str], ecs: Ecs, call: Call, table: Table | None
) -> Approval:
    """Answers a hook. Returns the answer as the ledger has it.

    Raises ApprovalsOffError, ConfigurationError without a ledger, DeploymentNotFoundError,
    NotAllowedError, HookNotAwaitedError, ApprovalRefusedError, ApprovalError, ServiceReadError,
    LedgerError, and those of `Ecs.for_arn`.
    """
    if not ApprovalSettings.from_environment(environment).is_on:
        raise ApprovalsOffError(_OFF)
    settings = Settings.from_environment(environment)
    if table is None:
        raise ConfigurationError(
            "the function's LEDGER_TABLE is empty: without a ledger no hook is known"
        )
    history = History(table, clock=call.clock.epoch)
    entry = history.find(answer.request_id) if 0 < len(answer.request_id) <= 128 else None
    if entry is None:
        raise DeploymentNotFoundError.of(answer.request_id)
    service = Request(cluster=entry.cluster_arn, service=entry.service_arn)
    if call.scope:
        targets = ecs.targets
        allowed = call.scope.actions_on_key(entry.service, targets.home, targets.target_name)
        if Action.READ not in allowed and Action.APPROVE not in allowed:
            raise DeploymentNotFoundError.of(answer.request_id)
        call.scope.of_request(service, targets.target_name(entry.service), Action.APPROVE)
    for error in AllowLists.of(settings).rejections(service):
        raise error
    approvals = Approvals(table, call.clock.epoch)
    return _Answering(answer, entry, ecs.for_arn(entry.service_arn), approvals, call).run()


class _Answering:
    """One answer to a hook of one update."""

    def __init__(
        self, answer: HookAnswer, entry: Entry, ecs: Ecs, approvals: Approvals, call: Call
    ):
        self._answer, self._entry, self._ecs = answer, entry, ecs
        self._approvals, self._call = approvals, call

    def run(self) -> Approval:
        """Stores, sends and confirms the answer."""
        if self._entry.is_ended:
            raise self._has_ended()
        deployment = self._read()
        hook = self._awaited_hook(deployment)
        approval = Approval(
            uuid.uuid4().hex,
            hook.hook_id,
            self._answer.action,
            one_line(self._call.caller or "unknown"),
            iso(self._call.clock.epoch()),
            hook.stage,
        )
        self._entry = self._approvals.claim(self._entry, approval)
        if approval not in self._entry.approvals:
            if self._entry.is_ended:
                raise self._has_ended()
            raise self._not_awaited(f"it {_answered(self._given[-1])}")
        REQUEST_ID.set(self._entry.request_id)
        self._send(deployment["serviceDeploymentArn"], approval)
        return self._confirm(approval)

    def _read(self) -> Mapping[str, Any]:
        """Returns the service deployment of the update's deployment, or of its rollback's.

        Raises HookNotAwaitedError without one, and ServiceReadError.
        """
        entry, rollback = self._entry, self._entry.rollback
        arn = None if rollback else entry.service_deployment_arn
        deployment_id = rollback.deployment_id if rollback else entry.deployment_id
        with read_errors():
            if arn is None and deployment_id:
                found, _ = self._ecs.describe_service(entry.cluster_arn, entry.service_arn)
                service = found or {}
                if primary_deployment(service).get("id") == deployment_id:
                    arn = service.get("currentServiceDeployment")
            deployment = self._ecs.service_deployment(arn) if arn else None
        if deployment is None:
            kind = "service deployment" if deployment_id else "deployment yet"
            raise self._not_awaited(f"the update has no {kind}")
        return deployment

    def _awaited_hook(self, deployment: Mapping[str, Any]) -> PauseHook:
        """Returns the hook of the answer. Raises HookNotAwaitedError if it awaits no answer."""
        hook, state = self._hook_of(deployment), _state_of(deployment)
        if hook is None:
            awaited = awaited_hook_of(deployment)
            what = f"awaits hook {awaited.hook_id}" if awaited else "awaits no hook"
            raise self._not_awaited(f"{state} and {what}")
        if not hook.is_awaited:
            given = next((each for each in self._given if each.is_result_of(hook)), None)
            if given:  # Its process may have been killed.
                self._confirm(given)
            result = _answered(replace(given, is_confirmed=True)) if given else f"is {hook.status}"
            raise self._not_awaited(f"it {result}, and {state}")
        if deployment.get("status") != "IN_PROGRESS":
            raise self._not_awaited(state)
        return hook

    def _hook_of(self, deployment: Mapping[str, Any]) -> PauseHook | None:
        hooks = pause_hooks_of(deployment)
        return next((hook for hook in hooks if hook.hook_id == self._answer.hook_id), None)

    def _send(self, arn: str, approval: Approval) -> None:
        """Sends the answer, until ECS has taken it."""
        clock, may_have_arrived = self._call.clock, False
        for _ in range(_SENDS):
            try:
                self._ecs.continue_service_deployment(arn, approval.hook_id, approval.action)
                return
            except AwsFailure as failed:
                failure = failed
            is_lost = failure.outcome is Outcome.UNKNOWN
            if not may_have_arrived and failure.outcome in (Outcome.NOT_NOW, Outcome.NOT_PERMITTED):
                self._withdraw(approval)
                raise ApprovalError(str(failure)).caused_by(failure)
            may_have_arrived = may_have_arrived or is_lost
            if is_lost:
                clock.sleep(_PAUSE)
            try:
                deployment = self._ecs.service_deployment(arn) or {}
            except AwsFailure:
                break
            hook = self._hook_of(deployment)
            if may_have_arrived and hook and approval.is_result_of(hook):
                return
            if may_have_arrived and (hook is None or not hook.is_decided):
                break
            if hook is None or not hook.is_awaited or failure.outcome is Outcome.REFUSED:
                self._withdraw(approval)
                self._awaited_hook(deployment)
                raise ApprovalRefusedError(str(failure)).caused_by(failure)
            passed = clock.epoch() - (seconds(approval.at) or 0.0)
            if passed > SENDING_SECONDS - _SEND_SECONDS:
                break
        lost = AwsFailure(failure.operation, Outcome.UNKNOWN, failure.code, failure.reason)
        raise ApprovalError(
            f"{failure}; whether ECS has taken it is not known: read the update again"
        ).caused_by(lost)

    def _confirm(self, approval: Approval) -> Approval:
        """Records that ECS has taken an answer. Without the record, the next answer confirms it."""
        confirmed = replace(approval, is_confirmed=True)
        with suppress(LedgerError):
            self._entry = self._approvals.confirm(self._entry, confirmed)
        return confirmed

    def _withdraw(self, approval: Approval) -> None:
        """Removes an answer that ECS has not taken. Without that, it is replaced later."""
        others = [each for each in self._entry.approvals if each.id != approval.id]
        with suppress(LedgerError):
            self._approvals.withdraw(self._entry, approval)
        self._entry = replace(self._entry, approvals=others)

    @property
    def _given(self) -> list[Approval]:
        """The answers to the hook in the ledger."""
        hook_id = self._answer.hook_id
        return [each for each in self._entry.approvals if each.hook_id == hook_id]

    def _has_ended(self) -> HookNotAwaitedError:
        answered = f"it {_answered(self._given[-1])}, and " if self._given else ""
        return self._not_awaited(f"{answered}the update has ended with {self._entry.verdict}")

    def _not_awaited(self, state: str) -> HookNotAwaitedError:
        hook_id = one_line(self._answer.hook_id, 256)
        return HookNotAwaitedError(f"hook {hook_id} awaits no answer: {state}")


def _answered(approval: Approval) -> str:
    """Returns for example `was approved by API key a1b2 at 2027-01-15T08:01:00.000Z`."""
    verb = "approved" if approval.action == CONTINUE else "rejected"
    if approval.is_confirmed:
        return f"was {verb} by {approval.caller} at {approval.at}"
    return f"is being {verb} by {approval.caller} since {approval.at}"


def _state_of(deployment: Mapping[str, Any]) -> str:
    stage = deployment.get("lifecycleStage")
    return f"the service deployment is {deployment.get('status')}" + (
        f" at {stage}" if stage else ""
    )

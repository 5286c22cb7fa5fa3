"""`ecs-updater approve` and `reject`: answers the hook that a deployment awaits."""

import os
from collections.abc import Sequence

from rich.text import Text

from ecs_updater.aws.dynamodb import Table
from ecs_updater.aws.ecs import Ecs
from ecs_updater.context import Call
from ecs_updater.deployments.approvals import answer_hook
from ecs_updater.errors import (
    ApprovalError,
    ApprovalRefusedError,
    ApprovalsOffError,
    ConfigurationError,
    HookNotAwaitedError,
    NotAllowedError,
    Outcome,
)
from ecs_updater.ledger.entry import Entry
from ecs_updater.ledger.store import History
from ecs_updater.model.arn import account_prefix
from ecs_updater.model.event_parser import ROLLBACK as ROLLBACK_EVENT
from ecs_updater.model.hook import ACTIONS, APPROVE, REJECT, Approval, HookAnswer

from ..backends.account import Account, Ledger, caller
from ..backends.aws_errors import aws_errors
from ..backends.settings import environment
from ..batch.state import plain_cause
from ..errors import NOT_ALL, SUCCEEDED, AwsError, CommandError, input_error
from ..manifest.entries import ServiceIdentity
from ..output.terminal import Printer, safe
from .options import AccountOptions
from .validate import check_event, service_event


def approve(
    cluster: str,
    service: str,
    hook: str,
    target: str | None,
    as_json: bool,
    options: AccountOptions,
) -> int:
    """Continues the deployment. Returns the exit code."""
    return _answer(APPROVE, cluster, service, hook, target, as_json, options)


def reject(
    cluster: str,
    service: str,
    hook: str,
    target: str | None,
    as_json: bool,
    options: AccountOptions,
) -> int:
    """Rolls the deployment back. Returns the exit code."""
    return _answer(REJECT, cluster, service, hook, target, as_json, options)


def _answer(  # pylint: disable=too-many-arguments,too-many-positional-arguments
    name: str,
    cluster: str,
    service: str,
    hook: str,
    target: str | None,
    as_json: bool,
    options: AccountOptions,
) -> int:
    event = service_event(cluster, service, target)
    check_event({"action": ROLLBACK_EVENT, **event})
    account = Account(options.name, options.region, options.profile)
    ledger, identity = account.needed_ledger, ServiceIdentity.of(event)
    request, _ = account.locate(cluster, service, target, reads_only=False)
    is_arn = request.cluster.startswith("arn:")
    key = identity.key(account_prefix(request.cluster) if is_arn else ledger.arn_prefix)
    entry = _find(ledger, key, hook)
    if entry is None:
        raise CommandError(NOT_ALL, f"the ledger {ledger.name} has no update of {identity}")
    given = HookAnswer(entry.request_id, hook, ACTIONS[name])
    approval = _send(given, ledger, account.ecs, Call(caller=caller(), clock=account.clock))
    fields = {
        "type": "approval",
        "target": identity.target,
        "cluster": identity.cluster,
        "service": identity.service,
        "requestId": entry.request_id,
        **approval.to_json(),
    }
    stage = f" at {approval.stage}" if approval.stage else ""
    verb = "approved" if name == APPROVE else "rejected"
    Printer().listing([fields], [Text(safe(f"{identity}: hook {hook} {verb}{stage}"))], as_json)
    return SUCCEEDED


@aws_errors()
def _find(ledger: Ledger, key: str, hook: str) -> Entry | None:
    """Returns the update that has shown the hook, by default the latest with a deployment."""
    assert isinstance(ledger.table, Table)
    entries = History(ledger.table).latest(key)
    deployed = [entry for entry in entries if entry.deployment_id and not entry.is_ended]
    ranked = [[entry for entry in entries if hook in _hooks_of(entry)], deployed, entries]
    return next((found[0] for found in ranked if found), None)


def _hooks_of(entry: Entry) -> Sequence[str]:
    shown = (entry.rollout.get("hook") or {}).get("id")
    return [*filter(None, [shown]), *(approval.hook_id for approval in entry.approvals)]


@aws_errors()
def _send(answer: HookAnswer, ledger: Ledger, ecs: Ecs, call: Call) -> Approval:
    """Answers the hook. Raises CommandError."""
    assert isinstance(ledger.table, Table)
    # The caller's own permissions decide, unless the shell says off.
    settings = environment(ledger.name, ledger.arn_prefix)
    settings["APPROVALS"] = os.environ.get("APPROVALS") or "on"
    try:
        return answer_hook(answer, settings, ecs, call, ledger.table)
    except (HookNotAwaitedError, ApprovalRefusedError) as error:
        raise CommandError(NOT_ALL, plain_cause(str(error))) from None
    except (ApprovalsOffError, NotAllowedError) as error:
        raise input_error(plain_cause(str(error))) from None
    except ConfigurationError as error:
        sentence = plain_cause(str(error))
        raise input_error(sentence.replace("the function's ", "the environment's ", 1)) from None
    except ApprovalError as error:
        if error.outcome is not Outcome.UNKNOWN:
            raise
        raise AwsError(plain_cause(str(error))) from None

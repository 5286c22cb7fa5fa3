"""A PAUSE hook of a service deployment, and the answers to it. Pure.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/pause-lifecycle-hooks.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CONTINUE, ROLLBACK = "CONTINUE", "ROLLBACK"
"""Actions of ContinueServiceDeployment."""

APPROVE, REJECT = "approve", "reject"
ACTIONS: Mapping[str, str] = {APPROVE: CONTINUE, REJECT: ROLLBACK}
"""The action by the name of its route and command."""

AWAITED = "AWAITING_ACTION"
_PAUSE = "PAUSE"
_RESULTS = {CONTINUE: "SUCCEEDED", ROLLBACK: "FAILED"}
"""The status of a hook after each action."""
_ENDED = frozenset({*_RESULTS.values(), "TIMED_OUT"})


@dataclass(frozen=True)
class PauseHook:
    """A PAUSE hook that a deployment has reached."""

    hook_id: str
    status: str
    """`DeploymentLifecycleHookStatus`."""
    stage: str = ""
    """The lifecycle stage of the deployment."""

    @property
    def is_awaited(self) -> bool:
        """Whether it awaits an answer."""
        return self.status == AWAITED

    @property
    def is_decided(self) -> bool:
        """Whether the status shows which answer ECS has taken, if any. IN_PROGRESS does not."""
        return self.is_awaited or self.status in _ENDED


@dataclass(frozen=True)
class HookAnswer:
    """What a caller answers to a hook."""

    request_id: str
    """The update's."""
    hook_id: str
    """The hook that the caller has seen."""
    action: str
    """CONTINUE or ROLLBACK."""


@dataclass(frozen=True)
class Approval:
    """An answer to a hook, as the ledger stores it."""

    id: str
    """Unique for each attempt."""
    hook_id: str
    action: str
    """CONTINUE or ROLLBACK."""
    caller: str
    at: str
    """ISO 8601, UTC."""
    stage: str = ""
    is_confirmed: bool = False
    """Whether ECS is known to have taken the answer. Otherwise it is being sent, or its process was
    killed.
    """

    def is_result_of(self, hook: PauseHook) -> bool:
        """Returns whether the hook's status is the one after this answer."""
        return hook.hook_id == self.hook_id and hook.status == _RESULTS.get(self.action)

    def to_json(self) -> dict[str, Any]:
        """Returns the answer as the API shows it."""
        return {
            "hookId": self.hook_id,
            "stage": self.stage or None,
            "action": self.action,
            "by": self.caller,
            "at": self.at,
            "confirmed": self.is_confirmed,
        }


def hook_details_of(service_deployment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns the hooks of an item in DescribeServiceDeployments, the awaited ones first."""
    details = service_deployment.get("lifecycleHookDetails") or ()
    return sorted(details, key=lambda detail: detail.get("status") != AWAITED)


def pause_hooks_of(service_deployment: Mapping[str, Any]) -> Iterator[PauseHook]:
    """Yields the PAUSE hooks of an item in DescribeServiceDeployments, the awaited ones first.

    ECS does not name the stage of a hook: an awaited one is of the current stage.
    """
    stage = service_deployment.get("lifecycleStage") or ""
    for detail in hook_details_of(service_deployment):
        status = detail.get("status") or ""
        # Only a PAUSE hook awaits an action.
        is_pause = detail.get("targetType") == _PAUSE or status == AWAITED
        if is_pause and detail.get("hookId"):
            yield PauseHook(detail["hookId"], status, stage if status == AWAITED else "")


def awaited_hook_of(service_deployment: Mapping[str, Any]) -> PauseHook | None:
    """Returns the first hook that awaits an answer, or None."""
    first = next(pause_hooks_of(service_deployment), None)
    return first if first and first.is_awaited else None

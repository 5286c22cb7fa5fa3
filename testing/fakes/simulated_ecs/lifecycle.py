"""The lifecycle of a service deployment: its stages, its traffic, and its hooks.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-lifecycle-hooks.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/pause-lifecycle-hooks.html
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fakes.wire import Refusal

from . import wording
from .clock import Clock
from .history import ALL, PAUSE, Hook, ServiceDeployment, Step
from .ids import Ids
from .runner import Timing
from .service import Service

RECONCILE, SCALE_UP, CLEAN_UP = "RECONCILE_SERVICE", "SCALE_UP", "CLEAN_UP"
PRE_SHIFT, SHIFT = "PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"
STAGES = (
    RECONCILE,
    "PRE_SCALE_UP",
    SCALE_UP,
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    PRE_SHIFT,
    SHIFT,
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME",
    CLEAN_UP,
)
"""All lifecycle stages, in their order."""
LONGEST_MINUTES = 1440
"""How long ECS waits for a hook without a time-out of its own."""

FOREVER = float("inf")


@dataclass(frozen=True)
class HookResult:
    """What the function of an AWS_LAMBDA hook returns."""

    status: str = "SUCCEEDED"
    takes: float = 1
    """Seconds until it returns; FOREVER: it never does."""


def configuration_of(  # pylint: disable=too-many-arguments  # Settings, each with a default.
    strategy: str,
    *hooks: Mapping[str, Any],
    bake: int = 1,
    step_bake: int = 0,
    percent: float = 50,
    alarms: Sequence[str] = (),
    **others: Any,
) -> dict[str, Any]:
    """A deployment configuration. ``bake`` and ``step_bake`` are minutes; ``percent`` is that of a
    step or of the canary.
    """
    steps = {
        "LINEAR": {
            "linearConfiguration": {"stepPercent": percent, "stepBakeTimeInMinutes": step_bake}
        },
        "CANARY": {
            "canaryConfiguration": {"canaryPercent": percent, "canaryBakeTimeInMinutes": step_bake}
        },
    }
    return {
        "strategy": strategy,
        **({} if strategy == "ROLLING" else {"bakeTimeInMinutes": bake}),
        **steps.get(strategy, {}),
        **({"lifecycleHooks": [dict(hook) for hook in hooks]} if hooks else {}),
        **(
            {"alarms": {"enable": True, "rollback": True, "alarmNames": list(alarms)}}
            if alarms
            else {}
        ),
        **others,
    }


def pause_at(*stages: str, minutes: int = LONGEST_MINUTES, action: str = "ROLLBACK") -> Any:
    """A PAUSE hook; ``action``: what ECS does if nobody answers within ``minutes``."""
    return {
        "targetType": PAUSE,
        "lifecycleStages": list(stages),
        "timeoutConfiguration": {"timeoutInMinutes": minutes, "action": action},
    }


def invoke_at(
    *stages: str, name: str = "check", minutes: int = LONGEST_MINUTES, action: str = "ROLLBACK"
) -> Any:
    """An AWS_LAMBDA hook with the function ``name``."""
    return {
        "hookTargetArn": f"arn:aws:lambda:eu-west-1:123456789012:function:{name}",
        "roleArn": "arn:aws:iam::123456789012:role/hooks",
        "lifecycleStages": list(stages),
        "timeoutConfiguration": {"timeoutInMinutes": minutes, "action": action},
    }


class Lifecycle:
    """Brings the service deployments of one service from stage to stage."""

    def __init__(
        self,
        service: Service,
        clock: Clock,
        timing: Timing,
        ids: Ids,
        fail: Callable[[ServiceDeployment, str], object],
        changed: Callable[[], object],
    ):
        """``fail`` begins the rollback; ``changed`` makes the scheduler look at its tasks."""
        self._service, self._clock, self._timing, self._ids = service, clock, timing, ids
        self._fail, self._changed = fail, changed

    def begin(self, history: ServiceDeployment, has_interrupted: bool) -> None:
        """The first stage; ``has_interrupted``: another service deployment was going on."""
        hooked = {
            stage
            for hook in history.configuration.get("lifecycleHooks", [])
            for stage in hook["lifecycleStages"]
        }
        history.steps = list(
            steps_of(history.configuration, hooked, has_interrupted, self._timing.stage_takes)
        )
        self._enter(history)

    def tasks_are_good(self, history: ServiceDeployment) -> None:
        """All tasks of the new revision run well, which ends the stage SCALE_UP."""
        if history.stage == SCALE_UP and not history.is_rolling and not history.has_open_hooks:
            self._enter_next(history)

    def may_start(self, history: ServiceDeployment) -> bool:
        """Whether its tasks may start: from SCALE_UP on."""
        return history.stage not in (RECONCILE, "PRE_SCALE_UP")

    def may_clean_up(self, history: ServiceDeployment) -> bool:
        """Whether the old tasks may go: from the beginning in a rolling update, at last
        otherwise.
        """
        return history.is_rolling or history.stage in (CLEAN_UP, "")

    def answer(self, history: ServiceDeployment, hook_id: str, action: str) -> None:
        """ContinueServiceDeployment. Raises Refusal."""
        hook = next((hook for hook in history.hooks if hook.id == hook_id), None)
        if hook is None or hook.target_type != PAUSE:
            raise Refusal("InvalidParameterException", f"The hook {hook_id} was not found.")
        if history.status != "IN_PROGRESS" or hook.status != "AWAITING_ACTION":
            raise Refusal(
                "InvalidParameterException",
                f"The hook {hook_id} is not awaiting action: it is {hook.status}, and the service "
                f"deployment is {history.status}.",
            )
        if action == "ROLLBACK":
            hook.status = "FAILED"
            self._fail(history, wording.hook_rejected(history.stage, hook_id))
        else:
            self._resolve(history, hook, "SUCCEEDED")

    # From stage to stage.

    def _goes_on(self, history: ServiceDeployment) -> bool:
        """Whether it has neither ended nor begun to roll back."""
        return history.status in ("PENDING", "IN_PROGRESS") and history in self._service.history

    def _enter_next(self, history: ServiceDeployment) -> None:
        if self._goes_on(history):
            history.position += 1
            self._enter(history)

    def _enter(self, history: ServiceDeployment) -> None:
        if not self._goes_on(history):
            return
        step = history.steps[history.position]
        history.enters(step, self._clock.now())
        # All of them, so that the first that ends finds the others.
        started = list(self._hooks_of(history, step.stage))
        history.hooks += [hook for hook, _ in started]
        for hook, result in started:
            self._start(history, hook, result)
        if not started:
            self._work(history)

    def _work(self, history: ServiceDeployment) -> None:
        """What follows the hooks of a stage."""
        step = history.steps[history.position]
        if step.stage in (SCALE_UP, CLEAN_UP):
            self._changed()
        else:
            self._clock.after(step.seconds, lambda: self._leave(history, step))

    def _leave(self, history: ServiceDeployment, step: Step) -> None:
        if history.steps[history.position] is step:
            self._enter_next(history)

    # Hooks.

    def _hooks_of(
        self, history: ServiceDeployment, stage: str
    ) -> Iterator[tuple[Hook, HookResult | None]]:
        """The hooks of a stage with what each returns, with new ids."""
        failing = self._service.failing_hooks.get(stage)
        for configured in history.configuration.get("lifecycleHooks", []):
            if stage in configured["lifecycleStages"]:
                target = configured.get("hookTargetArn", "")
                result = self._service.hook_results.get(stage, HookResult())
                yield self._new_hook(configured), result if target else None
        if failing:
            hook = self._new_hook({"hookTargetArn": failing})
            yield hook, HookResult("FAILED", self._timing.stage_takes)

    def _new_hook(self, configured: Mapping[str, Any]) -> Hook:
        timeout = configured.get("timeoutConfiguration") or {}
        target_type = configured.get("targetType", "AWS_LAMBDA")
        return Hook(
            id=self._ids.hook(target_type),
            target_type=target_type,
            target_arn=configured.get("hookTargetArn", ""),
            status="AWAITING_ACTION" if target_type == PAUSE else "IN_PROGRESS",
            expires_at=self._clock.now() + 60 * timeout.get("timeoutInMinutes", LONGEST_MINUTES),
            timeout_action=timeout.get("action", "ROLLBACK"),
        )

    def _start(self, history: ServiceDeployment, hook: Hook, result: HookResult | None) -> None:
        left = hook.expires_at - self._clock.now()
        self._clock.after(left, lambda: self._resolve(history, hook, "TIMED_OUT"))
        if result and result.takes < left:
            self._clock.after(result.takes, lambda: self._resolve(history, hook, result.status))

    def _resolve(self, history: ServiceDeployment, hook: Hook, status: str) -> None:
        if not hook.is_open or not self._goes_on(history):
            return
        hook.status = status
        history.updated_at = self._clock.now()
        if status == "FAILED":
            self._fail(history, wording.hook_failed(history.stage, hook.target_arn))
        elif status == "TIMED_OUT" and hook.timeout_action == "ROLLBACK":
            self._fail(history, wording.hook_timed_out(history.stage, hook.target_arn or hook.id))
        elif not history.has_open_hooks:
            self._work(history)


def steps_of(
    configuration: Mapping[str, Any], hooked: set[str], has_interrupted: bool, takes: float
) -> Iterator[Step]:
    """The steps of a deployment: each stage once, the traffic shift once for each step.

    ``hooked``: the stages that have hooks. ``takes``: the seconds of a stage whose time nothing
    else decides.
    """
    if configuration.get("strategy", "ROLLING") == "ROLLING":
        yield Step(SCALE_UP, takes)
        return
    if has_interrupted:
        yield Step(RECONCILE, takes)
    yield Step("PRE_SCALE_UP", takes)
    yield Step(SCALE_UP, takes)
    yield Step("POST_SCALE_UP", takes)
    yield Step("TEST_TRAFFIC_SHIFT", takes, test=ALL)
    yield Step("POST_TEST_TRAFFIC_SHIFT", takes, test=ALL)
    before = 0.0
    for percent, seconds in _shifts(configuration, takes):
        if PRE_SHIFT in hooked:
            yield Step(PRE_SHIFT, takes, before, ALL)
        yield Step(SHIFT, seconds, percent, ALL)
        before = percent
    yield Step("POST_PRODUCTION_TRAFFIC_SHIFT", takes, ALL, ALL)
    yield Step("BAKE_TIME", 60 * configuration.get("bakeTimeInMinutes", 0), ALL, ALL)
    yield Step(CLEAN_UP, takes, ALL, ALL)


def _shifts(configuration: Mapping[str, Any], takes: float) -> Iterator[tuple[float, float]]:
    """The steps of the traffic: percent of the new revision, and seconds until the next one."""
    strategy = configuration["strategy"]
    if strategy == "LINEAR":
        linear = configuration.get("linearConfiguration") or {}
        step, wait = linear.get("stepPercent", 10.0), linear.get("stepBakeTimeInMinutes", 6)
        percent = step
        while percent < ALL:
            yield percent, max(60 * wait, takes)
            percent += step
    elif strategy == "CANARY":
        canary = configuration.get("canaryConfiguration") or {}
        wait = canary.get("canaryBakeTimeInMinutes", 10)
        yield canary.get("canaryPercent", 5.0), max(60 * wait, takes)
    yield ALL, takes

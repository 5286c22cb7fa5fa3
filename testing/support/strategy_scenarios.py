"""Scenarios of blue/green, linear and canary deployments, each with its verdict.

The table in docs/strategies.md is this one. As a program, prints its rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fakes.simulated_ecs import (
    FOREVER,
    HookResult,
    Image,
    configuration_of,
    invoke_at,
    pause_at,
)

ALARM, BACK = "more-errors", {"rollback_on_failure": True}
GATE, CHECK, STEP = (
    "POST_TEST_TRAFFIC_SHIFT",
    "POST_SCALE_UP",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
)


@dataclass(frozen=True)
class Scenario:
    """A deployment, what happens beside it, and what it must come to."""

    verdict: str
    says: str
    """A part of the sentence that the caller reads."""
    configuration: Mapping[str, Any]
    beside: tuple[tuple[Any, ...], ...] = ()
    """Seconds, method and arguments of what happens in the world."""
    results: Mapping[str, HookResult] = field(default_factory=dict)
    """What functions of hooks return, by stage."""
    image: Image = field(default_factory=Image.good)
    event: Mapping[str, Any] = field(default_factory=dict)
    ends: str = "new"
    """Which revision the service has afterwards, or is about to have."""
    tags: str = "new"
    wait: int = 300
    final: str | None = None
    """The ledger's verdict in the end, where it is another."""

    @property
    def strategy(self) -> str:
        """The strategy of the service."""
        return str(self.configuration["strategy"])


def _blue_green(*hooks: Any, **settings: Any) -> dict[str, Any]:
    return configuration_of("BLUE_GREEN", *hooks, **settings)


SCENARIOS = {
    "all goes well": Scenario("SUCCEEDED", "1 of 1 tasks run", _blue_green(bake=2)),
    "all steps go well": Scenario(
        "SUCCEEDED", "1 of 1 tasks run", configuration_of("LINEAR", step_bake=1, percent=40)
    ),
    "the canary goes well": Scenario(
        "SUCCEEDED", "1 of 1 tasks run", configuration_of("CANARY", step_bake=1, percent=5)
    ),
    "the wait ends in the bake time": Scenario(
        "TIMED_OUT",
        "stage BAKE_TIME: bake time until 2027-01-15T08:3",
        _blue_green(bake=30),
        final="SUCCEEDED",
    ),
    "the wait ends between two steps": Scenario(
        "TIMED_OUT",
        "stage PRODUCTION_TRAFFIC_SHIFT: waits before the next step until 2027-01-15T08:1",
        configuration_of("LINEAR", step_bake=10),
        final="SUCCEEDED",
    ),
    "a hook succeeds": Scenario("SUCCEEDED", "1 of 1 tasks run", _blue_green(invoke_at(CHECK))),
    "a hook fails": Scenario(
        "ROLLED_BACK",
        "function:check returned FAILED status; ECS returned the service to ecs-dummy-task:1",
        _blue_green(invoke_at(CHECK)),
        results={CHECK: HookResult("FAILED")},
        ends="old",
    ),
    "a hook does not end in time, time-out action ROLLBACK": Scenario(
        "ROLLED_BACK",
        "POST_SCALE_UP lifecycle hook(s) timed out",
        _blue_green(invoke_at(CHECK, minutes=1)),
        results={CHECK: HookResult(takes=FOREVER)},
        ends="old",
    ),
    "a hook does not end in time, time-out action CONTINUE": Scenario(
        "SUCCEEDED",
        "1 of 1 tasks run",
        _blue_green(invoke_at(CHECK, minutes=1, action="CONTINUE")),
        results={CHECK: HookResult(takes=FOREVER)},
    ),
    "the wait ends while a hook runs": Scenario(
        "TIMED_OUT",
        "stage POST_SCALE_UP: waits for lifecycle hook arn:aws:lambda:eu-west-1:123456789012:"
        "function:check until 2027-01-15T09:0",
        _blue_green(invoke_at(CHECK, minutes=60)),
        results={CHECK: HookResult(takes=FOREVER)},
        final="ROLLED_BACK",
        ends="old",
    ),
    "a pause that nobody answers": Scenario(
        "TIMED_OUT",
        "stage POST_TEST_TRAFFIC_SHIFT: waits for approval of hook ecs-pause-",
        _blue_green(pause_at(GATE, minutes=60)),
        final="ROLLED_BACK",
        ends="old",
    ),
    "a pause that nobody answers, time-out action CONTINUE": Scenario(
        "SUCCEEDED", "1 of 1 tasks run", _blue_green(pause_at(GATE, minutes=1, action="CONTINUE"))
    ),
    "a pause that somebody approves": Scenario(
        "SUCCEEDED",
        "1 of 1 tasks run",
        _blue_green(pause_at(GATE)),
        beside=((60, "answer_hook"),),
    ),
    "a pause that somebody rejects": Scenario(
        "ROLLED_BACK",
        "request to roll back at the POST_TEST_TRAFFIC_SHIFT lifecycle hook",
        _blue_green(pause_at(GATE)),
        beside=((60, "answer_hook", "ROLLBACK"),),
        ends="old",
    ),
    "the second step is rejected": Scenario(
        "ROLLED_BACK",
        "request to roll back at the PRE_PRODUCTION_TRAFFIC_SHIFT lifecycle hook",
        configuration_of("CANARY", pause_at(STEP), percent=10),
        beside=((60, "answer_hook"), (120, "answer_hook", "ROLLBACK")),
        ends="old",
    ),
    "an alarm in the bake time": Scenario(
        "ROLLED_BACK",
        "alarm more-errors was triggered; ECS returned the service to ecs-dummy-task:1",
        _blue_green(bake=5, alarms=[ALARM]),
        beside=((60, "trigger_alarm", ALARM),),
        ends="old",
    ),
    "an alarm between two steps, rollback_on_failure": Scenario(
        "ROLLED_BACK",
        "alarm more-errors was triggered",
        configuration_of("LINEAR", step_bake=5, alarms=[ALARM]),
        beside=((60, "trigger_alarm", ALARM),),
        event=BACK,
        ends="old",
        tags="old",
    ),
    "an alarm without rollback": Scenario(
        "FAILED",
        "alarm more-errors was triggered; the service was not rolled back",
        _blue_green(bake=5)
        | {"alarms": {"enable": True, "rollback": False, "alarmNames": [ALARM]}},
        beside=((60, "trigger_alarm", ALARM),),
    ),
    "an alarm that was in ALARM before": Scenario(
        "SUCCEEDED",
        "1 of 1 tasks run",
        configuration_of("CANARY", alarms=[ALARM]),
        beside=((0, "trigger_alarm", ALARM),),
    ),
    "the rollback of ECS fails": Scenario(
        "ROLLBACK_FAILED",
        "alarm more-errors was triggered; and ECS could not roll back: Service deployment rollback",
        _blue_green(bake=5, alarms=[ALARM]),
        beside=((0, "fail_rollback"), (60, "trigger_alarm", ALARM)),
        ends="old",
    ),
    "the tasks fail": Scenario(
        "FAILED",
        "container ecs-dummy-container exited with code 3, 3 times; the service was not rolled",
        _blue_green(),
        image=Image.exits(code=3),
    ),
    "the tasks fail, rollback_on_failure": Scenario(
        "ROLLED_BACK",
        "the service is back: 1 of 1 tasks run ecs-dummy-task:1, its tags are what they were",
        _blue_green(),
        image=Image.exits(code=3),
        event=BACK,
        ends="old",
        tags="old",
    ),
    "somebody stops the deployment": Scenario(
        "STOPPED",
        "somebody stopped the deployment, and ECS returned the service to ecs-dummy-task:1",
        _blue_green(bake=10),
        beside=((60, "stop_deployment"),),
        ends="old",
    ),
    "somebody else deploys in the bake time": Scenario(
        "SUPERSEDED",
        "to ecs-dummy-task:3 took its place",
        _blue_green(bake=10),
        beside=((60, "deploy", "other:1"),),
        ends="another",
    ),
    "somebody deletes the service": Scenario(
        "STOPPED", "it was deleted", _blue_green(bake=10), beside=((60, "delete_service"),)
    ),
    "nobody waits": Scenario(
        "IN_PROGRESS", "not waited for", configuration_of("CANARY"), wait=0, final="SUCCEEDED"
    ),
}


def rows() -> list[str]:
    """The rows of the table."""
    return [
        f"| {scenario.strategy} | {name} | {scenario.verdict} | {scenario.final or ''} | "
        f"{scenario.ends} | {scenario.tags} |"
        for name, scenario in SCENARIOS.items()
    ]


if __name__ == "__main__":
    print("\n".join(rows()))

"""An update whose deployment awaits an answer at a PAUSE hook."""

import itertools

from ecs_updater.context import Call
from ecs_updater.deployments.approvals import answer_hook
from ecs_updater.model.hook import CONTINUE, ROLLBACK, HookAnswer
from fakes.simulated_ecs import configuration_of, pause_at

STAGE = "POST_TEST_TRAFFIC_SHIFT"
PAUSED = configuration_of("BLUE_GREEN", pause_at(STAGE, minutes=60), bake=1)
ON = {"APPROVALS": "on"}
CALL = "ContinueServiceDeployment"
STATUS = {CONTINUE: "SUCCEEDED", ROLLBACK: "FAILED"}
VERDICT = {CONTINUE: "SUCCEEDED", ROLLBACK: "ROLLED_BACK"}
_NUMBERS = itertools.count(1)


class Paused:
    """An update whose deployment awaits an answer."""

    def __init__(self, world, **fields):
        self.world, self.fields = world, {"request_id": "update-1", **fields}
        assert world.send(**self.fields).verdict in ("IN_PROGRESS", "TIMED_OUT")
        world.pass_time(60)
        assert self.deployment.awaited, self.deployment.stage

    @property
    def deployment(self):
        """The service deployment."""
        return self.world.ecs.service.history[-1]

    @property
    def hook(self):
        """The hook that was reached last."""
        return self.deployment.hooks[-1]

    @property
    def entry(self):
        """The update in the ledger."""
        return next(each for each in self.world.history if each.request_id == "update-1")

    @property
    def answers(self):
        """Of each answer in the ledger the hook, the action, the caller and whether ECS took it."""
        return [
            (each.hook_id, each.action, each.caller, each.is_confirmed)
            for each in self.entry.approvals
        ]

    @property
    def sent(self):
        """How often ContinueServiceDeployment was sent."""
        return self.world.ecs.operations.count(CALL)

    def answer(self, action=CONTINUE, hook=None, caller="me", scope=None, **settings):
        """Answers the hook in a process of its own."""
        id_ = f"answer-{next(_NUMBERS)}"
        call = Call(id_, caller, lambda: 29.0, self.world.clock, scope=scope)
        given = HookAnswer("update-1", (hook or self.hook).id, action)
        environment = {**self.world.environment, **ON, **settings}
        boundary, table = self.world.boundary, self.world.table
        return self.world.outcome_of(
            lambda: answer_hook(given, environment, boundary, call, table).to_json()
        )

    def end(self):
        """Lets the reconciler end the update. Returns the verdict."""
        (ended,) = self.world.finish(60)
        return ended.verdict

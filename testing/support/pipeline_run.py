"""An action of a pipeline from its first job to its result, as CodePipeline and Lambda run it."""

from collections.abc import Mapping
from functools import cache
from typing import Any
from unittest import mock

import boto3
from botocore.retries import quota

from ecs_updater.aws import codepipeline as codepipeline_boundary
from ecs_updater.aws.codepipeline import JobResults
from ecs_updater.codepipeline.run import Runner
from ecs_updater.context import Call
from fakes.pipeline import Artifacts, Pipeline
from fakes.wire import REGION

from .rollout_world import EVENT, EndlessQuota, Outcome, World
from .trouble import CODEPIPELINE

_RETRIES = 2
"""Lambda's, after an error or the kill of an asynchronous invocation: after one and two minutes."""


@cache
def _client() -> Any:
    """The client of all runs: creating one takes longer than most of them."""
    config = codepipeline_boundary._CONFIG  # pylint: disable=protected-access
    with mock.patch.object(quota, "RetryQuota", EndlessQuota):
        return boto3.client("codepipeline", region_name=REGION, config=config)


class PipelineRun:
    """One action in a world."""

    def __init__(
        self,
        world: World,
        parameters: Any = None,
        artifact: bytes = b"",
        environment: Mapping[str, str] | None = None,
    ):
        self.world, self.pipeline = world, Pipeline(EVENT if parameters is None else parameters)
        self.pipeline.before = lambda request: world.process.before(CODEPIPELINE, request)
        self.artifacts = Artifacts(artifact)
        self.credentials: list[Mapping[str, Any]] = []
        """With which the artifact was read."""
        self.pipeline.take(_client())
        self.runner = Runner(
            {**world.environment, **(environment or {})},
            world.boundary,
            world.table,
            JobResults(_client()),
            self._s3_of,
        )

    def _s3_of(self, credentials: Mapping[str, Any]) -> Artifacts:
        self.credentials.append(credentials)
        return self.artifacts

    def invoke(self) -> Outcome:
        """Invokes the function once with the current job."""
        call = Call("invocation", "test", lambda: 240.0, self.world.clock)
        return self.world.outcome_of(lambda: self.runner.run(self.pipeline.event, call) or {})

    def job(self) -> None:
        """Runs the current job: Lambda repeats an invocation that fails."""
        for retry in range(_RETRIES + 1):
            outcome = self.invoke()
            if not outcome.error and not outcome.was_killed:
                return
            self.world.pass_time(60 * (retry + 1))

    def action(self, most: int = 60) -> Pipeline:
        """Runs jobs until the action has its result, beside the reconciler."""
        for _ in range(most):
            self.job()
            if not self.pipeline.continues():
                break
            self.world.pass_time(30)
            self.world.reconcile()
        return self.pipeline

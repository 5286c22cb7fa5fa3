"""Runs one job of CodePipeline: starts the update, then looks for its verdict in the ledger.

The first job of an action runs `deploy` with its own id as `request_id`. After that, only the
ledger's entry decides: a verdict ends the action, an open update continues it. CodePipeline then
invokes the function again with a continuation token, which only reads the entry; the reconciler
completes the update. So a repeated, killed or unanswered job never makes a second update.

An error without an entry fails the action, also one that may pass: a retry of the stage is a job
with another id, and so a new update.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..aws import s3
from ..aws.codepipeline import JobResults
from ..aws.dynamodb import Table
from ..aws.ecs import Ecs
from ..context import Call
from ..deployments.deploy import deploy
from ..deployments.idempotency import replay
from ..deployments.response import Answer, of_entry
from ..errors import (
    AwsFailure,
    ConfigurationError,
    EcsUpdaterError,
    JobResultError,
    LedgerError,
    Outcome,
)
from ..ledger.entry import seconds
from ..ledger.store import History
from ..log import log_keys, log_update, logger
from ..model.event_parser import parse_json
from ..model.verdict import Verdict
from .artifact import image_fields, read_file
from .job import Job

WAIT_SECONDS = 90
"""Seconds that the first job waits for the lease and the rollout.

With the minute until Lambda repeats a killed invocation, longer than the lease of that invocation.
"""

_MOST_SECONDS = 23 * 3600.0
"""Age of an open update that fails the action: CodePipeline ends it after 24 hours, without cause.
"""

_RESERVED = ("request_id", "wait_seconds", "wait_until")


@dataclass(frozen=True)
class Runner:
    """The function's environment and clients."""

    environment: Mapping[str, str]
    ecs: Ecs
    table: Table | None
    results: JobResults
    s3_of: Callable[[Mapping[str, Any]], Any] = s3.client_of

    def run(self, event: Any, call: Call) -> None:
        """Runs a job and reports to it. Raises InvalidEventError for any other event.

        Raises JobResultError if CodePipeline does not take the result: Lambda invokes the function
        again with the same event.
        """
        job = Job.of(event)
        with log_keys({"request_id": job.request_id}, call, "codepipeline"):
            try:
                outcome: Answer | EcsUpdaterError | None = self._outcome(job, call)
            except EcsUpdaterError as error:
                outcome = error
            try:
                is_reported = self._report(job, outcome)
            except AwsFailure as failure:
                logger.error("the job has no result", job_id=job.id, reason=str(failure))
                raise JobResultError(str(failure)).caused_by(failure) from None
            if not is_reported:
                logger.warning("the job has its result already, or has expired", job_id=job.id)

    def _outcome(self, job: Job, call: Call) -> Answer | None:
        """Returns the response, or None while the update goes on. Raises its error."""
        if self.table is None:
            raise ConfigurationError(
                "the function has no ledger (LEDGER_TABLE), in which a pipeline's action finds its "
                "verdict: deploy the ledger and set LEDGER_TABLE"
            )
        answer: Answer | None = None
        error: EcsUpdaterError = LedgerError(
            f"the ledger has no update of request_id {job.request_id}: it was not begun"
        )
        if not job.is_continuation:
            try:
                answer = self._start(job, call)
            except EcsUpdaterError as raised:
                error = raised
        try:
            entry = History(self.table, clock=call.clock.epoch).find(job.request_id)
        except LedgerError as unread:
            if unread.outcome in (Outcome.NOT_NOW, Outcome.UNKNOWN):
                return None
            raise
        if entry is None:
            if answer is None:
                raise error
            return answer
        if entry.is_ended:
            return replay(entry)
        if call.clock.epoch() - (seconds(entry.begun_at) or 0) < _MOST_SECONDS:
            return None
        reason = "the rollout is in progress for 23 hours, and an action ends after 24"
        timed_out = {"id": entry.deployment_id, "verdict": Verdict.TIMED_OUT, "reason": reason}
        return of_entry(entry, timed_out)

    def _start(self, job: Job, call: Call) -> Answer:
        """Updates the service and waits a little. Raises EcsUpdaterError only."""
        parameters = _fields(job.parameters)

        def start() -> Answer:
            event = self._event(job, parameters)
            return deploy(event, self.environment, self.ecs, call, self.table)

        return log_update({**parameters, "request_id": job.request_id}, call, start)

    def _event(self, job: Job, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the event of the update, with the images of the artifact."""
        fields = dict(parameters)
        name, path = fields.pop("artifact", None), fields.pop("file", None)
        if name is not None or path is not None:
            if not isinstance(name, str) or not isinstance(path, str):
                raise ConfigurationError(
                    "UserParameters: `artifact` and `file` belong together and are texts"
                )
            content = self._read_artifact(job, name, path)
            images = image_fields(content, path, fields.pop("ecs_container_name", None))
            if both := sorted(images.keys() & fields.keys()):
                raise ConfigurationError(
                    f"UserParameters: {both[0]} is in the artifact's file {path!r}, too: leave it "
                    "out"
                )
            fields |= images
        return {**fields, "wait_seconds": WAIT_SECONDS, "request_id": job.request_id}

    def _read_artifact(self, job: Job, name: str, path: str) -> bytes:
        location = job.artifacts.get(name)
        if location is None:
            listed = ", ".join(job.artifacts) or "none"
            raise ConfigurationError(
                f"UserParameters: artifact {name!r} is not an input artifact of the action, which "
                f"has {listed}: add it to InputArtifacts"
            )
        if not job.credentials.keys() >= {"accessKeyId", "secretAccessKey", "sessionToken"}:
            raise ConfigurationError("the job has no credentials for its artifacts")
        try:
            client = self.s3_of(job.credentials)
            return read_file(s3.ObjectReader(client, location.bucket, location.key), path)
        except AwsFailure as failure:
            raise ConfigurationError(
                f"the artifact {name!r} could not be read: {failure}"
            ).caused_by(failure) from None

    def _report(self, job: Job, outcome: Answer | EcsUpdaterError | None) -> bool:
        """Reports the outcome. Returns whether the job took it. Raises AwsFailure."""
        ids = job.id, job.request_id
        if outcome is None:
            logger.info("the update goes on", job_id=job.id)
            return self.results.go_on(*ids, "The update is in progress")
        if isinstance(outcome, EcsUpdaterError):
            is_configuration = outcome.stage in ("configuration", "json_validation")
            kind = "ConfigurationError" if is_configuration else "JobFailed"
            message = f"{outcome}\n{outcome.hint}" if outcome.hint else str(outcome)
            logger.warning("the action fails", job_id=job.id, reason=str(outcome))
            return self.results.fail(*ids, kind, message)
        body = outcome["body"]
        deployment, is_dry_run = body["deployment"], body.get("dryRun", False)
        summary = f"{'DRY_RUN' if is_dry_run else deployment['verdict']}: {deployment['reason']}"
        logger.info("the action ends", job_id=job.id, deployment=deployment)
        if not is_dry_run and deployment["verdict"] not in (Verdict.SUCCEEDED, Verdict.NO_CHANGE):
            return self.results.fail(*ids, "JobFailed", summary)
        return self.results.succeed(*ids, summary, _variables(outcome, job.request_id))


def _fields(parameters: str) -> dict[str, Any]:
    """Returns the object in UserParameters. Raises InvalidEventError or ConfigurationError."""
    try:
        fields = parse_json(parameters, "UserParameters")
    except RecursionError:
        fields = None
    if not isinstance(fields, dict):
        raise ConfigurationError("UserParameters must be a JSON object: the event of an update")
    if reserved := [name for name in _RESERVED if name in fields]:
        raise ConfigurationError(
            f"UserParameters: leave out {reserved[0]}: the job's id is the request_id, and the "
            "action waits until the verdict"
        )
    return fields


def _variables(answer: Answer, request_id: str) -> dict[str, str]:
    """Returns the action's output variables. Their names are letters, which CodePipeline takes."""
    body = answer["body"]
    after, deployment = body["AFTER"], body["deployment"]
    values = {
        "verdict": deployment["verdict"],
        "reason": deployment["reason"],
        "changed": str(body["changed"]).lower(),
        "requestId": request_id,
        "deploymentId": deployment["id"],
        "serviceArn": after["serviceArn"],
        "serviceImage": after["serviceImage"],
        "taskDefinitionArn": body["taskDefinitionArn"]["after"],
    }
    return {name: value for name, value in values.items() if value is not None}

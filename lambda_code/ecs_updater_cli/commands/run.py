"""`ecs-updater run`: runs a command in a one-off task of a service, and changes nothing else."""

import secrets
from collections.abc import Sequence
from typing import Any

from rich.text import Text

from ecs_updater.deployments.task_run import run_task
from ecs_updater.errors import AwsFailure, CallerFault, Outcome, UnknownOutcomeError
from ecs_updater.model.arn import name_of
from ecs_updater.model.request import RUN_BEFORE
from ecs_updater.rollout.task_result import TaskResult

from ..backends.account import Account
from ..backends.aws_errors import aws_errors
from ..batch.state import plain_cause
from ..errors import DETACHED, NOT_ALL, SUCCEEDED, AwsError, CommandError, input_error
from ..manifest.entries import ServiceIdentity
from ..output.terminal import Printer, safe
from .options import AccountOptions
from .validate import check_event, service_event


def run(
    cluster: str,
    service: str,
    command: Sequence[str],
    container: str | None,
    task_definition: str | None,
    timeout: int,
    target: str | None,
    as_json: bool,
    options: AccountOptions,
) -> int:
    """Runs a command and prints the end of its log. Returns the exit code."""
    event = service_event(cluster, service, target)
    check_event({**event, RUN_BEFORE: {"command": list(command), "timeout_seconds": timeout}})
    account, printer = Account(options.name, options.region, options.profile), Printer()
    request, ecs = account.locate(cluster, service, target, reads_only=False)
    identity = ServiceIdentity.of(event)
    started: list[str] = []

    def on_start(arn: str) -> None:
        started.append(arn)
        printer.note(f"task {name_of(arn)} of {identity} runs")

    try:
        result = _result(
            ecs,
            request.cluster,
            service,
            command,
            container=container,
            task_definition=task_definition,
            timeout_seconds=timeout,
            request_id=secrets.token_hex(16),
            clock=account.clock,
            on_start=on_start,
        )
    except AwsError as error:
        raise CommandError(error.code, *error.lines, *map(_unwatched, started)) from None
    except KeyboardInterrupt:
        raise CommandError(DETACHED, "interrupted", *map(_unwatched, started)) from None
    _show(result, identity, printer, as_json)
    return SUCCEEDED if result.has_succeeded else NOT_ALL


def _show(result: TaskResult, identity: ServiceIdentity, printer: Printer, as_json: bool) -> None:
    """Prints the result of a task."""
    fields = {
        "type": "task",
        "target": identity.target,
        "cluster": identity.cluster,
        "service": identity.service,
        "taskArn": result.task_arn,
        "succeeded": result.has_succeeded,
        "exitCode": result.exit_code,
        "reason": result.reason,
        "logLines": list(result.log_lines),
    }
    style = "green" if result.has_succeeded else "bold red"
    lines = [*map(Text, map(safe, result.log_lines)), Text(safe(result.reason), style)]
    printer.listing([fields], lines, as_json)
    if result.log_note:
        printer.note(result.log_note)


@aws_errors()
def _result(*arguments: Any, **options: Any) -> TaskResult:
    """Calls `run_task`. Raises CommandError."""
    try:
        return run_task(*arguments, **options)
    except CallerFault as error:
        raise input_error(*filter(None, (_plain(error), error.hint))) from None
    except AwsFailure as failure:
        if failure.operation == "DescribeTaskDefinition" and failure.outcome is Outcome.REFUSED:
            raise input_error(f"{options['task_definition']}: {failure.reason}") from None
        raise
    except UnknownOutcomeError as error:
        raise AwsError(_plain(error).replace(": send the same event again", "")) from None


def _plain(error: Exception) -> str:
    """Returns the sentence of an error, which an update has, too."""
    return plain_cause(str(error)).replace(f"task of {RUN_BEFORE}", "task")


def _unwatched(arn: str) -> str:
    cluster, task = arn.split("/")[-2:]
    return (
        f"task {task} goes on without a timeout: aws ecs stop-task --cluster {cluster} --task "
        f"{task} stops it"
    )

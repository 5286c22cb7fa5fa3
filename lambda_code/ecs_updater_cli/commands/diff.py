"""`ecs-updater diff`: compares two revisions of a service's task definition."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from ecs_updater.aws.ecs import Ecs
from ecs_updater.deployments.reader import describe
from ecs_updater.errors import AwsFailure, CallerFault
from ecs_updater.model.arn import family, revision_name
from ecs_updater.model.event_parser import ROLLBACK
from ecs_updater.model.request import Request
from ecs_updater.model.service import task_definition

from ..backends.account import Account
from ..backends.aws_errors import aws_errors
from ..batch.state import plain_cause
from ..errors import NOT_ALL, SUCCEEDED, input_error
from ..manifest.entries import ServiceIdentity
from ..output.changes import Change, change_lines
from ..output.revisions import revision_changes
from ..output.terminal import Printer, number_of, safe
from .options import AccountOptions
from .validate import check_event, service_event


def diff(
    cluster: str,
    service: str,
    first: str | None,
    second: str | None,
    exit_code: bool,
    target: str | None,
    as_json: bool,
    options: AccountOptions,
) -> int:
    """Prints the differences between two revisions. Returns the exit code."""
    event = service_event(cluster, service, target)
    check_event({"action": ROLLBACK, **event})
    account = Account(options.name, options.region, options.profile)
    request, ecs = account.locate(cluster, service, target)
    identity = ServiceIdentity.of(event)
    running = _running_revision(ecs, request)
    before, after = (
        _read(ecs, name)
        for name in (
            _named(first, running) if first else _previous(running),
            _named(second, running) if second else running,
        )
    )
    changes = revision_changes(before, after, ecs.fields.read_only)
    arns = {"before": before["taskDefinitionArn"], "after": after["taskDefinitionArn"]}
    _show(identity, arns, changes, as_json)
    return NOT_ALL if changes and exit_code else SUCCEEDED


def _show(
    identity: ServiceIdentity, arns: Mapping[str, str], changes: Sequence[Change], as_json: bool
) -> None:
    """Prints the changes from the revision `before` in `arns` to the one `after`."""
    fields = {
        "type": "diff",
        "target": identity.target,
        "cluster": identity.cluster,
        "service": identity.service,
        "taskDefinitionArn": arns,
        "changes": changes,
    }
    revisions = " -> ".join(map(revision_name, arns.values()))
    count = number_of(len(changes), "difference") if changes else "nothing differs"
    lines = [
        Text.assemble((safe(str(identity)), "bold"), f"  {revisions}"),
        *change_lines(changes),
        Text(count),
    ]
    Printer().listing([fields], lines, as_json)


@aws_errors()
def _running_revision(ecs: Ecs, request: Request) -> str:
    """Returns `family:revision` of the service. Raises CommandError."""
    try:
        running = task_definition(describe(ecs, request))
    except CallerFault as error:
        raise input_error(*filter(None, (plain_cause(str(error)), error.hint))) from None
    if running is None:
        raise input_error(f"ecs_service_name {request.service} has no task definition")
    return revision_name(running)


def _previous(running: str) -> str:
    name, _, number = running.partition(":")
    if number == "1":
        raise input_error(f"{running} is the first revision: name a revision to compare it with")
    return f"{name}:{int(number) - 1}"


def _named(revision: str, running: str) -> str:
    """Returns `family:revision` of an argument: a number, `family:revision` or an ARN."""
    name = f"{family(running)}:{revision}" if revision.isdecimal() else revision_name(revision)
    if family(name) != family(running) or not name.partition(":")[2].isdecimal():
        raise input_error(
            f"{revision} is not a revision of {family(running)}, the family of the service: write "
            f"its number, for example {running.partition(':')[2]}"
        )
    return name


@aws_errors()
def _read(ecs: Ecs, revision: str) -> Mapping[str, Any]:
    try:
        found, tags = ecs.describe_task_definition(revision)
    except AwsFailure as failure:
        if failure.code == "ClientException":
            raise input_error(f"{revision} cannot be read: {failure.reason}") from None
        raise
    return {**found, "tags": [{"name": tag["key"], "value": tag["value"]} for tag in tags]}

"""`ecs-updater policies`: the services with a policy, and what it would deploy now."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any

from ecs_updater.aws.dynamodb import Table
from ecs_updater.aws.ecr import Ecr, EcrRepository
from ecs_updater.aws.ecs_reader import EcsReader, service_batches
from ecs_updater.aws.safe_http import Http
from ecs_updater.aws.tagging import Tagging
from ecs_updater.errors import AwsFailure, CallerFault, LedgerError
from ecs_updater.ledger.pushes import AcceptedPushes
from ecs_updater.ledger.store import History
from ecs_updater.model import service as service_description
from ecs_updater.model.push import Push
from ecs_updater.push.policy import Decision, LastPush, Running, decide
from ecs_updater.push.run import last_push
from ecs_updater.push.services import (
    Container,
    InvalidPolicy,
    PolicyService,
    containers,
    newest_push,
    services_with_policy,
)

from ..backends.account import Account
from ..backends.aws_errors import aws_error_of, aws_errors
from ..batch.state import plain_cause
from ..errors import NOT_ALL, SUCCEEDED
from ..output.tables import policies_table
from ..output.terminal import Printer
from .options import AccountOptions

Last = Callable[[str], LastPush | None]
"""Returns the last accepted push of a service's key."""

_NOT_LISTED = "not listed: no container runs an image of Amazon ECR"


def policies(as_json: bool, options: AccountOptions) -> int:
    """Prints the services with a policy. Returns the exit code."""
    account = Account(options.name, options.region, options.profile)
    printer = Printer()
    last = _last_of(account, printer)
    found = read_policies(Tagging(), EcsReader(), Ecr(Http(frozenset())), last)
    if found:
        printer.listing(found, [policies_table(found)], as_json)
    else:
        printer.note(f"no service in {account.region} has the tag ecs-updater:policy")
    return NOT_ALL if any(policy["failed"] for policy in found) else SUCCEEDED


def _last_of(account: Account, printer: Printer) -> Last:
    """Returns the function that reads accepted pushes. Without a ledger there are none."""
    table = account.ledger.table if account.ledger else None
    if not isinstance(table, Table):
        return lambda service: None
    accepted, history, noted = AcceptedPushes(table), History(table), list[str]()

    def last(service: str) -> LastPush | None:
        try:
            return last_push(accepted.last(service), history, account.clock.epoch())
        except LedgerError as error:
            if not noted:
                noted.append(plain_cause(str(error)))
                printer.note(f"failed versions are not known: {noted[0]}")
            return None

    return last


@aws_errors()
def read_policies(tagging: Tagging, ecs: EcsReader, ecr: Ecr, last: Last) -> list[dict[str, Any]]:
    """Returns the services with their policies, sorted. Raises AwsError."""
    valid, invalid = services_with_policy(tagging)
    tags = cache(ecr.tags)
    rows = [_invalid(policy) for policy in invalid]
    by_arn = {service.arn: service for service in valid}
    batches = list(service_batches((service.cluster, service.arn) for service in valid))
    for services in ecs.in_parallel(lambda batch: ecs.describe_services(*batch), batches):
        active = [each for each in services if each["status"] == "ACTIVE"]
        read = partial(_policy, by_arn, ecs, tags, last)
        rows += ecs.in_parallel(read, active)
    return sorted(rows, key=lambda row: str(row["serviceArn"]))


def _policy(
    by_arn: Mapping[str, PolicyService],
    ecs: EcsReader,
    tags: Callable[[EcrRepository], list[tuple[str, str, float]]],
    last: Last,
    description: dict[str, Any],
) -> dict[str, Any]:
    """Returns one service with its policy."""
    service = by_arn[description["serviceArn"]]
    row = _row(service.arn, service.policy.text)
    revision = service_description.task_definition(description)
    try:
        candidates = containers(ecs.images(revision) if revision else {}, service)
        if not candidates:
            return row | {"reason": _NOT_LISTED}
        row["image"] = candidates[0].image.text if len(candidates) == 1 else None
        newest = newest_push(service, candidates, _pushes(candidates, tags))
    except CallerFault as error:
        return row | {"reason": plain_cause(str(error)), "failed": True}
    except AwsFailure as failure:
        return row | {"reason": "; ".join(aws_error_of(failure).lines), "failed": True}
    if newest is None:
        return row | {"reason": "the repository has no such tag"}
    container, push = newest
    deployed_at = service_description.primary_deployment(description).get("createdAt")
    digest = container.image.digest
    if digest is None and container.image.tag == push.tag and deployed_at:
        # ECS has resolved the tag since then.
        digest = push.digest if deployed_at.timestamp() >= push.pushed_at else None
    running = Running(container.image.tag, digest)
    decision = decide(service.policy, running, push, last(service.arn))
    return row | {
        "container": container.name,
        "image": container.image.text,
        "newest": push.tag,
        "deploys": decision is Decision.DEPLOY,
        "reason": None if decision is Decision.DEPLOY else decision.value,
    }


def _pushes(
    candidates: list[Container], tags: Callable[[EcrRepository], list[tuple[str, str, float]]]
) -> Iterator[Push]:
    """Yields the images of the containers' repositories as pushes."""
    for repository in dict.fromkeys(container.repository for container in candidates):
        place = repository.account, repository.region, repository.name
        for tag, digest, pushed_at in tags(repository):
            yield Push(*place, tag, digest, int(pushed_at))


def _invalid(policy: InvalidPolicy) -> dict[str, Any]:
    return _row(policy.service, policy.value) | {"reason": policy.reason, "failed": True}


def _row(arn: str, policy: str) -> dict[str, Any]:
    return {
        "serviceArn": arn,
        "policy": policy,
        "container": None,
        "image": None,
        "newest": None,
        "deploys": False,
        "reason": None,
        "failed": False,
    }

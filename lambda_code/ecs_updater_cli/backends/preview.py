"""Reads before a batch starts: the dry run of each event, and the tags that will be removed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from ecs_updater.aws.dynamodb import Table
from ecs_updater.aws.ecs import Ecs
from ecs_updater.aws.ecs_reader import (
    SERVICES_PER_CALL,
    describe_batch,
    describe_services,
    service_batches,
)
from ecs_updater.context import Call, Clock
from ecs_updater.deployments.deploy import deploy
from ecs_updater.errors import AwsFailure, CallerFault, Outcome, TargetRoleError
from ecs_updater.ledger.batch import Member
from ecs_updater.ledger.memory import MemoryLedger
from ecs_updater.model.event_parser import UPDATE
from ecs_updater.model.service import ServiceDescription, own_tags
from ecs_updater.model.tags import REPLACE
from ecs_updater.throttling import DESCRIBE, DESCRIBE_REVISION, LocalRateLimiter, parse_rates

from ..batch.state import State, Status, plain_cause
from ..batch.tracker import Row
from ..manifest.entries import ServiceIdentity
from ..output.terminal import number_of
from .aws_errors import aws_error_of, aws_errors
from .targets import request_of

Result = TypeVar("Result")

_PARALLEL = 10
# Share of ECS's rates for the reads before a batch. The rest is for updates at the same time.
_SHARE = 0.8

# Beginnings of the names of changes that make no deployment.
_WITHOUT_DEPLOYMENT = {
    *("tag", "desiredCount", "deploymentConfiguration", "deploymentCircuitBreaker"),
}


@dataclass(frozen=True)
class ServicePlan:
    """What an update would change."""

    row: Row
    """Its state is `failed`, with the cause, if the update would fail."""
    changes: Sequence[Mapping[str, Any]] = ()
    """Each with `what`, `from` and `to`, as in the result."""
    deploys: bool = False
    notes: Sequence[str] = ()

    @property
    def differs(self) -> bool:
        """Whether the service is not as requested, or cannot be updated so."""
        return bool(self.changes) or self.row.state is State.FAILED


def dry_run(
    ecs: Ecs,
    table: Table | MemoryLedger | None,
    environment: Mapping[str, str],
    clock: Clock,
    members: Sequence[Member],
) -> Iterator[ServicePlan]:
    """Yields the plan of each member, in their order, within ECS's rate limits.

    `table` is the ledger's, if any: a rollback reads its target there. Raises AwsError for an error
    that concerns all services.
    """

    def plan(index: int, service: ServiceDescription | None) -> ServicePlan:
        member = members[index]
        event = {**member.event, "dry_run": True}
        event.pop("request_id", None)
        try:
            call = Call(clock=clock)
            body = deploy(event, environment, ecs, call, table, service=service)["body"]
        except (CallerFault, TargetRoleError) as error:
            if isinstance(error, TargetRoleError) and error.outcome is not Outcome.NOT_PERMITTED:
                raise
            kind, cause = type(error).__name__, plain_cause(str(error))
            status = Status(State.FAILED, cause, error_type=kind, hint=error.hint)
            return ServicePlan(Row(member, status))
        deployment, changes = body["deployment"], body["changes"]
        kinds = {change["what"].partition(".")[0] for change in changes}
        deploys = deployment["verdict"] is None and not kinds <= _WITHOUT_DEPLOYMENT
        return ServicePlan(Row(member), changes, deploys, deployment.get("notes", []))

    requests = (ecs.targets.locate(request_of(member.event)) for member in members)
    names = [(request.cluster, request.service) for request in requests]
    return read_services(ecs, environment, clock, names, plan)


def read_services(
    ecs: Ecs,
    environment: Mapping[str, str],
    clock: Clock,
    names: Sequence[tuple[str, str]],
    read: Callable[[int, ServiceDescription | None], Result],
) -> Iterator[Result]:
    """Yields what `read` returns for each pair of cluster and service, within ECS's rate limits.

    `read` gets the index of the pair and the service, describes one revision, and runs in several
    threads. Raises AwsError.
    """
    limits = parse_rates(environment.get("ECS_RATES", "")).items()
    rate_limiter = LocalRateLimiter({name: rate.share(_SHARE) for name, rate in limits}, clock)

    @aws_errors()
    def read_chunk(chunk: range) -> list[Result]:
        descriptions: dict[int, ServiceDescription | None] = {}
        accounts: dict[str, tuple[Ecs, list[int]]] = {}
        prefixes = dict.fromkeys(chunk, "")
        for index in chunk:
            with suppress(TargetRoleError):  # The update itself fails, too.
                client = ecs.for_arn(names[index][0])
                prefixes[index] = client.prefix
                accounts.setdefault(client.prefix, (client, []))[1].append(index)
        for prefix, (client, indexes) in accounts.items():
            pairs = [names[index] for index in indexes]
            rate_limiter.take(DESCRIBE, len({cluster for cluster, _ in pairs}), 0, prefix)
            found = describe_services(client, pairs, clock.epoch)
            descriptions |= zip(indexes, found, strict=True)
        results = []
        for index in chunk:
            rate_limiter.take(DESCRIBE_REVISION, 1, 0, prefixes[index])
            results.append(read(index, descriptions.get(index)))
        return results

    with ThreadPoolExecutor(_PARALLEL) as pool:
        size, total = SERVICES_PER_CALL, len(names)
        chunks = [range(first, min(first + size, total)) for first in range(0, total, size)]
        try:
            for found in pool.map(read_chunk, chunks):
                yield from found
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def removal_lines(ecs: Ecs, events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yields a line for each service that loses tags, and one for services that were not read."""
    replaced: dict[tuple[str, str], Mapping[str, Any]] = {}
    for event in events:
        is_update = event.get("action", UPDATE) == UPDATE
        if is_update and "ecs_tag" in event and event.get("ecs_tag_mode", REPLACE) == REPLACE:
            request = ecs.targets.locate(request_of(event))
            replaced[request.cluster, request.service] = event
    removals: dict[ServiceIdentity, list[str]] = {}
    unread: list[AwsFailure] = []
    for cluster, names in service_batches(replaced):
        try:
            services = describe_batch(ecs.for_arn(cluster), cluster, names, 0.0)
        except TargetRoleError as error:
            unread += filter(None, [error.failure] * len(names))
            continue
        except AwsFailure as failure:
            # The update itself fails if the cluster does not exist.
            if failure.code != "ClusterNotFoundException":
                unread += [failure] * len(names)
            continue
        for name, service in services.items():
            event = replaced[cluster, name]
            if keys := own_tags(service.service or {}).keys() - event["ecs_tag"].keys():
                removals[ServiceIdentity.of(event)] = sorted(keys)
    if removals:
        yield "ecs_tag_mode is replace: these tags are removed, and merge would keep them"
    for identity, keys in removals.items():
        yield f"  {identity}: {', '.join(keys)}"
    if unread:
        yield (
            f"the tags of {number_of(len(unread), 'service')} could not be read, so removed tags "
            f"are not listed there: {aws_error_of(unread[0])}"
        )

"""One invocation of the function of the pushes: sends an update for each service that takes a push.

The steps: parse the events, find the services by their tags, describe those whose policy takes a
tag, ten at a time, decide, store the accepted push in the ledger, and send the message. Each step
can be repeated: a push whose services could not all be read or sent is delivered again.

A service's updates are ordered by the accepted push, not by the messages: the worker leaves out a
message whose push was overtaken. So pushes can arrive in any order, and several functions can run.
"""

import hashlib
import json
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ..aws.dynamodb import Table
from ..aws.ecs import Ecs
from ..aws.ecs_reader import SERVICES_PER_CALL, describe_batch
from ..aws.sqs import Outgoing
from ..aws.tagging import Tagging
from ..context import Call
from ..deployments.idempotency import has_ended_for_good
from ..errors import (
    AwsFailure,
    CallerFault,
    ConfigurationError,
    InvalidEventError,
    LedgerError,
    RateError,
    one_line,
)
from ..ledger.pushes import REQUEST_PREFIX, AcceptedPush, AcceptedPushes
from ..ledger.store import History, ledger_of
from ..log import logger
from ..model import service as service_description
from ..model.arn import group_id
from ..model.event_parser import parse as parse_event
from ..model.push import Push
from ..model.tags import MERGE
from ..model.task_definition import container_images
from ..rollout.image_digests import digests_of_revision
from ..settings import PushSettings, Settings
from ..throttling import DESCRIBE, DESCRIBE_REVISION, parse_rates
from ..worker.message import Message
from ..worker.run import MessageQueue
from .policy import Decision, Kind, LastPush, Running, decide
from .services import (
    Container,
    InvalidPolicy,
    PolicyService,
    containers,
    newest_push,
    services_with_policy,
)

NEEDED_SECONDS = 20.0
"""Minimum remaining seconds of the function to describe ten more services."""

_QUEUED_SECONDS = 86_400
"""Seconds after which a message without an entry in the ledger counts as lost."""

_MOST_REVISIONS = 5000
"""Maximum revisions whose images are kept in memory."""

_TRIES = 5

Event = dict[str, Any]
Images = MutableMapping[str, dict[str, str]]
"""Images by revision and container. A revision never changes."""


@dataclass(frozen=True)
class Clients:
    """The clients of the function. Create them at module scope."""

    ecs: Ecs
    tagging: Tagging
    queue: MessageQueue
    table: Table | None
    images: Images = field(default_factory=dict)
    """Cache for later invocations."""


@dataclass
class PushResult:
    """What an invocation did."""

    failed: list[str] = field(default_factory=list)
    """Ids of the messages to deliver again."""
    updates: list[Event] = field(default_factory=list)
    """The events that were sent, or with `PUSH_DRY_RUN` would have been sent."""
    invalid_policies: list[InvalidPolicy] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Returns the answer to Lambda, which reads `batchItemFailures`."""
        return {
            "batchItemFailures": [{"itemIdentifier": id_} for id_ in self.failed],
            "updates": self.updates,
            "invalidPolicies": [dict(vars(policy)) for policy in self.invalid_policies],
        }


class PushRun:
    """Processes the messages of one invocation."""

    def __init__(self, environment: Mapping[str, str], clients: Clients, call: Call):
        """Raises ConfigurationError."""
        if clients.table is None:
            raise ConfigurationError(
                "the function's LEDGER_TABLE is empty: without a ledger a push could be deployed "
                "twice"
            )
        self._settings = Settings.from_environment(environment)
        self._own = PushSettings.from_environment(environment)
        self._clients, self._call = clients, call
        ledger = ledger_of(clients.table, self._settings.ledger_retention_days, call.clock)
        self._history = ledger.history
        self._limiter = ledger.rate_limiter(parse_rates(self._own.ecs_rates), call.clock)
        self._accepted = AcceptedPushes(clients.table)

    def process(self, records: Sequence[Mapping[str, Any]]) -> PushResult:
        """Processes the records of an event."""
        result, pushes = PushResult(), dict[str, Push]()
        for message in map(Message.of, records):
            try:
                if push := Push.parse(message.body):
                    pushes[message.id] = push
            except InvalidEventError as error:
                logger.warning(str(error), message_id=message.id)
                result.failed.append(message.id)
        failed = self._deploy(sorted(set(pushes.values()), key=repr), result) if pushes else set()
        result.failed += [id_ for id_, push in pushes.items() if push in failed]
        return result

    def _deploy(self, pushes: Sequence[Push], result: PushResult) -> set[Push]:
        """Deploys pushes. Returns those that must be processed again."""
        try:
            services, result.invalid_policies = services_with_policy(
                self._clients.tagging, self._own.cluster_pattern
            )
        except AwsFailure as failure:
            logger.error("the services with a policy could not be read", reason=str(failure))
            return set(pushes)
        for invalid in result.invalid_policies:
            logger.warning(
                "a policy cannot be parsed: it deploys nothing",
                service_arn=invalid.service,
                policy=invalid.value,
                reason=invalid.reason,
            )
        by_cluster: dict[str, list[tuple[PolicyService, list[Push]]]] = {}
        for service in services:
            if taken := [push for push in pushes if service.policy.takes(push.tag)]:
                by_cluster.setdefault(service.cluster, []).append((service, taken))
        failed: set[Push] = set()
        for cluster, members in by_cluster.items():
            for first in range(0, len(members), SERVICES_PER_CALL):
                batch = members[first : first + SERVICES_PER_CALL]
                failed |= self._deploy_to(cluster, batch, result)
        return failed

    def _deploy_to(
        self, cluster: str, batch: Sequence[tuple[PolicyService, list[Push]]], result: PushResult
    ) -> set[Push]:
        """Deploys to up to ten services of a cluster. Returns the pushes to process again."""
        try:
            descriptions = self._describe(cluster, [service.arn for service, _ in batch])
        except (AwsFailure, LedgerError, RateError) as error:
            if isinstance(error, AwsFailure) and error.code == "ClusterNotFoundException":
                return set()  # The API's index still has the services of a deleted cluster.
            logger.error("services could not be read", cluster_arn=cluster, reason=str(error))
            return {push for _, pushes in batch for push in pushes}
        failed: set[Push] = set()
        for service, pushes in batch:
            try:
                if event := self._deploy_newest(service, descriptions.get(service.arn), pushes):
                    result.updates.append(event)
            except CallerFault as error:
                logger.warning(str(error), **_keys(service))
            except Exception as error:  # pylint: disable=broad-exception-caught
                # The other services are not affected.
                reason = f"{type(error).__name__}: {one_line(str(error))}"
                logger.error("a push could not be deployed", reason=reason, **_keys(service))
                failed |= set(pushes)
        return failed

    def _describe(self, cluster: str, arns: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Returns the active services, by ARN. Takes the tokens for their revisions, too."""
        self._take(DESCRIBE, 1)
        read_at = self._call.clock.epoch()
        found = describe_batch(self._clients.ecs, cluster, arns, read_at)
        services = {
            arn: description.service
            for arn, description in found.items()
            if description.service and description.service.get("status") == "ACTIVE"
        }
        revisions = set(filter(None, map(service_description.task_definition, services.values())))
        self._take(DESCRIBE_REVISION, len(revisions - self._clients.images.keys()))
        return services

    def _deploy_newest(
        self, service: PolicyService, description: Mapping[str, Any] | None, pushes: Sequence[Push]
    ) -> Event | None:
        """Sends the update for the newest push to the repository that the service runs.

        Returns the event. None: nothing is deployed.
        """
        revision = service_description.task_definition(description) if description else None
        if description is None or revision is None:
            return None
        candidates = containers(self._images(revision), service)
        newest = newest_push(service, candidates, pushes)
        if newest is None:
            return None
        container, push = newest
        running = Running(container.image.tag, container.image.digest)
        for _ in range(_TRIES):
            last, now = self._accepted.last(service.arn), self._call.clock.epoch()
            decision = decide(service.policy, running, push, last_push(last, self._history, now))
            if decision is Decision.DEPLOY and push.digest == self._resolved_digest(
                description, container.name
            ):
                decision = Decision.RUNS
            if decision is not Decision.DEPLOY:
                _log(service, push, decision)
                return None
            accepted = AcceptedPush(service.arn, _request_id(service, push), int(now), push)
            event = _event(service, container, accepted)
            parse_event(event, self._settings)  # Raises for what the settings do not allow.
            if self._own.dry_run:
                _log(service, push, "would be deployed: PUSH_DRY_RUN is true")
                return event
            if self._accepted.accept(accepted, last):
                body = json.dumps(event)
                outgoing = Outgoing(body, group_id(service.arn), accepted.request_id)
                self._clients.queue.send([outgoing])
                _log(service, push, decision)
                return event
            # Another function has accepted a push meanwhile.
        raise LedgerError(f"too many pushes for {service.arn} at once, try again")

    def _images(self, revision: str) -> dict[str, str]:
        images = self._clients.images
        if revision not in images:
            task_definition, _ = self._clients.ecs.describe_task_definition(revision)
            if len(images) >= _MOST_REVISIONS:
                images.clear()
            images[revision] = container_images(task_definition)
        return images[revision]

    def _resolved_digest(self, description: Mapping[str, Any], container: str) -> str | None:
        """Returns the digest to which ECS resolved the tag of the running image. None: unknown."""
        revisions = description.get("currentServiceRevisions") or []
        if len(revisions) != 1:
            return None  # A deployment is in progress.
        self._take(DESCRIBE_REVISION, 1)  # The bucket of DescribeServiceRevisions has its rate.
        with suppress(AwsFailure):  # Not every partition has service revisions.
            if found := self._clients.ecs.service_revision(revisions[0]["arn"]):
                return next(iter(digests_of_revision(found).get(container, ())), None)
        return None

    def _take(self, bucket: str, count: int) -> None:
        """Waits for tokens. Raises RateError if they come too late."""
        seconds = self._call.time_left() - NEEDED_SECONDS
        if seconds < 0 or not self._limiter.take(bucket, count, seconds):
            raise RateError(
                f"the rate limit of {bucket} allows the call only after the end of this "
                "function: try again"
            )


def last_push(accepted: AcceptedPush | None, history: History, now: float) -> LastPush | None:
    """Returns the accepted push with the progress of its update. Raises LedgerError."""
    if accepted is None:
        return None
    entry = history.find(accepted.request_id)
    if entry is None:
        is_queued = now - accepted.accepted_at < _QUEUED_SECONDS
        return LastPush(accepted.push, is_queued, is_known=False)
    return LastPush(accepted.push, not has_ended_for_good(entry))


def _request_id(service: PolicyService, push: Push) -> str:
    """Returns the `request_id` of a push's update. A digest can come back after another one."""
    text = json.dumps([service.arn, push.digest, push.pushed_at])
    return f"{REQUEST_PREFIX}{hashlib.sha256(text.encode()).hexdigest()}"


def _event(service: PolicyService, container: Container, accepted: AcceptedPush) -> Event:
    """Returns the event of the update."""
    tag, running = accepted.push.tag, container.image
    name = running.text.partition("@")[0].removesuffix(f":{running.tag}")
    is_forced = service.policy.kind is Kind.DIGEST or tag == running.tag
    return {
        "ecs_cluster_name": service.cluster,
        "ecs_service_name": service.arn,
        "ecs_container_name": container.name,
        "ecs_image_name": f"{name}:{tag}",
        "ecs_tag": {},
        "ecs_tag_mode": MERGE,
        # Without it a tag that moved changes nothing.
        **({"force_new_deployment": True} if is_forced else {}),
        "request_id": accepted.request_id,
    }


def _log(service: PolicyService, push: Push, decision: str) -> None:
    logger.info(
        "push",
        decision=decision,
        image=f"{push.repository}:{push.tag}@{push.digest}",
        **_keys(service),
    )


def _keys(service: PolicyService) -> dict[str, Any]:
    return {"service_arn": service.arn, "policy": service.policy.text}

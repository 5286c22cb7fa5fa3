"""One invocation of the queue's worker: processes up to ten messages without waiting for rollouts.

A message ends in one of four ways:

- Its update is started. The reconciler ends it.
- The update cannot succeed. The ledger gets the reason at once.
- A retry may help. The message comes back later, together with the later ones of its group. After
  `PATIENCE` the ledger gets the reason, and the message goes to the dead-letter queue.
- It cannot be read, names no service, or has the `request_id` of another update. It goes to the
  dead-letter queue at once, with the reason.

An error of one message never stops the others. SQS's count of receives also counts those at which
the service's lease was held or the time was over. So the time decides when to give up, and the
count only for a message that ends the worker's process every time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from .. import log, metrics
from ..aws.dynamodb import Table
from ..aws.ecs import Ecs, locate
from ..aws.ecs_reader import describe_services
from ..aws.sqs import Outgoing
from ..context import Call
from ..deployments.deploy import deploy
from ..deployments.existing_revision import shared_key
from ..deployments.idempotency import is_replayed
from ..deployments.recovery import Recoveries
from ..errors import (
    AwsFailure,
    CallerFault,
    ConfigurationError,
    EcsUpdaterError,
    InternalError,
    InvalidEventError,
    Outcome,
    RateError,
    ServerFault,
    ServiceUpdateRefusedError,
    one_line,
)
from ..ledger.memory import MemoryLedger
from ..ledger.pushes import AcceptedPushes
from ..ledger.store import ledger_of
from ..model.event_parser import parse as parse_event
from ..model.plan import Plan
from ..model.request import Request, fingerprint
from ..model.service import ServiceDescription
from ..model.verdict import Verdict
from ..settings import QueueSettings, Settings
from ..throttling import (
    DESCRIBE_REVISION,
    REGISTER,
    TAG,
    UPDATE,
    backoff,
    parse_rates,
)
from .message import BATCH, Message
from .rejection import Rejections

NEEDED_SECONDS = 45.0
"""Minimum remaining seconds of the function to start one more update."""

PATIENCE = 1800.0
"""Seconds after the first receive in which a message is retried: twice the longest lease."""

_FIRST_RETRY, _LONGEST_RETRY = 30, 300
"""Seconds until a message comes back: the first time, and at most."""

Event = dict[str, Any]


class MessageQueue(Protocol):
    """What the worker calls of a queue, see `aws.sqs.Queue`."""

    def hide(self, receipt: str, seconds: int) -> None:
        """Hides a received message for this time."""

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Sends messages."""


class Worker:
    """Processes the messages of one invocation."""

    def __init__(
        self,
        environment: Mapping[str, str],
        ecs: Ecs,
        table: Table | MemoryLedger | None,
        queue: MessageQueue,
        dead_letter_queue: MessageQueue,
        call: Call,
        caller_prefix: str = "queue, sent by",
        retries_denied: bool = True,
    ):
        """`caller_prefix`: text before a message's sender in the ledger.

        `retries_denied`: whether a call that is not permitted is retried. A function gets new
        credentials, and a new role's policy takes a while to reach all of AWS. A command does not
        get new credentials: an error about them is raised by `process`. Raises ConfigurationError.
        """
        if table is None:
            raise ConfigurationError(
                "the function's LEDGER_TABLE is empty: without a ledger nothing ends "
                "what a message begins"
            )
        own = QueueSettings.from_environment(environment)
        self._environment, self._ecs, self._table, self._call = environment, ecs, table, call
        self._queue, self._dead_letter_queue = queue, dead_letter_queue
        self._caller_prefix, self._retries_denied = caller_prefix, retries_denied
        self._max_receives = own.max_receives
        clock, settings = call.clock, _settings(environment)
        ledger = ledger_of(table, settings.ledger_retention_days, clock)
        self._batches, self._history = ledger.batches, ledger.history
        self._pushes = AcceptedPushes(table) if isinstance(table, Table) else None
        self._limiter = ledger.rate_limiter(parse_rates(own.ecs_rates), clock)
        recoveries = Recoveries(ecs, settings, ledger.history, clock)
        self._rejections = Rejections(
            ledger.history, ledger.leases, recoveries, ecs.targets, own.arn_prefix, settings
        )

    def process(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Processes the records of an event. Returns the ids of the messages to deliver again."""
        messages = [Message.of(record) for record in records]
        # Seconds until the messages of a group come back: those after a failed one wait with it.
        delays: dict[str, int] = {}
        failed: list[str] = []
        for message, event, description in self._with_descriptions(messages):
            call = replace(
                self._call,
                id=message.id,
                caller=f"{self._caller_prefix} {message.sender}",
                batch=message.batch,
            )
            with log.log_keys(event, call):
                delay = delays.get(message.group)
                if delay is None:
                    delay = self._process_isolated(message, event, description, call)
                if delay is not None:
                    delays[message.group] = delay
                    failed.append(message.id)
                    # Each of them: SQS delivers no message of a group while another one is hidden.
                    self._hide(message, delay)
        return failed

    def _with_descriptions(
        self, messages: Sequence[Message]
    ) -> Iterator[tuple[Message, Event | InvalidEventError, ServiceDescription | None]]:
        """Yields the messages with their events and the descriptions of their services."""
        events = [_event_of(message) for message in messages]
        # By account and region: the client of ECS, and the services by the index of their message.
        accounts: dict[str, tuple[Ecs, dict[int, tuple[str, str]]]] = {}
        for index, event in enumerate(events):
            if located := self._locate(event):
                request, ecs = located
                _, services = accounts.setdefault(ecs.prefix, (ecs, {}))
                services[index] = request.cluster, request.service
        descriptions: dict[int, ServiceDescription | None] = {}
        for ecs, services in accounts.values():
            descriptions |= zip(services, self._describe(ecs, list(services.values())), strict=True)
        for index, (message, event) in enumerate(zip(messages, events, strict=True)):
            yield message, event, descriptions.get(index)

    def _describe(
        self, ecs: Ecs, services: Sequence[tuple[str, str]]
    ) -> Sequence[ServiceDescription | None]:
        """Returns the descriptions of services in one account and region."""
        try:
            # A description is as old as the wait for the messages before it. The lease shows
            # whether another update has changed the service since.
            count, seconds = len(services), self._seconds_left()
            if self._limiter.take(DESCRIBE_REVISION, count, seconds, ecs.prefix):
                return describe_services(ecs, services, self._call.clock.epoch)
        except Exception as error:  # pylint: disable=broad-exception-caught
            # Each message meets the same error, and is retried for it, separately.
            log.logger.warning(
                "the services are read one by one",
                reason=f"{type(error).__name__}: {one_line(str(error))}",
            )
        return [None] * len(services)

    def _locate(self, event: Event | InvalidEventError) -> tuple[Request, Ecs] | None:
        """Returns the request of an event, and the client of its account and region.

        None: the update will not read the service. ECS rejects a call about ten services because
        of one bad name.
        """
        try:
            request = parse_event(event, Settings.from_environment(self._environment))
            return locate(request, self._ecs)
        except Exception:  # pylint: disable=broad-exception-caught  # The update raises it again.
            return None

    def _process_isolated(
        self,
        message: Message,
        event: Event | InvalidEventError,
        description: ServiceDescription | None,
        call: Call,
    ) -> int | None:
        """Calls `_process`. An unexpected error ends this message only."""
        try:
            return self._process(message, event, description, call)
        except Exception as defect:  # pylint: disable=broad-exception-caught
            if isinstance(defect, ServerFault) and not self._retries_denied:
                raise  # Without credentials no message can be processed.
            log.logger.exception("a message cannot be processed", message_id=message.id)
            error = InternalError(
                f"{type(defect).__name__}: a defect of ecs-updater, the "
                "function's log has the details"
            )
            return self._dead_letter_or_retry(message, error)

    def _process(
        self,
        message: Message,
        event: Event | InvalidEventError,
        description: ServiceDescription | None,
        call: Call,
    ) -> int | None:
        """Processes one message. Returns the seconds until it comes back. None: it is done."""
        if isinstance(event, InvalidEventError):
            return self._dead_letter_or_retry(message, event)
        if call.time_left() < NEEDED_SECONDS:
            return 0
        verdict = Verdict.NOT_DEPLOYED

        def work() -> Mapping[str, Any]:
            nonlocal verdict
            batch = self._batches.find(message.batch) if message.batch else None
            if batch and batch.why_over:
                verdict = Verdict.NOT_STARTED
                raise ServiceUpdateRefusedError(
                    f"service could not be update with new task_definition: {batch.why_over}"
                )
            return deploy(
                event,
                self._environment,
                self._ecs,
                call,
                self._table,
                service=description,
                wait_for_rate_limit=partial(self._wait_for_rate_limit, message.batch),
            )

        try:
            if self._is_overtaken(event):
                log.logger.info("a later push takes the place of this one", message_id=message.id)
                return None
            log.log_update(event, call, work)
        except CallerFault as error:
            if not self._record_rejection(message, event, error, call, verdict):
                return self._delay(message, error)
        except ServerFault as error:
            if is_replayed(error):
                return None  # It was given up before, and the ledger has the reason.
            if not self._retries_denied and error.failure and error.failure.is_about_credentials:
                raise
            age = self._call.clock.epoch() - message.first_received_at
            gives_up = (
                (error.outcome is Outcome.NOT_PERMITTED and not self._retries_denied)
                or age >= PATIENCE
                or message.receives >= self._max_receives
            )
            if not (gives_up and self._record_rejection(message, event, error, call, verdict)):
                return self._delay(message, error)
            # The function or AWS failed, not the event: the dead-letter queue's alarm reports it.
            self._send_to_dead_letter_queue(message, error)
        return None

    def _is_overtaken(self, event: Event) -> bool:
        """Returns whether the event is of a push after which another one was accepted."""
        key = self._rejections.key(event)
        return bool(self._pushes and key and self._pushes.is_overtaken(key, event["request_id"]))

    def _delay(self, message: Message, error: EcsUpdaterError) -> int | None:
        """Returns the seconds until the message comes back.

        None: it is in the dead-letter queue, before SQS moves it there without a cause.
        """
        if message.receives >= self._max_receives and self._send_to_dead_letter_queue(
            message, error
        ):
            return None
        return int(backoff(message.receives - 1, _FIRST_RETRY, _LONGEST_RETRY))

    def _record_rejection(
        self, message: Message, event: Event, error: EcsUpdaterError, call: Call, verdict: Verdict
    ) -> bool:
        """Writes a rejection to the ledger, or to the dead-letter queue if it names no service.

        Returns whether that was possible.
        """
        try:
            is_written = self._rejections.write(event, error, call, verdict)
            return is_written or self._send_to_dead_letter_queue(message, error)
        except EcsUpdaterError as failure:
            log.logger.error(
                "a rejection could not be written",
                message_id=message.id,
                reason=str(failure),
                cause=str(error),
            )
            return False

    def _hide(self, message: Message, seconds: int) -> None:
        """Makes the message come back sooner than after the queue's visibility timeout."""
        try:
            self._queue.hide(message.receipt, seconds)
        except AwsFailure as failure:
            log.logger.warning(
                "a message comes back only after the queue's visibility timeout",
                message_id=message.id,
                reason=str(failure),
            )

    def _dead_letter_or_retry(self, message: Message, error: EcsUpdaterError) -> int | None:
        return None if self._send_to_dead_letter_queue(message, error) else _FIRST_RETRY

    def _send_to_dead_letter_queue(self, message: Message, error: EcsUpdaterError) -> bool:
        """Sends the message to the dead-letter queue. Returns whether that was possible."""
        attributes = {
            "cause": one_line(str(error)),
            **({BATCH: message.batch} if message.batch else {}),
        }
        # JSON can have a lone surrogate, which SQS does not take.
        body = message.body.encode("utf-8", "backslashreplace").decode()
        outgoing = Outgoing(body, message.group, fingerprint([message.id, body]), attributes)
        try:
            self._dead_letter_queue.send([outgoing])
        except AwsFailure as failure:
            log.logger.error(
                "a message could not be sent to the dead-letter queue",
                message_id=message.id,
                reason=str(failure),
                cause=str(error),
            )
            return False
        metrics.count_rejected_message(message.id)
        log.logger.warning(
            "sent to the dead-letter queue",
            message_id=message.id,
            cause=str(error),
            error_type=type(error).__name__,
        )
        return True

    def _wait_for_rate_limit(self, batch: str | None, plan: Plan) -> None:
        """Waits for the tokens of a plan's calls. Raises RateError if they come too late."""
        key = shared_key(plan) if batch else None
        is_shared = bool(batch and key and self._history.shared_revisions(batch).is_expected(key))
        calls = {
            REGISTER: int(plan.revision is not None and not is_shared),
            # Another update may register the revision meanwhile. Then it is read.
            DESCRIBE_REVISION: int(key is not None),
            UPDATE: int(plan.updates_service),
            TAG: bool(plan.tags.to_set) + bool(plan.tags.to_remove),
        }
        prefix = self._ecs.for_arn(plan.snapshot.key).prefix
        for name, count in calls.items():
            if not self._limiter.take(name, count, self._seconds_left(), prefix):
                raise RateError(
                    f"the rate limit of {name} allows the call only after the end of this "
                    "function: try again"
                )

    def _seconds_left(self) -> float:
        return self._call.time_left() - NEEDED_SECONDS


def _event_of(message: Message) -> Event | InvalidEventError:
    try:
        return message.event()
    except InvalidEventError as error:
        return error


def _settings(environment: Mapping[str, str]) -> Settings:
    """Returns the updater's settings. If they are wrong, each update raises the error."""
    try:
        return Settings.from_environment(environment)
    except ConfigurationError:
        return Settings()

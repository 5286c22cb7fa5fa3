"""One invocation of the worker: up to ten messages, each in its turn, none waited for.

A message ends in one of four ways. Its update is begun, and the completer ends it. It cannot
succeed: the ledger says why, at once. A retry may help: it comes again later, and with it what
follows in its group; when it has done so for half an hour the ledger says that it was given up, and
so does the dead-letter queue. It cannot even be read, names no service, or has the ``request_id``
of another update: it goes to the dead-letter queue at once, with the reason. Whatever a message
raises, the others are worked off.

How often a message has come says little: each time counts at which the service was held, the time
was over, or the one before it in its group failed. So the time decides, and the queue's own count
is only for a message that ends the worker each time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from .. import log
from ..aws.dynamodb import Table
from ..aws.ecs import Ecs
from ..aws.errors import AwsFailure, Outcome
from ..aws.sqs import Outgoing
from ..context import Call
from ..deployments.deploy import deploy
from ..deployments.idempotency import is_replayed
from ..deployments.recovery import Recovery
from ..deployments.waiter import Rolling
from ..errors import (
    CallerFault,
    ConfigurationError,
    EcsUpdaterError,
    InternalError,
    InvalidEventError,
    RateError,
    ServerFault,
    ServiceUpdateRefusedError,
    one_line,
)
from ..ledger.batch import Batches
from ..ledger.lease import Leases
from ..ledger.rate_limiter import Pace
from ..ledger.store import History
from ..model.event_parser import parse as parse_event
from ..model.plan import Plan
from ..model.request import fingerprint
from ..model.service import ServiceDescription
from ..model.verdict import Verdict
from ..settings import QueueSettings, Settings
from ..throttling import DESCRIBE_REVISION, REGISTER, TAG, UPDATE, RateLimiter, backoff, parse_rates
from .message import BATCH, Message
from .prefetch import describe_services
from .rejection import Refusals


def paced(tokens: RateLimiter, seconds_left: Callable[[], float]) -> Callable[[Plan], None]:
    """Waits for the calls of a plan, for ``seconds_left`` at most.

    Raises RateError where they cannot be made by then.
    """

    def wait(plan: Plan) -> None:
        calls = {
            REGISTER: int(plan.revision is not None),
            UPDATE: int(plan.deploys),
            TAG: bool(plan.tags.to_set) + bool(plan.tags.to_remove),
        }
        for name, count in calls.items():
            if not tokens.take(name, count, seconds_left()):
                raise RateError(
                    f"ECS lets {name} be called no faster than it is, and this function "
                    "ends before: try again"
                )

    return wait


NEEDED_SECONDS = 45.0
"""What has to be left of the function's time to begin one more update."""

PATIENCE = 1800.0
"""For how many seconds after it came first a message is tried again: twice as long as any update
may hold a service.
"""

_FIRST_RETRY, _LAST_RETRY = 30, 300
"""Seconds after which a message comes again: at first, and at most."""


class Hiding(Protocol):
    """Of a queue, what lets a message come again."""

    def hide(self, receipt: str, seconds: int) -> None:
        """See ``aws.sqs.Queue``."""


class Sending(Protocol):
    """Of a queue, what takes messages."""

    def send(self, messages: Sequence[Outgoing]) -> None:
        """See ``aws.sqs.Queue``."""


class Worker:
    """What one invocation works off."""

    def __init__(
        self,
        environment: Mapping[str, str],
        ecs: Ecs,
        table: Table | None,
        queue: Hiding,
        letters: Sending,
        call: Call,
        door: str = "queue, sent by",
        retries_denied: bool = True,
    ):
        """``door``: what the ledger says before a message's sender. Raises ConfigurationError.

        ``retries_denied``: whether a call that is not permitted is tried again. A new role's policy
        takes a while to reach all of AWS, and a function gets new credentials before the old ones
        expire. Nobody gives new ones to a command that runs: what AWS says about its credentials
        ends ``work_off``.
        """
        if table is None:
            raise ConfigurationError(
                "the function's LEDGER_TABLE is empty: without a ledger nobody ends "
                "what a message begins"
            )
        own = QueueSettings.from_environment(environment)
        self._environment, self._ecs, self._table, self._call = environment, ecs, table, call
        self._queue, self._letters, self._door = queue, letters, door
        self._most_receives = own.max_receives
        self._retries_denied = retries_denied
        clock, settings = call.clock, _settings(environment)
        days = settings.ledger_retention_days
        history = History(table, retention_days=days, clock=clock.epoch)
        self._batches = Batches(table, retention_days=days, clock=clock.epoch)
        recovery = Recovery(ecs, Rolling(ecs, settings, clock), history)
        self._refusals = Refusals(
            history,
            Leases(table, clock=clock.epoch, sleep=clock.sleep),
            recovery,
            own.arn_prefix,
            settings,
        )
        self._tokens = Pace(table, parse_rates(own.ecs_rates), clock=clock.epoch, sleep=clock.sleep)

    def work_off(self, records: Sequence[Mapping[str, Any]], context: Any = None) -> list[str]:
        """Works off the records of an event; the ids of those messages that are to come again."""
        messages = [Message.of(record) for record in records]
        # By group, in how many seconds its messages come again: whatever follows one that failed
        # waits with it.
        again: dict[str, int] = {}
        failed: list[str] = []
        for message, event, told in self._told(messages):
            seconds = again.get(message.group)
            if seconds is None:
                seconds = self._isolated(message, event, told, context)
            if seconds is not None:
                again[message.group] = seconds
                failed.append(message.id)
                # Each one of them: the queue gives out nothing of a group while it has one of its
                # messages out.
                self._hide(message, seconds)
        return failed

    def _told(
        self, messages: Sequence[Message]
    ) -> Iterator[tuple[Message, dict[str, Any] | InvalidEventError, ServiceDescription | None]]:
        """The messages with their events, and what ECS tells of their services."""
        events = [_event_of(message) for message in messages]
        is_accepted = [self._is_accepted(event) for event in events]
        accepted = [
            event
            for event, is_one in zip(events, is_accepted, strict=True)
            if is_one and isinstance(event, dict)
        ]
        told: Iterator[ServiceDescription | None] = iter([])
        try:
            # What is read now is as old as the wait for the others; the lease tells whether
            # somebody has changed it since.
            if self._tokens.take(DESCRIBE_REVISION, len(accepted), self._seconds_left()):
                told = iter(describe_services(self._ecs, accepted, self._call.clock.epoch))
        except Exception as error:  # pylint: disable=broad-exception-caught
            # Each message meets this trouble by itself, and comes again by itself.
            log.logger.warning(
                "the services are read one by one",
                reason=f"{type(error).__name__}: {one_line(str(error))}",
            )
        for message, event, is_one in zip(messages, events, is_accepted, strict=True):
            yield message, event, next(told, None) if is_one else None

    def _is_accepted(self, event: dict[str, Any] | InvalidEventError) -> bool:
        """Whether the update will read the service: ECS is asked nothing about an event that is
        refused.

        For one bad name it would refuse the call for all ten.
        """
        try:
            parse_event(event, Settings.from_environment(self._environment))
        except Exception:  # pylint: disable=broad-exception-caught  # The update says what is wrong.
            return False
        return True

    def _isolated(
        self,
        message: Message,
        event: dict[str, Any] | InvalidEventError,
        told: ServiceDescription | None,
        context: Any,
    ) -> int | None:
        """``_worked_off``; what is raised in it beside the errors of an update is this message's
        trouble alone.
        """
        try:
            return self._worked_off(message, event, told, context)
        except Exception as defect:  # pylint: disable=broad-exception-caught
            if isinstance(defect, ServerFault) and not self._retries_denied:
                raise  # Without credentials no message can be worked off.
            log.logger.exception("a message cannot be worked off", message_id=message.id)
            error = InternalError(
                f"{type(defect).__name__}: a defect of ecs-updater, the "
                "function's log has the details"
            )
            return None if self._buried(message, error) else _FIRST_RETRY

    def _worked_off(
        self,
        message: Message,
        event: dict[str, Any] | InvalidEventError,
        told: ServiceDescription | None,
        context: Any,
    ) -> int | None:
        """Does one message; None when it is done with, else in how many seconds it is to come
        again.
        """
        if isinstance(event, InvalidEventError):
            return None if self._buried(message, event) else _FIRST_RETRY
        call = replace(
            self._call, id=message.id, caller=f"{self._door} {message.sender}", batch=message.batch
        )
        if call.time_left() < NEEDED_SECONDS:
            return 0
        verdict = Verdict.NOT_DEPLOYED

        def work() -> Mapping[str, Any]:
            nonlocal verdict
            if over := self._why_over(message):
                verdict = Verdict.NOT_STARTED
                raise ServiceUpdateRefusedError(
                    f"service could not be update with new task_definition: {over}"
                )
            pace = paced(self._tokens, self._seconds_left)
            return deploy(
                event,
                self._environment,
                self._ecs,
                call,
                self._table,
                service=told,
                wait_for_rate_limit=pace,
            )

        try:
            log.logged(event, context, work)
        except CallerFault as error:
            return (
                None
                if self._refused(message, event, error, call, verdict)
                else self._again(message, error)
            )
        except ServerFault as error:
            if is_replayed(error):
                return None  # It was given up before, and is told.
            failure = error.failure
            if not self._retries_denied and failure and failure.is_about_credentials:
                raise
            is_denied = not self._retries_denied and error.outcome is Outcome.NOT_PERMITTED
            if not (is_denied or self._is_last(message)) or not self._refused(
                message, event, error, call, verdict
            ):
                return self._again(message, error)
            # Something is wrong here, not with the event: the alarm reports it.
            self._buried(message, error)
        return None

    def _again(self, message: Message, error: EcsUpdaterError) -> int | None:
        """In how many seconds the message comes again; None where the queue would give it up
        without a cause.
        """
        if message.receives >= self._most_receives and self._buried(message, error):
            return None
        return int(backoff(message.receives - 1, _FIRST_RETRY, _LAST_RETRY))

    def _is_last(self, message: Message) -> bool:
        """Whether a message is not to be tried again."""
        is_old = self._call.clock.epoch() - message.first_received_at >= PATIENCE
        return is_old or message.receives >= self._most_receives

    def _why_over(self, message: Message) -> str | None:
        batch = self._batches.find(message.batch) if message.batch else None
        return batch.why_over if batch else None

    def _refused(
        self,
        message: Message,
        event: Mapping[str, Any],
        error: EcsUpdaterError,
        call: Call,
        verdict: str,
    ) -> bool:
        """Tells the ledger, or the dead letters where the event names no service; whether that
        could be done.
        """
        try:
            return self._refusals.write(event, error, call, verdict) or self._buried(message, error)
        except EcsUpdaterError as failure:
            log.logger.error(
                "a refusal could not be told",
                message_id=message.id,
                reason=str(failure),
                cause=str(error),
            )
            return False

    def _hide(self, message: Message, seconds: int) -> None:
        """Lets the message come again sooner than the queue by itself would."""
        try:
            self._queue.hide(message.receipt, seconds)
        except AwsFailure as failure:
            log.logger.warning(
                "a message comes again only after the queue's own time",
                message_id=message.id,
                reason=str(failure),
            )

    def _buried(self, message: Message, error: EcsUpdaterError) -> bool:
        """Sends the message to the dead letters; whether that could be done."""
        attributes = {
            "cause": one_line(str(error)),
            **({BATCH: message.batch} if message.batch else {}),
        }
        # Half a character, which JSON can bring, is none that a queue takes.
        body = message.body.encode("utf-8", "backslashreplace").decode()
        letter = Outgoing(body, message.group, fingerprint([message.id, body]), attributes)
        try:
            self._letters.send([letter])
        except AwsFailure as failure:
            log.logger.error(
                "a dead letter could not be sent",
                message_id=message.id,
                reason=str(failure),
                cause=str(error),
            )
            return False
        log.logger.error(str(error), message_id=message.id, error_type=type(error).__name__)
        return True

    def _seconds_left(self) -> float:
        return self._call.time_left() - NEEDED_SECONDS


def _event_of(message: Message) -> dict[str, Any] | InvalidEventError:
    try:
        return message.event()
    except InvalidEventError as error:
        return error


def _settings(environment: Mapping[str, str]) -> Settings:
    """The updater's. Where they are wrong its updates say so, one by one."""
    try:
        return Settings.from_environment(environment)
    except ConfigurationError:
        return Settings()

"""One invocation of the worker: up to ten messages, each in its turn, none waited for.

A message ends in one of four ways. Its update is begun, and the completer ends it. It cannot succeed: the ledger says why, at once. A
retry may help: it comes again later, and with it what follows in its group; after the last time the ledger says that it was given up.
It cannot even be read, or names no service: it goes to the dead letters at once, with the reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from .. import log
from ..aws.dynamodb import Table
from ..aws.ecs import Ecs
from ..aws.failure import AwsFailure
from ..rates import DESCRIBE_REVISION, parse
from ..aws.sqs import Outgoing
from ..call import Call
from ..errors import (
    CallerFault,
    ConfigurationError,
    EcsUpdaterError,
    InvalidEventError,
    RateError,
    ServerFault,
    ServiceUpdateRefusedError,
    UnknownOutcomeError,
    one_line,
)
from ..ledger.batch import Batches
from ..ledger.history import History
from ..ledger.key import fingerprint
from ..ledger.lease import Leases
from ..ledger.pace import Pace
from ..service.read import Told
from ..settings import QueueSettings, Settings
from ..updater import update
from ..workflow.recorded import NOT_DEPLOYED
from .ahead import read_ahead
from .message import BATCH, Message
from .pacing import paced
from .refusal import NOT_STARTED, Refusals

NEEDED_SECONDS = 45.0
"""What has to be left of the function's time to begin one more update."""

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
    ):
        """``door``: what the ledger says before a message's sender."""
        if table is None:
            raise ConfigurationError("the function's LEDGER_TABLE is empty: without a ledger nobody would end what a message begins")
        settings, own = Settings.from_environment(environment), QueueSettings.from_environment(environment)
        self._environment, self._ecs, self._table, self._call = environment, ecs, table, call
        self._queue, self._letters, self._door = queue, letters, door
        self._most_receives = own.max_receives
        clock = call.clock
        history = History(table, retention_days=settings.ledger_retention_days, clock=clock.epoch)
        self._batches = Batches(table, retention_days=settings.ledger_retention_days, clock=clock.epoch)
        self._refusals = Refusals(history, Leases(table, clock=clock.epoch, sleep=clock.sleep), own.arn_prefix)
        self._tokens = Pace(table, parse(own.ecs_rates), clock=clock.epoch, sleep=clock.sleep)

    def work_off(self, records: Sequence[Mapping[str, Any]], context: Any = None) -> list[str]:
        """Works off the records of an event; the ids of those messages that are to come again."""
        readable: list[tuple[Message, dict[str, Any]]] = []
        failed: list[str] = []
        groups: set[str] = set()
        for message in map(Message.of, records):
            try:
                readable.append((message, message.event()))
            except InvalidEventError as error:
                if not self._buried(message, error):
                    failed.append(message.id)
                    groups.add(message.group)
        # What is read now is at most as old as the wait for the others, and the lease tells whether somebody changed it since.
        told = self._told([event for _, event in readable])
        for (message, event), known in zip(readable, told, strict=True):
            if message.group in groups or not self._worked_off(message, event, known, context):
                # Whatever follows in the group waits for it: a service's updates keep their order.
                groups.add(message.group)
                failed.append(message.id)
        return failed

    def _told(self, events: Sequence[Mapping[str, Any]]) -> list[Told | None]:
        if not self._tokens.take(DESCRIBE_REVISION, len(events), self._seconds_left()):
            return [None] * len(events)
        return read_ahead(self._ecs, events, self._call.clock.epoch)

    def _worked_off(self, message: Message, event: dict[str, Any], told: Told | None, context: Any) -> bool:
        """Whether the message is done with."""
        call = replace(self._call, id=message.id, caller=f"{self._door} {message.sender}", batch=message.batch)
        if call.time_left() < NEEDED_SECONDS:
            return self._comes_again(message, 0)

        verdict = NOT_DEPLOYED

        def work() -> dict[str, Any]:
            nonlocal verdict
            if over := self._why_over(message):
                verdict = NOT_STARTED
                raise ServiceUpdateRefusedError(f"service could not be update with new task_definition: {over}")
            pace = paced(self._tokens, self._seconds_left)
            return update(event, self._environment, self._ecs, call, self._table, told=told, pace=pace)

        try:
            log.logged(event, context, self._ecs.calls, work)
        except CallerFault as error:
            return self._refused(message, event, error, call, verdict)
        except ServerFault as error:
            if message.receives >= self._most_receives and not isinstance(error, UnknownOutcomeError):
                # The queue lets it go to the dead letters now, which tell that something was wrong here.
                self._refused(message, event, error, call, verdict)
                return False
            later = 0 if isinstance(error, RateError) else min(_LAST_RETRY, _FIRST_RETRY * 2 ** (message.receives - 1))
            return self._comes_again(message, later)
        return True

    def _why_over(self, message: Message) -> str | None:
        batch = self._batches.find(message.batch) if message.batch else None
        return batch.why_over if batch else None

    def _refused(self, message: Message, event: Mapping[str, Any], error: EcsUpdaterError, call: Call, verdict: str) -> bool:
        """Tells the ledger, or the dead letters where the event names no service."""
        try:
            return self._refusals.write(event, error, call, verdict) or self._buried(message, error)
        except ServerFault:
            return self._comes_again(message, _FIRST_RETRY)

    def _comes_again(self, message: Message, seconds: int) -> bool:
        """Lets the message come again sooner than the queue by itself would; always False."""
        try:
            self._queue.hide(message.receipt, seconds)
        except AwsFailure as failure:
            log.logger.warning("a message comes again only after the queue's own time", message_id=message.id, reason=str(failure))
        return False

    def _buried(self, message: Message, error: EcsUpdaterError) -> bool:
        """Sends the message to the dead letters; whether that could be done."""
        attributes = {"cause": one_line(str(error)), **({BATCH: message.batch} if message.batch else {})}
        letter = Outgoing(message.body, message.group, fingerprint(message.id), attributes)
        try:
            self._letters.send([letter])
        except AwsFailure as failure:
            log.logger.error("a dead letter could not be sent", message_id=message.id, reason=str(failure), cause=str(error))
            return False
        log.logger.error(str(error), message_id=message.id, error_type=type(error).__name__)
        return True

    def _seconds_left(self) -> float:
        return self._call.time_left() - NEEDED_SECONDS

"""This process alone, without a ledger: updates begun in threads, and looked at, ten with one call,
until each has its verdict.

What it knows it knows in memory: whoever ends it leaves the rollouts to ECS, and nobody rolls back
what fails after that.
"""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from ecs_updater.aws.ecs import Ecs
from ecs_updater.aws.ecs_reader import SERVICES_PER_CALL
from ecs_updater.aws.errors import Outcome
from ecs_updater.context import Call, Clock
from ecs_updater.deployments.deploy import Attempt, registry_clients, write_and_wait
from ecs_updater.deployments.journal import Journal
from ecs_updater.deployments.recovery import NO_SERVICE
from ecs_updater.deployments.response import RolloutOutcome
from ecs_updater.deployments.writer import LeftBehind
from ecs_updater.errors import EcsUpdaterError, ServerFault, ServiceReadError, UnknownOutcomeError
from ecs_updater.ledger.batch import Batch, Member
from ecs_updater.throttling import DESCRIBE, DESCRIBE_REVISION, LocalRateLimiter, parse_rates
from ecs_updater.worker.run import limit_rate

from ..batch.state import State, Status, TaskCounts, plain_cause, state_of_verdict
from ..batch.tracker import Row
from ..errors import AwsError, aws_error_of, aws_errors, is_unreachable
from .sqs import POLL_SECONDS, counts_of

THREADS = 5
_TRIES = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0
_SHORT_SLEEP = 0.2
_LEFT = Status(State.NOT_STARTED, "the command was left before")
_NO_AWS = Status(State.NOT_STARTED, "AWS could not be called")


@dataclass
class _Open:
    """An update whose rollout goes on."""

    attempt: Attempt
    journal: Journal
    looked_at: float


class UnrecordedBackend:
    """A batch that nobody but this process knows of."""

    def __init__(self, ecs: Ecs, environment: Mapping[str, str], batch: Batch, clock: Clock):
        self._ecs, self._batch, self._clock = ecs, batch, clock
        self._rate_limiter = LocalRateLimiter(
            parse_rates(environment.get("ECS_RATES", "")), replace(clock, sleep=self._sleep)
        )
        self._environment = environment
        self._seen: dict[int, Status] = {}
        self._counts: dict[int, TaskCounts] = {}
        self._open: dict[int, _Open] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._trouble: AwsError | None = None
        """Why no update can be done any more."""
        self._has_read = False
        """Whether AWS could be called before."""
        self._futures: dict[int, Future[None]] = {}
        self._next_look = 0.0
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="update")

    def start(self, members: Sequence[Member]) -> None:
        """Lets the threads have them."""
        for member in members:
            self._futures[member.number] = self._pool.submit(self._begin, member)

    def poll(self, waiting: Sequence[Row]) -> Mapping[int, Status]:
        """What has happened; looks at rollouts first, those that were not looked at for the longest
        time. Raises Trouble.
        """
        if self._trouble and not self._stopped.is_set():
            raise self._trouble
        now = self._clock.now()
        if self._open and now >= self._next_look and not self._stopped.is_set():
            self._next_look = now + POLL_SECONDS
            self._look(now)
        # Whoever has left begins no later wave either.
        unknown = {row.number: _LEFT for row in waiting if self._stopped.is_set()}
        return unknown | {
            row.number: self._seen[row.number] for row in waiting if row.number in self._seen
        }

    def counts(self, waiting: Sequence[Row]) -> Mapping[int, TaskCounts]:
        """The tasks as the last look saw them."""
        return {
            row.number: self._counts[row.number] for row in waiting if row.number in self._counts
        }

    def close(self, seconds: float) -> None:
        """Begins nothing further, and gives what is being written so many seconds to be written."""
        self._stopped.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        for number, future in self._futures.items():
            if future.cancelled():
                self._tell(number, _LEFT)
        # ``wait`` waits its whole time for a future that was cancelled in the pool's queue.
        wait([future for future in self._futures.values() if not future.cancelled()], seconds)

    # Beginning, in a thread.

    def _begin(self, member: Member) -> None:
        begun_at = self._clock.epoch()
        try:
            for attempt in range(_TRIES):
                if over := self._why_over():
                    self._tell(
                        member.number, Status(State.NOT_STARTED, over, ended_at=self._clock.epoch())
                    )
                    return
                self._tell(member.number, Status(State.BEGUN, begun_at=begun_at))
                try:
                    self._update(member, begun_at, LeftBehind(may_have_registered=attempt > 0))
                    return
                except ServerFault as error:
                    is_last = attempt == _TRIES - 1
                    if self._ends_all(error, is_last):
                        if isinstance(error, ServiceReadError):
                            self._tell(member.number, _NO_AWS)
                            return
                        raise
                    if (
                        is_last
                        or isinstance(error, UnknownOutcomeError)
                        or error.outcome is Outcome.NOT_PERMITTED
                    ):
                        raise
                    self._tell(
                        member.number, Status(State.RETRYING, plain_cause(str(error)), begun_at)
                    )
                    self._sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt))
        except SystemExit:
            self._tell(member.number, _LEFT)
        except EcsUpdaterError as error:
            text, kind = plain_cause(str(error)), type(error).__name__
            self._ended(
                member.number,
                Status(State.FAILED, text, begun_at, error_type=kind, hint=error.hint),
            )
        except Exception as error:  # pylint: disable=broad-exception-caught  # Its future nobody asks.
            self._ended(
                member.number,
                Status(
                    State.FAILED,
                    f"a defect of ecs-updater: {type(error).__name__}: {error}",
                    begun_at,
                ),
            )

    def _update(self, member: Member, begun_at: float, earlier: LeftBehind) -> None:
        event = {name: value for name, value in member.event.items() if name != "request_id"}
        call = Call(id=member.request_id, caller=self._batch.caller, clock=self._clock)
        pace = limit_rate(self._rate_limiter, call.time_left)
        attempt = Attempt(event, self._environment, self._ecs, call, None, registry_clients)
        self._rate_limiter.take(DESCRIBE, 1, 0)
        self._rate_limiter.take(DESCRIBE_REVISION, 1, 0)
        plan = attempt.planner.plan(attempt.request)
        self._has_read = True
        pace(plan)
        entry = attempt.intent(plan)
        with attempt.leases.held(entry.service, attempt.identity.holder) as lease:
            journal = Journal(entry, attempt.history, lease)
            outcome = write_and_wait(attempt, plan, journal, earlier)
        entry = journal.entry
        status = Status(
            State.DEPLOYING,
            f"to {(entry.after.task_definition_arn or '').rpartition('/')[2]}",
            begun_at,
            cluster_arn=entry.cluster_arn,
            service_arn=entry.service_arn,
            deployment_id=entry.deployment_id,
        )
        if outcome.is_final:
            self._concluded(member.number, status, outcome)
            return
        with self._lock:
            self._open[member.number] = _Open(attempt, journal, self._clock.now())
            self._seen[member.number] = status

    def _ends_all(self, error: ServerFault, is_last: bool) -> bool:
        """Whether no update can be done any more: without credentials, or without a connection, now
        or after the last try.
        """
        failure = error.failure
        if failure and (
            failure.is_about_credentials
            or (is_unreachable(failure) and (is_last or not self._has_read))
        ):
            self._trouble = AwsError(str(aws_error_of(failure)))
            return True
        return False

    def _why_over(self) -> str | None:
        if self._trouble:
            return _NO_AWS.cause
        if self._stopped.is_set():
            return _LEFT.cause
        with self._lock:
            failures = sum(
                status.state.is_bad and status.state is not State.NOT_STARTED
                for status in self._seen.values()
            )
        return replace(self._batch, failures=failures).why_over

    def _sleep(self, seconds: float) -> None:
        """Ends the thread when the command is left: who waits, for a token or to try again, has
        written nothing yet.
        """
        end = self._clock.now() + seconds
        while (left := end - self._clock.now()) > 0:
            if self._stopped.is_set():
                raise SystemExit
            self._clock.sleep(min(left, _SHORT_SLEEP))

    # Looking, in the loop's own thread.

    def _look(self, now: float) -> None:
        oldest = sorted(self._open.items(), key=lambda item: (item[1].looked_at, item[0]))
        cluster = oldest[0][1].journal.entry.cluster_arn
        some = [
            (number, one) for number, one in oldest if one.journal.entry.cluster_arn == cluster
        ][:SERVICES_PER_CALL]
        self._rate_limiter.take(DESCRIBE, 1, 0)
        with aws_errors():
            services, _ = self._ecs.describe_services(
                cluster, [one.journal.entry.service_arn for _, one in some]
            )
            by_arn = {service["serviceArn"]: service for service in services}
            for number, one in some:
                one.looked_at = now
                service = by_arn.get(one.journal.entry.service_arn, NO_SERVICE)
                outcome = one.attempt.waiter.look(one.journal, service)
                entry = one.journal.entry
                self._counts[number] = counts_of(
                    service,
                    (entry.rollback and entry.rollback.deployment_id) or entry.deployment_id,
                )
                if outcome.is_final:
                    del self._open[number]
                    self._concluded(number, self._seen[number], outcome)
                elif entry.rollback:
                    back = (
                        f"back to {entry.rollback.task_definition_arn.rpartition('/')[2]}, "
                        f"{entry.cause}"
                    )
                    self._tell(
                        number, replace(self._seen[number], state=State.ROLLING_BACK, cause=back)
                    )

    def _concluded(self, number: int, status: Status, outcome: RolloutOutcome) -> None:
        if outcome.error:
            kind, text = type(outcome.error).__name__, plain_cause(str(outcome.error))
            self._ended(
                number,
                replace(
                    status, state=state_of_verdict(outcome.verdict), cause=text, error_type=kind
                ),
            )
            return
        deployment = outcome.deployment or {}
        self._ended(
            number,
            replace(
                status, state=state_of_verdict(deployment["verdict"]), cause=deployment["reason"]
            ),
        )

    def _ended(self, number: int, status: Status) -> None:
        self._tell(number, replace(status, ended_at=self._clock.epoch()))

    def _tell(self, number: int, status: Status) -> None:
        with self._lock:
            self._seen[number] = status

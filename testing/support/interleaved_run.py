"""One run of several processes at once: two updates, a rollback, the reconciler and somebody else's
deployment.

A seed decides what each of them does, when it begins, which thread has the next turn, how long each
request takes, which answer gets lost and which process is killed. ``interleaved_checks`` says what
has to hold in the end.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any
from unittest import mock

import botocore.endpoint
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from botocore.useragent import UserAgentString

from ecs_updater.aws import dynamodb as dynamodb_boundary
from ecs_updater.aws import ecs as ecs_boundary
from ecs_updater.context import Call
from ecs_updater.deployments.deploy import deploy
from ecs_updater.deployments.reconciler import reconcile
from ecs_updater.errors import CallerFault, LeaseHeldError
from ecs_updater.ledger.lease import LEASE_SECONDS, SORT_KEY
from fakes.simulated_ecs import BREAKER
from fakes.wire import Killed, answer_of

from .fault_runs import BAD, GOOD, TIMING
from .interleaving import Interleaving
from .rollout_world import Function, Outcome, RecordedDeployments, outcome_of
from .trouble import DYNAMODB, ECS, FAILURES, KILLS, Kind

APP, SIDECAR = "app", "sidecar"
CONTAINERS = [
    {"name": APP, "image": "app:1", "memory": 128},
    {"name": SIDECAR, "image": "envoy:1", "memory": 64},
]
SERVICE, SECOND = "ecs-dummy-service", "second-service"
TAGS = {"release": "1", "team": "blue"}
"""Of the services, before."""

WRITES = ("UpdateService", "TagResource", "UntagResource", "StopServiceDeployment")
"""What changes a service. A revision that is registered changes none."""

_FOCUS = (
    *("take lease", "confirm lease", "release lease", "PutItem", "TransactWriteItems", "Query"),
    *("DescribeServices", "RegisterTaskDefinition", *WRITES),
)
"""What trouble may hit most."""

_READS = ("Describe", "List", "Get", "Query", "BatchGet")
_TIME_OUT = {
    ECS: ecs_boundary._CONFIG.read_timeout,  # pylint: disable=protected-access,no-member
    DYNAMODB: dynamodb_boundary.READ_TIMEOUT,
}


@dataclass(frozen=True)
class Intent:
    """What one caller asks for."""

    request_id: str
    event: Mapping[str, Any]
    is_good: bool = True
    """Whether the image works."""

    @property
    def service(self) -> str:
        """The service's name."""
        return self.event["ecs_service_name"]

    @property
    def is_rollback(self) -> bool:
        """Whether it is a rollback event."""
        return self.event.get("action") == "rollback"


@dataclass(eq=False)
class Process:
    """One invocation: what it sends ends when it is killed."""

    request_id: str | None
    """None: the reconciler."""
    is_dead: bool = False
    holders: dict[str, str] = field(default_factory=dict)
    """Id of the lease that it took last, by service."""


@dataclass(frozen=True)
class Made:
    """A deployment, and what made it."""

    service: str
    id: str
    task_definition_arn: str
    by: str
    """``update``, ``return``, ``foreign`` or ``ecs``."""
    request_id: str | None = None
    """Of the update that it is for."""


@dataclass(frozen=True)
class Weather:
    """What one run is like: how much goes wrong, and where."""

    faults: float
    """The share of requests that fail in one way or another."""
    kills: float
    """The share at which the process is killed."""
    stalls: float
    """The share at which the process stands still for longer than a lease lasts."""
    slow: float
    """The share of requests that take seconds."""
    focus: str
    """The operation that trouble hits most, if any does: of many runs a few then meet what is
    rare.
    """
    focused: float
    """The share of its requests at which the process is killed, or which fail."""
    is_crowded: bool
    """Whether all callers begin at once and wait long: the second one has read the service before
    the first one writes.
    """

    @classmethod
    def of(cls, draw: random.Random) -> "Weather":
        """Each share is 0 in many runs.

        In one of seven the holders end without giving back what others wait for.
        """
        if draw.random() < 0.15:
            return cls(
                faults=0,
                kills=0,
                stalls=0,
                slow=0.02,
                focus="release lease",
                focused=0.7,
                is_crowded=True,
            )
        return cls(
            faults=draw.choice((0, 0, 0.02, 0.08)),
            kills=draw.choice((0, 0, 0.01, 0.03)),
            stalls=draw.choice((0, 0, 0.01)),
            slow=draw.choice((0.02, 0.1, 0.3)),
            focus=draw.choice(_FOCUS),
            focused=draw.choice((0, 0.1, 0.6)),
            is_crowded=draw.random() < 0.3,
        )


class InterleavedRun:  # pylint: disable=too-many-instance-attributes
    """One seed."""

    def __init__(self, seed: int, function: Function):
        self.seed, self.counts = seed, Counter[str]()
        draw = random.Random(f"scenario {seed}")
        self.weather = Weather.of(draw)
        options: dict[str, Any] = {"breaker": BREAKER} if draw.random() < 0.3 else {}
        self.world = function.world(
            timing=TIMING,
            latency=0,
            time_out=0,
            containers=CONTAINERS,
            tags=TAGS,
            service_deployments=draw.random() < 0.8,
            **options,
        )
        self.turns = Interleaving(seed, self.world.ecs.clock.now, self.world.ecs.clock.advance)
        self.world.clock = replace(self.world.clock, sleep=self.turns.wait)
        self._alone = Process("request-0")
        """What runs before and after the threads."""
        self.process: dict[str, Process] = {}
        """By thread."""
        self.made: list[Made] = []
        self.wrong: list[str] = []
        self._unanswered: set[str] = set()
        self.results: list[tuple[Intent, Outcome]] = []
        """What the callers got."""
        self._deployments: dict[str, dict[str, str]] = {SERVICE: self.world.made}
        self.batch = "b" if random.Random(f"batch {seed}").random() < 0.5 else None
        """Of all updates. The two services share a revision then."""
        self.has_second = draw.random() < 0.15
        if self.has_second:
            self._add_second_service(options.get("breaker"))
        self.intents = list(self._intents(draw))
        self._draw = draw
        self.world.ecs.before = self.world.dynamodb.before = None
        self.world.ecs.around = lambda request, send: self._request(ECS, request, send)
        self.world.dynamodb.around = lambda request, send: self._request(DYNAMODB, request, send)
        for image in ("app:1", "envoy:1", "envoy:2", "envoy:3"):
            self.world.ecs.images.becomes(image, GOOD)

    def run(self) -> None:
        """Runs everything to its end."""
        random.seed(self.seed)  # The jitter of the product and of the SDK.
        with _time_of_the_sdk(self.turns.wait):
            if self._draw.random() < 0.3:
                self.world.send(
                    self._event(SERVICE, "app:0"), request_id="request-0", wait_seconds=60
                )
                self.intents.append(Intent("request-0", self._event(SERVICE, "app:0")))
            self._note_made("ecs")
            self._start_all()
            self.turns.run()
            self._finish()

    @property
    def interrupted(self) -> set[str]:
        """The updates of which a process was killed, lost its lease or the ledger, or got no answer
        to its UpdateService.

        A process that stands still for longer than its lease lasts may still answer, and says so in
        a note.
        """
        return self._unanswered | {
            intent.request_id for intent, result in self.results if _is_interrupted(result)
        }

    # What is asked for.

    def _event(self, service: str, image: str, **fields: Any) -> dict[str, Any]:
        return {
            "ecs_cluster_name": "ECSCluster",
            "ecs_service_name": service,
            "ecs_image_name": image,
            "ecs_container_name": APP,
            "ecs_tag": {"release": image.rpartition(":")[2]},
            **fields,
        }

    def _intents(self, draw: random.Random) -> Iterator[Intent]:
        waits = (200,) if self.weather.is_crowded else (0, 0, 60, 200)
        first = "", True
        for number in (2, 3):
            image, is_good = f"app:{number}", draw.random() < 0.75
            if draw.random() < 0.15:
                image, is_good = "app:1", True
            self.world.ecs.images.becomes(image, GOOD if is_good else BAD)
            fields: dict[str, Any] = {"wait_seconds": draw.choice(waits)}
            for chance, more in (
                (0.8, {"ecs_tag": {"release": str(number), f"only-{number}": "x"}}),
                (0.4, {"ecs_tag_mode": "merge"}),
                (0.5, {"rollback_on_failure": True}),
                (0.2, {"force_new_deployment": True}),
                (0.15, {"ecs_container_images": {SIDECAR: "envoy:3"}}),
                (0.08, {"dry_run": True}),
            ):
                fields |= more if draw.random() < chance else {}
            service = SECOND if self.has_second and number == 3 else SERVICE
            if self.batch and service == SECOND:
                image, is_good = first
            first = image, is_good
            yield Intent(f"request-{number}", self._event(service, image, **fields), is_good)
        if draw.random() < 0.5:
            event = {
                "action": "rollback",
                "ecs_cluster_name": "ECSCluster",
                "ecs_service_name": SERVICE,
            }
            yield Intent("request-4", {**event, "wait_seconds": draw.choice(waits)})

    def _add_second_service(self, breaker: Any) -> None:
        world = self.world.ecs.world
        first = world.task_definitions[0]
        service = world.add_service(SECOND, first, 1, TAGS, "FARGATE", breaker, {}).service
        made: dict[str, str] = {}
        service.deployments = RecordedDeployments(service.deployments, made)
        self._deployments[SECOND] = made

    # The threads.

    def _start_all(self) -> None:
        draw = self._draw
        for intent in self.intents:
            if intent.request_id == "request-0":
                continue
            self._start_caller(
                intent,
                f"update {intent.request_id[-1]}" if not intent.is_rollback else "rollback 4",
            )
            if draw.random() < 0.2:  # Sent twice at once.
                self._start_caller(intent, f"again {intent.request_id[-1]}")
        self.turns.start("reconciler", self._reconcile)
        if draw.random() < 0.5:
            self.turns.start("foreign", self._deploy_foreign)

    def _start_caller(self, intent: Intent, name: str) -> None:
        begins_after = 0 if self.weather.is_crowded else self._draw.choice((0, 1, 5, 20))
        self.turns.start(name, lambda: self._call(intent, name, begins_after))

    def _call(self, intent: Intent, name: str, begins_after: float) -> None:
        """Sends the event, and sends it again as Lambda does: after a kill, or an error after which
        a repetition may help.
        """
        self.turns.wait(begins_after)
        for _ in range(self.turns.random.choice((1, 3, 5))):
            self.process[name] = Process(intent.request_id)
            call = Call(
                f"{name} {self.turns.switches}", "test", lambda: 900.0, self.world.clock, self.batch
            )
            event = {**intent.event, "request_id": intent.request_id}
            result = outcome_of(
                lambda call=call, event=event: deploy(
                    event, self.world.environment, self.world.boundary, call, self.world.table
                )
            )
            self.turns.note(f"= {result.verdict} {result.text[:200] if result.error else ''}")
            self.results.append((intent, result))
            if result.answer or isinstance(result.error, CallerFault):
                return
            self.turns.wait(self.turns.random.choice((1, 10, 60, 130)))

    def _reconcile(self) -> None:
        for _ in range(5):
            self.turns.wait(self.turns.random.choice((1, 4, 15, 60)))
            self.process["reconciler"] = Process(None)
            call = Call("reconciler", None, lambda: 900.0, self.world.clock)
            result = outcome_of(
                lambda call=call: reconcile(
                    None, self.world.environment, self.world.boundary, self.world.table, call
                ).to_json()
            )
            self.turns.note(f"= {result.answer or result.text}")

    def _deploy_foreign(self) -> None:
        """Somebody else reads the running revision and deploys it with another image, in one
        step.
        """
        for _ in range(self.turns.random.choice((1, 1, 2))):
            self.turns.wait(
                self.turns.random.choice((0, 1, 5, 20, 60)) + self.turns.random.random()
            )
            running = self.world.ecs.service.primary.revision.task_definition
            app, sidecar = running["containerDefinitions"]
            body = {
                "family": running["family"],
                "containerDefinitions": [app, {**sidecar, "image": "envoy:2"}],
            }
            arn = self.world.ecs.world.register({**body, "cpu": "256", "memory": "512"})[
                "taskDefinitionArn"
            ]
            self._note_made("ecs")
            deployment = self.world.ecs.redeploy(arn.rpartition("/")[2])
            self._note_made("foreign")
            self.turns.note(f"deploys {arn.rpartition('/')[2]} as {deployment}")

    def _finish(self) -> None:
        """Everybody has gone: the reconciler runs until nothing is open."""
        self._alone = Process(None)
        for _ in range(30):
            self.world.ecs.clock.advance(60)
            run = self.world.reconcile()
            self._note_made("ecs")
            if not run.open and not run.skipped:
                break
        self.world.ecs.clock.advance(LEASE_SECONDS + 60)
        self._note_made("ecs")

    # The requests.

    def _request(self, service: str, request: Any, send: Callable[[], AWSResponse]) -> AWSResponse:
        thread = self.turns.current
        if thread is None:
            return self._effect(service, self._alone, request, send)
        process = self.process[thread.name]
        if process.is_dead:
            raise Killed("it is dead already")
        draw, operation = self.turns.random, _name_of(request)
        # Nothing can be done about a process that stands still between the confirmation of its
        # lease and its write.
        may_stall = service == DYNAMODB or operation.startswith(_READS)
        self.turns.wait(self._delay(draw, _TIME_OUT[service], may_stall))
        trouble = self._trouble(draw, operation)
        self.turns.note(f"{operation}{f' {trouble.name}' if trouble else ''}")
        self.counts["requests"] += 1
        if trouble and operation == "UpdateService" and process.request_id:
            self._unanswered.add(process.request_id)
        if trouble is None:
            answer = self._effect(service, process, request, send)
        else:
            self.counts[
                "kills" if trouble.kills else "lost answers" if trouble.after_effect else "failures"
            ] += 1
            if trouble.after_effect:
                self._effect(service, process, request, send)
            answer = self._fail(service, process, trouble)
        if draw.random() < 0.2:
            self.turns.wait(self._delay(draw, _TIME_OUT[service], may_stall))
        return answer

    def _delay(self, draw: random.Random, most: float, may_stall: bool) -> float:
        if draw.random() < self.weather.slow:
            return draw.choice((0.1, 0.5, 0.95)) * most * draw.random()
        if draw.random() < self.weather.stalls and may_stall:
            self.counts["stalls"] += 1
            return LEASE_SECONDS * (1 + draw.random())
        return draw.choice((0, 0, 0, 0.05, 0.05 * draw.random()))

    def _trouble(self, draw: random.Random, operation: str) -> Kind | None:
        weather, chance = self.weather, draw.random()
        is_focused = operation == weather.focus and chance < weather.focused
        if not is_focused and chance >= weather.kills + weather.faults:
            return None
        is_killed = draw.random() < 0.5 if is_focused else chance < weather.kills
        kind = draw.choice(KILLS if is_killed else FAILURES)
        return kind if not kind.after_effect or not operation.startswith(_READS) else None

    def _fail(self, service: str, process: Process, trouble: Kind) -> AWSResponse:
        fault = trouble.faults[service]
        if isinstance(fault, ReadTimeoutError):
            self.turns.wait(_TIME_OUT[service])
        process.is_dead = trouble.kills
        if isinstance(fault, BaseException):
            raise fault.with_traceback(None)
        status, code, message = fault
        return answer_of(f"https://{service}", status, {"__type": code, "message": message})

    def _effect(
        self, service: str, process: Process, request: Any, send: Callable[[], AWSResponse]
    ) -> AWSResponse:
        """What a request does, and what is looked at while it does that."""
        self._note_made("ecs")
        if service == ECS and request.operation in WRITES:
            self._check_lease(process, request)
            self.counts["writes"] += 1
            purpose = self._purpose(process, request)
            answer = send()
            self._note_made(*purpose)
            return answer
        if _name_of(request) == "take lease":
            process.holders[request.body["Key"]["pk"]["S"]] = request.body[
                "ExpressionAttributeValues"
            ][":holder"]["S"]
        return send()

    def _check_lease(self, process: Process, request: Any) -> None:
        key = service_arn(request)
        lease = self.world.dynamodb.items.get((key, SORT_KEY), {})
        holder = lease.get("holder", {}).get("S")
        left = float(lease["expires_at"]["N"]) - self.world.clock.epoch() if holder else 0
        if holder is None or holder != process.holders.get(key) or left < 0:
            who = lease.get("request_id", {}).get("S", "nobody")
            self.wrong.append(
                f"{request.operation} without the lease, which {who} holds for {left:.0f} s"
            )

    def _purpose(self, process: Process, request: Any) -> tuple[str, str | None]:
        """What an UpdateService is for: an entry of the ledger that is being returned, or the
        process's own update.
        """
        holder = process.holders.get(service_arn(request))
        for (key, sort), item in self.world.dynamodb.items.items():
            is_own = (
                key == service_arn(request)
                and sort.startswith("UPDATE#")
                and item["owner"].get("S") == holder
            )
            if is_own and item["state"]["S"] == "ROLLING_BACK":
                target = item["rollback"]["M"]["task_definition_arn"]["S"]
                if request.body.get("taskDefinition") == target:
                    return "return", item["request_id"]["S"]
        return "update", process.request_id

    def _note_made(self, by: str, request_id: str | None = None) -> None:
        """Notes the deployments that have come since the last time."""
        for service, deployments in self._deployments.items():
            known = sum(made.service == service for made in self.made)
            for number, (deployment_id, arn) in enumerate(list(deployments.items())[known:]):
                # ECS makes its own while time passes, before the request that is looked at now.
                self.made.append(
                    Made(service, deployment_id, arn, by if known + number else "ecs", request_id)
                )


def _is_interrupted(result: Outcome) -> bool:
    never_began = isinstance(result.error, LeaseHeldError) and "any more" not in str(result.error)
    if result.answer:
        return any(
            "try again" in note for note in result.answer["body"]["deployment"].get("notes", ())
        )
    return result.was_killed or (
        result.error is not None and not isinstance(result.error, CallerFault) and not never_began
    )


def _name_of(request: Any) -> str:
    """The operation; of a lease, which of the three things that are done with one."""
    if request.operation != "UpdateItem" or request.body["Key"]["sk"]["S"] != SORT_KEY:
        return request.operation
    if ":request_id" in request.body["ExpressionAttributeValues"]:
        return "take lease"
    return "release lease" if "REMOVE" in request.body["UpdateExpression"] else "confirm lease"


def service_arn(request: Any) -> str:
    """The ARN of the service that a write changes."""
    body = request.body
    if request.operation == "UpdateService":
        return body["service"]
    if request.operation == "StopServiceDeployment":
        return (
            body["serviceDeploymentArn"]
            .replace(":service-deployment/", ":service/")
            .rpartition("/")[0]
        )
    return body["resourceArn"]


@contextmanager
def _time_of_the_sdk(sleep: Callable[[float], None]) -> Iterator[None]:
    """Lets the SDK wait in simulated time.

    What it calls itself takes it longer than most of what it does for a request.
    """
    with (
        mock.patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=sleep)),
        mock.patch.object(UserAgentString, "to_string", lambda self: "test"),
    ):
        yield

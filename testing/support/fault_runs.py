"""One scenario with one fault, the recovery afterwards, and the checks in the end."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ecs_updater.errors import CallerFault, EcsUpdaterError, LeaseHeldError
from ecs_updater.ledger.entry import Entry, Success
from ecs_updater.ledger.lease import LEASE_SECONDS
from ecs_updater.ledger.store import History
from fakes.simulated_ecs import Image, Timing
from fakes.wire import SERVICE_ARN, Fault, Request

from .rollout_world import EVENT, OLD_TAGS, Function, Outcome, World
from .trouble import DYNAMODB, Trouble

CONTAINERS = [{"name": "ecs-dummy-container"}]
NEW, OLD, OTHER = "app:2", "busybox", "app:3"
NEW_TAGS = EVENT["ecs_tag"]
SECOND = "second-service"
REQUEST = "request-1"
ROLLBACK = {
    "action": "rollback",
    "ecs_cluster_name": "ECSCluster",
    "ecs_service_name": "ecs-dummy-service",
}
OTHER_EVENT = EVENT | {
    "request_id": "request-2",
    "ecs_image_name": OTHER,
    "ecs_tag": {"release": "3"},
    "wait_seconds": 60,
    "rollback_on_failure": True,
}

# As fast as simulated ECS can be: the fewer looks a rollout takes, the more runs there are in a
# minute.
TIMING = Timing(steady_after=2, stop_takes=1, lingers=1, retry_after=0.5, stage_takes=0.5)
GOOD = Image.good(starts_after=1)
BAD = Image.exits(code=1, after=0.5, starts_after=0.5)


@dataclass(frozen=True)
class Scenario:
    """What is done, and what has to come of it."""

    name: str
    fields: Mapping[str, Any]
    """Of the event."""
    verdict: str
    """The ledger's, in the end."""
    is_new: bool
    """Whether the service is fully new in the end; fully old otherwise."""
    image: Image = GOOD
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the world."""
    event: Mapping[str, Any] = field(default_factory=lambda: EVENT)
    is_updated_first: bool = False
    """Whether an update to the new image has gone before."""
    is_old_inactive: bool = False
    """Whether somebody has deregistered the old revision, so that a rollback registers its content
    again.
    """
    begins_at: str = ""
    """The operation before which nothing happens: another scenario is the same until then."""
    by_reconciler: bool = False
    """Whether the process that something happens to is the reconciler, after an update that did not
    wait.
    """
    task_exits_with: int = 0
    """Exit code of the task of ``run_before``."""
    batch: str | None = None
    """Of the update."""
    is_shared: bool = False
    """Whether another service of the batch has registered the new revision."""

    @property
    def state(self) -> tuple[dict[str, str], Mapping[str, str]]:
        """The service in the end."""
        image = self.deployments[-1] if self.is_new or not self.goes_back_to_tasks else OLD
        return {self.container: image}, NEW_TAGS if self.is_new else OLD_TAGS

    @property
    def goes_back_to_tasks(self) -> bool:
        """Whether ECS goes back to the deployment before, whose tasks run until the end."""
        return self.options.get("configuration", {}).get("strategy", "ROLLING") != "ROLLING"

    @property
    def container(self) -> str:
        """The name of its only container."""
        name: str = self.options.get("containers", CONTAINERS)[0]["name"]
        return name

    @property
    def settings(self) -> tuple[int, int]:
        """Desired count and minimum healthy percent in the end."""
        fields = self.fields if self.is_new else {}
        minimum = fields.get("ecs_deployment", {}).get("minimumHealthyPercent", 100)
        return fields.get("ecs_desired_count", 1), minimum

    @property
    def deployments(self) -> list[str]:
        """The image of each deployment, in order: what was there, one for the update, one for its
        rollback, and none else.
        """
        first = [OLD, self.fields.get("ecs_image_name", NEW)]
        if not first[1] or self.verdict == "FAILED":
            return [OLD]
        return first if self.is_new or self.goes_back_to_tasks else [*first, OLD]

    def world(self, function: Function) -> World:
        """The world before the process that something happens to."""
        world = function.world(timing=TIMING, time_out=1, **self.options)
        scales = "ecs_image_name" in self.fields and not self.fields["ecs_image_name"]
        world.ecs.images.becomes(OLD, self.image if scales else GOOD)
        world.ecs.publish(NEW, self.image)
        world.ecs.world.standalone.image = Image.exits(self.task_exits_with, 1, 1, True)
        if self.is_updated_first:
            assert world.send(request_id="request-0", wait_seconds=60).verdict == "SUCCEEDED"
        if self.is_old_inactive:
            world.ecs.deregister("ecs-dummy-task:1")
        if self.is_shared:
            revision = world.ecs.world.task_definitions[0]
            world.ecs.add_service("ECSCluster", SECOND, OLD_TAGS, revision=revision)
            other = {"ecs_service_name": SECOND, "request_id": "request-0"}
            assert world.send(EVENT, batch=self.batch, **other).verdict == "IN_PROGRESS"
        if self.by_reconciler:
            assert self.send(world).verdict == "IN_PROGRESS"
            world.pass_time(60)
        return world

    def send(self, world: World) -> Outcome:
        """Sends the event."""
        return world.send(self.event, request_id=REQUEST, batch=self.batch, **self.fields)

    def process(self, world: World) -> Outcome:
        """Does what something happens to."""
        return reconcile(world) if self.by_reconciler else self.send(world)


def reconcile(world: World) -> Outcome:
    """Runs the reconciler once."""
    return world.outcome_of(lambda: world.reconcile().to_json())


@dataclass
class Figures:
    """What is counted over the runs of a scenario."""

    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return ", ".join(f"{number} {what}" for what, number in self.counts.items() if number)


Recovery = Callable[["Run"], None]


class Run:
    """One run."""

    def __init__(self, scenario: Scenario, function: Function, figures: Figures):
        self.scenario, self.figures = scenario, figures
        self.world = scenario.world(function)
        self._name = ""
        self._early: list[str] = []
        """Changes of the service before the success of the task."""
        if "run_before" in scenario.fields:
            self._note_changes()

    def _note_changes(self) -> None:
        ecs, before = self.world.ecs, self.world.ecs.before
        assert before

        def note(request: Request) -> tuple[Fault, bool] | None:
            tasks = ecs.world.standalone.all
            has_succeeded = any(task.containers[0].exit_code == 0 for task in tasks)
            is_change = request.operation in ("TagResource", "UntagResource", "UpdateService")
            if is_change and not has_succeeded:
                self._early.append(request.operation)
            return before(request)

        ecs.before = note

    def with_trouble(self, trouble: Trouble, recovery: Recovery) -> None:
        """Runs the scenario with a fault and the recovery, and checks the end."""
        self._begin(trouble, recovery.__name__)
        recovery(self)
        self.check_end()

    def _begin(self, trouble: Trouble, what_comes_next: str) -> None:
        self._name = f"{self.scenario.name}: {trouble}, then {what_comes_next}"
        self.world.at_next = trouble
        outcome = self.scenario.process(self.world)
        self.count("runs")
        self._check_outcome(outcome)
        self._check_lease(outcome)
        if outcome.was_killed or (
            isinstance(outcome.error, EcsUpdaterError)
            and not isinstance(outcome.error, CallerFault)
        ):
            self.count("noticed")

    def with_another_update(self, trouble: Trouble, image: Image) -> None:
        """Runs the scenario with a fault, then another update, which rolls back a bad image. Checks
        the end.
        """
        self._begin(trouble, f"another update, {'good' if image is GOOD else 'bad'}")
        self.world.ecs.publish(OTHER, image)
        outcome = self._until_final(lambda: self.world.send(OTHER_EVENT))
        self.reconcile()
        self.world.pass_time(LEASE_SECONDS)
        self._check_after_another_update(outcome, image is GOOD)

    def count(self, what: str, times: int = 1) -> None:
        """Counts for the figures."""
        self.figures.counts[what] += times

    def expect(self, is_right: bool, violation: str) -> None:
        """Notes a violation unless the condition holds."""
        if not is_right:
            self.figures.violations.append(f"{self._name}: {violation}")

    # What may be done afterwards.

    @property
    def is_ended(self) -> bool:
        """Whether the ledger has the update's end."""
        items = self.world.dynamodb.items.values()
        return any(
            item.get("state") == {"S": "ENDED"} and item["request_id"] == {"S": REQUEST}
            for item in items
        )

    def resend(self) -> Outcome:
        """Sends the same event until it is answered, or refused for good."""
        was_ended = self.is_ended
        outcome = self._until_final(lambda: self.scenario.send(self.world))
        self.count("ended by sending again", self.is_ended and not was_ended)
        return outcome

    def _until_final(self, send: Callable[[], Outcome], most: int = 8) -> Outcome:
        for _ in range(most):
            outcome = send()
            self._check_outcome(outcome)
            if outcome.answer or isinstance(outcome.error, CallerFault):
                return outcome
            self.count("repetitions", 1)
            self.count("of them for the lease", isinstance(outcome.error, LeaseHeldError))
            self.world.pass_time(30)
        self.expect(False, f"sent {most} times, and still: {outcome.text}")
        return outcome

    def reconcile(self, most: int = 12) -> None:
        """Runs the reconciler until nothing is open."""
        was_ended = self.is_ended
        for _ in range(most):
            self.world.pass_time(60)
            run = self.world.reconcile()
            if not run.open and not run.skipped:
                break
        else:
            self.expect(False, f"the reconciler ran {most} times, and still: {run.to_json()}")
        self.count("ended by the reconciler", self.is_ended and not was_ended)

    # Checks

    def _check_outcome(self, outcome: Outcome) -> None:
        text = str(outcome.error or "[ERROR][")
        self.expect(
            text.startswith("[ERROR][") and "\n" not in text and "Traceback" not in text,
            f"the error is not one line for a reader: {text!r}",
        )

    def _check_lease(self, outcome: Outcome) -> None:
        """After the process the lease is free, or expires where it could not be released."""
        item = self.world.dynamodb.items.get((SERVICE_ARN, "LEASE"), {})
        if "holder" in item:
            left = float(item["expires_at"]["N"]) - self.world.clock.epoch()
            self.count("left a lease to expire")
            self.expect(left <= LEASE_SECONDS, f"the lease lasts for {left} s")
            failed = (DYNAMODB, "UpdateItem") in self.world.process.failed
            self.expect(outcome.was_killed or failed, "the lease was not released")

    def _check_nothing_is_left(self) -> None:
        self.expect(self.world.lease_is_free, "the lease is not free")
        is_open = any(key[0] == "OPEN" for key in self.world.dynamodb.items)
        self.expect(not is_open, "something is left open")

    def check_end(self) -> None:
        """Checks the service, the ledger and the deployments in the end."""
        world, scenario = self.world, self.scenario
        world.pass_time(LEASE_SECONDS)
        self.expect(world.lease_is_free, "the lease is not free")
        entries = [entry for entry in world.history if entry.request_id == REQUEST]
        self.expect(bool(entries), "the ledger has no entry")
        for attempt in entries[1:]:
            self.count("attempts that came to nothing")
            self.expect(
                attempt.is_ended and attempt.may_be_repeated and attempt.deployment_id is None,
                f"an earlier attempt is {attempt.state} {attempt.verdict} "
                f"{attempt.deployment_id}: {attempt.cause}",
            )
        for entry in entries[:1]:
            self.expect(
                entry.is_ended and entry.verdict == scenario.verdict,
                f"the ledger says {entry.state} {entry.verdict}: {entry.cause}",
            )
            self._check_ledger(entry)
        self.expect(world.state == scenario.state, f"the service is {world.state}")
        service = world.ecs.service
        settings = service.desired, service.configuration["minimumHealthyPercent"]
        self.expect(settings == scenario.settings, f"the service's settings are {settings}")
        self._check_deployments()
        again = scenario.send(world)
        self._check_outcome(again)
        names = {"ROLLED_BACK": "RolloutRolledBackError", "FAILED": "TaskRunFailedError"}
        self.expect(
            again.verdict in (scenario.verdict, names.get(scenario.verdict)),
            f"to send it again is answered with {again.verdict}, {again.text}",
        )
        self._check_nothing_is_left()

    def _check_after_another_update(self, outcome: Outcome, is_good: bool) -> None:
        """The service is as the other update asked, or as it last worked. Each entry is right."""
        world = self.world
        first, other = (
            next((e for e in world.history if e.request_id == name), None)
            for name in (REQUEST, "request-2")
        )
        has_worked = first is not None and first.verdict == "SUCCEEDED"
        worked = (NEW, NEW_TAGS) if has_worked else (OLD, OLD_TAGS)
        image, tags = (OTHER, OTHER_EVENT["ecs_tag"]) if is_good else worked
        is_state = world.state == ({self.scenario.container: image}, tags)
        self.expect(is_state, f"the service is {world.state}")
        self.expect(
            outcome.verdict == ("SUCCEEDED" if is_good else "RolloutRolledBackError"),
            f"the other update has {outcome.verdict}, {outcome.text}",
        )
        self.expect(
            other is not None and other.verdict == ("SUCCEEDED" if is_good else "ROLLED_BACK"),
            f"the ledger says of the other update {other}",
        )
        self._check_nothing_is_left()
        images = self._images_made()
        # The last one may be the rollback to it.
        once = images[:-1].count(NEW) <= 1 and images.count(OTHER) == 1
        self.expect(once, f"the deployments were of {images}")
        self.count(f"ended as {first.verdict}" if first else "left nothing")
        if first:
            self._check_the_first(first, images)

    def _check_the_first(self, entry: Entry, images: list[str]) -> None:
        """Checks the entry of an update after which another one came."""
        was_made = NEW in images
        is_back = was_made and images[images.index(NEW) + 1 :][:1] == [OLD]
        self.expect(
            was_made == (entry.deployment_id is not None)
            and was_made == (entry.verdict != "INTERRUPTED")
            and (not was_made or is_back == (entry.verdict == "ROLLED_BACK")),
            f"the ledger says {entry.verdict} of {entry.deployment_id}, and the "
            f"deployments were of {images}",
        )
        is_bad = self.scenario.image is BAD
        self.expect(not (is_bad and entry.verdict == "SUCCEEDED"), "a bad image succeeded")

    def _images_made(self) -> list[str]:
        """Image of each deployment in order."""
        revisions = {
            d["taskDefinitionArn"]: d["containerDefinitions"][0]["image"]
            for d in self.world.ecs.world.task_definitions
        }
        return [revisions[arn] for arn in self.world.made.values()]

    def _check_ledger(self, entry: Entry) -> None:
        world, verdict = self.world, entry.verdict
        primary = world.ecs.service.primary
        arn = primary.revision.task_definition["taskDefinitionArn"]
        is_complete = primary.rollout_state == "COMPLETED"
        self.expect(is_complete, f"the service's deployment is {primary.rollout_state}")
        back, named = entry.rollback, (entry.after.task_definition_arn, entry.deployment_id)
        self.expect(
            verdict != "SUCCEEDED" or named == (arn, primary.id),
            f"the ledger says {named}, ECS {arn} {primary.id}",
        )
        is_back = back and (back.task_definition_arn, back.deployment_id) == (arn, primary.id)
        self.expect(
            verdict != "ROLLED_BACK" or bool(is_back),
            f"the ledger says {back}, ECS {arn} {primary.id}",
        )
        self.expect(
            verdict != "ROLLED_BACK" or world.made.get(entry.deployment_id or "") == named[0],
            f"the ledger says {named}, ECS {world.made}",
        )
        success = History(world.table, clock=world.clock.epoch).last_success(SERVICE_ARN)
        is_last = success and (success.number, success.deployment_id) == (entry.number, primary.id)
        is_own = success and success.request_id == REQUEST
        self.expect(
            bool(is_last if Success.of(entry) else not is_own),
            f"the last success is {success}",
        )

    def _check_deployments(self) -> None:
        """As many as were meant, and no unused revision."""
        made, planned = self._images_made(), self.scenario.deployments
        # A throttled StopServiceDeployment is replaced by UpdateService.
        is_back = self.scenario.goes_back_to_tasks and not self.scenario.is_new
        others = [*planned, OLD] if is_back else planned
        self.expect(made in (planned, others), f"the deployments were of {made}")
        ecs = self.world.ecs
        used = {*self.world.made.values()}
        if self.scenario.is_shared:
            second = ecs.service_of(SECOND).primary.revision.task_definition
            used.add(second["taskDefinitionArn"])
        unused = len(ecs.world.task_definitions) - len(used)
        meant = self.scenario.verdict == "FAILED"
        self.expect(unused == meant, f"{unused} revisions were registered and never used")
        if "run_before" in self.scenario.fields:
            self._check_task()

    def _check_task(self) -> None:
        """One task has run, and the service has changed after its success only."""
        tasks = self.world.ecs.world.standalone.all
        self.expect(len(tasks) == 1, f"{len(tasks)} tasks were started")
        self.expect(not self._early, f"before the success of the task: {self._early}")


def the_same_again(run: Run) -> None:
    """The caller sends the same event again, and the reconciler ends what goes on."""
    run.resend()
    run.reconcile()


def the_reconciler_first(run: Run) -> None:
    """The reconciler finds it first. Then the caller sends the same event again."""
    run.reconcile()
    run.resend()
    run.reconcile()

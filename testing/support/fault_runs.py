"""One scenario with one thing going wrong, what is done afterwards, and whether all is well in the
end.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ecs_updater.errors import CallerFault, EcsUpdaterError, LeaseHeldError
from ecs_updater.ledger.lease import LEASE_SECONDS
from ecs_updater.ledger.store import History
from fakes.fake_ecs import SERVICE_ARN
from fakes.simulated_ecs import Image, Pace

from .rollout_world import EVENT, OLD_TAGS, Function, Outcome, World
from .trouble import DYNAMODB, Trouble

NEW, OLD, OTHER = "app:2", "busybox", "app:3"
NEW_TAGS = EVENT["ecs_tag"]
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
PACE = Pace(settles_after=2, stop_takes=1, lingers=1, retry_after=0.5)
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

    @property
    def state(self) -> tuple[dict[str, str], Mapping[str, str]]:
        """The service in the end."""
        return {"ecs-dummy-container": self.deployments[-1]}, NEW_TAGS if self.is_new else OLD_TAGS

    @property
    def deployments(self) -> list[str]:
        """The image of each deployment, in order: what was there, one for the update, one for its
        rollback, and none else.
        """
        first = [OLD, self.fields.get("ecs_image_name", NEW)]
        return first if self.is_new else [*first, OLD]

    def world(self, function: Function) -> World:
        """The world before the process that something happens to."""
        world = function.world(pace=PACE, time_out=1, **self.options)
        world.ecs.images.becomes(OLD, GOOD)
        world.ecs.publish(NEW, self.image)
        if self.is_updated_first:
            assert world.send(request_id="request-0", wait_seconds=60).verdict == "SUCCEEDED"
        if self.is_old_inactive:
            world.ecs.deregister("ecs-dummy-task:1")
        if self.by_reconciler:
            assert self.send(world).verdict == "IN_PROGRESS"
            world.pass_time(60)
        return world

    def send(self, world: World) -> Outcome:
        """Sends the event."""
        return world.send(self.event, request_id=REQUEST, **self.fields)

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

    def with_trouble(self, trouble: Trouble, recovery: Recovery) -> None:
        """Lets it happen, does ``recovery`` and judges."""
        self._begin(trouble, recovery.__name__)
        recovery(self)
        self.check_end()

    def _begin(self, trouble: Trouble, what_follows: str) -> None:
        self._name = f"{self.scenario.name}: {trouble}, then {what_follows}"
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
        """Lets it happen; then another update of the service comes, which rolls back if its image
        is bad, and judges.
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

    def wrong(self, sentence: str) -> None:
        """Notes a violation."""
        self.figures.violations.append(f"{self._name}: {sentence}")

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
        self.wrong(f"sent {most} times, and still: {outcome.text}")
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
            self.wrong(f"the reconciler ran {most} times, and still: {run.to_json()}")
        self.count("ended by the reconciler", self.is_ended and not was_ended)

    # What has to be so.

    def _check_outcome(self, outcome: Outcome) -> None:
        if outcome.error:
            text = str(outcome.error)
            if "\n" in text or "Traceback" in text or not text.startswith("[ERROR]["):
                self.wrong(f"no error for a person: {text!r}")

    def _check_lease(self, outcome: Outcome) -> None:
        """After the process: free, or free within its time where it could not be given back."""
        item = self.world.dynamodb.items.get((SERVICE_ARN, "LEASE"), {})
        if "holder" in item:
            left = float(item["expires_at"]["N"]) - self.world.clock.epoch()
            self.count("left a lease to expire")
            if left > LEASE_SECONDS:
                self.wrong(f"the lease lasts for {left} s")
            if not outcome.was_killed and (DYNAMODB, "UpdateItem") not in self.world.process.failed:
                self.wrong("the lease was not given back")

    def check_end(self) -> None:
        """After everything."""
        world, scenario = self.world, self.scenario
        world.pass_time(LEASE_SECONDS)
        if not world.lease_is_free:
            self.wrong("the lease is not free")
        entries = [entry for entry in world.history if entry.request_id == REQUEST]
        if not entries:
            self.wrong("the ledger knows nothing of it")
            return
        entry, *attempts = entries
        self.count("attempts that came to nothing", len(attempts))
        for attempt in attempts:
            if (attempt.is_ended, attempt.may_be_repeated, attempt.deployment_id) != (
                True,
                True,
                None,
            ):
                self.wrong(
                    f"an earlier attempt is {attempt.state} {attempt.verdict} "
                    f"{attempt.deployment_id}: {attempt.cause}"
                )
        if (entry.verdict, entry.is_ended) != (scenario.verdict, True):
            self.wrong(f"the ledger says {entry.state} {entry.verdict}: {entry.cause}")
        if world.state != scenario.state:
            self.wrong(f"the service is {world.state}")
        self._check_ledger(entry)
        self._check_deployments()
        again = scenario.send(world)
        self._check_outcome(again)
        if again.verdict not in (
            scenario.verdict,
            {"ROLLED_BACK": "RolloutRolledBackError"}.get(scenario.verdict),
        ):
            self.wrong(f"to send it again is answered with {again.verdict}, {again.text}")
        if any(key[0] == "OPEN" for key in world.dynamodb.items):
            self.wrong("something is left open")

    def _check_after_another_update(self, outcome: Outcome, is_good: bool) -> None:
        """The service is fully as the other update asked for, or fully as it was when it last
        worked; each entry is true.
        """
        world = self.world
        ours, others = (
            next((e for e in world.history if e.request_id == name), None)
            for name in (REQUEST, "request-2")
        )
        has_worked = ours is not None and ours.verdict == "SUCCEEDED"
        worked = (NEW, NEW_TAGS) if has_worked else (OLD, OLD_TAGS)
        image, tags = (OTHER, OTHER_EVENT["ecs_tag"]) if is_good else worked
        if world.state != ({"ecs-dummy-container": image}, tags):
            self.wrong(f"the service is {world.state}")
        if outcome.verdict != ("SUCCEEDED" if is_good else "RolloutRolledBackError"):
            self.wrong(f"the other update is outcome {outcome.verdict}, {outcome.text}")
        if others is None or others.verdict != ("SUCCEEDED" if is_good else "ROLLED_BACK"):
            self.wrong(f"the ledger says of the other update {others}")
        if any(key[0] == "OPEN" for key in world.dynamodb.items) or not world.lease_is_free:
            self.wrong("something is left open")
        images = self._images_made()
        # The last one may be the return to it.
        if images[:-1].count(NEW) > 1 or images.count(OTHER) != 1:
            self.wrong(f"the deployments were of {images}")
        if ours is None:
            self.count("left nothing")
        elif (NEW in images) != (ours.deployment_id is not None) or (NEW in images) != (
            ours.verdict != "INTERRUPTED"
        ):
            self.wrong(
                f"the ledger says {ours.verdict} of {ours.deployment_id}, and the "
                f"deployments were of {images}"
            )
        else:
            self.count(f"ended as {ours.verdict}")
            self._check_verdict_of_the_first(ours.verdict, images)

    def _check_verdict_of_the_first(self, verdict: str, images: list[str]) -> None:
        """Of an update after which another one came."""
        after = images[images.index(NEW) + 1 :] if NEW in images else []
        is_returned = after[:1] == [OLD]
        if (verdict == "ROLLED_BACK") != is_returned and NEW in images:
            self.wrong(f"the ledger says {verdict}, and the deployments were of {images}")
        if verdict == "SUCCEEDED" and self.scenario.image is BAD:
            self.wrong("the ledger says that a bad image succeeded")

    def _images_made(self) -> list[str]:
        """The image of each deployment that there ever was, in order."""
        revisions = {
            d["taskDefinitionArn"]: d["containerDefinitions"][0]["image"]
            for d in self.world.ecs.world.task_definitions
        }
        return [revisions[arn] for arn in self.world.made.values()]

    def _check_ledger(self, entry: Any) -> None:
        world = self.world
        primary = world.ecs.service.primary
        arn = primary.revision.task_definition["taskDefinitionArn"]
        if primary.rollout_state != "COMPLETED":
            self.wrong(f"the service's deployment is {primary.rollout_state}")
        if entry.verdict == "SUCCEEDED" and (
            entry.after.task_definition_arn,
            entry.deployment_id,
        ) != (arn, primary.id):
            self.wrong(
                f"the ledger says {entry.after.task_definition_arn} {entry.deployment_id}, "
                f"ECS {arn} {primary.id}"
            )
        if entry.verdict == "ROLLED_BACK":
            back = entry.rollback
            if not back or (back.task_definition_arn, back.deployment_id) != (arn, primary.id):
                self.wrong(f"the ledger says {back}, ECS {arn} {primary.id}")
            if world.made.get(entry.deployment_id) != entry.after.task_definition_arn:
                self.wrong(
                    f"the ledger says that {entry.deployment_id} ran "
                    f"{entry.after.task_definition_arn}, ECS {world.made}"
                )
        success = History(world.table, clock=world.clock.epoch).last_success(SERVICE_ARN)
        if entry.verdict == "SUCCEEDED" and (
            not success or (success.number, success.deployment_id) != (entry.number, primary.id)
        ):
            self.wrong(f"the last success is {success}")
        if entry.verdict != "SUCCEEDED" and success and success.request_id == REQUEST:
            self.wrong(f"the last success is {success}")

    def _check_deployments(self) -> None:
        """As many as were meant, and no revision in vain."""
        made = self._images_made()
        if made != self.scenario.deployments:
            self.wrong(f"the deployments were of {made}")
        if unused := len(self.world.ecs.world.task_definitions) - len(
            set(self.world.made.values())
        ):
            self.wrong(f"{unused} revisions were registered and never used")


def the_same_again(run: Run) -> None:
    """The caller sends the same event again, and the reconciler ends what goes on."""
    run.resend()
    run.reconcile()


def the_reconciler_first(run: Run) -> None:
    """The reconciler finds it first. Then the caller sends the same event again."""
    run.reconcile()
    run.resend()
    run.reconcile()

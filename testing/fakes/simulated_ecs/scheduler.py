"""The service scheduler: rolling deployments, the circuit breaker, rollbacks.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from . import wording
from .clock import Clock
from .deployments import Deployment, threshold
from .history import Revision, ServiceDeployment
from .ids import Ids
from .images import Registry
from .lifecycle import Lifecycle
from .runner import Runner, Timing
from .service import Service


@dataclass(frozen=True)
class Quirks:
    """What AWS does not document, and what therefore must not matter."""

    rollback_reuses_id: bool = False
    """The deployment of a rollback has the id of the one that it goes back to, as logs of ECS show
    it; else one of its own.
    """
    deployment_has_number_of_revision: bool = False
    """The number in a deployment's id is that in the ARN of its service revision."""


class Scheduler:
    """Brings one service to where it is wanted, whenever something changed."""

    def __init__(
        self,
        service: Service,
        clock: Clock,
        registry: Registry,
        timing: Timing,
        ids: Ids,
        quirks: Quirks,
    ):
        self.service = service
        self._clock, self._timing, self._ids, self._quirks = clock, timing, ids, quirks
        self._runner = Runner(
            service, clock, registry, timing, ids.task, self._reconcile_soon, self.add_event
        )
        self.lifecycle = Lifecycle(
            service,
            clock,
            timing,
            ids,
            lambda history, reason: self._fail(history, reason, reason, rolls_back=True),
            self.reconcile,
        )
        self._steady_since: float | None = None
        self._busy = self._again = self._due = False

    def add_event(self, message: str) -> None:
        """Adds a service event."""
        event = {
            "id": str(UUID(self._ids.task())),
            "createdAt": self._clock.now(),
            "message": message,
        }
        self.service.events.appendleft(event)

    # What somebody asks for.

    def deploy(self, revision: Revision) -> Deployment:
        """A new PRIMARY deployment of ``revision``; one that is still going on is stopped, and
        replaced.
        """
        service, now = self.service, self._clock.now()
        has_interrupted = False
        for earlier in service.history:
            if earlier.is_ongoing:
                has_interrupted = True
                earlier.turn("STOP_REQUESTED", now, wording.REPLACED)
                self._clock.after(
                    1, lambda earlier=earlier: earlier.turn("STOPPED", self._clock.now())
                )
        history = self._new_history(revision)
        service.history.append(history)
        service.revisions.append(revision)

        def starts() -> None:
            if history.status == "PENDING":
                history.turn("IN_PROGRESS", self._clock.now())

        self._clock.after(self._timing.service_deployment_starts_after, starts)
        alarms = service.configuration.get("alarms") or {}
        history.ignores_alarms = bool(service.alarms.intersection(alarms.get("alarmNames", ())))
        deployment = self._new_primary(self._new_id(revision), revision, history)
        self.lifecycle.begin(history, has_interrupted)
        self.reconcile()
        return deployment

    def begin_with(self, revision: Revision) -> None:
        """Lets the service have been running ``revision`` for long."""
        service, since = self.service, self.service.created_at
        history = self._new_history(revision)
        history.created_at = history.started_at = since
        history.turn("SUCCESSFUL", since)
        service.history.append(history)
        service.revisions.append(revision)
        deployment = self._new_primary(self._new_id(revision), revision, history)
        deployment.created_at = since
        self._runner.run_already(deployment, service.desired)
        deployment.turn("COMPLETED", wording.completed(deployment.id), since)
        service.completed.append((deployment.id, revision))
        self._steady_since = since
        self.add_event(f"(service {service.name}) has reached a steady state.")
        service.events[0]["createdAt"] = since

    def set_desired(self, desired: int) -> None:
        """Another desired count, which is not a deployment."""
        self.service.desired = desired
        if self.service.deployments:
            self.service.primary.desired = desired
        self.reconcile()

    def stop_deployment(self, history: ServiceDeployment) -> None:
        """StopServiceDeployment with ROLLBACK, whether or not the service has the rollback
        option.
        """
        if history.status not in ("PENDING", "IN_PROGRESS"):
            return
        history.turn("ROLLBACK_REQUESTED", self._clock.now(), wording.STOP_REQUESTED)
        self._clock.after(
            self._timing.rollback_starts_after, lambda: self._roll_back_as_requested(history)
        )

    def trigger_alarm(self, name: str) -> None:
        """An alarm goes into the state ALARM, which ends the deployment that goes on if it is one
        of the service's.
        """
        self.service.alarms.add(name)
        alarms = self.service.configuration.get("alarms") or {}
        history = self.service.history[-1]
        if history.ignores_alarms:
            return
        if (
            alarms.get("enable")
            and name in alarms["alarmNames"]
            and history.status == "IN_PROGRESS"
        ):
            history.triggered.append(name)
            rolls_back = alarms.get("rollback", False)
            self._fail(
                history,
                wording.ALARM_DETECTED if rolls_back else wording.ALARM_STOPPED,
                wording.ALARM_EVENT,
                rolls_back,
            )

    def delete(self) -> None:
        """Somebody deletes the service: it drains, and then is INACTIVE."""
        self.service.desired, self.service.status = 0, "DRAINING"
        for deployment in self.service.deployments:
            deployment.desired = 0
            self._runner.stop(deployment.live, wording.scaling(deployment.id))
        # "When you delete a service, Amazon ECS deletes its service deployments."
        self.service.history.clear()
        self.reconcile()

    # What the scheduler does of itself.

    def reconcile(self) -> None:
        """Looks at everything and does what is to do; calls that come while it works make it look
        once more.
        """
        self._again, self._due = True, False
        if self._busy:
            return
        self._busy = True
        while self._again:
            self._again = False
            self._evaluate()
        self._busy = False

    def _reconcile_soon(self) -> None:
        """Once for all that happens in the same moment."""
        self._again = True
        if not self._busy and not self._due:
            self._due = True
            self._clock.after(0, self.reconcile)

    def _evaluate(self) -> None:
        service = self.service
        self._forget_drained()
        if service.status == "DRAINING" and all(
            task.last_status == "STOPPED" for task in service.tasks
        ):
            service.status, service.inactive_since = "INACTIVE", self._clock.now()
            service.deployments.clear()
        if service.status != "ACTIVE" or not service.deployments:
            return
        if service.primary.breaks(service.breaker):
            self._break(service.primary)
        if service.primary.rollout_state != "FAILED":
            if self._may_clean_up:
                self._stop_old_tasks()
            self._start_tasks()
            self._check_scale_up()
        surplus = service.primary.live[service.desired :]
        if surplus:
            self._runner.stop(surplus, wording.scaling(service.primary.id))
        self._check_steadiness()

    def _start_tasks(self) -> None:
        service, deployment = self.service, self.service.primary
        history, wanted = deployment.service_deployment, service.desired - len(deployment.live)
        if history.is_rolling:
            wanted = min(wanted, service.most_tasks - len(service.live))
        elif not deployment.rolls_back and not self.lifecycle.may_start(history):
            return
        if wanted > 0 and self._clock.now() >= deployment.not_before:
            self._runner.place(deployment, wanted)
            self._again = True

    def _stop_old_tasks(self) -> None:
        service = self.service
        spare = sum(task.is_good for task in service.live) - service.fewest_tasks
        for old in reversed(service.olds):
            useless = [task for task in old.live if not task.is_good]
            good = [task for task in old.live if task.is_good][: max(spare, 0)]
            spare -= len(good)
            if useless or good:
                self._runner.stop([*useless, *good], wording.scaling(service.primary.id))

    def _forget_drained(self) -> None:
        for old in list(self.service.olds):
            if not old.is_leaving and old.is_drained:
                old.is_leaving = True
                self._after_or_now(self._timing.lingers, lambda old=old: self._forget(old))

    def _forget(self, old: Deployment) -> None:
        if old in self.service.olds and old.is_leaving:
            old.status = "INACTIVE"
            self.service.deployments.remove(old)
            self.reconcile()

    def _check_steadiness(self) -> None:
        service, now = self.service, self._clock.now()
        if (
            not service.is_steady
            or service.primary.rollout_state == "FAILED"
            or not self._may_clean_up
        ):
            self._steady_since = None
        elif self._steady_since is None:
            self._steady_since = now
            self._clock.after(self._timing.steady_after, lambda: self._settled(now))

    def _settled(self, since: float) -> None:
        service, now = self.service, self._clock.now()
        if self._steady_since != since or not service.deployments:
            return
        deployment = service.primary
        if deployment.rollout_state == "IN_PROGRESS":
            deployment.turn("COMPLETED", wording.completed(deployment.id), now)
            service.completed.append((deployment.id, deployment.revision))
            self.add_event(
                f"(service {service.name}) (deployment {deployment.id}) deployment completed."
            )
            deployment.service_deployment.turn(
                "ROLLBACK_SUCCESSFUL" if deployment.rolls_back else "SUCCESSFUL", now
            )
        self.add_event(f"(service {service.name}) has reached a steady state.")

    @property
    def _may_clean_up(self) -> bool:
        deployment = self.service.primary
        return deployment.rolls_back or self.lifecycle.may_clean_up(deployment.service_deployment)

    def _check_scale_up(self) -> None:
        deployment = self.service.primary
        good = sum(task.is_good for task in deployment.live)
        if not deployment.rolls_back and good == self.service.desired:
            self.lifecycle.tasks_are_good(deployment.service_deployment)

    # Failure and rollback.

    def _fail(self, history: ServiceDeployment, reason: str, event: str, rolls_back: bool) -> None:
        """A hook or an alarm ends the deployment."""
        deployment = next(
            (d for d in self.service.deployments if d.service_deployment is history), None
        )
        if deployment is not self.service.primary or history.status not in (
            "PENDING",
            "IN_PROGRESS",
        ):
            return
        now = self._clock.now()
        deployment.turn("FAILED", f"ECS deployment failed: {event}", now)
        self._runner.stop(
            [task for task in deployment.live if not task.is_running],
            wording.scaling(deployment.id),
        )
        self.add_event(
            f"(service {self.service.name}) (deployment {deployment.id}) deployment failed: {event}"
        )
        if not rolls_back:
            history.turn("STOP_REQUESTED", now, reason)
            self._clock.after(1, lambda: history.turn("STOPPED", self._clock.now()))
            return
        history.turn("ROLLBACK_REQUESTED", now, reason)

        def roll_back_now() -> None:
            if history.status == "ROLLBACK_REQUESTED":
                self._roll_back(history, reason)
                self.reconcile()

        self._clock.after(self._timing.rollback_starts_after, roll_back_now)

    def _break(self, deployment: Deployment) -> None:
        service, now, history = self.service, self._clock.now(), deployment.service_deployment
        deployment.turn("FAILED", wording.BREAKER_FAILED, now)
        self._runner.stop(
            [task for task in deployment.live if not task.is_running],
            wording.scaling(deployment.id),
        )
        self.add_event(
            f"(service {service.name}) (deployment {deployment.id}) deployment failed: "
            f"{wording.TASKS_FAILED_TO_START}"
        )
        if deployment.rolls_back:
            history.turn("ROLLBACK_FAILED", now, wording.ROLLBACK_FAILED)
        elif not service.breaker.get("rollback"):
            history.turn("STOP_REQUESTED", now, wording.BREAKER_STOPPED)
            self._clock.after(1, lambda: history.turn("STOPPED", self._clock.now()))
        else:
            self._roll_back(history, wording.BREAKER_EXCEEDED)

    def _roll_back_as_requested(self, history: ServiceDeployment) -> None:
        deployment = next(
            (d for d in self.service.deployments if d.service_deployment is history), None
        )
        if deployment is not self.service.primary or history.status != "ROLLBACK_REQUESTED":
            return
        self._runner.stop(
            [task for task in deployment.live if not task.is_running],
            wording.scaling(deployment.id),
        )
        self._roll_back(history, wording.STOP_REQUESTED)
        self.reconcile()

    def _roll_back(self, history: ServiceDeployment, reason: str) -> None:
        service, now = self.service, self._clock.now()
        if not service.completed:
            history.turn("ROLLBACK_FAILED", now, wording.NO_CANDIDATE)
            return
        earlier_id, revision = service.completed[-1]
        history.turn("ROLLBACK_IN_PROGRESS", now, reason)
        history.rollback = {"reason": reason, "startedAt": now, "serviceRevisionArn": revision.arn}
        # The tasks of the old revision run until the end of a blue/green deployment: the rollback
        # goes back to them.
        reuses = self._quirks.rollback_reuses_id or not history.is_rolling
        rollback_id = earlier_id if reuses else self._ids.deployment()
        rollback = self._new_primary(rollback_id, revision, history)
        rollback.rolls_back = True
        rollback.turn("IN_PROGRESS", wording.rolling_back(rollback.id), now)
        self.add_event(f"(service {service.name}) rolling back to deployment {rollback.id}.")
        self._again = True
        if service.rollback_failure:
            self._clock.after(
                self._timing.stage_takes, lambda: self._fail_rollback(rollback, history)
            )

    def _fail_rollback(self, rollback: Deployment, history: ServiceDeployment) -> None:
        now, reason = self._clock.now(), self.service.rollback_failure
        if history.status == "ROLLBACK_IN_PROGRESS":
            rollback.turn("FAILED", reason, now)
            history.turn("ROLLBACK_FAILED", now, reason)

    def _new_id(self, revision: Revision) -> str:
        if self._quirks.deployment_has_number_of_revision:
            return f"ecs-svc/{revision.arn.rpartition('/')[2]}"
        return self._ids.deployment()

    def _new_primary(
        self, deployment_id: str, revision: Revision, history: ServiceDeployment
    ) -> Deployment:
        service = self.service
        deployment = next((d for d in service.deployments if d.id == deployment_id), None)
        if deployment:
            service.deployments.remove(deployment)
            deployment.service_deployment, deployment.failed_tasks, deployment.not_before = (
                history,
                0,
                0,
            )
            deployment.created_at = self._clock.now()
        else:
            deployment = Deployment(
                id=deployment_id,
                revision=revision,
                desired=service.desired,
                created_at=self._clock.now(),
                launch_type=service.launch_type,
                service_deployment=history,
            )
        for earlier in service.deployments:
            earlier.status = "ACTIVE"
        deployment.status, deployment.is_leaving = "PRIMARY", False
        service.deployments.insert(0, deployment)
        self._steady_since = None
        return deployment

    def _new_history(self, revision: Revision) -> ServiceDeployment:
        service = self.service
        of_service = service.arn.replace(":service/", ":service-deployment/")
        return ServiceDeployment(
            arn=f"{of_service}/{self._ids.service_deployment()}",
            service_arn=service.arn,
            cluster_arn=service.cluster_arn,
            source=service.completed[-1][1] if service.completed else None,
            target=revision,
            created_at=self._clock.now(),
            breaker=dict(service.breaker),
            configuration=dict(service.configuration),
            threshold=threshold(service.desired),
        )

    def _after_or_now(self, seconds: float, happen: Callable[[], object]) -> None:
        if seconds:
            self._clock.after(seconds, happen)
        else:
            happen()

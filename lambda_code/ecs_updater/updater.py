"""One update, or one rollback, from end to end, whatever the door that it came through."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from . import event as events
from . import result
from .aws.dynamodb import Table
from .aws.ecs import Ecs
from .call import Call
from .errors import ServiceUpdateError
from .ledger.intent import intent
from .ledger.record import Record
from .plan import Applied, Plan
from .workflow.planning import Planner
from .workflow.recorded import Recorded
from .registry.verify import Registries
from .request import Request, UpdateRequest
from .result import Answer
from .workflow.rolling import Conclusion, Rolling
from .service.write import NOTHING, Earlier, apply
from .settings import Settings

_PLANNED_AT_MOST = 3
"""How often an update is planned because somebody else deploys in between."""


def real_registries(settings: Settings) -> Registries:
    """Amazon ECR and every other registry. Imported here: most updates ask none."""
    # pylint: disable=import-outside-toplevel
    from .aws.ecr import Ecr
    from .aws.http import Http
    from .aws.oci import Oci
    from .registry.lookup import Lookup

    http = Http(settings.private_registries)
    return Lookup(Ecr(http), Oci(http))


def update(
    event: Any,
    environment: Mapping[str, str],
    ecs: Ecs,
    call: Call | None = None,
    table: Table | None = None,
    registries: Callable[[Settings], Registries] = real_registries,
) -> Answer:
    """Does what ``event`` says; the answer as the contract has it.

    ``event`` is any JSON value, ``environment`` the function's (``os.environ``), ``table`` the ledger's, which it has exactly when
    the environment says LEDGER_TABLE. Raises the errors of ``errors``; nothing has been written when the error's stage is another
    than ``ecs_service_update`` or ``ecs_service_rollout``; a failed write's message says what became of the service.
    """
    call = call or Call()
    settings = Settings.from_environment(environment)
    request = events.parse(event, settings)
    work = Work(request, settings, ecs, call, registries)
    recorded = Recorded(work, table, event) if table else None
    return recorded.run() if recorded and not request.dry_run else work.unrecorded()


class Work:
    """What one request makes of one service."""

    def __init__(
        self, request: Request, settings: Settings, ecs: Ecs, call: Call, registries: Callable[[Settings], Registries]
    ):
        self.request, self.settings, self.ecs, self.call = request, settings, ecs, call
        self.deadline = call.deadline(request.wait_seconds)
        """The moment of the clock until which may be waited, for the lease, the rollout and the rollback together."""
        self.planner = Planner(ecs, settings, registries)
        self.rolling = Rolling(ecs, settings, call.clock)

    def unrecorded(self) -> Answer:
        """Does it without a ledger; a dry run ends after the plan."""
        plan = self.planner.plan(self.request)
        if self.request.dry_run:
            return result.of_dry_run(plan, self.planner.notes)
        record = Record(self.intent(plan))
        conclusion = self.done(plan, record)
        if conclusion.error:
            raise conclusion.error
        assert conclusion.answer is not None
        return result.with_notes(conclusion.answer, self.notes(record, conclusion))

    def intent(self, plan: Plan) -> Any:
        """What is about to be done, as an entry of the ledger."""
        return intent(plan, self.request, self.planner.digests(plan), plan.snapshot.completed)

    def done(self, plan: Plan, record: Record, earlier: Earlier = NOTHING) -> Conclusion:
        """Writes the plan and waits for what comes of it. Raises what ``apply`` raises; a rollout's end is in the conclusion."""
        if plan.writes:
            self._write(plan, record, earlier)
        return self.rolling.wait(record, self.deadline)

    def notes(self, record: Record, conclusion: Conclusion) -> list[str]:
        """What the caller should know beside the answer."""
        notes = [*self.planner.notes, *record.notes]
        waits_in_vain = record.entry.rollback_on_failure and not conclusion.is_final and not self.settings.ledger_table
        return [*notes, "nobody rolls it back from now on: the function has no ledger (LEDGER_TABLE)"] if waits_in_vain else notes

    def _write(self, plan: Plan, record: Record, earlier: Earlier) -> None:
        """Writes the plan, and another one when somebody else's deployment came between reading and writing."""
        for _ in range(_PLANNED_AT_MOST):
            applied = apply(self.ecs, plan, record, earlier)
            record.has_deployed = record.has_deployed or plan.deploys
            again = self._planned_again(plan, applied, record)
            if again is None or not again.deploys:
                if again:
                    record.entry = self._replanned(again, record, applied)
                if plan.deploys:
                    record.deployed(applied.deployment_id, applied.updated_on)
                return
            plan, earlier = again, NOTHING
            record.entry = self._replanned(plan, record, applied)
        raise ServiceUpdateError(
            f"service could not be update with new task_definition: somebody else deployed it {_PLANNED_AT_MOST} times meanwhile; "
            f"it runs {applied.task_definition['taskDefinitionArn'].rpartition('/')[2]}, without what they changed last"
        )

    def _planned_again(self, plan: Plan, applied: Applied, record: Record) -> Plan | None:
        """The plan after a foreign deployment; None without one, or where nothing of theirs is lost."""
        foreign = applied.foreign
        if foreign is None or not isinstance(self.request, UpdateRequest):
            return None
        again = self.planner.plan_again(plan, self.request, applied)
        if again:
            revision = foreign["taskDefinition"].rpartition("/")[2]
            record.notes.append(f"deployment {foreign['id']} of {revision} came in between: planned again from it")
        return again

    def _replanned(self, plan: Plan, record: Record, applied: Applied) -> Any:
        """The entry with what the new plan says of the service before and after."""
        new = self.intent(plan)
        return replace(
            record.entry,
            before=new.before,
            after=new.after,
            answer=new.answer,
            digests=new.digests,
            previous_deployment_id=applied.deployment_id,
        )

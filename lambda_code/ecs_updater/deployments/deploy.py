"""One update, or one rollback, from end to end, whatever the door that it came through."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..aws.dynamodb import Table
from ..aws.ecs import Ecs
from ..aws.errors import AwsFailure
from ..context import Call
from ..errors import EcsUpdaterError, LedgerError, ServiceUpdateError
from ..ledger.entry import Entry
from ..model import event_parser as events
from ..model.plan import Plan
from ..model.request import Request, UpdateRequest
from ..model.verdict import Verdict
from ..registry.verify import Registries
from ..settings import Settings
from . import response
from .idempotency import Recorded
from .journal import Record, intent
from .planner import Pace, Planner
from .reader import Told
from .response import Answer, Conclusion
from .tag_writer import AS_IT_WAS
from .waiter import NOT_ASKED_FOR, Rolling
from .writer import NOTHING, Earlier, apply

_PLANNED_AT_MOST = 3
"""How often an update is planned because somebody else deploys in between."""


def real_registries(settings: Settings) -> Registries:
    """Amazon ECR and every other registry. Imported here: most updates ask none."""
    # pylint: disable=import-outside-toplevel
    from ..aws.ecr import Ecr
    from ..aws.oci_registry import Oci
    from ..aws.safe_http import Http
    from ..registry.client import Lookup

    http = Http(settings.private_registries)
    return Lookup(Ecr(http), Oci(http))


def _at_once(_: Plan) -> None:
    """No pace of one's own: ECS says when it is too fast, and the SDK tries again."""


def update(
    event: Any,
    environment: Mapping[str, str],
    ecs: Ecs,
    call: Call | None = None,
    table: Table | None = None,
    registries: Callable[[Settings], Registries] = real_registries,
    *,
    told: Told | None = None,
    pace: Pace = _at_once,
) -> Answer:
    """Does what ``event`` says; the answer as the contract has it.

    ``event`` is any JSON value, ``environment`` the function's (``os.environ``), ``table`` the
    ledger's, which it has exactly when the environment says LEDGER_TABLE. ``told`` is what
    DescribeServices has said already; ``pace`` waits, before anything is held or written, until the
    plan's calls may be made. Raises the errors of ``errors``; the message of one that comes after a
    write says what became of the service.
    """
    call = call or Call()
    settings = Settings.from_environment(environment)
    request = events.parse(event, settings)
    work = Work(request, settings, ecs, call, registries, told, pace)
    recorded = Recorded(work, table, event) if table else None
    return recorded.run() if recorded and not request.dry_run else work.unrecorded()


class Work:
    """What one request makes of one service."""

    def __init__(
        self,
        request: Request,
        settings: Settings,
        ecs: Ecs,
        call: Call,
        registries: Callable[[Settings], Registries],
        told: Told | None = None,
        pace: Pace = _at_once,
    ):
        self.request, self.settings, self.ecs, self.call = request, settings, ecs, call
        self.told, self.pace = told, pace
        self.deadline = call.deadline(request.wait_seconds)
        """The moment of the clock until which may be waited, for the lease, the rollout and the
        rollback together.
        """
        self.planner = Planner(ecs, settings, registries, call)
        self.rolling = Rolling(ecs, settings, call.clock)

    def unrecorded(self) -> Answer:
        """Does it without a ledger; a dry run ends after the plan."""
        plan = self.planner.plan(self.request, self.told)
        if self.request.dry_run:
            return self._dry_run(plan)
        self.pace(plan)
        record = Record(self.intent(plan))
        conclusion = self.done(plan, record)
        if conclusion.error:
            raise conclusion.error
        assert conclusion.answer is not None
        return response.with_notes(conclusion.answer, self.notes(record, conclusion))

    def _dry_run(self, plan: Plan) -> Answer:
        """What the update would answer.

        Raises the rollout's error where it would make no deployment over one that failed.
        """
        record = Record(replace(self.intent(plan), rollback_on_failure=False))
        conclusion = self._judged_by_running(plan, record)
        if conclusion.error:
            raise conclusion.error.also(response.DRY_RUN, instead_of=NOT_ASKED_FOR)
        assert conclusion.answer is not None
        return response.of_dry_run(
            plan,
            conclusion.answer,
            [*self.planner.notes, *self.planner.not_verified(plan, self.request)],
        )

    def intent(self, plan: Plan) -> Entry:
        """What is about to be done, as an entry of the ledger."""
        return intent(plan, self.request, self.planner.digests(plan), plan.snapshot.completed)

    def done(self, plan: Plan, record: Record, earlier: Earlier = NOTHING) -> Conclusion:
        """Writes the plan and waits for what comes of it.

        Raises what ``apply`` raises; a rollout's end is in the conclusion.
        """
        if plan.writes:
            self._write(plan, record, earlier)
        conclusion = self._judged_by_running(plan, record)
        return conclusion if conclusion.is_final else self.rolling.wait(record, self.deadline)

    def _judged_by_running(self, plan: Plan, record: Record) -> Conclusion:
        """What an update without a deployment of its own comes to: the verdict on the one that
        runs.

        Not final where the update made a deployment, or while the one that runs is in progress. No
        call where that has completed.
        """
        no_change = record.entry.answer
        if plan.deploys or plan.snapshot.has_completed or plan.snapshot.deployment_id is None:
            return Conclusion(no_change, is_final=not plan.deploys, verdict=Verdict.NO_CHANGE)
        record.joined(plan.snapshot.deployment_id, plan.snapshot.service_deployment_arn)
        try:
            # A dry run has looked at none of the open ones.
            past = [
                one
                for one in self.planner.past_of(plan.snapshot)
                if one.is_ended or not self.request.dry_run
            ]
            conclusion = self.rolling.look(record, plan.snapshot.service, past=past)
        except (AwsFailure, LedgerError) as failure:
            record.notes.append(str(failure))
            conclusion = Conclusion(is_final=False)
        if (
            conclusion.error
            and plan.tags
            and record.entry.rollback is None
            and not self.request.dry_run
        ):
            conclusion.error.also("the tags of this event are set")
        if conclusion.verdict == Verdict.SUCCEEDED:
            return Conclusion(no_change, verdict=Verdict.NO_CHANGE)
        return (
            conclusion if conclusion.is_final else replace(conclusion, answer=record.entry.answer)
        )

    def notes(self, record: Record, conclusion: Conclusion) -> list[str]:
        """What the caller should know beside the answer."""
        notes = [*self.planner.notes, *record.notes]
        if self.request.wait_seconds and conclusion.verdict == Verdict.IN_PROGRESS:
            notes.append("no time was left to wait for the rollout")
        waits_in_vain = (
            record.entry.rollback_on_failure
            and not conclusion.is_final
            and not self.settings.ledger_table
        )
        return (
            [*notes, "nobody rolls it back from now on: the function has no ledger (LEDGER_TABLE)"]
            if waits_in_vain
            else notes
        )

    def _write(self, plan: Plan, record: Record, earlier: Earlier) -> None:
        """Writes the plan, and another one when somebody else's deployment came between reading and
        writing.
        """
        applied = apply(self.ecs, plan, record, earlier)
        for left in reversed(range(_PLANNED_AT_MOST)):
            if plan.deploys and (applied.deployment_id or applied.foreign is None):
                record.deployed(
                    applied.deployment_id,
                    applied.updated_on,
                    applied.service_deployment_arn,
                    applied.deployed_arn,
                )
            foreign = applied.foreign
            if foreign is None:
                return
            theirs = f"deployment {foreign['id']} of {foreign['taskDefinition'].rpartition('/')[2]}"
            if not isinstance(self.request, UpdateRequest):
                record.notes.append(
                    f"{theirs}, of somebody else, came in between: this rollback took its place"
                )
                return
            ours = applied.task_definition["taskDefinitionArn"].rpartition("/")[2]
            now = f"runs {ours} of this update, without what {theirs}, of somebody else, changed"
            if applied.deployment_id is None:
                now = (
                    f"runs {theirs}, of somebody else; {ours} of this update may "
                    "have been deployed before it"
                )
            if not left:
                raise ServiceUpdateError(
                    "service could not be update with new task_definition: "
                    "somebody else deployed it "
                    f"{_PLANNED_AT_MOST} times meanwhile; it {now}"
                )
            try:
                again = self.planner.plan_again(plan, self.request, applied)
                if again is None:
                    return
                record.notes.append(f"{theirs} came in between: planned again from it")
                record.entry = self._replanned(again, record)
                if not again.deploys:
                    record.planned_again()
                    return
                plan, applied = again, apply(self.ecs, again, record)
            except EcsUpdaterError as error:
                error.also(f"the service {now}", instead_of=AS_IT_WAS)
                raise

    def _replanned(self, plan: Plan, record: Record) -> Entry:
        """The entry with what the new plan says of the service before and after; its tags are
        written, and a deployment is made.
        """
        new, entry = self.intent(plan), record.entry
        body = (entry.answer or {})["body"]
        return replace(
            entry,
            before=replace(new.before, tags=entry.before.tags),
            after=new.after,
            digests=new.digests,
            answer=response.planned_again(new.answer or {}, body),
        )

"""A dry run: what the events would change."""

from collections.abc import Sequence
from typing import Any

from ecs_updater.context import REAL_TIME
from ecs_updater.ledger.batch import Member
from ecs_updater.throttling import parse_rates

from ..backends.account import Account
from ..backends.buckets import Buckets
from ..backends.dry_run import DryRun
from ..backends.settings import environment
from ..output.plan import PlanView
from ..output.printer import Printer
from .reading import check_account

_SHARE = 0.8
"""What of ECS's rates a dry run takes: the rest is for who updates meanwhile."""


def plan(
    events: Sequence[dict[str, Any]],
    account: Account,
    printer: Printer,
    *,
    as_json: bool,
    no_ledger: bool,
) -> int:
    """Prints what the events would change; the exit code. ``no_ledger``: nobody asks whether there
    is one. Raises CommandEnd.
    """
    ledger = None if no_ledger else account.ledger
    if ledger:
        check_account(events, ledger.arn_prefix)
    settings = environment(account.table_name)
    buckets = Buckets(
        {
            name: rate.share(_SHARE)
            for name, rate in parse_rates(settings.get("ECS_RATES", "")).items()
        },
        REAL_TIME,
    )
    planning = DryRun(account.ecs, ledger.table if ledger else None, settings, buckets, REAL_TIME)
    show = PlanView(printer, as_json)
    for planned in planning.plans(
        [Member(number, f"dry run {number}", event) for number, event in enumerate(events, 1)]
    ):
        show.planned(planned)
    return show.ends()

"""`ecs-updater history`: the updates in the ledger."""

from contextlib import suppress
from functools import partial

from ecs_updater.api.query import DeploymentsQuery, deployments_query
from ecs_updater.api.serializers import deployment_view
from ecs_updater.aws.dynamodb import Item, Table
from ecs_updater.errors import InvalidQueryError
from ecs_updater.ledger.queries import UpdateQueries
from ecs_updater.model.arn import account_prefix
from ecs_updater.model.targets import HOME

from ..backends.account import Account, Ledger
from ..backends.aws_errors import aws_errors
from ..backends.targets import input_errors
from ..batch.state import plain_cause
from ..errors import SUCCEEDED, CommandError, input_error
from ..output.tables import updates_table
from ..output.terminal import Printer
from .options import AccountOptions

_SEARCHED = 100
"""Minimum entries of a page in which those of one account and region are searched."""


def history(
    cluster: str | None,
    service: str | None,
    limit: int,
    target: str | None,
    as_json: bool,
    options: AccountOptions,
) -> int:
    """Prints the latest updates, by default of all services. Returns the exit code."""
    account = Account(options.name, options.region, options.profile)
    ledger = account.needed_ledger
    prefix = None if target is None else _prefix(account, ledger, target)
    given = {"cluster": cluster, "service": service}
    try:
        query = deployments_query(
            {name: [value] for name, value in given.items() if value is not None},
            prefix or ledger.arn_prefix,
        )
    except InvalidQueryError as error:
        raise input_error(plain_cause(str(error))) from None
    assert isinstance(ledger.table, Table)
    items, printer = _items(UpdateQueries(ledger.table), query, limit, prefix), Printer()
    if items:
        places = _targets_of(account, ledger, items)
        pairs = zip(items, places, strict=True)
        views = (deployment_view(item) | {"target": target} for item, target in pairs)
        printer.listing(views, [updates_table(items, places)], as_json)
    else:
        given["target"] = target
        filters = ", ".join(f"{name} {value}" for name, value in given.items() if value)
        printer.note(f"the ledger has no update {f'of {filters}' if filters else 'yet'}")
    return SUCCEEDED


def _prefix(account: Account, ledger: Ledger, target: str) -> str:
    """Returns the beginning of the ARNs in a target. Raises CommandError."""
    if target == HOME:
        return ledger.arn_prefix
    with input_errors():
        return account.targets(ledger).named(target).prefix


def _targets_of(account: Account, ledger: Ledger, items: list[Item]) -> list[str | None]:
    """Returns the target of each entry. None: home.

    Without the targets it is `ACCOUNT:REGION`, for example after one was removed.
    """
    prefixes = [account_prefix(item["service"]) for item in items]
    names: dict[str, str | None] = {}
    for prefix in prefixes:
        *_, region, number, _ = prefix.split(":")
        names[prefix] = f"{number}:{region}"
    names[ledger.arn_prefix] = None
    if len(names) > 1:
        with suppress(CommandError):  # The history is readable without the names.
            known = account.targets(ledger).by_name.values()
            names |= {target.prefix: target.name for target in known}
    return [names[prefix] for prefix in prefixes]


@aws_errors()
def _items(
    queries: UpdateQueries, query: DeploymentsQuery, limit: int, prefix: str | None
) -> list[Item]:
    """Returns the latest entries, of the services whose ARN begins with `prefix`."""
    read = (
        partial(queries.of_service, query.service)
        if query.service
        else partial(queries.of_all, cluster=query.cluster_arn)
    )
    found: list[Item] = []
    key: Item | None = None
    while True:
        # Of a page, few entries may be those of a target.
        most = limit - len(found) if prefix is None else max(limit, _SEARCHED)
        page, key = read(most, after=key)
        found += [item for item in page if item["service"].startswith(prefix or "")]
        if key is None or len(found) >= limit:
            return found[:limit]

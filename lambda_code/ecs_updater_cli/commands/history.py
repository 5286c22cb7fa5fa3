"""`ecs-updater history`: the updates in the ledger."""

from functools import partial

from ecs_updater.api.query import DeploymentsQuery, deployments_query
from ecs_updater.api.serializers import deployment_view
from ecs_updater.aws.dynamodb import Item, Table
from ecs_updater.errors import InvalidQueryError
from ecs_updater.ledger.queries import UpdateQueries

from ..backends.account import Account
from ..backends.aws_errors import aws_errors
from ..batch.state import plain_cause
from ..errors import SUCCEEDED, input_error
from ..output.tables import updates_table
from ..output.terminal import Printer
from .options import AccountOptions


def history(
    cluster: str | None, service: str | None, limit: int, as_json: bool, options: AccountOptions
) -> int:
    """Prints the latest updates, by default of all services. Returns the exit code."""
    ledger = Account(options.name, options.region, options.profile).needed_ledger
    given = {"cluster": cluster, "service": service}
    try:
        query = deployments_query(
            {name: [value] for name, value in given.items() if value is not None}, ledger.arn_prefix
        )
    except InvalidQueryError as error:
        raise input_error(plain_cause(str(error))) from None
    assert isinstance(ledger.table, Table)
    items, printer = _items(UpdateQueries(ledger.table), query, limit), Printer()
    if items:
        views = map(deployment_view, items)
        printer.listing(views, [updates_table(items)], as_json)
    else:
        filters = ", ".join(f"{name} {value}" for name, value in given.items() if value)
        printer.note(f"the ledger has no update {f'of {filters}' if filters else 'yet'}")
    return SUCCEEDED


@aws_errors()
def _items(queries: UpdateQueries, query: DeploymentsQuery, limit: int) -> list[Item]:
    read = (
        partial(queries.of_service, query.service)
        if query.service
        else partial(queries.of_all, cluster=query.cluster_arn)
    )
    found, key = read(limit)
    while key and len(found) < limit:
        page, key = read(limit - len(found), after=key)
        found += page
    return found

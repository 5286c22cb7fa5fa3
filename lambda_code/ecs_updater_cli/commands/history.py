"""`ecs-updater history`: the updates in the ledger."""

from typing import Annotated, Any

import typer

from ecs_updater.api.query import DeploymentsQuery, deployments_query
from ecs_updater.api.serializers import deployment_view
from ecs_updater.aws.dynamodb import Item, Table
from ecs_updater.errors import InvalidQueryError
from ecs_updater.ledger.queries import UpdateQueries

from ..backends.account import Account
from ..batch.state import plain_cause
from ..errors import SUCCEEDED, aws_errors, input_error
from ..output.tables import updates_table
from ..output.terminal import Printer
from .options import AccountOptions, AsJson, with_options

_PAGE = 100


@with_options
def history(
    cluster: Annotated[
        str | None, typer.Option(help="Only updates in this cluster, by name or ARN.")
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(help="Only updates of this service, by name with --cluster, or by ARN."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, help="Maximum number of updates to list.")
    ] = 20,
    as_json: AsJson = False,
    *,
    options: AccountOptions,
) -> int:
    """List updates of the ledger with their outcome, the newest first.

    Exit codes: 0, 2 the input is invalid, 3 AWS could not be reached or rejected the call.
    """
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
        printer.listing(views, updates_table(items, printer.width), as_json)
    else:
        printer.note("the ledger has no such update")
    return SUCCEEDED


@aws_errors()
def _items(queries: UpdateQueries, query: DeploymentsQuery, limit: int) -> list[Item]:
    found: list[Item] = []
    key: Any = None
    while len(found) < limit:
        most = min(_PAGE, limit - len(found))
        if query.service:
            page, key = queries.of_service(query.service, most, key)
        else:
            page, key = queries.of_all(most, key, query.cluster_arn)
        found += page
        if key is None:
            break
    return found

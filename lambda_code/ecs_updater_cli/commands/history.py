"""``ecs-updater history``: what was deployed."""

import json
from typing import Annotated, Any

import typer

from ecs_updater.api.query import DeploymentsQuery, deployments_query
from ecs_updater.api.serializers import deployment_view
from ecs_updater.aws.dynamodb import Item
from ecs_updater.errors import InvalidQueryError
from ecs_updater.ledger.queries import Feed

from ..backends.account import Account
from ..batch.state import plain_cause
from ..errors import SUCCEEDED, input_error, told
from ..output.printer import Printer
from ..output.tables import updates_table
from .options import FUNCTION, AsJson, Name, Profile, Region


def history(
    cluster: Annotated[
        str | None, typer.Option(help="Updates in this cluster alone, by name or ARN.")
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(help="Updates of this service alone, by name with --cluster, or by ARN."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The most updates to list.")] = 20,
    as_json: AsJson = False,
    name: Name = FUNCTION,
    region: Region = None,
    profile: Profile = None,
) -> int:
    """List updates of the ledger, the newest first, with what became of them.

    Exit codes: 0, 2 the input is wrong, 3 AWS is not to be had.
    """
    ledger = Account(name, region, profile).needed_ledger
    given = {
        key: [value]
        for key, value in (("cluster", cluster), ("service", service))
        if value is not None
    }
    try:
        query = deployments_query(given, ledger.arn_prefix)
    except InvalidQueryError as error:
        raise input_error(plain_cause(str(error))) from None
    with told():
        items = _items(Feed(ledger.table), query, limit)
    printer = Printer()
    for item in items if as_json else ():
        printer.raw(json.dumps(deployment_view(item)))
    for line in updates_table(items, printer.width) if items and not as_json else ():
        printer.line(line)
    if not items:
        printer.note("the ledger has no such update")
    return SUCCEEDED


def _items(feed: Feed, query: DeploymentsQuery, limit: int) -> list[Item]:
    found: list[Item] = []
    place: Any = None
    while len(found) < limit:
        most = min(100, limit - len(found))
        if query.service:
            page, place = feed.of_service(query.service, most, place)
        else:
            page, place = feed.of_all(most, place, query.cluster_arn)
        found += page
        if place is None:
            break
    return found

"""``ecs-updater status``: what runs."""

import json
from collections.abc import Collection, Sequence
from typing import Annotated

import typer

from ecs_updater.model.nearest_name import nearest

from ..backends.account import Account
from ..backends.services import FilteredEcsReader, list_services
from ..errors import NOT_ALL, SUCCEEDED
from ..output.printer import Printer
from ..output.tables import services_table
from .options import FUNCTION, AsJson, Name, Profile, Region, pairs


def status(  # pylint: disable=too-many-locals  # Each option is one.
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SERVICE]...", help="Services, by name. Default: all."),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="The services of this cluster alone, by name or ARN.")
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            "--tag", metavar="KEY=VALUE", help="Services with this tag alone; several go together."
        ),
    ] = None,
    as_json: AsJson = False,
    name: Name = FUNCTION,
    region: Region = None,
    profile: Profile = None,
) -> int:
    """List services: tasks, rollout, revision, images, tags. Reads alone.

    Exit codes: 0 found, 1 no service or not each that was named, 2 the input is wrong, 3 AWS is not
    to be had.
    """
    wanted, tags = services or [], pairs(tag or [], "--tag")
    account, reader = Account(name, region, profile), FilteredEcsReader(cluster, wanted)
    found = list_services(reader, tags)
    printer = Printer()
    for one in found if as_json else ():
        printer.raw(json.dumps(one))
    for line in services_table(found, printer.width) if found and not as_json else ():
        printer.line(line)
    names = {one["serviceName"] for one in found}
    missing = [service for service in wanted if service.rpartition("/")[2] not in names]
    if missing:
        printer.note(f"not found: {', '.join(missing)}")
    elif not found:
        printer.note("there is no such service")
    if missing or not found:
        place = f"cluster {cluster} in {account.region}" if cluster else account.region
        printer.note(
            "looked in "
            f"{place}{_advice(missing or list(filter(None, [cluster])), reader.status - names)}"
        )
    return SUCCEEDED if found and not missing else NOT_ALL


def _advice(asked: Sequence[str], others: Collection[str]) -> str:
    meant = dict.fromkeys(filter(None, (nearest(one.rpartition("/")[2], others) for one in asked)))
    return f": did you mean {', '.join(meant)}?" if meant else ""

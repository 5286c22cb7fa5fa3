"""`ecs-updater status`: the services with their tasks, images and tags."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any

import typer

from ecs_updater.api.query import LAUNCH_TYPES, ListQuery
from ecs_updater.api.service_list import ServiceList
from ecs_updater.aws.ecs_reader import EcsReader
from ecs_updater.model.arn import name_of, nearest

from ..backends.account import Account
from ..errors import NOT_ALL, SUCCEEDED, aws_errors
from ..output.tables import services_table
from ..output.terminal import Printer
from .options import AccountOptions, AsJson, pairs, with_options


@with_options
def status(  # pylint: disable=too-many-locals  # Each option is a variable.
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SERVICE]...", help="Services, by name. Default: all."),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Only the services of this cluster, by name or ARN.")
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            "--tag", metavar="KEY=VALUE", help="Only services with this tag; all of several."
        ),
    ] = None,
    as_json: AsJson = False,
    *,
    options: AccountOptions,
) -> int:
    """List services: tasks, rollout, revision, images, tags. Only reads.

    Exit codes: 0 found, 1 no service or not each that was named, 2 the input is invalid, 3 AWS
    could not be reached or rejected the call.
    """
    wanted, tags = services or [], pairs(tag, "--tag")
    account = Account(options.name, options.region, options.profile)
    reader, printer = FilteredEcsReader(cluster, wanted), Printer()
    found = list_services(reader, tags)
    if found:
        printer.listing(found, services_table(found, printer.width), as_json)
    names = {service["serviceName"] for service in found}
    missing = [service for service in wanted if name_of(service) not in names]
    if found and not missing:
        return SUCCEEDED
    printer.note(f"not found: {', '.join(missing)}" if missing else "there is no such service")
    place = f"cluster {cluster} in {account.region}" if cluster else account.region
    meant = _nearest(missing or ([cluster] if cluster else []), reader.names - names)
    question = f": did you mean {', '.join(meant)}?" if meant else ""
    printer.note(f"looked in {place}{question}")
    return NOT_ALL


def _nearest(names: Sequence[str], others: Collection[str]) -> list[str]:
    found = (nearest(name_of(name), others) for name in names)
    return list(dict.fromkeys(filter(None, found)))


class FilteredEcsReader(EcsReader):
    """Reads only one cluster, or only some services."""

    def __init__(
        self, cluster: str | None = None, services: Sequence[str] = (), client: Any = None
    ):
        """Takes names or ARNs. None and empty mean all."""
        super().__init__(client)
        self._cluster, self._services = cluster, {name_of(name) for name in services}
        self.names: set[str] = set()
        """Names of all services that were found; of all clusters if the cluster was not found."""

    def clusters(self) -> list[str]:
        """Returns the ARN of the cluster, or of all."""
        arns = super().clusters()
        found = [arn for arn in arns if self._cluster in (None, arn, name_of(arn))]
        if not found:
            self.names |= {name_of(arn) for arn in arns}
        return found

    def services(self, cluster: str) -> list[str]:
        """Returns the ARNs of the requested services of a cluster."""
        arns = super().services(cluster)
        self.names |= {name_of(arn) for arn in arns}
        return [arn for arn in arns if not self._services or name_of(arn) in self._services]


@aws_errors()
def list_services(reader: EcsReader, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Returns the services with these tags, as `ecs_updater.api.serializers.service_view`.

    Raises AwsError.
    """
    listing = ServiceList(reader)
    found: list[dict[str, Any]] = []
    token: str | None = None
    while True:
        query = ListQuery(frozenset(LAUNCH_TYPES), tags, images=True, next=token)
        page = listing.page(query, lambda: math.inf)
        found += page["services"]
        token = page["next"]
        if token is None:
            return found

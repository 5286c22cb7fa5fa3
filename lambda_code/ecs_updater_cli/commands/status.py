"""`ecs-updater status`: the services with their tasks, images and tags."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ecs_updater.api.query import LAUNCH_TYPES, ListQuery
from ecs_updater.api.service_list import ServiceList
from ecs_updater.aws.ecs_reader import ClusterList, EcsReader
from ecs_updater.aws.targets import TargetAccess
from ecs_updater.model.arn import name_of, nearest
from ecs_updater.model.targets import HOME

from ..backends.account import Account
from ..backends.aws_errors import aws_errors
from ..backends.targets import input_errors
from ..errors import NOT_ALL, SUCCEEDED, AwsError
from ..output.tables import services_table
from ..output.terminal import Printer
from .options import COMMAND, AccountOptions, pairs


def status(
    services: Sequence[str],
    cluster: str | None,
    tag: Sequence[str],
    target: str | None,
    as_json: bool,
    options: AccountOptions,
) -> int:
    """Prints services, by default all. Returns the exit code."""
    tags = pairs(tag, "--tag")
    account = Account(options.name, options.region, options.profile)
    if options.name != COMMAND:
        _ = account.needed_ledger  # The services are listed without the function, too.
    access = None
    if target not in (None, HOME):
        with input_errors():
            account.targets().named(target)
        access = account.ecs.targets
    reader, printer = FilteredEcsReader(cluster, services, targets=access), Printer()
    found = list_services(reader, tags, target or HOME)
    if found:
        printer.listing(found, [services_table(found)], as_json)
    names = {service["serviceName"] for service in found}
    missing = [service for service in services if name_of(service) not in names]
    if found and not missing:
        return SUCCEEDED
    if missing:
        printer.note(f"not found: {', '.join(missing)}")
    place = f"the target {target}" if access else account.region
    place = f"cluster {cluster} in {place}" if cluster else place
    meant = nearest(name_of([*missing, cluster or ""][0]), reader.names - names)
    question = f": did you mean {meant}?" if meant else ""
    nothing = f"there are no services{' with these tags' if tags else ''}"
    printer.note(f"{'looked' if missing else nothing} in {place}{question}")
    return NOT_ALL


class FilteredEcsReader(EcsReader):
    """Reads only one cluster, or only some services."""

    def __init__(
        self,
        cluster: str | None = None,
        services: Sequence[str] = (),
        client: Any = None,
        targets: TargetAccess | None = None,
    ):
        """Takes names or ARNs. None and empty mean all."""
        super().__init__(client, targets=targets)
        self._cluster, self._services = cluster, {name_of(name) for name in services}
        self.names: set[str] = set()
        """Names of all services that were found; of all clusters if the cluster was not found."""

    def clusters(self, target: str | None = None) -> ClusterList:
        """Returns the cluster, or all."""
        listed = super().clusters(target)
        found = {
            arn: place
            for arn, place in listed.targets.items()
            if self._cluster in (None, arn, name_of(arn))
        }
        if not found:
            self.names |= {name_of(arn) for arn in listed.targets}
        return replace(listed, targets=found)

    def services(self, cluster: str) -> list[str]:
        """Returns the ARNs of the requested services of a cluster."""
        arns = super().services(cluster)
        self.names |= {name_of(arn) for arn in arns}
        return [arn for arn in arns if not self._services or name_of(arn) in self._services]


@aws_errors()
def list_services(
    reader: EcsReader, tags: Mapping[str, str], target: str = HOME
) -> list[dict[str, Any]]:
    """Returns the services with these tags, as `ecs_updater.api.serializers.service_view`.

    `target`: the name of their target, or `HOME`. Raises AwsError.
    """
    listing = ServiceList(reader)
    found: list[dict[str, Any]] = []
    token: str | None = None
    while True:
        query = ListQuery(frozenset(LAUNCH_TYPES), tags, True, target, next=token)
        page = listing.page(query, lambda: math.inf)
        for unavailable in page["unavailable"]:
            raise AwsError(f"the target {target} cannot be read: {unavailable['reason']}")
        found += page["services"]
        token = page["next"]
        if token is None:
            return found

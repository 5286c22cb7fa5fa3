"""``ecs-updater rollback``: one service, back to what worked."""

from typing import Annotated

import typer

from ecs_updater.model.event_parser import ROLLBACK

from .batching import RunOptions, deploy_batch
from .options import (
    FUNCTION,
    AccountOptions,
    AsJson,
    Direct,
    DryRun,
    Interactive,
    Name,
    NoLedger,
    Profile,
    Region,
    Timeout,
    ViewOptions,
)
from .reading import check_event


def rollback(  # pylint: disable=too-many-locals  # Each option is one.
    cluster: Annotated[str, typer.Argument(help="The cluster, by name or ARN.")],
    service: Annotated[str, typer.Argument(help="The service, by name or ARN.")],
    dry_run: DryRun = False,
    direct: Direct = False,
    no_ledger: NoLedger = False,
    interactive: Interactive = False,
    as_json: AsJson = False,
    timeout: Timeout = None,
    name: Name = FUNCTION,
    region: Region = None,
    profile: Profile = None,
) -> int:
    """Return one service to the last revision that worked, with the tags that it had then.

    The exit codes are those of `ecs-updater deploy`.
    """
    how, way = (
        ViewOptions(interactive, as_json, timeout),
        RunOptions(direct, no_ledger, dry_run=dry_run),
    )
    event = {"action": ROLLBACK, "ecs_cluster_name": cluster, "ecs_service_name": service}
    check_event(event)
    return deploy_batch([event], [None], AccountOptions(name, region, profile), way, how)

"""``ecs-updater update``: one service."""

from typing import Annotated, Any

import typer

from ecs_updater.model.tags import REPLACE

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
    flag,
    pairs,
)
from .reading import check_event


def update(  # pylint: disable=too-many-locals  # Each option is one.
    cluster: Annotated[str, typer.Argument(help="The cluster, by name or ARN.")],
    service: Annotated[str, typer.Argument(help="The service, by name or ARN.")],
    image: Annotated[
        str, typer.Argument(help="The new image: [registry/]repository[:tag][@digest].")
    ],
    tag: Annotated[
        list[str] | None,
        typer.Option(
            "--tag",
            metavar="KEY=VALUE",
            help="A tag for the service; once for each. The others stay.",
        ),
    ] = None,
    replace_tags: Annotated[
        bool, flag("--replace-tags", about="The service has exactly these tags afterwards.")
    ] = False,
    container: Annotated[
        str | None, typer.Option(help="The container that gets the image, where there are several.")
    ] = None,
    container_image: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=IMAGE", help="An image for a further container; once for each."),
    ] = None,
    force: Annotated[bool, flag("--force", about="Deploy although nothing changed.")] = False,
    rollback_on_failure: Annotated[
        bool,
        flag(
            "--rollback-on-failure",
            about="Return the service to what it was when the rollout fails.",
        ),
    ] = False,
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
    """Give one service another image, and watch until it has its verdict.

    Without `--tag` its tags stay as they are. The exit codes are those of `ecs-updater deploy`.
    """
    how, way = (
        ViewOptions(interactive, as_json, timeout),
        RunOptions(direct, no_ledger, dry_run=dry_run),
    )
    event: dict[str, Any] = {
        "ecs_cluster_name": cluster,
        "ecs_service_name": service,
        "ecs_image_name": image,
        "ecs_tag": pairs(tag or [], "--tag"),
        "ecs_tag_mode": REPLACE if replace_tags else "merge",
        "ecs_container_name": container,
        "ecs_container_images": pairs(container_image or [], "--container-image") or None,
        "force_new_deployment": force or None,
        "rollback_on_failure": rollback_on_failure or None,
    }
    event = {field: value for field, value in event.items() if value is not None}
    check_event(event)
    return deploy_batch([event], [None], AccountOptions(name, region, profile), way, how)

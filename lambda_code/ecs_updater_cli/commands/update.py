"""`ecs-updater update` and `rollback`: one service."""

from typing import Annotated, Any

import typer

from ecs_updater.model.event_parser import ROLLBACK
from ecs_updater.model.tags import REPLACE

from .deploy import deploy_batch
from .options import BatchOptions, check_event, flag, pairs, with_options

Cluster = Annotated[str, typer.Argument(help="The cluster, by name or ARN.")]
Service = Annotated[str, typer.Argument(help="The service, by name or ARN.")]


@with_options
def update(
    cluster: Cluster,
    service: Service,
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
        str | None, typer.Option(help="The container that gets the image, if there are several.")
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
            about="Return the service to its last good revision if the rollout fails.",
        ),
    ] = False,
    *,
    options: BatchOptions,
) -> int:
    """Give one service another image, and wait until it has its verdict.

    Without `--tag` its tags stay as they are. The exit codes are those of `ecs-updater deploy`.
    """
    event: dict[str, Any] = {
        "ecs_cluster_name": cluster,
        "ecs_service_name": service,
        "ecs_image_name": image,
        "ecs_tag": pairs(tag, "--tag"),
        "ecs_tag_mode": REPLACE if replace_tags else "merge",
        "ecs_container_name": container,
        "ecs_container_images": pairs(container_image, "--container-image") or None,
        "force_new_deployment": force or None,
        "rollback_on_failure": rollback_on_failure or None,
    }
    return _deploy({name: value for name, value in event.items() if value is not None}, options)


@with_options
def rollback(cluster: Cluster, service: Service, *, options: BatchOptions) -> int:
    """Return one service to the last revision that worked, with the tags that it had then.

    The exit codes are those of `ecs-updater deploy`.
    """
    event = {"action": ROLLBACK, "ecs_cluster_name": cluster, "ecs_service_name": service}
    return _deploy(event, options)


def _deploy(event: dict[str, Any], options: BatchOptions) -> int:
    check_event(event)
    return deploy_batch([event], [None], options)

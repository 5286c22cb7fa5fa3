"""Completes the names of clusters and services in a shell.

Another process asks ECS. So the shell gets names and nothing else: no error, and no question for
the code of an MFA device.
"""

import json
import subprocess
import sys

import click

_SECONDS = 4.0
"""How long a shell waits for names."""


def complete_name(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Returns names with this beginning: of clusters for a `cluster`, else of its services.

    Empty: they could not be read, or are those of a target.
    """
    if context.params.get("target"):
        return []
    is_cluster = parameter.name == "cluster"
    cluster = None if is_cluster else context.params.get("cluster")
    if not (cluster or is_cluster):
        return []
    words = [*map(context.params.get, ("profile", "region")), cluster]
    try:
        found = subprocess.run(
            [sys.executable, "-P", "-m", __name__, json.dumps(words)],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=_SECONDS,
            start_new_session=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [name for name in found.stdout.split() if name.startswith(incomplete)]


def main() -> None:
    """Prints the names that the argument requests: profile, region, and cluster or null."""
    from ecs_updater.aws import clients, ecs  # pylint: disable=import-outside-toplevel

    profile, region, cluster = json.loads(sys.argv[1])
    clients.use(profile, region, clients.ServerTime())
    reader = ecs.Ecs(clients.session().create_client("ecs", config=clients.config(1, 2, 1)))
    print("\n".join(reader.service_names(cluster) if cluster else reader.cluster_names()))


if __name__ == "__main__":
    main()

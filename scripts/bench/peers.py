"""fabfuel's ecs-deploy as it comes from PyPI: one service after the other, or many at once.

With ``--no-deregister``, as its users with many services have it: by default it deregisters each
revision that it replaces, which takes a token of the bucket that the new ones need, and ends with
an error where there is none after everything else went well.
"""

import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from support.make import TOOLS
from support.proxy import QuotaProxy

from .stage import CLUSTER, Stage


def deploy(
    at_once: int, stage: Stage, proxy: QuotaProxy, wanted: Mapping[str, str]
) -> dict[str, bool]:
    """Runs `ecs deploy` for each service, so many at once."""
    shell = stage.shell | {"AWS_ENDPOINT_URL": proxy.url}
    with ThreadPoolExecutor(at_once) as pool:
        said = pool.map(partial(_one, shell), wanted.items())
        return dict(zip(wanted, said, strict=True))


def _one(shell: Mapping[str, str], wanted: tuple[str, str]) -> bool:
    service, image = wanted
    options = ["--image", "app", image, "--no-deregister", "--timeout", "300"]
    command = [TOOLS / "peers" / "bin" / "ecs", "deploy", CLUSTER, service, *options]
    ran = subprocess.run(command, env=dict(shell), capture_output=True, timeout=900, check=False)
    return ran.returncode == 0

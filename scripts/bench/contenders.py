"""The compared programs: `ecs-updater deploy` through the queue, and fabfuel's ecs-deploy.

ecs-deploy runs with ``--no-deregister``, as its users with many services run it. By default it
deregisters each replaced revision. That takes a token from the bucket of RegisterTaskDefinition,
and a missing token ends a successful deployment with an error.
"""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from support.make import PROJECT, TOOLS
from support.proxy import QuotaProxy

from .testbed import CLUSTER, Testbed

_TIMEOUT_SECONDS = 3600


def run_ecs_updater(
    testbed: Testbed, proxy: QuotaProxy, images: Mapping[str, str]
) -> dict[str, bool]:
    """Deploys all services from one file and waits for their verdicts."""
    entries = [
        {"ecs_service_name": service, "ecs_image_name": image} for service, image in images.items()
    ]
    document = {
        "defaults": {"ecs_cluster_name": CLUSTER, "ecs_tag": {"team": "a"}},
        "deployments": entries,
    }
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "deployments.json"
        file.write_text(json.dumps(document), "utf-8")
        python = TOOLS / "cli" / "bin" / "python3"
        result = subprocess.run(
            [python, "-m", "ecs_updater_cli", "deploy", "--file", file, "--json"],
            env=testbed.environment
            | {"AWS_ENDPOINT_URL": proxy.url, "PYTHONPATH": str(PROJECT / "lambda_code")},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    assert result.returncode in (0, 1), result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    states = {line["service"]: line["state"] for line in lines if line["type"] == "change"}
    return {service: state in ("succeeded", "unchanged") for service, state in states.items()}


def run_ecs_deploy(
    parallel: int, testbed: Testbed, proxy: QuotaProxy, images: Mapping[str, str]
) -> dict[str, bool]:
    """Runs `ecs deploy` for each service, at most `parallel` at the same time."""
    environment = testbed.environment | {"AWS_ENDPOINT_URL": proxy.url}
    with ThreadPoolExecutor(parallel) as pool:
        reported = pool.map(partial(_deploy_service, environment), images.items())
        return dict(zip(images, reported, strict=True))


def _deploy_service(environment: Mapping[str, str], item: tuple[str, str]) -> bool:
    service, image = item
    options = ["--image", "app", image, "--no-deregister", "--timeout", "300"]
    command = [TOOLS / "peers" / "bin" / "ecs", "deploy", CLUSTER, service, *options]
    result = subprocess.run(
        command, env=dict(environment), capture_output=True, timeout=900, check=False
    )
    return result.returncode == 0

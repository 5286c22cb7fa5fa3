"""`ecs-updater deploy`, through the queue; the completer is woken every few seconds, as ECS's
events wake it in an account.
"""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from support.make import PROJECT, TOOLS
from support.proxy import QuotaProxy
from support.waking import waking

from .stage import CLUSTER, Stage

_WAKES = 5.0
_PATIENCE = 3600


def deploy(stage: Stage, proxy: QuotaProxy, wanted: Mapping[str, str]) -> dict[str, bool]:
    """Deploys the whole fleet from one file, and waits for its verdicts."""
    entries = [
        {"ecs_service_name": service, "ecs_image_name": image} for service, image in wanted.items()
    ]
    document = {
        "defaults": {"ecs_cluster_name": CLUSTER, "ecs_tag": {"team": "a"}},
        "deployments": entries,
    }
    with (
        tempfile.TemporaryDirectory() as directory,
        waking(stage.client("lambda"), "ecs-updater-completer", _WAKES),
    ):
        file = Path(directory) / "deployments.json"
        file.write_text(json.dumps(document), "utf-8")
        ran = subprocess.run(
            [
                TOOLS / "cli" / "bin" / "python3",
                "-m",
                "ecs_updater_cli",
                "deploy",
                "--file",
                file,
                "--json",
            ],
            env=stage.shell
            | {"AWS_ENDPOINT_URL": proxy.url, "PYTHONPATH": str(PROJECT / "lambda_code")},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    assert ran.returncode in (0, 1), ran.stderr
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    last = {one["service"]: one["state"] for one in told if one["type"] == "change"}
    return {service: state in ("succeeded", "unchanged") for service, state in last.items()}

"""An emulator with a cluster, a fleet of services each of its own family, and the fleet's queue and
worker.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from support.make import Workspace

CLUSTER = "ECSCluster"
REPOSITORY = "registry.example.com/app"
FUNCTIONS = ("ecs-updater-fleet", "ecs-updater-completer")
_STEPS = (
    "build-lambda-package",
    "emulator-up",
    "deploy-ecs-cluster",
    "deploy-lambda-aws",
    "deploy-fleet-aws",
)


class Stage:
    """What there is on it; ``size`` services run ``REPOSITORY:1``."""

    def __init__(self, here: Workspace, size: int):
        self.port = here.port
        self.shell = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "MAKE"))
        } | {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }
        self.services = [f"web-{number:04d}" for number in range(1, size + 1)]
        network = self.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: self._make(name, network), self.services))

    def client(self, service: str) -> Any:
        """A client of the emulator itself, which nothing throttles."""
        endpoint = f"http://127.0.0.1:{self.port}"
        config = Config(retries={"total_max_attempts": 3}, proxies={}, read_timeout=300)
        key = {
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
            "region_name": "eu-west-1",
        }
        return boto3.client(service, endpoint_url=endpoint, config=config, **key)  # type: ignore[call-overload]

    def lead_functions_to(self, url: str) -> None:
        """Lets worker and completer call AWS there."""
        functions = self.client("lambda")
        for name in FUNCTIONS:
            before = functions.get_function_configuration(FunctionName=name)["Environment"][
                "Variables"
            ]
            variables = before | {"AWS_ENDPOINT_URL": url}
            functions.update_function_configuration(
                FunctionName=name, Environment={"Variables": variables}
            )

    def images(self) -> dict[str, str]:
        """What each service runs, or is on its way to."""
        ecs, found = self.client("ecs"), {}
        for first in range(0, len(self.services), 10):
            described = ecs.describe_services(
                cluster=CLUSTER, services=self.services[first : first + 10]
            )["services"]
            for service in described:
                revision = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])[
                    "taskDefinition"
                ]
                found[service["serviceName"]] = revision["containerDefinitions"][0]["image"]
        return found

    def _make(self, name: str, subnet: str) -> None:
        ecs = self.client("ecs")
        revision = ecs.register_task_definition(
            family=name,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "app", "image": f"{REPOSITORY}:1", "essential": True}],
        )["taskDefinition"]["taskDefinitionArn"]
        ecs.create_service(
            cluster=CLUSTER,
            serviceName=name,
            taskDefinition=revision,
            desiredCount=1,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
            tags=[{"key": "team", "value": "a"}],
        )


@contextmanager
def stage(directory: Path, size: int) -> Iterator[Stage]:
    """A stage in a directory of its own; nothing is left of it."""
    here = Workspace(directory, SAM_MODE="emulator")
    try:
        made = here.make(*_STEPS)
        assert made.status == 0, made.output
        yield Stage(here, size)
    finally:
        here.make("emulator-down")
        here.make("clean")
        here.end()

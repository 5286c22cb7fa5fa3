"""Creates an emulator with a cluster, services of separate families, and the queue with its
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
WORKER = "ecs-updater-fleet"
RECONCILER = "ecs-updater-completer"
_RECONCILE_SECONDS = "5"
"""Interval between invocations of the reconciler. In an account ECS's events invoke it."""
_STEPS = (
    "build-lambda-package",
    "emulator-up",
    "deploy-ecs-cluster",
    "deploy-lambda-aws",
    "deploy-fleet-aws",
)


class Testbed:
    """The resources on the emulator: `size` services run ``REPOSITORY:1``."""

    def __init__(self, workspace: Workspace, size: int):
        self.port = workspace.port
        self.environment = {
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
        subnet = self.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: self._create_service(name, subnet), self.services))

    def client(self, service: str) -> Any:
        """Returns a client of the emulator itself, without the rate limits of the proxy."""
        endpoint = f"http://127.0.0.1:{self.port}"
        config = Config(retries={"total_max_attempts": 3}, proxies={}, read_timeout=300)
        credentials = {
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
            "region_name": "eu-west-1",
        }
        return boto3.client(service, endpoint_url=endpoint, config=config, **credentials)  # type: ignore[call-overload]

    def set_endpoint(self, url: str) -> None:
        """Sets the endpoint that worker and reconciler call."""
        functions = self.client("lambda")
        for name in (WORKER, RECONCILER):
            before = functions.get_function_configuration(FunctionName=name)["Environment"][
                "Variables"
            ]
            variables = before | {"AWS_ENDPOINT_URL": url}
            functions.update_function_configuration(
                FunctionName=name, Environment={"Variables": variables}
            )

    def read_images(self) -> dict[str, str]:
        """Returns the image of each service's current revision."""
        ecs, images = self.client("ecs"), {}
        for first in range(0, len(self.services), 10):
            page = ecs.describe_services(
                cluster=CLUSTER, services=self.services[first : first + 10]
            )["services"]
            for service in page:
                revision = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])[
                    "taskDefinition"
                ]
                images[service["serviceName"]] = revision["containerDefinitions"][0]["image"]
        return images

    def _create_service(self, name: str, subnet: str) -> None:
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
def create_testbed(directory: Path, size: int) -> Iterator[Testbed]:
    """Creates a testbed in `directory` and removes it at the end."""
    workspace = Workspace(directory, SAM_MODE="emulator", RECONCILE_SECONDS=_RECONCILE_SECONDS)
    try:
        workspace.make(*_STEPS).succeeded()
        yield Testbed(workspace, size)
    finally:
        workspace.make("emulator-down")
        workspace.make("clean")
        workspace.end()

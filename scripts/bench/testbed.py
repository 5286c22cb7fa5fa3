"""Creates an emulator with a cluster, services of separate families, and the queue with its
worker.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
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
    """The resources on the emulator: twice `size` services run ``REPOSITORY:1``."""

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
        self.sharing = [f"shared-{number:04d}" for number in range(1, size + 1)]
        """Services of which ten run the same revision."""
        self.families = max(1, size // 10)
        subnet = self.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
        with ThreadPoolExecutor(8) as pool:
            revisions = list(pool.map(self._register, self.services))
            shared = list(map(self._register, [f"family-{n:04d}" for n in range(self.families)]))
            names = [*self.services, *self.sharing]
            running = [*revisions, *islice(cycle(shared), size)]
            list(pool.map(partial(self._create_service, subnet), names, running))

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

    def read_images(self, services: Sequence[str]) -> dict[str, str]:
        """Returns the image of each service's current revision."""
        ecs, images = self.client("ecs"), {}
        for first in range(0, len(services), 10):
            page = ecs.describe_services(cluster=CLUSTER, services=services[first : first + 10])[
                "services"
            ]
            for service in page:
                revision = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])[
                    "taskDefinition"
                ]
                images[service["serviceName"]] = revision["containerDefinitions"][0]["image"]
        return images

    def _register(self, family: str) -> str:
        """Returns the ARN of a new revision."""
        arn: str = self.client("ecs").register_task_definition(
            family=family,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "app", "image": f"{REPOSITORY}:1", "essential": True}],
        )["taskDefinition"]["taskDefinitionArn"]
        return arn

    def _create_service(self, subnet: str, name: str, revision: str) -> None:
        self.client("ecs").create_service(
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

"""Express services: ECS registers the revision that ``primaryContainer`` describes, or deploys the
one that it is given.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateExpressGatewayService.html
"""

import copy
from collections.abc import Callable
from typing import Any

from fakes.wire import ACCOUNT, REGION, Refusal

from .lifecycle import configuration_of
from .scheduler import Scheduler
from .service import Service
from .world import ADDED_BY_ECS, World

Body = dict[str, Any]

MAIN = "Main"
_COPIED = ("image", "command", "environment", "secrets", "repositoryCredentials")
"""Fields with the same form in ``primaryContainer`` and in a container definition."""
_EXCLUSIVE = ("primaryContainer", "executionRoleArn", "taskRoleArn", "cpu", "memory")
"""Fields that a call with ``taskDefinitionArn`` cannot have."""
_ROLE = f"arn:aws:iam::{ACCOUNT}:role"

CONTAINER: Body = {
    "name": MAIN,
    "image": "busybox",
    "essential": True,
    "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp", "name": "main"}],
    "environment": [{"name": "LOG_LEVEL", "value": "info"}],
    "secrets": [],
    "mountPoints": [],
    "volumesFrom": [],
    "systemControls": [],
    "cpu": 0,
    "logConfiguration": {
        "logDriver": "awslogs",
        "options": {
            "awslogs-group": "/aws/ecs/express",
            "awslogs-region": REGION,
            "awslogs-stream-prefix": "ecs",
        },
    },
}
"""The container of a revision that ECS registered."""

EXPRESS: Body = {
    "express": True,
    "containers": [CONTAINER],
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
    "executionRoleArn": f"{_ROLE}/execution",
    "volumes": [],
    "placementConstraints": [],
    "configuration": configuration_of(
        "CANARY", percent=5, step_bake=3, bake=3, alarms=["RollbackAlarm"]
    ),
}
"""Options of a simulated ECS whose service is an Express service with a revision of ECS."""


class ExpressOperations:
    """The operations of Express services."""

    def __init__(self, world: World, begin_update: Callable[[Service], None]):
        self._world, self._begin_update = world, begin_update
        self.containers: dict[str, Body] = {}
        """What ``primaryContainer`` was, by the revision that ECS registered for it."""

    def describe(self, body: Body) -> Body:
        """DescribeExpressGatewayService."""
        service = self._scheduler(body).service
        revisions = {deployment.revision.arn: deployment for deployment in service.deployments}
        return {
            "service": {
                "serviceArn": service.arn,
                "serviceName": service.name,
                "cluster": service.cluster_arn,
                "status": {"statusCode": service.status},
                "infrastructureRoleArn": f"{_ROLE}/infrastructure",
                "currentDeployment": service.history[-1].arn,
                "activeConfigurations": [
                    self._configuration(deployment.revision.task_definition, arn)
                    | {"createdAt": deployment.created_at}
                    # In no order that helps: ECS promises none.
                    for arn, deployment in sorted(revisions.items())
                ],
                "createdAt": service.created_at,
            }
        }

    def update(self, body: Body) -> Body:
        """UpdateExpressGatewayService. Each call makes a deployment, also one that changes
        nothing.
        """
        scheduler = self._scheduler(body)
        service = scheduler.service
        if service.status != "ACTIVE":
            raise Refusal("ServiceNotActiveException", "Service was not ACTIVE.")
        if "taskDefinitionArn" in body:
            if further := sorted(body.keys() & set(_EXCLUSIVE)):
                raise _refused(f"taskDefinitionArn cannot be combined with {', '.join(further)}.")
            found = self._world.task_definition(
                body["taskDefinitionArn"], "TaskDefinition not found."
            )
            if found["status"] != "ACTIVE":
                raise Refusal("ClientException", "TaskDefinition is inactive")
            if MAIN not in {container["name"] for container in found["containerDefinitions"]}:
                raise _refused("The task definition must have a container named Main.")
        else:
            found = self._register(service.primary.revision.task_definition, body)
        self._begin_update(service)
        revision = self._world.new_revision(service, found)
        scheduler.deploy(revision)
        return {
            "service": {
                "serviceArn": service.arn,
                "serviceName": service.name,
                "cluster": service.cluster_arn,
                "status": {"statusCode": service.status},
                "targetConfiguration": self._configuration(found, revision.arn),
                "createdAt": service.created_at,
                "updatedAt": self._world.clock.now(),
            }
        }

    def _register(self, running: Body, body: Body) -> Body:
        """ECS changes what the call names, and keeps everything else, sidecars included."""
        given = body.get("primaryContainer", {})
        changed = {
            name: copy.deepcopy(running[name]) for name in running if name not in ADDED_BY_ECS
        }
        for container in changed["containerDefinitions"]:
            if container["name"] == MAIN:
                container |= {name: given[name] for name in _COPIED if name in given}
        found = self._world.register(
            changed | {name: body[name] for name in ("cpu", "memory") if name in body}
        )
        if given:
            self.containers[found["taskDefinitionArn"]] = given
        return found

    def _configuration(self, task_definition: Body, revision_arn: str) -> Body:
        arn = task_definition["taskDefinitionArn"]
        main = next(
            container
            for container in task_definition["containerDefinitions"]
            if container["name"] == MAIN
        )
        derived = {name: main[name] for name in _COPIED if main.get(name)} | {
            "containerPort": main["portMappings"][0]["containerPort"],
            "awsLogsConfiguration": {"logGroup": "/aws/ecs/express", "logStreamPrefix": "ecs"},
        }
        return {
            "serviceRevisionArn": revision_arn,
            "taskDefinitionArn": arn,
            "cpu": task_definition["cpu"],
            "memory": task_definition["memory"],
            "primaryContainer": self.containers.get(arn, derived),
            "healthCheckPath": "/ping",
            "scalingTarget": {"minTaskCount": 1, "maxTaskCount": 20},
        }

    def _scheduler(self, body: Body) -> Scheduler:
        scheduler = self._world.schedulers.get(body["serviceArn"])
        if not scheduler:
            raise Refusal("ServiceNotFoundException", "Service not found.")
        if not scheduler.service.is_express:
            raise _refused("The service is not an Express service.")
        return scheduler


def _refused(message: str) -> Refusal:
    return Refusal("InvalidParameterException", message)

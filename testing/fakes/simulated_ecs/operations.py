"""The API: each operation takes the body of a request and returns that of the answer, or refuses.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Operations.html
"""

import copy
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from fakes.wire import Refusal

from .express import ExpressOperations
from .history import ServiceDeployment
from .scheduler import Scheduler
from .service import Service
from .tasks import Task
from .world import World

Body = dict[str, Any]
_NAME = re.compile(r"(arn:[\w-]+:ecs:[\w-]*:\d*:(cluster|service)/)?[\w/-]{1,255}", re.ASCII)
"""What ECS takes for the name of a cluster or service. It refuses a call with any other name."""
MOST_SERVICES, MOST_TASKS, MOST_SERVICE_DEPLOYMENTS, MOST_TAGS = 10, 100, 20, 50
TRIGGERS = (
    "capacityProviderStrategy",
    "loadBalancers",
    "networkConfiguration",
    "platformVersion",
    "serviceConnectConfiguration",
    "serviceRegistries",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
)
"""What makes a new deployment when it changes; other fields of UpdateService do not."""


class Operations:
    """The operations of one simulated ECS."""

    def __init__(
        self, world: World, service_deployments: bool | tuple[str, str], stale_reads: float
    ):
        self._world, self._stale_reads = world, stale_reads
        self._before_update: dict[str, tuple[float, Body]] = {}
        """By service: until when it is still read as it was before the last UpdateService, and
        how.
        """
        self.express = ExpressOperations(world, self._begin_update)
        self._has_history = service_deployments is True
        self._refusal = (
            service_deployments
            if isinstance(service_deployments, tuple)
            else ("UnknownOperationException", "")
        )

    def answer(self, operation: str, body: Body) -> Body:
        """Does ``operation``. Raises Refusal."""
        handlers: dict[str, Callable[[Body], Body]] = {
            "ListClusters": lambda body: _page("clusterArns", list(self._world.clusters), body, 10),
            "ListServices": self._list_services,
            "DescribeServices": self._describe_services,
            "UpdateService": self._update_service,
            "DescribeExpressGatewayService": self.express.describe,
            "UpdateExpressGatewayService": self.express.update,
            "DescribeTaskDefinition": self._describe_task_definition,
            "RegisterTaskDefinition": lambda body: {"taskDefinition": self._world.register(body)},
            "RunTask": lambda body: self._world.run_task(body, self._cluster(body)),
            "StopTask": self._world.standalone.stop,
            "ListTasks": self._list_tasks,
            "DescribeTasks": self._describe_tasks,
            "TagResource": self._tag_resource,
            "UntagResource": self._untag_resource,
        }
        history: dict[str, Callable[[Body], Body]] = {
            "ListServiceDeployments": self._list_service_deployments,
            "DescribeServiceDeployments": self._describe_service_deployments,
            "DescribeServiceRevisions": self._describe_service_revisions,
            "StopServiceDeployment": self._stop_service_deployment,
            "ContinueServiceDeployment": self._continue_service_deployment,
        }
        if operation in history and not self._has_history:
            raise Refusal(*self._refusal)
        return (handlers | history)[operation](body)

    # Services.

    def _list_services(self, body: Body) -> Body:
        cluster = self._cluster(body)
        arns = [
            arn
            for arn, scheduler in self._world.schedulers.items()
            if scheduler.service.cluster_arn == cluster
        ]
        # In no order that helps: ECS promises none.
        return _page("serviceArns", sorted(arns, key=lambda arn: arn[::-1]), body, 10)

    def _describe_services(self, body: Body) -> Body:
        if not all(map(_NAME.fullmatch, (body["cluster"], *body["services"]))):
            raise Refusal(
                "InvalidParameterException",
                "Invalid identifier: Unexpected number of separators",
            )
        cluster = self._cluster(body)
        _check_length("services", body["services"], MOST_SERVICES)
        found, failures = [], []
        for name in body["services"]:
            if scheduler := self._world.find(name, cluster):
                found.append(self._read(scheduler.service, "TAGS" in body.get("include", [])))
            else:
                failures.append(
                    {"arn": self._world.arn_of("service", name, cluster), "reason": "MISSING"}
                )
        return {"services": found, "failures": failures}

    def _update_service(self, body: Body) -> Body:
        scheduler = self._scheduler(body["service"], body)
        service = scheduler.service
        if service.status != "ACTIVE":
            raise Refusal("ServiceNotActiveException", "Service was not ACTIVE.")
        running = service.primary.revision.task_definition
        task_definition = running
        if "taskDefinition" in body:
            task_definition = self._world.task_definition(
                body["taskDefinition"], "TaskDefinition not found."
            )
        if task_definition["status"] != "ACTIVE":
            raise Refusal("ClientException", "TaskDefinition is inactive")
        self._begin_update(service)
        others = {name: value for name, value in body.items() if name in TRIGGERS}
        triggered = any(service.others.get(name) != value for name, value in others.items())
        service.others |= others
        if "deploymentConfiguration" in body:
            service.configure(body["deploymentConfiguration"])
        if "desiredCount" in body:
            scheduler.set_desired(body["desiredCount"])
        if task_definition is not running or body.get("forceNewDeployment") or triggered:
            scheduler.deploy(self._world.new_revision(service, task_definition))
        return {"service": self._service(service, with_tags=False)}

    def _begin_update(self, service: Service) -> None:
        until = self._world.clock.now() + self._stale_reads
        self._before_update[service.arn] = until, copy.deepcopy(self._service(service, True))

    def _read(self, service: Service, with_tags: bool) -> Body:
        until, before = self._before_update.get(service.arn, (0, {}))
        return before if self._world.clock.now() < until else self._service(service, with_tags)

    def _service(self, service: Service, with_tags: bool) -> Body:
        return service.to_wire(with_tags, self._has_history)

    # Task definitions and tags.

    def _describe_task_definition(self, body: Body) -> Body:
        found = self._world.task_definition(body["taskDefinition"])
        tags = (
            self._world.revision_tags[found["taskDefinitionArn"]]
            if "TAGS" in body.get("include", [])
            else []
        )
        return {"taskDefinition": found, "tags": tags}

    def _tag_resource(self, body: Body) -> Body:
        service = self._by_arn(body["resourceArn"])
        tags = service.tags | {tag["key"]: tag.get("value", "") for tag in body["tags"]}
        if sum(not key.lower().startswith("aws:") for key in tags) > MOST_TAGS:
            raise Refusal(
                "InvalidParameterException", "The number of tags exceeds the limit of 50."
            )
        service.tags = tags
        return {}

    def _untag_resource(self, body: Body) -> Body:
        service = self._by_arn(body["resourceArn"])
        service.tags = {
            key: value for key, value in service.tags.items() if key not in body["tagKeys"]
        }
        service.was_without_tags |= not service.tags
        return {}

    # Tasks.

    def _list_tasks(self, body: Body) -> Body:
        cluster = self._cluster(body)
        filters = body.keys() & {"serviceName", "startedBy", "family", "desiredStatus"}
        if "startedBy" in filters and len(filters) > 1:
            raise Refusal("InvalidParameterException", "startedBy must be the only filter.")
        tasks = self._tasks()
        if "serviceName" in body:  # Of many services, to look at the tasks of all takes long.
            tasks = self._scheduler(body["serviceName"], body).service.tasks
        now = self._world.clock.now()
        found = [
            task.arn
            for task in tasks
            if not task.is_forgotten(now)
            and task.cluster_arn == cluster
            and task.desired_status == body.get("desiredStatus", "RUNNING")
            and body.get("startedBy", task.deployment_id) == task.deployment_id
            and body.get("family", task.task_definition["family"]) == task.task_definition["family"]
        ]
        return _page("taskArns", sorted(found), body)

    def _describe_tasks(self, body: Body) -> Body:
        cluster = self._cluster(body)
        _check_length("tasks", body["tasks"], MOST_TASKS)
        wanted, now = set(body["tasks"]), self._world.clock.now()
        known = {
            name: task
            for task in self._tasks()
            for name in (task.arn, task.id)
            if name in wanted and not task.is_forgotten(now)
        }
        missing = [name for name in body["tasks"] if name not in known]
        return {
            "tasks": [known[name].to_wire() for name in body["tasks"] if name in known],
            "failures": [
                {
                    "arn": self._world.arn_of("task", name, cluster),
                    "reason": "MISSING",
                }
                for name in missing
            ],
        }

    def _tasks(self) -> Iterable[Task]:
        of_services = (each.service.tasks for each in self._world.schedulers.values())
        return chain(chain.from_iterable(of_services), self._world.standalone.all)

    # Service deployments.

    def _list_service_deployments(self, body: Body) -> Body:
        history = [
            deployment.brief()
            for deployment in reversed(self._scheduler(body["service"], body).service.history)
            if deployment.status in body["status"]
        ]
        return _page("serviceDeployments", history, body)

    def _describe_service_deployments(self, body: Body) -> Body:
        _check_length(
            "serviceDeploymentArns", body["serviceDeploymentArns"], MOST_SERVICE_DEPLOYMENTS
        )
        known = {
            deployment.arn: deployment.to_wire(scheduler.service.counts())
            for scheduler in self._world.schedulers.values()
            for deployment in scheduler.service.history
        }
        return _found("serviceDeployments", body["serviceDeploymentArns"], known)

    def _describe_service_revisions(self, body: Body) -> Body:
        _check_length("serviceRevisionArns", body["serviceRevisionArns"], MOST_SERVICE_DEPLOYMENTS)
        known = {
            revision.arn: revision.to_wire()
            for scheduler in self._world.schedulers.values()
            for revision in scheduler.service.revisions
        }
        return _found("serviceRevisions", body["serviceRevisionArns"], known)

    def _stop_service_deployment(self, body: Body) -> Body:
        if body.get("stopType", "ROLLBACK") != "ROLLBACK":
            raise Refusal("InvalidParameterException", "The valid values are ROLLBACK.")
        scheduler, deployment = self._history(body["serviceDeploymentArn"])
        if not deployment.is_ongoing:
            raise Refusal(
                "ConflictException",
                f"The service deployment is {deployment.status} and cannot be stopped.",
            )
        scheduler.stop_deployment(deployment)
        return {"serviceDeploymentArn": deployment.arn}

    def _continue_service_deployment(self, body: Body) -> Body:
        scheduler, deployment = self._history(body["serviceDeploymentArn"])
        scheduler.lifecycle.answer(deployment, body["hookId"], body.get("action", "CONTINUE"))
        return {"serviceDeploymentArn": deployment.arn}

    def _history(self, arn: str) -> tuple[Scheduler, ServiceDeployment]:
        for scheduler in self._world.schedulers.values():
            for deployment in scheduler.service.history:
                if deployment.arn == arn:
                    return scheduler, deployment
        raise Refusal("ServiceDeploymentNotFoundException", "The service deployment was not found.")

    # What all of them need.

    def _cluster(self, body: Body) -> str:
        """The ARN of the cluster that a request names."""
        arn = self._world.arn_of("cluster", body.get("cluster", "default"))
        if arn not in self._world.clusters:
            raise Refusal("ClusterNotFoundException", "Cluster not found.")
        return arn

    def _scheduler(self, name: str, body: Body) -> Scheduler:
        scheduler = self._world.find(name, self._cluster(body))
        if not scheduler:
            raise Refusal("ServiceNotFoundException", "Service not found.")
        return scheduler

    def _by_arn(self, arn: str) -> Service:
        if arn not in self._world.schedulers:
            raise Refusal("InvalidParameterException", "The specified service was not found.")
        return self._world.schedulers[arn].service


def _check_length(name: str, value: Sequence[object], most: int) -> None:
    if len(value) > most:
        raise Refusal("InvalidParameterException", f"{name} can have at most {most} items")


def _page(name: str, items: list[Any], body: Body, size: int = 100) -> Body:
    start, size = int(body.get("nextToken", 0)), body.get("maxResults", size)
    more = {"nextToken": str(start + size)} if start + size < len(items) else {}
    return {name: items[start : start + size], **more}


def _found(name: str, arns: Sequence[str], known: dict[str, Body]) -> Body:
    failures = [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known]
    return {name: [known[arn] for arn in arns if arn in known], "failures": failures}

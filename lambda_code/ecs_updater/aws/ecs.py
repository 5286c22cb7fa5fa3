"""Typed calls of Amazon ECS for an update, its wait and its rollback. They raise AwsFailure.

RegisterTaskDefinition and UpdateService are not idempotent and are retried after a throttle only,
and so are RunTask and ContinueServiceDeployment, whose results are read before they are sent again.
Any other failure that may have had an effect has the outcome UNKNOWN: read before a retry.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from botocore import xform_name
from botocore.session import Session

from ..context import REAL_TIME, Clock
from ..errors import AwsFailure, Outcome
from ..model.targets import AnyRequest, Target
from ..model.task_definition import RegistrableFields
from . import clients
from .errors import failure_from, translated
from .express import Express
from .logs import Logs
from .scaling import Scaling
from .targets import TargetAccess

# ECS responds in less than a second. All time-outs end within the function's own.
_CONFIG = clients.config(3, 10, 4)

PAGE = 100
"""Maximum tasks of one ListTasks and of one DescribeTasks."""

_STOPPED = 1000
"""Maximum stopped tasks. A large service in a crash loop stops thousands in an hour."""

SERVICE_DEPLOYMENTS_PER_CALL = 20
_DEPLOYMENTS_PER_CALL, _REVISIONS_PER_CALL = 100, 20
"""Maximum of one ListServiceDeployments and of one DescribeServiceRevisions."""

NAMES = 1000
"""Maximum names that are listed to find the nearest name."""

WRITES = (
    "ContinueServiceDeployment",
    "RegisterTaskDefinition",
    "StopServiceDeployment",
    "TagResource",
    "UntagResource",
    "UpdateExpressGatewayService",
    "UpdateService",
)
"""Calls that change a service or make a revision."""

_REGISTERED_FIELDS = {"taskDefinitionArn", "family", "containerDefinitions"}
"""Fields of a registered task definition that the update reads."""


class Ecs:  # pylint: disable=too-many-public-methods  # About one for each call.
    """Client of Amazon ECS in one account and region.

    Create it at module scope: Lambda initialises with full CPU.
    """

    def __init__(
        self,
        client: Any = None,
        calls: Counter[str] | None = None,
        *,
        may_list: bool = False,
        targets: TargetAccess | None = None,
        session: Callable[[], Session] = clients.session,
        prefix: str = "",
        share: float | None = None,
        clock: Clock = REAL_TIME,
    ):
        """`may_list`: whether to list clusters and services, which the function's role may not.

        `targets`: other accounts and regions, see `for_arn`. `prefix`: see the attribute. `share`:
        share of ECS's rates for all calls, in each account and region. None: no limit.
        """
        self._client = client or session().create_client("ecs", config=_CONFIG)
        self._call = partial(clients.call, self._client)
        self.calls = Counter[str]() if calls is None else calls
        self.may_list = may_list
        self.prefix = prefix
        """Beginning of ECS's ARNs in a target. Empty: this is the client of home."""
        self.targets = targets or TargetAccess()
        self._others: dict[str, tuple[Target, Ecs]] = {}
        """The clients of targets, by `prefix`."""
        self._lock = threading.Lock()
        self.region: str = self._client.meta.region_name
        self._names: dict[str, list[str]] = {}
        """Names of services by cluster. The key of the names of clusters is empty."""
        self._share, self._clock = share, clock
        clients.count_calls(self._client, self.calls)
        if share is not None:
            clients.limit_to_share(self._client, share, clock)
        for operation in ("DescribeServices", "DescribeTaskDefinition", "RegisterTaskDefinition"):
            clients.receive_raw_body(self._client, operation)
        for operation in ("RegisterTaskDefinition", "UpdateService"):
            clients.send_raw_body(self._client, operation)
            clients.retry_throttles_only(self._client, operation)
        for operation in ("ContinueServiceDeployment", "RunTask"):
            clients.retry_throttles_only(self._client, operation)
        self.scaling, self.logs = Scaling(self.calls, session=session), Logs(session)
        self.express = Express(self._client)
        clients.send_request_id(self._client, WRITES)
        shape_for = self._client.meta.service_model.shape_for
        self.fields = RegistrableFields(
            registered=shape_for("RegisterTaskDefinitionRequest"),
            returned=shape_for("TaskDefinition"),
        )

    def for_arn(self, arn: str) -> "Ecs":
        """Returns the client of the ARN's account and region. A name is one of home.

        Raises InvalidEventError if these have no target, ConfigurationError, TargetRoleError.
        """
        target = self.targets.find(arn) if arn.startswith("arn:") else None
        if target is None:
            return self
        # Raises while the role cannot be assumed, also if there is a client.
        session = self.targets.session(target, target.update_role)
        with self._lock:
            known, ecs = self._others.get(target.prefix, (None, None))
            if ecs is None or known != target:
                ecs = Ecs(
                    calls=self.calls,
                    may_list=self.may_list,
                    session=lambda: session,
                    prefix=target.prefix,
                    share=self._share,
                    clock=self._clock,
                )
                self._others[target.prefix] = target, ecs
        return ecs

    def describe_service(
        self, cluster: str, service: str
    ) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        """Returns the service with its tags, or None, and the `failures` of the response."""
        services, failures = self.describe_services(cluster, [service])
        return next(iter(services), None), failures

    def describe_services(
        self, cluster: str, services: Sequence[str]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Returns up to ten services with their tags, and the `failures` of the response.

        `deploymentConfiguration` is the raw JSON, because UpdateService replaces the whole field.
        """
        answer = self._call(
            "DescribeServices",
            "services",
            cluster=cluster,
            services=list(services),
            include=["TAGS"],
        )
        for service, raw in zip(
            answer["services"], answer[clients.RAW_BODY]["services"], strict=True
        ):
            service["deploymentConfiguration"] = raw.get("deploymentConfiguration") or {}
        return answer["services"], answer.get("failures", [])

    def cluster_names(self) -> list[str]:
        """Returns the names of at most `NAMES` clusters. The list is read once per client."""
        return self._listed("", "ListClusters", "clusterArns")

    def service_names(self, cluster: str) -> list[str]:
        """Returns the names of at most `NAMES` services. The list is read once per cluster."""
        return self._listed(cluster, "ListServices", "serviceArns", cluster=cluster)

    def service_arns(self, cluster: str) -> list[str]:
        """Returns the ARNs of all services of a cluster."""
        return list_arns(self._client, "ListServices", "serviceArns", cluster=cluster)

    def _listed(self, key: str, operation: str, field: str, **parameters: str) -> list[str]:
        if key not in self._names:
            arns = list_arns(self._client, operation, field, NAMES, **parameters)
            self._names[key] = [arn.rpartition("/")[2] for arn in arns]
        return self._names[key]

    def describe_task_definition(
        self, task_definition: str
    ) -> tuple[dict[str, Any], list[dict[str, str]]]:
        """Returns the raw JSON of a revision and its tags.

        A family stands for its newest active revision.
        """
        body = self._call(
            "DescribeTaskDefinition",
            "taskDefinition",
            taskDefinition=task_definition,
            include=["TAGS"],
        )[clients.RAW_BODY]
        return body["taskDefinition"], body.get("tags") or []

    def register_task_definition(self, revision: Mapping[str, Any]) -> dict[str, Any]:
        """Registers the raw JSON `revision` and returns the raw JSON of the new task definition."""
        # The SDK validates its two required fields. The raw body is sent.
        answer = self._call(
            "RegisterTaskDefinition",
            "taskDefinition",
            family=revision["family"],
            containerDefinitions=[],
            **{clients.RAW_BODY: revision},
        )
        task_definition: dict[str, Any] = answer[clients.RAW_BODY]["taskDefinition"]
        if missing := _REGISTERED_FIELDS - task_definition.keys():
            # An unreadable response counts as a lost response.
            raise failure_from("RegisterTaskDefinition", KeyError(*missing))
        return task_definition

    def update_service(
        self,
        cluster: str,
        service: str,
        *,
        task_definition: str | None = None,
        force_new_deployment: bool = False,
        desired_count: int | None = None,
        deployment_configuration: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Updates the fields that are given and returns the updated service.

        `deployment_configuration` is raw JSON and replaces the whole field.
        """
        body = {
            "cluster": cluster,
            "service": service,
            "taskDefinition": task_definition,
            "forceNewDeployment": force_new_deployment or None,
            "desiredCount": desired_count,
            "deploymentConfiguration": deployment_configuration,
        }
        sent = {name: value for name, value in body.items() if value is not None}
        answer = self._call("UpdateService", "service", service=service, **{clients.RAW_BODY: sent})
        updated: dict[str, Any] = answer["service"]
        return updated

    def tag_resource(self, arn: str, tags: Mapping[str, str]) -> None:
        """Adds tags to a resource, or changes their values."""
        pairs = [{"key": key, "value": value} for key, value in tags.items()]
        self._call("TagResource", resourceArn=arn, tags=pairs)

    def untag_resource(self, arn: str, keys: Iterable[str]) -> None:
        """Removes tags from a resource."""
        self._call("UntagResource", resourceArn=arn, tagKeys=list(keys))

    def stopped_tasks(self, cluster: str, service: str) -> list[dict[str, Any]]:
        """Returns at most `_STOPPED` stopped tasks of a service. ECS keeps them for an hour."""
        return self._tasks(cluster, service, "STOPPED", _STOPPED)

    def running_tasks(self, cluster: str, service: str) -> list[dict[str, Any]]:
        """Returns at most `PAGE` tasks of a service whose desired status is RUNNING."""
        return self._tasks(cluster, service, "RUNNING", PAGE)

    def run_task(
        self, cluster: str, task_definition: str, **parameters: Any
    ) -> tuple[str | None, list[dict[str, Any]]]:
        """Starts one task. Returns its ARN, or None, and the `failures` of the response."""
        answer = self._call(
            "RunTask",
            "tasks",
            cluster=cluster,
            taskDefinition=task_definition,
            count=1,
            **parameters,
        )
        arn = next((task["taskArn"] for task in answer["tasks"]), None)
        return arn, answer.get("failures", [])

    def stop_task(self, cluster: str, task: str, reason: str) -> None:
        """Stops a task. It can be called again."""
        self._call("StopTask", cluster=cluster, task=task, reason=reason)

    def task(self, cluster: str, arn: str) -> dict[str, Any] | None:
        """Returns a task, or None. ECS keeps a stopped one for an hour."""
        answer = self._call("DescribeTasks", "tasks", cluster=cluster, tasks=[arn])
        return next(iter(answer["tasks"]), None)

    def find_task(self, cluster: str, family: str, started_by: str) -> str | None:
        """Returns the ARN of a task by its `startedBy`, or None.

        As a filter of ListTasks, `startedBy` can be the only one and excludes stopped tasks. They
        are found among those of their family.
        """
        arns = list_arns(
            self._client, "ListTasks", "taskArns", 1, cluster=cluster, startedBy=started_by
        )
        if arns:
            return arns[0]
        filters = {"cluster": cluster, "family": family, "desiredStatus": "STOPPED"}
        arns = list_arns(self._client, "ListTasks", "taskArns", _STOPPED, **filters)
        for task in self._describe_tasks(cluster, arns):
            if task.get("startedBy") == started_by:
                found: str = task["taskArn"]
                return found
        return None

    def deployed_task_definitions(self, cluster: str, service: str, pages: int) -> Iterator[str]:
        """Yields the ARNs of successfully deployed task definitions, the latest first.

        An ARN can repeat. Makes at most `pages` calls of ListServiceDeployments, and a call of
        DescribeServiceRevisions for each 20 revisions, as the caller needs them.
        """
        token: dict[str, str] = {}
        for _ in range(pages):
            with translated("ListServiceDeployments"):
                page = self._client.list_service_deployments(
                    cluster=cluster,
                    service=service,
                    status=["SUCCESSFUL"],
                    maxResults=_DEPLOYMENTS_PER_CALL,
                    **token,
                )
                deployments = page["serviceDeployments"]
                arns = list(dict.fromkeys(d["targetServiceRevisionArn"] for d in deployments))
            for first in range(0, len(arns), _REVISIONS_PER_CALL):
                batch = arns[first : first + _REVISIONS_PER_CALL]
                with translated("DescribeServiceRevisions"):
                    answer = self._client.describe_service_revisions(serviceRevisionArns=batch)
                    revisions = {
                        revision["serviceRevisionArn"]: revision["taskDefinition"]
                        for revision in answer["serviceRevisions"]
                    }
                yield from (revisions[arn] for arn in batch if arn in revisions)
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}

    def service_deployment(self, arn: str) -> dict[str, Any] | None:
        """Returns a service deployment, which has the status and its reason, or None."""
        return self.service_deployments([arn]).get(arn)

    def service_deployments(self, arns: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Returns at most `SERVICE_DEPLOYMENTS_PER_CALL` service deployments by their ARNs."""
        answer = self._call(
            "DescribeServiceDeployments", "serviceDeployments", serviceDeploymentArns=list(arns)
        )
        return {found["serviceDeploymentArn"]: found for found in answer["serviceDeployments"]}

    def service_revision(self, arn: str) -> dict[str, Any] | None:
        """Returns a service revision, which has the task definition and the digests, or None."""
        answer = self._call(
            "DescribeServiceRevisions", "serviceRevisions", serviceRevisionArns=[arn]
        )
        return next(iter(answer["serviceRevisions"]), None)

    def roll_back_service_deployment(self, arn: str) -> None:
        """Stops a deployment. ECS rolls the service back to its last completed revision."""
        self._call("StopServiceDeployment", serviceDeploymentArn=arn, stopType="ROLLBACK")

    def continue_service_deployment(self, arn: str, hook_id: str, action: str) -> None:
        """Answers a PAUSE hook. `action`: CONTINUE or ROLLBACK. ECS takes one answer of each hook.

        Raises AwsFailure, also if the SDK is too old for the call.
        """
        operation = "ContinueServiceDeployment"
        if operation not in self._client.meta.service_model.operation_names:
            reason = f"the installed botocore does not know {operation}: install a newer one"
            raise AwsFailure(operation, Outcome.REFUSED, "", reason)
        self._call(operation, serviceDeploymentArn=arn, hookId=hook_id, action=action)

    def _tasks(
        self, cluster: str, service: str, desired_status: str, most: int
    ) -> list[dict[str, Any]]:
        names = {"cluster": cluster, "serviceName": service.rpartition("/")[2]}
        status = {"desiredStatus": desired_status}
        arns = list_arns(self._client, "ListTasks", "taskArns", most, **names, **status)
        return list(self._describe_tasks(cluster, arns))

    def _describe_tasks(self, cluster: str, arns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yields the tasks of DescribeTasks."""
        for first in range(0, len(arns), PAGE):
            batch = arns[first : first + PAGE]
            yield from self._call("DescribeTasks", "tasks", cluster=cluster, tasks=batch)["tasks"]


def locate(request: AnyRequest, ecs: Ecs) -> tuple[AnyRequest, Ecs]:
    """Returns a request with the ARN of its cluster, and the client of its account and region.

    `ecs`: the client of home. At home, both are unchanged. Raises InvalidEventError,
    ConfigurationError or TargetRoleError.
    """
    located = ecs.targets.locate(request)
    return located, ecs.for_arn(located.cluster)


def list_arns(
    client: Any, operation: str, field: str, most: int | None = None, **parameters: str
) -> list[str]:
    """Returns the ARNs of all pages, or the first `most`. `field`: their field of the response."""
    with translated(operation):
        pages = client.get_paginator(xform_name(operation)).paginate(
            **parameters, PaginationConfig={"PageSize": PAGE, "MaxItems": most}
        )
        return [arn for page in pages for arn in page[field]]

"""The calls of Amazon ECS that an update, its wait and its rollback make, typed. Every failure is
an ``AwsFailure``.

A write that is not idempotent (RegisterTaskDefinition, UpdateService) is repeated after a throttle
only; every other failure that may have had its effect has the outcome UNKNOWN, and whoever called
looks before calling again. https://docs.aws.amazon.com/AmazonECS/latest/APIReference/
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from botocore import xform_name
from botocore.config import Config

from ..model.task_definition import RegistrableFields
from . import botocore_hooks
from .botocore_hooks import RAW_BODY
from .clients import session
from .errors import SDK_ERRORS, failure_from, translated

# Standard mode retries throttles and transient errors with jitter, and has a quota against retry
# storms. The time-outs are far above what ECS takes (well under a second) and end, retries
# included, inside the function's own.
_CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 4},
    user_agent_appid="ecs-updater",
)

PAGE = 100
"""The most tasks of one ListTasks and of one DescribeTasks."""

_PAGES = 10
"""The most pages of tasks that are read: a crash loop of a large service stops thousands in an
hour.
"""

_RECORDS_LISTED, _RECORDS_DESCRIBED = 100, 20
"""The most service deployments, and service revisions, that one call gives."""

NAMES = 1000
"""The most names that are listed to find the nearest one."""

_NEEDED = {"taskDefinitionArn", "family", "containerDefinitions"}
"""What the answer to a registration is read for."""


class Ecs:
    """One client of Amazon ECS. Make it at module scope: Lambda initialises with full CPU."""

    def __init__(
        self, client: Any = None, calls: Counter[str] | None = None, *, may_list: bool = False
    ):
        """``may_list``: whether lists of clusters and services may be read, which the function's
        role is not permitted.
        """
        self._client = client or session().create_client("ecs", config=_CONFIG)
        self.calls = Counter[str]() if calls is None else calls
        self.may_list = may_list
        self.region: str = self._client.meta.region_name
        self._names: dict[str, list[str]] = {}
        """Names that were listed, by cluster; those of clusters by the empty string."""
        botocore_hooks.count_calls(self._client, self.calls)
        for operation in ("DescribeServices", "DescribeTaskDefinition", "RegisterTaskDefinition"):
            botocore_hooks.receive_raw_body(self._client, operation)
        for operation in ("RegisterTaskDefinition", "UpdateService"):
            botocore_hooks.send_raw_body(self._client, operation)
            botocore_hooks.retry_only_what_had_no_effect(self._client, operation)
        shape_for = self._client.meta.service_model.shape_for
        self.fields = RegistrableFields(
            registered=shape_for("RegisterTaskDefinitionRequest"),
            returned=shape_for("TaskDefinition"),
        )

    def describe_service(
        self, cluster: str, service: str
    ) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        """The service with its tags, or None, and ECS's ``failures``."""
        services, failures = self.describe_services(cluster, [service])
        return next(iter(services), None), failures

    def describe_services(
        self, cluster: str, services: Sequence[str]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Those of at most ten ``services`` that are there, with their tags, and ECS's
        ``failures``.

        Their ``deploymentConfiguration`` is as it came over the wire: it is sent back as a whole.
        """
        answer = self._call(
            "DescribeServices",
            "services",
            cluster=cluster,
            services=list(services),
            include=["TAGS"],
        )
        raw = answer[RAW_BODY]["services"]
        for service, as_sent in zip(answer["services"], raw, strict=True):
            service["deploymentConfiguration"] = as_sent.get("deploymentConfiguration") or {}
        return answer["services"], answer.get("failures", [])

    def cluster_names(self) -> list[str]:
        """The names of clusters, of ``NAMES`` at most, read once."""
        return self._listed("", "ListClusters", "clusterArns")

    def service_names(self, cluster: str) -> list[str]:
        """The names of a cluster's services, likewise."""
        return self._listed(cluster, "ListServices", "serviceArns", cluster=cluster)

    def _listed(self, key: str, operation: str, field: str, **parameters: str) -> list[str]:
        if key not in self._names:
            with translated(operation):
                paginator = self._client.get_paginator(xform_name(operation))
                pages = paginator.paginate(
                    **parameters, PaginationConfig={"PageSize": PAGE, "MaxItems": NAMES}
                )
                self._names[key] = [arn.rpartition("/")[2] for page in pages for arn in page[field]]
        return self._names[key]

    def describe_task_definition(
        self, task_definition: str
    ) -> tuple[dict[str, Any], list[dict[str, str]]]:
        """A revision (``family``: the newest active one) as it came over the wire, and its tags."""
        answer = self._call(
            "DescribeTaskDefinition",
            "taskDefinition",
            taskDefinition=task_definition,
            include=["TAGS"],
        )
        body = answer[RAW_BODY]
        return body["taskDefinition"], body.get("tags") or []

    def register_task_definition(self, revision: Mapping[str, Any]) -> dict[str, Any]:
        """Registers ``revision``, the body as it goes over the wire; the new task definition as it
        came back.
        """
        # The SDK wants its two required fields; what is sent is the raw body.
        answer = self._call(
            "RegisterTaskDefinition",
            "taskDefinition",
            family=revision["family"],
            containerDefinitions=[],
            **{RAW_BODY: revision},
        )
        task_definition: dict[str, Any] = answer[RAW_BODY]["taskDefinition"]
        if missing := _NEEDED - task_definition.keys():
            # An answer that cannot be read counts as one that got lost.
            raise failure_from("RegisterTaskDefinition", KeyError(*missing))
        return task_definition

    def update_service(
        self,
        cluster: str,
        service: str,
        *,
        task_definition: str | None = None,
        force_new_deployment: bool = False,
        deployment_configuration: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Gives the service what is named and leaves the rest as it is; the service as it then is.

        ``deployment_configuration`` takes the place of the old one as a whole, as it goes over the
        wire.
        """
        body = {
            "cluster": cluster,
            "service": service,
            "taskDefinition": task_definition,
            "forceNewDeployment": force_new_deployment or None,
            "deploymentConfiguration": deployment_configuration,
        }
        sent = {name: value for name, value in body.items() if value is not None}
        answer = self._call("UpdateService", "service", service=service, **{RAW_BODY: sent})
        updated: dict[str, Any] = answer["service"]
        return updated

    def tag_resource(self, arn: str, tags: Mapping[str, str]) -> None:
        """Adds ``tags`` to a resource, or changes their values."""
        pairs = [{"key": key, "value": value} for key, value in tags.items()]
        self._call("TagResource", resourceArn=arn, tags=pairs)

    def untag_resource(self, arn: str, keys: Iterable[str]) -> None:
        """Removes the tags of these keys from a resource."""
        self._call("UntagResource", resourceArn=arn, tagKeys=list(keys))

    def stopped_tasks(self, cluster: str, service: str) -> list[dict[str, Any]]:
        """Tasks of a service that have stopped lately, at most a thousand: ECS forgets them after
        an hour.
        """
        return self._tasks(cluster, service, "STOPPED", _PAGES)

    def running_tasks(self, cluster: str, service: str) -> list[dict[str, Any]]:
        """Tasks of a service that run or are to run, at most ``PAGE``."""
        return self._tasks(cluster, service, "RUNNING", 1)

    def deployed_task_definitions(self, cluster: str, service: str, pages: int) -> Iterator[str]:
        """ARNs of the task definitions that were deployed successfully, by ECS's own records: the
        last one first, repetitions too.

        At most ``pages`` calls for 100 service deployments each, and one call for 20 of their
        revisions, made as they are needed.
        """
        follows: dict[str, str] = {}
        for _ in range(pages):
            with translated("ListServiceDeployments"):
                page = self._client.list_service_deployments(
                    cluster=cluster,
                    service=service,
                    status=["SUCCESSFUL"],
                    maxResults=_RECORDS_LISTED,
                    **follows,
                )
                arns = list(
                    dict.fromkeys(
                        one["targetServiceRevisionArn"] for one in page["serviceDeployments"]
                    )
                )
            for first in range(0, len(arns), _RECORDS_DESCRIBED):
                batch = arns[first : first + _RECORDS_DESCRIBED]
                with translated("DescribeServiceRevisions"):
                    revisions = self._client.describe_service_revisions(serviceRevisionArns=batch)[
                        "serviceRevisions"
                    ]
                    found = {one["serviceRevisionArn"]: one["taskDefinition"] for one in revisions}
                yield from (found[arn] for arn in batch if arn in found)
            if "nextToken" not in page:
                break
            follows = {"nextToken": page["nextToken"]}

    def service_deployment(self, arn: str) -> dict[str, Any] | None:
        """ECS's own record of one deployment: how far it is, and why it failed."""
        answer = self._call(
            "DescribeServiceDeployments", "serviceDeployments", serviceDeploymentArns=[arn]
        )
        return next(iter(answer["serviceDeployments"]), None)

    def service_revision(self, arn: str) -> dict[str, Any] | None:
        """What a service was deployed with: task definition, and the digest that each image was
        resolved to.
        """
        answer = self._call(
            "DescribeServiceRevisions", "serviceRevisions", serviceRevisionArns=[arn]
        )
        return next(iter(answer["serviceRevisions"]), None)

    def roll_back_service_deployment(self, arn: str) -> None:
        """Lets ECS itself stop a deployment and return to the last revision of the service that was
        complete.
        """
        self._call("StopServiceDeployment", serviceDeploymentArn=arn, stopType="ROLLBACK")

    def _tasks(
        self, cluster: str, service: str, desired_status: str, pages: int
    ) -> list[dict[str, Any]]:
        tasks: list[dict[str, Any]] = []
        listed: dict[str, Any] = {
            "cluster": cluster,
            "serviceName": service.rpartition("/")[2],
            "desiredStatus": desired_status,
        }
        for _ in range(pages):
            page = self._call("ListTasks", "taskArns", **listed, maxResults=PAGE)
            if arns := page["taskArns"]:
                tasks += self._call("DescribeTasks", "tasks", cluster=cluster, tasks=arns)["tasks"]
            if not page.get("nextToken"):
                break
            listed["nextToken"] = page["nextToken"]
        return tasks

    def _call(self, operation: str, *needed: str, **parameters: Any) -> dict[str, Any]:
        """Makes one call; the answer, and its raw body, have the fields ``needed``."""
        try:
            answer: dict[str, Any] = getattr(self._client, xform_name(operation))(**parameters)
            for name in needed:
                _ = answer[name], answer.get(RAW_BODY, answer)[name]
            return answer
        except SDK_ERRORS as error:
            raise failure_from(operation, error) from error

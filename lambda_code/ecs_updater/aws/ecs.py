"""The six calls of Amazon ECS that an update makes, typed. Every failure is an ``AwsFailure``.

A write that is not idempotent (RegisterTaskDefinition, UpdateService) is repeated after a throttle only; every other failure that
may have had its effect has the outcome UNKNOWN, and whoever called looks before calling again.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import boto3
from botocore.config import Config

from ..fields import RegistrableFields
from . import wire
from .failure import translated

# Standard mode retries throttles and transient errors with jitter, and has a quota against retry storms. The time-outs are far
# above what ECS takes (well under a second) and end, retries included, inside the function's own.
_CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 4},
    user_agent_appid="ecs-updater",
)

_NEEDED = {"taskDefinitionArn", "family", "containerDefinitions"}
"""What the answer to a registration is read for."""


class Ecs:
    """One client of Amazon ECS. Make it at module scope: Lambda initialises with full CPU."""

    def __init__(self, client: Any = None):
        self._client = client or boto3.client("ecs", config=_CONFIG)
        self.calls: Counter[str] = Counter()
        wire.count_calls(self._client, self.calls)
        wire.receive_raw_body(self._client, "DescribeTaskDefinition")
        wire.receive_raw_body(self._client, "RegisterTaskDefinition")
        wire.send_raw_body(self._client, "RegisterTaskDefinition")
        for operation in ("RegisterTaskDefinition", "UpdateService"):
            wire.retry_only_what_had_no_effect(self._client, operation)
        shape_for = self._client.meta.service_model.shape_for
        self.fields = RegistrableFields(
            registered=shape_for("RegisterTaskDefinitionRequest"), described=shape_for("TaskDefinition")
        )

    def describe_service(self, cluster: str, service: str) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        """The service with its tags, or None, and ECS's ``failures``."""
        with translated("DescribeServices"):
            answer = self._client.describe_services(cluster=cluster, services=[service], include=["TAGS"])
            return next(iter(answer["services"]), None), answer.get("failures", [])

    def describe_task_definition(self, task_definition: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
        """A revision (``family``: the newest active one) as it came over the wire, and its tags."""
        with translated("DescribeTaskDefinition"):
            answer = self._client.describe_task_definition(taskDefinition=task_definition, include=["TAGS"])
            body = answer[wire.RAW_BODY]
            return body["taskDefinition"], body.get("tags") or []

    def register_task_definition(self, revision: Mapping[str, Any]) -> dict[str, Any]:
        """Registers ``revision``, the body as it goes over the wire; the new task definition as it came back."""
        with translated("RegisterTaskDefinition"):
            # The SDK wants its two required fields; what is sent is the raw body.
            answer = self._client.register_task_definition(
                family=revision["family"], containerDefinitions=[], **{wire.RAW_BODY: revision}
            )
            task_definition = answer[wire.RAW_BODY]["taskDefinition"]
            if missing := _NEEDED - task_definition.keys():
                raise KeyError(*missing)  # Which makes it an answer that cannot be read, as if it had got lost.
            return task_definition

    def update_service(self, cluster: str, service: str, task_definition: str, force_new_deployment: bool) -> dict[str, Any]:
        """Makes the service run ``task_definition``; the service as it then is."""
        with translated("UpdateService"):
            return self._client.update_service(
                cluster=cluster,
                service=service,
                taskDefinition=task_definition,
                **({"forceNewDeployment": True} if force_new_deployment else {}),
            )["service"]

    def tag_resource(self, arn: str, tags: Mapping[str, str]) -> None:
        """Adds ``tags`` to a resource, or changes their values."""
        with translated("TagResource"):
            self._client.tag_resource(
                resourceArn=arn, tags=[{"key": key, "value": value} for key, value in tags.items()]
            )

    def untag_resource(self, arn: str, keys: Iterable[str]) -> None:
        """Removes the tags of these keys from a resource."""
        with translated("UntagResource"):
            self._client.untag_resource(resourceArn=arn, tagKeys=list(keys))

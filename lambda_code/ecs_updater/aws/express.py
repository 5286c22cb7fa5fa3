"""Calls of Amazon ECS for Express services. They raise AwsFailure.

Both read and write the raw JSON: fields that are newer than the SDK survive.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateExpressGatewayService.html
"""

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

from . import clients

_DESCRIBE, _UPDATE = "DescribeExpressGatewayService", "UpdateExpressGatewayService"


class Express:
    """The calls of a client of Amazon ECS for Express services."""

    def __init__(self, client: Any):
        self._client = client

    @cached_property
    def _call(self) -> Callable[..., dict[str, Any]]:
        """Calls an operation. Most functions have no Express service and need no preparation."""
        for operation in (_DESCRIBE, _UPDATE):
            clients.receive_raw_body(self._client, operation)
        clients.send_raw_body(self._client, _UPDATE)
        clients.retry_throttles_only(self._client, _UPDATE)
        return partial(clients.call, self._client)

    def configuration(self, service_arn: str, task_definition_arn: str) -> dict[str, Any]:
        """Returns the active configuration with this revision, else the newest. Empty: none."""
        answer = self._call(_DESCRIBE, "service", serviceArn=service_arn)
        listed = answer[clients.RAW_BODY]["service"].get("activeConfigurations") or []
        return max(
            listed,
            key=lambda item: (
                item.get("taskDefinitionArn") == task_definition_arn,
                item.get("createdAt") or 0,
            ),
            default={},
        )

    def update(self, service_arn: str, fields: Mapping[str, Any]) -> str | None:
        """Updates a service, and returns the ARN of its new revision. None: ECS did not name it."""
        answer = self._call(
            _UPDATE,
            "service",
            serviceArn=service_arn,
            **{clients.RAW_BODY: {"serviceArn": service_arn, **fields}},
        )
        target = answer[clients.RAW_BODY]["service"].get("targetConfiguration") or {}
        arn: str | None = target.get("taskDefinitionArn")
        return arn

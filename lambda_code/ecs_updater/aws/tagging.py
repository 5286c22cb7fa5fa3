"""The Resource Groups Tagging API: resources by their tags. Every failure is an AwsFailure.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from typing import Any

from . import clients

RESOURCES_PER_CALL = 100

_CONFIG = clients.config(3, 10, 4)


class Tagging:
    """Client of the tagging API."""

    def __init__(self, client: Any = None):
        self._client = client or clients.session().create_client(
            "resourcegroupstaggingapi", config=_CONFIG
        )

    def services_with(self, key: str) -> dict[str, dict[str, str]]:
        """Returns the tags of the ECS services that have the tag `key`, by ARN, sorted.

        The index of the API follows changes within seconds.
        """
        found: dict[str, dict[str, str]] = {}
        token = ""
        while True:
            page = clients.call(
                self._client,
                "GetResources",
                "ResourceTagMappingList",
                TagFilters=[{"Key": key}],
                ResourceTypeFilters=["ecs:service"],
                ResourcesPerPage=RESOURCES_PER_CALL,
                PaginationToken=token,
            )
            for resource in page["ResourceTagMappingList"]:
                tags = {tag["Key"]: tag["Value"] for tag in resource["Tags"]}
                if key in tags:
                    found[resource["ResourceARN"]] = tags
            token = page.get("PaginationToken", "")
            if not token:
                return dict(sorted(found.items()))

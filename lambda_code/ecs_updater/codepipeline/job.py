"""A job of CodePipeline's Lambda invoke action, from the event of the function.

https://docs.aws.amazon.com/codepipeline/latest/userguide/actions-invoke-lambda-function.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidEventError
from ..model.field_types import check_types


@dataclass(frozen=True)
class Location:
    """An artifact's object in Amazon S3."""

    bucket: str
    key: str


@dataclass(frozen=True)
class Job:
    """One invocation by a pipeline."""

    id: str
    """The job to report to. A continuation can be a job with another id."""
    request_id: str
    """Id of the action's first job, which is the `request_id` of the update."""
    is_continuation: bool
    parameters: str
    """UserParameters of the action."""
    artifacts: Mapping[str, Location]
    """Input artifacts by name."""
    credentials: Mapping[str, Any] = field(repr=False)
    """Temporary credentials of the artifacts. They must not be logged."""

    @classmethod
    def of(cls, event: Any) -> "Job":
        """Reads the event. Raises InvalidEventError, without any value of the event."""
        try:
            job = event["CodePipeline.job"]
            data = job["data"]
            token = data.get("continuationToken")
            configuration = data["actionConfiguration"]["configuration"]
            found = cls(
                id=job["id"],
                request_id=token or job["id"],
                is_continuation=bool(token),
                parameters=str(configuration.get("UserParameters", "")),
                artifacts={
                    str(artifact["name"]): Location(
                        artifact["location"]["s3Location"]["bucketName"],
                        artifact["location"]["s3Location"]["objectKey"],
                    )
                    for artifact in data.get("inputArtifacts") or []
                },
                credentials=data.get("artifactCredentials") or {},
            )
            for each in (found, *found.artifacts.values()):
                check_types(each)
            return found
        except (AttributeError, KeyError, TypeError):
            raise InvalidEventError(
                "the event is not a job of CodePipeline: configure the function as a Lambda "
                "invoke action of a pipeline"
            ) from None

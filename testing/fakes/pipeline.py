"""CodePipeline's side of a Lambda invoke action: its jobs, their results, and its artifacts.

A continuation is a job with another id: "future jobs use this token to identify the running
instance of the action".
https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutJobSuccessResult.html
"""

import copy
import io
import itertools
import json
import re
import zipfile
from dataclasses import dataclass, field
from typing import Any

from .wire import Json, Refusal, Wire

CREDENTIALS = {
    "accessKeyId": "SENTINEL-KEY-ID",
    "secretAccessKey": "SENTINEL-SECRET",
    "sessionToken": "SENTINEL-TOKEN",
    "expirationTime": 1575493418000,
}
BUCKET, KEY = "eu-west-1-123456789012-my-pipeline", "my-pipeline/BuildArtif/TdOSFRV"

RECORDED: Json = {
    "CodePipeline.job": {
        "id": "11111111-abcd-1111-abcd-000000000001",
        "accountId": "123456789012",
        "data": {
            "actionConfiguration": {
                "configuration": {"FunctionName": "ecs-updater-codepipeline", "UserParameters": ""}
            },
            "inputArtifacts": [
                {
                    "name": "BuildArtifact",
                    "revision": None,
                    "location": {
                        "type": "S3",
                        "s3Location": {"bucketName": BUCKET, "objectKey": KEY},
                    },
                }
            ],
            "outputArtifacts": [],
            "artifactCredentials": CREDENTIALS,
        },
    }
}
"""An event as CodePipeline sends it:
https://docs.aws.amazon.com/lambda/latest/dg/services-codepipeline.html
"""

_LIMITS = {"summary": 2048, "externalExecutionId": 1500, "message": 5000}
_KINDS = {"JobFailed", "ConfigurationError", "PermissionError", "SystemUnavailable"}


def job_event(parameters: Any, id_: str = "", token: str | None = None) -> Json:
    """The event of a job. `parameters`: text, or a value that becomes JSON."""
    event = copy.deepcopy(RECORDED)
    job = event["CodePipeline.job"]
    job["id"] = id_ or job["id"]
    text = parameters if isinstance(parameters, str) else json.dumps(parameters)
    job["data"]["actionConfiguration"]["configuration"]["UserParameters"] = text
    if token:
        job["data"]["continuationToken"] = token
    return event


class Pipeline(Wire):
    """One action: the event of its current job, and its result."""

    def __init__(self, parameters: Any):
        super().__init__("codepipeline")
        self._ids = itertools.count(1)
        self._parameters = parameters
        self.jobs = 0
        self.result: Json | None = None
        """The action's result: the parameters of the call that ended it."""
        self.event: Json = {}
        self._token: str | None = None
        self._start(None)

    def _start(self, token: str | None) -> None:
        self.jobs += 1
        self._job_id = f"11111111-abcd-1111-abcd-{next(self._ids):012d}"
        self._is_waiting = True
        self.event = job_event(self._parameters, self._job_id, token)

    @property
    def is_waiting(self) -> bool:
        """Whether the current job waits for its result."""
        return self._is_waiting and self.result is None

    def continues(self) -> bool:
        """Starts the next job, if the action has no result. Returns whether it did."""
        if self.result is None and not self._is_waiting:
            self._start(self._token)
            return True
        return False

    def answer(self, operation: str, body: Json) -> Json:
        if body["jobId"] != self._job_id:
            raise Refusal("JobNotFoundException", "The job was not found.")
        if not self._is_waiting:
            raise Refusal("InvalidJobStateException", "The job is in an invalid state.")
        _check(operation, body)
        self._is_waiting = False
        self._token = body.get("continuationToken")
        if self._token is None:
            self.result = {"operation": operation, **body}
        return {}

    @property
    def variables(self) -> dict[str, str] | None:
        """Output variables of a successful action."""
        return self.result.get("outputVariables") if self.result else None

    @property
    def failure(self) -> Json | None:
        """The details of a failed action."""
        return self.result.get("failureDetails") if self.result else None


def _check(operation: str, body: Json) -> None:
    """Refuses what CodePipeline refuses."""
    details = body.get("failureDetails") or body.get("executionDetails") or {}
    variables = body.get("outputVariables")
    is_valid = (
        all(0 < len(details[name]) <= most for name, most in _LIMITS.items() if name in details)
        and (operation != "PutJobFailureResult" or details["type"] in _KINDS)
        and all(re.fullmatch("[A-Za-z0-9@_-]+", name) for name in variables or ())
        and not (variables is not None and "continuationToken" in body)
    )
    if not is_valid:
        raise Refusal("ValidationException", "1 validation error detected")


def archive(*files: tuple[str, Any], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file of these names and contents. A content other than bytes becomes JSON."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as target:
        for name, content in files:
            is_bytes = isinstance(content, bytes)
            target.writestr(name, content if is_bytes else json.dumps(content))
    return packed.getvalue()


@dataclass
class Artifacts:
    """A client of Amazon S3 with one object."""

    content: bytes
    ranges: list[str] = field(default_factory=list)
    """The ranges that were read."""

    def get_object(self, **parameters: str) -> Json:
        """Answers a range of the object."""
        assert (parameters["Bucket"], parameters["Key"]) == (BUCKET, KEY)
        wanted = parameters["Range"]
        self.ranges.append(wanted)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        size = len(self.content)
        begin = int(first) if first else max(0, size - int(last))
        end = min(int(last) + 1, size) if first else size
        return {
            "Body": io.BytesIO(self.content[begin:end]),
            "ContentRange": f"bytes {begin}-{end - 1}/{size}",
        }

"""Results of CodePipeline's jobs. Every failure is an AwsFailure.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutJobSuccessResult.html
"""

from collections.abc import Mapping
from typing import Any

from . import clients
from .errors import unless_missing

_CONFIG = clients.config(3, 10, 4)
_SUMMARY_LIMIT, _MESSAGE_LIMIT = 2048, 5000
_NOT_WAITING = ("InvalidJobStateException", "JobNotFoundException")
"""The job has its result already, also from an attempt whose response was lost, or has expired."""


class JobResults:
    """Reports to jobs. Each method returns False if the job does not wait for a result."""

    def __init__(self, client: Any = None):
        self._client = client or clients.session().create_client("codepipeline", config=_CONFIG)

    def succeed(
        self, job_id: str, request_id: str, summary: str, variables: Mapping[str, str]
    ) -> bool:
        """Ends the action with its output variables."""
        details = _details(request_id, summary)
        return self._put(
            "PutJobSuccessResult",
            jobId=job_id,
            executionDetails=details,
            outputVariables=dict(variables),
        )

    def go_on(self, job_id: str, request_id: str, summary: str) -> bool:
        """Has CodePipeline invoke the function again, with `request_id` as continuation token."""
        details = _details(request_id, summary)
        return self._put(
            "PutJobSuccessResult",
            jobId=job_id,
            executionDetails=details,
            continuationToken=request_id,
        )

    def fail(self, job_id: str, request_id: str, kind: str, message: str) -> bool:
        """Fails the action. `kind`: `JobFailed` or `ConfigurationError`."""
        details = {
            "type": kind,
            "message": message[:_MESSAGE_LIMIT],
            "externalExecutionId": request_id,
        }
        return self._put("PutJobFailureResult", jobId=job_id, failureDetails=details)

    def _put(self, operation: str, **parameters: Any) -> bool:
        def put() -> Any:
            return clients.call(self._client, operation, **parameters)

        return unless_missing(_NOT_WAITING, put) is not None


def _details(request_id: str, summary: str) -> dict[str, str]:
    return {"summary": summary[:_SUMMARY_LIMIT], "externalExecutionId": request_id}

"""An answer or an error as an answer of HTTP: its status, its headers, its JSON.

No internals: an error is its one sentence.
"""

import json
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response

from .. import errors
from ..errors import EcsUpdaterError, InvalidEventError, LeaseHeldError, Outcome, ServerFault

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
RETRY_AFTER = "5"
"""Seconds after which a held service is asked for again: most updates are done by then."""

_STATUS: dict[type[EcsUpdaterError], int] = {
    errors.InvalidEventError: 400,
    errors.InvalidQueryError: 400,
    errors.NotAllowedError: 403,
    errors.ClusterNotFoundError: 404,
    errors.ServiceNotFoundError: 404,
    errors.DeploymentNotFoundError: 404,
    errors.RouteNotFoundError: 404,
    errors.LeaseHeldError: 409,
    errors.PayloadTooLargeError: 413,
    errors.MediaTypeError: 415,
    errors.ConfigurationError: 500,
    errors.InternalError: 500,
    errors.UnknownOutcomeError: 504,
}


def status_of(error: EcsUpdaterError) -> int:
    """The status of an error: 400, 403, 404, 409, 413, 415, 422 are the caller's to change, 500,
    502 and 504 are not.

    What AWS refused, or what a rollout came to, is 422; what a setting does not allow, or AWS does
    not permit the function, 403; what AWS did not answer 504.
    """
    if status := _STATUS.get(type(error)):
        return status
    if error.outcome is Outcome.NOT_PERMITTED and not isinstance(error, errors.LedgerError):
        return 403
    if isinstance(error, ServerFault):
        return 504 if error.outcome is Outcome.UNKNOWN else 502
    return 422


def of_json(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response[str]:
    """An answer; it ends with a newline, for those who read it in a terminal."""
    # In ASCII: a request_id can hold half a character, which has no bytes, and the runtime would
    # end over it.
    text = json.dumps(value) + "\n"
    return Response(status, "application/json", text, headers={**HEADERS, **(headers or {})})


def of_error(error: EcsUpdaterError, request_id: str) -> Response[str]:
    """The answer that tells of an error, in the words that Lambda has for the same."""
    body: dict[str, Any] = {
        "errorType": type(error).__name__,
        "errorMessage": str(error),
        "requestId": request_id,
    }
    if error.hint:
        body["hint"] = error.hint
    if isinstance(error, InvalidEventError):
        body["violations"] = list(error.violations) or [str(error)]
    return of_json(
        body,
        status_of(error),
        {"Retry-After": RETRY_AFTER} if isinstance(error, LeaseHeldError) else None,
    )

"""What both HTTP handlers share: the router and the form of responses and errors.

An error's response has its message only, no internals.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from .. import errors
from ..errors import EcsUpdaterError, Outcome
from ..log import logger
from ..model.field_types import check_types

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
RETRY_AFTER = "5"
"""Seconds after which the caller tries again while the lease is held: most updates take less."""

_STATUS: dict[type[EcsUpdaterError], int] = {
    errors.InvalidEventError: 400,
    errors.InvalidQueryError: 400,
    errors.NotAllowedError: 403,
    errors.ClusterNotFoundError: 404,
    errors.ServiceNotFoundError: 404,
    errors.DeploymentNotFoundError: 404,
    errors.RouteNotFoundError: 404,
    errors.ApprovalsOffError: 403,
    errors.HookNotAwaitedError: 409,
    errors.LeaseHeldError: 409,
    errors.PayloadTooLargeError: 413,
    errors.MediaTypeError: 415,
    errors.ConfigurationError: 500,
    errors.InternalError: 500,
    errors.UnknownOutcomeError: 504,
}


@dataclass(frozen=True)
class _Request:
    """What the routes read of a request of API Gateway, with the types that it always has."""

    path: str
    method: str
    id: str
    identity: Mapping[str, Any] | None
    authorizer: Mapping[str, Any] | None
    headers: Mapping[str, str] | None
    header_values: Mapping[str, Sequence[str]] | None
    parameters: Mapping[str, Sequence[str]] | None
    body: str | None

    @classmethod
    def of(cls, event: Any) -> Self:
        """Reads an event. Raises KeyError, TypeError or AttributeError for any other event."""
        context = event["requestContext"]
        request = cls(
            path=event["path"],
            method=event["httpMethod"],
            id=context["requestId"],
            identity=context.get("identity"),
            authorizer=context.get("authorizer"),
            headers=event.get("headers"),
            header_values=event.get("multiValueHeaders"),
            parameters=event.get("multiValueQueryStringParameters"),
            body=event.get("body"),
        )
        check_types(request)
        return request


def respond(app: APIGatewayRestResolver, event: Any, context: Any) -> dict[str, Any]:
    """Answers a request of API Gateway. Raises InvalidEventError for any other event."""
    try:
        _Request.of(event)
    except (AttributeError, KeyError, TypeError) as error:
        raise errors.InvalidEventError(
            f"the event is not a request of API Gateway: {type(error).__name__}: {error}"
        ) from None
    return app.resolve(event, context)


def new_app() -> APIGatewayRestResolver:
    """Returns Powertools' router without routes. Every error becomes a response."""
    app = APIGatewayRestResolver()

    def _error(error: EcsUpdaterError) -> Response[str]:
        return error_response(error, request_id(app))

    def _defect(error: Exception) -> Response[str]:
        logger.exception(
            "a defect of this function",
            request_id=request_id(app),
            lambda_request_id=app.lambda_context.aws_request_id,
        )
        return _error(
            errors.InternalError(
                f"{type(error).__name__}: a defect of ecs-updater, the "
                "function's log has the details"
            )
        )

    @app.not_found
    def _not_found(_: Exception) -> Response[str]:
        request = app.current_event
        return _error(
            errors.RouteNotFoundError(
                f"there is no {request.http_method} {request.path}: GET / lists the routes"
            )
        )

    # Calls instead of decorators: Powertools does not annotate what exception_handler returns.
    app.exception_handler(EcsUpdaterError)(_error)
    app.exception_handler(Exception)(_defect)
    return app


def request_id(app: APIGatewayRestResolver) -> str:
    """Returns the event's `request_id`, by default API Gateway's id of the request."""
    return app.context.get("request_id") or app.current_event.request_context.request_id


def status_of(error: EcsUpdaterError) -> int:
    """Returns the HTTP status of an error.

    403: AWS does not permit the call, or a setting does not allow the request. 422: AWS rejected
    the request, or the rollout failed. 504: AWS did not answer. 502: any other fault of AWS.
    """
    if status := _STATUS.get(type(error)):
        return status
    if error.outcome is Outcome.NOT_PERMITTED and not isinstance(error, errors.LedgerError):
        return 403
    if isinstance(error, errors.ServerFault):
        return 504 if error.outcome is Outcome.UNKNOWN else 502
    return 422


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response[str]:
    """Returns a JSON response that ends with a newline, for a terminal."""
    # In ASCII: a request_id can have a lone surrogate, which the runtime cannot encode.
    text = json.dumps(value) + "\n"
    return Response(status, "application/json", text, headers={**HEADERS, **(headers or {})})


def error_response(error: EcsUpdaterError, request_id_: str) -> Response[str]:
    """Returns the response of an error, with the field names of Lambda."""
    body: dict[str, Any] = {
        "errorType": type(error).__name__,
        "errorMessage": str(error),
        "requestId": request_id_,
    }
    if error.hint:
        body["hint"] = error.hint
    if isinstance(error, errors.InvalidEventError):
        body["violations"] = list(error.violations) or [str(error)]
    headers = {"Retry-After": RETRY_AFTER} if isinstance(error, errors.LeaseHeldError) else None
    return json_response(body, status_of(error), headers)

"""What both doors of HTTP share: every request gets an answer in the same words, also for no route,
and for a defect.
"""

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from ..errors import EcsUpdaterError, InternalError, RouteNotFoundError
from ..log import logger
from . import http_response


def new_app() -> APIGatewayRestResolver:
    """Powertools' router, without routes."""
    app = APIGatewayRestResolver()

    def _refused(error: EcsUpdaterError) -> Response[str]:
        return http_response.of_error(error, request_id(app))

    def _defect(error: Exception) -> Response[str]:
        logger.exception("a defect of this function")
        return _refused(
            InternalError(
                f"{type(error).__name__}: a defect of ecs-updater, the "
                "function's log has the details"
            )
        )

    @app.not_found
    def _not_found(_: Exception) -> Response[str]:
        request = app.current_event
        return _refused(
            RouteNotFoundError(
                f"there is no {request.http_method} {request.path}: GET / lists the routes"
            )
        )

    # Calls instead of decorators: Powertools does not annotate what exception_handler returns.
    app.exception_handler(EcsUpdaterError)(_refused)
    app.exception_handler(Exception)(_defect)
    return app


def request_id(app: APIGatewayRestResolver) -> str:
    """The id that a request's update has, or would have: the event's own, else API Gateway's of the
    request.
    """
    return app.context.get("request_id") or app.current_event.request_context.request_id

"""``GET``: what only tells. Services, updates, and the API itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from .. import log
from ..context import Call
from ..ledger.queries import Feed
from ..model.arn import account_prefix
from ..settings import StatusSettings
from . import deployment_list, http_response, openapi, query, ui
from . import routes as help_document
from .app import new_app, request_id
from .serializers import Json
from .service_list import Listing


@dataclass(frozen=True)
class Sources:
    """What the answers are made of."""

    listing: Listing
    feed: Feed | None
    environment: Mapping[str, str]
    """The function's."""


def door(sources: Sources) -> APIGatewayRestResolver:
    """The routes."""
    app = new_app()

    def told(make: Callable[[], Json]) -> Response[str]:
        """The answer that ``make`` makes, with its line in the log."""
        log.tell_about(None, request_id(app))
        return http_response.of_json(
            log.logged_read(app.current_event.path, app.lambda_context, make)
        )

    @app.get("/")
    def _help() -> Response[str]:
        settings = StatusSettings.from_environment(sources.environment)
        if not _wants_a_page(app.current_event.headers):
            return http_response.of_json(
                help_document.document(settings.tag_filters, settings.api_auth),
                headers={"Vary": "Accept"},
            )
        document, headers = ui.document(settings.tag_filters, settings.api_auth)
        return Response(
            200,
            "text/html; charset=utf-8",
            document,
            headers={**http_response.HEADERS, **headers, "Vary": "Accept"},
        )

    @app.get("/list")
    def _list() -> Response[str]:
        def page_of_services() -> Json:
            filters = StatusSettings.from_environment(sources.environment).tag_filters
            return sources.listing.page(
                query.list_query(_parameters(app), filters), Call.of(app.lambda_context).time_left
            )

        return told(page_of_services)

    @app.get("/deployments")
    def _deployments() -> Response[str]:
        prefix = _arn_prefix(app.lambda_context)
        return told(
            lambda: deployment_list.deployments(
                sources.feed, query.deployments_query(_parameters(app), prefix)
            )
        )

    @app.get("/deployments/<id_>")
    def _deployment(id_: str) -> Response[str]:
        return told(lambda: deployment_list.deployment(sources.feed, id_))

    @app.get("/openapi.json")
    def _openapi() -> Response[str]:
        settings = StatusSettings.from_environment(sources.environment)
        return http_response.of_json(openapi.document(settings.tag_filters, settings.api_auth))

    return app


def _parameters(app: APIGatewayRestResolver) -> query.Parameters:
    return app.current_event.raw_event.get("multiValueQueryStringParameters") or {}


def _wants_a_page(headers: Mapping[str, str]) -> bool:
    """Whether a browser asks: programs accept anything, or JSON."""
    return "text/html" in (headers.get("accept") or "")


def _arn_prefix(context: Any) -> str:
    """The beginning of ECS's ARNs where the function is: its own ARN says account and region, so
    nobody need be asked.
    """
    return account_prefix(context.invoked_function_arn)

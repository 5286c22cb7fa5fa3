"""The `GET` routes, which only read: services, deployments, and the API's own description."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from .. import log
from ..context import Call
from ..errors import ConfigurationError, DeploymentNotFoundError, InvalidQueryError
from ..ledger.entry import ENTRY, UPDATES, to_item
from ..ledger.queries import UpdateQueries
from ..model.arn import account_prefix
from ..settings import StatusSettings
from . import openapi, query, ui
from .access import EVERYTHING, Access, View
from .app import HEADERS, json_response, new_app, request_id
from .query import INVALID_NEXT, DeploymentsQuery, next_token, position_of
from .serializers import Json, deployment_view, request_id_of, whole_deployment_view
from .service_list import ServiceList

_SERVICE_KEYS = ("pk", "sk")
_ALL_KEYS = ("feed", "begun_at", "pk", "sk")


def status_app(
    services: ServiceList,
    ledger: UpdateQueries | None,
    environment: Mapping[str, str],
    access: Access,
) -> APIGatewayRestResolver:
    """Returns the router."""
    app = new_app()

    def answer(read: Callable[[View], Json]) -> Response[str]:
        call = replace(Call.of(app.lambda_context), id=request_id(app), caller=None)

        def work() -> Json:
            admitted = access.admit(app.current_event.raw_event, call)
            log.add_caller(admitted, app.current_event.raw_event)
            return read(access.view(admitted))

        return json_response(log.log_read(app.current_event.path, call, work))

    def settings() -> StatusSettings:
        return StatusSettings.from_environment(environment)

    def place() -> Json:
        """Returns where the API is. The function's own ARN has account and region."""
        _, _, _, region, account, *_ = app.lambda_context.invoked_function_arn.split(":")
        return {"account": account, "region": region, "environment": settings().environment}

    @app.get("/")
    def _help() -> Response[str]:
        of_api = settings()
        # A browser sent the request: programs accept anything, or JSON.
        if "text/html" not in (app.current_event.headers.get("accept") or ""):
            return json_response(
                openapi.help_document(of_api.tag_filters, of_api.api_auth),
                headers={"Vary": "Accept"},
            )
        page, headers = ui.document(
            of_api.tag_filters, of_api.api_auth, has_approvals=of_api.has_approvals
        )
        return Response(
            200,
            "text/html; charset=utf-8",
            page,
            headers={**HEADERS, **headers, "Vary": "Accept"},
        )

    @app.get("/list")
    def _list() -> Response[str]:
        def page(view: View) -> Json:
            list_query = query.list_query(_parameters(app), settings().tag_filters)
            time_left = Call.of(app.lambda_context).time_left
            return services.page(list_query, time_left, view.scope) | place()

        return answer(page)

    @app.get("/deployments")
    def _deployments() -> Response[str]:
        prefix = account_prefix(app.lambda_context.invoked_function_arn)
        return answer(
            lambda view: (
                deployments(ledger, query.deployments_query(_parameters(app), prefix), view)
                | place()
            )
        )

    @app.get("/deployments/<id_>")
    def _deployment(id_: str) -> Response[str]:
        return answer(lambda view: deployment(ledger, id_, view))

    @app.get("/openapi.json")
    def _openapi() -> Response[str]:
        of_api = settings()
        return json_response(openapi.document(of_api.tag_filters, of_api.api_auth))

    return app


def deployments(
    ledger: UpdateQueries | None, request: DeploymentsQuery, view: View = EVERYTHING
) -> Json:
    """Returns a page of the updates in `view`, the newest first.

    Raises InvalidQueryError, ConfigurationError without a ledger, LedgerError.
    """
    key = position_of(request.next, _SERVICE_KEYS if request.service else _ALL_KEYS)
    # A key that DynamoDB would reject, or that belongs to another list.
    if key and not (key["sk"].startswith(ENTRY) and key["pk"] and key.get("begun_at", "-")):
        raise InvalidQueryError(INVALID_NEXT)
    if key and (key["pk"] != request.service if request.service else key["feed"] != UPDATES):
        raise InvalidQueryError(INVALID_NEXT)
    if not request.service:
        is_wanted = (lambda item: view.may_read(item["service"])) if view.scope else None
        items, position = _existing(ledger).of_all(
            request.limit, key, request.cluster_arn, is_wanted
        )
    elif view.may_read(request.service):
        items, position = _existing(ledger).of_service(request.service, request.limit, key)
    else:
        items, position = [], None  # As of a service without updates.
    return {
        "deployments": [deployment_view(item) | view.actions(item["service"]) for item in items],
        "next": next_token(position) if position else None,
    }


def deployment(ledger: UpdateQueries | None, id_: str, view: View = EVERYTHING) -> Json:
    """Returns one update by its id in the lists.

    Raises DeploymentNotFoundError, also for one that the caller may not read, LedgerError,
    ConfigurationError.
    """
    request_id_ = request_id_of(id_)
    entry = _existing(ledger).find(request_id_) if 0 < len(request_id_) <= 128 else None
    if entry is None or not view.may_read(entry.service):
        raise DeploymentNotFoundError.of(request_id_)
    return whole_deployment_view(to_item(entry)) | view.actions(entry.service)


def _existing(ledger: UpdateQueries | None) -> UpdateQueries:
    if ledger is None:
        raise ConfigurationError(
            "the function's LEDGER_TABLE is empty: without a ledger there is no history"
        )
    return ledger


def _parameters(app: APIGatewayRestResolver) -> query.Parameters:
    return app.current_event.raw_event.get("multiValueQueryStringParameters") or {}

"""The ledger's updates as the API tells them: of all services, of a cluster's, of one service; and
one update.
"""

from ..errors import ConfigurationError, DeploymentNotFoundError, InvalidQueryError, one_line
from ..ledger.entry import ENTRY, to_item
from ..ledger.queries import Feed
from ..ledger.store import UPDATES
from .pagination import NOT_OURS, place_of, token_of
from .query import DeploymentsQuery
from .serializers import Json, deployment_view, request_id_of, whole_deployment_view

_OF_SERVICE = ("pk", "sk")
_OF_ALL = ("feed", "begun_at", "pk", "sk")


def deployments(feed: Feed | None, query: DeploymentsQuery) -> Json:
    """A page of updates, the newest first.

    Raises InvalidQueryError, ConfigurationError without a ledger, LedgerError.
    """
    key = place_of(query.next, _OF_SERVICE if query.service else _OF_ALL)
    # What DynamoDB would refuse, or what is another list's.
    if key and not (key["sk"].startswith(ENTRY) and key["pk"] and key.get("begun_at", "-")):
        raise InvalidQueryError(NOT_OURS)
    if key and (key["pk"] != query.service if query.service else key["feed"] != UPDATES):
        raise InvalidQueryError(NOT_OURS)
    if query.service:
        items, place = _needed(feed).of_service(query.service, query.limit, key)
    else:
        items, place = _needed(feed).of_all(query.limit, key, query.cluster_arn)
    return {
        "deployments": [deployment_view(item) for item in items],
        "next": token_of(place) if place else None,
    }


def deployment(feed: Feed | None, id_: str) -> Json:
    """One update, by the id that the lists tell.

    Raises DeploymentNotFoundError, LedgerError, ConfigurationError.
    """
    request_id = request_id_of(id_)
    entry = _needed(feed).one(request_id) if 0 < len(request_id) <= 128 else None
    if entry is None:
        raise DeploymentNotFoundError(
            f"the ledger has no update {one_line(request_id, 128)!r}, or none any more"
        )
    return whole_deployment_view(to_item(entry))


def _needed(feed: Feed | None) -> Feed:
    if feed is None:
        raise ConfigurationError(
            "the function's LEDGER_TABLE is empty: without a ledger there is no history"
        )
    return feed

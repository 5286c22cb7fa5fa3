"""Errors of requests over HTTP that come to no event: the same request fails again."""

from .base import CallerFault


class RouteNotFoundError(CallerFault):
    """The API has no such route, or none for this method."""

    stage = "http_request"


class MediaTypeError(CallerFault):
    """The body is not said to be JSON."""

    stage = "http_request"


class PayloadTooLargeError(CallerFault):
    """The body has more bytes than any event needs."""

    stage = "http_request"


class InvalidQueryError(CallerFault):
    """A parameter of the query is unknown, or its value means nothing."""

    stage = "http_request"


class DeploymentNotFoundError(CallerFault):
    """The ledger has no update of this id, or none any more."""

    stage = "http_request"

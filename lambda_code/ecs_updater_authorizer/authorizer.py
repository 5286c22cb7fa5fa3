"""A REQUEST authoriser of API Gateway: from the request to the policy, or to a refusal.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ecs_updater.aws.safe_http import Http
from ecs_updater.errors import InvalidEventError, one_line
from ecs_updater.log import logger
from ecs_updater.model.field_types import check_types

from .keys import IssuerKeys, KeysUnavailable
from .settings import AuthorizerSettings
from .token import TokenRejected, bearer_token, verify

RESULT_BYTES = 8000
"""Maximum size of the result. API Gateway takes 8 KB."""


@dataclass(frozen=True)
class _Request:
    """What is read of a request beside the token, with the types that it always has."""

    method_arn: str
    headers: Mapping[str, Sequence[str]] | None
    id: str | None
    ip: str | None

    @classmethod
    def of(cls, event: Any) -> Self:
        """Reads an event. Raises KeyError, TypeError or AttributeError for any other event."""
        context = event.get("requestContext") or {}
        request = cls(
            method_arn=event["methodArn"],
            headers=event.get("multiValueHeaders"),
            id=context.get("requestId"),
            ip=(context.get("identity") or {}).get("sourceIp"),
        )
        check_types(request)
        return request


class Authorizer:
    """Checks the tokens of one issuer and audience. Keeps the issuer's keys between requests."""

    def __init__(self, settings: AuthorizerSettings, keys: IssuerKeys):
        self._settings = settings
        self._keys = keys

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Authorizer":
        """Returns the authoriser of these settings. Raises ConfigurationError."""
        settings = AuthorizerSettings.from_environment(environment)
        http = Http(settings.private_hosts)
        return cls(settings, IssuerKeys(settings.issuer, settings.keys_url, http))

    def authorize(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the policy, with `sub` and `claims` (JSON) as the request's context.

        A rejected token gets a policy that denies: an error would count as a failure of the
        function. Raises KeysUnavailable, for which API Gateway answers 500, and InvalidEventError
        for an event of another source. The reason is in the log, the token in no line.
        """
        try:
            request = _Request.of(event)
        except (AttributeError, KeyError, TypeError):
            raise InvalidEventError("the event is not a request of API Gateway") from None
        fields: dict[str, Any] = {
            "request_id": one_line(request.id or ""),
            "ip": one_line(request.ip or ""),
        }
        try:
            settings = self._settings
            token = bearer_token(event)
            claims = verify(token, self._keys, settings.issuer, settings.audience)
            return _permission(claims, request.method_arn)
        except TokenRejected as rejection:
            logger.warning("the token was rejected", reason=str(rejection), **fields)
            return _result("Deny", "rejected", request.method_arn)
        except KeysUnavailable as failure:
            logger.error("the issuer's keys could not be read", reason=str(failure), **fields)
            raise


def _permission(claims: Mapping[str, Any], method_arn: str) -> dict[str, Any]:
    """Returns the result for a valid token. Raises TokenRejected."""
    result = _result("Allow", claims["sub"], method_arn)
    # API Gateway takes only texts, numbers and booleans.
    result["context"] = {"sub": claims["sub"], "claims": json.dumps(claims, separators=(",", ":"))}
    if len(json.dumps(result)) > RESULT_BYTES:
        raise TokenRejected(f"with its claims the result has more than {RESULT_BYTES} bytes")
    return result


def _result(effect: str, principal: str, method_arn: str) -> dict[str, Any]:
    """Returns the result for every route of the stage.

    The first two parts of the ARN are API and stage. A request's path has no effect on it.
    """
    stage = "/".join(method_arn.split("/")[:2])
    statement = {"Effect": effect, "Action": "execute-api:Invoke", "Resource": f"{stage}/*"}
    return {
        "principalId": principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }

"""A REQUEST authoriser of API Gateway: from the request to the policy, or to a refusal.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
"""

import json
from collections.abc import Mapping
from typing import Any

from ecs_updater.aws.safe_http import Http
from ecs_updater.log import logger

from .keys import IssuerKeys, KeysUnavailable
from .settings import AuthorizerSettings
from .token import TokenRejected, bearer_token, verify

RESULT_BYTES = 8000
"""Maximum size of the result. API Gateway takes 8 KB."""


class Unauthorized(Exception):
    """API Gateway answers 401 to an error with exactly the text `Unauthorized`."""


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

        Raises Unauthorized, and KeysUnavailable, for which API Gateway answers 500. The reason is
        in the log, the token in no line.
        """
        request = event.get("requestContext") or {}
        fields: dict[str, Any] = {
            "request_id": request.get("requestId"),
            "ip": (request.get("identity") or {}).get("sourceIp"),
        }
        try:
            settings = self._settings
            token = bearer_token(event)
            return _result(
                verify(token, self._keys, settings.issuer, settings.audience), event["methodArn"]
            )
        except TokenRejected as rejection:
            logger.warning("the token was rejected", reason=str(rejection), **fields)
            raise Unauthorized("Unauthorized") from None
        except KeysUnavailable as failure:
            logger.error("the issuer's keys could not be read", reason=str(failure), **fields)
            raise


def _result(claims: Mapping[str, Any], method_arn: str) -> dict[str, Any]:
    """Returns the result for every route of the stage. Raises TokenRejected.

    The first two parts of the ARN are API and stage. A request's path has no effect on it.
    """
    stage = "/".join(method_arn.split("/")[:2])
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"{stage}/*"}
    result = {
        "principalId": claims["sub"],
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        # API Gateway takes only texts, numbers and booleans.
        "context": {"sub": claims["sub"], "claims": json.dumps(claims, separators=(",", ":"))},
    }
    if len(json.dumps(result)) > RESULT_BYTES:
        raise TokenRejected(f"with its claims the result has more than {RESULT_BYTES} bytes")
    return result

"""From a request to its caller, and to the scope of this caller.

API Gateway authenticates the caller, and writes the identity into `requestContext`:
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html#context-variable-reference
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..aws.parameter import Parameter
from ..aws.targets import TargetAccess
from ..context import Call
from ..errors import ConfigurationError, NotAllowedError
from ..model.scopes import API_KEY, SUB, Action, Caller, Scope, Scopes
from ..settings import IAM, JWT, api_auth

CACHE_SECONDS = 60.0
"""Seconds for which the scopes are kept in memory."""

_JWT_WITHOUT_SCOPES = (
    "the function's API_AUTH is jwt and its SCOPES_PARAMETER is empty: set it to the parameter "
    "with the scopes, because an issuer also signs tokens for others"
)

_WHAT = {IAM: "signature", JWT: "bearer token"}


class Access:
    """What the callers of the API may do. Create it at module scope."""

    def __init__(
        self,
        environment: Mapping[str, str],
        targets: TargetAccess,
        scopes: Parameter[Scopes] | None = None,
    ):
        """`scopes`: by default the parameter `SCOPES_PARAMETER`. Without one there are none."""
        self._environment, self._targets = environment, targets
        name = environment.get("SCOPES_PARAMETER")
        if name and scopes is None:
            scopes = Parameter(name, "SCOPES_PARAMETER", lambda text: Scopes.parse(text, name))
        self._scopes = scopes

    def admit(self, event: Mapping[str, Any], call: Call) -> Call:
        """Returns the call with the caller of API Gateway's event, and with the caller's scope.

        Raises ConfigurationError if the scopes cannot be read, are not valid, or are missing with
        `API_AUTH=jwt`, and NotAllowedError if there are scopes and the request has no identity.
        """
        auth = api_auth(self._environment)
        caller = caller_of(event.get("requestContext") or {}, auth)
        if self._scopes is None:
            if auth == JWT:
                raise ConfigurationError(_JWT_WITHOUT_SCOPES)
            return replace(call, caller=caller.full_name if caller else "HTTP")
        scopes = self._scopes.content(CACHE_SECONDS)
        if caller is None:
            what = _WHAT.get(auth, "API key")
            raise NotAllowedError(
                f"the request is not allowed: its caller is not known, because it has no {what} "
                f"(API_AUTH is {auth})"
            )
        return replace(call, caller=caller.full_name, scope=scopes.of(caller))

    def view(self, call: Call) -> "View":
        """Returns what the caller of an admitted call may read."""
        return View(call.scope, self._targets)


@dataclass(frozen=True)
class View:
    """The services that a caller may read, with their updates."""

    scope: Scope | None = None
    """None: all of them."""
    targets: TargetAccess | None = None

    def may_read(self, key: str) -> bool:
        """Returns whether the caller may read the service of this key, see `model.arn`.

        Raises ConfigurationError if the targets cannot be read.
        """
        return self.scope is None or Action.READ in self._actions_on(key)

    def actions(self, key: str) -> dict[str, list[str]]:
        """Returns the field `actions` of a service's view. Without scopes there is none.

        Raises ConfigurationError if the targets cannot be read.
        """
        return {} if self.scope is None else {"actions": self._actions_on(key)}

    def _actions_on(self, key: str) -> list[str]:
        assert self.scope and self.targets
        return self.scope.actions_on_key(key, self.targets.home, self.targets.target_name)


EVERYTHING = View()


def caller_of(context: Mapping[str, Any], auth: str) -> Caller | None:
    """Returns the caller of a `requestContext`, by the one kind of identity that `auth` verifies.

    `auth`: `API_AUTH`. None: the request has no such identity.
    """
    identity = context.get("identity") or {}
    if auth == JWT:
        return _of_token(context.get("authorizer") or {})
    if auth == IAM:
        return Caller.of_arn(arn) if (arn := _text(identity.get("userArn"))) else None
    return Caller(API_KEY, key) if (key := _text(identity.get("apiKeyId"))) else None


def _of_token(authorizer: Mapping[str, Any]) -> Caller | None:
    """Returns the caller of the authoriser's context: `sub`, and `claims` as JSON text."""
    sub = _text(authorizer.get("sub"))
    try:
        claims = json.loads(_text(authorizer.get("claims")) or "{}")
    except (ValueError, RecursionError):
        return None
    return Caller(SUB, sub, claims) if sub and isinstance(claims, dict) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

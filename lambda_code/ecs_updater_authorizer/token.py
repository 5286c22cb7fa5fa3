"""Checks a bearer token: a JSON Web Token that the issuer signed for this API.

The algorithm is the key's and never the token's choice. https://www.rfc-editor.org/rfc/rfc8725
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import jwt

from ecs_updater.errors import one_line

from .keys import IssuerKeys

MOST_CHARACTERS = 10_000
"""Maximum characters of a token. API Gateway takes at most 10,240 bytes of headers."""
LEEWAY_SECONDS = 60
"""Difference between the clocks of issuer and AWS that `exp`, `nbf` and `iat` may have."""
_SUBJECT_LIMIT = 1024

_BEARER = re.compile(r"bearer +([\w-]+\.[\w-]+\.[\w-]+) *", re.ASCII | re.IGNORECASE)
_REASONS: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not valid yet (nbf or iat)",
    jwt.InvalidAudienceError: "its aud is not JWT_AUDIENCE",
    jwt.InvalidIssuerError: "its iss is not JWT_ISSUER",
    jwt.InvalidSignatureError: "its signature is wrong",
}


class TokenRejected(Exception):
    """There is no valid token. The text is the reason; it has at most the token's `kid`."""


def bearer_token(event: Mapping[str, Any]) -> str:
    """Returns the token of the only Authorization header of a request. Raises TokenRejected."""
    values = [
        value
        for name, of_name in (event.get("multiValueHeaders") or {}).items()
        if name.lower() == "authorization"
        for value in of_name
    ]
    if len(values) != 1:
        raise TokenRejected(f"{len(values)} headers Authorization instead of one")
    if len(values[0]) > MOST_CHARACTERS:
        raise TokenRejected(f"a header Authorization of more than {MOST_CHARACTERS} characters")
    match = _BEARER.fullmatch(values[0])
    if not match:
        raise TokenRejected("the header Authorization is not 'Bearer' and a JSON Web Token")
    return match[1]


def verify(token: str, keys: IssuerKeys, issuer: str, audience: str) -> dict[str, Any]:
    """Returns the claims of a valid token. Raises TokenRejected, KeysUnavailable."""
    try:
        header = jwt.get_unverified_header(token)
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise TokenRejected("its header has no kid")
        if header.keys() & {"crit", "b64"}:
            raise TokenRejected("its header has crit or b64, which are not supported")
        key = keys.find(kid)
        if key is None:
            raise TokenRejected(f"the issuer has no key for its kid {one_line(kid, 80)!r}")
        # PyJWT rejects a token with another algorithm than the key's.
        claims: dict[str, Any] = jwt.decode(
            token,
            key.public,
            algorithms=[key.algorithm],
            audience=audience,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
        json.dumps(claims, allow_nan=False)
    # The others are of numbers and nesting that Python refuses.
    except (jwt.InvalidTokenError, ValueError, OverflowError, TypeError, RecursionError) as error:
        reason = _REASONS.get(type(error)) or f"it is not valid: {type(error).__name__}"
        if isinstance(error, jwt.MissingRequiredClaimError):
            reason = f"it has no {error.claim}"
        raise TokenRejected(reason) from None
    subject = claims["sub"]
    is_text = isinstance(subject, str) and subject.isprintable()
    if not is_text or not 0 < len(subject) <= _SUBJECT_LIMIT:
        raise TokenRejected(f"its sub is not a text of 1 to {_SUBJECT_LIMIT} printable characters")
    return claims

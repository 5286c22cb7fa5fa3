"""The way in of bearer tokens: the authoriser of the API."""

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from types import SimpleNamespace
from typing import Any

import jwt

from ecs_updater.aws.safe_http import Response
from ecs_updater.errors import InvalidEventError
from ecs_updater_authorizer.authorizer import RESULT_BYTES, Authorizer
from ecs_updater_authorizer.keys import IssuerKeys, KeysUnavailable
from ecs_updater_authorizer.settings import AuthorizerSettings

from ..issuer import AUDIENCE, P256, Issuer
from .answers import Answer, Event, delivered, envelope
from .mutation import Generator, text_of
from .setting import Setting

_ISSUER, _ALGORITHM = "https://issuer.example.com", "ES256"
_SETTINGS = AuthorizerSettings(_ISSUER, AUDIENCE)


def authorizer(setting: Setting) -> Event:
    """The authoriser, with a token that is valid, or was changed before or after its signature."""
    draw, issuer = setting.draw, Issuer()
    issuer.url = _ISSUER
    signed = _signed(draw, issuer)
    token = draw.damaged(signed) if draw.chance(0.15) else signed
    values = [draw.pick(("Bearer ", "Bearer ", "Bearer ", "bearer  ", "Basic ", "")) + token]
    headers = {draw.pick(("Authorization", "authorization", "X-Odd")): values}
    text, event = delivered(
        draw,
        lambda _: envelope(
            draw,
            {
                "methodArn": "arn:aws:execute-api:eu-west-1:000000000000:an-api/v1/GET/list",
                "multiValueHeaders": headers,
                "requestContext": {"requestId": "r-1", "identity": {"sourceIp": "192.0.2.1"}},
            },
        ),
    )
    keys = {"keys": issuer.keys}
    body = draw.written(draw.mutated(keys)) if draw.chance(0.1) else text_of(keys)
    status = 500 if draw.chance(0.05) else 200
    answer = Response(status, {}, body.encode("utf-8", "surrogatepass"))
    http: Any = SimpleNamespace(get=lambda *_: answer)

    def invoke() -> Answer:
        checked = Authorizer(_SETTINGS, IssuerKeys(_ISSUER, f"{_ISSUER}/keys", http))
        try:
            result = checked.authorize(event)
        except (InvalidEventError, KeysUnavailable) as error:
            return Answer([type(error).__name__], True, False, [str(error)])
        shown = json.dumps(result)
        if result["policyDocument"]["Statement"][0]["Effect"] == "Deny":
            return Answer(["Deny"], True, False, [shown])
        wrong = [] if len(shown) <= RESULT_BYTES else [f"a result of {len(shown)} bytes"]
        wrong += [] if f'{signed}"' in text and _is_valid(signed) else ["a wrong token is accepted"]
        return Answer(["Allow"], False, False, [shown], wrong)

    return Event(text, {part for part in token.split(".") if len(part) > 20}, invoke)


def _signed(draw: Generator, issuer: Issuer) -> str:
    """Returns a token that the issuer has signed, whatever it says."""
    claims = issuer.claims() | draw.some({"nbf": 1, "iat": 1, "owner": "acme", "aud": [AUDIENCE]})
    header = {"alg": _ALGORITHM, "kid": "ec", "typ": "JWT"}
    parts = [
        _encoded(text_of(draw.mutated(part, most)).encode())
        for part, most in ((header, draw.pick((0, 0, 1))), (claims, draw.pick((0, 1, 1, 2))))
    ]
    signature = jwt.get_algorithm_by_name(_ALGORITHM).sign(".".join(parts).encode(), P256)
    return ".".join((*parts, _encoded(signature)))


def _encoded(part: bytes) -> str:
    return urlsafe_b64encode(part).decode().rstrip("=")


def _is_valid(token: str) -> bool:
    """Whether a signed token is one of this issuer for this API, in other words than the code's."""
    header, claims = (json.loads(urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    expiry = claims["exp"]
    return (
        (header["alg"], header["kid"], claims["iss"]) == (_ALGORITHM, "ec", _ISSUER)
        and AUDIENCE in audience
        and (int(expiry) if isinstance(expiry, str) else expiry) > time.time() - 61
        and isinstance(claims["sub"], str)
    )

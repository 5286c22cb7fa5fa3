"""The issuer's public keys: a JSON Web Key Set, read over HTTPS and cached.

Keys come from the configured issuer only. What a token says about its keys, such as `jku`, `x5u`
or `jwk`, is not read. https://www.rfc-editor.org/rfc/rfc7517
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

from ecs_updater.aws.safe_http import Http, HttpFailure

RS256, ES256 = "RS256", "ES256"
LIFETIME_SECONDS = 3600.0
"""Seconds that keys are used after they were read."""
REFETCH_SECONDS = 60.0
"""Minimum seconds between two reads because of an unknown `kid`."""
RETRY_SECONDS = 5.0
"""Minimum seconds between two reads while there are no keys."""

_DISCOVERY = "/.well-known/openid-configuration"
_BYTES, _SECONDS = 1 << 18, 4.0
"""Bounds of each of the two responses."""
_MOST_KEYS = 100
_RSA_BITS = range(2048, 8193)
"""Sizes that RS256 permits and that are fast to check: https://www.rfc-editor.org/rfc/rfc7518"""


class KeysUnavailable(Exception):
    """The issuer's keys could not be read. The text is the reason."""


@dataclass(frozen=True)
class Key:
    """A public key and the only algorithm that it is used with."""

    algorithm: str
    public: RSAPublicKey | EllipticCurvePublicKey


class IssuerKeys:
    """The keys of one issuer, by `kid`. Not for several threads."""

    def __init__(
        self, issuer: str, url: str, http: Http, clock: Callable[[], float] = time.time
    ) -> None:
        """`url`: address of the keys; empty: OpenID Connect discovery. `clock`: seconds."""
        self._issuer = issuer
        self._url = url
        self._http = http
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self._read_at = self._tried_at = float("-inf")
        self._failure = ""

    def find(self, kid: str) -> Key | None:
        """Returns the key, or None: the issuer has no such key. Raises KeysUnavailable.

        A failed read keeps the keys that are younger than an hour.
        """
        now = self._clock()
        is_fresh = now - self._read_at < LIFETIME_SECONDS
        wait = REFETCH_SECONDS if is_fresh else RETRY_SECONDS
        if not (is_fresh and kid in self._keys) and now - self._tried_at >= wait:
            self._tried_at = now
            try:
                self._keys, self._read_at, self._failure = self._read(), now, ""
                is_fresh = True
            except (HttpFailure, KeysUnavailable) as failure:
                self._failure = str(failure)
        if not is_fresh or (self._failure and kid not in self._keys):
            raise KeysUnavailable(self._failure)
        return self._keys.get(kid)

    def _read(self) -> dict[str, Key]:
        url = self._url or self._discovered()
        keys = self._json(url).get("keys")
        if not isinstance(keys, list) or len(keys) > _MOST_KEYS:
            raise KeysUnavailable(f"the keys have no list keys of at most {_MOST_KEYS} members")
        # The first of several keys with the same kid is used.
        found = dict(filter(None, map(_parsed, reversed(keys))))
        if not found:
            raise KeysUnavailable("none of the keys is an RSA key of 2048 bits or a P-256 key")
        return found

    def _discovered(self) -> str:
        """Returns the address of the keys that the issuer publishes.

        https://openid.net/specs/openid-connect-discovery-1_0.html
        """
        document = self._json(self._issuer.rstrip("/") + _DISCOVERY)
        url = document.get("jwks_uri")
        if document.get("issuer") != self._issuer or not isinstance(url, str):
            raise KeysUnavailable("the discovery document is of another issuer or has no jwks_uri")
        return url

    def _json(self, url: str) -> Mapping[str, Any]:
        response = self._http.get(url, {"Accept": "application/json"}, _BYTES, _SECONDS)
        if response.status != 200:
            raise KeysUnavailable(f"the issuer answered with status {response.status}")
        try:
            document = json.loads(response.body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise KeysUnavailable("the issuer answered with something other than a JSON object")
        return document


def _parsed(jwk: Any) -> tuple[str, Key] | None:
    """Returns `kid` and key of a JSON Web Key, or None for a key that is not used.

    Only the public members are read.
    """
    if not isinstance(jwk, dict) or not isinstance(kid := jwk.get("kid"), str):
        return None
    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ["verify"]):
        return None
    try:
        match jwk.get("kty"):
            case "RSA" if jwk.get("alg", RS256) == RS256:
                rsa = RSAAlgorithm.from_jwk({name: jwk[name] for name in ("kty", "n", "e")})
                if isinstance(rsa, RSAPublicKey) and rsa.key_size in _RSA_BITS:
                    return kid, Key(RS256, rsa)
            case "EC" if jwk.get("alg", ES256) == ES256 and jwk.get("crv") == "P-256":
                curve = ECAlgorithm.from_jwk({name: jwk[name] for name in ("kty", "crv", "x", "y")})
                if isinstance(curve, EllipticCurvePublicKey):
                    return kid, Key(ES256, curve)
    except (InvalidKeyError, KeyError, TypeError, ValueError):
        pass  # Not a key.
    return None

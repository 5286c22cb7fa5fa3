"""Reads manifests and small blobs by the OCI distribution API, without credentials.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md. Some registries require an
anonymous token: https://distribution.github.io/distribution/spec/auth/token/. Manifests are read
with GET, because HEAD does not return the platforms. Docker Hub counts that as a pull.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

from ..errors import ImageMissing, RegistryFailure
from .safe_http import Http, HttpFailure, Response

MANIFEST_LIMIT = 4 << 20
"""Maximum bytes of a manifest: the minimum that registries must accept."""
BLOB_LIMIT = 4 << 20
"""Maximum bytes of a configuration, which usually has some thousands."""

_TOKEN_LIMIT = 1 << 16
_SECONDS = 10.0
"""Maximum seconds for a manifest or blob, with token and redirects."""
_TOKEN_SECONDS = 50.0
"""Seconds that a token is reused. The specification requires at least 60 of validity."""
_HOSTS = {"docker.io": "registry-1.docker.io"}
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,16384}")
_PRIVATE = "the registry requires credentials for it: it is private there, or does not exist"


class Oci:
    """Client of registries, by the host of an image reference.

    Raises ImageMissing or RegistryFailure.
    """

    def __init__(self, http: Http, clock: Callable[[], float] = time.monotonic):
        self._http = http
        self._clock = clock
        self._tokens: dict[tuple[str, str], tuple[str, float]] = {}

    def manifest(
        self, registry: str, path: str, reference: str, accept: tuple[str, ...]
    ) -> tuple[str, bytes]:
        """Returns media type and bytes of a manifest. `reference`: tag or digest."""
        response = self._get(
            registry, path, f"manifests/{reference}", MANIFEST_LIMIT, {"Accept": ", ".join(accept)}
        )
        return response.headers.get("content-type", ""), response.body

    def blob(self, registry: str, path: str, digest: str) -> bytes:
        """Returns a small blob, not compared with its digest."""
        return self._get(registry, path, f"blobs/{digest}", BLOB_LIMIT, {}).body

    def _get(
        self, registry: str, path: str, what: str, limit: int, headers: Mapping[str, str]
    ) -> Response:
        until = self._clock() + _SECONDS
        try:
            origin = self._http.origin(_HOSTS.get(registry, registry))
            url = f"{origin}/v2/{path}/{what}"
            token, expires_at = self._tokens.get((registry, path), ("", 0.0))
            if self._clock() >= expires_at:
                token = ""
            response = self._http.get(url, _with(headers, token), limit, until - self._clock())
            # A host to which the registry redirects must not request a token: it would get ours.
            if response.status == 401 and not response.is_of_another_origin:
                token = self._new_token(registry, path, response, until, origin)
                response = self._http.get(url, _with(headers, token), limit, until - self._clock())
        except HttpFailure as failure:
            raise RegistryFailure(str(failure)) from failure
        if response.status == 200:
            return response
        raise _failure(response)

    def _new_token(
        self, registry: str, path: str, challenged: Response, until: float, origin: str
    ) -> str:
        scheme, _, parameters = challenged.headers.get("www-authenticate", "").partition(" ")
        challenge = dict(_CHALLENGE.findall(parameters))
        if scheme.lower() != "bearer" or "realm" not in challenge:
            raise RegistryFailure(_PRIVATE)
        query = {"service": challenge.get("service"), "scope": f"repository:{path}:pull"}
        separator = "&" if urlsplit(challenge["realm"]).query else "?"
        url = (
            challenge["realm"]
            + separator
            + urlencode({name: value for name, value in query.items() if value})
        )
        response = self._http.get(
            url,
            {"Accept": "application/json"},
            _TOKEN_LIMIT,
            until - self._clock(),
            registry=origin,
        )
        if response.status in (401, 403):
            raise RegistryFailure(_PRIVATE)
        if response.status != 200:
            raise _failure(response, "the registry's token service")
        token = _token(response.body)
        self._tokens[registry, path] = (token, self._clock() + _TOKEN_SECONDS)
        return token


def _with(headers: Mapping[str, str], token: str) -> dict[str, str]:
    return {
        **headers,
        "User-Agent": "ecs-updater",
        **({"Authorization": f"Bearer {token}"} if token else {}),
    }


def _token(body: bytes) -> str:
    with suppress(ValueError, AttributeError, RecursionError):
        answer: Any = json.loads(body)
        token = answer.get("token") or answer.get("access_token")
        if isinstance(token, str) and _TOKEN.fullmatch(token):
            return token
    raise RegistryFailure("the registry's token service returned no token")


def _failure(response: Response, host: str = "the registry") -> Exception:
    """Returns the failure of a response whose status is not 200."""
    if response.status == 404 and host == "the registry":
        return ImageMissing(_missing_part(response.body))
    if response.status in (401, 403):
        return RegistryFailure(_PRIVATE)
    if response.status == 429:
        return RegistryFailure(f"{host} rejects further requests for now: too many requests")
    return RegistryFailure(f"{host} answered with the status {response.status}")


def _missing_part(body: bytes) -> str:
    """Returns what is missing, by the code in the response. Its text is not repeated."""
    try:
        code = json.loads(body)["errors"][0]["code"]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        code = None
    return (
        "it has no repository of that name"
        if code == "NAME_UNKNOWN"
        else "its repository has no such tag or digest"
    )

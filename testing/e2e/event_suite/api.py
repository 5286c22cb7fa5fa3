"""The deployed API over HTTP: its address, its key and, where it wants one, a signature; what it
answers.
"""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError

JSON = "application/json"
_SECONDS = 60  # The gateway gives up after 29.
_READY_SECONDS = 120
_PAUSE = 1.0
_ATTEMPTS = 10


class ApiUnusable(Exception):
    """There is no API, no key, or no answer; the text says so in one line, and has no key in it."""


@dataclass(frozen=True)
class Reply:
    """An answer with any status."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    content: bytes

    def json(self) -> Any:
        """The body. Raises ApiUnusable when it is no JSON."""
        try:
            return json.loads(self.content)
        except ValueError:
            raise ApiUnusable(
                f"the API answered {self.status} with no JSON: {self.content[:200]!r}"
            ) from None


Sign = Callable[[str, str, bytes | None, Mapping[str, str]], Mapping[str, str]]
"""Makes the headers of a signed request: of its method, address, body and headers."""


@dataclass(frozen=True)
class Api:
    """One API and the key for it."""

    url: str
    key: str = field(repr=False)
    sign: Sign | None = field(default=None, repr=False)
    sleep: Callable[[float], object] = field(default=time.sleep, repr=False)

    def call(
        self,
        method: str,
        route: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Reply:
        """Calls a route, such as ``list?images=1``; ``key`` goes in the place of the API's own, an
        empty one is left out.

        Calls again when it was throttled, after the time that the API asks for. Raises ApiUnusable.
        """
        key = self.key if key is None else key
        sent = dict(headers or {}) | ({"x-api-key": key} if key else {})
        for _ in range(_ATTEMPTS):
            reply = self._send(method, f"{self.url}/{route}", body, sent)
            if reply.status != 429:
                return reply
            self.sleep(float(reply.headers.get("retry-after", _PAUSE)))
        raise ApiUnusable(
            f"the API took no call at each of {_ATTEMPTS} attempts: {reply.content[:200]!r}"
        )

    def post(self, route: str, value: Any, headers: Mapping[str, str] | None = None) -> Reply:
        """Posts a value as JSON."""
        return self.call(
            "POST", route, json.dumps(value).encode(), {"Content-Type": JSON, **(headers or {})}
        )

    def wait(self, clock: Callable[[], float] = time.monotonic) -> "Api":
        """Waits until the API lets its key in: a key and a stage that were made just now are not
        known everywhere at once.

        Raises ApiUnusable when it does not within two minutes.
        """
        deadline = clock() + _READY_SECONDS
        while True:
            try:
                reply = self.call("GET", "openapi.json")
                if reply.status != 403:
                    return self
                reason = f"it answers 403: {reply.content[:200]!r}"
            except ApiUnusable as unusable:
                reason = str(unusable)
            if clock() > deadline:
                raise ApiUnusable(
                    f"{self.url} does not let its key in within {_READY_SECONDS} seconds: {reason}"
                )
            self.sleep(_PAUSE)

    def _send(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        if self.sign:
            headers = self.sign(method, url, body, headers)
        request = urllib.request.Request(url, body, dict(headers), method=method)
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                return _reply(answer.status, answer)
        except urllib.error.HTTPError as error:
            with error:
                return _reply(error.code, error)
        except (OSError, http.client.HTTPException) as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ApiUnusable(f"{method} {url} had no answer: {reason}") from None


def from_environment(environment: Mapping[str, str]) -> Api:
    """The API at ``$API_URL``, with the value of the key ``$API_KEY_ID``, and signatures for
    ``API_AUTH=iam``.

    Raises ApiUnusable.
    """
    try:
        url, number = environment["API_URL"].rstrip("/"), environment["API_KEY_ID"]
    except KeyError as name:
        raise ApiUnusable(f"there is no setting {name}: make run-api-test gives it") from None
    session = boto3.Session()
    try:
        key = session.client("apigateway").get_api_key(apiKey=number, includeValue=True)["value"]
    except (BotoCoreError, ClientError) as error:
        raise ApiUnusable(
            f"the API's key cannot be read: {' '.join(str(error).split())[:300]}"
        ) from None
    return Api(url, key, signer(session) if environment.get("API_AUTH") == "iam" else None)


def signer(session: boto3.Session) -> Sign:
    """Signs with the credentials of a session:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
    """
    credentials = session.get_credentials()
    if credentials is None:
        raise ApiUnusable("there are no credentials to sign with, which API_AUTH=iam asks for")

    def sign(
        method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        request = AWSRequest(method, url, dict(headers), body)
        SigV4Auth(
            credentials.get_frozen_credentials(), "execute-api", session.region_name
        ).add_auth(request)
        return dict(request.headers)

    return sign


def _reply(status: int, answer: Any) -> Reply:
    return Reply(
        status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    )

"""The deployed API over HTTP: its address, its key and, where it wants one, a signature; what it
answers.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

JSON = "application/json"
_SECONDS = 60  # The gateway gives up after 29.

THROTTLED = Retry(
    10,
    connect=0,
    read=0,
    other=0,
    allowed_methods=None,
    status_forcelist=(429,),
    backoff_factor=1,
    backoff_max=1,
)
"""Calls again what was throttled, after the time that the API asks for."""
HELD = THROTTLED.new(status_forcelist=(409, 429))
"""Calls again what another update holds, too."""
_UNTIL_READY = THROTTLED.new(
    total=120, connect=120, read=120, other=120, status_forcelist=(403, 429)
)
"""For two minutes."""

Sign = Callable[[requests.PreparedRequest], requests.PreparedRequest]


@dataclass(frozen=True)
class Api:
    """One API and the key for it."""

    url: str
    key: str = field(repr=False)
    sign: Sign | None = field(default=None, repr=False)

    def call(
        self,
        method: str,
        route: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
        repeat: Retry = THROTTLED,
    ) -> requests.Response:
        """Calls a route, such as ``list?images=1``; ``key`` goes in the place of the API's own, an
        empty one is left out.

        Raises RequestException, with no key in it, when there is no answer, or only ones to repeat.
        """
        key = self.key if key is None else key
        with requests.Session() as session:
            session.mount(self.url, HTTPAdapter(max_retries=repeat))
            session.headers = {**(headers or {}), **({"x-api-key": key} if key else {})}
            return session.request(
                method, f"{self.url}/{route}", data=body, auth=self.sign, timeout=_SECONDS
            )

    def post(
        self, route: str, value: Any, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """Posts a value as JSON, again while another update holds the service."""
        body, headers = json.dumps(value).encode(), {"Content-Type": JSON, **(headers or {})}
        return self.call("POST", route, body, headers, repeat=HELD)

    def wait(self) -> "Api":
        """Waits until the API lets its key in: a key and a stage that were made just now are not
        known everywhere at once.
        """
        self.call("GET", "openapi.json", repeat=_UNTIL_READY)
        return self


def from_environment(environment: Mapping[str, str]) -> Api:
    """The API at ``$API_URL``, with the value of the key ``$API_KEY_ID``, and signatures for
    ``API_AUTH=iam``.
    """
    session = boto3.Session()
    key = session.client("apigateway").get_api_key(
        apiKey=environment["API_KEY_ID"], includeValue=True
    )["value"]
    sign = signer(session) if environment.get("API_AUTH") == "iam" else None
    return Api(environment["API_URL"].rstrip("/"), key, sign)


def signer(session: boto3.Session) -> Sign:
    """Signs with the credentials of a session:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
    """
    credentials = session.get_credentials()
    assert credentials, "the session that has read the key has credentials"

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        signed = AWSRequest(request.method, request.url, data=request.body)
        SigV4Auth(
            credentials.get_frozen_credentials(), "execute-api", session.region_name
        ).add_auth(signed)
        request.headers.update(signed.headers)
        return request

    return sign

"""Requests as API Gateway hands them to Lambda, for tests that call a handler in this process.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-input-format
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ecs_updater.api.access import Access
from ecs_updater.aws.targets import TargetAccess

REQUEST_ID = "0a1b2c3d-0000-4000-8000-000000000000"
CONTEXT = SimpleNamespace(
    aws_request_id="11111111-0000-4000-8000-000000000000",
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:ecs-updater-api-status",
    get_remaining_time_in_millis=lambda: 29_000,
)
JSON = {"Content-Type": "application/json"}
NO_SCOPES = Access({}, TargetAccess())


@dataclass(frozen=True)
class Answer:
    """What a client gets."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body."""
        assert self.headers["Content-Type"].startswith("application/json"), self.headers
        return json.loads(self.text)


def event(
    method: str,
    address: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    **identity: str,
) -> dict[str, Any]:
    """The event of a request; a body that is not text goes as JSON."""
    parts = urlsplit(address)
    query = parse_qs(parts.query, keep_blank_values=True)
    given = {
        "Host": "a1b2c3.execute-api.eu-west-1.amazonaws.com",
        **(JSON if body is not None else {}),
        **(headers or {}),
    }
    return {
        "resource": parts.path,
        "path": parts.path,
        "httpMethod": method,
        "headers": given,
        "multiValueHeaders": {name: [value] for name, value in given.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "requestId": REQUEST_ID,
            "stage": "v1",
            "path": f"/v1{parts.path}",
            "httpMethod": method,
            "identity": {"sourceIp": "192.0.2.7", **identity},
        },
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }


def ask(
    handler: Callable[[dict[str, Any], Any], dict[str, Any]], *request: Any, **more: Any
) -> Answer:
    """Returns the answer of a handler to a request; see `event`."""
    answer = handler(event(*request, **more), CONTEXT)
    headers = {name: values[0] for name, values in answer["multiValueHeaders"].items()}
    assert not answer["isBase64Encoded"]
    return Answer(answer["statusCode"], headers, answer["body"])

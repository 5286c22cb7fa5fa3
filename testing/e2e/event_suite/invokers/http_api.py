"""``POST /update``: the event goes to the API over HTTP, with its key.

An error has its type here, wherever the API is deployed.
"""

from collections.abc import Mapping
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from requests import RequestException, Response

from ..api import HELD, JSON, from_environment
from . import MESSAGE, VIOLATION, Invocation, InvocationFailed, Invoker


def invoker(environment: Mapping[str, str]) -> Invoker:
    """Invokes through the API at ``$API_URL``.

    A service that another update holds is tried again when the API says so.
    """

    def failed(error: Exception) -> InvocationFailed:
        return InvocationFailed(f"the API had no answer: {' '.join(str(error).split())[:300]}")

    try:
        api = from_environment(environment).wait()
    except (RequestException, BotoCoreError, ClientError) as error:
        raise failed(error) from None

    def invoke(event_file: Path) -> Invocation:
        body, headers = event_file.read_bytes(), {"Content-Type": JSON}
        try:
            return _invocation(api.call("POST", "update", body, headers, repeat=HELD))
        except RequestException as error:
            raise failed(error) from None

    return invoke


def _invocation(reply: Response) -> Invocation:
    """What came back: the contract's body and the id of the request, or an error with that id."""
    answer = reply.json()
    try:
        assert isinstance(answer.pop("requestId"), str)
        if reply.status_code < 300:
            return Invocation({"statusCode": reply.status_code, "body": answer})
        message = answer["errorMessage"]
    except (LookupError, TypeError, AttributeError, AssertionError):
        raise InvocationFailed(
            f"the API's answer {reply.status_code} is incomplete: {reply.content[:300]!r}"
        ) from None
    # The gateway's error has a header that no function sets.
    is_gateways = reply.headers.get("x-amzn-errortype") == "BadRequestException"
    hidden = frozenset({VIOLATION} if is_gateways and message == MESSAGE else ())
    return Invocation(None, answer.get("errorType"), message, hidden)

"""The suites' client of the API over HTTP: what it sends, when it calls again, and what it makes of
the answers.
"""

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.stub import Stubber

from e2e.event_suite import api as api_module
from e2e.event_suite.api import Api, ApiUnusable, from_environment, signer
from e2e.event_suite.invokers import Invocation, InvocationFailed, gateway, http_api

KEY = "0123456789-a-key-0123456789"
FORBIDDEN = (403, {}, {"errorType": "Forbidden", "errorMessage": "no", "requestId": "1"})
THROTTLED = (
    429,
    {"Retry-After": "3"},
    {"errorType": "TooManyRequests", "errorMessage": "no", "requestId": "1"},
)
HELD = (
    409,
    {"Retry-After": "5"},
    {"errorType": "LeaseHeldError", "errorMessage": "held", "requestId": "1"},
)
READY = (200, {}, {"openapi": "3.1.0"})
REFUSED = {
    "errorType": "InvalidEventError",
    "errorMessage": gateway.MESSAGE,
    "requestId": "1",
    "violations": ["x"],
}

Answer = tuple[int, dict[str, str], Any]


class Asked(NamedTuple):
    """A request that arrived."""

    line: str
    headers: dict[str, str]
    body: bytes


class Server(NamedTuple):
    """A server that gives the answers that are laid out, the last one for ever."""

    url: str
    answers: list[Answer]
    asked: list[Asked]
    slept: list[float]

    def api(self, **options: Any) -> Api:
        """A client of it, which does not really sleep."""
        return Api(self.url, KEY, sleep=self.slept.append, **options)


@pytest.fixture(name="server")
def _server() -> Iterator[Server]:
    answers: list[Answer] = []
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        """Answers one request."""

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append(
                Asked(
                    f"{self.command} {self.path}",
                    {name.lower(): one for name, one in self.headers.items()},
                    body,
                )
            )
            status, headers, value = answers.pop(0) if len(answers) > 1 else answers[0]
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            for name, one in headers.items():
                self.send_header(name, one)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer

        def log_message(self, format: str, *args: object) -> None:  # pylint: disable=redefined-builtin
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        yield Server(f"http://127.0.0.1:{server.server_port}/v1", answers, asked, [])
        server.shutdown()


@pytest.fixture(name="post")
def _post(server, tmp_path) -> Callable[..., Invocation]:
    """Sends an event where the API is ready and gives these answers."""

    def post(*answers: Answer) -> Invocation:
        (tmp_path / "event.json").write_text('{"a": "é"}', "utf-8")
        server.answers.extend([READY, *answers])
        return http_api.invoker({}, server.slept.append, server.api())(tmp_path / "event.json")

    return post


def test_the_event_is_posted_as_it_is_with_the_key(post, server):
    post((200, {}, {"requestId": "1", "changed": True}))

    asked = server.asked[-1]
    assert (asked.line, asked.body) == ("POST /v1/update", '{"a": "é"}'.encode())
    assert (asked.headers["x-api-key"], asked.headers["content-type"]) == (KEY, "application/json")


@pytest.mark.parametrize(
    "answer, invocation",
    [
        ((200, {}, {"requestId": "1", "a": 1}), Invocation({"statusCode": 200, "body": {"a": 1}})),
        ((202, {}, {"requestId": "1", "a": 1}), Invocation({"statusCode": 202, "body": {"a": 1}})),
        (
            (
                404,
                {},
                {"errorType": "ClusterNotFoundError", "errorMessage": "no", "requestId": "1"},
            ),
            Invocation(None, "ClusterNotFoundError", "no"),
        ),
        (
            (400, {"x-amzn-ErrorType": "BadRequestException"}, REFUSED),
            Invocation(None, "InvalidEventError", gateway.MESSAGE, frozenset({gateway.VIOLATION})),
        ),
        # As a function might answer that would like to be the gateway.
        ((400, {}, REFUSED), Invocation(None, "InvalidEventError", gateway.MESSAGE)),
        (
            (500, {"x-amzn-ErrorType": "BadRequestException"}, REFUSED),
            Invocation(None, "InvalidEventError", gateway.MESSAGE),
        ),
        (
            (400, {"x-amzn-ErrorType": "BadRequestException"}, REFUSED | {"errorMessage": "other"}),
            Invocation(None, "InvalidEventError", "other"),
        ),
    ],
)
def test_an_answer_is_the_contracts_body_and_an_error_has_its_type(answer, invocation, post):
    assert post(answer) == invocation


@pytest.mark.parametrize(
    "answer, words",
    [
        ((200, {}, {"a": 1}), "answered 200 without a requestId"),
        ((200, {}, {"a": 1, "requestId": ""}), "answered 200 without a requestId"),
        ((200, {}, [1]), "answered 200 without a requestId"),
        ((502, {}, {"message": "Internal server error"}), "answered 502 without a requestId"),
        ((500, {}, {"requestId": "1"}), "answered 500 without an errorMessage"),
        ((504, {}, b"<html>"), "answered 504 with no JSON"),
    ],
)
def test_what_is_no_answer_of_the_api_is_told_in_one_line(answer, words, post):
    with pytest.raises(InvocationFailed, match=f"^the API {words}: .*$"):
        post(answer)


def test_a_service_that_is_held_is_tried_again_when_the_api_says_so(post, server):
    assert post(HELD, HELD, (200, {}, {"requestId": "1"})).answer["statusCode"] == 200
    assert server.slept == [5, 5]


def test_a_service_that_is_always_held_is_given_up(post):
    with pytest.raises(
        InvocationFailed, match="^another update held the service at each of 10 attempts: .*held"
    ):
        post(HELD)


def test_who_calls_too_often_calls_again_when_the_api_says_so(server):
    server.answers.extend([THROTTLED, THROTTLED, READY])

    assert server.api().call("GET", "list").status == 200
    assert server.slept == [3, 3]


def test_an_api_that_takes_no_call_is_given_up(server):
    server.answers.append(THROTTLED)

    with pytest.raises(ApiUnusable, match="^the API took no call at each of 10 attempts"):
        server.api().call("GET", "list")


def test_a_key_that_was_made_just_now_is_waited_for(server):
    server.answers.extend([FORBIDDEN, FORBIDDEN, READY])

    server.api().wait()

    assert [one.line for one in server.asked] == ["GET /v1/openapi.json"] * 3 and server.slept == [
        1,
        1,
    ]


def test_a_key_that_is_never_let_in_is_told_in_one_line_without_it(server):
    server.answers.append(FORBIDDEN)
    clock = iter(range(0, 10_000, 50))

    with pytest.raises(
        ApiUnusable, match="does not let its key in within 120 seconds: it answers 403: "
    ) as refusal:
        server.api().wait(lambda: next(clock))
    assert KEY not in str(refusal.value)


@pytest.mark.parametrize("key, sent", [(None, KEY), ("", None), ("other", "other")])
def test_another_key_or_none_can_be_sent(key, sent, server):
    server.answers.append(FORBIDDEN)

    server.api().call("GET", "list", key=key)

    assert server.asked[0].headers.get("x-api-key") == sent


def test_an_api_that_is_not_there_is_told_in_one_line():
    with pytest.raises(
        ApiUnusable, match="^GET http://127.0.0.1:1/list had no answer: .*Connection refused"
    ):
        Api("http://127.0.0.1:1", KEY).call("GET", "list")


def test_an_api_that_hangs_up_is_told_in_one_line():
    class HangsUp(socketserver.BaseRequestHandler):
        """Reads and ends."""

        def handle(self) -> None:
            self.request.recv(100)

    with socketserver.TCPServer(("127.0.0.1", 0), HangsUp) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(ApiUnusable, match="^GET .* had no answer: ."):
            Api(f"http://127.0.0.1:{server.server_address[1]}", KEY).call("GET", "list")


# The key


@pytest.fixture(name="account")
def _account(monkeypatch) -> Iterator[Stubber]:
    """An account whose API Gateway gives the answers that are laid out."""
    client = boto3.client("apigateway")
    monkeypatch.setattr(
        api_module,
        "boto3",
        SimpleNamespace(Session=lambda: SimpleNamespace(client=lambda _: client)),
    )
    with Stubber(client) as stubber:
        yield stubber


PLACE = {"API_URL": "https://api/v1", "API_KEY_ID": "a1b2"}


def test_the_key_is_read_by_its_id_and_shown_nowhere(account):
    account.add_response("get_api_key", {"value": KEY}, {"apiKey": "a1b2", "includeValue": True})

    api = from_environment(PLACE)

    assert (api.url, api.key, api.sign) == ("https://api/v1", KEY, None)
    assert KEY not in repr(api)


def test_a_key_that_cannot_be_read_is_told_in_one_line(account):
    account.add_client_error("get_api_key", "NotFoundException", "no\nsuch key")

    with pytest.raises(
        ApiUnusable, match="^the API's key cannot be read: .*NotFoundException.*: no such key$"
    ):
        from_environment(PLACE)


@pytest.mark.parametrize("name", PLACE)
def test_a_setting_that_is_missing_is_named(name):
    with pytest.raises(
        ApiUnusable, match=f"^there is no setting '{name}': make run-api-test gives it$"
    ):
        from_environment({one: value for one, value in PLACE.items() if one != name})


def test_with_iam_every_call_is_signed_and_has_the_key(server):
    server.answers.append(READY)
    session = boto3.Session("id-of-a-key", "secret", region_name="eu-west-1")

    server.api(sign=signer(session)).post("update", {})

    headers = server.asked[0].headers
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=id-of-a-key/")
    assert (
        "/eu-west-1/execute-api/aws4_request" in headers["authorization"]
        and "x-api-key" in headers["authorization"]
    )
    assert headers["x-api-key"] == KEY and "secret" not in str(headers)


def test_without_credentials_nothing_can_be_signed(monkeypatch):
    session = boto3.Session(region_name="eu-west-1")
    monkeypatch.setattr(session, "get_credentials", lambda: None)

    with pytest.raises(ApiUnusable, match="^there are no credentials to sign with"):
        signer(session)

"""The suites' clients of the Lambda API: the SDK, and the aws cli."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from e2e.event_suite import __main__ as command
from e2e.event_suite.invokers import Invocation, InvocationFailed, aws_cli, endpoint, lambda_api

NAMES = {"LAMBDA_FUNCTION_NAME": "ecs-updater", "AWS_DEFAULT_REGION": "eu-west-1"}
HIDDEN = frozenset({"errorType"})
THROTTLED = (
    429,
    {"x-amzn-ErrorType": "TooManyRequestsException"},
    b'{"message": "Rate Exceeded.", "Type": "User"}',
)
FAILED = {"X-Amz-Function-Error": "Unhandled"}
RAISED = {
    "errorMessage": "[ERROR] x",
    "errorType": "InvalidEventError",
    "requestId": "1",
    "stackTrace": [],
}

Answer = tuple[int, dict[str, str], bytes] | Exception


def answered(payload: Any, **headers: str) -> Answer:
    """What Lambda answers when the function's answer is ``payload``."""
    return (
        200,
        {name.replace("_", "-"): value for name, value in headers.items()},
        json.dumps(payload).encode(),
    )


class Raw(BytesIO):
    """As much of urllib3's response as botocore reads."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        """The whole content at once."""
        yield self.read()


@pytest.fixture(name="event_file")
def _event_file(tmp_path) -> Path:
    """An event."""
    (tmp_path / "event.json").write_text('{"a": "é"}', "utf-8")
    return tmp_path / "event.json"


# The SDK


@pytest.fixture(name="lambda_says")
def _lambda_says(monkeypatch, event_file):
    """Invokes through the SDK where Lambda gives these answers, the last one for ever; the requests
    and waits are in it.
    """

    def says(*answers: Answer, **environment: str) -> SimpleNamespace:
        done = SimpleNamespace(requests=[], waits=[])

        def send(request: Any, **_: Any) -> AWSResponse:
            done.requests.append(request)
            answer = answers[min(len(done.requests), len(answers)) - 1]
            if isinstance(answer, Exception):
                raise answer
            status, headers, content = answer
            return AWSResponse(
                request.url, status, headers | {"Content-Length": str(len(content))}, Raw(content)
            )

        def client(*arguments: Any, **options: Any) -> Any:
            made = boto3.client(*arguments, region_name="eu-west-1", **options)
            made.meta.events.register_last("before-send.lambda", send)
            return made

        monkeypatch.setattr(lambda_api, "boto3", SimpleNamespace(client=client))
        done.invoke = lambda: lambda_api.invoker(NAMES | environment, done.waits.append)(event_file)
        return done

    return says


def test_the_function_gets_the_file_as_it_is(lambda_says, event_file):
    done = lambda_says(answered({"statusCode": 200}))

    assert done.invoke() == Invocation({"statusCode": 200})
    (request,) = done.requests
    assert (
        request.url
        == "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/ecs-updater/invocations"
    )
    assert request.body == event_file.read_bytes()


@pytest.mark.parametrize(
    "answer, invocation",
    [
        (answered(None), Invocation(None)),
        (answered("é"), Invocation("é")),
        (
            answered(RAISED, X_Amz_Function_Error="Unhandled"),
            Invocation(None, "InvalidEventError", "[ERROR] x"),
        ),
        (
            answered({"errorMessage": "x"}, X_Amz_Function_Error="Unhandled"),
            Invocation(None, None, "x"),
        ),
        # As `sam local start-lambda` has it.
        (answered(RAISED), Invocation(None, "InvalidEventError", "[ERROR] x")),
        # The function's own answer, whatever it looks like.
        (answered({"errorMessage": "x"}), Invocation({"errorMessage": "x"})),
        (
            answered({"errorMessage": "x", "errorType": "y"}),
            Invocation({"errorMessage": "x", "errorType": "y"}),
        ),
    ],
)
def test_the_header_tells_an_error_from_an_answer(answer, invocation, lambda_says):
    assert lambda_says(answer).invoke() == invocation


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, b""),
        (200, {}, b"<html>"),
        (200, FAILED, b"null"),
        (200, FAILED, b"{}"),
        (200, FAILED, b'"text"'),
    ],
)
def test_an_answer_that_cannot_be_read_is_told_in_one_line(answer, lambda_says):
    with pytest.raises(InvocationFailed, match="^the function's answer cannot be read: b'.*'$"):
        lambda_says(answer).invoke()


def test_a_throttled_call_is_repeated_after_longer_and_longer_waits(lambda_says):
    done = lambda_says(*[THROTTLED] * 8, answered({}))

    assert done.invoke() == Invocation({})
    assert len(done.requests) == 9
    for waited, longest in zip(done.waits, [1, 2, 4, 8, 16, 20, 20, 20], strict=True):
        assert longest / 2 <= waited <= longest


def test_a_function_that_is_always_busy_is_given_up_in_one_line(lambda_says):
    done = lambda_says(THROTTLED)

    with pytest.raises(
        InvocationFailed,
        match=r"^the function was busy at each of 10 attempts: .*\(TooManyRequestsException\).*",
    ):
        done.invoke()
    assert (len(done.requests), len(done.waits)) == (10, 9)


@pytest.mark.parametrize(
    "answer, words",
    [
        (ReadTimeoutError(endpoint_url="https://lambda"), "Read timeout on endpoint URL"),
        (ConnectionClosedError(endpoint_url="https://lambda"), "Connection was closed before"),
        (
            EndpointConnectionError(endpoint_url="https://lambda"),
            "Could not connect to the endpoint URL",
        ),
        ((500, {"x-amzn-ErrorType": "ServiceException"}, b"{}"), r"\(ServiceException\)"),
        ((503, {}, b""), r"\(503\)"),
        (
            (
                404,
                {"x-amzn-ErrorType": "ResourceNotFoundException"},
                b'{"Message": "Function\\nnot found"}',
            ),
            "Function not found",
        ),
    ],
)
def test_nothing_but_a_throttle_is_repeated_since_the_function_may_have_run(
    answer, words, lambda_says, waits
):
    done = lambda_says(answer)

    with pytest.raises(InvocationFailed, match=f"^the function was not invoked: .*{words}.*$"):
        done.invoke()
    assert (len(done.requests), done.waits, waits) == (1, [], [])


def test_the_client_waits_as_long_as_a_function_can_run(monkeypatch):
    made = []
    monkeypatch.setattr(
        lambda_api,
        "boto3",
        SimpleNamespace(client=lambda *_, **options: made.append(options["config"])),
    )

    lambda_api.invoker(NAMES)

    assert made[0].read_timeout > 900


# The aws cli


@pytest.fixture(name="cli_says")
def _cli_says(tmp_path):
    """Puts a program in the place of the aws cli; returns the environment for an invoker."""

    def says(script: str) -> dict[str, str]:
        program = tmp_path / "program"
        program.write_text(f"#!{sys.executable}\nimport json, os, sys\n{script}\n", "utf-8")
        program.chmod(0o755)
        return NAMES | {
            "BUILD_DIR": str(tmp_path),
            "AWS_CLI": str(program),
            "AWS_RETRY_MODE": "legacy",
            "AWS_MAX_ATTEMPTS": "1",
        }

    return says


def test_the_aws_cli_repeats_what_is_throttled_and_has_no_time_out(cli_says, event_file):
    environment = cli_says(
        "open(sys.argv[-1], 'w').write(json.dumps([dict(os.environ), sys.argv[1:]]))"
    )

    variables, arguments = aws_cli.invoker(environment)(event_file).answer

    assert (variables["AWS_RETRY_MODE"], int(variables["AWS_MAX_ATTEMPTS"]) > 5) == (
        "standard",
        True,
    )
    assert arguments[arguments.index("--cli-read-timeout") + 1] == "0"
    assert arguments[arguments.index("--payload") + 1] == f"fileb://{event_file}"
    assert "--endpoint-url" not in arguments


def test_an_aws_cli_that_fails_is_told_in_one_line(cli_says, event_file):
    with pytest.raises(InvocationFailed, match="^aws lambda invoke failed: An error occurred$"):
        aws_cli.invoker(
            cli_says("print('\\nAn error\\noccurred', file=sys.stderr); sys.exit(254)")
        )(event_file)


# Where Lambda is


@pytest.fixture(name="server")
def _server() -> Iterator[Callable[[int, bytes], str]]:
    """Starts a server that answers everything in one way; its address, with the paths that were
    asked for at its end.
    """
    servers = []

    def serve(status: int, content: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            """The one answer."""

            def do_GET(self) -> None:  # pylint: disable=invalid-name
                """Answers."""
                found = self.path == "/_ministack/health"
                self.send_response(status if found else 404)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # pylint: disable=redefined-builtin
                """Nothing."""

        servers.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(
            target=servers[-1].serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "status, content, hidden",
    [
        (200, b'{"services": {}, "edition": "full"}', HIDDEN),
        (200, b'{"services": {}}', frozenset()),
        (200, b"<html>", frozenset()),
        (200, b"1", frozenset()),
        (404, b'{"edition": "full"}', frozenset()),
    ],
)
def test_only_the_emulator_does_not_show_the_type_of_an_error(status, content, hidden, server):
    assert endpoint.cannot_show(server(status, content)) == hidden


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:1"])
def test_aws_and_a_server_that_is_not_there_have_nothing_to_hide(url):
    assert endpoint.cannot_show(url) == frozenset()


@pytest.mark.parametrize(
    "environment, url",
    [
        ({}, None),
        ({"AWS_ENDPOINT_URL": "", "LAMBDA_ENDPOINT_URL": ""}, None),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "http://127.0.0.1:1"),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "LAMBDA_ENDPOINT_URL": ""},
            "http://127.0.0.1:1",
        ),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "LAMBDA_ENDPOINT_URL": "http://127.0.0.1:2"},
            "http://127.0.0.1:2",
        ),
    ],
)
def test_lambda_is_at_an_endpoint_of_its_own_or_where_everything_is(
    environment, url, lambda_says, cli_says, event_file
):
    done = lambda_says(answered({}), **environment)
    done.invoke()
    script = "open(sys.argv[-1], 'w').write(json.dumps(sys.argv))"
    arguments = aws_cli.invoker(cli_says(script) | environment)(event_file).answer

    assert done.requests[0].url.startswith(url or "https://lambda.eu-west-1.amazonaws.com")
    assert arguments[1:3] == (["--endpoint-url", url] if url else ["lambda", "invoke"])


@pytest.mark.parametrize("make", [lambda_api.invoker, aws_cli.invoker])
def test_an_error_of_the_emulator_is_passed_on_without_its_type(
    make, lambda_says, cli_says, event_file, server
):
    url = server(200, b'{"edition": "full"}')
    lambda_says(answered(RAISED, X_Amz_Function_Error="Unhandled"))
    environment = cli_says(f"open(sys.argv[-1], 'w').write({json.dumps(RAISED)!r})") | {
        "AWS_ENDPOINT_URL": url
    }

    assert make(environment)(event_file).cannot_show == HIDDEN


def test_the_command_line_knows_every_way_of_invoking():
    assert set(command.INVOKERS) == {"aws-cli", "http", "lambda-api", "sam-local", "sam-remote"}

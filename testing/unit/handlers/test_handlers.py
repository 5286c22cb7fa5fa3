"""The call of a handler, and the handler of the reconciler."""

import math
from types import SimpleNamespace

import pytest

from ecs_updater.context import Call, Clock
from ecs_updater.deployments.reconciler import Reconciliation
from ecs_updater.errors import ConfigurationError, InvalidEventError
from ecs_updater.handlers import api_status, api_update, codepipeline, reconcile
from ecs_updater.worker.message import records_of
from support import http

REQUIRED = ("path", "httpMethod", "requestContext")
OPTIONAL = ("headers", "multiValueHeaders", "multiValueQueryStringParameters", "body")


def test_a_call_is_the_invocation_of_lambda_or_has_its_own_id_and_no_end():
    context = SimpleNamespace(
        aws_request_id="r",
        invoked_function_arn="arn:f",
        get_remaining_time_in_millis=lambda: 30_000,
    )
    call = Call.of(context)
    assert (call.id, call.caller, call.time_left()) == ("r", "arn:f", 30.0)
    assert Call.of(None).id != Call.of(None).id and Call.of(None).time_left() == math.inf


@pytest.mark.parametrize(
    "wait, left, seconds",
    [(60, 900, 60), (840, 900, 840), (840, 300, 250), (0, 900, 0), (60, 5, 3)],
)
def test_a_call_waits_at_most_as_requested_and_ends_before_the_functions_time_out(
    wait, left, seconds
):
    call = Call(time_left=lambda: left, clock=Clock(now=lambda: 100.0))
    assert call.deadline(wait) == 100 + seconds


def test_an_update_begins_after_a_wait_only_with_time_for_its_writes():
    call = Call(time_left=lambda: 100.0, clock=Clock(now=lambda: 10.0, epoch=lambda: 1000.0))
    assert [call.latest_begin(deadline) for deadline in (math.inf, 30.0)] == [1055, 1020]


def test_the_reconciler_without_a_ledger_raises_the_setting(log):
    with pytest.raises(ConfigurationError, match="LEDGER_TABLE is empty"):
        reconcile.lambda_handler({}, SimpleNamespace(aws_request_id="r"))
    assert [line["error_type"] for line in log()] == ["ConfigurationError"]


REQUEST = http.event("GET", "/list")
NO_REQUESTS = [
    *(None, [], "x", {}),
    *({name: value for name, value in REQUEST.items() if name != left} for left in REQUIRED),
    REQUEST | {"requestContext": {"requestId": None}},
    REQUEST | {"requestContext": {"requestId": "r", "identity": "x"}},
    REQUEST | {"requestContext": {"requestId": "r", "authorizer": "x"}},
    *(REQUEST | {name: 7} for name in (*REQUIRED, *OPTIONAL)),
    REQUEST | {"multiValueQueryStringParameters": {"limit": {"0": "1"}}},
]


@pytest.mark.parametrize("handler", [api_status, api_update])
@pytest.mark.parametrize("event", NO_REQUESTS)
def test_an_event_that_api_gateway_does_not_send_is_refused(handler, event):
    with pytest.raises(InvalidEventError, match="is not a request of API Gateway: "):
        handler.lambda_handler(event, http.CONTEXT)


@pytest.mark.parametrize("event", [None, [], "x", {}, {"Records": None}, {"Records": {}}])
def test_an_event_without_records_is_refused(event):
    with pytest.raises(InvalidEventError, match="has no list Records"):
        records_of(event)
    assert records_of({"Records": [7]}) == [7]


def test_the_reconciler_logs_its_result(log, monkeypatch):
    result = Reconciliation(open=2)
    monkeypatch.setattr(reconcile, "reconcile_and_send", lambda *_: result)
    assert reconcile.lambda_handler({}, SimpleNamespace(aws_request_id="r")) == result.to_json()
    (line,) = log()
    expected = {"action": "reconcile", "open": 2, "lambda_request_id": "r", "aws_calls": {}}
    assert expected.items() <= line.items()


def test_a_job_of_codepipeline_is_answered_to_the_job_and_not_to_the_caller(monkeypatch):
    calls = []
    runner = SimpleNamespace(run=lambda event, call: calls.append((event, call.id)))
    monkeypatch.setattr(codepipeline, "RUNNER", runner)
    assert codepipeline.lambda_handler("event", SimpleNamespace(aws_request_id="r")) is None
    assert calls == [("event", "r")]

"""The log: an update's id finds its lines in every function, and updates that one process does at
the same time have their own service and calls.
"""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ecs_updater.context import Call
from ecs_updater.deployments.reconciler import reconcile
from ecs_updater.errors import RolloutRollbackFailedError, RolloutRolledBackError
from ecs_updater.handlers import update as handler
from ecs_updater.ledger.entry import Entry, Side
from ecs_updater.log import log_ended, log_run, log_update, logger
from fakes.fleet import Fleet
from support.fleet_run import FleetRun

READS = {"DescribeServices": 1, "DescribeTaskDefinition": 1}
FIELDS = ("level", "action", "batch", "ecs_service_name", "lambda_request_id")
PATIENCE = 600
"""Seconds after which a test that hangs ends."""


def run_between(boundary, outer, inner, at):
    """Runs ``inner`` in another thread, before request number ``at`` of ``outer`` in this one."""
    own, numbers = threading.get_ident(), itertools.count()

    def hook(**_):
        if threading.get_ident() == own and next(numbers) == at:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(inner).result(PATIENCE)

    boundary._client.meta.events.register_first("before-send.ecs", hook)  # pylint: disable=protected-access
    outer()
    assert next(numbers) > at


@pytest.mark.parametrize("at", range(4))
def test_an_update_between_two_requests_of_another_changes_nothing_in_its_line(
    log, monkeypatch, at
):
    services = Fleet(2, lambda: 1_800_000_000.0)
    boundary = services.boundary()
    monkeypatch.setattr(handler, "ECS", boundary)

    def update(name, image):
        handler.lambda_handler(
            services.event(name, image), SimpleNamespace(aws_request_id=f"request of {name}")
        )

    run_between(
        boundary,
        lambda: update("web-001", "registry/app:2"),
        lambda: update("web-002", "registry/app:1"),
        at,
    )
    lines = {
        line["ecs_service_name"]: (line["request_id"], line["service_arn"][-7:], line["aws_calls"])
        for line in log()
    }
    assert lines == {
        "web-001": (
            "request of web-001",
            "web-001",
            {**READS, "RegisterTaskDefinition": 1, "UpdateService": 1},
        ),
        "web-002": ("request of web-002", "web-002", READS),
    }


def test_the_id_of_an_update_finds_its_lines_of_the_worker_and_of_the_reconciler(log):
    run, ids = FleetRun(1), SimpleNamespace(aws_request_id="invocation of the reconciler")
    run.ecs.fail_services("web-001")
    (request_id,) = run.begin_batch([run.ecs.event("web-001")])
    run.work()
    run.time.now += 300
    call = replace(Call.of(ids), time_left=lambda: 900.0, clock=run.clock)
    log_run(call, lambda: reconcile({}, run.environment, run.boundary, run.table, call).to_json())
    begun, ended = (line for line in log() if line["request_id"] == request_id)
    common = ("update", "b", "web-001")
    assert [begun[field] for field in FIELDS] == ["INFO", *common, "invocation of the worker"]
    assert [ended[field] for field in FIELDS] == ["WARNING", *common, ids.aws_request_id]
    assert [line["deployment"]["verdict"] for line in (begun, ended)] == ["IN_PROGRESS", "FAILED"]
    assert (ended["error_type"], ended["message"]) == (
        "RolloutFailedError",
        run.entry(request_id).error_message,
    )


@pytest.mark.parametrize(
    "kind, level",
    [(RolloutRollbackFailedError, "ERROR"), (RolloutRolledBackError, "WARNING")],
)
def test_a_failed_rollback_is_an_error_for_its_caller_and_for_the_reconciler(log, kind, level):
    error = kind("an alarm was triggered")
    call = Call.of(SimpleNamespace(aws_request_id="id"))

    def fail():
        raise error

    with pytest.raises(kind):
        log_run(call, fail)
    entry = Entry("service", 1, "request", "owner", 1, "cluster", "service", Side(), Side())
    log_ended(entry.refused("ROLLED_BACK", str(error), error))
    assert [(line["level"], line["error_type"]) for line in log()] == [(level, kind.__name__)] * 2


@pytest.mark.parametrize("event", [{"ecs_image": "x", "request_id": "typo"}, []])
def test_a_callers_typo_is_one_warning_without_a_traceback(log, event):
    run = FleetRun(1)
    run.send(run.ecs.event("web-001", **event) if event else event)
    run.work()
    (line,) = log()
    assert (line["level"], line["error_type"]) == ("WARNING", "InvalidEventError")
    assert line["request_id"] == ("typo" if event else "message-1") and "exception" not in line


def test_a_line_has_at_most_a_hundred_changes_each_shortened(log):
    changes = [{"what": "tag.a", "from": None, "to": "x" * 300_000}] * 103
    answer = {"body": {"changed": True, "changes": changes}}
    assert log_update({}, Call("r"), lambda: answer) is answer
    (line,) = log()
    assert line["changes"][-1] == {"what": "and 3 more"} and len(line["changes"]) == 101
    assert len(line["changes"][0]["to"]) == 300 and line["changes"][0]["from"] is None


def test_a_text_that_no_stream_can_encode_is_logged(log):
    logger.info("a", message_id="\ud800")
    assert log()[0]["message_id"] == "\ud800"

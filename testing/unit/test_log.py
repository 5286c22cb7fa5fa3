"""The log of updates that one process does at the same time: each line has its own service and its
own calls.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from ecs_updater.handlers import update as handler
from fakes.fleet import Fleet
from support.fleet_run import FleetRun

READS = {"DescribeServices": 1, "DescribeTaskDefinition": 1}
PATIENCE = 600
"""Seconds after which a test that hangs ends."""


class Interleaved:
    """Lets the update of ``inner`` run as a whole between two requests of the update of ``outer``,
    each in its own thread.
    """

    def __init__(self, outer, inner, at):
        self._outer, self._inner, self._at = outer, inner, at
        self._is_inside, self._is_over = threading.Event(), threading.Event()
        self._own = threading.local()

    def run(self):
        """Both, to their ends."""
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.submit(self._work, self._outer), pool.submit(self._after)
            first.result(PATIENCE)
            second.result(PATIENCE)

    def hook(self, **_):
        """Stops the outer one before its request number ``at``."""
        if getattr(self._own, "left", None) is not None:
            self._own.left -= 1
            if self._own.left < 0:
                self._own.left = None
                self._is_inside.set()
                assert self._is_over.wait(PATIENCE)

    def _work(self, work):
        self._own.left = self._at
        try:
            work()
        finally:
            self._is_inside.set()

    def _after(self):
        assert self._is_inside.wait(PATIENCE)
        try:
            self._inner()
        finally:
            self._is_over.set()


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

    both = Interleaved(
        lambda: update("web-001", "registry/app:2"), lambda: update("web-002", "registry/app:1"), at
    )
    boundary._client.meta.events.register_first("before-send.ecs", both.hook)  # pylint: disable=protected-access
    both.run()
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


def test_two_workers_of_one_process_log_only_their_own_messages(log):
    """As the command line with --direct runs them."""
    run = FleetRun(2)
    run.send(
        run.ecs.event("web-001", request_id="a"),
        run.ecs.event("web-002", "registry/app:1", request_id="b"),
    )
    first, second = ([record] for record in run.queue.receive(2))
    both = Interleaved(lambda: run.worker().process(first), lambda: run.worker().process(second), 2)
    run.boundary._client.meta.events.register_first("before-send.ecs", both.hook)  # pylint: disable=protected-access
    both.run()
    lines = {line["ecs_service_name"]: line for line in log()}
    assert {name: line["service_arn"][-7:] for name, line in lines.items()} == {
        "web-001": "web-001",
        "web-002": "web-002",
    }
    ecs_calls = [
        sum(
            lines[name]["aws_calls"].get(operation, 0)
            for operation in ("RegisterTaskDefinition", "UpdateService")
        )
        for name in lines
    ]
    assert sorted(ecs_calls) == [0, 2]

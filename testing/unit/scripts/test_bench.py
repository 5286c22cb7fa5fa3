"""The bench of fleets: it throttles as ECS does, and says so when a promise is not held."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError

import pytest

from e2e.bench.measure import Measured
from e2e.bench.table import broken_promises, floor, rows
from fakes.ecs_buckets import Buckets
from support.quota_proxy import QuotaProxy, quota_proxy

GOOD = Measured("ecs-updater", 100, 100, 84.2, 320, 0, 0, 0, 100)


class Upstream(BaseHTTPRequestHandler):
    """What stands behind the proxy."""

    def do_POST(self) -> None:  # pylint: disable=invalid-name  # Its name there.
        """Says what came."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # pylint: disable=redefined-builtin
        """Says nothing."""


@pytest.fixture(name="proxy")
def _proxy() -> Iterator[QuotaProxy]:
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as upstream,
        quota_proxy(upstream.server_port, lambda: 0.0) as proxy,
    ):
        threading.Thread(
            target=upstream.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        yield proxy
        upstream.shutdown()


def call(
    proxy: QuotaProxy, operation: str, service: str = "AmazonEC2ContainerServiceV20141113"
) -> tuple[int, bytes]:
    """Status and body of the answer to one call."""
    request = urllib.request.Request(
        proxy.url, b'{"a": 1}', {"X-Amz-Target": f"{service}.{operation}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_proxy_lets_a_burst_through_and_throttles_what_is_beyond_it_as_ecs_does(proxy):
    answers = [call(proxy, "RegisterTaskDefinition") for _ in range(24)]
    assert answers[:20] == [(200, b'{"a": 1}')] * 20
    status, body = answers[-1]
    assert (status, json.loads(body)["__type"]) == (400, "ThrottlingException")
    assert (
        proxy.buckets.calls["RegisterTaskDefinition"],
        proxy.buckets.throttled["RegisterTaskDefinition"],
    ) == (24, 4)
    assert proxy.last["RegisterTaskDefinition"] >= proxy.first["RegisterTaskDefinition"]


def test_the_proxy_throttles_nothing_of_other_services(proxy):
    assert {call(proxy, "RegisterTaskDefinition", "DynamoDB_20120810")[0] for _ in range(30)} == {
        200
    }
    assert proxy.buckets.calls.total() == 0


def test_actions_that_share_a_bucket_take_each_others_tokens_and_time_brings_them_back():
    buckets = Buckets()
    assert all(buckets.take("RegisterTaskDefinition", 0.0) for _ in range(19)) and buckets.take(
        "DeregisterTaskDefinition", 0.0
    )
    assert not buckets.take("RegisterTaskDefinition", 0.9) and buckets.take(
        "RegisterTaskDefinition", 1.1
    )
    assert sum(buckets.take("RegisterTaskDefinition", 1000.0) for _ in range(30)) == 20
    assert all(buckets.take("Unknown", 0.0) for _ in range(1000))


def test_the_table_has_a_row_for_each_run_in_which_every_figure_is_told():
    assert floor(GOOD) == 80 and floor(replace(GOOD, changed=5)) == 0
    assert rows([GOOD])[2] == "| ecs-updater | 100 | 100 | 84 | 80 | 3.2 | 0 | 0 | 0 |"
    assert (
        rows([replace(GOOD, failed=2)])[2]
        == "| ecs-updater | 100 | 100 | – | 80 | 3.2 | 0 | 2 | 0 |"
    )
    assert rows([GOOD])[0].count("|") == rows([GOOD])[1].count("|") == rows([GOOD])[2].count("|")


@pytest.mark.parametrize(
    "figures, said",
    [
        ({}, []),
        ({"seconds": 92.0}, []),
        ({"seconds": 93.0}, ["93 s are more than 1.15 times the floor of 80 s"]),
        ({"calls": 601}, ["601 calls of ECS are more than six for each of 100 services"]),
        ({"throttled": 1}, ["1 calls were throttled"]),
        ({"failed": 2}, ["2 services are not updated, of 0 something wrong was said"]),
        ({"wrong": 1}, ["0 services are not updated, of 1 something wrong was said"]),
        ({"revisions": 101}, ["101 revisions were made for 100 images"]),
        (
            {"changed": 20, "revisions": 20, "seconds": 31.0},
            ["31 s are more than 30 s over the floor of 0 s"],
        ),
        (
            {"changed": 30, "revisions": 30, "seconds": 41.0},
            ["41 s are more than 30 s over the floor of 10 s"],
        ),
    ],
)
def test_a_promise_that_is_not_held_is_said(figures, said):
    assert broken_promises(replace(GOOD, **figures)) == [
        f"ecs-updater, 100 services: {one}" for one in said
    ]

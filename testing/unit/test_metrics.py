"""The metrics: each line is one that CloudWatch takes, and has what docs/operations.md says."""

import pytest

from ecs_updater import metrics
from ecs_updater.context import Call
from ecs_updater.deployments.reconciler import ALL_SERVICES
from ecs_updater.deployments.waiter import Waiter
from ecs_updater.errors import LeaseHeldError
from ecs_updater.handlers import reconcile as handler
from ecs_updater.ledger.lease import Holder, Leases
from ecs_updater.ledger.rate_limiter import SharedRateLimiter
from ecs_updater.throttling import RATES, REGISTER
from fakes.wire import SERVICE_ARN, THROTTLED
from support.emf import measurements
from support.fleet_run import FleetRun

pytest_plugins = ["support.ledger_fixtures"]

HOUR = 3600
CLUSTER = {"cluster": "ECSCluster"}
RUN = ("OpenUpdates", "OldestOpenUpdate", "OverdueUpdates", "SkippedEntries")


@pytest.fixture(name="measured", autouse=True)
def _measured(monkeypatch, capsys):
    """Switches the metrics on. Returns name, value, unit and further dimensions since the last."""
    monkeypatch.setenv("UPDATER_NAME", "updates")

    def read():
        for found in measurements(capsys.readouterr().out.splitlines()):
            dimensions = dict(found.dimensions)
            assert (found.namespace, dimensions.pop("updater")) == ("ecs-updater", "updates")
            yield found.name, found.value, found.unit, dimensions

    return lambda: list(read())


@pytest.fixture(name="run")
def _run(monkeypatch):
    """Three services. The handler of the reconciler runs on them."""
    run = FleetRun(3)
    monkeypatch.setattr(handler, "ECS", run.boundary)
    monkeypatch.setattr(handler, "LEDGER", run.table)
    call = Call("reconciler", None, lambda: 900.0, run.clock)
    monkeypatch.setattr(handler.Call, "of", lambda _: call)
    return run


def verdict(name, *dimensions):
    """The values of one verdict."""
    return [("Verdicts", 1, "Count", each | {"verdict": name}) for each in ({}, *dimensions)]


@pytest.mark.parametrize("by_service", [False, True])
def test_each_verdict_is_counted_once_by_cluster_and_on_request_by_service(
    run, measured, monkeypatch, by_service
):
    monkeypatch.setenv("METRICS_BY_SERVICE", str(by_service).lower())
    run.ecs.fail_services("web-002")
    run.send(*(run.ecs.event(name, request_id=name) for name in ("web-001", "web-002")))
    run.work()
    assert measured() == []  # No update has a verdict yet.
    run.time.now += 300
    for _ in range(2):
        handler.lambda_handler({}, None)
    expected = []
    for service, name in (("web-001", "SUCCEEDED"), ("web-002", "FAILED")):
        of_service = [CLUSTER | {"service": service}] if by_service else []
        expected += verdict(name, CLUSTER, *of_service)
        expected.append(("DurationToVerdict", 300, "Seconds", {"verdict": name}))
    found = measured()
    assert [each for each in found if each[0] not in RUN] == expected
    assert [value for name, value, *_ in found if name == "OpenUpdates"] == [0, 0]


def test_a_run_over_all_services_measures_what_it_leaves(run, measured, monkeypatch):
    run.send(*(run.ecs.event(name, request_id=name) for name in run.ecs.names))
    run.work()

    def fail(*_, **__):
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(Waiter, "poll", fail)
    begin = run.time.now
    for seconds, overdue in ((60, 0), (24.5 * HOUR, 0), (26 * HOUR, 3)):
        run.time.now = begin + seconds
        handler.lambda_handler({}, None)
        values = (3, "Count"), (seconds, "Seconds"), (overdue, "Count"), (3, "Count")
        assert measured() == [(name, *value, {}) for name, value in zip(RUN, values, strict=True)]
    resource = f"{SERVICE_ARN.rpartition('/')[0]}/web-001"
    event = {"detail-type": "ECS Deployment State Change", "resources": [resource]}
    handler.lambda_handler(event, None)
    assert measured() == []
    Leases(run.table, clock=run.time).acquire(ALL_SERVICES, Holder.of("another run"))
    assert handler.lambda_handler({}, None)["skipped"] and measured() == []


@pytest.mark.usefixtures("run")
def test_without_open_updates_a_run_measures_zeros(measured):
    handler.lambda_handler({}, None)
    assert [value for _, value, _, _ in measured()] == [0, 0, 0, 0]


def test_an_update_that_may_be_repeated_is_counted_when_it_is_given_up(run, measured):
    (name,) = run.ecs.names[:1]
    run.ecs.fail("RegisterTaskDefinition", (500, "ServerException", "down"), times=1e6)
    run.send(run.ecs.event(name, request_id=name))
    assert run.work() == ["message-1"]
    assert [each for each in measured() if each[0] == "Verdicts"] == []
    run.work_all()
    assert run.entry(name).verdict == "NOT_DEPLOYED"
    found = [each for each in measured() if each[0] in ("Verdicts", "RejectedMessages")]
    expected = verdict("NOT_DEPLOYED", CLUSTER)
    assert found == [*expected, ("RejectedMessages", 1, "Count", {})]


def test_a_message_that_cannot_be_read_is_a_rejected_message_without_a_verdict(run, measured):
    run.send({"ecs_cluster_name": 7, "request_id": "r"})
    run.work()
    assert measured() == [("RejectedMessages", 1, "Count", {})]


def test_a_rejected_update_is_counted_once_however_often_its_message_comes(run, measured):
    event = run.ecs.event("web-001", ecs_service_name="missing", request_id="r")
    run.send(event, event)
    run.work()
    assert measured() == verdict("NOT_DEPLOYED", CLUSTER)


def test_waits_and_retries_are_measured(measured, table, clock, fake):
    leases = Leases(table, clock=clock, sleep=clock.sleep)
    leases.acquire(SERVICE_ARN, Holder.of("first"))
    with pytest.raises(LeaseHeldError):
        leases.acquire(SERVICE_ARN, Holder.of("second"))
    assert measured() == []  # It did not wait.
    with pytest.raises(LeaseHeldError):
        leases.acquire(SERVICE_ARN, Holder.of("second"), clock() + 10)
    assert measured() == [("LeaseWait", pytest.approx(10), "Seconds", {})]
    leases.acquire(SERVICE_ARN, Holder.of("second"), clock() + 1000)
    assert measured() == [("LeaseWait", pytest.approx(110, abs=2), "Seconds", {})]

    limiter = SharedRateLimiter(table, RATES, clock=clock, sleep=clock.sleep)
    assert limiter.take(REGISTER, 19, 0.0) and measured() == []
    assert limiter.take(REGISTER, 1, 100.0)
    assert measured() == [("RateLimitWait", pytest.approx(1 / 0.98), "Seconds", {})]

    fake.fail("GetItem", THROTTLED, THROTTLED)
    table.get("a", "b")
    assert measured() == [("Retries", 1, "Count", {})] * 2


@pytest.mark.parametrize("name", ["", None])
def test_without_a_name_of_the_updater_nothing_is_written(measured, monkeypatch, name):
    monkeypatch.delenv("UPDATER_NAME")
    if name is not None:
        monkeypatch.setenv("UPDATER_NAME", name)
    metrics.count_retry("GetItem")
    assert measured() == []


def test_a_metric_that_cannot_be_written_is_logged_and_stops_no_update(measured, log):
    metrics.measure_lease_wait("long")
    assert measured() == []
    (line,) = log()
    assert line["message"] == "a metric could not be written" and "MetricValueError" in str(line)

"""Batches of the command line over home and targets, with the ledger: through the queue and from
this machine. Each account has a simulated ECS, and its clients have assumed credentials.
"""

import io
import json
import time
from types import SimpleNamespace

import pytest

from ecs_updater.aws.ecs import Ecs
from ecs_updater.context import Clock
from ecs_updater_cli.backends import local
from ecs_updater_cli.backends.account import Ledger, new_batch
from ecs_updater_cli.backends.local import LocalBackend
from ecs_updater_cli.backends.sqs import SqsBackend
from ecs_updater_cli.backends.targets import ReadAccess
from ecs_updater_cli.commands.options import AccountOptions, ViewOptions
from ecs_updater_cli.commands.watch import wait_for_batch
from ecs_updater_cli.output.terminal import Printer
from fakes.accounts import PARAMETER
from fakes.wire import PREFIX
from support.fleet_run import START, FleetRun

SHOP, MAIL = "shop-prod", "mail"
NAMES = ("web-001", "web-002", "web-003")


@pytest.fixture(name="run")
def _run():
    """Three services of the same names at home and in each of two targets."""
    return FleetRun(len(NAMES), {SHOP: len(NAMES), MAIL: len(NAMES)})


@pytest.fixture(name="printer")
def _printer():
    """Prints into memory."""
    return Printer(io.StringIO(), io.StringIO())


def begun(run, **fields):
    """A batch of all services, in the ledger. Returns the ledger, too."""
    events = [
        run.ecs.event(name, **({"target": target} if target else {}), **fields)
        for target in (None, SHOP, MAIL)
        for name in NAMES
    ]
    ledger = Ledger(run.table, PREFIX)
    started = new_batch(events, [None] * len(events), None, run.clock)
    ledger.save_batch(started)
    return ledger, started


def results(printer):
    """State and cause of each service, by its target and name, from the JSON lines."""
    lines = map(json.loads, printer.console.file.getvalue().splitlines())
    return {
        (line["target"], line["service"]): (line["state"], line["cause"])
        for line in lines
        if line["type"] == "change"
    }


def images(run, name):
    """The image of the service of this name at home and in each target."""
    return [fleet.image(name)[-1] for fleet in (run.ecs, *run.fleets.values())]


def through_the_queue(run, ledger, started, printer):
    """Sends and watches a batch while worker and reconciler run. Returns the exit code."""
    session = run.accounts.session
    access = ReadAccess(PARAMETER, PREFIX, clock=run.clock, home_session=lambda: session)
    account = SimpleNamespace(
        ecs=Ecs(session=lambda: session, targets=access),
        clock=run.clock,
        needed_ledger=ledger,
        needed_queue=run.queue,
    )
    backend = SqsBackend(account, started.batch.id, AccountOptions())
    codes = []

    def wait():
        options = ViewOptions(as_json=True)
        codes.append(wait_for_batch(backend, started, options, printer, run.clock))

    def work():
        while not codes:
            messages = run.queue.receive()
            run.queue.done(messages, run.worker().process(messages) if messages else [])
            run.time.sleep(1)

    def reconcile():
        while not codes:
            run.time.sleep(15)
            run.reconcile()

    run.time.run([wait, work, reconcile])
    return codes.pop()


def test_a_batch_over_targets_goes_through_one_queue_and_is_watched_in_the_read_roles(run, printer):
    ledger, started = begun(run)
    assert through_the_queue(run, ledger, started, printer) == 0
    found = results(printer)
    assert len(found) == 9 and {state for state, _ in found.values()} == {"succeeded"}
    assert [images(run, name) for name in NAMES] == [["2", "2", "2"]] * 3
    prefixes = [PREFIX, *(run.accounts.targets[name].prefix for name in (SHOP, MAIL))]
    assert [run.entry(member.request_id).service for member in started.members] == [
        f"{prefix}service/ECSCluster/{name}" for prefix in prefixes for name in NAMES
    ]
    roles = {arn.rpartition(":")[2] for arn, _ in run.accounts.assumed}
    assert roles == {"role/update", "role/read"}


def test_a_denied_target_is_retried_by_the_queue_while_the_others_end(run, printer):
    run.accounts.deny(MAIL)
    ledger, started = begun(run)
    assert through_the_queue(run, ledger, started, printer) == 1
    found = results(printer)
    assert [found[target, "web-001"][0] for target in (None, SHOP, MAIL)] == [
        *("succeeded", "succeeded", "failed"),
    ]
    cause = found[MAIL, "web-001"][1]
    assert "(target mail: the role arn:aws:iam::333333333333:role/update could not be" in cause
    assert [images(run, name) for name in NAMES] == [["2", "2", "1"]] * 3
    assert run.time.now - START > 1700  # 30 minutes of retries.


def from_this_machine(run, ledger, started, printer, timeout=None, resumes=False):
    """Runs a batch in this process, in the update roles. Returns the exit code."""

    def sleep(seconds):
        time.sleep(0.01)  # For the threads of the backend.
        run.time.now += seconds

    clock = Clock(run.time, sleep, lambda: 0.5, run.time)
    account = SimpleNamespace(ecs=run.boundary, clock=clock)
    backend = LocalBackend(account, ledger, started.batch.id, AccountOptions())
    options = ViewOptions(as_json=True, timeout=timeout)
    code = wait_for_batch(backend, started, options, printer, clock, resumes=resumes)
    backend.close(60)
    return code


@pytest.fixture(autouse=True)
def _intervals(monkeypatch):
    """The threads of the local backend wait shortly."""
    monkeypatch.setattr(local, "RECONCILE_SECONDS", 0.05)
    monkeypatch.setattr(local, "_IDLE_SECONDS", 0.01)


def test_a_batch_from_this_machine_takes_the_update_roles_and_goes_on_without_a_denied_one(
    run, printer
):
    run.accounts.deny(SHOP)
    ledger, started = begun(run)
    assert from_this_machine(run, ledger, started, printer) == 1
    found = results(printer)
    assert [found[target, "web-002"][0] for target in (None, SHOP, MAIL)] == [
        *("succeeded", "failed", "succeeded"),
    ]
    assert "target shop-prod: the role" in found[SHOP, "web-002"][1]
    assert [images(run, name) for name in NAMES] == [["2", "1", "2"]] * 3
    role = "arn:aws:iam::333333333333:role/update"
    assert set(run.accounts.assumed) == {(role, "ecs-updater")}


def test_a_batch_over_targets_is_resumed_by_another_process(run, printer):
    ledger, started = begun(run)
    assert from_this_machine(run, ledger, started, printer, timeout=2) == 1
    found = ledger.find_batch(started.batch.id)
    code = from_this_machine(run, ledger, found, printer, resumes=True)
    assert code == 0 and {state for state, _ in results(printer).values()} == {"succeeded"}
    updates = [len(fleet.updates) for fleet in (run.ecs, *run.fleets.values())]
    assert updates == [3, 3, 3] and [images(run, name) for name in NAMES] == [["2"] * 3] * 3

"""When the worker retries a message, when it rejects it, and what it does with a started one."""

import pytest

from ecs_updater.ledger.entry import State
from ecs_updater.worker.run import PATIENCE
from fakes import memory_dynamodb
from fakes.wire import DENIED, SERVER_ERROR, THROTTLED
from support.fleet_run import FleetRun

EXPIRED = (400, "ExpiredTokenException", "The security token included in the request is expired")


@pytest.fixture(name="run")
def _run():
    return FleetRun(12)


@pytest.fixture(name="begin")
def _begin(run):
    """Begins a batch; returns the ids of its requests."""
    return lambda *names, **options: run.begin_batch(
        [run.ecs.event(name) for name in names or ["web-001"]], **options
    )


def refusing(answer, *operations, about=""):
    """Returns what ECS answers to these operations about a service."""
    return lambda request: (
        (answer, False) if request.operation in operations and about in str(request.body) else None
    )


def accept(run):
    """Lets ECS accept all requests."""
    run.ecs.before = None


def take_lease(run, name, seconds):
    """Lets another update hold the lease of a service for this time."""
    key = f"arn:aws:ecs:eu-west-1:123456789012:service/ECSCluster/{name}"
    lease = run.dynamodb.items.get(
        (key, "LEASE"), {"pk": {"S": key}, "sk": {"S": "LEASE"}, "fence": {"N": "1"}}
    )
    run.dynamodb._items[key, "LEASE"] = lease | {  # pylint: disable=protected-access
        "holder": {"S": "h"},
        "request_id": {"S": "another"},
        "expires_at": {"N": str(run.time() + seconds)},
        "since": {"N": "1"},
    }


def work_until_empty(run):
    """Runs the worker until the queue is empty; returns the seconds after which each run began."""
    begin, moments = run.time(), []
    while run.queue.is_busy:
        run.time.now = max(run.time.now, run.queue.next_at)
        moments.append(round(run.time() - begin))
        run.work()
    return moments


def is_started_once(run, request_id):
    """Returns whether one deployment was made, and no message was given up."""
    return (
        run.entry(request_id).state is State.DEPLOYED
        and len(run.ecs.updates) == 1
        and not (run.queue.dead or len(run.dead_letter_queue))
    )


# A held lease, little time, and the order of a group


def test_messages_behind_a_held_service_come_back_in_their_order(run):
    run.send(run.ecs.event("web-001"))
    run.work()
    take_lease(run, "web-001", 60)
    images = [
        ("web-001", "registry/app:3"),
        ("web-002", "registry/app:2"),
        ("web-001", "registry/app:4"),
    ]
    run.send(*(run.ecs.event(*pair) for pair in images))
    assert run.work() == ["message-2", "message-4"]
    assert run.ecs.image("web-002") == "registry/app:2"
    assert run.queue.next_at == run.time() + 30
    run.work_all()
    revisions = [revision for name, revision in run.ecs.updates if name == "web-001"]
    assert revisions == ["web-001:2", "web-001:3", "web-001:4"]
    assert run.ecs.image("web-001") == "registry/app:4"


def test_a_service_is_updated_after_the_longest_lease_of_another_update(run, begin):
    (request_id,) = begin()
    take_lease(run, "web-001", 900)
    work_until_empty(run)
    assert is_started_once(run, request_id)


def test_a_message_behind_one_that_is_given_up_is_given_up_too(run, begin):
    run.ecs.before = refusing(THROTTLED, "UpdateService")
    first = begin(batch_id="b1")
    second = run.begin_batch([run.ecs.event("web-001", "registry/app:3")], "b2")
    work_until_empty(run)
    assert [run.entry(id_).verdict for id_ in (*first, *second)] == ["NOT_DEPLOYED"] * 2
    assert run.queue.dead == [] and len(run.dead_letter_queue) == 2


def test_receives_without_time_left_do_not_count(run, begin):
    (request_id,) = begin()
    for _ in range(6):
        assert run.work(seconds=44) == ["message-1"]
    assert run.work() == [] and is_started_once(run, request_id)


def test_without_a_token_from_the_ledger_each_message_comes_back_separately(run):
    run.send(run.ecs.event("web-001"), run.ecs.event("web-002"))
    run.dynamodb.before = lambda request: (memory_dynamodb.THROTTLED, False)
    assert run.work() == ["message-1", "message-2"] and run.queue.next_at == run.time() + 30
    run.dynamodb.before = None
    run.work_all()
    assert {run.ecs.image(name) for name in ("web-001", "web-002")} == {"registry/app:2"}


# Transient and permanent errors


@pytest.mark.parametrize(
    "operation", ["DescribeServices", "RegisterTaskDefinition", "UpdateService"]
)
@pytest.mark.parametrize(
    "answer", [THROTTLED, DENIED, EXPIRED], ids=["throttled", "denied", "expired"]
)
def test_an_error_that_may_pass_is_retried_for_half_an_hour_and_then_rejected(
    run, begin, answer, operation
):
    ids = begin("web-001", "web-002")
    run.ecs.before = refusing(answer, operation, about="web-001")
    assert run.work() == ["message-1"] and run.ecs.image("web-002") == "registry/app:2"
    moments = [0, *work_until_empty(run)]
    assert moments[:6] == [0, 30, 90, 210, 450, 750]
    assert moments[-2] < PATIENCE <= moments[-1] and moments[-1] - moments[-2] == 300

    entry = run.entry(ids[0])
    assert (entry.verdict, entry.may_be_repeated) == ("NOT_DEPLOYED", False)
    body, cause = run.dead_letter()
    reason = answer[2].partition(".")[0]
    assert body["request_id"] == ids[0] and reason in cause and reason in (entry.cause or "")
    assert run.batches.find("b").failures == 1 and run.queue.dead == []
    assert [entry.request_id for entry in run.history.unfinished()] == ids[1:]
    assert run.ecs.registered.count("web-001:2") == (operation == "UpdateService")


@pytest.mark.parametrize("answer", [DENIED, EXPIRED], ids=["denied", "expired"])
def test_an_update_that_is_permitted_within_half_an_hour_is_made(run, begin, answer):
    (request_id,) = begin()
    end = run.time() + 600
    run.ecs.fail("UpdateService", answer, times=9999, until=end)
    work_until_empty(run)
    assert is_started_once(run, request_id)


def test_a_worker_that_does_not_wait_for_permission_rejects_the_update_at_once(run, begin):
    (request_id,) = begin()
    run.ecs.before = refusing(DENIED, "UpdateService")
    assert run.worker(retries_denied=False).process(run.queue.receive()) == []
    entry = run.entry(request_id)
    assert entry.verdict == "NOT_DEPLOYED" and not entry.may_be_repeated


def test_a_later_attempt_waits_for_its_tokens_too(run):
    run.environment["ECS_RATES"] = "RegisterTaskDefinition=2/1"
    run.send(*(run.ecs.event(name) for name in run.ecs.names[:10]))
    run.ecs.before = refusing(THROTTLED, "RegisterTaskDefinition")
    run.work()
    accept(run)
    begin = run.time.now = run.queue.next_at + 300
    assert run.work() == [] and len(run.ecs.registered) == 10
    assert run.time() - begin >= 8


def test_a_wrong_setting_of_the_function_is_the_cause_of_each_update_in_the_end(run, begin):
    run.environment["VERIFY_IMAGE"] = "nonsense"
    (request_id,) = begin()
    work_until_empty(run)
    entry = run.entry(request_id)
    assert entry.verdict == "NOT_DEPLOYED" and "VERIFY_IMAGE" in (entry.cause or "")


def test_a_second_delivery_of_a_rejected_message_makes_one_call(run, begin):
    begin()
    run.ecs.before = refusing(DENIED, "UpdateService")
    records = run.queue.receive()
    run.time.now += PATIENCE
    assert run.worker().process(records) == []
    made = run.ecs.buckets.calls.total()
    # DescribeServices of ten services.
    assert run.worker().process(records) == [] and run.ecs.buckets.calls.total() == made + 1


# Updates that had begun


def test_an_update_whose_answer_was_lost_goes_on_after_its_batch_is_stopped(run, begin):
    (request_id,) = begin()

    def lost(request):
        if request.operation == "UpdateService":
            run.ecs.before = refusing(SERVER_ERROR, "DescribeServices")

    run.ecs.fail("UpdateService", SERVER_ERROR, after_effect=True)
    run.ecs.before = lost
    assert run.work() == ["message-1"] and run.entry(request_id).state is State.REGISTERED
    run.batches.stop("b", "stopped by somebody")
    accept(run)
    run.work_all()
    run.time.now += 60
    run.reconcile()
    assert run.entry(request_id).verdict == "SUCCEEDED"
    assert len(run.ecs.updates) == 1 and len(run.dead_letter_queue) == 0


def test_tags_that_could_not_be_restored_are_restored_when_the_update_is_rejected(run):
    (request_id,) = run.begin_batch([run.ecs.event("web-001", ecs_tag={"team": "b"})])
    old = [{"key": "team", "value": "a"}]
    run.ecs.before = lambda request: (
        (DENIED, False)
        if request.operation == "UpdateService" or request.body.get("tags") == old
        else None
    )
    run.work()
    accept(run)
    run.batches.stop("b", "stopped by somebody")
    run.work_all()
    assert run.ecs.boundary().describe_service("ECSCluster", "web-001")[0]["tags"] == old
    entry = run.entry(request_id)
    assert entry.verdict == "INTERRUPTED" and entry.has_failed and run.history.unfinished() == []


def test_a_started_update_of_a_stopped_batch_is_left_to_the_reconciler(run, begin):
    (request_id,) = begin()
    records = run.queue.receive()
    assert run.worker().process(records) == []
    run.batches.stop("b", "stopped by somebody")
    assert run.worker().process(records) == [] and run.entry(request_id).state is State.DEPLOYED
    assert run.batches.find("b").failures == 0


def test_an_update_that_was_not_started_is_not_a_failure_of_its_batch(run, begin):
    ids = begin("nobody", "web-001", "web-002", max_failures=1)
    run.work()
    assert [run.entry(id_).verdict for id_ in ids] == ["NOT_DEPLOYED", "NOT_STARTED", "NOT_STARTED"]
    assert run.batches.find("b").failures == 1


def test_failures_of_an_unknown_batch_expire_and_stop_nothing(run):
    run.send(run.ecs.event("nobody", request_id="r"), batch="x")
    run.work()
    assert run.batches.find("x") is None
    assert "expires" in run.dynamodb.items["BATCH#x", "BATCH"]
    run.send(run.ecs.event("web-001"), batch="x")
    assert run.work() == [] and run.ecs.image("web-001") == "registry/app:2"


@pytest.mark.parametrize("name", ["request_id", "ecs_service_name", "ecs_cluster_name"])
def test_a_name_that_is_too_long_for_a_key_goes_to_the_dead_letter_queue_at_once(run, name):
    run.send(run.ecs.event("web-001") | {name: "n" * 3000})
    assert run.work() == [] and "is too long" in run.dead_letter()[1]


def test_all_items_of_a_service_that_does_not_exist_expire(run):
    run.send(run.ecs.event("no-such-service"))
    run.work()
    items = [
        item for (key, _), item in run.dynamodb.items.items() if key.endswith("/no-such-service")
    ]
    assert len(items) == 2 and all("expires" in item for item in items)


def test_a_rejection_in_a_target_is_in_the_ledger_under_the_targets_arn():
    run = FleetRun(1, {"shop": 1})
    bad = {**run.ecs.event("web-001"), "target": "shop", "ecs_image_name": ":"}
    for number, fields in enumerate(
        ({}, {"ecs_service_name": "*"}, {"target": "home"}, {"target": 1})
    ):
        run.send({**bad, **fields, "request_id": f"r{number}"})
    run.work()
    arn = "arn:aws:ecs:eu-central-1:222222222222:service/ECSCluster/web-001"
    assert run.entry("r0").service == arn
    assert (
        run.entry("r2").service == "arn:aws:ecs:eu-west-1:123456789012:service/ECSCluster/web-001"
    )
    assert len(run.dead_letter_queue) == 2 and not run.fleets["shop"].requests


def test_a_message_waits_until_the_targets_can_be_read():
    run = FleetRun(1, {"shop": 1})
    run.accounts.parameter = "{"
    run.send({**run.ecs.event("web-001"), "target": "shop", "request_id": "r"})
    assert run.work() and run.history.find("r") is None
    run.accounts.parameter = None
    run.work_all()
    assert run.fleets["shop"].image("web-001") == "registry/app:2"
    assert len(run.dead_letter_queue) == 0

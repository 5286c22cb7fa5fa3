"""When the worker tries a message again, when it gives it up, and what it says of one that had
begun: always what is true.
"""

import pytest

from ecs_updater.ledger.entry import State
from ecs_updater.worker.run import PATIENCE
from fakes import memory_dynamodb
from fakes.fake_ecs import DENIED, SERVER_ERROR, THROTTLED
from support.fleet_run import FleetRun


@pytest.fixture(name="run")
def _run():
    return FleetRun(12)


def refusing(answer, *operations):
    """Lets ECS answer these so."""
    return lambda operation, body: answer if operation in operations else None


def hold(run, name, seconds):
    """Lets somebody else hold a service for so long."""
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
    """The worker each time a message comes; after how many seconds it did."""
    begin, moments = run.time(), []
    while run.queue.is_busy:
        run.time.now = max(run.time.now, run.queue.next_at)
        moments.append(round(run.time() - begin))
        run.work()
    return moments


# Held, slow, out of turn


def test_a_service_that_is_held_comes_again_and_what_follows_in_its_group_waits_for_it(run):
    run.send(run.ecs.event("web-001"))
    run.work()
    hold(run, "web-001", 60)
    run.send(
        run.ecs.event("web-001", "registry/app:3"),
        run.ecs.event("web-002"),
        run.ecs.event("web-001", "registry/app:4"),
    )
    assert run.work() == ["message-2", "message-4"]
    assert run.ecs.image("web-002") == "registry/app:2"
    assert run.queue.next_at == run.time() + 30
    run.work_all()
    assert [revision for name, revision in run.ecs.updates if name == "web-001"] == [
        "web-001:2",
        "web-001:3",
        "web-001:4",
    ]
    assert run.ecs.image("web-001") == "registry/app:4"


def test_a_service_that_somebody_holds_as_long_as_a_call_may_wait_is_updated_after_that(run):
    ids = run.begin_batch([run.ecs.event("web-001")])
    hold(run, "web-001", 900)
    work_until_empty(run)
    assert (
        run.entry(ids[0]).state is State.DEPLOYED and run.queue.dead == [] and len(run.letters) == 0
    )


def test_what_follows_in_a_group_is_told_too_when_what_goes_before_it_is_given_up(run):
    run.ecs.before = refusing(THROTTLED, "UpdateService")
    first = run.begin_batch([run.ecs.event("web-001", "registry/app:2")], "b1")
    second = run.begin_batch([run.ecs.event("web-001", "registry/app:3")], "b2")
    work_until_empty(run)
    assert [run.entry(one).verdict for one in (*first, *second)] == ["NOT_DEPLOYED"] * 2
    assert run.queue.dead == [] and len(run.letters) == 2


def test_what_had_no_time_left_is_not_given_up_for_it(run):
    ids = run.begin_batch([run.ecs.event("web-001")])
    for _ in range(6):
        assert run.work(seconds=44) == ["message-1"]
    assert run.work() == [] and run.entry(ids[0]).state is State.DEPLOYED


def test_a_ledger_that_gives_no_token_lets_each_message_come_again_by_itself(run):
    run.send(run.ecs.event("web-001"), run.ecs.event("web-002"))
    run.dynamodb.before = lambda request: (memory_dynamodb.THROTTLED, False)
    assert run.work() == ["message-1", "message-2"] and run.queue.next_at == run.time() + 30
    run.dynamodb.before = None
    run.work_all()
    assert {run.ecs.image(name) for name in ("web-001", "web-002")} == {"registry/app:2"}


# Trouble that may pass, and trouble that does not


def test_trouble_of_aws_is_tried_again_later_each_time_for_half_an_hour_and_then_given_up(run):
    ids = run.begin_batch([run.ecs.event("web-001")])
    run.ecs.before = refusing(THROTTLED, "UpdateService")
    moments = work_until_empty(run)
    assert moments[:6] == [0, 30, 90, 210, 450, 750]
    assert moments[-2] < PATIENCE <= moments[-1] and moments[-1] - moments[-2] == 300

    entry = run.entry(ids[0])
    assert (entry.verdict, entry.may_be_repeated) == (
        "NOT_DEPLOYED",
        False,
    ) and "Rate exceeded" in (entry.cause or "")
    assert run.batches.find("b").failures == 1 and run.history.unfinished() == []
    body, cause = run.letter()
    assert body["request_id"] == ids[0] and "Rate exceeded" in cause and run.queue.dead == []


def test_of_what_is_tried_again_one_revision_is_made(run):
    run.send(run.ecs.event("web-001"))
    run.ecs.before = refusing(THROTTLED, "UpdateService")
    work_until_empty(run)
    assert run.ecs.registered == ["web-001:2"]


EXPIRED = (400, "ExpiredTokenException", "The security token included in the request is expired")


@pytest.mark.parametrize(
    "operation", ["DescribeServices", "RegisterTaskDefinition", "UpdateService"]
)
@pytest.mark.parametrize("answer", [DENIED, EXPIRED], ids=["denied", "expired"])
def test_what_is_not_permitted_is_retried_for_half_an_hour_and_then_a_dead_letter(
    run, answer, operation
):
    ids = run.begin_batch([run.ecs.event("web-001"), run.ecs.event("web-002")])

    def refused(called, body):
        return answer if called == operation and "web-001" in str(body) else None

    run.ecs.before = refused
    assert run.work() == ["message-1"] and run.ecs.image("web-002") == "registry/app:2"
    moments = work_until_empty(run)
    assert len(moments) > 5 and moments[-2] < PATIENCE - 30 <= moments[-1]
    entry = run.entry(ids[0])
    assert (entry.verdict, entry.may_be_repeated) == ("NOT_DEPLOYED", False)
    body, cause = run.letter()
    reason = answer[2].partition(".")[0]
    assert body["request_id"] == ids[0] and reason in cause and reason in (entry.cause or "")


@pytest.mark.parametrize("answer", [DENIED, EXPIRED], ids=["denied", "expired"])
def test_what_is_permitted_within_the_messages_time_is_done(run, answer):
    ids = run.begin_batch([run.ecs.event("web-001")])
    run.ecs.before = lambda operation, _: (
        answer if operation == "UpdateService" and run.time() < begin + 600 else None
    )
    begin = run.time()
    work_until_empty(run)
    assert (
        run.entry(ids[0]).state is State.DEPLOYED
        and len(run.ecs.updates) == 1
        and len(run.letters) == 0
    )


def test_a_worker_that_does_not_wait_for_permission_ends_the_update_at_once(run):
    ids = run.begin_batch([run.ecs.event("web-001")])
    run.ecs.before = refusing(DENIED, "UpdateService")
    records = run.queue.receive()
    assert run.worker(retries_denied=False).process(records) == []
    assert run.entry(ids[0]).verdict == "NOT_DEPLOYED" and not run.entry(ids[0]).may_be_repeated


def test_an_attempt_after_another_waits_for_its_tokens_as_the_first_one_did(run):
    run.environment["ECS_RATES"] = "RegisterTaskDefinition=2/1"
    run.send(*(run.ecs.event(name) for name in run.ecs.names[:10]))
    run.ecs.before = refusing(THROTTLED, "RegisterTaskDefinition")
    run.work()
    run.ecs.before = lambda operation, body: None
    run.time.now = run.queue.next_at + 300
    begin = run.time()
    assert run.work() == [] and len(run.ecs.registered) == 10
    assert run.time() - begin >= 8


def test_a_function_that_is_set_up_wrongly_says_so_of_each_update_in_the_end(run):
    run.environment["VERIFY_IMAGE"] = "nonsense"
    ids = run.begin_batch([run.ecs.event("web-001")])
    work_until_empty(run)
    assert run.entry(ids[0]).verdict == "NOT_DEPLOYED" and "VERIFY_IMAGE" in (
        run.entry(ids[0]).cause or ""
    )


def test_what_was_given_up_and_comes_once_more_is_done_with(run):
    run.begin_batch([run.ecs.event("web-001")])
    run.ecs.before = refusing(DENIED, "UpdateService")
    records = run.queue.receive()
    run.time.now += PATIENCE
    assert run.worker().process(records) == []
    made = run.ecs.buckets.calls.total()
    # The look at ten services at once.
    assert run.worker().process(records) == [] and run.ecs.buckets.calls.total() == made + 1


def test_a_message_that_ends_the_worker_each_time_goes_to_the_dead_letters(run):
    run.send(run.ecs.event("web-001"))
    for _ in range(run.queue.most_receives):
        assert run.queue.receive()
        run.queue.come_again()
    assert run.queue.receive() == [] and len(run.queue.dead) == 1


# What had begun


def test_an_update_whose_answer_was_lost_goes_on_when_its_batch_is_stopped(run):
    ids = run.begin_batch([run.ecs.event("web-001")])

    def lost(operation, body):
        if operation == "UpdateService":
            run.ecs._do_UpdateService(body)  # pylint: disable=protected-access
            run.ecs.before = refusing(SERVER_ERROR, "DescribeServices")
            return SERVER_ERROR
        return None

    run.ecs.before = lost
    assert run.work() == ["message-1"] and run.entry(ids[0]).state is State.REGISTERED
    run.batches.stop("b", "stopped by somebody")
    run.ecs.before = lambda operation, body: None
    run.work_all()
    run.time.now += 60
    run.complete()
    assert (
        run.entry(ids[0]).verdict == "SUCCEEDED"
        and len(run.ecs.updates) == 1
        and len(run.letters) == 0
    )


def test_tags_that_could_not_be_put_back_are_put_back_when_the_update_is_given_up(run):
    ids = run.begin_batch([run.ecs.event("web-001", ecs_tag={"team": "b"})])

    def refused(operation, body):
        if operation == "UpdateService" or (
            operation == "TagResource" and {"key": "team", "value": "a"} in body["tags"]
        ):
            return DENIED
        return None

    run.ecs.before = refused
    run.work()
    run.ecs.before = lambda operation, body: None
    run.batches.stop("b", "stopped by somebody")
    run.work_all()
    assert run.ecs.boundary().describe_service("ECSCluster", "web-001")[0]["tags"] == [
        {"key": "team", "value": "a"}
    ]
    assert (
        run.entry(ids[0]).verdict == "INTERRUPTED"
        and run.entry(ids[0]).has_failed
        and run.history.unfinished() == []
    )


def test_a_running_update_is_left_to_the_completer_when_its_stopped_batchs_message_comes_again(run):
    ids = run.begin_batch([run.ecs.event("web-001")])
    records = run.queue.receive()
    assert run.worker().process(records) == []
    run.batches.stop("b", "stopped by somebody")
    assert run.worker().process(records) == [] and run.entry(ids[0]).state is State.DEPLOYED
    assert run.batches.find("b").failures == 0


def test_what_did_not_begin_is_no_failure_of_its_batch(run):
    ids = run.begin_batch(
        [run.ecs.event(name) for name in ("nobody", "web-001", "web-002")], max_failures=1
    )
    run.work()
    assert [run.entry(one).verdict for one in ids] == ["NOT_DEPLOYED", "NOT_STARTED", "NOT_STARTED"]
    assert run.batches.find("b").failures == 1


def test_a_batch_that_nobody_began_counts_nothing_that_anybody_reads_and_is_forgotten(run):
    run.send(run.ecs.event("nobody", request_id="r"), batch="x")
    run.work()
    assert run.batches.find("x") is None
    assert "expires" in run.dynamodb.items["BATCH#x", "BATCH"]
    run.send(run.ecs.event("web-001"), batch="x")
    assert run.work() == [] and run.ecs.image("web-001") == "registry/app:2"


@pytest.mark.parametrize(
    "fields",
    [
        {"request_id": "r" * 3000},
        {"ecs_service_name": "s" * 3000},
        {"ecs_cluster_name": "c" * 3000},
    ],
)
def test_names_that_no_key_of_the_table_has_room_for_go_to_the_dead_letters_at_once(run, fields):
    run.send(run.ecs.event("web-001") | fields)
    assert run.work() == [] and "is too long" in run.letter()[1]


def test_everything_that_the_ledger_keeps_of_a_service_that_there_is_not_is_forgotten(run):
    run.send(run.ecs.event("no-such-service"))
    run.work()
    items = [
        item for (key, _), item in run.dynamodb.items.items() if key.endswith("/no-such-service")
    ]
    assert len(items) == 2 and all("expires" in item for item in items)

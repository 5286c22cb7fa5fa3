"""Services of a batch that run the same revision and get the same change share one new revision."""

import json
from collections import Counter

import pytest
from botocore.useragent import UserAgentString

from ecs_updater.context import Call
from ecs_updater.deployments.deploy import deploy
from ecs_updater.ledger.memory import MemoryLedger
from ecs_updater.ledger.rate_limiter import SharedRateLimiter
from ecs_updater.ledger.shared_revisions import CLAIM_SECONDS
from ecs_updater.model.verdict import Verdict
from ecs_updater.throttling import DESCRIBE_REVISION, RATES, REGISTER, UPDATE
from fakes.memory_dynamodb import MemoryDynamodb
from fakes.registry import DIGESTS, Registry, config, single
from fakes.wire import THROTTLED
from support.fault_runs import GOOD, TIMING
from support.fleet_run import FleetRun
from support.rollout_world import OLD_TAGS, Function
from support.sampling import sample
from support.trouble import FAILURES, KILLS, Reach, Trouble

FIELD = {"fieldNewerThanTheSdk": {"a": ["", 1]}}
TAGS = [{"key": "owner", "value": "platform"}]


def body(number):
    """A revision with fields that are newer than the SDK, and tags."""
    container = {
        "name": "app",
        "image": "registry/app:1",
        "memory": 128,
        "environment": [{"name": "EMPTY", "value": ""}, {"name": "NUMBER", "value": str(number)}],
        **FIELD,
    }
    return {"family": f"app-{number}", "containerDefinitions": [container], "tags": TAGS} | FIELD


def fleet(size, revisions):
    """``size`` services that run ``revisions`` revisions in turn."""
    return FleetRun(size, shared=[body(number) for number in range(revisions)])


def events(run, image="registry/app:2", **fields):
    """An event for each service."""
    return [run.ecs.event(name, image, **fields) for name in run.ecs.names]


def revision_of(run, name):
    """The revision of a service's newest deployment."""
    return run.ecs.service_of(name).primary.revision.task_definition


def name_of(run, name):
    """Family and number of that revision."""
    return revision_of(run, name)["taskDefinitionArn"].rpartition("/")[2]


def finish(run):
    """Lets all rollouts end."""
    for _ in range(5):
        run.time.now += 60
        run.reconcile()


def verdicts(run, ids):
    """The verdicts of the entries."""
    return {run.entry(id_).verdict for id_ in ids}


def check_all_new(run, ids, revisions, image="registry/app:2"):
    """All services run the image. As many revisions were registered as they ran before, all of them
    used, and with the same content.
    """
    assert verdicts(run, ids) == {"SUCCEEDED"}
    assert {run.ecs.image(name) for name in run.ecs.names} == {image}
    assert len(run.ecs.registered) == revisions
    assert set(run.ecs.registered) == {revision for _, revision in run.ecs.updates}
    for number, name in enumerate(run.ecs.names):
        found = revision_of(run, name)
        before = body(number % revisions)
        tags = run.ecs.world.revision_tags[found["taskDefinitionArn"]]
        before["containerDefinitions"][0]["image"] = image
        assert {field: found[field] for field in before if field != "tags"} | {
            "tags": tags
        } == before
        entry = run.history.latest(run.entry(ids[number]).service)[0]
        assert entry.after.task_definition_arn == found["taskDefinitionArn"]
    assert not any("holder" in item for item in claims(run).values())


def claims(run):
    """The items of shared revisions by their sort keys."""
    return {
        sk: item
        for (pk, sk), item in run.dynamodb.items.items()
        if pk.startswith("BATCH#") and sk.startswith("REVISION#") and "request_id" not in item
    }


@pytest.fixture(name="run")
def _run():
    """Six services that run one revision."""
    return fleet(6, 1)


@pytest.mark.parametrize("workers", [1, 5])
def test_a_hundred_services_on_ten_revisions_need_ten_registrations(workers, figure):
    run = fleet(100, 10)
    ids, begin = run.begin_batch(events(run)), run.time()
    run.work_together(workers)
    seconds = run.time() - begin
    finish(run)
    check_all_new(run, ids, 10)
    buckets = run.ecs.buckets
    assert buckets.calls["RegisterTaskDefinition"] == 10 and not +buckets.throttled
    burst, rate = RATES[UPDATE]
    assert seconds <= 1.15 * (100 - burst) / rate + 2
    assert len(claims(run)) == 10
    figure(f"shared revisions, {workers} workers", f"100 services, 10 revisions, {seconds:.0f} s")


def test_every_call_with_a_rate_has_its_token(monkeypatch):
    """While several wait for a token to register the same revision, one registers it."""
    run = fleet(12, 2)
    run.environment["ECS_RATES"] = "RegisterTaskDefinition=1/0.2"
    tokens = Counter()
    take = SharedRateLimiter.take

    def counted(limiter, bucket, count, *others):
        tokens[bucket] += count
        return take(limiter, bucket, count, *others)

    monkeypatch.setattr(SharedRateLimiter, "take", counted)
    ids = run.begin_batch(events(run))
    run.work_together(6)
    finish(run)
    check_all_new(run, ids, 2)
    names = REGISTER, DESCRIBE_REVISION, UPDATE
    calls = run.ecs.buckets.calls
    assert [name for name in names if calls[name] > tokens[name]] == []


def test_each_body_has_a_revision_of_its_own(run):
    a, b, c, d, e, f = run.ecs.names
    run.begin_batch(
        [
            run.ecs.event(a),
            run.ecs.event(b),
            run.ecs.event(c, "registry/app:3"),
            run.ecs.event(d, ecs_cpu=64),
            run.ecs.event(e, ecs_environment={"SECRET": "1"}),
            run.ecs.event(f, ecs_environment={"SECRET": "2"}),
        ]
    )
    run.environment["ALLOWED_FIELDS"] = "*"
    run.work_all()
    revisions = [name_of(run, name) for name in run.ecs.names]
    assert revisions[0] == revisions[1] and len(set(revisions)) == 5
    assert "SECRET" not in json.dumps([[*claims(run)], [*claims(run).values()]])


def test_another_batch_and_an_update_without_one_share_nothing(run):
    a, b, c, d, *_ = run.ecs.names
    run.begin_batch([run.ecs.event(a)], "first")
    run.begin_batch([run.ecs.event(b)], "second")
    run.send(run.ecs.event(c), run.ecs.event(d))
    run.work_all()
    assert len(run.ecs.registered) == 4
    # A batch that is sent by hand has no item of its own.
    assert {pk for pk, sk in run.dynamodb.items if sk.startswith("REVISION#")} == {
        "BATCH#first",
        "BATCH#second",
    }


def test_the_same_batch_with_other_content_gets_other_revisions(run):
    run.send(*events(run), batch="b")
    run.work_all()
    finish(run)
    assert len(run.ecs.registered) == 1
    run.send(*events(run, "registry/app:3"), batch="b")
    run.work_all()
    finish(run)
    assert len(run.ecs.registered) == 2
    assert {run.ecs.image(name) for name in run.ecs.names} == {"registry/app:3"}


def test_services_with_different_running_revisions_share_nothing(run):
    a, b = run.ecs.names[:2]
    other = run.ecs.world.register(body(0))["taskDefinitionArn"]
    run.ecs.answer(
        "UpdateService", {"cluster": "ECSCluster", "service": b, "taskDefinition": other}
    )
    run.time.now += 60
    run.begin_batch([run.ecs.event(a), run.ecs.event(b)])
    run.work_all()
    assert len(claims(run)) == 2 and name_of(run, a) != name_of(run, b)


def test_one_service_is_rolled_back_and_the_others_keep_the_revision(run):
    bad = run.ecs.names[2]
    ids = run.begin_batch(events(run, rollback_on_failure=True))
    run.ecs.fail_services(bad)
    run.work_all()
    run.time.now += 60
    run.reconcile()
    run.ecs.service_of(bad).image = None
    finish(run)
    assert run.entry(ids[2]).verdict == Verdict.ROLLED_BACK and name_of(run, bad) == "app-0:1"
    assert verdicts(run, ids[:2] + ids[3:]) == {"SUCCEEDED"}
    assert {name_of(run, name) for name in run.ecs.names if name != bad} == {"app-0:2"}
    # A rollback event for one of them, and the same update of the others again.
    run.send(
        {
            "action": "rollback",
            "ecs_cluster_name": "ECSCluster",
            "ecs_service_name": run.ecs.names[0],
            "request_id": "back",
        }
    )
    run.work_all()
    finish(run)
    assert run.entry("back").verdict == "SUCCEEDED" and name_of(run, run.ecs.names[0]) == "app-0:1"
    assert run.ecs.registered == ["app-0:2"]


def repeated(run, ids):
    """The events of a batch again."""
    return [event | {"request_id": id_} for event, id_ in zip(events(run), ids, strict=True)]


def kill(run, operation, after_effect=False):
    """Kills the worker at an operation of ECS, before or after its effect. Its messages come back
    after the visibility timeout.
    """

    def stop(request):
        if request.operation == operation:
            run.ecs.before = None
            if after_effect:
                run.ecs.answer(operation, request.body)
            raise KeyboardInterrupt

    run.ecs.before = stop
    with pytest.raises(KeyboardInterrupt):
        run.work()


@pytest.mark.parametrize("after_effect", [False, True])
def test_after_a_kill_of_the_claims_holder_the_others_wait_for_the_claim(run, after_effect):
    ids = [f"id-{name}" for name in run.ecs.names]
    first, *others = repeated(run, ids)
    run.send(first, batch="b")
    kill(run, "RegisterTaskDefinition", after_effect)
    (claim,) = claims(run).values()
    assert claim["holder"]["S"] == ids[0]
    begin = run.time()
    run.send(*others, batch="b")  # Another worker gets them before the first one comes back.
    run.work()
    assert CLAIM_SECONDS < run.time() - begin < CLAIM_SECONDS + 5
    assert len(run.ecs.registered) == 1
    run.work_all()
    finish(run)
    check_all_new(run, ids, 1)


@pytest.mark.parametrize("operation", ["UpdateService", "RegisterTaskDefinition"])
@pytest.mark.parametrize("after_effect", [False, True])
def test_after_a_kill_the_same_message_goes_on(run, operation, after_effect):
    ids = run.begin_batch(events(run))
    kill(run, operation, after_effect)
    run.work_all()
    finish(run)
    check_all_new(run, ids, 1)


def test_a_repeated_message_uses_the_same_revision(run):
    ids = run.begin_batch(events(run))
    run.begin_batch([], "other")
    run.work_all()
    run.send(*repeated(run, ids), batch="b")
    run.work_all()
    finish(run)
    check_all_new(run, ids, 1)
    assert len(run.ecs.updates) == 6


def test_a_second_update_of_a_service_in_the_batch_gets_a_revision_of_its_own(run):
    name = run.ecs.names[0]
    run.send(run.ecs.event(name, request_id="first", rollback_on_failure=True), batch="b")
    run.ecs.fail_services(name)
    run.work_all()
    run.time.now += 60
    run.reconcile()
    run.ecs.service_of(name).image = None
    finish(run)
    assert run.entry("first").verdict == Verdict.ROLLED_BACK
    run.send(run.ecs.event(name, request_id="second"), batch="b")
    run.send(run.ecs.event(run.ecs.names[1], request_id="other"), batch="b")
    run.work_all()
    finish(run)
    assert (name_of(run, name), name_of(run, run.ecs.names[1])) == ("app-0:3", "app-0:2")
    assert run.entry("second").verdict == "SUCCEEDED"


@pytest.mark.parametrize("status", ["INACTIVE", "DELETED"])
def test_an_unusable_revision_is_replaced_once(run, status):
    ids = run.begin_batch(events(run))
    run.work(2)
    run.ecs.deregister("app-0:2")
    if status == "DELETED":
        run.ecs.world.delete("app-0:2", True)
    run.work_all()
    finish(run)
    assert run.ecs.registered == ["app-0:2", "app-0:3"]
    assert [name_of(run, name) for name in run.ecs.names] == ["app-0:2"] * 2 + ["app-0:3"] * 4
    assert verdicts(run, ids) == {"SUCCEEDED"}


def test_a_revision_whose_tags_were_changed_is_not_used(run):
    run.begin_batch(events(run))
    run.work(2)
    (arn,) = [arn for arn in run.ecs.world.revision_tags if arn.endswith("app-0:2")]
    run.ecs.world.revision_tags[arn] = []
    run.work(1)
    assert name_of(run, run.ecs.names[2]) == "app-0:3"
    assert run.ecs.world.revision_tags[arn.replace(":2", ":3")] == TAGS


def test_a_refused_registration_leaves_no_claim(run):
    ids = run.begin_batch(events(run))
    refusal = 400, "ClientException", "No"
    run.ecs.before = lambda request: (
        (refusal, False) if request.operation == "RegisterTaskDefinition" else None
    )
    begin = run.time()
    run.work_all()
    assert run.time() - begin < 1 and verdicts(run, ids) == {"NOT_DEPLOYED"}
    assert not any("holder" in item for item in claims(run).values())


@pytest.mark.parametrize("fault", [THROTTLED, (400, "ClientException", "No")])
def test_a_revision_that_cannot_be_read_now_is_used_later_and_another_one_if_it_is_refused(
    run, fault
):
    ids = run.begin_batch(events(run))
    run.work(1)
    run.ecs.before = lambda request: (
        (fault, False)
        if request.body.get("taskDefinition", "").endswith("app-0:2")
        and request.operation == "DescribeTaskDefinition"
        else None
    )
    run.work(1)
    run.ecs.before = None
    run.work_all()
    finish(run)
    assert run.ecs.registered == (["app-0:2"] if fault is THROTTLED else ["app-0:2", "app-0:3"])
    assert verdicts(run, ids) == {"SUCCEEDED"}


def test_a_dry_run_claims_nothing(run):
    call = Call("dry", None, lambda: 900.0, run.clock, batch="b")
    for event in events(run, dry_run=True):
        deploy(event, run.environment, run.boundary, call, run.table)
    assert not run.ecs.registered and not claims(run)


def test_a_task_first_uses_the_shared_revision(run):
    run.environment["ALLOWED_FIELDS"] = "*"
    task = {"run_before": {"command": ["migrate"]}}
    ids = run.begin_batch([event | task for event in events(run)])
    run.work_all()
    finish(run)
    check_all_new(run, ids, 1)
    assert {task.task_definition["revision"] for task in run.ecs.world.standalone.all} == {2}


@pytest.mark.parametrize("pin", ["digest", "tag", "off"])
def test_services_share_the_digest_to_which_an_image_is_pinned(run, pin):
    digests = [DIGESTS[7], DIGESTS[7], DIGESTS[8], DIGESTS[7], DIGESTS[8], DIGESTS[8]]
    environment = run.environment | {"VERIFY_IMAGE": "require", "PIN_DIGEST": pin}
    for event, digest in zip(events(run), digests, strict=True):
        registry = Registry(single(digest=digest), config("amd64"))
        call = Call("call", None, lambda: 900.0, run.clock, batch="b")
        event["request_id"] = event["ecs_service_name"]
        deploy(event, environment, run.boundary, call, run.table, lambda _, own=registry: own)
    images = {run.ecs.image(name) for name in run.ecs.names}
    assert len(run.ecs.registered) == len(images) == (1 if pin == "off" else 2)
    for name, digest in zip(run.ecs.names, digests, strict=True):
        assert pin == "off" or digest in run.ecs.image(name)
        (entry,) = run.history.latest(run.ecs.service_of(name).arn)
        assert entry.digests == {"app": [digest]}


def test_a_batch_without_a_table_shares_in_memory(run):
    ledger = MemoryLedger(run.time)
    for number, event in enumerate(events(run)):
        call = Call(f"call {number}", None, lambda: 900.0, run.clock, batch="b")
        deploy(event, {}, run.boundary, call, ledger)
    assert run.ecs.registered == ["app-0:2"] and {run.ecs.image(n) for n in run.ecs.names} == {
        "registry/app:2"
    }


def test_each_account_has_revisions_of_its_own():
    run = FleetRun(3, {"other": 3}, shared=[body(0)])
    there = [run.fleets["other"].event(name, target="other") for name in run.ecs.names]
    run.begin_batch([*events(run), *there])
    run.work_all()
    assert run.ecs.registered == run.fleets["other"].registered == ["app-0:2"]


# A fault of one service of the batch, then another service, then the first one again


FIRST, OTHER = "ecs-dummy-service", "second-service"


@pytest.fixture(name="function", scope="module")
def _function():
    return Function(MemoryDynamodb())


def two_services(function):
    """A world with two services that run the same revision."""
    world = function.world(timing=TIMING, time_out=1)
    world.ecs.add_service("ECSCluster", OTHER, OLD_TAGS, revision=world.ecs.revisions[0])
    for image in ("busybox", "app:2"):
        world.ecs.images.becomes(image, GOOD)
    return world


def send(world, service):
    """One update of the batch."""
    return world.send(ecs_service_name=service, request_id=service, wait_seconds=60, batch="b")


def until_answered(world, service):
    """Sends an update until it is answered."""
    for _ in range(8):
        outcome = send(world, service)
        if outcome.answer:
            return outcome
        world.pass_time(30)
    return outcome


def troubles(requests):
    """Every request fails in each way, and is the last of a killed process."""
    for at in range(requests):
        yield from (Trouble(at, kind, Reach.CALL) for kind in FAILURES)
        yield from (Trouble(at, kind) for kind in KILLS)
        yield Trouble(at, FAILURES[at % len(FAILURES)], Reach.OUTAGE)


def test_after_any_fault_of_one_service_the_others_and_it_share_a_revision(
    function, monkeypatch, figure
):
    monkeypatch.setattr(UserAgentString, "to_string", lambda self: "test")
    world = two_services(function)
    world.ecs.clock.drive_sdk(monkeypatch)
    send(world, FIRST)
    cases, most = sample(troubles(len(world.process.sent))), 0
    for trouble in cases:
        world = two_services(function)
        world.ecs.clock.drive_sdk(monkeypatch)
        world.at_next = trouble
        send(world, FIRST)
        outcome = until_answered(world, OTHER)
        assert outcome.verdict == "SUCCEEDED", (str(trouble), outcome.text)
        outcome = until_answered(world, FIRST)
        assert outcome.verdict == "SUCCEEDED", (str(trouble), outcome.text)
        world.finish(60)
        for name in (FIRST, OTHER):
            revision = world.ecs.service_of(name).primary.revision.task_definition
            assert revision["containerDefinitions"][0]["image"] == "app:2", str(trouble)
            assert world.ecs.service_of(name).primary.rollout_state == "COMPLETED"
        used = {
            world.ecs.service_of(name).primary.revision.task_definition["revision"]
            for name in (FIRST, OTHER)
        }
        # No more than one further revision, and none that is not used.
        assert len(used) == len(world.ecs.revisions) - 1 <= 2, str(trouble)
        most += len(used) == 2
    figure("faults: two services of a batch", f"{len(cases)} runs, {most} with two revisions")

"""Updates in other accounts and regions: through the queue, HTTP and a direct call, with one
simulated ECS in each account and real clients with assumed credentials.
"""

from collections import Counter

import pytest

from ecs_updater.api import post_routes
from ecs_updater.api.query import ListQuery
from ecs_updater.api.service_list import ServiceList
from ecs_updater.context import Call
from ecs_updater.deployments.deploy import deploy
from ecs_updater.deployments.verdicts import event_of
from ecs_updater.errors import (
    ConfigurationError,
    InvalidEventError,
    InvalidQueryError,
    Outcome,
    ServiceReadError,
    TargetRoleError,
)
from ecs_updater.throttling import DESCRIBE_REVISION, REGISTER, UPDATE
from fakes.accounts import PARAMETER
from fakes.simulated_ecs import Image
from fakes.wire import CLUSTER_ARN
from fakes.wire import DENIED as DENIED_BY_ECS
from support.fleet_run import FleetRun
from support.http import NO_SCOPES, ask

SHOP, MAIL = "shop-prod", "mail"
STRANGE = "arn:aws:ecs:eu-central-1:999999999999:cluster/ECSCluster"
DENIED = (
    "[ERROR][ecs_service_read] AccessDenied: User: "
    "arn:aws:sts::123456789012:assumed-role/f/f is not authorized to perform: sts:AssumeRole on "
    "resource: arn:aws:iam::222222222222:role/update (target shop-prod: the role "
    "arn:aws:iam::222222222222:role/update could not be assumed: check its trust policy and its "
    "external id, and the caller's permission for sts:AssumeRole)"
)


@pytest.fixture(name="run")
def _run():
    """One service at home, and one in each of two targets."""
    return FleetRun(1, {SHOP: 1, MAIL: 1})


def event(run, target=None, name="web-001", **fields):
    """An event for a service of a target, or of home."""
    where = {"target": target} if target else {}
    return run.ecs.event(name, **where, **fields)


def call_of(run):
    """An invocation with 15 minutes."""
    end = run.time() + 900
    return Call(time_left=lambda: end - run.time(), clock=run.clock)


def update(run, request, **environment):
    """Does an update in a direct call, with the ledger."""
    return deploy(request, run.environment | environment, run.boundary, call_of(run), run.table)[
        "body"
    ]


def images(run):
    """The image of the first service at home and in each target."""
    return [fleet.image("web-001") for fleet in (run.ecs, *run.fleets.values())]


def finish(run):
    """Lets the rollouts end, and reconciles them."""
    run.time.now += 400
    assert not run.reconcile().skipped
    assert not run.reconcile().open


def calls(run):
    """All calls of ECS, STS and Parameter Store."""
    ecs = sum(len(fleet.requests) for fleet in (run.ecs, *run.fleets.values()))
    return ecs + run.accounts.calls.total()


def test_the_event_of_a_verdict_names_the_target_while_there_is_one(run):
    for target in (None, SHOP):
        update(run, event(run, target, request_id=f"request {target}"))
    home, shop = (run.history.find(f"request {target}") for target in (None, SHOP))
    assert [event_of(each, run.boundary.targets).target for each in (home, shop)] == [None, SHOP]
    run.accounts.parameter = "{"
    targets = run.accounts.boundary().targets
    assert [event_of(each, targets).target for each in (home, shop)] == [None, None]


# Where an event goes


def test_an_event_updates_the_service_of_its_target_and_no_other_one(run):
    body = update(run, event(run, SHOP, wait_seconds=600))
    assert body["deployment"]["verdict"] == "SUCCEEDED"
    assert images(run) == ["registry/app:1", "registry/app:2", "registry/app:1"]
    arn = "arn:aws:ecs:eu-central-1:222222222222:service/ECSCluster/web-001"
    assert body["AFTER"]["serviceArn"] == arn
    assert run.history.last_success(arn)
    assert run.accounts.assumed == [("arn:aws:iam::222222222222:role/update", "ecs-updater")]
    assert not run.ecs.requests and not run.fleets[MAIL].requests


@pytest.mark.parametrize("field", ["ecs_service_name", "ecs_cluster_name"])
def test_an_arn_names_the_target_too(run, field):
    prefix = run.accounts.targets[MAIL].prefix
    arns = {
        "ecs_service_name": f"{prefix}service/ECSCluster/web-001",
        "ecs_cluster_name": f"{prefix}cluster/ECSCluster",
    }
    update(run, {**event(run), field: arns[field]})
    assert images(run) == ["registry/app:1", "registry/app:1", "registry/app:2"]


def test_an_event_about_home_needs_no_call_for_the_targets(run):
    for names in ({}, {"target": "home"}, {"ecs_cluster_name": CLUSTER_ARN}):
        update(run, {**event(run), **names})
    assert not run.accounts.calls and images(run)[0] == "registry/app:2"


REFUSED = [
    (
        {"ecs_cluster_name": STRANGE},
        f"ecs_cluster_name: '{STRANGE}' is in account 999999999999 and region eu-central-1, for "
        f"which the parameter {PARAMETER} has no target",
        None,
    ),
    (
        {"target": "shop-prd"},
        f"target: 'shop-prd' is not in the parameter {PARAMETER}: write one of home, mail, "
        "shop-prod",
        "did you mean the target shop-prod?",
    ),
    (
        {"target": MAIL, "ecs_cluster_name": STRANGE},
        f"target: mail is account 333333333333 in region us-east-1, but ecs_cluster_name is "
        f"'{STRANGE}': leave one of them out",
        None,
    ),
]


@pytest.mark.parametrize("fields, sentence, hint", REFUSED)
def test_an_account_or_name_without_a_target_is_refused_before_any_call(
    run, fields, sentence, hint
):
    with pytest.raises(InvalidEventError) as raised:
        update(run, {**event(run), **fields})
    assert (raised.value.violation, raised.value.hint) == (sentence, hint)
    assert calls(run) == run.accounts.calls["GetParameter"] == 1


@pytest.mark.parametrize("fields, sentence, hint", REFUSED)
def test_it_is_refused_over_http_too(run, fields, sentence, hint):
    def do(body, call):
        return deploy(body, run.environment, run.boundary, call, run.table)

    answer = ask(
        post_routes.update_app(do, lambda *_: None, NO_SCOPES).resolve,
        "POST",
        "/update",
        {**event(run), **fields},
    )
    assert (answer.status, answer.json["violations"]) == (400, [sentence])
    assert answer.json.get("hint") == hint
    assert calls(run) == run.accounts.calls["GetParameter"] == 1


@pytest.mark.parametrize("fields, sentence, _", REFUSED)
def test_the_queue_refuses_it_at_once_with_the_reason(run, fields, sentence, _):
    run.send({**event(run), **fields, "request_id": "r"})
    assert run.work() == []
    rejected = run.history.find("r")
    cause = rejected.error_message if rejected else run.dead_letter()[1]
    assert sentence[:100] in cause
    # A name of no target names no service: only the dead-letter queue can have it.
    assert (rejected is None) is (fields == {"target": "shop-prd"})
    assert calls(run) == run.accounts.calls["GetParameter"] == 1


def test_without_a_parameter_another_account_is_refused_and_a_target_too():
    run = FleetRun(1)
    run.boundary = run.accounts.boundary()
    for fields, sentence in (
        ({"ecs_cluster_name": STRANGE}, "and this function has no targets"),
        ({"target": SHOP}, "'shop-prod' cannot be used: this function has no targets"),
    ):
        with pytest.raises(InvalidEventError, match=sentence):
            update(run, {**event(run), **fields})
    assert calls(run) == 0


def test_a_parameter_that_is_not_valid_is_an_error_of_the_function(run):
    run.accounts.parameter = "{"
    with pytest.raises(ConfigurationError, match="TARGETS_PARAMETER: its value is not valid JSON"):
        update(run, event(run, SHOP))
    assert calls(run) == 1


# Roles


def test_a_role_that_cannot_be_assumed_is_one_clear_error_and_nothing_is_written(run, caplog):
    run.accounts.deny(SHOP)
    with pytest.raises(TargetRoleError) as raised:
        update(run, event(run, SHOP, request_id="r"))
    assert str(raised.value) == DENIED and raised.value.outcome is Outcome.NOT_PERMITTED
    assert calls(run) == 2 and run.history.find("r") is None
    assert not [line for line in caplog.records if line.exc_info]


def test_credentials_that_expire_during_a_wait_are_refreshed(run):
    update(run, event(run, SHOP))  # Gets the credentials.
    run.time.now += 3300
    run.fleets[SHOP].publish("registry/app:3", Image.good(starts_after=500))
    body = update(run, event(run, SHOP, image="registry/app:3", wait_seconds=840))
    assert body["deployment"]["verdict"] == "SUCCEEDED"
    assert len(run.accounts.assumed) == 2


def test_a_role_that_is_lost_during_a_wait_leaves_the_update_to_the_reconciler(run):
    run.fleets[SHOP].publish("registry/app:2", Image.good(starts_after=500))
    update(run, event(run, SHOP, request_id="r"))
    run.accounts.deny(SHOP)
    run.time.now += 3600
    (skipped,) = run.reconcile().skipped
    assert DENIED.partition("] ")[2] in skipped
    run.accounts.external_ids = {
        target.account: target.external_id for target in run.accounts.targets.values()
    }
    assert not run.reconcile().open
    assert run.entry("r").verdict == "SUCCEEDED"


def test_an_update_in_a_target_that_is_gone_ends_after_its_maximum_age(run):
    update(run, event(run, SHOP, request_id="r"))
    del run.accounts.targets[SHOP]
    run.time.now += 23 * 3600
    (skipped,) = run.reconcile().skipped
    assert f"for which the parameter {PARAMETER} has no target" in skipped
    run.time.now += 2 * 3600
    run.reconcile()
    assert run.entry("r").verdict == "TIMED_OUT"


def test_a_changed_role_is_used_after_five_minutes(run):
    update(run, event(run, SHOP))
    run.accounts.change(SHOP, update_role="arn:aws:iam::222222222222:role/other")
    update(run, event(run, SHOP))
    run.time.now += 301
    update(run, event(run, SHOP))
    assert [role.rpartition("/")[2] for role, _ in run.accounts.assumed] == ["update", "other"]
    assert run.accounts.calls["GetParameter"] == 2


# Batches


def test_a_batch_spans_home_and_targets_and_each_has_rate_limits_of_its_own(figure):
    run = FleetRun(30, {SHOP: 30, MAIL: 30})
    begin = run.time()
    events = [event(run, target, name) for target in (None, SHOP, MAIL) for name in run.ecs.names]
    ids = run.begin_batch(events)
    run.work_together(5)
    seconds = run.time() - begin
    fleets = [run.ecs, *run.fleets.values()]
    figure("batch of 90 in three accounts", f"{seconds:.0f} s (floor 10 s)")
    # The 30 of one account take 10 seconds. 90 of one account would take 70.
    assert 10 <= seconds <= 20
    assert [fleet.buckets.throttled.total() for fleet in fleets] == [0, 0, 0]
    prefixes = ["", *(target.prefix for target in run.accounts.targets.values())]
    assert {bucket for key, bucket in run.dynamodb.items if key == "PACE"} == {
        f"{prefix}{bucket}"
        for prefix in prefixes
        for bucket in (DESCRIBE_REVISION, REGISTER, UPDATE)
    }
    for fleet in fleets:
        assert Counter(name for name, _ in fleet.updates) == dict.fromkeys(fleet.names, 1)
    finish(run)
    assert {run.entry(id_).verdict for id_ in ids} == {"SUCCEEDED"}
    assert run.accounts.calls == {"GetParameter": 2, "AssumeRole": 2}


def test_a_denied_target_does_not_stop_home_and_the_other_ones_and_is_given_up_later():
    run = FleetRun(3, {SHOP: 3, MAIL: 3})
    run.accounts.deny(SHOP)
    ids = {
        target: run.begin_batch([event(run, target, name) for name in run.ecs.names], f"b-{target}")
        for target in (None, SHOP, MAIL)
    }
    run.work()
    finish(run)
    for target in (None, MAIL):
        assert {run.entry(id_).verdict for id_ in ids[target]} == {"SUCCEEDED"}
    run.work_all()
    assert {run.entry(id_).error_message for id_ in ids[SHOP]} == {DENIED}
    assert len(run.dead_letter_queue) == 3 and not run.fleets[SHOP].requests


@pytest.mark.parametrize(
    "operation", ["RegisterTaskDefinition", "TagResource", "UpdateService", "DescribeServices"]
)
@pytest.mark.parametrize("next_step", ["event", "reconciler"])
def test_a_killed_update_of_a_target_is_completed_or_undone_there(run, operation, next_step):
    fleet = run.fleets[SHOP]
    run.send({**event(run, SHOP), "ecs_tag": {"team": "b"}, "request_id": "r"})
    run.kill_at(operation, fleet)
    run.time.now += 1000  # The lease has expired.
    if next_step == "event":
        run.queue.come_again()
        run.work_all()
    run.reconcile()
    run.time.now += 400
    run.reconcile()
    entry = run.history.find("r")
    is_done = next_step == "event"
    assert (entry.verdict if entry else None) in (
        {"SUCCEEDED"} if is_done else {"INTERRUPTED", None}
    )
    assert fleet.image("web-001") == f"registry/app:{1 + is_done}"
    assert fleet.service_of("web-001").tags == {"team": "b" if is_done else "a"}
    assert images(run)[0] == "registry/app:1" and not run.ecs.requests


def test_a_killed_update_of_a_stopped_batch_is_undone_in_its_target(run):
    fleet = run.fleets[SHOP]
    (id_,) = run.begin_batch([{**event(run, SHOP), "ecs_tag": {"team": "b"}}])
    run.kill_at("UpdateService", fleet)
    assert fleet.service_of("web-001").tags == {"team": "b"}
    run.batches.stop("b", "stopped")
    run.time.now += 1000
    run.queue.come_again()
    run.work_all()
    assert run.entry(id_).is_ended and fleet.service_of("web-001").tags == {"team": "a"}
    assert not run.ecs.requests


# The list


def page(run, **query):
    """One page of `GET /list`: targets and images of the services, and missing targets."""
    found = ServiceList(run.accounts.reader()).page(ListQuery(images=True, **query), lambda: 100.0)
    services = [(service["target"], service["images"]) for service in found["services"]]
    return services, {item["target"]: item["reason"] for item in found["unavailable"]}


IMAGES = {"app": "registry/app:1"}


def test_the_list_spans_home_and_the_targets_with_their_read_roles(run):
    assert page(run) == ([(SHOP, IMAGES), (None, IMAGES), (MAIL, IMAGES)], {})
    assert {role.rpartition("/")[2] for role, _ in run.accounts.assumed} == {"read"}
    assert page(run, target="home") == ([(None, IMAGES)], {})
    assert page(run, target=MAIL) == ([(MAIL, IMAGES)], {})


def test_a_target_that_cannot_be_read_is_named_and_does_not_stop_the_others(run):
    run.accounts.deny(SHOP)
    services, unavailable = page(run)
    assert services == [(None, IMAGES), (MAIL, IMAGES)]
    assert list(unavailable) == [SHOP] and "role/read could not be assumed" in unavailable[SHOP]


@pytest.mark.parametrize("operation", ["ListServices", "DescribeServices"])
def test_a_target_that_fails_in_between_is_named_too(run, operation):
    run.fleets[MAIL].fail(operation, DENIED_BY_ECS, times=9)
    services, unavailable = page(run)
    assert services == [(SHOP, IMAGES), (None, IMAGES)] and list(unavailable) == [MAIL]


@pytest.mark.parametrize("operation", ["ListServices", "DescribeServices"])
def test_home_that_fails_in_between_is_an_error_of_the_list(run, operation):
    run.ecs.fail(operation, DENIED_BY_ECS, times=9)
    with pytest.raises(ServiceReadError, match=operation):
        page(run)
    assert page(run, target=MAIL) == ([(MAIL, IMAGES)], {})


def test_images_that_cannot_be_read_are_read_again_with_the_next_page(run):
    listing = ServiceList(run.accounts.reader())
    run.fleets[MAIL].fail("DescribeTaskDefinition", DENIED_BY_ECS)
    found = [listing.page(ListQuery(images=True), lambda: 100.0) for _ in range(2)]
    assert [page["services"][2]["images"] for page in found] == [None, IMAGES]
    assert [[item["target"] for item in page["unavailable"]] for page in found] == [[MAIL], []]


def test_a_parameter_that_is_not_valid_leaves_the_services_of_home(run):
    run.accounts.parameter = "[]"
    services, unavailable = page(run)
    assert services == [(None, IMAGES)]
    assert list(unavailable) == ["*"] and "is not of type 'object'" in unavailable["*"]


def test_a_target_that_does_not_exist_is_refused_with_those_that_do(run):
    with pytest.raises(InvalidQueryError, match="write one of home, mail, shop-prod") as raised:
        page(run, target="shop-prd")
    assert raised.value.hint == "did you mean the target shop-prod?"


def test_the_list_of_a_new_target_does_not_wait_for_the_next_read_of_the_parameter(run):
    listing, new = ServiceList(run.accounts.reader()), run.accounts.targets.pop(MAIL)
    listing.page(ListQuery(), lambda: 100.0)
    run.accounts.targets[MAIL] = new
    run.time.now += 10
    found = listing.page(ListQuery(target=MAIL), lambda: 100.0)
    assert [service["target"] for service in found["services"]] == [MAIL]

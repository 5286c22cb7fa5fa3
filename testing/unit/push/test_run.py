"""The function of the pushes: which services get an update, and what the update asks for."""

import json

import pytest

from ecs_updater.aws.dynamodb import Put
from ecs_updater.errors import AwsFailure, ConfigurationError, Outcome
from ecs_updater.model.arn import group_id
from ecs_updater.push.policy import POLICY
from ecs_updater.push.run import Clients, PushRun
from fakes.wire import DENIED
from support.push_run import REGISTRY, WEB, PushedFleet, digest_of, push_event, record_of

FAILURE = AwsFailure("GetResources", Outcome.NOT_NOW, "ThrottledException", "Rate exceeded")


@pytest.fixture(name="fleet")
def _fleet():
    """Three services with the policy semver:1.4.x, which run 1.4.1."""
    return PushedFleet(3)


def names(result):
    """The names of the services that get an update."""
    return [event["ecs_service_name"].rpartition("/")[2] for event in result.updates]


def test_a_push_sends_one_message_to_the_group_of_each_service(fleet):
    result = fleet.push("1.4.2")
    assert result.to_json()["batchItemFailures"] == []
    sent = fleet.queue.receive()
    assert [json.loads(record["body"]) for record in sent] == result.updates
    event = result.updates[0]
    request_id = event.pop("request_id")
    arn = event["ecs_service_name"]
    assert arn.endswith("service/ECSCluster/web-001") and 0 < len(request_id) <= 128
    assert event == {
        "ecs_cluster_name": arn.replace("service/", "cluster/").removesuffix("/web-001"),
        "ecs_service_name": arn,
        "ecs_container_name": "app",
        "ecs_image_name": f"{WEB}:1.4.2",
        "ecs_tag": {},
        "ecs_tag_mode": "merge",
    }
    attributes = sent[0]["attributes"]
    assert attributes["MessageGroupId"] == group_id(arn)
    assert attributes["MessageDeduplicationId"] == request_id


def test_the_update_keeps_the_tags_of_the_service_with_its_policy(fleet):
    fleet.push("1.4.2")
    fleet.work_all()
    assert set(fleet.tags_of_images()) == {"1.4.2"}
    assert fleet.ecs.service_of("web-001").tags == {"team": "a", POLICY: "semver:1.4.x"}


def test_reads_cost_one_call_for_ten_services_and_one_for_each_revision_once():
    fleet = PushedFleet(25)
    fleet.push("1.4.2")
    calls = fleet.ecs.buckets.calls
    assert calls == {"DescribeServices": 3, "DescribeTaskDefinition": 25}
    fleet.push("1.4.3")
    assert calls == {"DescribeServices": 6, "DescribeTaskDefinition": 25}
    fleet.push("1.5.0", "main")
    assert calls == {"DescribeServices": 6, "DescribeTaskDefinition": 25}


def test_a_repeated_push_sends_nothing_once_the_ledger_has_its_update(fleet):
    event = record_of(push_event("1.4.2", fleet.time()))
    assert len(fleet.handle(event, dict(event, messageId="again")).updates) == 3
    fleet.work_all()
    assert fleet.handle(event).updates == [] == fleet.push("1.4.2").updates
    assert len(fleet.ecs.updates) == 3


def test_a_digest_policy_deploys_a_moved_tag_and_then_the_digest_that_came_back(fleet):
    fleet.set_policy("web-002", "digest:1.4.1")
    for number, digest in enumerate("abba", 1):
        fleet.time.now += 100
        found = fleet.handle(
            record_of(push_event("1.4.1", fleet.time(), digest_of(digest)), f"message-{number}")
        )
        forced = [event.get("force_new_deployment") for event in found.updates]
        assert forced == ([] if number == 3 else [True] * 3)
        fleet.work_all()
    assert [name for name, _ in fleet.ecs.updates].count("web-002") == 3


@pytest.mark.parametrize(
    "event",
    [
        push_event("1.4.2", repository="shop/other"),
        {**push_event("1.4.2"), "account": "999999999999"},
        {**push_event("1.4.2"), "region": "eu-west-2"},
        push_event(None),
    ],
)
def test_a_push_to_another_registry_or_repository_or_without_a_tag_is_ignored(fleet, event):
    result = fleet.handle(record_of(event))
    assert not result.updates and not result.failed and not fleet.queue.is_busy


def test_services_without_policy_deleted_ones_and_other_clusters_are_left_out(fleet):
    fleet.set_policy("web-001", None)
    fleet.ecs.service_of("web-002").status = "INACTIVE"
    assert names(fleet.push("1.4.2")) == ["web-003"]
    assert names(fleet.push("1.4.3", CLUSTER_PATTERN="Other*")) == []


def test_an_invalid_policy_deploys_nothing_and_is_reported(fleet, log):
    fleet.set_policy("web-002", "semver:^1.4")
    result = fleet.push("1.4.2")
    assert names(result) == ["web-001", "web-003"]
    (invalid,) = result.to_json()["invalidPolicies"]
    assert invalid["service"].endswith("/web-002") and invalid["value"] == "semver:^1.4"
    (line,) = [line for line in log() if line["level"] == "WARNING"]
    assert line["service_arn"] == invalid["service"] and line["policy"] == "semver:^1.4"
    assert line["reason"] == invalid["reason"]


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"ALLOWED_SERVICES": "ECSCluster/web-001,ECSCluster/web-003"}, ["web-001", "web-003"]),
        ({"ALLOWED_IMAGES": f"{REGISTRY}/shop/web:1.5.*"}, []),
        ({"ALLOWED_IMAGES": f"{REGISTRY}/shop/web:1.4.*"}, ["web-001", "web-002", "web-003"]),
    ],
)
def test_what_the_settings_do_not_allow_is_not_sent(fleet, settings, left):
    result = fleet.push("1.4.2", **settings)
    assert names(result) == left and not result.failed and len(fleet.queue) == len(left)


def test_a_dry_run_only_logs(fleet, log):
    result = fleet.push("1.4.2", PUSH_DRY_RUN="true")
    assert len(names(result)) == 3 and not fleet.queue.is_busy
    assert {line["decision"] for line in log() if line["message"] == "push"} == {
        "would be deployed: PUSH_DRY_RUN is true"
    }
    assert len(fleet.push("1.4.2").updates) == len(fleet.queue) == 3


def two_containers(fleet, name, *images):
    """Gives a service another revision with these images."""
    containers = [
        {"name": f"c{number}", "image": image, "memory": 128} for number, image in enumerate(images)
    ]
    made = fleet.ecs.world.register({"family": name, "containerDefinitions": containers})
    fleet.ecs.service_of(name).primary.revision.task_definition = made


def test_the_container_is_the_one_of_the_repository_or_of_the_tag(fleet, log):
    two_containers(fleet, "web-001", f"{REGISTRY}/shop/proxy:1.4.1", f"{WEB}:1.4.1")
    two_containers(fleet, "web-002", f"{WEB}:1.4.1", f"{WEB}:1.4.1")
    two_containers(fleet, "web-003", f"{WEB}:1.4.1", f"{WEB}:1.4.1")
    fleet.set_policy("web-003", "semver:1.4.x", "c1")
    result = fleet.push("1.4.2")
    containers = [event["ecs_container_name"] for event in result.updates]
    assert list(zip(names(result), containers, strict=True)) == [
        ("web-001", "c1"),
        ("web-003", "c1"),
    ]
    (line,) = [line["message"] for line in log() if line["level"] == "WARNING"]
    assert "name one of c0, c1 in the tag ecs-updater:container" in line


def test_a_container_that_does_not_exist_deploys_nothing(fleet, log):
    fleet.set_policy("web-001", "semver:1.4.x", "nothing")
    assert names(fleet.push("1.4.2")) == ["web-002", "web-003"]
    assert [line["level"] for line in log() if "container nothing" in line["message"]] == [
        "WARNING"
    ]


@pytest.mark.parametrize(
    "image",
    [
        f"{WEB}@{digest_of('1.4.2')}",
        f"{WEB}:1.4.1@{digest_of('1.4.2')}",
        "busybox:1.4.1",
        "not an image",
        f"{WEB}:1.4.3",
    ],
)
def test_a_service_that_runs_the_digest_or_a_newer_version_or_another_image_gets_nothing(image):
    fleet = PushedFleet(1, image=image)
    assert not fleet.push("1.4.2").updates


def test_the_spelling_of_the_registry_stays():
    dual_stack = "123456789012.dkr-ecr.eu-west-1.on.aws/shop/web"
    fleet = PushedFleet(1, image=f"{dual_stack}@{digest_of('1.4.1')}")
    assert fleet.push("1.4.2").updates[0]["ecs_image_name"] == f"{dual_stack}:1.4.2"


def test_a_bad_message_is_delivered_again_and_stops_no_other(fleet):
    good, bad = record_of(push_event("1.4.2", fleet.time())), record_of("{")
    result = fleet.handle(bad, good)
    assert len(result.updates) == 3
    assert result.to_json()["batchItemFailures"] == [{"itemIdentifier": bad["messageId"]}]


@pytest.mark.parametrize("odd", [None, 7, [], {}, {"messageId": 7}, {"messageId": "1", "body": 7}])
def test_an_odd_record_stops_no_push(fleet, odd):
    result = fleet.handle(odd, record_of(push_event("1.4.2", fleet.time())))
    assert len(result.updates) == 3 and len(result.failed) == 1


def test_a_service_that_cannot_be_read_stops_no_other(fleet):
    table = fleet.table
    key = fleet.tagging.services_with(POLICY)
    broken = next(arn for arn in key if arn.endswith("web-002"))
    table.put(Put({"pk": broken, "sk": "PUSH", "request_id": 7}))
    record = record_of(push_event("1.4.2", fleet.time()))
    result = fleet.handle(record)
    assert names(result) == ["web-001", "web-003"] and result.failed == [record["messageId"]]


def test_only_the_pushes_that_a_failure_concerns_are_delivered_again(fleet):
    fleet.ecs.fail("DescribeServices", DENIED, times=2)
    taken, other = (record_of(push_event(tag, fleet.time())) for tag in ("1.4.2", "main"))
    result = fleet.handle(taken, other)
    assert result.failed == [taken["messageId"]]
    fleet.tagging.failure = FAILURE
    assert fleet.handle(taken, other).failed == [taken["messageId"], other["messageId"]]


def test_a_message_that_could_not_be_sent_is_sent_with_the_same_id_later(fleet):
    record = record_of(push_event("1.4.2", fleet.time()))
    fleet.queue.fails = True
    assert fleet.handle(record).failed == [record["messageId"]]
    accepted = fleet.accepted.last(fleet.ecs.service_of("web-001").arn)
    fleet.queue.fails = False
    fleet.time.now += 60
    assert fleet.handle(record).updates[0]["request_id"] == accepted.request_id
    assert len(fleet.queue) == 3


def test_the_function_needs_a_ledger(fleet):
    with pytest.raises(ConfigurationError):
        PushRun({}, Clients(fleet.boundary, fleet.tagging, fleet.queue, None), None)


def test_a_failed_version_is_tried_again_only_with_another_digest(fleet):
    fleet.ecs.fail_services("web-001")
    fleet.push("1.4.2")
    fleet.work_all()
    for _ in range(20):
        fleet.time.now += 200
        if not fleet.reconcile().open:
            break
    assert [name for name, _ in fleet.ecs.updates].count("web-001") == 1
    fleet.time.now += 60
    assert names(fleet.push("1.4.2")) == []
    again = push_event("1.4.2", fleet.time(), digest_of("another"))
    assert "web-001" in names(fleet.handle(record_of(again)))

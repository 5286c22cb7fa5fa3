"""Settings of a revision in whole updates: what may be set, what is shown, and what other updates
make of it.
"""

import io
import json
from dataclasses import replace

import pytest

from ecs_updater.api import post_routes
from ecs_updater.context import Call
from ecs_updater.deployments.deploy import deploy
from ecs_updater.errors import ConfigurationError, InvalidEventError, NotAllowedError
from ecs_updater.log import log_update, logger
from fakes.simulated_ecs import Image
from fakes.wire import REFUSED
from support.fleet_run import FleetRun
from support.http import NO_SCOPES, ask
from support.rollout_world import EVENT, ROLLBACK, SIDECAR

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-AbCdEf:password::"
ALLOWED = {"ALLOWED_FIELDS": "*", "ALLOWED_SECRETS": "*"}
NAMES = {"ecs_image_name": None, "ecs_tag": None, "ecs_container_name": "ecs-dummy-container"}
"""An event with settings only."""

NOTHING = {"ALLOWED_FIELDS": "", "ALLOWED_SECRETS": ""}

FORBIDDEN = [
    ({}, {"ecs_cpu": 1}, "ecs_cpu is not allowed: ALLOWED_FIELDS="),
    (
        {"ALLOWED_FIELDS": "ecs_cpu,ecs_secrets"},
        {"ecs_cpu": 1, "ecs_environment": {"A": "b"}},
        "ecs_environment is not allowed: ALLOWED_FIELDS=ecs_cpu,ecs_secrets",
    ),
    (
        {"ALLOWED_FIELDS": "ecs_cpu"},
        {"ecs_container_settings": {"sidecar": {"ecs_command": ["sh"]}}},
        "ecs_container_settings.sidecar.ecs_command is not allowed: ALLOWED_FIELDS=ecs_cpu",
    ),
    ({}, {"ecs_task_memory": 1024}, "ecs_task_memory is not allowed: ALLOWED_FIELDS="),
    (
        {"ALLOWED_FIELDS": "*"},
        {"ecs_secrets": {"A": SECRET}},
        f"ecs_secrets.A {SECRET} is not allowed: ALLOWED_SECRETS=",
    ),
    (
        {"ALLOWED_FIELDS": "*", "ALLOWED_SECRETS": "arn:aws:ssm:*:*:parameter/shop/*"},
        {"ecs_container_settings": {"sidecar": {"ecs_secrets": {"A": SECRET}}}},
        f"ecs_container_settings.sidecar.ecs_secrets.A {SECRET} is not allowed: "
        "ALLOWED_SECRETS=arn:aws:ssm:*:*:parameter/shop/*",
    ),
]


@pytest.mark.parametrize("environment, fields, text", FORBIDDEN)
def test_a_setting_that_is_not_allowed_is_refused_before_any_request_to_aws(
    make_world, environment, fields, text
):
    world, environment = make_world(), {**NOTHING, **environment}
    for more in ({}, {"dry_run": True}, NAMES):
        outcome = world.send(environment=environment, **fields, **more)
        assert isinstance(outcome.error, NotAllowedError) and world.process.sent == []
        assert outcome.text == f"[ERROR][json_validation] {text}"


@pytest.mark.parametrize("further", [{}, {"ecs-dummy-container": {}}])
def test_settings_without_a_field_do_not_replace_the_image_of_an_event(world, further):
    fields = {**NAMES, "ecs_container_settings": further, "force_new_deployment": True}
    outcome = world.send(environment=NOTHING, **fields)
    assert isinstance(outcome.error, InvalidEventError) and world.process.sent == []
    assert "the value should be non-empty" in outcome.text


@pytest.mark.parametrize(
    "environment, sentence",
    [
        ({"ALLOWED_FIELDS": "ecs_cpus"}, "has the pattern 'ecs_cpus': write patterns of fields"),
        ({"ALLOWED_FIELDS": "ecs_cpu,"}, "has the pattern '': write patterns of fields, which are"),
        ({"ALLOWED_SECRETS": "shop/*"}, "'shop/*': write patterns of ARNs, such as arn:aws:ssm:"),
    ],
)
def test_an_invalid_list_refuses_every_event(world, environment, sentence):
    outcome = world.send(environment=environment)
    assert isinstance(outcome.error, ConfigurationError) and sentence in outcome.text
    assert world.process.sent == []


SETTINGS = {
    "ecs_environment": {"A": "1"},
    "ecs_secrets": {"B": SECRET},
    "ecs_command": ["sh"],
    "ecs_cpu": 64,
    "ecs_memory": 256,
    "ecs_container_settings": {"sidecar": {"ecs_environment": {"C": "2"}}},
    "ecs_task_cpu": 512,
    "ecs_task_memory": 1024,
}
CALLS = ["DescribeServices", "DescribeTaskDefinition", "RegisterTaskDefinition", "UpdateService"]


@pytest.mark.parametrize(
    "fields",
    [*({name: value} for name, value in SETTINGS.items() if name != "ecs_task_cpu"), SETTINGS],
)
@pytest.mark.parametrize("image", ["app:2", None])
def test_settings_of_containers_and_task_cost_no_call(make_world, fields, image):
    world = make_world(containers=SIDECAR)
    event = {**NAMES, "ecs_image_name": image, "ecs_tag": image and world.tags, **fields}
    outcome = world.send(environment=ALLOWED, **event)
    assert outcome.verdict == "IN_PROGRESS" and world.ecs.operations == CALLS
    again = world.send(environment=ALLOWED, **event)
    assert again.answer["body"]["changes"] == [] and world.ecs.operations[:4] == CALLS
    assert len(world.ecs.writes) == 2


def app_of(world):
    """The first container as it runs or is about to."""
    running = world.ecs.service.primary.revision.task_definition
    return running["containerDefinitions"][0]


def test_the_same_request_id_gets_the_same_answer_and_another_value_is_another_event(make_world):
    world = make_world(containers=SIDECAR)
    event = {**NAMES, **SETTINGS, "request_id": "r"}
    first = world.send(environment=ALLOWED, wait_seconds=60, **event)
    assert first.verdict == "SUCCEEDED" and app_of(world)["secrets"][0]["valueFrom"] == SECRET
    writes = list(world.ecs.writes)
    assert world.send(environment=ALLOWED, wait_seconds=60, **event).answer == first.answer
    other = {**event, "ecs_environment": {"A": "2"}}
    assert "was another event's" in world.send(environment=ALLOWED, **other).text
    assert world.ecs.writes == writes


def test_what_somebody_deployed_in_between_stays_beside_the_settings(make_world):
    world = make_world(containers=SIDECAR)
    app, proxy = SIDECAR
    replaced = {**app, "environment": [{"name": "THEIRS", "value": "1"}]}
    world.before("UpdateService", lambda: world.redeploy(replaced, {**proxy, "image": "envoy:2"}))
    fields = {**NAMES, "ecs_environment": {"OURS": "2"}, "wait_seconds": 120}
    outcome = world.send(environment=ALLOWED, **fields)
    assert outcome.verdict == "SUCCEEDED" and "planned again from it" in outcome.notes[0]
    assert world.ecs.running_images["sidecar"] == "envoy:2"
    assert app_of(world)["environment"] == [
        {"name": "THEIRS", "value": "1"},
        {"name": "OURS", "value": "2"},
    ]
    assert [change["what"] for change in outcome.answer["body"]["changes"]] == [
        "environment.ecs-dummy-container.OURS"
    ]


@pytest.mark.parametrize("is_event", [True, False])
def test_a_rollback_restores_the_settings_and_its_changes_name_them(make_world, is_event):
    world = make_world(containers=SIDECAR)
    fields = {**NAMES, **SETTINGS, "wait_seconds": 120}
    if is_event:
        assert world.send(environment=ALLOWED, **fields).verdict == "SUCCEEDED"
        body = world.send(ROLLBACK, wait_seconds=120).answer["body"]
        assert {change["what"]: change["to"] for change in body["changes"]} == {
            "environment.ecs-dummy-container.A": None,
            "secret.ecs-dummy-container.B": None,
            "command.ecs-dummy-container": None,
            "cpu.ecs-dummy-container": "0",
            "memory.ecs-dummy-container": "128",
            "environment.sidecar.C": None,
            "task.cpu": "256",
            "task.memory": "512",
            "taskDefinition": "ecs-dummy-task:1",
        }
    else:
        world.ecs.images.becomes("busybox", Image.exits(code=3))
        fields["rollback_on_failure"] = True
        outcome = world.send(environment=ALLOWED, **fields)
        assert outcome.verdict in ("RolloutRolledBackError", "RolloutFailedError")
    assert app_of(world) == SIDECAR[0]


# Values that may be secrets

S = "sentinel-7f3a"
HIDDEN = {
    "ecs_environment": {"DB_PASSWORD": S, "API_URL": f"https://{S}", "apikey": S, "DSN": None},
    "ecs_command": ["sh", "-c", S],
}
FURTHER = {"ecs_container_settings": {"sidecar": HIDDEN}}
MANY = {f"A{number}": S for number in range(501)}
TASK = {"run_before": {"command": ["sh", "-c", S], "timeout_seconds": 10}}
INVALID = [
    *({"run_before": value} for value in (S, [S], {"command": S}, {"command": [[S]]}, {"a": S})),
    *({"ecs_environment": value} for value in (S, [S], {"A": [S]}, {"A": {S: S}}, MANY)),
    *({"ecs_secrets": value} for value in (S, {"A": S}, {"A": [S]}, MANY)),
    *({"ecs_command": value} for value in (S, [[S]], {S: S})),
    *({"ecs_container_settings": value} for value in (S, [HIDDEN], {"sidecar": S})),
    {"ecs_container_settings": {"sidecar": {"ecs_command": S}}},
    {"ecs_container_settings": {"sidecar": {**HIDDEN, "surplus": S}}},
    {"ecs_container_settings": {f"c{number}": HIDDEN for number in range(11)}},
    {**HIDDEN, "ecs_enviroment": {"A": S}},
    {**HIDDEN, "ecs_cpu": "64"},
    {**HIDDEN, "ecs_service_name": None},
    {**HIDDEN, "ecs_secrets": {"DB_PASSWORD": SECRET}},
]


@pytest.fixture(name="log_text")
def _log_text():
    stream, level = io.StringIO(), logger.log_level
    logger.registered_handler.setStream(stream)
    logger.setLevel("INFO")
    yield stream.getvalue
    logger.setLevel(level)


def shown_of(world, log_text, event, environment):
    """Sends an event twice directly and twice over HTTP. Returns what anybody could read then."""
    settings, shown = {**world.environment, **environment}, []

    def update(sent, call):
        call = replace(call, clock=world.clock, time_left=lambda: 900.0)
        return deploy(sent, settings, world.boundary, call, world.table)

    for event_id in ("a", "a", "b"):
        sent = {**event, "request_id": event_id} if isinstance(event, dict) else event
        call = Call(f"call of {event_id}")
        outcome = world.outcome_of(
            lambda sent=sent, call=call: log_update(sent, call, lambda: update(sent, call))
        )
        shown += [outcome.text, outcome.answer, getattr(outcome.error, "violations", None)]
        shown.append(getattr(outcome.error, "details", None))
        answer = ask(
            post_routes.update_app(update, update, NO_SCOPES).resolve, "POST", "/update", sent
        )
        shown.append(answer.text)
    world.finish(200)
    return "\n".join(map(str, [*shown, log_text(), world.dynamodb.items]))


@pytest.mark.parametrize(
    "fields, faults, environment",
    [
        ({**HIDDEN, **FURTHER}, [], ALLOWED),
        ({**HIDDEN, **FURTHER, "dry_run": True}, [], ALLOWED),
        ({**HIDDEN, **FURTHER}, ["RegisterTaskDefinition"], ALLOWED),
        ({**HIDDEN, **FURTHER}, ["UpdateService"], ALLOWED),
        (HIDDEN, ["rollout"], ALLOWED),
        ({**HIDDEN, **TASK, "ecs_image_name": "busybox"}, [], ALLOWED),
        (TASK, ["RunTask"], ALLOWED),
        ({**HIDDEN, **FURTHER}, [], {"ALLOWED_FIELDS": ""}),
        *((fields, [], ALLOWED) for fields in INVALID),
    ],
)
def test_no_value_that_may_be_a_secret_is_shown_logged_or_stored(
    make_world, log_text, fields, faults, environment
):
    image = Image.exits(code=3) if "rollout" in faults else None
    world = make_world(containers=SIDECAR, image=image)
    for operation in {*faults} - {"rollout"}:
        world.ecs.fail(operation, REFUSED, times=99)
    event = {**EVENT, "ecs_container_name": "ecs-dummy-container", "wait_seconds": 20, **fields}
    event = {name: value for name, value in event.items() if value is not None}
    text = shown_of(world, log_text, event, environment)
    assert S not in text and "ecs_service_name" in text
    is_valid = fields not in INVALID and environment is ALLOWED
    assert is_valid == (S in str(world.ecs.requests) or "dry_run" in fields)
    assert is_valid == ("(set)" in text or faults == ["RegisterTaskDefinition"])


@pytest.mark.parametrize("wrap", [lambda event: [event], json.dumps], ids=["list", "text"])
def test_an_event_in_a_list_or_a_text_is_refused_without_its_values(make_world, log_text, wrap):
    text = shown_of(make_world(), log_text, wrap({**EVENT, **HIDDEN}), ALLOWED)
    assert S not in text and "the value is not of type 'object'" in text


def test_the_queue_shows_and_stores_no_value_that_may_be_a_secret(log_text):
    run = FleetRun(4)
    run.environment |= ALLOWED
    run.ecs.fail_services("web-002")
    events = [
        run.ecs.event(name, ecs_image_name=None, ecs_tag=None, **fields)
        for name, fields in (
            ("web-001", HIDDEN),
            ("web-002", {**HIDDEN, "rollback_on_failure": True}),
            ("web-003", {**HIDDEN, "ecs_cpu": "64"}),
            ("gone", HIDDEN),
        )
    ]
    events = [
        {name: value for name, value in event.items() if value is not None} for event in events
    ]
    run.begin_batch(events)
    run.send("[", {**HIDDEN, "ecs_cluster_name": 1})
    run.work_all()
    for _ in range(5):
        run.time.now += 100
        run.reconcile()
    causes = [message["messageAttributes"] for message in run.dead_letter_queue.receive()]
    text = "\n".join(map(str, [log_text(), run.dynamodb.items, causes]))
    assert S not in text and text.count("(set)") > 4 and len(causes) == 2
    assert [run.entry(f"b-0000{number}").verdict for number in (1, 2, 3, 4)] == [
        "SUCCEEDED",
        *("FAILED", "NOT_DEPLOYED", "NOT_DEPLOYED"),
    ]
    assert S in str(run.ecs.service_of("web-001").primary.revision.task_definition)

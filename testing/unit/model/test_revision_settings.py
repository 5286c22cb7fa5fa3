"""Settings of a revision: what an event makes of a running task definition, and what it may not."""

import pytest

from ecs_updater.errors import EcsUpdaterError, InvalidEventError
from ecs_updater.model.event_parser import parse
from ecs_updater.model.plan import make_plan
from ecs_updater.model.revision_settings import HIDDEN, masked
from ecs_updater.model.service import Snapshot
from ecs_updater.settings import Settings

ARN = "arn:aws:ecs:eu-west-1:123456789012"
NAMES = {"ecs_cluster_name": "c", "ecs_service_name": "s"}
PARAMETER = "arn:aws:ssm:eu-west-1:123456789012:parameter/shop"
ALL = Settings(allowed_fields="*", allowed_secrets="*")


@pytest.fixture(name="plan")
def _plan(fields):
    """Makes the plan of an event for a task with the container `app`, which has `definition`."""

    def make(event, definition=None, task=None, on_fargate=None):
        app = {"name": "app", "image": "nginx", **(definition or {})}
        containers = [app, {"name": "log", "image": "fluent"}]
        running = {"taskDefinitionArn": f"{ARN}:task-definition/f:3", "family": "f"}
        snapshot = Snapshot(
            key=f"{ARN}:service/c/s",
            cluster_arn=f"{ARN}:cluster/c",
            service_arn=f"{ARN}:service/c/s",
            task_definition={**running, "containerDefinitions": containers, **(task or {})},
            task_definition_tags=(),
            tags={},
            reserved_tags={},
            deployment_id="ecs-svc/1",
            updated_on=None,
            on_fargate=on_fargate,
        )
        whole = {"ecs_container_name": "app", **NAMES, **event}
        request = parse({name: value for name, value in whole.items() if value is not None}, ALL)
        return make_plan(snapshot, request, fields, ALL)

    return make


def pairs(key="value", **values):
    """Named values of a container."""
    return [{"name": name, key: value} for name, value in values.items()]


TWICE = [{"name": "A", "value": "1"}, {"value": "nameless"}, {"name": "A", "value": "2"}]
NEWER = [{"name": "A", "value": "1", "newer": {"x": []}}]
MOVED = {"environment": pairs(A="1", B="2"), "secrets": pairs("valueFrom", C=PARAMETER)}
CHANGED = {
    "added, changed and removed, in their order": (
        {"ecs_environment": {"C": "3", "A": None, "B": ""}},
        {"environment": pairs(A="1", B="2", D="4")},
        {"environment": pairs(B="", D="4", C="3")},
        [
            ("environment.app.A", "1", None),
            ("environment.app.B", "2", ""),
            ("environment.app.C", None, "3"),
        ],
    ),
    "a name that stands twice": (
        {"ecs_environment": {"A": "3"}},
        {"environment": TWICE},
        {"environment": [pairs(A="3")[0], TWICE[1], pairs(A="3")[0]]},
        [("environment.app.A", "2", "3")],
    ),
    "fields that are newer": (
        {"ecs_environment": {"A": "2"}},
        {"environment": NEWER, "environmentFiles": [{"type": "s3", "value": "x"}]},
        {
            "environment": [NEWER[0] | {"value": "2"}],
            "environmentFiles": [{"type": "s3", "value": "x"}],
        },
        [("environment.app.A", "1", "2")],
    ),
    "a variable becomes a secret, and a secret a variable": (
        {
            "ecs_environment": {"A": None, "C": "3"},
            "ecs_secrets": {"A": PARAMETER, "C": None},
        },
        MOVED,
        {"environment": pairs(B="2", C="3"), "secrets": pairs("valueFrom", A=PARAMETER)},
        [
            ("environment.app.A", "1", None),
            ("environment.app.C", None, "3"),
            ("secret.app.A", None, PARAMETER),
            ("secret.app.C", PARAMETER, None),
        ],
    ),
    "the last ones are removed": (
        {"ecs_environment": {"A": None}, "ecs_command": []},
        {"environment": pairs(A="1"), "command": ["sh"]},
        {"environment": [], "command": []},
        [("environment.app.A", "1", None), ("command.app", "(set)", None)],
    ),
    "values that may be secrets": (
        {
            "ecs_environment": {"DB_PASSWORD": "new", "apikey": "x", "Dsn": None},
            "ecs_command": ["sh", "b"],
        },
        {"environment": pairs(DB_PASSWORD="old", Dsn="postgres"), "command": ["sh", "a"]},
        {"environment": pairs(DB_PASSWORD="new", apikey="x"), "command": ["sh", "b"]},
        [
            ("environment.app.DB_PASSWORD", "(set)", "(set)"),
            ("environment.app.Dsn", "(set)", None),
            ("environment.app.apikey", None, "(set)"),
            ("command.app", "(set)", "(set)"),
        ],
    ),
    "sizes": (
        {"ecs_cpu": 64, "ecs_memory": 256},
        {"cpu": 0},
        {"cpu": 64, "memory": 256},
        [("cpu.app", "0", "64"), ("memory.app", None, "256")],
    ),
}


@pytest.mark.parametrize("name", CHANGED)
def test_an_event_changes_what_it_names(plan, name):
    event, before, after, changes = CHANGED[name]
    found = plan(event, before)
    app, log = found.revision["containerDefinitions"]
    assert app == {"name": "app", "image": "nginx", **before, **after}
    assert log == {"name": "log", "image": "fluent"}
    assert [(change.what, change.before, change.after) for change in found.settings] == changes
    assert plan(event, after).revision is None, "the second time"
    other = {"ecs_container_name": "log", "ecs_container_settings": {"app": event}}
    assert plan(other, before).revision == found.revision


FARGATE = {"cpu": "256", "memory": "512", "requiresCompatibilities": ["FARGATE"]}
WITH_UNITS = {"cpu": ".25 vCPU", "memory": "0.5 GB", "requiresCompatibilities": ["FARGATE"]}
ON_EC2 = {"requiresCompatibilities": ["EC2"]}


@pytest.mark.parametrize(
    "event, before, after, on_fargate",
    [
        ({"ecs_task_memory": 1024}, FARGATE, ("256", "1024"), True),
        ({"ecs_task_cpu": 1024, "ecs_task_memory": 2048}, FARGATE, ("1024", "2048"), None),
        ({"ecs_task_memory": 1024}, WITH_UNITS, (".25 vCPU", "1024"), True),
        ({"ecs_task_cpu": 300}, ON_EC2, ("300", None), False),
        ({"ecs_task_cpu": 256, "ecs_task_memory": 512}, WITH_UNITS, None, True),
        # A size of the past stays, and another setting changes.
        ({"ecs_task_cpu": 300}, FARGATE | {"cpu": "300"}, None, True),
        *(
            ({field: {"A": None}}, FARGATE, None, True)
            for field in ("ecs_environment", "ecs_secrets")
        ),
        ({"ecs_command": []}, FARGATE, None, True),
        ({"ecs_cpu": 0}, FARGATE, None, True),
        ({"ecs_container_settings": {"log": {"ecs_command": []}}}, FARGATE, None, True),
    ],
)
def test_a_task_gets_another_size_and_what_is_so_already_is_not_written(
    plan, event, before, after, on_fargate
):
    found = plan(event, task=before, on_fargate=on_fargate)
    revision = found.revision and (found.revision["cpu"], found.revision.get("memory"))
    assert revision == after and found.writes == (after is not None)


@pytest.mark.parametrize(
    "event, sentence",
    [
        (
            {"ecs_secrets": {"A": PARAMETER}},
            "ecs_secrets.A: the environment of container app has this name: remove it with "
            "ecs_environment.A: null",
        ),
        (
            {"ecs_environment": {"C": "sentinel"}},
            "ecs_environment.C: the secrets of container app has this name: remove it with "
            "ecs_secrets.C: null",
        ),
        (
            {"ecs_cpu": 1, "ecs_container_settings": {"app": {"ecs_cpu": 1}}},
            "ecs_container_settings.app: this container gets the event's own settings: write all "
            "of them in one place",
        ),
        ({"ecs_container_settings": {"web": {"ecs_cpu": 1}}}, "container web not found"),
        ({"ecs_container_name": "web", "ecs_cpu": 1}, "container web not found"),
        ({"ecs_container_name": None, "ecs_cpu": 1}, "name one of app, log in ecs_container_name"),
        (
            {"ecs_task_cpu": 300},
            "ecs_task_cpu: a Fargate task cannot have 300 CPU units: use one of 256, 512, 1024, "
            "2048, 4096, 8192, 16384",
        ),
        (
            {"ecs_task_memory": 1536},
            "ecs_task_memory: a Fargate task with 256 CPU units cannot have 1536 MiB: use 512, "
            "1024, 2048",
        ),
        (
            {"ecs_task_cpu": 16384},
            "a Fargate task with 16384 CPU units cannot have 512 MiB: use 32768 to 122880 in "
            "steps of 8192",
        ),
    ],
)
def test_what_contradicts_the_task_definition_is_refused(plan, event, sentence):
    with pytest.raises(EcsUpdaterError) as raised:
        plan(event, MOVED, FARGATE)
    assert sentence in str(raised.value) and "sentinel" not in str(raised.value)


SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret"
NO_SECRET = "write the ARN of a secret in Secrets Manager or of a parameter in SSM"


@pytest.mark.parametrize(
    "arn, fits",
    [
        (f"{SECRET}:prod/db-AbCdEf", True),
        (f"{SECRET}:prod/db-AbCdEf:password:AWSCURRENT:", True),
        (f"{SECRET}:prod/db-AbCdEf:password::", True),
        (f"{SECRET}:rds!db-1a2b-AbCdEf:password::", True),
        (PARAMETER, True),
        (f"{PARAMETER}/team/a.b_c-d", True),
        (PARAMETER.replace("arn:aws:", "arn:aws-cn:").replace("eu-west-1", "cn-north-1"), True),
        (PARAMETER.replace("arn:aws:", "arn:aws-us-gov:"), True),
        (PARAMETER.replace("123456789012", "210987654321"), True),
        ("/shop/sentinel", False),
        ("sentinel", False),
        (f"{SECRET}:", False),
        (f"{PARAMETER}\n", False),
        (f"{PARAMETER} sentinel", False),
        ("arn:aws:s3:::sentinel", False),
        (PARAMETER.replace("123456789012", ""), False),
    ],
)
def test_a_secret_is_the_arn_of_secrets_manager_or_ssm_and_another_text_is_not_shown(arn, fits):
    event = {**NAMES, "ecs_secrets": {"A": arn}}
    if fits:
        assert parse(event, ALL).settings.containers[None].secrets == {"A": arn}
        return
    with pytest.raises(InvalidEventError) as raised:
        parse(event, ALL)
    assert raised.value.violations == (f"ecs_secrets.A: {NO_SECRET}",)


@pytest.mark.parametrize(
    "fields, path",
    [
        ({"ecs_environment": {"": "a"}}, "ecs_environment: '' is not a valid name of a variable"),
        ({"ecs_secrets": {"": None}}, "ecs_secrets: '' is not a valid name of a variable"),
        (
            {"ecs_container_settings": {"": {"ecs_cpu": 1}}},
            "ecs_container_settings: '' is not a valid",
        ),
        ({"ecs_environment": {"A": "(set)"}}, "ecs_environment.A: (set) stands for a value"),
        ({"ecs_command": ["(set)"]}, "ecs_command: (set) stands for a value"),
        (
            {"ecs_environment": {"A": "b"}, "ecs_secrets": {"A": PARAMETER}},
            "ecs_secrets.A: a name cannot be both in ecs_secrets and in ecs_environment",
        ),
    ],
)
@pytest.mark.parametrize("container", [None, "log"])
def test_what_the_schema_cannot_express_is_a_violation_too(fields, path, container):
    if container and "ecs_container_settings" not in fields:
        fields = {"ecs_container_settings": {container: fields}}
        path = f"ecs_container_settings.{container}.{path}"
    with pytest.raises(InvalidEventError) as raised:
        parse({**NAMES, **fields}, ALL)
    assert raised.value.violation.startswith(path)


def test_an_event_is_stored_without_the_words_of_its_commands():
    event = {"ecs_command": ["hush"], "run_before": {"command": ["hush"], "container": "web"}}
    assert masked(event) == {
        "ecs_command": [HIDDEN],
        "run_before": {"command": [HIDDEN], "container": "web"},
    }

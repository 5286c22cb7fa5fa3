"""`ecs-updater diff`: two revisions field by field, on the simulated ECS."""

import json

import pytest

from ecs_updater_cli.backends.account import Account
from ecs_updater_cli.output.revisions import revision_changes
from support.rollout_world import World

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key"


def container(**fields):
    """A task definition with one container."""
    return {"family": "web", "containerDefinitions": [{"name": "app", **fields}]}


def env(*pairs):
    """Fields with these environment variables."""
    return {"environment": [{"name": name, "value": value} for name, value in pairs]}


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (container(image="w:1"), container(image="w:2"), [("image.app", "w:1", "w:2")]),
        (
            container(**env(("A", "1"), ("B", "2"), ("API_KEY", "x"))),
            container(**env(("B", ""), ("API_KEY", "y"), ("C", "3"))),
            [
                ("environment.app.A", "1", None),
                ("environment.app.API_KEY", "(set)", "(set)"),
                ("environment.app.B", "2", ""),
                ("environment.app.C", None, "3"),
            ],
        ),
        (
            container(secrets=[{"name": "KEY", "valueFrom": SECRET}]),
            container(command=["sh"], cpu=64, memory=128),
            [
                ("secret.app.KEY", SECRET, None),
                ("command.app", None, "(set)"),
                ("cpu.app", None, "64"),
                ("memory.app", None, "128"),
            ],
        ),
        (
            {"family": "web", "cpu": "256", "containerDefinitions": [], "volumes": []},
            {
                "cpu": "512",
                "containerDefinitions": [],
                "family": "web",
                "volumes": [{"name": "data", "host": {"sourcePath": "/data"}}, {"name": "tmp"}],
            },
            [
                ("task.cpu", "256", "512"),
                ("volumes.data.host.sourcePath", None, "/data"),
                ("volumes.tmp.name", None, "tmp"),
            ],
        ),
        (
            container(
                healthCheck={"command": ["CMD", "a"], "interval": 5},
                logConfiguration={"options": {"splunk-token": "a"}},
                portMappings=[{"containerPort": 80}],
                newField=[{"name": "x", "valueFrom": SECRET}, {"name": "x", "key": SECRET}],
            ),
            container(
                healthCheck={"command": ["CMD", "b"], "interval": 9},
                logConfiguration={"options": {"splunk-token": "b"}},
                portMappings=[{"containerPort": 81, "name": "http"}],
                essential=False,
            ),
            [
                ("containerDefinitions.app.essential", None, "false"),
                ("containerDefinitions.app.healthCheck.command", "(set)", "(set)"),
                ("containerDefinitions.app.healthCheck.interval", "5", "9"),
                ("containerDefinitions.app.logConfiguration.options.splunk-token", *["(set)"] * 2),
                ("containerDefinitions.app.newField.x.valueFrom", SECRET, None),
                ("containerDefinitions.app.newField.x#2.key", SECRET, None),
                ("containerDefinitions.app.portMappings.0.containerPort", "80", None),
                ("containerDefinitions.app.portMappings.http.containerPort", None, "81"),
            ],
        ),
        (
            {**container(**env(("A", "1"), ("B", "2"))), "revision": 1},
            {**container(**env(("B", "2"), ("A", "1"))), "revision": 2},
            [],
        ),
    ],
    ids=["an image", "variables", "settings", "the task", "all other fields", "only the order"],
)
def test_each_field_of_two_revisions_is_compared_by_its_name(before, after, changes):
    found = revision_changes(before, after, frozenset({"revision"}))
    assert [(change["what"], change["from"], change["to"]) for change in found] == changes


@pytest.fixture(name="ecs")
def _ecs(monkeypatch):
    """A service that runs the second of three revisions."""
    ecs = World().boundary
    monkeypatch.setattr(Account, "ecs", ecs)
    found, _ = ecs.describe_task_definition("ecs-dummy-task:1")
    first = {name: value for name, value in found.items() if name not in ecs.fields.read_only}
    for image in ("app:2", "app:3"):
        definition = {**first["containerDefinitions"][0], "image": image}
        ecs.register_task_definition({**first, "containerDefinitions": [definition]})
    ecs.update_service("ECSCluster", "ecs-dummy-service", task_definition="ecs-dummy-task:2")
    return ecs


TASK = "ecs-dummy-task"


@pytest.mark.parametrize(
    ("words", "revisions", "images", "code"),
    [
        ("", (1, 2), ("busybox", "app:2"), 0),
        ("--exit-code", (1, 2), ("busybox", "app:2"), 1),
        ("3", (3, 2), ("app:3", "app:2"), 0),
        (f"{TASK}:3 1", (3, 1), ("app:3", "busybox"), 0),
        ("2 --exit-code", (2, 2), None, 0),
    ],
)
def test_a_revision_is_compared_with_the_running_one_unless_both_are_named(
    run, ecs, words, revisions, images, code
):
    line = ("diff", "ECSCluster", "ecs-dummy-service", *words.split())
    names = " -> ".join(f"{TASK}:{number}" for number in revisions)
    result, out, _ = run(*line)
    head, *changes, last = out.splitlines()
    assert (result, head) == (code, f"ECSCluster/ecs-dummy-service  {names}")
    shown = [f'    ~ image.ecs-dummy-container: "{images[0]}" -> "{images[1]}"'] if images else []
    assert (changes, last) == (shown, "1 difference" if images else "nothing differs")
    found = json.loads(run(*line, "--json")[1])
    arns = tuple(int(arn.rpartition(":")[2]) for arn in found["taskDefinitionArn"].values())
    assert (arns, len(found["changes"])) == (revisions, len(shown))
    assert ecs.calls["DescribeTaskDefinition"] <= 8


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("ECSCluster gone", "ecs_service_name gone not found\nlooked in cluster ECSCluster"),
        ("ECSCluster a/b", "ecs_service_name: 'a/b' is neither"),
        ("ECSCluster ecs-dummy-service 9", f"{TASK}:9 cannot be read: "),
        ("ECSCluster ecs-dummy-service other:1", f"other:1 is not a revision of {TASK}"),
        ("ECSCluster ecs-dummy-service 0x1", f"0x1 is not a revision of {TASK}"),
    ],
)
def test_a_service_or_a_revision_that_does_not_exist_is_exit_code_2(run, ecs, words, sentence):
    del ecs
    code, out, err = run("diff", *words.split())
    assert (code, out) == (2, "") and err.startswith(sentence)

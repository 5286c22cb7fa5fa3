"""`ecs-updater sync` and `export`: a file and its services, on the simulated ECS."""

import json
import time

import pytest
import yaml

from ecs_updater.aws.ecs import Ecs
from ecs_updater.context import Clock
from ecs_updater_cli.backends import local
from ecs_updater_cli.backends.account import Account
from fakes.simulated_ecs import Image, SimulatedEcs

DIGEST = f"registry.example.com/shop/web@sha256:{'0f' * 32}"
PINNED = f"registry:5000/a/b:1.2@sha256:{'a1' * 32}"
LONG = "k" * 128
# By name the images of the containers, the tags, and what DescribeServices shows.
SERVICES = {
    "web": (["registry/web:1"], {"owner": "platform", "aws:cloudformation:stack-name": "x"}, {}),
    "two": (["busybox", "busybox:1.36"], {"release": "1.10"}, {}),
    "many": ([f"r/i:{number}" for number in range(10)], {}, {}),
    "digest": ([DIGEST], {}, {}),
    "pinned": ([PINNED, DIGEST], {"a=b": "c: d - e"}, {}),
    "daemon": (["registry/log:1"], {}, {"schedulingStrategy": "DAEMON", "desiredCount": 3}),
    "canary": (["r/c:1"], {}, {"deploymentConfiguration": {"strategy": "CANARY"}}),
    "express": (["r/e:1"], {"AmazonECSManaged": "true"}, {"resourceManagementType": "ECS"}),
    "on": (["yes"], {"on": "off", "=": "@", "é": "\u2028ü", LONG: "v" * 256, "empty": ""}, {}),
    "1_0": (["registry/number:010"], {"0x1": "1e3", "2026-01-31": "null"}, {}),
    "null": (["null"], {" lead": "trail ", "- a": "@b"}, {}),
    "-": (["registry/dash:1"], {f"k{number}": "x" for number in range(50)}, {}),
    "x" * 255: (["registry/long:1"], {}, {}),
}
BLUE_GREEN, TASK_SETS = (
    {"deploymentController": {"type": name}} for name in ("CODE_DEPLOY", "EXTERNAL")
)
NOT_UPDATABLE = {
    "blue-green": (
        "r/i:1",
        BLUE_GREEN,
        "has the deployment controller CODE_DEPLOY: only a service",
    ),
    "task-sets": ("r/i:1", TASK_SETS, "has the deployment controller EXTERNAL: only a service"),
    "gone": ("r/i:1", {"status": "INACTIVE"}, "is INACTIVE, not ACTIVE"),
    "draining": ("r/i:1", {"status": "DRAINING"}, "is DRAINING, not ACTIVE"),
    "odd": ("r/I:1", {}, "cannot be written: ecs_image_name: image 'r/I:1' is not a valid"),
}
SECRET = "hush"


@pytest.fixture(name="simulated")
def _simulated():
    """A cluster with the services, and an empty one."""
    simulated = SimulatedEcs(services={"shop": {}})
    for name, (images, tags, shown) in SERVICES.items():
        simulated.add_service("shop", name, tags, images[0], **shown)
        containers = simulated.world.task_definitions[-1]["containerDefinitions"]
        variables = [{"name": "TOKEN", "value": SECRET}]
        containers[:] = [
            {**containers[0], "name": f"c{number}", "image": image, "environment": variables}
            for number, image in enumerate(images)
        ]
    return simulated


@pytest.fixture(name="run")
def _run(run, monkeypatch, simulated):
    """Runs a command without a table on the simulated ECS, whose time passes when it waits."""
    monkeypatch.setattr(local, "RECONCILE_SECONDS", 0.02)
    monkeypatch.setattr(local, "_IDLE_SECONDS", 0.01)
    simulated.clock.drive_sdk(monkeypatch)
    ecs = Ecs(simulated.client(), may_list=True)

    def sleep(seconds):
        time.sleep(0.01)  # For the threads of the backend.
        simulated.clock.sleep(seconds)

    def start(account, *_):
        account.clock = Clock(simulated.clock.now, sleep, epoch=simulated.clock.now)
        account.ecs, account.region, account.table_name = ecs, "eu-west-1", "none"

    monkeypatch.setattr(Account, "__init__", start)
    monkeypatch.setattr(Account, "ledger", None)
    return run


@pytest.fixture(name="exported")
def _exported(run, tmp_path):
    """Writes the file of the cluster. Returns its content."""

    def export() -> dict:
        code, out, err = run("export", "--cluster", "shop")
        assert (code, err) == (0, ""), err
        (tmp_path / "deployments.yaml").write_text(out, "ascii")
        return yaml.safe_load(out)

    return export


def kinds(out: str) -> dict:
    """The numbers of the summary that are not 0."""
    summary = json.loads(out.splitlines()[-1])
    del summary["type"]
    return {name: number for name, number in summary.items() if number}


def test_a_service_that_is_written_does_not_differ_and_nothing_that_can_be_a_secret_is_written(
    run, exported, tmp_path, simulated
):
    found = exported()
    assert found["defaults"] == {"ecs_cluster_name": "shop", "ecs_tag_mode": "merge"}
    by_name = {event.pop("ecs_service_name"): event for event in found["deployments"]}
    assert list(by_name) == sorted(SERVICES)
    assert by_name["two"] == {
        "ecs_image_name": "busybox",
        "ecs_container_name": "c0",
        "ecs_container_images": {"c1": "busybox:1.36"},
        "ecs_tag": {"release": "1.10"},
    }
    assert by_name["web"] == {"ecs_image_name": "registry/web:1", "ecs_tag": {"owner": "platform"}}
    assert by_name["express"] == {"ecs_image_name": "r/e:1", "ecs_tag": {}}
    assert by_name["on"]["ecs_tag"] == SERVICES["on"][1]
    assert SECRET not in (tmp_path / "deployments.yaml").read_text("ascii")
    assert run("validate")[::2] == (0, "")
    code, out, _ = run("sync", "--check", "--json")
    assert (code, kinds(out)) == (0, {"services": len(SERVICES), "unchanged": len(SERVICES)}), out
    nothing = f"{len(SERVICES)} services: 0 to deploy, {len(SERVICES)} unchanged."
    assert run("sync", "--check") == (0, f"{nothing} Nothing was written.\n", "")
    assert run("sync", "--direct") == (0, f"{nothing} Nothing was written.\n", "")
    assert not simulated.writes


@pytest.mark.parametrize("name", NOT_UPDATABLE)
def test_a_service_that_cannot_be_updated_is_a_comment_with_the_reason(
    run, exported, simulated, name
):
    image, shown, reason = NOT_UPDATABLE[name]
    simulated.add_service("shop", name, image=image, **shown)
    simulated.add_service("other", name, image=image, **shown)
    found = exported()
    assert len(found["deployments"]) == len(SERVICES)
    assert run("sync", "--check")[0] == 0
    code, out, err = run("export", "--cluster", "other")
    assert code == 1 and err == "cluster other in eu-west-1 has no service that can be updated\n"
    assert out.splitlines()[-1].startswith(f"# {name} {reason}")


def test_a_cluster_that_does_not_exist_is_exit_code_2(run):
    error = "cluster shpo not found in eu-west-1: did you mean shop?\n"
    assert run("export", "--cluster", "shpo") == (2, "", error)


def test_an_image_that_the_shell_does_not_allow_is_not_written(run, monkeypatch):
    monkeypatch.setenv("ALLOWED_IMAGES", "registry.example.com/*")
    _, out, _ = run("export", "--cluster", "shop")
    assert [event["ecs_service_name"] for event in yaml.safe_load(out)["deployments"]] == ["digest"]
    assert "\n# two cannot be written: ecs_image_name busybox is not allowed: " in out


def test_only_what_differs_is_deployed_and_what_the_file_does_not_name_stays(
    run, exported, simulated, tmp_path
):
    deployments = exported()["deployments"]
    file = tmp_path / "deployments.yaml"
    simulated.images.publish("registry/web:2", Image.good())
    text = file.read_text("ascii").replace("registry/web:1", "registry/web:2")
    file.write_text(text.replace("release: '1.10'", "release: '1.11'"), "ascii")
    simulated.world.find("web", "c/shop").service.tags["added"] = "by hand"

    code, out, _ = run("sync", "--check")
    assert code == 4 and not simulated.writes
    assert out == (
        '~ shop/two\n    ~ tag.release: "1.10" -> "1.11"\n'
        '~ shop/web\n    ~ image.c0: "registry/web:1" -> "registry/web:2"\n'
        "    not verified: the registry was not asked for registry/web:2 (VERIFY_IMAGE is off)\n"
        f"{len(deployments)} services: 1 to deploy, 1 to tag only, 11 unchanged. "
        "Nothing was written.\n"
    )
    code, out, _ = run("sync", "--check", "--json")
    expected = {"services": len(deployments), "deploy": 1, "tags": 1, "unchanged": 11}
    assert (code, kinds(out)) == (4, {"exitCode": 4, **expected})

    code, out, _ = run("sync", "--direct", "--waves")
    assert code == 0 and out.startswith(
        '~ shop/two\n    ~ tag.release: "1.10" -> "1.11"\n~ shop/web'
    )
    assert out.endswith("1 succeeded, 1 unchanged\n") and "2 services" in out, out
    assert simulated.writes.count("UpdateService") == 1
    tags = simulated.world.find("web", "c/shop").service.tags
    assert tags["added"] == "by hand" and tags["owner"] == "platform"
    assert run("sync", "--check")[0] == 0


WEB = {
    "ecs_cluster_name": "shop",
    "ecs_service_name": "web",
    "ecs_tag": {},
    "ecs_tag_mode": "merge",
}
SAME = WEB | {"ecs_image_name": "registry/web:1"}
GONE = SAME | {"ecs_service_name": "missing"}
OTHER = SAME | {"ecs_image_name": "registry/web:2"}
TASK = {"command": ["migrate"]}


@pytest.mark.parametrize(
    ("events", "code", "names"),
    [
        ([SAME], 0, []),
        ([SAME | {"force_new_deployment": True}], 0, []),
        ([SAME | {"run_before": TASK}], 0, []),
        ([WEB | {"ecs_environment": {"TOKEN": SECRET}}], 0, []),
        ([WEB | {"ecs_environment": {"TOKEN": "other"}}], 4, ["web"]),
        ([WEB | {"ecs_desired_count": 2}], 4, ["web"]),
        ([SAME | {"ecs_tag_mode": "replace"}], 4, ["web"]),
        ([GONE], 1, ["missing"]),
        ([GONE, OTHER], 1, ["missing", "web"]),
    ],
)
def test_a_check_exits_with_4_for_a_difference_and_with_1_for_a_service_without_an_answer(
    run, file, simulated, events, code, names
):
    file(*events)
    result, out, err = run("sync", "--check")
    assert (result, err) == (code, "")
    assert [line.split()[1] for line in out.splitlines() if line[0] in "~✗"] == [
        f"shop/{name}" for name in names
    ]
    assert SECRET not in out and not simulated.writes


def test_a_service_that_cannot_be_updated_fails_as_in_deploy(run, file):
    file(SAME, GONE)
    code, out, _ = run("sync", "--direct", "--json")
    *_, last = [json.loads(line) for line in out.splitlines()]
    assert (code, last["type"], last["exitCode"], last["services"]) == (1, "summary", 1, 1)


def test_entries_that_wait_for_a_task_wait_for_that_of_the_differing_ones(run, file, monkeypatch):
    started = []
    monkeypatch.setattr(
        "ecs_updater_cli.commands.sync.start_batch",
        lambda account, events, groups, options, *others: started.append((groups, *others)) or 0,
    )
    two = OTHER | {"ecs_service_name": "two", "ecs_container_name": "c0", "group": "edge"}
    file(SAME, two | {"run_before": TASK}, OTHER | {"ecs_service_name": "digest", "group": "edge"})
    assert run("sync", "--max-failures", "3")[0] == run("sync", "--waves")[0] == 0
    assert started == [([None] * 2, 3, {2: 1}), (["edge"] * 2, None, {2: 1})]


def test_a_rollback_is_refused_with_its_position(run, file, simulated):
    file(SAME, {"action": "rollback", "ecs_cluster_name": "shop", "ecs_service_name": "two"})
    code, out, err = run("sync", "--check")
    assert (code, out) == (2, "") and not simulated.requests
    assert (
        err.startswith("deployments.json:1:")
        and "deployments[1].action: sync cannot compare" in err
    )

"""Real containers: services of the emulator beside a Docker engine, updated in real time, with
images made on the spot.

The printed figures are what a person waits for: from the third task failure, or from the moment
when ECS's circuit breaker gave up the deployment, to the answer. The emulator rounds times down to
whole seconds. A figure that begins with one of its times is up to a second too high. No assertion
compares seconds.
"""

import json
import os
import re

import pytest
from botocore.config import Config

from ecs_updater.ledger.entry import State
from support.containers import (
    NEW_TAGS,
    OLD_TAGS,
    PATIENCE,
    Containers,
    Sent,
    Service,
    Unavailable,
    check_engine,
    is_static,
    program,
    registry,
)
from support.make import Workspace, free_port, until

LEDGER = "ledger"
BREAKER = {"enable": True, "rollback": True}
GOOD, BETTER, EXITS, MISSING = "app:good", "app:better", "app:exits", "app:missing"
SHELL = "app:shell"
"""An image whose container says what it runs."""

LOG_GROUP = "/ecs/app"
LOGS = {"awslogs-group": LOG_GROUP, "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "app"}
RUNS = "trap exit TERM; sleep 3600 & wait"
IMAGES = {GOOD: RUNS, BETTER: f": ; {RUNS}", EXITS: "exit 3", SHELL: ""}
STORIES = {EXITS: "the image exits at once", MISSING: "the image does not exist"}
CAUSES = {
    EXITS: r"container app exited with code 3",
    MISSING: (
        r"the image could not be pulled: CannotPullContainerError: .*manifest for "
        r"\S*/app:missing not found: manifest unknown"
    ),
}


@pytest.fixture(name="world", scope="module")
def _world(tmp_path_factory, alone_in_docker):  # pylint: disable=unused-argument
    """The emulator, the registry and the images, for all tests of this file; nothing of it is left
    afterwards.

    Skips where this machine has not what it takes, or fails where REQUIRE_CONTAINERS is set.
    """
    directory = tmp_path_factory.mktemp("containers")
    try:
        check_engine()
        busybox = program(
            "busybox", "busybox-static", directory / "busybox", is_static
        ).read_bytes()
        with registry(directory / "registry", free_port()) as host:
            world = Containers(Workspace(directory / "workspace"), host, busybox)
            try:
                for name, command in IMAGES.items():
                    world.publish(name, command)
                world.make_table(LEDGER)
                yield world
            finally:
                world.end()
    except Unavailable as reason:
        (pytest.fail if os.environ.get("REQUIRE_CONTAINERS") else pytest.skip)(
            f"containers: {reason}"
        )
    assert not world.left()


@pytest.fixture(name="service")
def _service(world):
    """Makes services that run the good image as revision 1, with the ledger; each is deleted at the
    end.
    """
    made = []

    def make(name, image=GOOD, **options):
        made.append(Service(world, name, world.reference(image), **{"table": LEDGER, **options}))
        return made[-1]

    yield make
    for service in made:
        service.end()


def line(sent: Sent, since: str = "") -> str:
    """The figures of one scenario."""
    calls = sum(sent.calls.values())
    return f"{sent.outcome.verdict} after {sent.seconds:.1f} s{since}, {calls} calls"


def test_a_good_image_succeeds(world: Containers, service, figure):
    deployed = service("good")

    sent = deployed.send(world.reference(BETTER))

    figure("containers: a good image", line(sent))
    deployment = sent.outcome.answer["body"]["deployment"]
    assert (deployment["verdict"], deployment["reason"]) == ("SUCCEEDED", "1 of 1 tasks run good:2")
    assert deployment["images"]["app"]["digests"] == [world.digests[world.reference(BETTER)]]
    until(lambda: deployed.revisions_running() == [2], "the old task has ended")
    assert deployed.digests_running() == {world.digests[world.reference(BETTER)]}
    assert deployed.tags == NEW_TAGS
    assert [(entry.verdict, entry.deployment_id) for entry in deployed.history()] == [
        ("SUCCEEDED", deployment["id"])
    ]
    assert deployed.lease() is None


@pytest.mark.parametrize("rolls_back", [False, True], ids=["", "rollback_on_failure"])
@pytest.mark.parametrize("image", [EXITS, MISSING])
def test_without_a_circuit_breaker_three_task_failures_are_the_verdict(
    world: Containers, service, figure, image, rolls_back
):
    deployed = service(f"{image[4:]}-{'back' if rolls_back else 'stays'}")

    sent = deployed.send(world.reference(image), rollback_on_failure=rolls_back)

    third = (deployed.task_failures(2) if image == EXITS else deployed.stops(2))[2]
    # The answer of one that is rolled back comes when the return is done; its deployment began when
    # the verdict was there.
    verdict = (
        deployed.description()["deployments"][0]["createdAt"].timestamp()
        if rolls_back
        else sent.ended
    )
    story = (
        f"containers: {STORIES[image]}, no circuit breaker{', rollback_on_failure' * rolls_back}"
    )
    figure(story, line(sent, f", the verdict {verdict - third:.1f} s after the third failure"))
    times = re.search(rf"{CAUSES[image]}.*, (\d+) times;", sent.outcome.text)
    assert times and int(times[1]) >= 3, sent.outcome.text
    if rolls_back:
        assert sent.outcome.verdict == "RolloutRolledBackError"
        assert (
            f"the service is back: 1 of 1 tasks run {deployed.name}:1, its tags are what they were"
            in sent.outcome.text
        )
        assert (deployed.revision, deployed.tags) == (1, OLD_TAGS)
        until(lambda: deployed.revisions_running() == [1], "only the good image runs")
    else:
        assert sent.outcome.verdict == "RolloutFailedError"
        assert (deployed.revision, deployed.tags) == (2, NEW_TAGS)
    (entry,) = deployed.history()
    assert (entry.state, entry.verdict) == (State.ENDED, "ROLLED_BACK" if rolls_back else "FAILED")
    assert deployed.lease() is None


@pytest.mark.parametrize("rolls_back", [False, True], ids=["", "rollback_on_failure"])
@pytest.mark.parametrize("image", [EXITS, MISSING])
def test_what_the_circuit_breaker_gave_up_is_rolled_back(
    world: Containers, service, figure, image, rolls_back
):
    deployed = service(f"{image[4:]}-breaker-{'back' if rolls_back else 'stays'}", breaker=BREAKER)

    sent = deployed.send(world.reference(image), rollback_on_failure=rolls_back)

    gone = sent.ended - deployed.gave_up_at()
    story = f"containers: {STORIES[image]}, circuit breaker{', rollback_on_failure' * rolls_back}"
    figure(story, line(sent, f", {gone:.1f} s after ECS gave up"))
    assert sent.outcome.verdict == "RolloutRolledBackError"
    assert re.search(CAUSES[image], sent.outcome.text), sent.outcome.text
    assert f"ECS's circuit breaker returned the service to {deployed.name}:1" in sent.outcome.text
    assert (deployed.revision, deployed.tags) == (1, OLD_TAGS if rolls_back else NEW_TAGS)
    until(lambda: deployed.revisions_running() == [1], "only the good image runs")
    (entry,) = deployed.history()
    assert (entry.state, entry.verdict) == (State.ENDED, "ROLLED_BACK")
    assert deployed.lease() is None


@pytest.fixture(name="function", scope="module")
def _function(world, package):
    """The deployed function, which allows every field: its answer to an event, or None, and
    Lambda's message of an error.
    """
    world.workspace.bring(package)
    allowed = {"ALLOWED_FIELDS": "*", "TASK_LOG_GROUP": LOG_GROUP}
    world.workspace.make("deploy-ecs-cluster", "deploy-lambda-aws", **allowed).succeeded()
    client = world.client(
        "lambda", Config(read_timeout=2 * PATIENCE, retries={"total_max_attempts": 1})
    )

    def invoke(event):
        answer = client.invoke(FunctionName="ecs-updater", Payload=json.dumps(event))
        payload = json.load(answer["Payload"])
        return (None, payload["errorMessage"]) if "FunctionError" in answer else (payload, "")

    return invoke


def test_the_deployed_function_deploys_and_rolls_back(world: Containers, service, function, figure):
    deployed = service("deployed", table="ecs-updater-ledger")

    answer, error = function(deployed.event(world.reference(BETTER)))

    assert not error and answer["body"]["deployment"]["verdict"] == "SUCCEEDED", (answer, error)
    until(lambda: deployed.revisions_running() == [2], "only the new image runs")

    _, error = function(
        deployed.event(world.reference(EXITS), ecs_tag={"release": "3"}, rollback_on_failure=True)
    )

    assert error.startswith(
        "[ERROR][ecs_service_rollout] ROLLED_BACK: container app exited with code 3"
    ), error
    assert "the service is back: 1 of 1 tasks run deployed:2, its tags are what they were" in error
    until(lambda: deployed.revisions_running() == [2], "only the good image runs")
    assert deployed.tags == NEW_TAGS
    assert [entry.verdict for entry in deployed.history()] == ["ROLLED_BACK", "SUCCEEDED"]
    assert deployed.lease() is None
    figure("containers: the deployed function", "SUCCEEDED, then ROLLED_BACK to it")


def test_the_task_of_run_before_decides_whether_the_service_changes(
    world: Containers, service, function, figure
):
    world.client("logs").create_log_group(logGroupName=LOG_GROUP)
    definition = {
        "command": [RUNS],
        "environment": [{"name": "MODE", "value": "old"}],
        "logConfiguration": {"logDriver": "awslogs", "options": LOGS},
    }
    deployed = service("before", SHELL, table="ecs-updater-ledger", container=definition)

    def send(mode: str):
        script = 'echo "begins in mode $MODE"; test "$MODE" = new || { echo stops >&2; exit 1; }'
        return function(
            deployed.event(None, ecs_environment={"MODE": mode}, run_before={"command": [script]})
        )

    _, error = send("wrong")

    cause = r"FAILED: task \S+ of run_before: container app exited with code 1.* last log lines: "
    assert re.search(cause, error), error
    assert "begins in mode wrong" in error and "stops" in error, error
    assert (deployed.revision, deployed.tags) == (1, OLD_TAGS)
    assert "MODE=old" in deployed.environment()

    answer, error = send("new")

    assert not error and answer["body"]["deployment"]["verdict"] == "SUCCEEDED", (answer, error)
    assert {"what": "environment.app.MODE", "from": "old", "to": "new"} in answer["body"]["changes"]
    until(lambda: len(deployed.revisions_running()) == 1, "only the new task runs")
    assert "MODE=new" in deployed.environment()
    assert [entry.verdict for entry in deployed.history()] == ["SUCCEEDED", "FAILED"]
    assert deployed.lease() is None
    figure("containers: run_before", "exit code 1 with its log lines, then exit code 0")


def test_a_service_is_scaled_to_three_tasks_and_back_without_a_deployment(
    world: Containers, service, function, figure
):
    assert world
    deployed = service("scaled", table="ecs-updater-ledger")
    (before,) = deployed.description()["deployments"]

    def scale(count: int) -> None:
        answer, error = function(deployed.event(None, ecs_desired_count=count))
        assert not error and answer["body"]["deployment"]["verdict"] == "SUCCEEDED", (answer, error)
        until(lambda: deployed.revisions_running() == [1] * count, f"{count} tasks run")

    scale(3)
    scale(1)

    (after,) = deployed.description()["deployments"]
    assert (after["id"], deployed.revision, deployed.tags) == (before["id"], 1, OLD_TAGS)
    assert [entry.verdict for entry in deployed.history()] == ["SUCCEEDED"] * 2
    figure("containers: desired count", "3 and back to 1")

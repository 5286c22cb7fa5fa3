"""The pipeline of the Makefile, run as a person runs it: both ways of SAM, whole and step by step, interrupted and misused.

The whole runs go beside each other, each in a workspace of its own, because a run in Docker waits more than it works. Everything
else shares one emulator, with one deployment on it.
"""

import io
import json
import os
import re
import shutil
import signal
import socketserver
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import boto3
import pytest
from botocore.config import Config
from event_suite.payload import LIMIT
from support.make import PROJECT, Result, Workspace, is_free, until

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

OUTCOMES = {
    "base": "200 IN_PROGRESS",
    "MULTIPLE_TAGS": "200 IN_PROGRESS",
    "SAME_INITIAL_VALUES": "200 IN_PROGRESS",
    "MISSING_JSON_FIELD": "InvalidEventError",
    "WRONG_JSON_FORMAT": "InvalidEventError",
    "MISSING_ECS_CLUSTER": "ClusterNotFoundError",
    "MISSING_ECS_SERVICE": "ServiceNotFoundError",
    "WRONG_IMAGE_NAME": "InvalidImageError",
}
STAGES = ["json_validation", "json_validation", "ecs_service_read", "ecs_service_read", "ecs_service_update"]

CANARY = "canary-of-the-shell"
# What a shell may have in it: the function's own settings, the Makefile's, and what leads the SDK elsewhere.
HOSTILE = {
    **dict.fromkeys(["CONTAINER_NAME", "IMAGE", "TASK_DEF", "UNKNOWN_FIELDS", "POWERTOOLS_LOG_LEVEL"], CANARY),
    **dict.fromkeys(["CLUSTER_NAME", "SERVICE_NAME", "STACK_NAME", "TAG_NAME", "BUILD_DIR", "EMULATOR_HOST", "SAM_MODE"], CANARY),
    **dict.fromkeys(["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"], CANARY),
    **dict.fromkeys(["AWS_SESSION_TOKEN", "AWS_REGION", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "SECRET"], CANARY),
    "CDPATH": ".",
}
_ENDPOINTS = ["AWS_ENDPOINT_URL"] + [f"AWS_ENDPOINT_URL_{name}" for name in ("ECS", "CLOUDFORMATION", "LAMBDA", "S3", "STS")]
_PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]

OTHERS = {
    "CLUSTER_NAME": "another-cluster",
    "SERVICE_NAME": "another-service",
    "TASK_DEFINITION_NAME": "another-task",
    "STACK_NAME": "another-stack",
    "LAMBDA_FUNCTION_NAME": "another-function",
    "CONTAINER_IMAGE": "registry.example.com:5000/team/app:1.0",
    "TAG_NAME": "another tag",
    "TAG_VALUE": "another value",
    "AWS_DEFAULT_REGION": "us-west-2",
    "ENVIRONMENT": "a test",
    "OWNER": "two words",
    "CONTACT": "someone+ecs@example.com",
}

# A stack whose creation fails: nobody sends the signal that it waits for.
NEVER_COMPLETE = """\
Resources:
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Never: {Type: AWS::CloudFormation::WaitCondition, Properties: {Handle: !Ref Handle, Timeout: "1", Count: 1}}
"""
PROBE = "import os\n\ndef handler(event, context):\n    return dict(os.environ)\n"


class Elsewhere(NamedTuple):
    """A server that nothing may ever talk to: its address, and the first bytes of everything that did."""

    url: str
    received: list[bytes]


class WholeRun(NamedTuple):
    """What became of a run of ``all-local``."""

    workspace: Workspace
    result: Result
    listened: set[tuple[str, int]]
    """Where it listened while it deployed."""
    docker_left: set[str]
    """The containers and images that Docker has now and had not before."""

    def rows(self) -> list[list[str]]:
        """The lines of the table, cut into event, expected and actual outcome, seconds and verdict."""
        table = self.result.output.partition("\nevent ")[2].partition("\n\n")[0]
        cells = (re.split(r"\s{2,}", line) for line in table.splitlines())
        return [row for row in cells if row[0] in OUTCOMES]


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def _in_docker() -> set[str]:
    """The ids of every container and every image."""
    lists = (_docker(what, "ls", "--all", "--quiet", "--no-trunc") for what in ("container", "image"))
    return {line for listed in lists for line in listed.splitlines()}


def _image() -> str:
    """The image in which this machine's Python runs a function."""
    runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
    settings = {"LAMBDA_RUNTIME": runtime, "LAMBDA_ARCH": "x86_64"}
    script = PROJECT / "scripts" / "build-lambda-base-image"
    return subprocess.run([script, "--name"], env=os.environ | settings, check=True, capture_output=True, text=True).stdout.strip()


def client(workspace: Workspace, service: str):
    """An SDK client of the workspace's emulator."""
    return boto3.client(service, endpoint_url=f"http://127.0.0.1:{workspace.port}", config=Config(proxies={}))


@pytest.fixture(scope="module", name="why_no_docker")
def _why_no_docker() -> str:
    """Why Docker cannot run the function here; empty when it can."""
    check = [sys.executable, PROJECT / "scripts" / "docker_check.py", _image()]
    done = subprocess.run(check, check=False, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode else ""


@pytest.fixture(name="docker")
def _docker_usable(why_no_docker) -> None:
    """Skips the test where Docker cannot be used."""
    if why_no_docker:
        pytest.skip(f"Docker: {why_no_docker}")


@pytest.fixture(scope="module", name="workspace")
def _workspace(tmp_path_factory) -> Iterator[Callable[..., Workspace]]:
    """Makes workspaces, for SAM_MODE=emulator unless told otherwise; what a test that failed left in them is ended."""
    made = []

    def make(name: str, **settings: str) -> Workspace:
        made.append(Workspace(tmp_path_factory.mktemp(name), **{"SAM_MODE": "emulator", **settings}))
        return made[-1]

    yield make
    for workspace in made:
        workspace.end()


@pytest.fixture(scope="module", name="package")
def _package(workspace) -> Path:
    """A bundle that is up to date."""
    here = workspace("package")
    assert here.make("build-lambda-package").status == 0
    return here.build / "ecs-updater-package.zip"


@pytest.fixture(scope="module", name="workspace_with_package")
def _workspace_with_package(workspace, package) -> Callable[..., Workspace]:
    """Makes workspaces in which the bundle need not be built any more."""

    def make(name: str, **settings: str) -> Workspace:
        made = workspace(name, **settings)
        made.build.mkdir()
        shutil.copy2(package, made.build)
        return made

    return make


@contextmanager
def another_program(port: int = 0) -> Iterator[Elsewhere]:
    """A program that listens, notes what comes and hangs up."""
    received: list[bytes] = []

    class Handler(socketserver.BaseRequestHandler):
        """One connection."""

        def handle(self):
            received.append(self.request.recv(200))

    class Server(socketserver.ThreadingTCPServer):
        """The program."""

        allow_reuse_address = True  # Else its port would not be free at once when it has ended.

    with Server(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield Elsewhere(f"http://127.0.0.1:{server.server_address[1]}", received)
        finally:
            server.shutdown()


@pytest.fixture(scope="module", name="elsewhere")
def _elsewhere() -> Iterator[Elsewhere]:
    """Where a hostile shell leads: endpoints and proxies."""
    with another_program() as program:
        yield program


@pytest.fixture(scope="module", name="whole_runs")
def _whole_runs(workspace, workspace_with_package, elsewhere, why_no_docker) -> dict[str, WholeRun]:
    """``all-local`` in a hostile shell with other settings, the same in Docker, and with an event that cannot succeed."""
    workspaces = {
        "emulator": workspace_with_package("emulator", **OTHERS),
        "mismatch": workspace_with_package("mismatch", CONTAINER_IMAGE=":1.36"),
    }
    # The bundle is there already, since a proxy is where the packages in it would have to come from.
    home = workspaces["emulator"].directory / "home"
    home.mkdir()
    hostile = HOSTILE | dict.fromkeys([*_ENDPOINTS, *_PROXIES], elsewhere.url) | {"HOME": str(home)}
    runs = {
        "emulator": workspaces["emulator"].start("all-local", environment=hostile),
        "mismatch": workspaces["mismatch"].start("all-local"),
    }
    before: set[str] = set()
    if not why_no_docker:
        before = _in_docker()
        workspaces["docker"] = workspace("docker", SAM_MODE="docker", TAG_VALUE=OTHERS["TAG_VALUE"])
        runs["docker"] = workspaces["docker"].start("all-local", environment=HOSTILE | dict.fromkeys(_ENDPOINTS, elsewhere.url))
    listened = {}
    for name, run in runs.items():
        until(lambda run=run: "deploying stack" in run.output() or run.has_ended(), f"{name} deploys")
        listened[name] = workspaces[name].listening()
    results = {name: run.result() for name, run in runs.items()}
    docker_left = set() if why_no_docker else _in_docker() - before
    return {name: WholeRun(workspaces[name], results[name], listened[name], docker_left) for name in runs}


def test_all_local_on_the_emulator_has_all_eight_events_as_expected(whole_runs):
    run = whole_runs["emulator"]

    assert run.result.status == 0, run.result.output
    assert [row[:2] for row in run.rows()] == [list(row) for row in OUTCOMES.items()]
    assert [actual for _, _, actual, *_ in run.rows()] == ["200 IN_PROGRESS"] * 3 + [f"error in {stage}" for stage in STAGES]
    assert [verdict for *_, verdict in run.rows()] == ["ok"] * 8
    assert "skipped, since this way of invoking does not show it: errorType" in run.result.output
    assert "SAM mode emulator: as SAM_MODE says" in run.result.output


def test_every_setting_can_be_overridden(whole_runs):
    output = whole_runs["emulator"].result.output

    assert "registering a revision of task definition another-task with image registry.example.com:5000/team/app:1.0" in output
    assert "creating service another-service with tag another tag=another value" in output
    assert "making bucket another-stack-artifacts-000000000000-us-west-2" in output
    assert [line for line in output.splitlines() if line.startswith("• removing")] == [
        "• removing service another-service",
        "• removing 5 revisions of task definition another-task",
        "• removing stack another-stack-lambda",
        "• removing stack another-stack-ecs",
        "• removing stack another-stack-vpc",
        "• removing bucket another-stack-artifacts-000000000000-us-west-2",
    ]


def test_a_hostile_shell_changes_nothing_and_no_call_leaves_the_emulator(whole_runs, elsewhere):
    assert not elsewhere.received
    assert CANARY not in whole_runs["emulator"].result.output


def test_a_mismatch_fails_the_run_and_is_named(whole_runs):
    run = whole_runs["mismatch"]

    assert run.result.status != 0
    assert [event for event, *_, verdict in run.rows() if verdict == "FAILED"] == ["SAME_INITIAL_VALUES"]
    assert "service.image is 'busybox:1.36', not ':1.36'" in run.result.output
    assert "✗ run-lambda-test-sam failed, see above" in run.result.output


@pytest.mark.usefixtures("docker")
def test_all_local_in_docker_has_all_eight_events_and_their_error_types_as_expected(whole_runs):
    run = whole_runs["docker"]

    assert run.result.status == 0, run.result.output
    assert {event: actual for event, _, actual, *_ in run.rows()} == OUTCOMES
    assert [verdict for *_, verdict in run.rows()] == ["ok"] * 8
    assert "skipped" not in run.result.output


@pytest.mark.usefixtures("docker")
def test_docker_has_nothing_afterwards_that_was_not_there_before(whole_runs):
    assert not whole_runs["docker"].docker_left


@pytest.mark.parametrize("name", ["emulator", "mismatch", "docker"])
def test_nothing_is_left_of_a_whole_run(name, whole_runs, request):
    if name == "docker":
        request.getfixturevalue("docker")

    assert not whole_runs[name].workspace.left()


def test_nothing_is_written_into_the_home_directory(whole_runs):
    assert not list((whole_runs["emulator"].workspace.directory / "home").iterdir())


@linux
def test_the_emulator_listens_on_one_address_only(whole_runs):
    run = whole_runs["emulator"]

    assert run.listened == {("127.0.0.1", run.workspace.port)}


@linux
@pytest.mark.usefixtures("docker")
def test_for_docker_the_emulator_listens_on_one_address_of_this_machine_only(whole_runs):
    run = whole_runs["docker"]
    ((address, port),) = run.listened

    assert ip_address(address).is_private and not ip_address(address).is_unspecified
    assert port == run.workspace.port


# Interrupted


@pytest.fixture(name="interruptible")
def _interruptible() -> Iterator[None]:
    """Lets SIGINT through to what a test starts, even where these tests run in the background and it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_removes_everything(sign, workspace_with_package):
    workspace = workspace_with_package(sign.name)
    run = workspace.start("all-local")
    run.until_it_says("deploying stack")
    run.send(sign)
    run.until_it_says("removing everything")
    run.send(sign)  # An impatient second time.

    assert run.result().status != 0
    until(lambda: not workspace.left(), f"nothing is left, but {workspace.left()}")
    assert "✗ deploy-ecs-cluster failed, see above" in run.output()
    assert "Traceback" not in run.output()


def test_a_run_whose_terminal_is_gone_removes_everything(workspace_with_package):
    workspace = workspace_with_package("SIGHUP")
    reader, writer = os.pipe()
    run = workspace.start("all-local", output=writer)
    os.close(writer)
    with open(reader, encoding="utf-8") as terminal:
        next(line for line in terminal if "deploying stack" in line)
    run.send(signal.SIGHUP)

    assert run.result().status != 0
    until(lambda: not workspace.left(), f"nothing is left, but {workspace.left()}")


def test_after_a_kill_clean_removes_everything_and_the_next_run_can_start(workspace_with_package):
    workspace = workspace_with_package("SIGKILL")
    run = workspace.start("all-local")
    run.until_it_says("deploying stack")
    run.send(signal.SIGKILL)
    run.result()

    assert workspace.left(), "a kill leaves the emulator: else this test shows nothing"
    assert workspace.make("clean").status == 0
    assert not workspace.left()
    assert workspace.make("emulator-up").status == 0
    assert workspace.make("clean").status == 0
    assert not workspace.left()


# One step at a time


@pytest.fixture(scope="module", name="path_without_docker")
def _path_without_docker(tmp_path_factory) -> str:
    """A PATH with every program of this machine but Docker's."""
    programs = tmp_path_factory.mktemp("programs")
    for directory in filter(os.path.isdir, os.get_exec_path()):
        for program in Path(directory).iterdir():
            if not program.name.startswith("docker") and not (programs / program.name).is_symlink():
                (programs / program.name).symlink_to(program)
    return str(programs)


@pytest.fixture(scope="module", name="started")
def _started(workspace, path_without_docker) -> Iterator[tuple[Workspace, Result]]:
    """An emulator that was started in a hostile shell, where SAM's mode was left to the machine and there is no Docker."""
    here = workspace("steps", SAM_MODE="auto")
    yield here, here.make("emulator-up", environment=HOSTILE | {"PATH": path_without_docker})
    assert here.make("clean").status == 0
    assert not here.left()


@pytest.fixture(scope="module", name="emulator")
def _emulator(started) -> Workspace:
    """The workspace of an emulator that runs."""
    here, result = started
    assert result.status == 0, result.output
    return here


@pytest.fixture(scope="module", name="deployment")
def _deployment(emulator, package) -> Result:
    """Everything deployed, where the creation of the first stack had failed before."""
    create_stack_that_fails(emulator, "ecs-updater-vpc", "ROLLBACK_COMPLETE", OnFailure="ROLLBACK")
    steps = ["deploy-ecs-cluster", "deploy-ecs-service", "deploy-lambda-sam"]
    return emulator.make(*steps, environment=HOSTILE, LAMBDA_PACKAGE=str(package))


@pytest.fixture(scope="module", name="deployed")
def _deployed(emulator, deployment) -> Workspace:
    """The workspace of an emulator with everything deployed."""
    assert deployment.status == 0, deployment.output
    return emulator


def create_stack_that_fails(here: Workspace, name: str, status: str, **options: str) -> None:
    """Creates a stack and waits until it has this status."""
    cloudformation = client(here, "cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=NEVER_COMPLETE, **options)
    until(lambda: cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == status, f"{name} is {status}")


def test_without_docker_the_emulator_is_chosen_and_that_is_said(started):
    assert "SAM mode emulator: Docker is not installed" in started[1].output


@pytest.mark.parametrize(
    "target",
    ["deploy-ecs-cluster", "deploy-ecs-service", "run-lambda-test-sam", "run-lambda-test-aws", "invoke-sam EVENT=e.json"],
)
def test_a_step_without_an_emulator_says_what_to_do(target, workspace):
    here = workspace("nothing")

    assert here.make(*target.split()).complaint() == f"no emulator answers on 127.0.0.1:{here.port}: make emulator-up"


def test_the_function_cannot_be_deployed_without_a_bundle(workspace):
    here = workspace("nothing")

    complaint = here.make("deploy-lambda-sam").complaint()

    assert complaint == f"there is no bundle {here.build}/ecs-updater-package.zip: make build-lambda-package TARGET=local"


DEPLOY_ALL = "make deploy-ecs-cluster deploy-ecs-service deploy-lambda-sam"


@pytest.mark.parametrize(
    "target, expected",
    [
        ("deploy-ecs-service", "the stacks absent-vpc and absent-ecs have no output SubnetIds: make deploy-ecs-cluster"),
        ("deploy-lambda-sam", "the stack absent-ecs has no output TaskExecutionRoleArn: make deploy-ecs-cluster"),
        ("run-lambda-test-sam", f"there is no stack absent-lambda: {DEPLOY_ALL}"),
        ("invoke-sam EVENT=e.json", f"there is no stack absent-lambda: {DEPLOY_ALL}"),
    ],
)
def test_a_step_without_the_stacks_before_it_says_what_to_do(target, expected, emulator, package):
    assert emulator.make(*target.split(), STACK_NAME="absent", LAMBDA_PACKAGE=str(package)).complaint() == expected


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({"SERVICE_NAME": "absent"}, "cluster ECSCluster has no service absent: make deploy-ecs-cluster deploy-ecs-service"),
        ({"CLUSTER_NAME": "absent"}, "Cluster not found.: make deploy-ecs-cluster deploy-ecs-service"),
    ],
)
def test_the_events_need_the_service_that_they_are_about(settings, expected, deployed):
    assert deployed.make("run-lambda-test-sam", **settings).complaint().endswith(expected)


def test_a_stack_whose_creation_was_rolled_back_is_replaced(deployment):
    assert "• removing stack ecs-updater-vpc: its creation failed before, and was rolled back" in deployment.output
    assert deployment.status == 0


def test_a_half_built_stack_is_named_with_its_cause_and_the_way_out(emulator):
    create_stack_that_fails(emulator, "half-built-vpc", "CREATE_FAILED", OnFailure="DO_NOTHING")

    complaint = emulator.make("deploy-ecs-cluster", STACK_NAME="half-built").complaint()

    assert complaint.startswith("stack half-built-vpc is half-built (CREATE_FAILED): make clean removes it, then run this again.")
    assert "Never (AWS::CloudFormation::WaitCondition): WaitCondition timed out" in complaint


def test_the_aws_cli_sends_the_events_too(deployed):
    result = deployed.make("run-lambda-test-aws")

    assert result.status == 0, result
    assert [line.split()[0] for line in result.output.splitlines() if line.endswith("  ok")] == list(OUTCOMES)


def test_an_event_of_ones_own_is_answered_and_the_service_can_be_put_back(deployed, tmp_path):
    event = {"ecs_cluster_name": "ECSCluster", "ecs_service_name": "ecs-dummy-service", "ecs_image_name": "busybox:2"}
    event_file = tmp_path / "an event.json"
    event_file.write_text(json.dumps(event | {"ecs_tag": {"owner": "someone"}}), "utf-8")

    answer = deployed.make("invoke-sam", EVENT=str(event_file))
    changed = state(deployed)
    put_back = deployed.make("deploy-ecs-service", environment=HOSTILE)

    assert json.loads(answer.output)["body"]["AFTER"]["serviceImage"] == "busybox:2"
    assert changed == ("busybox:2", {"owner": "someone"})
    assert put_back.status == 0, put_back.output
    assert state(deployed) == ("busybox", {"old-custom-tag-name": "old-custom-tag-value"})


def state(here: Workspace) -> tuple[str, dict[str, str]]:
    """Image and tags of the service."""
    ecs = client(here, "ecs")
    (found,) = ecs.describe_services(cluster="ECSCluster", services=["ecs-dummy-service"], include=["TAGS"])["services"]
    revision = ecs.describe_task_definition(taskDefinition=found["taskDefinition"])["taskDefinition"]
    return revision["containerDefinitions"][0]["image"], {tag["key"]: tag["value"] for tag in found["tags"]}


@pytest.mark.parametrize(
    "content, words",
    [(b"[1]", "[1] is not of type 'object'"), (b'"%s"' % (b"a" * 5_000_000), "aaa…aaa")],
    ids=["a list", "5 MB"],
)
def test_an_event_that_the_function_refuses_gives_its_one_short_line(content, words, deployed, tmp_path):
    (tmp_path / "event.json").write_bytes(content)

    result = deployed.make("invoke-sam", EVENT=str(tmp_path / "event.json"))

    (line,) = (line for line in result.output.splitlines() if not line.startswith("make: ***"))
    assert line.startswith("[ERROR][json_validation] wrong input event format: ") and words in line
    assert result.status != 0 and len(line) < 400


@pytest.mark.parametrize(
    "content, words",
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is no JSON: Expecting value"),
        (b"{", "is no JSON: Expecting property name"),
        (b"\xff\x00\xfe", "is no JSON: 'utf-8' codec can't decode"),
        (b"[" * 200_000 + b"]" * 200_000, "is nested too deeply"),
        (b" " * LIMIT + b"1", f"is too large: Lambda takes events of at most {LIMIT} bytes"),
    ],
    ids=["missing", "empty", "no JSON", "binary", "deep", "above 6 MB"],
)
def test_an_event_that_lambda_would_refuse_is_refused_before(content, words, deployed, tmp_path):
    event_file = tmp_path / "event.json"
    if content is not None:
        event_file.write_bytes(content)

    assert deployed.make("invoke-sam", EVENT=str(event_file)).complaint().startswith(f"{event_file} {words}")


def test_invoking_without_an_event_says_how_to_name_one(workspace):
    assert workspace("nothing").make("invoke-sam").complaint() == "which event? make invoke-sam EVENT=event.json"


def test_a_function_sees_nothing_of_the_shell(emulator):
    """The shell in which the emulator was started, that is."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("probe.py", PROBE)
    lambda_ = client(emulator, "lambda")
    runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
    lambda_.create_function(
        FunctionName="probe",
        Handler="probe.handler",
        Runtime=runtime,
        Role="arn:aws:iam::000000000000:role/probe",
        Code={"ZipFile": archive.getvalue()},
    )
    lambda_.get_waiter("function_active_v2").wait(FunctionName="probe")

    environment = json.load(lambda_.invoke(FunctionName="probe")["Payload"])

    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "probe"
    assert not [name for name, value in environment.items() if CANARY in value]


# The emulator


def test_an_emulator_whose_pid_file_is_lost_is_found_again(emulator):
    pid_file = emulator.build / "emulator" / "pid"
    pid = pid_file.read_text("ascii")
    pid_file.unlink()

    assert f"the emulator already runs on 127.0.0.1:{emulator.port} (process {pid.strip()})" in emulator.make("emulator-up").output
    assert pid_file.read_text("ascii") == pid


def test_an_emulator_all_of_whose_files_are_lost_can_be_stopped(workspace):
    here = workspace("lost")
    assert here.make("emulator-up").status == 0
    shutil.rmtree(here.build)

    assert here.make("emulator-down").status == 0
    assert not here.left()


def test_an_emulator_that_does_not_answer_is_named_with_the_way_out(emulator):
    pid = int((emulator.build / "emulator" / "pid").read_text("ascii"))
    os.kill(pid, signal.SIGSTOP)
    try:
        result = emulator.make("emulator-up")
    finally:
        os.kill(pid, signal.SIGCONT)

    expected = f"the emulator on port {emulator.port} (process {pid}) does not answer: make emulator-down, then try again"
    assert result.complaint() == expected


def test_the_emulator_of_another_run_is_left_alone(emulator, workspace):
    here = workspace("beside", EMULATOR_PORT=str(emulator.port), SAM_MODE="emulator")

    complaint = here.make("emulator-up", SAM_MODE="emulator").complaint()
    assert complaint.startswith(f"port {emulator.port} has the emulator of another run: make EMULATOR_PORT={emulator.port + 1}")
    assert here.make("clean").status == 0
    assert not is_free(emulator.port)


def test_a_process_that_has_the_number_of_an_emulator_that_ended_is_left_alone(workspace):
    here = workspace("number")
    (here.build / "emulator").mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as innocent:  # The emulator is stopped with its group.
        (here.build / "emulator" / "pid").write_text(f"{innocent.pid}\n", "ascii")
        status = here.make("emulator-down").status
        survived = innocent.poll() is None
        innocent.kill()

    assert (status, survived) == (0, True)


def test_a_taken_port_is_named_with_a_way_around_it(workspace_with_package):
    here = workspace_with_package("taken")
    with another_program(here.port):
        output = here.make("all-local").output

    complaint, end = (line for line in output.splitlines() if line.startswith("✗"))
    assert complaint.startswith(f"✗ port {here.port} is taken by another program: stop that one, or take another port: ")
    assert end == "✗ emulator-up failed, see above"
    assert "Traceback" not in output
    assert not here.left()


# Clean


def test_clean_has_nothing_to_do_twice(workspace):
    here = workspace("nothing")

    assert [here.make("clean") for _ in range(2)] == [Result(0, "")] * 2


def test_clean_leaves_files_that_are_not_its_own(workspace_with_package):
    here = workspace_with_package("shared")
    (here.build / "thesis.txt").write_text("years of work", "utf-8")

    assert here.make("clean") == Result(0, f"• left alone in {here.build}: thesis.txt\n")
    assert [path.name for path in here.build.iterdir()] == ["thesis.txt"]


@pytest.mark.usefixtures("docker")
def test_clean_removes_the_containers_of_a_killed_sam_and_no_others(workspace):
    here = workspace("containers", SAM_MODE="docker")
    mounts = {"ours": here.build / "sam" / "tmp", "others": here.directory / "sam"}
    containers = {}
    for name, mount in mounts.items():
        mount.mkdir(parents=True)
        options = ["--detach", "--label", "sam.cli.container.type=lambda", "--volume", f"{mount}:/var/task"]
        containers[name] = _docker("run", *options, "--entrypoint", "sleep", _image(), "600")
    try:
        status = here.make("clean").status
        left = _in_docker() & set(containers.values())
    finally:
        for container in containers.values():
            subprocess.run(["docker", "rm", "--force", container], check=False, capture_output=True)

    assert (status, left) == (0, {containers["others"]})


# Settings that cannot be, and programs that are not there


@pytest.mark.parametrize(
    "target, setting, words",
    [
        ("emulator-up", "SAM_MODE=nonsense", "SAM_MODE=nonsense is no mode: auto, docker or emulator"),
        ("emulator-up", "EMULATOR_PORT=nonsense", "EMULATOR_PORT=nonsense is no port: a number from 1 to 65535"),
        ("emulator-up", "EMULATOR_PORT=65536", "EMULATOR_PORT=65536 is no port: a number from 1 to 65535"),
        ("all-local", "EMULATOR_PORT=", "EMULATOR_PORT= is no port: a number from 1 to 65535"),
        ("all-local", "STACK_NAME=", "the setting STACK_NAME is empty: "),
        ("all-local", "SERVICE_NAME=", "the setting SERVICE_NAME is empty: "),
        ("build-lambda-package", "LAMBDA_RUNTIME=nonsense", "LAMBDA_RUNTIME is 'nonsense': set it to python3.11, "),
        ("build-lambda-package", "LAMBDA_ARCH=nonsense", "LAMBDA_ARCH is 'nonsense': set it to x86_64 or arm64"),
    ],
)
def test_a_setting_that_cannot_be_is_named(target, setting, words, workspace):
    here = workspace("settings")
    name, _, value = setting.partition("=")

    assert here.make(target, **{name: value}).complaint().startswith(words)
    assert here.make("clean").status == 0
    assert not here.left()


@pytest.mark.parametrize("target", ["all-local", "emulator-up", "build-lambda-package"])
def test_a_python_that_is_not_there_is_named(target, workspace):
    complaint = workspace("python").make(target, PYTHON="does-not-exist").complaint()

    assert complaint == "does-not-exist is not installed: install Python 3.11 or newer, or name one: make PYTHON=python3.13 …"


@pytest.mark.parametrize("target", ["all-local", "emulator-up", "build-lambda-package"])
def test_an_older_python_is_refused(target, workspace):
    found = Path(os.environ.get("PYENV_ROOT", "/nowhere"), "versions").glob("3.10.*/bin/python3")
    old = next(map(str, found), shutil.which("python3.10"))
    if not old:
        pytest.skip("there is no Python 3.10 on this machine")

    assert workspace("old").make(target, PYTHON=old).complaint().startswith(f"{old} is Python 3.10.")


def test_a_python_without_its_venv_module_is_named_with_the_way_to_get_it(workspace, tmp_path):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$1 $2" != "-m venv" ] || exit 1\nexec {sys.executable} "$@"\n', "utf-8")
    python.chmod(0o755)

    complaint = workspace("venv").make("emulator-up", PYTHON=str(python), TOOLS_DIR=str(tmp_path / "tools")).output
    assert f"✗ {python} cannot make virtual environments: install its venv module" in complaint


def test_docker_is_named_when_it_is_asked_for_and_not_there(workspace, path_without_docker):
    result = workspace("docker").make("emulator-up", SAM_MODE="docker", environment={"PATH": path_without_docker})

    assert result.complaint() == "SAM_MODE=docker cannot be: Docker is not installed; without Docker: SAM_MODE=emulator"


@pytest.mark.skipif(not shutil.which("docker"), reason="there is no Docker client")
def test_docker_is_named_when_it_is_asked_for_and_does_not_answer(workspace):
    result = workspace("docker").make("emulator-up", SAM_MODE="docker", environment={"DOCKER_HOST": "unix:///nowhere"})

    assert result.complaint() == "SAM_MODE=docker cannot be: no Docker engine answers; without Docker: SAM_MODE=emulator"


def test_the_mode_of_sam_cannot_change_under_a_deployment(emulator):
    complaint = emulator.make("emulator-up", SAM_MODE="docker").complaint()

    assert complaint == "SAM_MODE=docker, but what is deployed here is for SAM_MODE=emulator: make clean first"

"""What can go wrong around the pipelines: emulators of others, taken ports, impossible settings,
programs that are missing.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from support.docker import base_image, docker, in_docker
from support.inventory import inventory
from support.make import PROJECT, TOOLS, Workspace, is_free
from support.pseudo_terminal import Terminal

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


@pytest.fixture(scope="module", name="emulator")
def _emulator(workspace) -> Iterator[Workspace]:
    """The workspace of an emulator that runs."""
    here = workspace("emulator")
    here.make("emulator-up").succeeded()
    yield here
    here.clean()


def test_an_emulator_that_does_not_answer_is_named_with_the_way_out(emulator):
    pid = int((emulator.build / "emulator" / "pid").read_text("ascii"))
    os.kill(pid, signal.SIGSTOP)
    try:
        result = emulator.make("emulator-up")
    finally:
        os.kill(pid, signal.SIGCONT)

    expected = (
        f"the emulator on port {emulator.port} (process {pid}) does not answer: run make "
        "emulator-down, then try again"
    )
    assert result.complaint() == expected


KEPT = "the emulator ran before this pipeline and keeps running: make emulator-down stops it"


def test_a_pipeline_leaves_an_emulator_that_ran_before_running_and_as_it_was(emulator):
    before = inventory(emulator.endpoint)
    command = ["make", "-C", str(PROJECT), "--no-print-directory", "all-local"] + [
        f"{name}={value}" for name, value in emulator.settings.items()
    ]
    with Terminal(command, 150, 60, {**os.environ, "NO_COLOR": "1"}) as screen:
        assert screen.ends() == 0 and KEPT in screen.text, screen.text
    assert screen.lines[0] == (
        f"• the emulator on 127.0.0.1:{emulator.port} runs already: "
        "this run replaces and removes what is deployed there"
    )
    assert re.search(r"\r• ([a-z-]+): 1 s\r• \1: \d+ s", screen.received.decode())
    assert inventory(emulator.endpoint) == before
    assert emulator.make("emulator-up").output.startswith("• the emulator already runs")


def test_without_an_emulator_the_settings_for_a_shell_fail_and_lead_nowhere(workspace):
    output = workspace("none").make("emulator-env").output
    complaint, _, commands = output.partition("make: ***")[0].partition("\n")
    assert complaint.startswith("✗ no emulator answers on 127.0.0.1:")
    assert subprocess.check_output(
        ["bash", "-c", 'eval "$1" || env | grep ^AWS | sort', "-", commands],
        text=True,
        env={"AWS_PROFILE": "production", "AWS_ENDPOINT_URL_ECS": "https://example.com"},
    ).splitlines() == [
        "AWS_CONFIG_FILE=/dev/null",
        "AWS_DEFAULT_REGION=eu-west-1",
        "AWS_ENDPOINT_URL=http://127.0.0.1:1",
    ]


def test_the_settings_for_a_shell_lead_both_programs_only_to_the_emulator(emulator):
    emulator.client("ecs").create_cluster(clusterName="of-the-emulator")
    settings = emulator.make("emulator-env").succeeded().output
    shell = {"AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "secret", "PATH": os.defpath}
    shell |= {"AWS_ENDPOINT_URL_ECS": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"}
    aws = f"{TOOLS}/aws/bin/aws ecs list-clusters --output text"
    command = f"PYTHONPATH={PROJECT}/lambda_code {sys.executable} -m ecs_updater_cli"
    update = f"{command} update of-the-emulator absent busybox --direct --dry-run"
    script = f"{settings}\nenv\n{aws}\n{update} 2>&1 || true"
    said = subprocess.check_output(["bash", "-c", script], text=True, env=shell)
    assert sorted(line for line in said.splitlines() if line.startswith(("AWS", "NO_PROXY"))) == [
        "AWS_ACCESS_KEY_ID=test",
        "AWS_CONFIG_FILE=/dev/null",
        "AWS_DEFAULT_REGION=eu-west-1",
        "AWS_EC2_METADATA_DISABLED=true",
        f"AWS_ENDPOINT_URL={emulator.endpoint}",
        "AWS_SECRET_ACCESS_KEY=test",
        "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
        "NO_PROXY=127.0.0.1",
    ]
    assert "cluster/of-the-emulator" in said
    assert "ecs_service_name absent not found" in said


@pytest.mark.parametrize(
    "goals",
    [["deploy-ecs-cluster", "deploy-ecs-service"], ["deploy-api-aws-tf"], ["api-url"], ["clean"]],
)
def test_beside_a_running_emulator_the_target_must_be_chosen(goals, emulator):
    before = inventory(emulator.endpoint)
    result = emulator.make(*goals, TARGET=None, OWNER="two words")
    commands = re.findall(r"^  (make .*\S) +# ", result.output, re.MULTILINE)
    assert result.status != 0 and inventory(emulator.endpoint) == before
    assert [command.rpartition(" ")[2] for command in commands] == ["TARGET=local", "TARGET=aws"]
    assert all(f"make {' '.join(goals)} " in command for command in commands)
    if goals == ["api-url"]:
        again = subprocess.run(
            commands[0], shell=True, cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert "there is no API of ecs-updater: make deploy-api-aws TARGET=local" in again.stderr


def test_the_emulator_of_another_run_is_kept(emulator, workspace):
    here = workspace("beside", EMULATOR_PORT=str(emulator.port), SAM_MODE="emulator")

    complaint = here.make("emulator-up", SAM_MODE="emulator").complaint()
    assert complaint.startswith(
        f"port {emulator.port} has the emulator of another run: use another port with make "
        f"EMULATOR_PORT={emulator.port + 1}"
    )
    assert here.make("clean").status == 0
    assert not is_free(emulator.port)


def test_clean_reports_that_it_did_not_check_the_account(workspace):
    here = workspace("nothing")
    assert here.make("clean", TARGET=None).output == (
        "• the account was not checked: TARGET=aws removes what was deployed there\n"
        f"• nothing to remove in {here.build}\n"
    )


# Clean


@pytest.mark.usefixtures("docker")
def test_clean_removes_the_containers_of_a_killed_sam_and_no_others(workspace):
    here = workspace("containers", SAM_MODE="docker")
    mounts = {"own": here.build / "sam" / "tmp", "others": here.directory / "sam"}
    containers = {}
    for name, mount in mounts.items():
        mount.mkdir(parents=True)
        options = [
            "--detach",
            "--label",
            "sam.cli.container.type=lambda",
            "--volume",
            f"{mount}:/var/task",
        ]
        containers[name] = docker("run", *options, "--entrypoint", "sleep", base_image(), "600")
    try:
        status = here.make("clean").status
        left = in_docker() & set(containers.values())
    finally:
        for container in containers.values():
            subprocess.run(["docker", "rm", "--force", container], check=False, capture_output=True)

    assert (status, left) == (0, {containers["others"]})


# Settings that cannot be, and programs that are not there


@pytest.mark.parametrize(
    "target, setting, words",
    [
        (
            "emulator-up",
            "SAM_MODE=nonsense",
            "SAM_MODE=nonsense is not valid: use auto, docker or emulator",
        ),
        (
            "emulator-up",
            "EMULATOR_PORT=nonsense",
            "EMULATOR_PORT=nonsense is not a valid port: use a number from 1 to 65535",
        ),
        (
            "emulator-up",
            "EMULATOR_PORT=65536",
            "EMULATOR_PORT=65536 is not a valid port: use a number from 1 to 65535",
        ),
        (
            "all-local",
            "EMULATOR_PORT=",
            "EMULATOR_PORT= is not a valid port: use a number from 1 to 65535",
        ),
        ("all-local", "STACK_NAME=", "the setting STACK_NAME is empty: "),
        ("all-local", "SERVICE_NAME=", "the setting SERVICE_NAME is empty: "),
        ("all-local", "API_AUTH=", "API_AUTH= is not valid: use key, iam or jwt"),
        (
            "deploy-api-aws",
            "API_AUTH=nonsense",
            "API_AUTH=nonsense is not valid: use key, iam or jwt",
        ),
        *(
            (
                target,
                f"STRATEGY={strategy}",
                f"STRATEGY={strategy} is not valid: use ROLLING, BLUE_GREEN, LINEAR or CANARY",
            )
            for target in ("all-aws", "all-aws-tf")
            for strategy in ("nonsense", "blue_green", "")
        ),
        (
            "build-lambda-package",
            "LAMBDA_RUNTIME=nonsense",
            "LAMBDA_RUNTIME is 'nonsense': set it to python3.11, ",
        ),
        *(
            (
                "build-lambda-package",
                f"LAMBDA_RUNTIME={runtime}",
                f"LAMBDA_RUNTIME is '{runtime}': set it to python3.11, ",
            )
            for runtime in ("", "python3.10", "python3.13; true", "nodejs22.x")
        ),
        *(
            (
                "build-lambda-package",
                f"LAMBDA_ARCH={architecture}",
                f"LAMBDA_ARCH is '{architecture}': set it to x86_64 or arm64",
            )
            for architecture in ("", "aarch64")
        ),
        (
            "build-lambda-package",
            "LAMBDA_ARCH=nonsense",
            "LAMBDA_ARCH is 'nonsense': set it to x86_64 or arm64",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_named(target, setting, words, workspace):
    here = workspace("settings")
    name, _, value = setting.partition("=")

    assert here.make(target, **{name: value}).complaint().startswith(words)
    here.clean()


def test_docker_is_named_when_it_is_asked_for_and_not_there(workspace, path_without_docker):
    result = workspace("docker").make(
        "emulator-up", SAM_MODE="docker", environment={"PATH": path_without_docker}
    )

    assert (
        result.complaint() == "SAM_MODE=docker is not possible: Docker is not installed. "
        "Without Docker use SAM_MODE=emulator"
    )

"""Every command of the documents runs as it is written, page after page, on one emulator."""

import json
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from support.documents import ALL, blocks, read
from support.make import PROJECT, TOOLS, Workspace

PROGRAMS = ("bash", "make", "curl", "git", "jq")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason=f"one of {', '.join(PROGRAMS)} is not installed"
)

PAGES = (
    "README.md",
    "docs/event.md",
    "docs/command-line.md",
    "docs/many-services.md",
    "docs/http-api.md",
    "docs/operations.md",
    "docs/codepipeline.md",
    "docs/push.md",
    "docs/notifications.md",
    "docs/targets.md",
    "docs/access.md",
    "docs/deploying.md",
    "docs/local.md",
    "docs/development.md",
)
"""Each page with commands. A page finds the deployments and files of the pages before it."""

PIPELINE = ".ci/run runs it beside this test, and it takes minutes"
DOCKER = "it needs images of docker.io; test_package.py builds and runs the image on its own base"
TASK = "its task needs a container; test_run.py runs it on the simulated ECS"
CONFIG = (
    'aws configservice select-resource-config --expression "SELECT arn, '
    "configurationItemCaptureTime, configuration.TaskDefinition "
    "WHERE resourceType = 'AWS::ECS::Service'\""
)
ISSUER = "test_jwt.py deploys it with an issuer on this machine"
TF = "the emulator's CloudFormation has no connections; test_notify.py deploys it with Terraform"
NOT_RUN = {
    'make deploy-notify-aws WEBHOOK_SECRET_ARN="$SECRET" SLACK_WEBHOOK=true TEAMS_WEBHOOK=true': TF,
    "make build-lambda-package API_AUTH=jwt": ISSUER,
    "make deploy-api-aws API_AUTH=jwt "
    "JWT_ISSUER=https://token.actions.githubusercontent.com JWT_AUDIENCE=ecs-updater "
    "SCOPES_PARAMETER=/ecs-updater/scopes": ISSUER,
    'ecs-updater run ECSCluster ecs-dummy-service --timeout 300 -- sh -c "./manage migrate"': TASK,
    "make sbom": "test_sbom.py runs it twice",
    "make all-local": PIPELINE,
    "make all-aws": PIPELINE,
    "make all-aws-tf": PIPELINE,
    "make all-aws STRATEGY=BLUE_GREEN": PIPELINE,
    "make lint": PIPELINE,
    "make test": PIPELINE,
    "make image": DOCKER,
    "docker run --rm ecs-updater --help": DOCKER,
    "docker compose up --build deploy": DOCKER,
    "docker compose run --rm deploy status": DOCKER,
    CONFIG: "the emulator's AWS Config records nothing",
    "aws sqs start-message-move-task "
    "--source-arn arn:aws:sqs:REGION:ACCOUNT:ecs-updater-push-dead-letters": "it names an account",
    **{
        f"aws dynamodb {command}": "the table of the emulator exists"
        for command in (
            "restore-table-from-backup --target-table-name ecs-updater-ledger "
            '--backup-arn "$BACKUP_ARN"',
            "update-time-to-live --table-name ecs-updater-ledger "
            "--time-to-live-specification Enabled=true,AttributeName=expires",
            "update-table --table-name ecs-updater-ledger --deletion-protection-enabled",
        )
    },
}
"""Commands that are only parsed, with the reasons. Each is a whole line."""

SHOWN = {"hcl", "ini", "json", "mermaid", "sql", "text", "yaml"}
"""Languages of blocks without commands."""

COMMAND = re.compile(r"\s*(\$|[A-Z_]+=\S*|aws|curl|docker|ecs-updater|make|pip|scripts/\S+) \S")


class Sample(NamedTuple):
    """A command after `$ ` and the lines that the document shows below it."""

    command: str
    lines: list[str]


def samples(text: str) -> list[Sample]:
    """The commands of a `console` block."""
    assert text.startswith("$ "), text
    parts = re.split(r"^\$ ", text.replace("\\\n", ""), flags=re.MULTILINE)[1:]
    return [Sample(command, lines) for command, *lines in map(str.splitlines, parts)]


def shape(lines: list[str]) -> list[str]:
    """Lines with a 0 for each number and one blank for several, without those of fast rollouts."""
    squeezed = [" ".join(line.split()) for line in lines if " DEPLOYING " not in line]
    return [re.sub(r"[0-9a-f]*\d[0-9a-f]*", "0", line) for line in squeezed]


class Page:
    """A document as a shell script."""

    def __init__(self, document: str):
        self.samples: list[Sample] = []
        """Each has its output in a file named after its place in the list."""
        self.parsed = self.script = ""
        for block in blocks(read(document)):
            if block.file:
                self.script += f"cat >{block.file} <<'END'\n{block.text}END\n"
            if block.language == "sh":
                lines = block.text.splitlines(keepends=True)
                self.parsed += block.text
                self.script += "".join(line for line in lines if line.strip() not in NOT_RUN)
            for sample in samples(block.text) if block.language == "console" else ():
                self.parsed += f"{sample.command}\n"
                self.script += f'{{ {sample.command}\n}} >"$OUTPUT/{len(self.samples)}" 2>&1\n'
                self.samples.append(sample)


@pytest.fixture(scope="module", name="here")
def _here(workspace, package, tmp_path_factory) -> Iterator[tuple[Workspace, Path]]:
    """A fresh copy of the project, an emulator with services of the documents, and a `pip`."""
    directory = tmp_path_factory.mktemp("documents")
    ignored = shutil.ignore_patterns(".git", ".tools", "build", "__pycache__", ".*_cache")
    copy = Path(shutil.copytree(PROJECT, directory / "ecs-updater", ignore=ignored))
    (copy / ".tools").symlink_to(TOOLS)
    subprocess.run(["git", "init", "--quiet", copy], check=True)
    (directory / ".curlrc").write_text("fail-with-body\n", "ascii")
    subprocess.run(
        [TOOLS / "uv" / "bin" / "uv", "venv", "--seed", "--no-project", directory / "environment"],
        check=True,
    )
    locked = (PROJECT / "scripts" / "environments" / "cli.txt").read_text("ascii")
    pins = "\n".join(re.findall(r"^[\w.-]+==[^ ;]+", locked, re.MULTILINE))
    (directory / "constraints.txt").write_text(pins, "ascii")
    here = workspace("documents", project=copy)
    here.bring(package)
    here.make("emulator-up").succeeded()
    recording = json.dumps({"cloudtrail._recording_enabled": "true"}).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(f"{here.endpoint}/_ministack/config", recording).close()
    ecs, container = here.client("ecs"), {"image": "registry.example.com/shop/web:1", "memory": 64}
    ecs.create_cluster(clusterName="shop")
    for name in ("web", "api"):
        ecs.register_task_definition(family=name, containerDefinitions=[container | {"name": name}])
        ecs.create_service(cluster="shop", serviceName=name, taskDefinition=name, desiredCount=1)
    keys = {"aws_access_key_id": "222222222222", "aws_secret_access_key": "test"}
    ecs = here.client("ecs", region_name="eu-central-1", **keys)
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(family="web", containerDefinitions=[container | {"name": "web"}])
    ecs.create_service(cluster="shop", serviceName="web", taskDefinition="web", desiredCount=1)
    yield here, copy
    here.clean()


def run(here: Workspace, copy: Path, page: Page, output: Path) -> subprocess.CompletedProcess[str]:
    """Runs a page in one shell, with `make` and the aws cli on this workspace's emulator."""
    settings = " ".join(f"{name}={value}" for name, value in here.settings.items() if value)
    shell = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    shell |= {
        "MAKEFLAGS": f" -- {settings}",
        "AWS_ENDPOINT_URL": here.endpoint,
        "CURL_HOME": str(copy.parent),
        "PIP_CONSTRAINT": str(copy.parent / "constraints.txt"),
        "OUTPUT": str(output),
        "TZ": "UTC",
        "PATH": f"{copy.parent}/environment/bin:{TOOLS}/aws/bin:{os.environ['PATH']}",
    }
    trap = """trap 'echo "failed: $BASH_COMMAND" >&2; tail -n 20 "$OUTPUT"/* 2>&1' ERR\n"""
    # Version 1 of the aws cli does not use AWS_ENDPOINT_URL for SQS.
    aws = 'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }\n'
    command = ["bash", "-eu", "-o", "pipefail", "-c", trap + aws + page.script]
    return subprocess.run(
        command, cwd=copy, env=shell, capture_output=True, text=True, timeout=900, check=False
    )


@pytest.mark.parametrize("document", PAGES)
def test_every_command_of_a_page_runs_as_written(here, document, tmp_path):
    page = Page(document)
    subprocess.run(["bash", "-n", "-c", page.parsed], check=True)
    done = run(*here, page, tmp_path)
    assert done.returncode == 0 and "FunctionError" not in done.stdout, done.stdout + done.stderr
    for number, sample in enumerate(page.samples):
        printed = (tmp_path / str(number)).read_text("utf-8").splitlines()
        assert not sample.lines or shape(printed) == shape(sample.lines), printed


def test_no_command_is_left_out():
    languages = {document: {block.language for block in blocks(read(document))} for document in ALL}
    with_commands = {name for name, used in languages.items() if used & {"sh", "console"}}
    assert with_commands == set(PAGES)
    assert set().union(*languages.values()) <= SHOWN | {"sh", "console"}, "name the language"
    parsed = "".join(Page(document).parsed for document in PAGES)
    assert [line for line in NOT_RUN if f"{line}\n" not in parsed] == []
    shown = [block for name in ALL for block in blocks(read(name)) if block.language == "text"]
    assert [block.text for block in shown if COMMAND.match(block.text)] == []

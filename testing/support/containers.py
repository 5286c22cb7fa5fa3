"""Services whose tasks are containers: the emulator beside a Docker engine, a registry on loopback,
images made on the spot.

An image is Debian's static busybox and what it is to do. Everything that is made here is gone after
``ended``: containers, images, the registry and the emulator.
"""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from ecs_updater.aws import dynamodb, ecs
from ecs_updater.context import Call
from ecs_updater.deployments.deploy import deploy
from ecs_updater.ledger.entry import Entry
from ecs_updater.ledger.store import History
from ecs_updater.model.arn import service_key

from .cloudformation import TEMPLATES, Stack
from .docker import docker
from .make import PROJECT, TOOLS, Workspace, until
from .rollout_world import Outcome, outcome_of

CLUSTER = "ECSCluster"
OLD_TAGS = {"release": "1", "old": "tag"}
NEW_TAGS = {"release": "2"}
PATIENCE = 600
"""Seconds for which an update waits, and tests for what follows it: everything here takes a few."""

_SOCKET = Path("/var/run/docker.sock")
_FAMILY, _REVISION = (f"com.amazonaws.ecs.task-definition-{what}" for what in ("family", "version"))


class Unavailable(Exception):
    """This machine cannot run containers for the tests; the message says why."""


# What it takes


def check_engine() -> None:
    """Raises Unavailable unless a Docker engine answers where the emulator looks for it, on its
    usual socket.
    """
    if not shutil.which("docker"):
        raise Unavailable("Docker is not installed")
    requested = ["docker", "--host", f"unix://{_SOCKET}", "info"]
    if (
        not _SOCKET.exists()
        or subprocess.run(requested, capture_output=True, timeout=30, check=False).returncode
    ):
        raise Unavailable(f"no Docker engine answers on {_SOCKET}")


def program(
    name: str, package: str, directory: Path, fits: Callable[[Path], bool] = Path.is_file
) -> Path:
    """A program of this machine, or of Debian's package, unpacked into ``directory`` and not
    installed. Raises Unavailable.
    """
    if (found := shutil.which(name)) and fits(Path(found)):
        return Path(found)
    directory.mkdir()
    for step in (["apt-get", "download", "-qq", package], ["sh", "-c", "dpkg -x *.deb ."]):
        if (
            not shutil.which(step[0])
            or subprocess.run(step, cwd=directory, capture_output=True, check=False).returncode
        ):
            raise Unavailable(
                f"{name}, as Debian's package {package} has it, is not on PATH, and the "
                "package cannot be downloaded"
            )
    return next(path for path in directory.glob(f"**/bin/{name}") if fits(path))


def is_static(path: Path) -> bool:
    """Whether a program names no dynamic loader."""
    return subprocess.run(["ldd", path], capture_output=True, check=False).returncode != 0


@contextmanager
def registry(directory: Path, port: int, auth: str = "") -> Iterator[str]:
    """Runs a registry with its data in a directory. Yields its `host:port` on loopback, for which
    Docker needs no TLS. Raises Unavailable.
    """
    directory.mkdir(exist_ok=True)
    server = program("docker-registry", "docker-registry", directory / "program")
    host = f"127.0.0.1:{port}"
    config = directory / "config.yml"
    storage = f"storage: {{filesystem: {{rootdirectory: '{directory}/data'}}}}"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '{host}'}}\n{storage}\n{auth}",
        encoding="utf-8",
    )
    with subprocess.Popen(
        [server, "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            until(lambda: _listens(port) or process.poll() is not None, "the registry listens")
            assert process.poll() is None, "the registry ended"
            yield host
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# The world


class Containers:
    """An emulator that runs the tasks of its services as containers, and a registry with images for
    them.
    """

    def __init__(self, workspace: Workspace, host: str, busybox: bytes):
        self.workspace, self.host = workspace, host
        self._busybox = busybox
        self.endpoint = f"http://127.0.0.1:{workspace.port}"
        self.digests: dict[str, str] = {}
        """Of every image that was published, by its reference."""
        self._emulator("up")
        self.client("ecs").create_cluster(clusterName=CLUSTER)

    def _emulator(self, verb: str) -> None:
        """The emulator with what it needs for Docker, which is another environment than the
        pipelines' own.
        """
        tools = self.workspace.directory / "tools"
        if not tools.exists():
            install = [PROJECT / "scripts" / "install-tool", "emulator-docker"]
            subprocess.run(
                install,
                check=True,
                capture_output=True,
                env=os.environ | {"PYTHON": sys.executable},
            )
            tools.mkdir()
            (tools / "emulator").symlink_to(TOOLS / "emulator-docker")
        # All of them, for make exports its own.
        settings = {
            "BUILD_DIR": str(self.workspace.build),
            "EMULATOR_HOST": "127.0.0.1",
            "EMULATOR_PORT": str(self.workspace.port),
            "EMULATOR_AUTH": "",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "TOOLS_DIR": str(tools),
        }
        command = [sys.executable, PROJECT / "scripts" / "emulator.py", verb]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | settings)

    def client(self, service: str, config: Config | None = None) -> Any:
        """A client of the emulator."""
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name="eu-west-1", config=config
        )

    def reference(self, name: str) -> str:
        """How an image of this registry is called."""
        return f"{self.host}/{name}"

    def publish(self, name: str, command: str) -> str:
        """Pushes an image that runs a command of busybox's shell, or the command of its container
        if there is none; its reference.
        """
        reference = self.reference(name)
        with io.BytesIO() as archive:
            with tarfile.open(fileobj=archive, mode="w") as tar:
                member = tarfile.TarInfo("bin/busybox")
                member.size, member.mode = len(self._busybox), 0o755
                tar.addfile(member, io.BytesIO(self._busybox))
            shell = ["/bin/busybox", "sh", "-c", *filter(None, [command])]
            entry = f"ENTRYPOINT {json.dumps(shell)}"
            made = ["docker", "import", "--change", entry, "-", reference]
            subprocess.run(made, input=archive.getvalue(), check=True, capture_output=True)
        docker("push", "--quiet", reference)
        (digest,) = json.loads(
            docker("image", "inspect", "--format", "{{json .RepoDigests}}", reference)
        )
        self.digests[reference] = digest.partition("@")[2]
        return reference

    def make_table(self, name: str) -> None:
        """The ledger's table, as the template has it."""
        (table,) = Stack(TEMPLATES["02-ledger.yml"]).of_type("AWS::DynamoDB::Table")
        keys = {
            key: table[key]
            for key in (
                "AttributeDefinitions",
                "KeySchema",
                "GlobalSecondaryIndexes",
                "BillingMode",
            )
        }
        self.client("dynamodb").create_table(TableName=name, **keys)

    def containers(self, *options: str, shown: str = "{{.ID}}") -> list[str]:
        """What ``docker container ls`` shows of the emulator's containers."""
        own = f"label=ministack.instance={socket.gethostname()}:{self.workspace.port}"
        return docker(
            "container", "ls", "--no-trunc", "--filter", own, *options, "--format", shown
        ).splitlines()

    def images(self) -> list[str]:
        """The ids of the registry's images in Docker."""
        listed = docker(
            "image", "ls", "--no-trunc", "--format", "{{.ID}} {{.Repository}}"
        ).splitlines()
        return sorted(
            {line.split()[0] for line in listed if line.split()[1].startswith(f"{self.host}/")}
        )

    def end(self) -> None:
        """Ends the emulator, and removes what it and ``publish`` made."""
        self._emulator("down")
        shutil.rmtree(self.workspace.build)
        if containers := self.containers("--all"):
            docker("container", "rm", "--force", "--volumes", *containers)
        if images := self.images():
            docker("image", "rm", "--force", *images)

    def left(self) -> list[str]:
        """What is still there after ``end``."""
        return [*self.containers("--all"), *self.images(), *self.workspace.left()]


@dataclass(frozen=True)
class Sent:
    """One update: what its caller got, and what it took."""

    outcome: Outcome
    began: float
    ended: float
    """Seconds since 1970."""
    calls: Counter[str]

    @property
    def seconds(self) -> float:
        """How long the caller waited."""
        return self.ended - self.began


@dataclass
class Service:
    """A service with one container, ``app``."""

    world: Containers
    name: str
    image: str
    breaker: dict[str, bool] = field(default_factory=dict)
    """``deploymentCircuitBreaker``; empty: none."""
    percents: tuple[int, int] = (100, 300)
    """``minimumHealthyPercent`` and ``maximumPercent``: with room for a third task, because the
    emulator never starts those of a deployment that has none at its beginning.
    """
    desired: int = 1
    table: str | None = None
    container: dict[str, Any] = field(default_factory=dict)
    """More of the container's definition."""
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.ecs = self.world.client("ecs")
        low, high = self.percents
        configuration = {"minimumHealthyPercent": low, "maximumPercent": high}
        if self.breaker:
            configuration["deploymentCircuitBreaker"] = self.breaker
        made = self.ecs.create_service(
            cluster=CLUSTER,
            serviceName=self.name,
            taskDefinition=self.register(self.image),
            desiredCount=self.desired,
            deploymentConfiguration=configuration,
            tags=[{"key": key, "value": value} for key, value in OLD_TAGS.items()],
        )
        self.arn = made["service"]["serviceArn"]
        until(lambda: len(self.revisions_running()) == self.desired, f"{self.name} runs")
        # With the clients' settings that the function has.
        # pylint: disable=protected-access
        self._boundary = ecs.Ecs(self.world.client("ecs", ecs._CONFIG), self.calls)
        self._ledger = None
        if self.table:
            self._ledger = dynamodb.Table(
                self.table, self.world.client("dynamodb", dynamodb._CONFIG), self.calls
            )

    def register(self, image: str) -> str:
        """Registers a revision with the image; its ARN."""
        basic = {"name": "app", "image": image, "memory": 64, "essential": True}
        containers = [basic | self.container]
        made = self.ecs.register_task_definition(family=self.name, containerDefinitions=containers)
        return made["taskDefinition"]["taskDefinitionArn"]

    def event(self, image: str | None, **fields: Any) -> dict[str, Any]:
        """An event that waits for what comes of it. None: its fields say what changes."""
        names = {"ecs_cluster_name": CLUSTER, "ecs_service_name": self.name}
        changes = {} if image is None else {"ecs_image_name": image, "ecs_tag": NEW_TAGS}
        return {**names, **changes, "wait_seconds": PATIENCE, **fields}

    def send(
        self, image: str | None, environment: dict[str, str] | None = None, **fields: Any
    ) -> Sent:
        """Does one update, in real time, in this process."""
        settings = {"LEDGER_TABLE": self.table or "", **(environment or {})}
        self.calls.clear()
        began = time.time()
        event, call = self.event(image, **fields), Call(caller="test")
        outcome = outcome_of(lambda: deploy(event, settings, self._boundary, call, self._ledger))
        return Sent(outcome, began, time.time(), Counter(self.calls))

    def description(self) -> dict[str, Any]:
        """The service, by DescribeServices."""
        return self.ecs.describe_services(cluster=CLUSTER, services=[self.name], include=["TAGS"])[
            "services"
        ][0]

    @property
    def tags(self) -> dict[str, str]:
        """Its tags."""
        return {tag["key"]: tag["value"] for tag in self.description()["tags"]}

    @property
    def revision(self) -> int:
        """The revision that it runs or is about to run."""
        return int(self.description()["taskDefinition"].rpartition(":")[2])

    def revisions_running(self) -> list[int]:
        """Of which revision each container is that Docker runs for it."""
        shown = self.world.containers(
            "--filter", f"label={_FAMILY}={self.name}", shown=f'{{{{.Label "{_REVISION}"}}}}'
        )
        return sorted(map(int, shown))

    def environment(self) -> list[str]:
        """The variables inside its only container, as `NAME=value`."""
        (container,) = self.world.containers("--filter", f"label={_FAMILY}={self.name}")
        return docker("exec", container, "/bin/busybox", "env").splitlines()

    def digests_running(self) -> set[str]:
        """The digests of the images that Docker runs for it."""
        images = self.world.containers(
            "--filter", f"label={_FAMILY}={self.name}", shown="{{.Image}}"
        )
        shown = docker("image", "inspect", "--format", "{{json .RepoDigests}}", *images)
        return {
            digest.partition("@")[2] for line in shown.splitlines() for digest in json.loads(line)
        }

    def task_failures(self, revision: int) -> list[float]:
        """When the containers of a revision ended, as Docker says, in seconds since 1970; the first
        one first.
        """
        labels = (f"label={_FAMILY}={self.name}", f"label={_REVISION}={revision}", "status=exited")
        ids = self.world.containers(
            "--all", *(part for label in labels for part in ("--filter", label))
        )
        ends = (
            docker("container", "inspect", "--format", "{{.State.FinishedAt}}", *ids).splitlines()
            if ids
            else []
        )
        return sorted(
            datetime.fromisoformat(end[:26].rstrip("Z") + "+00:00").timestamp() for end in ends
        )

    def stops(self, revision: int) -> list[float]:
        """When the tasks of a revision stopped by themselves, as the emulator says in whole
        seconds; the first one first.
        """
        arns = self.ecs.list_tasks(cluster=CLUSTER, serviceName=self.name, desiredStatus="STOPPED")[
            "taskArns"
        ]
        tasks = self.ecs.describe_tasks(cluster=CLUSTER, tasks=arns[:100])["tasks"] if arns else []
        died = (task for task in tasks if task["stopCode"] != "UserInitiated")
        return sorted(
            task["stoppedAt"].timestamp()
            for task in died
            if task["taskDefinitionArn"].endswith(f":{revision}")
        )

    def gave_up_at(self) -> float:
        """When the circuit breaker gave the deployment up, as the service's event says in whole
        seconds.
        """
        said = (
            event["createdAt"]
            for event in self.description()["events"]
            if "circuit breaker was triggered" in event["message"]
        )
        return next(said).timestamp()

    def history(self) -> list[Entry]:
        """Its entries of the ledger, the latest first."""
        assert self._ledger
        return History(self._ledger).latest(service_key(self.arn, self.description()["clusterArn"]))

    def lease(self) -> dict[str, Any] | None:
        """Who holds it, if somebody does."""
        assert self._ledger
        item = self._ledger.get(service_key(self.arn, self.description()["clusterArn"]), "LEASE")
        return item if item and "holder" in item else None

    def end(self) -> None:
        """Deletes it: a service whose tasks die starts new ones for ever."""
        self.ecs.delete_service(cluster=CLUSTER, service=self.name, force=True)

"""Runs the Makefile of the project in workspaces, each with its own port and directories, and finds
what is left.
"""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from botocore.config import Config

PROJECT = Path(__file__).resolve().parents[2]
TOOLS = Path(os.environ.get("TOOLS_DIR", PROJECT / ".tools"))

_LISTENING = "0A"  # The state of a socket in /proc/net/tcp.
_PATIENCE = 1800


class Result(NamedTuple):
    """Exit status and output of a command."""

    status: int
    output: str
    """Both streams, as on the terminal."""

    def succeeded(self) -> "Result":
        """Fails unless the command succeeded. Returns the result."""
        assert self.status == 0, self.output
        return self

    @property
    def ok_events(self) -> list[str]:
        """The events of the table that are as expected, in its order."""
        return [line.split()[0] for line in self.output.splitlines() if line.endswith("  ok")]

    def complaint(self) -> str:
        """Returns the only error line of a command that was refused."""
        lines = [
            line for line in self.output.splitlines() if not line.startswith(("•", "make: ***"))
        ]
        assert self.status != 0 and len(lines) == 1 and lines[0].startswith("✗ "), self
        return lines[0].removeprefix("✗ ")


class Running:
    """A running command in its own process group. Its output goes to a file."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path):
        self._process = process
        self._output = output

    def output(self) -> str:
        """Returns the output so far."""
        return self._output.read_text("utf-8", "replace")

    def has_ended(self) -> bool:
        """Whether the command has ended."""
        return self._process.poll() is not None

    def wait_for_output(self, text: str) -> None:
        """Waits for a text in the output. Fails when the command ends without it."""
        until(lambda: text in self.output() or self.has_ended(), text, _PATIENCE)
        assert text in self.output(), self.output()

    def send(self, sign: signal.Signals) -> None:
        """Signals the whole group, as a terminal does."""
        os.killpg(self._process.pid, sign)

    def result(self) -> Result:
        """Waits for the end."""
        try:
            status = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            raise
        return Result(status, self.output())


class Workspace:
    """A build directory, a free port, and the settings of each `make` in it. None is the default of
    the Makefile.
    """

    def __init__(self, directory: Path, project: Path = PROJECT, **settings: str | None):
        self.directory = directory
        self._project = project
        self.build = directory / "build"
        self.temporary = directory / "tmp"
        self.temporary.mkdir(parents=True)
        self.port = free_port()
        self.settings: dict[str, str | None] = {
            "BUILD_DIR": str(self.build),
            "EMULATOR_PORT": str(self.port),
            "PYTHON": sys.executable,
            "TOOLS_DIR": str(TOOLS),
            "TARGET": "local",
            **settings,
        }
        self._runs = 0

    @property
    def endpoint(self) -> str:
        """Address of the emulator."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str, **options: Any) -> Any:
        """Returns a client of the emulator."""
        options = {"config": Config(proxies={}), "endpoint_url": self.endpoint, **options}
        return boto3.client(service, **options)  # type: ignore[call-overload]

    def bring(self, package: Path) -> None:
        """Copies a bundle to where the build finds it up to date."""
        self.build.mkdir(exist_ok=True)
        shutil.copy2(package, self.build)

    def start(
        self,
        *targets: str,
        environment: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        output: int | None = None,
        **settings: str | None,
    ) -> Running:
        """Starts `make TARGETS SETTINGS` with `environment` over the shell's. The output goes to a
        file, or to `output`.
        """
        self._runs += 1
        file = self.directory / f"output-{self._runs}"
        merged = self.settings | settings
        arguments = [f"{name}={value}" for name, value in merged.items() if value is not None]
        with file.open("wb") as stream:
            process = subprocess.Popen(  # pylint: disable=consider-using-with  # Running waits for it.
                ["make", "-C", self._project, "--no-print-directory", *targets, *arguments],
                env=_shell() | self._tools(merged) | dict(environment or {}),
                stdin=stdin,
                stdout=stream if output is None else output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Running(process, file)

    def _tools(self, settings: Mapping[str, str | None]) -> dict[str, str]:
        """Variables with the teardown of the server that has the aws cli, and a directory."""
        aws = settings.get("AWS_CLI")
        served = {"PIPELINE_TEARDOWN": str(Path(aws).with_name("teardown"))} if aws else {}
        return {"TMPDIR": str(self.temporary), **served}

    def make(
        self, *targets: str, environment: Mapping[str, str] | None = None, **settings: str | None
    ) -> Result:
        """Runs `make TARGETS SETTINGS`."""
        return self.start(*targets, environment=environment, **settings).result()

    def processes(self) -> list[int]:
        """Returns the processes with the directory of this workspace in command or environment."""
        return [
            pid
            for pid in _pids()
            if self._is_about(pid, "cmdline") or self._is_about(pid, "environ")
        ]

    def listening(self) -> set[tuple[str, int]]:
        """The addresses and ports on which those processes listen."""
        sockets = {name for pid in self.processes() for name in _open_sockets(pid)}
        return {place for inode, place in _listeners() if f"socket:[{inode}]" in sockets}

    def left(self) -> list[str]:
        """Returns what the runs in this workspace left behind."""
        left = [f"process {pid}: {_read(pid, 'cmdline')!r}" for pid in self.processes()]
        left += [str(path) for path in (self.build, *self.temporary.iterdir()) if path.exists()]
        return left if is_free(self.port) else [*left, f"port {self.port}"]

    def clean(self) -> None:
        """Runs `make clean`. Fails when something is left."""
        self.make("clean").succeeded()
        assert not self.left()

    def end(self) -> None:
        """Kills what is left, after a test that failed."""
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)

    def _is_about(self, pid: int, what: str) -> bool:
        return str(self.directory).encode() in _read(pid, what)


def until(
    condition: Callable[[], object], what: str, seconds: float = 600, pause: float = 0.02
) -> None:
    """Polls a condition until it holds. Fails when it does not within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} seconds: {what}"
        time.sleep(pause)


def free_port() -> int:
    """A port that is free on every address, below those that the system gives to clients."""
    return next(
        port for port in iter(lambda: random.randrange(20_000, 32_000), None) if is_free(port)
    )


def is_free(port: int) -> bool:
    """Whether nothing listens on the port, on any address."""
    with socket.socket() as probe:
        # What is only being closed does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def _shell() -> dict[str, str]:
    """Environment of this process without the variables of a surrounding `make`."""
    return {
        name: value
        for name, value in os.environ.items()
        if not re.match(r"MAKE|MFLAGS|PIPELINE_", name)
    }


def _pids() -> list[int]:
    """Every other process. None where there is no /proc (macOS): the port shows what is left."""
    return [
        int(path.name) for path in Path("/proc").glob("[0-9]*") if path.name != str(os.getpid())
    ]


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:  # It has ended meanwhile.
        return b""


def _open_sockets(pid: int) -> set[str]:
    try:
        return {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return set()


def _listeners() -> list[tuple[str, tuple[str, int]]]:
    """Every listening socket of this machine: its inode, and its address and port."""
    found = []
    for version in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{version}").read_text("ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING:
                address, _, port = fields[1].partition(":")
                family = socket.AF_INET if version == "tcp" else socket.AF_INET6
                # Words of four bytes, each in this machine's order.
                words = [
                    int(address[start : start + 8], 16).to_bytes(4, sys.byteorder)
                    for start in range(0, len(address), 8)
                ]
                found.append(
                    (fields[9], (socket.inet_ntop(family, b"".join(words)), int(port, 16)))
                )
    return found

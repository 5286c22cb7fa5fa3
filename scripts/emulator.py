"""Starts and stops MiniStack, the embedded AWS emulator, on one address and port.

Usage: emulator.py up|down|status

`up` starts it and waits until it answers. It does nothing if the emulator of this directory runs
already. `down` stops it and removes its files, and does nothing if none runs. `status` exits with 0
if the emulator of this directory answers.

Settings come from the environment: EMULATOR_HOST, EMULATOR_PORT, EMULATOR_AUTH, RECONCILE_SECONDS,
AWS_DEFAULT_REGION, BUILD_DIR and TOOLS_DIR. With EMULATOR_AUTH=true the emulator checks signatures
and IAM policies. The dummy credentials are then the account's root user. With RECONCILE_SECONDS
above 0 a second process invokes the reconcilers, because the emulator sends no events of ECS.

MiniStack passes its environment to the functions that it runs. Therefore it gets few variables and
a separate home directory. Its health page returns MINISTACK_EDITION. This script puts a mark, the
process id and the directory there. The mark distinguishes an emulator of this project from other
programs on the port, even if its files are missing.
"""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

from terminal import fail, run_program, say

START_SECONDS = 30
STOP_SECONDS = 10
MARK = "ecs-updater"

HOST = os.environ.get("EMULATOR_HOST", "127.0.0.1")
PORT = int(os.environ.get("EMULATOR_PORT", "4566"))
AUTH = os.environ.get("EMULATOR_AUTH", "")
RECONCILE_SECONDS = os.environ.get("RECONCILE_SECONDS", "0")
REGION = os.environ.get("AWS_DEFAULT_REGION", "eu-west-1")
DIRECTORY = Path(os.environ.get("BUILD_DIR", "build")).resolve() / "emulator"
TOOL = Path(os.environ.get("TOOLS_DIR", ".tools")).resolve() / "emulator"
MEMORY = Path("/dev/shm") / f"{MARK}-{hashlib.sha256(bytes(DIRECTORY)).hexdigest()[:16]}"
MEMORY_BYTES = 1 << 30
PID_FILE = DIRECTORY / "pid"
LOG_FILE = DIRECTORY / "log"
RECONCILER = Path(__file__).with_name("emulator_reconciler.py").resolve()

# Without a proxy, because the emulator is on this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Emulator(NamedTuple):
    """Process id and directory of a running emulator of this project."""

    pid: int
    directory: Path


def find_emulator() -> Emulator | None:
    """Returns this project's emulator on the port, or None if none answers there."""
    try:
        with _OPENER.open(f"http://{HOST}:{PORT}/_ministack/health", timeout=2) as response:
            mark, pid, directory = json.load(response)["edition"].split(" ", 2)
        emulator = Emulator(int(pid), Path(directory))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return emulator if mark == MARK and is_emulator(emulator.pid) else None


def is_port_used() -> bool:
    """Returns whether any program listens on the port."""
    with socket.socket(socket.AF_INET6 if ":" in HOST else socket.AF_INET) as probe:
        probe.settimeout(2)
        return probe.connect_ex((HOST, PORT)) == 0


def is_emulator(pid: int) -> bool:
    """Returns whether a process is an emulator, not a later program with the same process id."""
    try:
        # macOS has no /proc. A minimal Debian has no ps.
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        try:
            command = subprocess.run(
                ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False
            ).stdout
        except OSError:
            return False
    return b" -m ministack" in command


def read_pid() -> int | None:
    """Returns the process id in the pid file, or None if that process is not an emulator."""
    try:
        pid = int(PID_FILE.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return pid if is_emulator(pid) else None


def make_temporary_directory() -> Path:
    """Makes the directory for temporary files, in memory if programs may run there.

    The emulator unpacks the function for each process. On a disk that takes longer than a call.
    """
    try:
        memory = os.statvfs(MEMORY.parent)
        is_usable = not memory.f_flag & os.ST_NOEXEC and not DIRECTORY.is_relative_to(MEMORY.parent)
        if is_usable and memory.f_bavail * memory.f_frsize >= MEMORY_BYTES:
            shutil.rmtree(MEMORY, ignore_errors=True)
            MEMORY.mkdir(mode=0o700)
            return MEMORY
    except OSError:
        pass  # There is no such file system, or the directory belongs to another user.
    temporary = DIRECTORY / "tmp"
    temporary.mkdir(exist_ok=True)
    return temporary


def build_environment(pid: int, temporary: Path) -> dict[str, str]:
    """Returns the environment of the emulator and of the functions that it runs."""
    return {
        "PATH": f"{TOOL}/bin:/usr/bin:/bin",
        "HOME": str(DIRECTORY / "home"),
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(PORT),
        "MINISTACK_REGION": REGION,
        "AUTH": AUTH or "false",
        "MINISTACK_EDITION": f"{MARK} {pid} {DIRECTORY}",
        # Not needed. Their fixed ports would conflict with a second emulator.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }


def start() -> int:
    """Starts the emulator and returns its process id.

    It gets a separate session, so that it and its workers can be stopped as one process group.
    """
    (DIRECTORY / "home").mkdir(parents=True, exist_ok=True)
    temporary = make_temporary_directory()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        PID_FILE.write_text(f"{pid}\n", encoding="ascii")
        return pid
    try:
        os.setsid()
        os.chdir(DIRECTORY)
        log = os.open(LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.closerange(3, 256)
        environment = build_environment(os.getpid(), temporary)
        command = ["-m", "ministack"]
        if float(RECONCILE_SECONDS) > 0 and os.fork() == 0:
            command = [str(RECONCILER), RECONCILE_SECONDS]
        python = str(TOOL / "bin" / "python3")
        os.execve(python, [python, *command], environment)
    finally:
        os._exit(127)


def describe_other_run(emulator: Emulator) -> str:
    """Returns the sentence about an emulator of another directory, and how to stop it."""
    return (
        f"port {PORT} has the emulator of another run: use another port with make "
        f"EMULATOR_PORT={PORT + 1} …, or stop it with make emulator-down EMULATOR_PORT={PORT} "
        f"BUILD_DIR={emulator.directory.parent}"
    )


def check_port() -> None:
    """Exits with the error and the remedy if an emulator cannot be started on this port."""
    pid = read_pid()
    if pid and is_port_used():
        fail(
            f"the emulator on port {PORT} (process {pid}) does not answer: run make "
            "emulator-down, then try again"
        )
    if pid:
        fail(
            f"process {pid} is an emulator of this directory on another port: run make "
            "emulator-down, or use another BUILD_DIR"
        )
    if is_port_used():
        fail(
            f"port {PORT} is used by another program: stop it, or use another port with make "
            f"EMULATOR_PORT={PORT + 1} …"
        )


def up() -> None:  # pylint: disable=invalid-name
    """Starts the emulator unless it already runs, and waits until it answers.

    Concurrent calls wait for each other.
    """
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with (DIRECTORY / "lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        emulator = find_emulator()
        if emulator and emulator.directory != DIRECTORY:
            fail(describe_other_run(emulator))
        if emulator:
            say(f"the emulator already runs on {HOST}:{PORT} (process {emulator.pid})")
            PID_FILE.write_text(f"{emulator.pid}\n", encoding="ascii")
            return
        check_port()
        say(f"starting the emulator on {HOST}:{PORT}")
        wait_for(start())


def wait_for(pid: int) -> None:
    """Waits until the started emulator answers. Exits with the error if it does not."""
    deadline = time.monotonic() + START_SECONDS
    while (emulator := find_emulator()) is None or emulator.pid != pid:
        if os.waitpid(pid, os.WNOHANG)[0]:
            lines = LOG_FILE.read_text(encoding="utf-8", errors="replace").splitlines() or [
                "no output"
            ]
            fail(f"the emulator does not start: {lines[-1]} (see {LOG_FILE})")
        if time.monotonic() > deadline:
            stop(pid)
            fail(
                f"the emulator did not answer within {START_SECONDS} seconds: see "
                f"{LOG_FILE}, then try again"
            )
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    """Returns whether a process of the group runs. A zombie process does not count."""
    try:
        os.killpg(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
            != "Z"
        )
    except OSError:
        return True


def stop(pid: int) -> None:
    """Stops the emulator's process group with SIGTERM, then SIGKILL, until the port is free."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(pid, sign)
        except ProcessLookupError:
            pass
        deadline = time.monotonic() + STOP_SECONDS / 2
        while time.monotonic() < deadline:
            if not is_running(pid) and not is_port_used():
                return
            time.sleep(0.05)
    fail(
        f"the emulator (process {pid}) does not stop: stop it manually (kill -9 "
        f"{pid}), then try again"
    )


def down() -> None:
    """Stops the emulator of this directory and removes its files."""
    emulator = find_emulator()
    if emulator and emulator.directory != DIRECTORY:
        say(describe_other_run(emulator))
    pid = emulator.pid if emulator and emulator.directory == DIRECTORY else read_pid()
    if pid:
        say(f"stopping the emulator on {HOST}:{PORT} (process {pid})")
        stop(pid)
    for directory in (DIRECTORY, MEMORY):
        shutil.rmtree(directory, ignore_errors=True)


def main() -> None:
    """Runs the command up, down or status."""
    match sys.argv[1:]:
        case ["up"]:
            up()
        case ["down"]:
            down()
        case ["status"]:
            emulator = find_emulator()
            sys.exit(0 if emulator and emulator.directory == DIRECTORY else 1)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    run_program(main)

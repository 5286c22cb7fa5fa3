"""Starts and stops MiniStack, the embedded AWS emulator, on one address and port.

Usage: emulator.py up|down|status

`up` starts it and waits until it answers, or finds this project's own one running already. `down`
stops it and removes its files, and does nothing when none runs. `status` exits 0 when the one of
this directory answers.

Settings come from the environment: EMULATOR_HOST, EMULATOR_PORT, EMULATOR_AUTH, AWS_DEFAULT_REGION,
BUILD_DIR and TOOLS_DIR. With EMULATOR_AUTH=true it checks signatures and IAM policies; the dummy
credentials are those of the account's root then.

MiniStack hands its own environment to the functions that it runs, so it gets a short one, with a
home of its own. It reports its edition on its health page: there it carries a mark, its process id
and its directory. The mark distinguishes an emulator of this project from any other program on
the port, also when its files are gone.
"""

import fcntl
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
REGION = os.environ.get("AWS_DEFAULT_REGION", "eu-west-1")
DIRECTORY = Path(os.environ.get("BUILD_DIR", "build")).resolve() / "emulator"
TOOL = Path(os.environ.get("TOOLS_DIR", ".tools")).resolve() / "emulator"
PID_FILE = DIRECTORY / "pid"
LOG_FILE = DIRECTORY / "log"

# Past every proxy: the emulator is on this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Emulator(NamedTuple):
    """An emulator of this project that answers: its process, and the directory with its files."""

    pid: int
    directory: Path


def answering() -> Emulator | None:
    """Returns this project's emulator on the port, or None when nothing or something else is
    there.
    """
    try:
        with _OPENER.open(f"http://{HOST}:{PORT}/_ministack/health", timeout=2) as response:
            mark, pid, directory = json.load(response)["edition"].split(" ", 2)
        found = Emulator(int(pid), Path(directory))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return found if mark == MARK and is_emulator(found.pid) else None


def port_is_taken() -> bool:
    """Returns whether any program listens on the port."""
    with socket.socket(socket.AF_INET6 if ":" in HOST else socket.AF_INET) as probe:
        probe.settimeout(2)
        return probe.connect_ex((HOST, PORT)) == 0


def is_emulator(pid: int) -> bool:
    """Returns whether a process is an emulator, and no later program with its number."""
    try:
        # Where there is no /proc (macOS) there is a ps; a bare Debian has no ps.
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        try:
            command = subprocess.run(
                ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False
            ).stdout
        except OSError:
            return False
    return b" -m ministack" in command


def recorded_pid() -> int | None:
    """Returns the process id in the pid file, when that process is an emulator."""
    try:
        pid = int(PID_FILE.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return pid if is_emulator(pid) else None


def environment(pid: int) -> dict[str, str]:
    """Returns everything that the emulator, and so a function that runs in it, sees of this
    machine's environment.
    """
    return {
        "PATH": f"{TOOL}/bin:/usr/bin:/bin",
        "HOME": str(DIRECTORY / "home"),
        "TMPDIR": str(DIRECTORY / "tmp"),
        "LANG": "C.UTF-8",
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(PORT),
        "MINISTACK_REGION": REGION,
        "AUTH": AUTH or "false",
        "MINISTACK_EDITION": f"{MARK} {pid} {DIRECTORY}",
        # Not used here: a second emulator beside this one would clash on their fixed ports.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }


def start() -> int:
    """Starts the emulator in a session of its own, so that it and its workers can be stopped as one
    group; returns its pid.
    """
    for name in ("home", "tmp"):
        (DIRECTORY / name).mkdir(parents=True, exist_ok=True)
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
        python = str(TOOL / "bin" / "python3")
        os.execve(python, [python, "-m", "ministack"], environment(os.getpid()))
    finally:
        os._exit(127)


def of_another_run(found: Emulator) -> str:
    """Returns the sentence about an emulator whose files lie in another directory, and how to stop
    it.
    """
    return (
        f"port {PORT} has the emulator of another run: make "
        f"EMULATOR_PORT={PORT + 1} … goes beside it, "
        f"make emulator-down EMULATOR_PORT={PORT} BUILD_DIR={found.directory.parent} stops it"
    )


def check_free() -> None:
    """Ends the program with what is wrong and what to do, when an emulator cannot be started
    here.
    """
    pid = recorded_pid()
    if pid and port_is_taken():
        fail(
            f"the emulator on port {PORT} (process {pid}) does not answer: make "
            "emulator-down, then try again"
        )
    if pid:
        fail(
            f"process {pid} is an emulator of this directory on another port: make "
            "emulator-down, or another BUILD_DIR"
        )
    if port_is_taken():
        fail(
            f"port {PORT} is taken by another program: stop that one, or take another port: make "
            f"EMULATOR_PORT={PORT + 1} …"
        )


def up() -> None:  # pylint: disable=invalid-name
    """Starts the emulator unless it already runs, and waits until it answers.

    A second `up` meanwhile waits for the first.
    """
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with (DIRECTORY / "lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = answering()
        if found and found.directory != DIRECTORY:
            fail(of_another_run(found))
        if found:
            say(f"the emulator already runs on {HOST}:{PORT} (process {found.pid})")
            PID_FILE.write_text(f"{found.pid}\n", encoding="ascii")
            return
        check_free()
        say(f"starting the emulator on {HOST}:{PORT}")
        wait_for(start())


def wait_for(pid: int) -> None:
    """Waits until the emulator that was just started answers; ends the program when it does not."""
    deadline = time.monotonic() + START_SECONDS
    while (found := answering()) is None or found.pid != pid:
        if os.waitpid(pid, os.WNOHANG)[0]:
            lines = LOG_FILE.read_text(encoding="utf-8", errors="replace").splitlines() or [
                "no reason given"
            ]
            fail(f"the emulator ended at once: {lines[-1]} (all of it: {LOG_FILE})")
        if time.monotonic() > deadline:
            stop(pid)
            fail(
                f"the emulator did not answer within {START_SECONDS} seconds: see "
                f"{LOG_FILE}, then try again"
            )
        time.sleep(0.05)


def runs(pid: int) -> bool:
    """Returns whether a process of the group still runs; one that only waits to be collected by its
    parent does not.
    """
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
    """Stops the emulator's process group, by force when it does not end by itself, and waits until
    the port is free.
    """
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(pid, sign)
        except ProcessLookupError:
            pass
        deadline = time.monotonic() + STOP_SECONDS / 2
        while time.monotonic() < deadline:
            if not runs(pid) and not port_is_taken():
                return
            time.sleep(0.05)
    fail(
        f"the emulator (process {pid}) does not end: stop it by hand (kill -9 "
        f"{pid}), then try again"
    )


def down() -> None:
    """Stops the emulator of this directory, found by its answer or by the pid file, and removes its
    files.
    """
    found = answering()
    if found and found.directory != DIRECTORY:
        say(of_another_run(found))
    ours = found.pid if found and found.directory == DIRECTORY else recorded_pid()
    if ours:
        say(f"stopping the emulator on {HOST}:{PORT} (process {ours})")
        stop(ours)
    shutil.rmtree(DIRECTORY, ignore_errors=True)


def main() -> None:
    """Runs the verb that the command line names."""
    match sys.argv[1:]:
        case ["up"]:
            up()
        case ["down"]:
            down()
        case ["status"]:
            found = answering()
            sys.exit(0 if found and found.directory == DIRECTORY else 1)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    run_program(main)

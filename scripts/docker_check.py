"""Says whether Docker can run the function here, and where its container finds the emulator.

Usage: docker_check.py IMAGE

Prints the address of this machine that both a container and the machine itself reach, the gateway
of Docker's own bridge: the emulator listens on it while the function runs in a container, so that
it need not listen on every interface. When Docker cannot be used, prints the reason in its place,
one line, and exits 1, or 2 when nothing is amiss but the image.
"""

import socket
import subprocess
import sys
from threading import Timer

from terminal import run_program, say

ENGINE_SECONDS = 10
PULL_SECONDS = 120
START_SECONDS = 30
CONNECT_SECONDS = 5
STAND_IN = "scripts/build-lambda-base-image"

# Runs in the container: prints the machine's address as Docker knows it, reads a port and connects
# to it.
PROBE = f"""
import socket
address = socket.gethostbyname("host.docker.internal")
print(address, flush=True)
socket.create_connection((address, int(input())), timeout={CONNECT_SECONDS}).close()
"""


class NotUsable(Exception):
    """Docker cannot run the function here; the message is one line that says why."""


class NoImage(NotUsable):
    """The image is not on this machine and cannot be pulled."""


def docker(*arguments: str, seconds: float) -> subprocess.CompletedProcess:
    """Run a docker command for at most `seconds`; NotUsable when there is no such program or it
    takes longer.
    """
    try:
        return subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=seconds, check=False
        )
    except FileNotFoundError:
        raise NotUsable("Docker is not installed") from None
    except subprocess.TimeoutExpired:
        raise NotUsable(f"docker {arguments[0]} took more than {seconds} seconds") from None


def last_line(text: str) -> str:
    """The last line of a command's output, where docker says what went wrong."""
    return (text.strip().splitlines() or ["no reason given"])[-1]


def check_engine() -> None:
    """NotUsable unless a Docker engine answers."""
    if docker("info", seconds=ENGINE_SECONDS).returncode:
        raise NotUsable("no Docker engine answers")


def check_image(image: str) -> None:
    """NotUsable unless the image is on this machine or can be pulled in time."""
    if docker("image", "inspect", image, seconds=ENGINE_SECONDS).returncode == 0:
        return
    say(f"pulling {image}, for at most {PULL_SECONDS} seconds")
    pulled = docker("pull", "--quiet", image, seconds=PULL_SECONDS)
    if pulled.returncode:
        raise NoImage(
            f"{image} is not here and cannot be pulled ({last_line(pulled.stderr)}); "
            f"{STAND_IN} makes a stand-in"
        )


def shared_address(image: str) -> str:
    """The address at which a container of the image reaches this machine, proved by a connection;
    else NotUsable.
    """
    # With SAM every function's container is on the default bridge, so the probe is too.
    command = ["docker", "run", "--rm", "--interactive", "--network", "bridge"]
    command += [
        "--add-host",
        "host.docker.internal:host-gateway",
        "--entrypoint",
        "python3",
        image,
        "-c",
        PROBE,
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as run:
        watchdog = Timer(START_SECONDS, run.kill)
        watchdog.start()
        address = run.stdout.readline().strip()
        watchdog.cancel()
        if not address:
            raise NotUsable(f"a container of {image} does not run: {last_line(run.stderr.read())}")
        try:
            server = socket.create_server((address, 0))
        except OSError:
            raise NotUsable(
                f"containers see this machine as {address}, which is not an address of its own"
            ) from None
        with server:
            server.settimeout(CONNECT_SECONDS)
            run.stdin.write(f"{server.getsockname()[1]}\n")
            run.stdin.flush()
            try:
                server.accept()[0].close()
            except TimeoutError:
                raise NotUsable(
                    f"a firewall keeps containers from connecting to this machine at {address}"
                ) from None
    return address


def main() -> int:
    """Run the checks in the order of their cost."""
    image = sys.argv[1]
    try:
        check_engine()
        check_image(image)
        print(shared_address(image))
    except NotUsable as reason:
        print(reason)
        return 2 if isinstance(reason, NoImage) else 1
    return 0


if __name__ == "__main__":
    run_program(main)

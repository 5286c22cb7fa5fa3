"""Checks whether Docker can run the function, and prints the address for the emulator.

Usage: docker_check.py IMAGE

The address is the gateway of Docker's bridge, which containers and this machine can reach. The
emulator listens on it while the function runs in a container, and not on every interface. If Docker
cannot be used, the script prints the reason in one line and exits with 1, or with 2 if only the
image is missing.
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
IMAGE_SCRIPT = "scripts/build-lambda-base-image"

# Runs in the container: prints the machine's address in Docker's network, reads a port and connects
# to it.
PROBE = f"""
import socket
address = socket.gethostbyname("host.docker.internal")
print(address, flush=True)
socket.create_connection((address, int(input())), timeout={CONNECT_SECONDS}).close()
"""


class DockerError(Exception):
    """Docker cannot run the function. The message is the reason in one line."""


class ImageError(DockerError):
    """The image is not on this machine and cannot be pulled."""


def run_docker(*arguments: str, seconds: float) -> subprocess.CompletedProcess:
    """Runs a docker command for at most `seconds`.

    Raises DockerError if docker is not installed or takes longer.
    """
    try:
        return subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=seconds, check=False
        )
    except FileNotFoundError:
        raise DockerError("Docker is not installed") from None
    except subprocess.TimeoutExpired:
        raise DockerError(f"docker {arguments[0]} took more than {seconds} seconds") from None


def get_last_line(text: str) -> str:
    """Returns the last line of docker's output, which has the error."""
    return (text.strip().splitlines() or ["no error message"])[-1]


def check_engine() -> None:
    """Raises DockerError if no Docker engine answers."""
    if run_docker("info", seconds=ENGINE_SECONDS).returncode:
        raise DockerError("no Docker engine answers")


def check_image(image: str) -> None:
    """Pulls the image if it is missing. Raises ImageError if that fails."""
    if run_docker("image", "inspect", image, seconds=ENGINE_SECONDS).returncode == 0:
        return
    say(f"pulling {image}, for at most {PULL_SECONDS} seconds")
    pulled = run_docker("pull", "--quiet", image, seconds=PULL_SECONDS)
    if pulled.returncode:
        raise ImageError(
            f"{image} is missing and cannot be pulled ({get_last_line(pulled.stderr)}): "
            f"{IMAGE_SCRIPT} builds a substitute"
        )


def find_address(image: str) -> str:
    """Returns the address at which a container of the image can connect to this machine.

    Raises DockerError if there is none.
    """
    # SAM runs each function on the default bridge.
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
            raise DockerError(
                f"a container of {image} does not run: {get_last_line(run.stderr.read())}"
            )
        try:
            server = socket.create_server((address, 0))
        except OSError:
            raise DockerError(
                f"containers reach this machine as {address}, which is not one of its addresses"
            ) from None
        with server:
            server.settimeout(CONNECT_SECONDS)
            run.stdin.write(f"{server.getsockname()[1]}\n")
            run.stdin.flush()
            try:
                server.accept()[0].close()
            except TimeoutError:
                raise DockerError(
                    f"a firewall blocks connections from containers to {address} on this machine"
                ) from None
    return address


def main() -> int:
    """Runs the checks, the quickest first, and returns the exit status."""
    image = sys.argv[1]
    try:
        check_engine()
        check_image(image)
        print(find_address(image))
    except DockerError as error:
        print(error)
        return 2 if isinstance(error, ImageError) else 1
    return 0


if __name__ == "__main__":
    run_program(main)

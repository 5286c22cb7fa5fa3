"""Imports a command line tool once and forks for each call: a start takes up to two seconds of
processor time, and the pipelines and tests call the tools often.

Usage, with the Python of an environment: tool_server.py aws|sam DIRECTORY

Writes the programs `aws` and `teardown`, or `sam`, into DIRECTORY. They are called like the tool:
they pass arguments, environment, directory and streams to this process, and end as the call ends.
The server ends with its standard input.
"""

import contextlib
import importlib
import json
import os
import select
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

CLIENT = Path(__file__).with_name("tool_client.py")

# The services that the pipelines call: the SDK reads their models once.
_SERVICES = ("apigateway", "cloudformation", "ecs", "events", "lambda", "s3", "sqs", "sts")
# Modules that the tools import only when they run a command.
_MODULES = {
    "aws": (
        "awscli.customizations.cloudformation.deploy",
        "awscli.customizations.cloudformation.package",
        "awscli.customizations.s3.subcommands",
    ),
    "sam": (
        "samcli.commands.deploy.command",
        "samcli.commands.deploy.deploy_context",
        "samcli.commands.package.package_context",
        "samcli.commands.remote.invoke.cli",
        "samcli.commands.remote.remote_invoke_context",
    ),
}


def prepare_aws() -> Callable[[], Any]:
    """Returns the main function of the aws cli."""
    driver = importlib.import_module("awscli.clidriver").create_clidriver()
    loader = driver.session.get_component("data_loader")
    key = {"aws_access_key_id": "none", "aws_secret_access_key": "none", "region_name": "eu-west-1"}
    for service in _SERVICES:
        loader.load_service_model(service, "service-2")
        driver.session.create_client(service, **key)

    def main() -> Any:
        # The configuration of this process is not the caller's.
        # pylint: disable-next=protected-access
        driver.session._config = driver.session._profile_map = driver.session._profile = None
        return driver.main()

    return main


def prepare_teardown() -> Callable[[], Any]:
    """Returns the main function of scripts/teardown."""
    sys.path.insert(0, str(Path(__file__).parent))
    run, main = importlib.import_module("terminal").run_program, "teardown.command"
    return partial(run, importlib.import_module(main).main)


def prepare_sam() -> Callable[[], Any]:
    """Returns the main function of the SAM CLI."""
    return importlib.import_module("samcli.cli.main").cli


PREPARE = {"aws": {"aws": prepare_aws, "teardown": prepare_teardown}, "sam": {"sam": prepare_sam}}


def serve(environment: str, directory: Path) -> None:
    """Answers calls of the programs until standard input is closed."""
    os.setsid()  # Ctrl-C interrupts the callers, and the clean-up calls these tools again.
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(directory)  # The path of a socket has at most 107 characters.
        listener.bind(f"{environment}.socket")
        listener.listen(64)
        for tool in PREPARE[environment]:
            write_program(directory, environment, tool)
        for module in _MODULES[environment]:
            importlib.import_module(module)
        mains = {tool: prepare() for tool, prepare in PREPARE[environment].items()}
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                answer(connection, mains)
            connection.close()


def write_program(directory: Path, environment: str, tool: str) -> None:
    """Writes the program that is called like a tool."""
    client = [sys.executable, "-IS", CLIENT, directory, f"{environment}.socket", tool]
    text = f'#!/bin/sh\nexec {shlex.join(map(str, client))} "$@"\n'
    program = directory / tool
    program.write_text(text, "utf-8")
    program.chmod(0o755)


def answer(connection: socket.socket, mains: Mapping[str, Callable[[], Any]]) -> None:
    """Runs one call in this process, and ends it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, streams, _, _ = socket.recv_fds(connection, 8, 3)
    message, size = b"", int.from_bytes(head, "big")
    while len(message) < size:
        message += connection.recv(size - len(message))
    call = json.loads(message)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # New objects: those of the server have the kind of its own streams.
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, 1, "utf-8", closefd=False) for number, mode in enumerate("rww")
    )
    data = {name: os.environ[name] for name in ("AWS_DATA_PATH",) if name in os.environ}
    os.environ.clear()
    os.environ.update(call["environment"], **data)  # The aws cli sets it when it is imported.
    os.chdir(call["directory"])
    sys.argv = call["arguments"]
    threading.Thread(target=end_with, args=[connection], daemon=True).start()
    try:
        status = mains[sys.argv[0]]()
    except SystemExit as end:
        status = end.code
    code = status if isinstance(status, int) else int(status is not None)
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    connection.send(bytes([code & 255]))
    os._exit(0)


def end_with(connection: socket.socket) -> None:
    """Ends this process when the caller is killed."""
    connection.recv(1)
    os._exit(1)


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]).absolute())

"""Runs in the environment of the aws cli: imports it, then forks for each call.

See the package's docstring.
"""

import json
import os
import select
import signal
import socket
import sys
import threading
from typing import Any

# It runs in another environment than this project's tests.
# pylint: disable=import-error
import awscli.clidriver
import awscli.customizations.cloudformation.deploy
import awscli.customizations.cloudformation.package
import awscli.customizations.s3.subcommands

_SERVICES = ("apigateway", "cloudformation", "ecs", "events", "lambda", "s3", "sqs", "sts")
"""Those that the pipelines call: what the SDK reads of them it reads once."""


def serve(path: str) -> None:
    """Takes calls until nobody holds the other end of standard input any more."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        driver = _made_ready()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _call(connection, driver)
            connection.close()


def _made_ready() -> Any:
    """The cli before its first call, with what it imports and reads only when it is at work."""
    driver = awscli.clidriver.create_clidriver()
    loader = driver.session.get_component("data_loader")
    key = {"aws_access_key_id": "none", "aws_secret_access_key": "none", "region_name": "eu-west-1"}
    for service in _SERVICES:
        loader.load_service_model(service, "service-2")
        driver.session.create_client(service, **key)
    return driver


def _call(connection: socket.socket, driver: Any) -> None:
    """Does one call in this process, and ends it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, streams, _, _ = socket.recv_fds(connection, 8, 3)
    message, size = b"", int.from_bytes(head, "big")
    while len(message) < size:
        message += connection.recv(size - len(message))
    call = json.loads(message)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    data = os.environ["AWS_DATA_PATH"]  # Which the cli sets when it is imported.
    os.environ.clear()
    os.environ.update(call["environment"], AWS_DATA_PATH=data)
    os.chdir(call["directory"])
    sys.argv = call["arguments"]
    # What the session knows of a configuration is the server's, which has none.
    # pylint: disable-next=protected-access
    driver.session._config = driver.session._profile_map = driver.session._profile = None
    threading.Thread(target=_end_with, args=[connection], daemon=True).start()
    try:
        status = driver.main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    connection.send(bytes([status & 255]))
    os._exit(0)


def _end_with(connection: socket.socket) -> None:
    """Ends this process when the caller is killed."""
    connection.recv(1)
    os._exit(1)


if __name__ == "__main__":
    serve(sys.argv[1])

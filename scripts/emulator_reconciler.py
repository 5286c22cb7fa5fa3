"""Invokes the reconcilers on the emulator every few seconds: the emulator has no events of ECS.

Usage, in the emulator's environment: emulator_reconciler.py SECONDS

emulator.py starts it with the emulator, whose environment it has. It ends with its parent.
"""

import contextlib
import os
import sys
import time
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

NAME_ENDS_WITH = "-completer"


def list_reconcilers(functions: Any) -> list[str]:
    """Returns the names of the deployed reconcilers."""
    pages = functions.get_paginator("list_functions").paginate()
    names = (function["FunctionName"] for page in pages for function in page["Functions"])
    return [name for name in names if name.endswith(NAME_ENDS_WITH)]


def invoke(functions: Any, logs: Any, name: str) -> None:
    """Invokes a reconciler. If it was removed meanwhile, its last output must not stay."""
    with contextlib.suppress(ClientError):
        functions.invoke(FunctionName=name, Payload=b"{}")["Payload"].read()
    if name not in list_reconcilers(functions):
        with contextlib.suppress(ClientError):
            logs.delete_log_group(logGroupName=f"/aws/lambda/{name}")


def main() -> None:
    """Invokes them until the emulator ends."""
    seconds, emulator = float(sys.argv[1]), os.getppid()
    os.nice(10)  # Programs that somebody waits for come first.
    session = boto3.Session("test", "test", region_name=os.environ["MINISTACK_REGION"])
    url = f"http://{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}"
    functions, logs = (session.client(name, endpoint_url=url) for name in ("lambda", "logs"))
    while os.getppid() == emulator:
        time.sleep(seconds)
        # The emulator may be starting or ending.
        with contextlib.suppress(BotoCoreError, ClientError):
            for name in list_reconcilers(functions):
                invoke(functions, logs, name)


if __name__ == "__main__":
    main()

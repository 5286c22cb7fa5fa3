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

LOGS = "/aws/lambda/"
NAME_ENDS_WITH = "-completer"


def list_functions(functions: Any) -> set[str]:
    """Returns the names of the functions."""
    pages = functions.get_paginator("list_functions").paginate()
    return {function["FunctionName"] for page in pages for function in page["Functions"]}


def list_reconcilers(functions: Any, logs: Any) -> list[str]:
    """Returns the names of the reconcilers that are deployed with their log groups.

    An invocation creates a missing log group, and then the deployment could not.
    """
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=LOGS)
    groups = {group["logGroupName"] for page in pages for group in page["logGroups"]}
    deployed = {name for name in list_functions(functions) if LOGS + name in groups}
    return sorted(name for name in deployed if name.endswith(NAME_ENDS_WITH))


def invoke(functions: Any, logs: Any, name: str) -> None:
    """Invokes a reconciler. If it was removed meanwhile, its last output must not stay."""
    with contextlib.suppress(ClientError):
        functions.invoke(FunctionName=name, Payload=b"{}")["Payload"].read()
    if name not in list_functions(functions):
        with contextlib.suppress(ClientError):
            logs.delete_log_group(logGroupName=LOGS + name)


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
            for name in list_reconcilers(functions, logs):
                invoke(functions, logs, name)


if __name__ == "__main__":
    main()

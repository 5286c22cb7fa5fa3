"""Runs the JSON events against a deployed function, or one event of the caller's own.

Names, endpoint and region come from the environment that the Makefile exports. Exits with 0 when
everything is as expected, with 1 when something differs, with 2 when the call makes no sense, with
130 after Ctrl-C.
"""

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from .cases import CannotRun, load
from .invokers import InvocationFailed, Invoker
from .payload import check
from .run import OK, run_case, table
from .service import Service

# Modules and functions. Only the one that is used is imported: each runs in another environment.
INVOKERS = {
    "aws-cli": ("aws_cli", "invoker"),
    "http": ("http_api", "invoker"),
    "sam-local": ("sam", "local_invoker"),
    "sam-remote": ("sam", "remote_invoker"),
}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="event_suite", description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("via", choices=sorted(INVOKERS), help="the way of invoking the function")
    parser.add_argument(
        "--event", type=Path, help="invoke with only this file and print the answer"
    )
    parser.add_argument(
        "--table", type=Path, help="add the table to this file instead of printing it"
    )
    arguments = parser.parse_args()
    try:
        module, function = INVOKERS[arguments.via]
        invokers = importlib.import_module(f".invokers.{module}", __package__)
        invoke = getattr(invokers, function)(os.environ)
        if arguments.event:
            return run_event(invoke, arguments.event)
        status, report = run_all(invoke, Path(os.environ["BUILD_DIR"], "events"))
    except (CannotRun, InvocationFailed, BotoCoreError, ClientError) as error:
        print(f"✗ {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\n✗ interrupted", file=sys.stderr)
        return 130
    if arguments.table:
        arguments.table.parent.mkdir(parents=True, exist_ok=True)
        # A pipeline has one of each way of invoking.
        with arguments.table.open("a", encoding="utf-8") as tables:
            tables.write(f"The events through {arguments.via}:\n{report}\n\n")
    else:
        print(f"\n{report}")
    return status


def run_event(invoke: Invoker, event_file: Path) -> int:
    """Invokes with one file and prints the answer, or the error."""
    check(event_file)
    invocation = invoke(event_file)
    if invocation.error_message is not None:
        print(invocation.error_message)
        return 1
    print(json.dumps(invocation.answer, indent=2))
    return 0


def run_all(invoke: Invoker, event_dir: Path) -> tuple[int, str]:
    """Runs all cases; returns the exit status and the table."""
    service = Service(boto3.client("ecs"), os.environ["CLUSTER_NAME"], os.environ["SERVICE_NAME"])
    service.read()  # Here, and not in the middle of a line, it is found missing.
    outcomes = []
    for case in load(os.environ):
        print(f"  {case.name}: {case.description}", end="", flush=True)
        outcome = run_case(case, invoke, service, event_dir)
        outcomes.append(outcome)
        print(f" {outcome.verdict}, {outcome.seconds:.1f} s", flush=True)
        for difference in outcome.differences:
            print(f"    {difference}")
    return 0 if all(outcome.verdict == OK for outcome in outcomes) else 1, table(outcomes)


if __name__ == "__main__":
    sys.exit(main())

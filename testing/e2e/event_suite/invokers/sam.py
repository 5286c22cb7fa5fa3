"""SAM: `sam local invoke` runs the function in a container, `sam remote invoke` through the Lambda
API, here the emulator's.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import Invocation, InvocationFailed, Invoker, cannot_show, from_payload

_SAM = Path(__file__).parents[4] / "scripts" / "sam"
_SECONDS = 300
# Not the whole environment: SAM gives a function every variable of its own that the template
# declares, IMAGE and the like.
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "BUILD_DIR",
    "TOOLS_DIR",
    "PIPELINE_SAM",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "AWS_ENDPOINT_URL",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "NO_PROXY",
    "no_proxy",
)


def run(
    environment: Mapping[str, str],
    arguments: Sequence[str],
    event_file: Path,
    further: Mapping[str, str] | None = None,
) -> Any:
    """Runs ``sam ARGUMENTS``, with the variables ``further`` too; the payload that it prints.

    What it logs lies in ``$BUILD_DIR/events``, called like the event.

    Raises InvocationFailed when SAM fails, or prints no payload.
    """
    log_file = Path(environment["BUILD_DIR"], "events", f"{event_file.stem}.log")
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("wb") as log:
        try:
            done = subprocess.run(
                [_SAM, *arguments],
                env={name: environment[name] for name in _PASSED_ON if name in environment}
                | dict(further or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise InvocationFailed(
                f"sam {arguments[0]} invoke gave no answer in {_SECONDS} s, its log is {log_file}"
            ) from error
    # A function that prints nothing more than its answer ends SAM's output with it.
    payload = done.stdout.decode(errors="replace").strip().rpartition("\n")[2]
    try:
        if done.returncode == 0 or "errorMessage" in payload:
            return json.loads(payload)
    except ValueError:
        pass
    last = log_file.read_text("utf-8", "replace").strip().rpartition("\n")[2]
    raise InvocationFailed(
        f"sam {arguments[0]} invoke failed with {done.returncode}: {last[:300]} "
        f"(its log is {log_file})"
    )


def local_invoker(environment: Mapping[str, str]) -> Invoker:
    """Invokes the function of ``$BUILD_DIR/03-lambda.yml``, which deploy-lambda-sam wrote; its AWS
    is the emulator.
    """
    directory = Path(environment["BUILD_DIR"], "sam")

    def invoke(event_file: Path) -> Invocation:
        (directory / "tmp").mkdir(parents=True, exist_ok=True)
        # SAM takes an AWS::NoValue for an empty text, and with an empty endpoint the SDK would call
        # AWS: always say it.
        variables = directory / "environment.json"
        variables.write_text(
            json.dumps({"Parameters": {"AWS_ENDPOINT_URL": environment["AWS_ENDPOINT_URL"]}}),
            "utf-8",
        )
        options = {
            "--template-file": Path(environment["BUILD_DIR"], "03-lambda.yml"),
            "--event": event_file,
            "--env-vars": variables,
            "--region": environment["AWS_DEFAULT_REGION"],
            "--layer-cache-basedir": directory / "layers",
        }
        parameters = {
            "Runtime": environment["LAMBDA_RUNTIME"],
            "Architecture": environment["LAMBDA_ARCH"],
            "ClusterName": environment["CLUSTER_NAME"],
            "LedgerTableName": f"{environment['LAMBDA_FUNCTION_NAME']}-ledger",
        }
        arguments = ["local", "invoke", "Function", "--skip-pull-image"]
        arguments += [str(part) for option in options.items() for part in option]
        arguments += [
            "--parameter-overrides",
            *(f"{name}={value}" for name, value in parameters.items()),
        ]
        # Here SAM unpacks the bundle; `make clean` knows a container that it left behind by this
        # mount.
        temporary = {"TMPDIR": str(directory / "tmp")}
        return from_payload(run(environment, arguments, event_file, temporary))

    return invoke


def remote_invoker(environment: Mapping[str, str]) -> Invoker:
    """Invokes the function of the stack ``$STACK_NAME-lambda``."""

    arguments = ["remote", "invoke", "Function"]
    arguments += ["--stack-name", f"{environment['STACK_NAME']}-lambda"]

    def invoke(event_file: Path) -> Invocation:
        payload = run(environment, [*arguments, "--event-file", str(event_file)], event_file)
        return from_payload(payload, cannot_show(environment))

    return invoke

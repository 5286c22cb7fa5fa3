"""``sam local invoke``: SAM runs the function of the template in a container of Lambda's base
image.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from . import Invocation, Invoker, from_payload, sam


def invoker(environment: Mapping[str, str]) -> Invoker:
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
        return from_payload(sam.run(environment, arguments, event_file, temporary))

    return invoke

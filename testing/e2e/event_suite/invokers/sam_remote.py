"""``sam remote invoke``: SAM finds the function in its stack and invokes it through the Lambda API,
here the emulator's.
"""

from collections.abc import Mapping
from pathlib import Path

from . import Invocation, Invoker, from_payload, sam

# MiniStack's local executor calls every error of a Python function Runtime.HandlerError.
_CANNOT_SHOW = frozenset({"errorType"})


def invoker(environment: Mapping[str, str]) -> Invoker:
    """Invokes the function of the stack ``$STACK_NAME-lambda``."""

    def invoke(event_file: Path) -> Invocation:
        stack = f"{environment['STACK_NAME']}-lambda"
        arguments = [
            "remote",
            "invoke",
            "Function",
            "--stack-name",
            stack,
            "--event-file",
            str(event_file),
        ]
        return from_payload(sam.run(environment, arguments, event_file), _CANNOT_SHOW)

    return invoke

"""``aws lambda invoke``: the function is invoked by its name through the Lambda API, with the aws
cli, version 1 or 2.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from . import Invocation, InvocationFailed, Invoker, cannot_show, from_text, lambda_endpoint

# With a reserved concurrency of 1 a call is refused while another one runs. Both versions of the
# cli then wait up to 20 seconds and call again, but each has other numbers of its own.
_RETRIES = {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "10"}


def invoker(environment: Mapping[str, str]) -> Invoker:
    """Invokes ``$LAMBDA_FUNCTION_NAME`` with ``$AWS_CLI``; the answer lies in
    ``$BUILD_DIR/events``, called like the event.
    """
    # Before 2.13 the cli does not know the variable.
    url = lambda_endpoint(environment)
    command = [environment["AWS_CLI"], *(["--endpoint-url", url] if url else [])]
    # No time-out of the client's own: it would invoke again.
    command += ["lambda", "invoke", "--cli-read-timeout", "0"]
    command += ["--function-name", environment["LAMBDA_FUNCTION_NAME"]]

    def invoke(event_file: Path) -> Invocation:
        answer_file = Path(environment["BUILD_DIR"], "events", f"{event_file.stem}.answer.json")
        answer_file.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            # fileb: version 2 takes a payload for base64 otherwise.
            [*command, "--payload", f"fileb://{event_file}", str(answer_file)],
            env={**environment, **_RETRIES, "AWS_PAGER": ""},
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise InvocationFailed(
                f"aws lambda invoke failed: {' '.join(done.stderr.split())[:300]}"
            )
        return from_text(answer_file.read_text("utf-8"), cannot_show(environment))

    return invoke

"""The aws cli, imported once and forked for each call: to start it costs 0.4 s of a processor, and
the local tests call it often.

It is the aws cli of the project's own environment, with the arguments, environment, directory and
streams of the caller. The caller runs a small program, `client`, which ends with the call. The
pipelines of `.ci/run` start the cli itself.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..make import TOOLS

_HERE = Path(__file__).parent


@contextmanager
def forked_aws(directory: Path) -> Iterator[str]:
    """Yields a program that is called like the aws cli, until the end of the block."""
    program, socket = directory / "aws", directory / "aws.socket"
    program.write_text(
        f"#!{sys.executable} -IS\n{(_HERE / 'client.py').read_text('utf-8')}", "utf-8"
    )
    program.chmod(0o755)
    command = [TOOLS / "aws" / "bin" / "python3", "-I", _HERE / "server.py", socket]
    # Another session: what is sent to the group of a test run is not for it. It ends with the
    # pipe to its standard input.
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as server:
        try:
            assert server.stdout and server.stdout.readline() == b"ready\n", (
                "the aws cli could not be imported"
            )
            yield str(program)
        finally:
            server.terminate()

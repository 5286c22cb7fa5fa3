"""The aws cli of this project, imported once: the local tests call it about 1,200 times."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from .make import PROJECT, TOOLS, until


@contextmanager
def serving_aws(directory: Path) -> Iterator[str]:
    """Yields a program that is called like the aws cli, until the end of the block."""
    program = directory / "aws"
    server = PROJECT / "scripts" / "tool_server.py"
    command = [TOOLS / "aws" / "bin" / "python3", "-I", server, "aws", directory]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            is_ready = partial(os.access, program, os.X_OK)
            until(lambda: is_ready() or process.poll() is not None, "the aws cli is served")
            yield str(program)
        finally:
            process.terminate()

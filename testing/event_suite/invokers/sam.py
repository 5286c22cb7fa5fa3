"""What the two ways of SAM have in common: running its program and reading what it prints."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import InvocationFailed

_SECONDS = 300


def run(environment: Mapping[str, str], arguments: Sequence[str], event_file: Path) -> Any:
    """Runs ``sam ARGUMENTS``; the payload that it prints. What it logs lies beside the event, as ``NAME.log``.

    Raises InvocationFailed when SAM fails, or prints no payload.
    """
    tools = Path(environment["TOOLS_DIR"])
    # No telemetry, and SAM's own files beside its program rather than in the home directory.
    own = {"SAM_CLI_TELEMETRY": "0", "__SAM_CLI_APP_DIR": str(tools / "sam" / "home")}
    log_file = event_file.with_suffix(".log")
    with log_file.open("wb") as log:
        try:
            done = subprocess.run(
                [tools / "sam" / "bin" / "sam", *arguments],
                env={**environment, **own},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise InvocationFailed(f"sam {arguments[0]} invoke gave no answer in {_SECONDS} s, its log is {log_file}") from error
    # A function that prints nothing more than its answer ends SAM's output with it.
    payload = done.stdout.decode(errors="replace").strip().rpartition("\n")[2]
    try:
        if done.returncode == 0 or "errorMessage" in payload:
            return json.loads(payload)
    except ValueError:
        pass
    last = next((line for line in reversed(log_file.read_text(errors="replace").splitlines()) if line.strip()), "no word")
    raise InvocationFailed(f"sam {arguments[0]} invoke failed with {done.returncode}: {last.strip()[:300]} (its log is {log_file})")

"""The command line as a person runs it, and what it printed."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[3]
SECONDS = 900
"""In an account the reconciler may run only every five minutes."""


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    status: int
    output: str
    errors: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The objects that ``--json`` prints, one for each line."""
        return [json.loads(line) for line in self.output.splitlines()]

    @property
    def batch(self) -> str:
        """The id of the batch that it began."""
        return self.records[0]["batch"]

    @property
    def ends(self) -> dict[str, dict[str, Any]]:
        """The last record of each service, by its name."""
        return {record["service"]: record for record in self.records if record["type"] == "change"}


def run(*arguments: str) -> Ran:
    """Runs ``ecs-updater ARGUMENT ...`` for the function of this run."""
    command = [f"{os.environ['TOOLS_DIR']}/cli/bin/python3", "-m", "ecs_updater_cli", *arguments]
    environment = {
        **os.environ,
        "PYTHONPATH": str(PROJECT / "lambda_code"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def batch_command(verb: str, *arguments: str) -> Ran:
    """One that follows updates, with JSON for its output."""
    return run(
        verb,
        *arguments,
        "--json",
        "--timeout",
        str(SECONDS - 30),
        "--name",
        os.environ["LAMBDA_FUNCTION_NAME"],
    )

"""The step of the GitHub Action: runs `ecs-updater` with the action's inputs. See action.yml.

Reads the inputs as JSON from INPUTS. Prints a line for each change, appends the outputs and the job
summary to the files GITHUB_OUTPUT and GITHUB_STEP_SUMMARY, and exits with the command's exit code.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecs_updater.model.verdict import Verdict
from ecs_updater_cli.errors import INPUT
from ecs_updater_cli.output.changes import change_text

_ARGUMENTS = ("cluster", "service", "image")
_FLAGS = {
    *("replace-tags", "force", "rollback-on-failure", "waves", "check", "direct", "dry-run"),
}
# Inputs with a value on each line, and their option.
_LISTS = {"tags": "--tag", "container-images": "--container-image"}
# Inputs that not every command has.
_OF_FILE = {"file", "waves", "max-failures"}
_OWN = {
    "update": {
        *(*_ARGUMENTS, *_LISTS, "replace-tags", "container", "force", "rollback-on-failure"),
        "dry-run",
    },
    "deploy": {*_OF_FILE, "dry-run"},
    "sync": {*_OF_FILE, "check"},
}

# From the best to the worst.
_VERDICTS: Sequence[str] = (
    Verdict.NO_CHANGE,
    Verdict.SUCCEEDED,
    Verdict.IN_PROGRESS,
    Verdict.NOT_STARTED,
    Verdict.SUPERSEDED,
    Verdict.STOPPED,
    Verdict.ROLLED_BACK,
    Verdict.FAILED,
    Verdict.ROLLBACK_FAILED,
)

# A summary has at most 1 MiB.
_MAX_ROWS = 1000

Event = Mapping[str, Any]
"""An object of `--json`."""


class InputError(Exception):
    """An input of the action is not valid."""


def command_line(inputs: Mapping[str, str]) -> list[str]:
    """Returns the words of the command for these inputs. Raises InputError."""
    given = {name: value.strip() for name, value in inputs.items() if value.strip()}
    command = given.pop("command")
    if command not in _OWN:
        raise InputError(f"the input command is {command!r}: use update, deploy or sync")
    words = [command, "--json"]
    for name, value in given.items():
        if name in set().union(*_OWN.values()) - _OWN[command]:
            raise InputError(f"the input {name} does not belong to the command {command}")
        if name in _FLAGS:
            if value not in ("true", "false"):
                raise InputError(f"the input {name} is {value!r}: use true or false")
            words += [f"--{name}"] if value == "true" else []
        elif name in _LISTS:
            lines = filter(None, map(str.strip, value.splitlines()))
            words += [f"{_LISTS[name]}={line}" for line in lines]
        elif name not in _ARGUMENTS:
            words.append(f"--{name}={value}")
    if command == "update":
        if missing := [name for name in _ARGUMENTS if name not in given]:
            raise InputError(f"the command update needs the input {missing[0]}")
        words += ["--", *(given[name] for name in _ARGUMENTS)]
    return words


def _run(words: Sequence[str]) -> tuple[int, list[Event], list[str]]:
    """Runs the command. Returns its exit code, its JSON objects and its other lines."""
    # -P: no module of the job's working directory. One pipe keeps the order of the lines.
    command = [sys.executable, "-P", "-u", "-m", "ecs_updater_cli", *words]
    events: list[Event] = []
    notes: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    ) as process:
        # The runner's signals for a cancelled job: the command detaches and says how to resume.
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: process.terminate())
        assert process.stdout
        for line in map(str.rstrip, process.stdout):
            if not line.startswith('{"type": '):
                notes.append(line)
                print(line, flush=True)
                continue
            events.append(json.loads(line))
            print("  ".join(_cells(events[-1])) if "cluster" in events[-1] else line, flush=True)
    return process.returncode, events, notes


def _cells(event: Event) -> list[str]:
    """Returns service, image, verdict, revision and cause."""
    revision = _revision(event).rpartition("/")[2]
    return [_name(event), event["image"] or "", _verdict(event), revision, _cause(event)]


def _name(event: Event) -> str:
    names = event["target"], event["cluster"], event["service"]
    return "/".join(filter(None, names))


def _verdict(event: Event) -> str:
    if event["type"] == "plan":
        return "FAILED" if event["error"] else "PLANNED" if event["changes"] else "NO_CHANGE"
    return event["verdict"] or Verdict.IN_PROGRESS


def _revision(event: Event) -> str:
    """Returns the ARN of the revision after the update, empty if it is not known."""
    return event.get("taskDefinitionArn", {}).get("after") or ""


def _cause(event: Event) -> str:
    """Returns the cause of the verdict, or the planned changes."""
    if event["type"] == "plan" and not event["error"]:
        return ", ".join(change_text(change).plain for change in event["changes"])
    return event.get("cause") or event.get("error") or ""


def _outputs(results: Sequence[Event]) -> dict[str, str]:
    """Returns the outputs of the action. All but `results` are empty for a dry run."""
    changes = [event for event in results if event["type"] == "change"]
    only: Event = changes[0] if len(changes) == 1 else {}
    return {
        "verdict": max(map(_verdict, changes), key=_VERDICTS.index, default=""),
        "task-definition-arn": _revision(only),
        "deployment-id": only.get("deploymentId") or "",
        "results": json.dumps(results),
    }


def _summary(events: Sequence[Event], notes: Sequence[str]) -> str:
    """Returns the job summary, in Markdown: the plan, if there is one, and the results."""
    lines = ["### ecs-updater", ""]
    for kind in ("plan", "change"):
        rows = _last([event for event in events if event["type"] == kind])
        if rows:
            lines += ["| Service | Image | Verdict | Revision | Cause |", "|---|---|---|---|---|"]
            lines += [f"| {' | '.join(map(_code, _cells(event)))} |" for event in rows[:_MAX_ROWS]]
            lines.append("")
        if len(rows) > _MAX_ROWS:
            lines += [f"The output `results` has all {len(rows)} services.", ""]
    return "\n".join([*lines, *(f"    {note}" for note in notes)]) + "\n"


def _last(events: Sequence[Event]) -> list[Event]:
    """Returns the last object of each service."""
    return list({_name(event): event for event in events if "cluster" in event}.values())


def _code(text: str) -> str:
    """Returns a text as code in a table, so that nothing in it is Markdown or HTML."""
    return f"`{text.replace('`', chr(39)).replace('|', chr(92) + '|')}`" if text else ""


def _append(variable: str, text: str) -> None:
    """Appends to the file that this environment variable names."""
    with Path(os.environ[variable]).open("a", encoding="utf-8") as file:
        file.write(text)


def main() -> int:
    """Runs the command and returns its exit code."""
    try:
        words = command_line(json.loads(os.environ["INPUTS"]))
    except InputError as error:
        print(f"::error title=ecs-updater::{error}")
        _append("GITHUB_STEP_SUMMARY", _summary([], [str(error)]))
        return INPUT
    # No text of a service or an image may be a command for the runner.
    token = secrets.token_hex(16)
    print(f"::stop-commands::{token}", flush=True)
    exit_code, events, notes = _run(words)
    print(f"::{token}::", flush=True)
    results = _last(events)
    lines = (f"{name}={value}\n" for name, value in _outputs(results).items())
    _append("GITHUB_OUTPUT", "".join(lines))
    _append("GITHUB_STEP_SUMMARY", _summary(events, notes))
    return exit_code


if __name__ == "__main__":
    sys.exit(main())

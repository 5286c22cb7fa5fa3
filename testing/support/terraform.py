"""Runs Terraform in a copy of the project's tree, and reads what a plan would change.

``Terraform`` is the copy, initialised; ``run`` works in any directory, ``begin`` does not wait.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[2] / "infraestructure-terraform"
_NO_PROVIDER = ("Failed to query available provider packages", "Failed to install provider")


class Unavailable(Exception):
    """There is no Terraform, or no provider that it could install; the text says so in one line."""


def _unavailable(reason: str) -> Exception:
    """What is raised for that; with REQUIRE_TERRAFORM it fails a test instead of skipping it: a
    failure.
    """
    return AssertionError(reason) if os.environ.get("REQUIRE_TERRAFORM") else Unavailable(reason)


def changes(directory: Path, environment: Mapping[str, str]) -> dict[str, set[str]]:
    """Returns what a plan in a directory would change: the attributes by the resource's address."""
    with tempfile.TemporaryDirectory() as scratch:
        plan = f"{scratch}/plan"
        for command in (
            ["plan", "-input=false", "-lock=false", f"-out={plan}"],
            ["show", "-json", plan],
        ):
            done = run(directory, environment, *command)
            assert done.returncode == 0, done.stdout + done.stderr
    changed = {
        change["address"]: change["change"]
        for change in json.loads(done.stdout)["resource_changes"]
    }
    return {
        address: _differing(item)
        for address, item in changed.items()
        if item["actions"] != ["no-op"]
    }


def _differing(change: Mapping[str, Any]) -> set[str]:
    before, after, unknown = (change[key] or {} for key in ("before", "after", "after_unknown"))
    changed = {
        name
        for name in before.keys() | after.keys()
        if _set(before.get(name)) != _set(after.get(name))
    }
    # An attribute that only AWS generates is not a change.
    return {name for name in changed if unknown.get(name) is not True}


class Terraform:
    """An initialised copy of the tree, since Terraform writes into the folder that it works in,
    with its own state.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str]):
        if not shutil.which("terraform"):
            raise _unavailable("terraform is not installed")
        self._directory = directory
        self._environment = dict(environment)
        shutil.copytree(
            TREE, directory, ignore=shutil.ignore_patterns("tests", ".terraform*", "*.tfstate*")
        )
        begun = self.run("init", "-input=false")
        if any(failure in begun.stderr for failure in _NO_PROVIDER):
            raise _unavailable(
                "Terraform finds no provider hashicorp/aws in its registry or mirror"
            )
        assert begun.returncode == 0, begun.stderr

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of Terraform."""
        return run(self._directory, self._environment | environment, *command)

    def begin(self, command: str, *arguments: str, **streams: Any) -> subprocess.Popen[str]:
        """Begins a command of Terraform; see `begin` of the module."""
        return begin(self._directory, self._environment, command, *arguments, **streams)

    def plan(self, variables: Mapping[str, Any], **environment: str) -> dict[str, Any]:
        """Returns the plan with these values, as Terraform gives it to programs."""
        values, plan = self._directory / "values.json", self._directory / "plan"
        values.write_text(json.dumps(variables), "utf-8")
        self._succeed("plan", "-input=false", f"-var-file={values}", f"-out={plan}", **environment)
        return json.loads(self._succeed("show", "-json", str(plan), **environment))

    def _succeed(self, *command: str, **environment: str) -> str:
        done = self.run(*command, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def run(
    directory: Path, environment: Mapping[str, str], command: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Runs a command of Terraform in a directory, with ``environment`` over the shell's."""
    begun = begin(
        directory, environment, command, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    stdout, stderr = begun.communicate()
    return subprocess.CompletedProcess(begun.args, begun.returncode, stdout, stderr)


def begin(
    directory: Path, environment: Mapping[str, str], command: str, *arguments: str, **streams: Any
) -> subprocess.Popen[str]:
    """Begins a command of Terraform as `run` does; the caller waits for it.

    ``streams`` are its ``stdout`` and ``stderr``.
    """
    shell = {name: value for name, value in os.environ.items() if not name.startswith("TF_VAR_")}
    if not Path(shell.get("TF_CLI_CONFIG_FILE", os.devnull)).exists():
        del shell["TF_CLI_CONFIG_FILE"]
    return subprocess.Popen(
        ["terraform", command, "-no-color", *arguments],
        cwd=directory,
        env=shell
        | {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "GOGC": "400"}
        | dict(environment),
        stdin=subprocess.DEVNULL,
        text=True,
        **streams,
    )


def _set(value: Any) -> Any:
    """A value without what is not set in it, in whichever way the provider says so."""
    if isinstance(value, list):
        return [_set(item) for item in value] or None
    if isinstance(value, dict):
        return {
            key: item for key, member in value.items() if (item := _set(member)) is not None
        } or None
    return None if value == "" else value

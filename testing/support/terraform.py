"""Runs Terraform in a copy of the project's tree, and reads what a plan says that it would make.

``Terraform`` is the copy, initialised; ``run`` works in any directory, ``begin`` without waiting
for the end; ``Plan`` has its resources with what the configuration sets, references included;
``declared_variables`` reads from the source what no plan says of a variable.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[2] / "infraestructure-terraform"
_NO_PROVIDER = ("Failed to query available provider packages", "Failed to install provider")


class Unavailable(Exception):
    """There is no Terraform, or no provider that it could install; the text says so in one line."""


def _unavailable(reason: str) -> Exception:
    """What is raised for that; with REQUIRE_TERRAFORM it is no reason to skip a test, but a
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
    changed = {one["address"]: one["change"] for one in json.loads(done.stdout)["resource_changes"]}
    return {
        address: _differing(one) for address, one in changed.items() if one["actions"] != ["no-op"]
    }


def _differing(change: Mapping[str, Any]) -> set[str]:
    before, after, unknown = (change[key] or {} for key in ("before", "after", "after_unknown"))
    changed = {
        name
        for name in before.keys() | after.keys()
        if _set(before.get(name)) != _set(after.get(name))
    }
    # What only AWS can say is no change of ours.
    return {name for name in changed if unknown.get(name) is not True}


class DanglingReference(Exception):
    """What is not known before the apply refers to what the plan does not make, or not visibly; the
    text says so in one line.
    """


class Terraform:
    """An initialised copy of the tree, since Terraform writes into the folder that it works in,
    with a state of its own.
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


@dataclass(frozen=True)
class Reference:
    """A value that AWS decides: an attribute of a resource, by the resource's address."""

    address: str
    attribute: str


@dataclass(frozen=True)
class Resource:
    """What a plan makes."""

    type: str
    attributes: dict[str, Any]
    """What the configuration sets; a block that may stand several times is a list, and what only
    AWS knows a Reference.
    """
    planned: dict[str, Any]
    """All that is known, the provider's defaults included."""

    @property
    def default_tags(self) -> dict[str, str]:
        """The tags that the provider adds to the resource's own."""
        own = self.planned.get("tags") or {}
        return {
            key: one for key, one in (self.planned.get("tags_all") or {}).items() if key not in own
        }


@dataclass(frozen=True)
class _Module:
    """One module of the configuration: where expressions find what they refer to."""

    address: str
    configuration: Mapping[str, Any]
    parent: "_Module | None" = None

    def child(self, name: str) -> "_Module":
        """The module that it calls by that name."""
        return _Module(
            f"{self.address}module.{name}.",
            self.configuration["module_calls"][name]["module"],
            self,
        )

    @property
    def call(self) -> Mapping[str, Any]:
        """The expressions that the parent gives to the variables."""
        name = self.address.removesuffix(".").rpartition("module.")[2]
        return self.parent.configuration["module_calls"][name]["expressions"] if self.parent else {}


class Plan:
    """A plan, as ``terraform show -json`` gives it; without the attributes, by type and name, that
    are to be passed over.
    """

    def __init__(self, document: Mapping[str, Any], passed_over: Collection[tuple[str, str]] = ()):
        self.document = document
        self._passed_over = passed_over
        self.root = _Module("", document["configuration"]["root_module"])
        self._planned = {
            one["address"]: one for one in _resources(document["planned_values"]["root_module"])
        }

    @cached_property
    def resources(self) -> dict[str, Resource]:
        """The resources by address."""
        return {address: self._resource(address) for address in self._planned}

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """The values of the root module's outputs; what only AWS knows is a Reference, or a list of
        them.
        """
        values = self.document["planned_values"]["outputs"]
        expressions = self.root.configuration["outputs"]
        return {
            name: values[name]["value"]
            if "value" in values[name]
            else self._refer(one["expression"], self.root, "")
            for name, one in expressions.items()
        }

    def _resource(self, address: str) -> Resource:
        module = self.root
        for name in re.findall(r"module\.(\w+)\.", address):
            module = module.child(name)
        configured = self._configured(module, address.removeprefix(module.address))
        planned = self._planned[address]["values"]
        kind, expressions = configured["type"], configured.get("expressions", {})
        kept = {
            name: one for name, one in expressions.items() if (kind, name) not in self._passed_over
        }
        attributes = self._attributes(kept, planned, module, address)
        return Resource(configured["type"], attributes, planned)

    def _configured(self, module: _Module, address: str) -> Mapping[str, Any]:
        return next(
            one
            for one in module.configuration["resources"]
            if one["address"] == _without_key(address)
        )

    def _attributes(
        self, expressions: Mapping[str, Any], values: Any, module: _Module, address: str
    ) -> dict[str, Any]:
        # The configuration in a plan leaves dynamic blocks out. What is known before the apply and
        # no default is one of them.
        found = {
            name: _set(one)
            for name, one in values.items()
            if name not in expressions and _is_blocks(one)
        }
        for name, expression in expressions.items():
            if isinstance(expression, list):  # Blocks.
                planned = values[name]
                value: Any = [
                    self._attributes(*both, module, address)
                    for both in zip(expression, planned, strict=True)
                ]
            else:
                value = values[name] if name in values else self._refer(expression, module, address)
            if value is not None and value != []:
                found[name] = value
        return found

    def _refer(self, expression: Mapping[str, Any], module: _Module, address: str) -> Any:
        """What an expression of an unknown value refers to: the first of what it names that is not
        known, the most exact one.
        """
        dangling = DanglingReference(
            f"{address}: what {expression} refers to is not to be seen in a plan"
        )
        for reference in expression.get("references", []):
            if not reference.startswith(("local.", "path.")):
                try:
                    return self._target(reference, module, address)
                except DanglingReference as found:
                    dangling = found
        raise dangling

    def _target(self, reference: str, module: _Module, address: str) -> Any:
        head, *rest = reference.split(".")
        match head:
            case "var":
                if not module.parent:
                    raise DanglingReference(
                        f"{reference} is a variable of the root module, and known"
                    )
                return self._refer(module.call[rest[0]], module.parent, module.address)
            case "module":
                child = module.child(rest[0])
                return self._refer(
                    child.configuration["outputs"][rest[1]]["expression"], child, address
                )
            case "each":
                each = self._configured(module, address.removeprefix(module.address))[
                    "for_each_expression"
                ]["references"][0]
                return Reference(f"{module.address}{each}{address[address.index('[') :]}", rest[1])
        name = f"{module.address}{head}.{_without_key(rest[0])}"
        attribute = rest[1] if len(rest) > 1 else "id"
        instances = [one for one in self._planned if _without_key(one) == name]
        if not instances:
            raise DanglingReference(f"{reference} is nothing that the plan makes")
        found = [Reference(one, attribute) for one in sorted(instances)]
        return found[0] if instances in ([name], [f"{name}[0]"]) else found


@cache
def _without_key(address: str) -> str:
    """The address of a resource without the key of one of its instances."""
    return re.sub(r"\[.*]$", "", address)


def _resources(module: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    children = [one for child in module.get("child_modules", []) for one in _resources(child)]
    return [*(one for one in module.get("resources", []) if one["mode"] == "managed"), *children]


def _is_blocks(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and one for one in value)
    )


def _set(value: Any) -> Any:
    """A value without what is not set in it, in whichever way the provider says so."""
    if isinstance(value, list):
        return [_set(one) for one in value] or None
    if isinstance(value, dict):
        return {
            key: one for key, member in value.items() if (one := _set(member)) is not None
        } or None
    return None if value == "" else value


@dataclass(frozen=True)
class Variable:
    """What the source says of a variable and a plan does not."""

    type: str
    condition: str
    error_message: str


def declared_variables(source: str) -> dict[str, Variable]:
    """Returns the variables that a file in Terraform's own format declares, each with one
    validation.
    """
    found = {}
    for name, body in re.findall(
        r'^variable "(\w+)" \{\n(.*?)^}', source, re.MULTILINE | re.DOTALL
    ):
        members = dict(
            re.findall(r"^ +(type|condition|error_message) += (.+)$", body, re.MULTILINE)
        )
        found[name] = Variable(
            members["type"], members["condition"], json.loads(members["error_message"])
        )
    return found

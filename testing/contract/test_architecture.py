"""The packages import in one direction, and only `aws` touches the SDK.

The order of the packages is the one of SOLUTION.md.
"""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

LAMBDA_CODE = Path(__file__).resolve().parents[2] / "lambda_code"
FILES = sorted(LAMBDA_CODE.rglob("*.py"))
MOST_LINES_OF_A_HANDLER = 40
SDK = {"boto3", "botocore", "s3transfer"}

ORDER = (
    "ecs_updater_authorizer",
    "ecs_updater_cli",
    "ecs_updater.handlers",
    "ecs_updater.api",
    "ecs_updater.push",
    "ecs_updater.worker",
    "ecs_updater.codepipeline",
    "ecs_updater.deployments",
    "ecs_updater.registry",
    "ecs_updater.ledger",
    "ecs_updater.rollout",
    "ecs_updater.aws",
    "ecs_updater.model",
    "ecs_updater",
)
"""A module imports from its own package and from those below it. The last one has the leaves."""

PURE = (
    "ecs_updater.model",
    *(f"ecs_updater.api.{name}" for name in ("body", "openapi", "query")),
    *(f"ecs_updater.codepipeline.{name}" for name in ("artifact", "job")),
    "ecs_updater.push.policy",
    *(f"ecs_updater.registry.{name}" for name in ("manifest", "verify")),
    *(f"ecs_updater.rollout.{name}" for name in ("image_digests", "judgement", "rollout_state")),
    *("ecs_updater.ledger.entry", "ecs_updater.rollout.task_failures"),
)
"""Packages and modules that only compute: they reach neither the SDK nor `aws`."""


def module_name(path: Path) -> str:
    """Return ``ecs_updater.aws.ecs`` for its file."""
    parts = path.relative_to(LAMBDA_CODE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {module_name(path): ast.parse(path.read_text("utf-8")) for path in FILES}
PACKAGES = {module_name(path) for path in FILES if path.name == "__init__.py"}
MODULES = sorted(TREES)
HANDLERS = [name for name in MODULES if name.startswith("ecs_updater.handlers.")]


def imports(module: str) -> Iterator[str]:
    """Return the full names of all imports: own modules as such, others as imported."""
    package = module if module in PACKAGES else module.rpartition(".")[0]
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in TREES or base not in TREES else base


def is_in(module: str, package: str) -> bool:
    """Whether ``module`` is ``package`` or lies in it."""
    return f"{module}.".startswith(f"{package}.")


def place(module: str) -> int:
    """The place of a module's package in ``ORDER``."""
    return next(number for number, package in enumerate(ORDER) if is_in(module, package))


def test_the_imports_are_found():
    assert {"ecs_updater.aws.errors", "ecs_updater.aws.clients"} <= set(
        imports("ecs_updater.aws.ecs")
    )


@pytest.mark.parametrize("module", MODULES)
def test_only_aws_imports_the_sdk(module):
    if not is_in(module, "ecs_updater.aws"):
        assert not SDK & {name.partition(".")[0] for name in imports(module)}


@pytest.mark.parametrize("module", MODULES)
def test_a_package_imports_only_from_the_packages_below_it(module):
    assert not [name for name in imports(module) if name in TREES and place(name) < place(module)]


@pytest.mark.parametrize(
    "module", [module for module in MODULES if any(is_in(module, p) for p in PURE)]
)
def test_what_only_computes_reaches_no_aws(module):
    visited, waiting = set(), [module]
    while waiting:
        visited.add(current := waiting.pop())
        waiting += [name for name in imports(current) if name in TREES and name not in visited]
    assert sorted(name for name in visited if is_in(name, "ecs_updater.aws")) == []


def test_there_is_no_import_cycle():
    graph = {module: {name for name in imports(module) if name in TREES} for module in MODULES}
    for module in PACKAGES:  # A package's own file imports nothing that imports it.
        graph[module].discard(module)
    list(graphlib.TopologicalSorter(graph).static_order())  # CycleError names the cycle.


@pytest.mark.parametrize("module", HANDLERS)
def test_a_handler_only_maps_input_and_output(module):
    tree = TREES[module]
    kinds = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.Expr)
    assert [node for node in tree.body if not isinstance(node, kinds)] == []
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert functions[-1] == "lambda_handler"
    *_, last = (node for node in tree.body if not isinstance(node, ast.FunctionDef))
    assert ast.unparse(last) == "start_garbage_collection()"
    assert not [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.For, ast.While, ast.Try, ast.ClassDef))
    ]
    lines = (LAMBDA_CODE / f"{module.replace('.', '/')}.py").read_text("utf-8").splitlines()
    assert len(lines) <= MOST_LINES_OF_A_HANDLER


def test_errors_are_defined_in_one_file_and_those_of_the_sdk_in_aws():
    """A state machine catches errors by the names of this file."""
    elsewhere = [
        f"{module}.{node.name}"
        for module, tree in TREES.items()
        if is_in(module, "ecs_updater")  # The command line's errors end no invocation.
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")  # It never leaves its module.
        and any(ast.unparse(base).endswith(("Error", "Exception", "Fault")) for base in node.bases)
        and not is_in(module, "ecs_updater.errors")
        and not is_in(module, "ecs_updater.aws")
    ]
    assert elsewhere == []

"""The shape of the function's package holds: who may touch AWS, who may import whom, and that its
docstrings say what there is.
"""

import ast
import graphlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecs_updater import errors

LAMBDA_CODE = Path(__file__).resolve().parents[2] / "lambda_code"
FILES = sorted(LAMBDA_CODE.rglob("*.py"))
MOST_LINES_OF_A_DOOR = 40
SDK = {"boto3", "botocore", "s3transfer"}
MAY_IMPORT_AWS = (
    "ecs_updater.aws",
    "ecs_updater.fleet",
    "ecs_updater.handlers",
    "ecs_updater.ledger",
    "ecs_updater.registry.lookup",
    "ecs_updater.rest.answer",
    "ecs_updater.rollout.follow",
    "ecs_updater.service",
    "ecs_updater.status.listing",
    "ecs_updater.updater",
    "ecs_updater.workflow",
    "ecs_updater_cli.commands.history",
    "ecs_updater_cli.doors",
)
"""The part itself, the doors, which make the clients, and who hands them on and calls them."""
PURE = [
    *(
        "call",
        "clock",
        "described",
        "errors",
        "event",
        "fields",
        "image",
        "plan",
        "request",
        "result",
        "settings",
        "snapshot",
    ),
    *("allow_list", "json_document", "nearest"),
    *(
        "rates",
        "tags",
        "task_definition",
        "fleet.message",
        "fleet.pacing",
        "ledger.entry",
        "ledger.intent",
        "ledger.key",
        "page",
    ),
    *(f"rest.{name}" for name in ("body", "help", "openapi", "routes")),
    *(f"status.{name}" for name in ("cursor", "query", "views")),
    *(f"registry.{name}" for name in ("answer", "ecr_reference", "manifest", "platform", "verify")),
    *(
        f"rollout.{name}"
        for name in ("deaths", "observation", "pace", "running", "target", "verdict")
    ),
]
"""What decides and what tells: data in, data out."""


def module_name(path: Path) -> str:
    """``ecs_updater.aws.ecs`` for its file."""
    parts = path.relative_to(LAMBDA_CODE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {module_name(path): ast.parse(path.read_text("utf-8")) for path in FILES}
PACKAGES = {module_name(path) for path in FILES if path.name == "__init__.py"}
MODULES = sorted(TREES)
DOORS = [name for name in MODULES if name.startswith("ecs_updater.handlers.")]


def imports(module: str) -> Iterator[str]:
    """The full names of what ``module`` imports, wherever in it: modules of ours as such, of others
    what is imported.
    """
    package = module if module in PACKAGES else module.rpartition(".")[0]
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = (
                package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            )
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in TREES or base not in TREES else base


def is_in(module: str, package: str) -> bool:
    """Whether ``module`` is ``package`` or lies in it."""
    return f"{module}.".startswith(f"{package}.")


def public_definitions(
    tree: ast.Module | ast.ClassDef, prefix: str = ""
) -> Iterator[tuple[str, ast.AST]]:
    """Public functions, classes and methods, with their names."""
    for node in tree.body:
        if isinstance(
            node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        ) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node, f"{prefix}{node.name}.")


def listed_modules(docstring: str) -> list[str]:
    """The modules that a package's docstring lists: the first column of its table."""
    return re.findall(r"^``(\w+)``  ", inspect.cleandoc(docstring), re.MULTILINE)


def test_there_is_something_to_look_at():
    assert {
        "ecs_updater",
        "ecs_updater.aws.ecs",
        "ecs_updater.handlers.update",
        "ecs_updater.plan",
    } <= set(MODULES)
    assert {"ecs_updater.aws.wire", "ecs_updater.aws.failure"} <= set(
        imports("ecs_updater.aws.ecs")
    )
    assert {"ecs_updater.event", "ecs_updater.plan", "ecs_updater.aws.ecs"} <= set(
        imports("ecs_updater.updater")
    )


@pytest.mark.parametrize("module", MODULES)
def test_only_the_aws_part_imports_the_sdk(module):
    if not is_in(module, "ecs_updater.aws"):
        assert not SDK & {name.partition(".")[0] for name in imports(module)}


@pytest.mark.parametrize("module", MODULES)
def test_nothing_but_the_doors_the_updater_and_the_service_imports_the_aws_part(module):
    if not any(is_in(module, part) for part in MAY_IMPORT_AWS):
        assert [name for name in imports(module) if is_in(name, "ecs_updater.aws")] == []


@pytest.mark.parametrize("name", PURE)
def test_the_pure_part_does_not_reach_the_sdk_through_others_either(name):
    seen, to_see = set(), [f"ecs_updater.{name}"]
    while to_see:
        seen.add(module := to_see.pop())
        to_see += [name for name in imports(module) if name in TREES and name not in seen]
    assert sorted(module for module in seen if is_in(module, "ecs_updater.aws")) == []


@pytest.mark.parametrize(
    "module", [module for module in MODULES if is_in(module, "ecs_updater.aws")]
)
def test_the_aws_part_knows_nothing_of_updates(module):
    """What it may use of the rest is what calls nothing either: the description of fields, time,
    counts, and ECS's own rates.
    """
    ours = {
        name
        for name in imports(module)
        if is_in(name, "ecs_updater") and not is_in(name, "ecs_updater.aws")
    }
    assert ours <= {
        "ecs_updater.calls",
        "ecs_updater.clock",
        "ecs_updater.fields",
        "ecs_updater.rates",
    }


@pytest.mark.parametrize("module", [module for module in MODULES if is_in(module, "ecs_updater")])
def test_the_function_knows_nothing_of_the_command_line(module):
    assert [name for name in imports(module) if is_in(name, "ecs_updater_cli")] == []


def test_no_module_imports_itself_through_others():
    graph = {module: {name for name in imports(module) if name in TREES} for module in MODULES}
    # Raises CycleError, which names the cycle.
    list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("module", DOORS)
def test_a_door_holds_nothing_but_a_door(module):
    """Its clients and one short handler: nothing to decide, nothing to repeat, nothing to catch."""
    tree = TREES[module]
    kinds = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.Expr)
    assert [node for node in tree.body if not isinstance(node, kinds)] == []
    assert [node.name for node in tree.body if isinstance(node, ast.FunctionDef)][
        -1
    ] == "lambda_handler"
    assert not [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.For, ast.While, ast.Try, ast.ClassDef))
    ]
    lines = (LAMBDA_CODE / f"{module.replace('.', '/')}.py").read_text("utf-8").splitlines()
    assert len(lines) <= MOST_LINES_OF_A_DOOR


@pytest.mark.parametrize("module", MODULES)
def test_every_module_and_everything_public_in_it_has_a_docstring(module):
    tree = TREES[module]
    assert ast.get_docstring(tree)
    assert [name for name, node in public_definitions(tree) if not ast.get_docstring(node)] == []


# There the doors are listed by their files.
@pytest.mark.parametrize("package", sorted(PACKAGES - {"ecs_updater.handlers"}))
def test_a_packages_docstring_lists_exactly_the_modules_that_there_are(package):
    there_are = {name.rpartition(".")[2] for name in MODULES if name.rpartition(".")[0] == package}
    listed = listed_modules(ast.get_docstring(TREES[package]) or "")
    assert sorted(listed) == sorted(there_are)


# The tree of errors


def drawn_tree() -> dict[str, tuple[str | None, str | None]]:
    """Parent and stage by error, as the docstring of the module draws them."""
    tree: dict[str, tuple[str | None, str | None]] = {}
    above: list[str] = []
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        if match := re.fullmatch(
            r"    ((?:[│ ]   )*)([├└]── )?(\w+)(?: +\[(\w+)\]| +[^\[]+)?", line
        ):
            branches, twig, name, stage = match.groups()
            depth = len(branches) // 4 + bool(twig)
            del above[depth:]
            tree[name] = above[-1] if above else None, stage
            above.append(name)
    return tree


def kinds_of_errors() -> list[type[errors.EcsUpdaterError]]:
    """All classes of the tree."""
    return [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.EcsUpdaterError)
    ]


def real_tree() -> dict[str, tuple[str | None, str | None]]:
    """Parent and stage by error, as they are; an error that others derive from is raised by nobody
    and has no stage to tell.
    """
    kinds = kinds_of_errors()
    parents = {kind.__base__ for kind in kinds}
    return {
        kind.__name__: (
            None if kind is errors.EcsUpdaterError else kind.__base__.__name__,
            None if kind in parents else kind.stage,
        )
        for kind in kinds
    }


def test_the_tree_in_the_errors_docstring_is_the_tree_that_there_is():
    assert len(drawn_tree()) > 10
    assert drawn_tree() == real_tree()


def test_every_error_is_either_the_callers_fault_or_ours():
    for kind in kinds_of_errors():
        if kind not in (errors.EcsUpdaterError, errors.CallerFault, errors.ServerFault):
            assert kind.__bases__ in ((errors.CallerFault,), (errors.ServerFault,)), kind


def test_only_errors_of_the_tree_and_those_of_the_aws_part_are_defined():
    """A class of errors that is made elsewhere would be one that no state machine can know of."""
    elsewhere = [
        f"{module}.{node.name}"
        for module, tree in TREES.items()
        if is_in(module, "ecs_updater")  # What ends the command line ends no invocation.
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")  # Never leaves its module.
        and any(ast.unparse(base).endswith(("Error", "Exception", "Fault")) for base in node.bases)
        and not is_in(module, "ecs_updater.errors")
        and not is_in(module, "ecs_updater.aws")
    ]
    assert elsewhere == []


def test_the_files_of_tests_that_are_begun_first_are_there():
    """One that is called otherwise now would be begun last, and go on alone."""
    testing = Path(__file__).resolve().parents[1]
    named = re.findall(r'"(test_\w+)"', (testing / "conftest.py").read_text("utf-8"))
    assert named and not [name for name in named if not any(testing.rglob(f"{name}.py"))]

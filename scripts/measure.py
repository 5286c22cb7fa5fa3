"""Measures this project, and with BEFORE another checkout of it in the same run.

sizes    statements, files and lines
calls    calls of Python functions in `ecs_updater` during one direct update with a ledger, and
         how often a call is in another file than the call before it
startup  import of the update handler from the bundle, with a ledger, compared with
         `import boto3, jsonschema` and an ECS client from the installed packages
commands the command line's help, completion and validation of a file of three entries, compared
         with `aws --version`
"""

import argparse
import ast
import contextlib
import importlib
import io
import multiprocessing
import os
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from statistics import median
from types import FrameType, SimpleNamespace

import botocore.handlers

PROJECT = Path(__file__).resolve().parents[1]

PAIRS = 15
"""Number of start-up measurements, for the handler and the stock imports alternately."""

RUNS = 7
"""Number of runs of each command."""

THREE_ENTRIES = """
defaults: {ecs_cluster_name: shop, ecs_tag: {owner: platform}}
deployments:
- {ecs_service_name: web, ecs_image_name: "web:2"}
- {ecs_service_name: api, ecs_image_name: "api:2"}
- {ecs_service_name: mail, ecs_image_name: "mail:2"}
"""

COMPLETION = {
    "_ECS_UPDATER_COMPLETE": "bash_complete",
    "COMP_WORDS": "ecs-updater deploy --",
    "COMP_CWORD": "2",
}
"""The environment in which bash asks for the options of `ecs-updater deploy`."""

LINES = {
    "lines of .tf": "infraestructure-terraform/*.tf",
    "lines of templates": "infraestructure/*.yml",
    "lines of parity with its tests": "testing/*parity*.py",
    "lines of scripts/teardown": "scripts/teardown*.py",
}
"""Pathspecs of Git, in which `*` also matches `/`."""

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "LEDGER_TABLE": "ecs-updater-ledger",
    "ALLOWED_IMAGES": "*",
    "ALLOWED_SERVICES": "*",
}
"""The complete environment of a measured process. It causes no log lines at the start."""

EVENT = {
    "ecs_cluster_name": "ECSCluster",
    "ecs_service_name": "ecs-dummy-service",
    "ecs_image_name": "app:2",
    "ecs_tag": {"release": "2"},
    "wait_seconds": 0,
}
"""Changes the image, adds one tag and removes one."""


def list_files(checkout: Path, pattern: str) -> list[Path]:
    """Returns the files of a checkout that match a pathspec of Git, without ignored ones."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", pattern]
    names = subprocess.check_output(command, cwd=checkout, text=True)
    return [path for name in names.split("\0") if name and (path := checkout / name).is_file()]


def count_statements(source: str) -> int:
    """Returns the number of statements of a module, without docstrings."""
    nodes = list(ast.walk(ast.parse(source)))
    definitions = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    defined = [node for node in nodes if isinstance(node, definitions)]
    docstrings = sum(ast.get_docstring(node) is not None for node in defined)
    return sum(isinstance(node, ast.stmt) for node in nodes) - docstrings


def measure_sizes(checkout: Path) -> dict[str, float]:
    """Returns the statements, files and lines of a checkout."""
    figures: dict[str, float] = {}
    for folder in ("lambda_code", "testing"):
        sources = [path.read_text("utf-8") for path in list_files(checkout, f"{folder}/*.py")]
        figures[f"statements of {folder}"] = sum(map(count_statements, sources))
        figures[f"files of {folder}"] = len(sources)
    figures["statements of testing per statement of lambda_code"] = (
        figures["statements of testing"] / figures["statements of lambda_code"]
    )
    for what, pattern in LINES.items():
        texts = [path.read_text("utf-8") for path in list_files(checkout, pattern)]
        figures[what] = sum(len(text.splitlines()) for text in texts)
    return figures


def measure_calls(checkout: Path) -> dict[str, float]:
    """Counts the calls of one update by a checkout's code, in a new process."""
    # A Pool would wait without end if the process exits early or its error cannot be unpickled.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(count_update_calls, checkout).result()


def count_update_calls(checkout: Path) -> dict[str, float]:
    """Counts the calls of one update through the Lambda handler.

    Imports the checkout's code and replaces the environment: run it in a new process.
    """
    os.environ.clear()
    os.environ.update(ENVIRONMENT)
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(checkout / "lambda_code"), str(checkout / "testing")]
    code = f"{checkout / 'lambda_code' / 'ecs_updater'}{os.sep}"
    called: list[str] = []

    def note_call(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(code):
            called.append(frame.f_code.co_filename)

    context = SimpleNamespace(
        aws_request_id="request-1",
        invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:ecs-updater",
        get_remaining_time_in_millis=lambda: 900_000,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        connect_fakes(checkout)
        handler = importlib.import_module("ecs_updater.handlers.update").lambda_handler
        sys.setprofile(note_call)
        try:
            body = handler(EVENT, context)["body"]
        finally:
            sys.setprofile(None)
    assert body["changed"] and body["deployment"]["verdict"] == "IN_PROGRESS", body
    switches = sum(before != after for before, after in pairwise(called))
    return {"calls": len(called), "switches between files": switches, "files": len(set(called))}


def connect_fakes(checkout: Path) -> None:
    """Connects all clients of later sessions to the checkout's simulated ECS and DynamoDB.

    The only part of this script that depends on the layout of a checkout.
    """
    is_new = (checkout / "testing" / "fakes" / "simulated_ecs").is_dir()
    folder = "fakes" if is_new else "support"
    simulated_ecs = importlib.import_module(f"{folder}.simulated_ecs")
    memory_dynamodb = importlib.import_module(f"{folder}.memory_dynamodb")
    ecs = simulated_ecs.SimulatedEcs(simulated_ecs.Clock(time.time()))
    dynamodb = memory_dynamodb.MemoryDynamodb()
    # pylint: disable=protected-access
    botocore.handlers.BUILTIN_HANDLERS += [
        ("before-send.ecs", getattr(ecs, "wire", ecs)._send),
        ("before-send.dynamodb", dynamodb._send),
    ]


def measure_start(folder: str, imports: str) -> dict[str, float]:
    """Returns the duration of `imports` from `folder` in a new process, without and with its exit.

    In milliseconds of processor time, because other programs affect it less than elapsed time.
    """
    program = [
        "import sys, time",
        f"sys.path.insert(0, {folder!r})",
        imports,
        "print(time.process_time())",
    ]
    command = [sys.executable, "-I", "-S", "-B", "-c", "\n".join(program)]
    ready, whole = run_timed(command, ENVIRONMENT)
    return {"until ready": 1000 * float(ready.splitlines()[-1]), "whole process": whole}


def run_timed(command: Sequence[str], environment: Mapping[str, str]) -> tuple[bytes, float]:
    """Returns the output of a program, and its processor time (user and system) in milliseconds."""
    earlier = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment).stdout
    later = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = later.ru_utime + later.ru_stime - earlier.ru_utime - earlier.ru_stime
    return output, 1000 * seconds


def build_bundle(checkout: Path, folder: Path) -> str:
    """Builds a checkout's bundle for this interpreter. Returns the folder of its content."""
    package = folder / "package.zip"
    settings = {
        "TARGET": "local",
        "LAMBDA_PACKAGE": package,
        "LAMBDA_RUNTIME": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "TOOLS_DIR": PROJECT / ".tools",
    }
    command = ["make", "--silent", "-C", str(checkout), "build-lambda-package"]
    subprocess.run([*command, *(f"{name}={value}" for name, value in settings.items())], check=True)
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder / "content")
    return str(folder / "content")


def measure_startup(checkout: Path) -> dict[str, float]:
    """Returns the medians of the update handler, of the stock imports, and of their ratios."""
    stock_imports = "import boto3, jsonschema; boto3.client('ecs')"
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        content = build_bundle(checkout, Path(folder))
        for _ in range(PAIRS):
            stock = measure_start(sysconfig.get_path("purelib"), stock_imports)
            pairs.append((measure_start(content, "import ecs_updater.handlers.update"), stock))
    figures: dict[str, float] = {}
    for what in ("until ready", "whole process"):
        figures[f"{what}: handler, ms"] = median(handler[what] for handler, _ in pairs)
        figures[f"{what}: stock, ms"] = median(stock[what] for _, stock in pairs)
        figures[f"{what}: handler / stock"] = median(
            handler[what] / stock[what] for handler, stock in pairs
        )
    return figures


def measure_commands(checkout: Path) -> dict[str, float]:
    """Returns the medians of the commands in milliseconds, and in relation to `aws --version`."""
    command = [sys.executable, "-m", "ecs_updater_cli"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "deployments.yaml")
        file.write_text(THREE_ENTRIES, "utf-8")
        environment = {
            **ENVIRONMENT,
            "PYTHONPATH": str(checkout / "lambda_code"),
            "PYTHONPYCACHEPREFIX": folder,
        }
        programs: dict[str, tuple[list[str], Mapping[str, str]]] = {
            "aws --version": ([str(PROJECT / ".tools/aws/bin/aws"), "--version"], ENVIRONMENT),
            "help": ([*command, "--help"], environment),
            "completion": (command, {**environment, **COMPLETION}),
            "validate": ([*command, "validate", "--file", str(file)], environment),
        }
        for program in programs.values():
            run_timed(*program)  # Compiles the modules.
        # In turn, because the machine's speed changes.
        runs = [
            {what: run_timed(*program)[1] for what, program in programs.items()}
            for _ in range(RUNS)
        ]
    medians = {what: median(run[what] for run in runs) for what in programs}
    figures = {f"{what}, ms": value for what, value in medians.items()}
    base = medians.pop("aws --version")
    return figures | {f"{what} / aws --version": value / base for what, value in medians.items()}


def format_table(columns: Sequence[Mapping[str, float]]) -> str:
    """Returns lines with the figures of one checkout, or of two with their ratio."""
    width = max(map(len, columns[-1]))
    heads = ["before", "now", "ratio"] if len(columns) > 1 else ["now"]
    lines = [" " * width + "".join(f"{head:>10}" for head in heads)]
    for what in columns[-1]:
        values = [column[what] for column in columns]
        values += [values[1] / values[0]] if len(values) > 1 else []
        cells = [f"{value:10.0f}" if value >= 10 else f"{value:10.2f}" for value in values]
        lines.append(f"{what:{width}}{''.join(cells)}")
    return "\n".join(lines)


def main() -> None:
    """Prints the figures that the command line requests."""
    measures = {
        "sizes": measure_sizes,
        "calls": measure_calls,
        "startup": measure_startup,
        "commands": measure_commands,
    }
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("measure", choices=measures)
    parser.add_argument("before", metavar="BEFORE", nargs="?", type=Path, help="another checkout")
    options = parser.parse_args()
    checkouts = [*([options.before.resolve()] if options.before else []), PROJECT]
    print(format_table([measures[options.measure](checkout) for checkout in checkouts]))


if __name__ == "__main__":
    main()

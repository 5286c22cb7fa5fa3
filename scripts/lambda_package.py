"""Makes the function's bundle: its code, its hash-locked dependencies, and no more of the SDK's
data than it uses.

Called by scripts/build-lambda-package; lambda_code/bundle.toml says what goes in. The zip depends
on its inputs (see ``fingerprint``), not on the directory, the umask, the time zone or the locale of
the build.
"""

import argparse
import ast
import fnmatch
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

from terminal import fail, run_program, say

SOURCES = Path(__file__).resolve().parent.parent / "lambda_code"
PACKAGE = "ecs_updater"
FUNCTION_ROOT = "/var/task"
"""Where Lambda unpacks a bundle: the directory that byte-compiled code names in a traceback."""

_BEGINNING_OF_TIME = (1980, 1, 1, 0, 0, 0)  # The earliest that a zip can say.


class BuildError(Exception):
    """The bundle cannot be made; the message says why and what to do."""


def files_below(directory: Path) -> dict[str, Path]:
    """Every file below ``directory`` by its name in the bundle, sorted, without hidden and
    byte-compiled ones.
    """
    found = {
        path.relative_to(directory).as_posix(): path
        for path in directory.rglob("*")
        if path.is_file()
    }
    return {
        name: found[name]
        for name in sorted(found)
        if "__pycache__/" not in name and not found[name].name.startswith(".")
    }


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name in the bundle fits one of the patterns."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def is_other_data(name: str, services: Set[str]) -> bool:
    """Whether a file of the SDK is data of a service that is not among ``services``."""
    match name.split("/"):
        case ["botocore", "data", service, _, *_]:
            return service not in services
    return False


def without_documentation(value: Any) -> Any:
    """A service model, or a part of one, without its documentation: four fifths of what making a
    client has to parse.
    """
    if isinstance(value, dict):
        texts = {
            key for key, item in value.items() if key == "documentation" and isinstance(item, str)
        }
        return {key: without_documentation(item) for key, item in value.items() if key not in texts}
    return [without_documentation(item) for item in value] if isinstance(value, list) else value


def prune_endpoints(endpoints: Mapping[str, Any], prefixes: Set[str]) -> dict[str, Any]:
    """botocore's endpoints.json with every partition, region and default, but only the services of
    these endpoint prefixes.
    """
    partitions = [
        {
            **partition,
            "services": {
                name: service for name, service in partition["services"].items() if name in prefixes
            },
        }
        for partition in endpoints["partitions"]
    ]
    return {**endpoints, "partitions": partitions}


def shrunk_data(installed: Path, services: Iterable[str]) -> dict[str, bytes]:
    """What takes the place of the SDK's data of these services: models as bare JSON, which need no
    unpacking, and endpoints.

    Raises BuildError for a service that the SDK does not know.
    """
    contents: dict[str, Any] = {}
    prefixes = set()
    for service in services:
        models = sorted(installed.glob(f"botocore/data/{service}/*/*.json.gz"))
        if not models:
            raise BuildError(f"bundle.toml: botocore knows no service {service}: correct services")
        for model in models:
            content = json.loads(gzip.decompress(model.read_bytes()))
            contents[model.relative_to(installed).as_posix().removesuffix(".gz")] = (
                without_documentation(content)
            )
            if "metadata" in content:
                prefixes.add(content["metadata"]["endpointPrefix"])
    name = "botocore/data/endpoints.json"
    contents[name] = prune_endpoints(json.loads((installed / name).read_bytes()), prefixes)
    return {
        name: json.dumps(content, separators=(",", ":")).encode()
        for name, content in contents.items()
    }


def install(options: argparse.Namespace, directory: Path) -> None:
    """Installs the locked requirements as wheels for the function's Python and system.

    Raises BuildError.
    """
    command = [
        options.uv,
        "pip",
        "install",
        "--quiet",
        "--target",
        directory,
        "--requirements",
        SOURCES / "requirements.txt",
    ]
    command += ["--python", sys.executable, "--python-version", options.python_version]
    command += [
        "--python-platform",
        options.python_platform,
        "--only-binary",
        ":all:",
        "--require-hashes",
        "--no-compile",
    ]
    if subprocess.run(command, check=False).returncode:
        raise BuildError(
            "the bundle's dependencies could not be installed: see the lines above, then "
            "run the same command again"
        )


def bundled(installed: Path, config: Mapping[str, Any]) -> dict[str, bytes]:
    """Everything that the bundle holds by its name, byte-compiled files aside."""
    shrunk = shrunk_data(installed, config["services"])
    contents = {
        name: path.read_bytes()
        for name, path in files_below(installed).items()
        if not matches(name, config["leave_out"])
        and not is_other_data(name, set(config["services"]))
        and name.removesuffix(".gz") not in shrunk
    }
    code = {
        f"{PACKAGE}/{name}": path.read_bytes()
        for name, path in files_below(SOURCES / PACKAGE).items()
    }
    return contents | shrunk | code


def find_interpreter(uv: str, version: str) -> tuple[str, str] | None:
    """The path and the version of a released CPython of that version on this machine, or None; it
    is never downloaded.
    """
    path = sys.executable
    if version != f"{sys.version_info.major}.{sys.version_info.minor}":
        search = [
            uv,
            "python",
            "find",
            "--no-python-downloads",
            "--system",
            "--no-project",
            f"cpython@{version}",
        ]
        path = subprocess.run(search, check=False, capture_output=True, text=True).stdout.strip()
    if not path:
        return None
    probe = (
        "import sys; print(sys.implementation.cache_tag, "
        "sys.version_info.releaselevel, sys.version)"
    )
    release = subprocess.run(
        [path, "-c", probe], check=False, capture_output=True, text=True
    ).stdout
    return (
        (path, release)
        if release.startswith(f"cpython-{version.replace('.', '')} final ")
        else None
    )


def without_docstrings(source: bytes) -> bytes:
    """A module's source without what its docstrings say, in the same lines: nobody reads them in a
    function, and all load them.

    They stay strings, for the code that adds to one.
    https://docs.python.org/3/library/ast.html#ast.AST.end_col_offset
    """
    lines = source.splitlines(keepends=True)
    definitions = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, definitions) and ast.get_docstring(node, clean=False)
    ]
    for docstring in sorted(
        (node.body[0] for node in found), key=lambda one: one.lineno, reverse=True
    ):
        first, last = docstring.lineno - 1, docstring.end_lineno - 1
        # Not empty: without a docstring a dataclass makes one from its signature, at every start.
        text = b'""" ' + b"\n" * (last - first) + b'"""'
        lines[first : last + 1] = [
            lines[first][: docstring.col_offset] + text + lines[last][docstring.end_col_offset :]
        ]
    return b"".join(lines)


def compiled(interpreter: str, contents: Mapping[str, bytes], directory: Path) -> dict[str, bytes]:
    """The byte-compiled form of the modules among ``contents``, good for the bundle as it is: never
    checked against the source, and without docstrings.

    Raises BuildError when one does not compile.
    """
    names = [name for name in contents if name.endswith(".py")]
    for name in names:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(without_docstrings(contents[name]))
    # One process, one order, one hash seed: the same bytes every time.
    command = [
        interpreter,
        "-P",
        "-S",
        "-s",
        "-m",
        "compileall",
        "-q",
        "--invalidation-mode",
        "unchecked-hash",
    ]
    command += ["-s", str(directory), "-p", FUNCTION_ROOT, "-i", "-"]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
    }
    environment |= {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1"}
    paths = "".join(f"{directory / name}\n" for name in names)
    if subprocess.run(
        command, check=False, env=environment, input=paths, text=True, encoding="utf-8"
    ).returncode:
        raise BuildError("the bundle's code could not be byte-compiled: see the lines above")
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*.pyc")
    }


def write_zip(output: Path, contents: Mapping[str, bytes], comment: str) -> None:
    """Writes a zip in which nothing but names and contents can differ, and moves it into its place
    when it is whole.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(unfinished, "w") as archive:
            archive.comment = comment.encode()
            for name in sorted(contents):
                entry = zipfile.ZipInfo(name, _BEGINNING_OF_TIME)
                # Unix, whose modes these are. Lambda reads as another user than the owner.
                entry.create_system = 3
                entry.external_attr = (0o100755 if name.endswith(".so") else 0o100644) << 16
                archive.writestr(entry, contents[name], zipfile.ZIP_DEFLATED, compresslevel=9)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)


def fingerprint(options: argparse.Namespace, release: str) -> str:
    """What the bundle is for, and a hash of its inputs: the zip's comment, so that an equal one
    need not be built again.
    """
    inputs = {f"{PACKAGE}/{name}": path for name, path in files_below(SOURCES / PACKAGE).items()}
    inputs |= {name: SOURCES / name for name in ("bundle.toml", "requirements.txt")} | {
        "": Path(__file__)
    }
    parts = [(name, hashlib.sha256(path.read_bytes()).hexdigest()) for name, path in inputs.items()]
    parts.append(
        (f"{options.python_version} {options.python_platform} {zlib.ZLIB_RUNTIME_VERSION}", release)
    )
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return f"python{options.python_version} {options.python_platform} {digest}"


def is_current(output: Path, comment: str) -> bool:
    """Whether the zip is there, whole, and made from the inputs of this comment."""
    try:
        with zipfile.ZipFile(output) as archive:
            return archive.comment == comment.encode() and archive.testzip() is None
    except (OSError, zipfile.BadZipFile, zlib.error):
        return False


def build(options: argparse.Namespace) -> str:
    """Makes the bundle where it is not up to date; a line about it.

    Raises BuildError and OSError.
    """
    begin = time.monotonic()
    config = tomllib.loads((SOURCES / "bundle.toml").read_text(encoding="utf-8"))
    interpreter, release = find_interpreter(options.uv, options.python_version) or (None, "")
    comment = fingerprint(options, release)
    what = f"{options.output} for Python {options.python_version}, {options.python_platform}"
    if is_current(options.output, comment):
        return f"{what}: up to date"
    with tempfile.TemporaryDirectory() as directory:
        install(options, Path(directory, "installed"))
        contents = bundled(Path(directory, "installed"), config)
        if interpreter:
            modules = {
                name: content
                for name, content in contents.items()
                if not matches(name, config["not_compiled"])
            }
            contents |= compiled(interpreter, modules, Path(directory, "compiled"))
    write_zip(options.output, contents, comment)
    size = f"{options.output.stat().st_size / 1e6:.2f} MB"
    form = (
        "byte-compiled"
        if interpreter
        else f"not byte-compiled (no Python {options.python_version} here): it starts slower"
    )
    return f"{what}: {size}, {form}, {time.monotonic() - begin:.1f} s"


def main() -> None:
    """Makes the bundle that the command line asks for; one line on standard error says what became
    of it.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--uv", required=True, help="the program uv")
    parser.add_argument("--python-version", required=True, help="the function's Python, as 3.13")
    parser.add_argument(
        "--python-platform",
        required=True,
        help="the function's system, by uv's name, as aarch64-manylinux_2_34",
    )
    parser.add_argument("--output", required=True, type=Path, help="the zip to make")
    try:
        say(build(parser.parse_args()))
    except (BuildError, OSError) as error:
        fail(str(error))


if __name__ == "__main__":
    run_program(main)

"""Builds a bundle: the code, its hash-locked dependencies, and the SDK's data of the services that
it calls. `function` is the bundle of all functions but the API's authoriser.

scripts/build-lambda-package calls this script. lambda_code/bundle.toml selects the content. The zip
depends only on its inputs (see ``describe_inputs``), not on directory, umask, time zone or locale.
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
FUNCTION, AUTHORIZER = "function", "authorizer"
REQUIREMENTS = {FUNCTION: "requirements.txt", AUTHORIZER: "requirements-authorizer.txt"}
"""The lock of each bundle, in `SOURCES`."""
FUNCTION_ROOT = "/var/task"
"""Directory of an unpacked bundle on Lambda. Byte-compiled code names it in tracebacks."""

_EARLIEST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class BuildError(Exception):
    """The bundle cannot be built. The message has the reason and the remedy."""


def list_files(directory: Path) -> dict[str, Path]:
    """Returns the files below `directory` by their name in the bundle, sorted.

    Omits hidden and byte-compiled files.
    """
    paths = {
        path.relative_to(directory).as_posix(): path
        for path in directory.rglob("*")
        if path.is_file()
    }
    return {
        name: paths[name]
        for name in sorted(paths)
        if "__pycache__/" not in name and not paths[name].name.startswith(".")
    }


def read_config(bundle: str) -> dict[str, Any]:
    """Returns bundle.toml for one bundle. The authoriser's lists are in addition to the others."""
    config = tomllib.loads((SOURCES / "bundle.toml").read_text(encoding="utf-8"))
    own = config.pop(AUTHORIZER)
    if bundle == AUTHORIZER:
        lists = {name: config[name] + own.pop(name) for name in ("leave_out", "not_compiled")}
        config |= {"operations": {}, **own, **lists}
    return config


def list_code(config: Mapping[str, Any]) -> dict[str, Path]:
    """Returns the files of the code in the bundle by their name."""
    return {
        name: path for name, path in list_files(SOURCES).items() if is_match(name, config["code"])
    }


def is_match(name: str, patterns: Iterable[str]) -> bool:
    """Returns whether a name in the bundle matches one of the patterns."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def is_unused_data(name: str, services: Set[str]) -> bool:
    """Returns whether a file is the SDK's data of a service that is not in `services`."""
    match name.split("/"):
        case ["botocore", "data", service, _, *_]:
            return service not in services
    return False


def remove_documentation(value: Any) -> Any:
    """Returns a service model, or a part of it, without documentation.

    The documentation is four fifths of the text that a new client parses. The SDK reads only that
    of `clientContextParams`.
    """
    if isinstance(value, dict):
        texts = {
            key for key, item in value.items() if key == "documentation" and isinstance(item, str)
        }
        return {
            key: item if key == "clientContextParams" else remove_documentation(item)
            for key, item in value.items()
            if key not in texts
        }
    return [remove_documentation(item) for item in value] if isinstance(value, list) else value


def reduce_model(model: Mapping[str, Any], operations: Set[str]) -> dict[str, Any]:
    """Returns a service model with these operations and the shapes that they reach.

    Operations that the SDK calls itself, to find endpoints, stay. Raises KeyError for an unknown
    operation.
    """
    own = {name for name, item in model["operations"].items() if item.get("endpointoperation")}
    kept = {name: model["operations"][name] for name in sorted({*operations, *own})}
    shapes: dict[str, Any] = {}
    parts: list[Any] = [kept]
    while parts:
        part = parts.pop()
        name = part.get("shape") if isinstance(part, dict) else None
        # A structure can have a member of the name "shape".
        if isinstance(name, str) and name not in shapes:
            shapes[name] = model["shapes"][name]
            parts.append(shapes[name])
        parts += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return {**model, "operations": kept, "shapes": dict(sorted(shapes.items()))}


def prune_endpoints(endpoints: Mapping[str, Any], prefixes: Set[str]) -> dict[str, Any]:
    """Returns botocore's endpoints.json with only the services of these endpoint prefixes."""
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


def shrink_data(installed: Path, config: Mapping[str, Any]) -> dict[str, bytes]:
    """Returns the smaller replacements for the SDK's data: endpoints, and models as plain JSON.

    Raises BuildError if the SDK has no such service or operation.
    """
    contents: dict[str, Any] = {}
    prefixes = set()
    for service in config["services"]:
        operations = config["operations"].get(service)
        models = sorted(installed.glob(f"botocore/data/{service}/*/*.json.gz"))
        if not models:
            raise BuildError(f"bundle.toml: botocore has no service {service}: correct services")
        for model in models:
            content = json.loads(gzip.decompress(model.read_bytes()))
            if operations and "shapes" in content:
                try:
                    content = reduce_model(content, set(operations))
                except KeyError as error:
                    raise BuildError(
                        f"bundle.toml: {service} of botocore has no operation {error}: correct "
                        "operations"
                    ) from None
            contents[model.relative_to(installed).as_posix().removesuffix(".gz")] = (
                remove_documentation(content)
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

    Raises BuildError if uv fails.
    """
    command = [
        options.uv,
        "pip",
        "install",
        "--quiet",
        "--target",
        directory,
        "--requirements",
        SOURCES / REQUIREMENTS[options.bundle],
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


def collect_contents(installed: Path, config: Mapping[str, Any]) -> dict[str, bytes]:
    """Returns the bundle's files by their name, without byte-compiled ones.

    Modules have blank docstrings, which are a quarter of the text of a source.
    """
    shrunk = shrink_data(installed, config)
    contents = {
        name: path.read_bytes()
        for name, path in list_files(installed).items()
        if not is_match(name, config["leave_out"])
        and not is_unused_data(name, set(config["services"]))
        and name.removesuffix(".gz") not in shrunk
    }
    code = {name: path.read_bytes() for name, path in list_code(config).items()}
    return {
        name: blank_docstrings(content) if name.endswith(".py") else content
        for name, content in (contents | shrunk | code).items()
    }


def find_interpreter(uv: str, version: str) -> tuple[str, str] | None:
    """Returns path and full version of an installed CPython release, or None. Downloads none."""
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


def blank_docstrings(source: bytes) -> bytes:
    """Returns a module's source with blank docstrings and the same lines.

    It is smaller and loads faster, and a traceback has the lines of the original. Comments stay.
    They remain strings, because some code appends to them.
    https://docs.python.org/3/library/ast.html#ast.AST.end_col_offset
    """
    lines = source.splitlines(keepends=True)
    definitions = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    documented = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, definitions) and ast.get_docstring(node, clean=False)
    ]
    docstrings = [node.body[0] for node in documented]
    for docstring in sorted(docstrings, key=lambda node: node.lineno, reverse=True):
        first, last = docstring.lineno - 1, docstring.end_lineno - 1
        # Not empty: a dataclass without a docstring builds one from its signature at each start.
        text = b'""" ' + b"\n" * (last - first) + b'"""'
        lines[first : last + 1] = [
            lines[first][: docstring.col_offset] + text + lines[last][docstring.end_col_offset :]
        ]
    return b"".join(lines)


def compile_modules(
    interpreter: str, contents: Mapping[str, bytes], directory: Path
) -> dict[str, bytes]:
    """Returns the byte-compiled files of the modules in `contents`.

    Python does not compare them with their source. Raises BuildError if a module does not compile.
    """
    names = [name for name in contents if name.endswith(".py")]
    for name in names:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[name])
    # One process, a fixed order and hash seed, so that each build has the same bytes.
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
    """Writes a reproducible zip to a temporary file, then renames it to `output`."""
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            archive.comment = comment.encode()
            for name in sorted(contents):
                entry = zipfile.ZipInfo(name, _EARLIEST_ZIP_TIME)
                # Modes of Unix. On Lambda another user than the owner reads the files.
                entry.create_system = 3
                entry.external_attr = (0o100755 if name.endswith(".so") else 0o100644) << 16
                archive.writestr(entry, contents[name], zipfile.ZIP_DEFLATED, compresslevel=9)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)


def describe_inputs(options: argparse.Namespace, config: Mapping[str, Any], release: str) -> str:
    """Returns the zip's comment: Python version, system and a hash of all inputs.

    A bundle with the same comment is up to date.
    """
    inputs = list_code(config) | {"": Path(__file__)}
    inputs |= {name: SOURCES / name for name in ("bundle.toml", REQUIREMENTS[options.bundle])}
    parts = [(name, hashlib.sha256(path.read_bytes()).hexdigest()) for name, path in inputs.items()]
    parts.append(
        (f"{options.python_version} {options.python_platform} {zlib.ZLIB_RUNTIME_VERSION}", release)
    )
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return f"python{options.python_version} {options.python_platform} {digest}"


def is_current(output: Path, comment: str) -> bool:
    """Returns whether the zip exists, is intact and has this comment."""
    try:
        with zipfile.ZipFile(output) as archive:
            return archive.comment == comment.encode() and archive.testzip() is None
    except (OSError, zipfile.BadZipFile, zlib.error):
        return False


def build(options: argparse.Namespace) -> str:
    """Builds the bundle if it is not up to date. Returns a line about it.

    Raises BuildError and OSError.
    """
    start = time.monotonic()
    config = read_config(options.bundle)
    interpreter, release = find_interpreter(options.uv, options.python_version) or (None, "")
    comment = describe_inputs(options, config, release)
    bundle = f"{options.output} for Python {options.python_version}, {options.python_platform}"
    if is_current(options.output, comment):
        return f"{bundle}: up to date"
    with tempfile.TemporaryDirectory() as directory:
        install(options, Path(directory, "installed"))
        contents = collect_contents(Path(directory, "installed"), config)
        if interpreter:
            modules = {
                name: content
                for name, content in contents.items()
                if not is_match(name, config["not_compiled"])
            }
            contents |= compile_modules(interpreter, modules, Path(directory, "compiled"))
    write_zip(options.output, contents, comment)
    size = f"{options.output.stat().st_size / 1e6:.2f} MB"
    form = (
        "byte-compiled"
        if interpreter
        else f"not byte-compiled, starts slower (Python {options.python_version} is not installed)"
    )
    return f"{bundle}: {size}, {form}, {time.monotonic() - start:.1f} s"


def main() -> None:
    """Builds the bundle of the command line. Prints one line on standard error."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--uv", required=True, help="path of uv")
    parser.add_argument(
        "--python-version", required=True, help="Python version of the function, for example 3.13"
    )
    parser.add_argument(
        "--python-platform",
        required=True,
        help="uv's name of the function's system, for example aarch64-manylinux_2_34",
    )
    parser.add_argument("--bundle", default=FUNCTION, choices=REQUIREMENTS, help="which bundle")
    parser.add_argument("--output", required=True, type=Path, help="path of the zip")
    try:
        say(build(parser.parse_args()))
    except (BuildError, OSError) as error:
        fail(str(error))


if __name__ == "__main__":
    run_program(main)

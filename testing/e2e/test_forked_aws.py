"""The aws cli by a fork is the aws cli: what it is told, what it answers, how it ends."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from support.make import TOOLS, until
from support.shell import another_program

REAL = str(TOOLS / "aws" / "bin" / "aws")
CALL = ("--endpoint-url", "http://127.0.0.1:1", "sts", "get-caller-identity")
CONFIG = "[default]\nregion = ap-south-2\noutput = text\n[profile other]\nregion = sa-east-1\n"


@pytest.fixture(name="shell")
def _shell(tmp_path) -> dict[str, str]:
    """An environment in which nothing is set but what a call needs."""
    (tmp_path / "config").write_text(CONFIG, "utf-8")
    key = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    own = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_MAX_ATTEMPTS": "1",
        "HOME": str(tmp_path),
    }
    return {"PATH": os.environ["PATH"], **key, **own}


def said(
    program: str, shell: dict[str, str], *arguments: str, directory: Path | None = None
) -> tuple[int, str, str]:
    """Status and both streams of a call."""
    ran = subprocess.run(
        [program, *arguments],
        env=shell,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return ran.returncode, ran.stdout, ran.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("nonsense",),
        CALL,
        ("configure", "get", "region"),
        ("configure", "get", "region", "--profile", "other"),
        ("configure", "list", "--profile", "nobody"),
        ("sts", "get-caller-identity", "--endpoint-url", "no address"),
    ],
    ids=" ".join,
)
def test_it_says_and_ends_as_the_cli_itself(aws_cli, shell, arguments):
    assert said(aws_cli, shell, *arguments) == said(REAL, shell, *arguments)


def test_it_has_the_environment_of_each_call_and_of_none_before(aws_cli, shell):
    assert (
        said(aws_cli, shell | {"AWS_PROFILE": "other"}, "configure", "get", "region")[1]
        == "sa-east-1\n"
    )
    assert said(aws_cli, shell, "configure", "get", "region")[1] == "ap-south-2\n"
    assert (
        said(aws_cli, shell | {"AWS_CONFIG_FILE": os.devnull}, "configure", "get", "region")[0] == 1
    )
    bare = shell | {"AWS_CONFIG_FILE": os.devnull}
    assert said(aws_cli, bare, "configure", "list") == said(REAL, bare, "configure", "list")


def test_it_reads_files_from_where_it_is_called(aws_cli, shell, tmp_path):
    call = (
        "--endpoint-url",
        "http://127.0.0.1:1",
        "cloudformation",
        "validate-template",
        "--template-body",
        "file://here.yml",
    )
    assert "here.yml" in said(aws_cli, shell, *call, directory=tmp_path)[2]
    (tmp_path / "here.yml").write_text("Resources: {}", "utf-8")
    assert "Could not connect" in said(aws_cli, shell, *call, directory=tmp_path)[2]


def test_a_call_ends_with_whoever_called(aws_cli, shell):
    with another_program() as program:
        call = [
            aws_cli,
            "--endpoint-url",
            program.url,
            "--cli-read-timeout",
            "0",
            "sts",
            "get-caller-identity",
        ]
        before = processes(aws_cli)
        with subprocess.Popen(
            call, env=shell | {"AWS_MAX_ATTEMPTS": "1000"}, stderr=subprocess.DEVNULL
        ) as caller:
            until(lambda: program.received, "the call is made")
            assert processes(aws_cli) > before
            caller.send_signal(signal.SIGKILL)
        until(lambda: processes(aws_cli) == before, "the call has ended")


def processes(program: str) -> set[str]:
    """The server behind a program, and its calls."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # One that has ended meanwhile.
            if f"{program}.socket".encode() in (path / "cmdline").read_bytes():
                found.add(path.name)
    return found

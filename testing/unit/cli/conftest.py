"""Fixtures of the tests of the command line."""

import io
import json
import signal
import time

import pytest

from ecs_updater.log import logger
from ecs_updater_cli.commands.options import ViewOptions
from ecs_updater_cli.commands.watch import wait_for_batch
from ecs_updater_cli.main import main
from ecs_updater_cli.output.terminal import Printer
from fakes.scripted_batch import batch


@pytest.fixture(autouse=True)
def _shell(monkeypatch, tmp_path):
    """An empty directory, UTC, and no colours unless a test asks for them.

    The process gets its signal handler and the stream of its log back: a local backend moves the
    log to standard error.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    log, level = logger.registered_handler, logger.log_level
    stream, handler = log.stream, signal.getsignal(signal.SIGTERM)
    yield
    log.stream = stream  # Not by setStream, which flushes the stream of this test.
    logger.setLevel(level)
    signal.signal(signal.SIGTERM, handler)
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(name="file")
def _file(tmp_path):
    """Writes the file of deployments that the commands read by default."""

    def write(*events: dict) -> None:
        (tmp_path / "deployments.json").write_text(json.dumps(events), "utf-8")

    return write


@pytest.fixture(name="printer")
def _printer():
    """Prints into memory: the text is ``printer.out()`` and ``printer.err()``."""
    out, error = io.StringIO(), io.StringIO()
    printer = Printer(out, error)
    printer.out, printer.err = out.getvalue, error.getvalue
    return printer


@pytest.fixture(name="run")
def _run(capsys):
    """Runs a command line: exit code, standard output, standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as result:
            main(words)
        out, err = capsys.readouterr()
        return result.value.code, out, err

    return run


@pytest.fixture(name="wait")
def _wait(printer):
    """Waits for a batch of a scripted backend, by default of one service. Returns the exit code."""

    def wait(backend, started=None, printer=printer, **options) -> int:
        started = started or batch([("web", "web:2", None)])
        return wait_for_batch(backend, started, ViewOptions(**options), printer, backend.time.clock)

    return wait

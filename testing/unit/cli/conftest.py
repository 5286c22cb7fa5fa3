"""What the tests of the command line share."""

import io
import time

import pytest

from ecs_updater.log import logger
from ecs_updater_cli.main import main
from ecs_updater_cli.output.terminal import Printer


@pytest.fixture(autouse=True)
def _utc(monkeypatch):
    """One time of day for all, and no colours but where a test wants them."""
    monkeypatch.setenv("TZ", "UTC")
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def _log():
    """Gives the log its stream back: a local backend moves it to standard error."""
    handler, level = logger.registered_handler, logger.log_level
    stream = handler.stream
    yield
    handler.stream = stream  # Not by setStream, which flushes the one of this test.
    logger.setLevel(level)


@pytest.fixture(name="printer")
def _printer():
    """Prints into memory: what was printed is ``printer.out()`` and ``printer.err()``."""
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

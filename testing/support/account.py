"""An emulator that stands in for an account, so that what is done to accounts can be seen."""

import platform
import sys

from .inventory import inventory
from .make import Workspace

NUMBER = "000000000000"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
# What a run against it is told. The account's functions are run by this machine's Python.
ON_ACCOUNT = {
    "TARGET": "aws",
    "YES": "1",
    "DELETION_PROTECTION": "false",  # make clean removes everything at the end of a test.
    "LAMBDA_RUNTIME": f"python{sys.version_info.major}.{sys.version_info.minor}",
    "LAMBDA_ARCH": platform.machine().replace("aarch64", "arm64"),
}


class Account:
    """An emulator that stands in for an account: runs in other build directories reach it as they
    would reach AWS.
    """

    def __init__(self, emulator: Workspace):
        self._emulator = emulator
        started = emulator.make("emulator-up")
        assert started.status == 0, started.output
        self.endpoint = f"http://127.0.0.1:{emulator.port}"
        # What leads a shell to it.
        self.shell = CREDENTIALS | {"AWS_ENDPOINT_URL": self.endpoint}

    def inventory(self, service: str | None = None) -> set[str]:
        """What is in it, of one service or of all."""
        return inventory(self.endpoint, service=service)

    def end(self) -> None:
        """Stops it."""
        assert self._emulator.make("emulator-down").status == 0

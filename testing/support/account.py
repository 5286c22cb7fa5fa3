"""An emulator that stands in for an AWS account."""

import platform
import sys

from .inventory import inventory
from .make import Workspace

NUMBER = "000000000000"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
# Settings of a run against it. Functions run with this machine's Python.
ON_ACCOUNT = {
    "TARGET": "aws",
    "YES": "1",
    "DELETION_PROTECTION": "false",  # make clean removes everything at the end of a test.
    "LAMBDA_RUNTIME": f"python{sys.version_info.major}.{sys.version_info.minor}",
    "LAMBDA_ARCH": platform.machine().replace("aarch64", "arm64"),
}


class Account:
    """An emulator as an account. Runs in other build directories reach it like AWS: `shell` has its
    endpoint and credentials.
    """

    def __init__(self, emulator: Workspace):
        self._emulator = emulator
        emulator.make("emulator-up").succeeded()
        self.endpoint, self.client = emulator.endpoint, emulator.client
        self.shell = CREDENTIALS | {"AWS_ENDPOINT_URL": self.endpoint}

    def inventory(self, service: str | None = None) -> set[str]:
        """Resources of one service, or of all."""
        return inventory(self.endpoint, service=service)

    def end(self) -> None:
        """Stops the emulator."""
        assert self._emulator.make("emulator-down").status == 0

"""Invokes the reconciler as EventBridge does. The emulator sends no events of ECS."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError


@contextmanager
def waking(functions: Any, name: str, seconds: float) -> Iterator[None]:
    """Invokes a function with the client `functions` every `seconds` until the end of the block."""
    is_over = threading.Event()

    def wake() -> None:
        while not is_over.wait(seconds):
            # The next time will do.
            with suppress(BotoCoreError, ClientError):
                functions.invoke(FunctionName=name, Payload=b"{}")["Payload"].read()

    thread = threading.Thread(target=wake)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()

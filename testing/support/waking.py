"""Wakes the completer as EventBridge does with ECS's events, which the emulator has not."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError


@contextmanager
def waking(functions: Any, name: str, seconds: float) -> Iterator[None]:
    """Invokes the function of this name with the client ``functions`` every so many ``seconds``,
    until the end of the block.
    """
    is_over = threading.Event()

    def wake() -> None:
        while not is_over.wait(seconds):
            # It is only asked to look: the next time will do.
            with suppress(BotoCoreError, ClientError):
                functions.invoke(FunctionName=name, Payload=b"{}")["Payload"].read()

    thread = threading.Thread(target=wake)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()

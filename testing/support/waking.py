"""Repeats an action in a thread, such as the calls of EventBridge, which an emulator lacks."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError


@contextmanager
def repeating(action: Callable[[], object], seconds: float) -> Iterator[None]:
    """Calls an action every `seconds` until the end of the block."""
    is_over = threading.Event()

    def repeat() -> None:
        while not is_over.wait(seconds):
            action()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@contextmanager
def waking(functions: Any, name: str, seconds: float) -> Iterator[None]:
    """Invokes a function with the client `functions` every `seconds` until the end of the block."""

    def invoke() -> None:
        with suppress(BotoCoreError, ClientError):  # The next time will do.
            functions.invoke(FunctionName=name, Payload=b"{}")["Payload"].read()

    with repeating(invoke, seconds):
        yield

"""How many requests to AWS one piece of work costs, whatever else the process does at the same
time.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_OWN: ContextVar[Counter[str] | None] = ContextVar("calls", default=None)
_LOCK = threading.Lock()


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Counts the requests that this context sends until the end of the block, by operation, retries
    included.

    A thread has a context of its own: work that hands a part of itself to other threads runs them
    in a copy of its context.
    """
    calls = Counter[str]()
    token = _OWN.set(calls)
    try:
        yield calls
    finally:
        _OWN.reset(token)


def count(operation: str) -> None:
    """Counts a request of this context."""
    calls = _OWN.get()
    if calls is not None:
        with _LOCK:
            calls[operation] += 1

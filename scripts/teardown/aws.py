"""What AWS answers: tags, errors, and what has to be waited for."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0

# Parts of the error codes of a resource that is missing, and of one that another one still needs.
_MISSING = re.compile("404|DoesNotExist|NoSuch|NonExistent|NotActive|NotAttached|NotFound")
_IN_USE = re.compile("Aborted|Concurrent|Conflict|Contains|Dependency|InProgress|InUse|NotEmpty")


class StillThere(Exception):
    """A resource was not removed within its time, or AWS refused it; the message says why."""


def reason(error: Exception) -> str:
    """Returns the text of an error on one line."""
    return " ".join(str(error).split())


@contextmanager
def skipping_missing() -> Iterator[None]:
    """Ends a block early where its resource, or stack, is missing."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        is_stack = code == "ValidationError" and "does not exist" in str(error)
        if not is_stack and not _MISSING.search(code):
            raise


def until(done: Callable[[], object], seconds: float, state: str = "") -> bool:
    """Calls a function until its result is true; returns False when the seconds are over.

    Also calls it again while AWS refuses because a resource is in use. In the end raises that
    ClientError, or StillThere with the state if there is one.
    """
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE
    while True:
        is_over = time.monotonic() > deadline
        try:
            if done():
                return True
        except ClientError as error:
            if is_over or not _IN_USE.search(error.response["Error"]["Code"]):
                raise
        if is_over and state:
            raise StillThere(f"{state} after {seconds} seconds")
        if is_over:
            return False
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def tags_in(answer: Mapping[str, Any]) -> dict[str, str]:
    """Returns the tags of an answer, in the spelling of any service, as a dictionary."""
    tags = answer.get("Tags") or answer.get("tags") or {}
    if isinstance(tags, dict):
        return tags
    return {tag.get("Key", tag.get("key")): tag.get("Value", tag.get("value")) for tag in tags}

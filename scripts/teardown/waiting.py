"""Waiting with a bound, and trying again while AWS says that something is still in use."""

import time
from collections.abc import Callable

from botocore.exceptions import ClientError

from teardown.project import code

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
# A task's network interface outlives it by up to a minute or two, and IAM hears of a change within
# seconds.
IN_USE_SECONDS = 180

_IN_USE = {
    "BucketNotEmpty",
    "ClusterContainsContainerInstancesException",
    "ClusterContainsTasksException",
    "ConcurrentModification",
    "ConflictException",
    "DeleteConflict",
    "DependencyViolation",
    "OperationAborted",
    "OperationAbortedException",
    "ResourceConflictException",
    "ResourceInUse",
    "ResourceInUseException",
    "ScalingActivityInProgress",
    "UpdateInProgressException",
}


def until(done: Callable[[], bool], seconds: float) -> bool:
    """Asks until the answer is true; returns False when it is not within the time."""
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
    return True


def is_in_use(error: ClientError) -> bool:
    """Tells whether the error says that something else still needs the thing, which may pass."""
    return code(error) in _IN_USE


def persist(call: Callable[[], object], seconds: float = IN_USE_SECONDS) -> None:
    """Makes a call again while the thing is in use.

    Raises the last error when it still is after the time.
    """
    refused: list[ClientError] = []

    def done() -> bool:
        try:
            call()
        except ClientError as error:
            if not is_in_use(error):
                raise
            refused.append(error)
            return False
        return True

    if not until(done, seconds):
        raise refused[-1]

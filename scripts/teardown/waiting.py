"""Bounded waiting, and new attempts while a resource is still in use."""

import time
from collections.abc import Callable

from botocore.exceptions import ClientError

from teardown.project import code

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
# A task's network interface stays for up to two minutes, and changes reach IAM within seconds.
IN_USE_SECONDS = 180

_IN_USE = {
    *("BucketNotEmpty", "ConcurrentModification", "ConflictException", "DeleteConflict"),
    *("ClusterContainsContainerInstancesException", "ClusterContainsTasksException"),
    *("DependencyViolation", "OperationAborted", "OperationAbortedException"),
    *("ResourceConflictException", "ResourceInUse", "ResourceInUseException"),
    *("ScalingActivityInProgress", "UpdateInProgressException"),
}


def until(done: Callable[[], bool], seconds: float) -> bool:
    """Waits until a condition holds; returns False when it does not within the time."""
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
    return True


def is_in_use(error: ClientError) -> bool:
    """Whether another resource still needs this one, which is temporary."""
    return code(error) in _IN_USE


def persist(call: Callable[[], object], seconds: float = IN_USE_SECONDS) -> None:
    """Makes a call again while the resource is in use. Raises the last error after the time."""
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

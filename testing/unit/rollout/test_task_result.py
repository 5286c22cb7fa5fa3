"""How a one-off task ended, from ECS's description of it."""

import pytest

from ecs_updater.rollout.task_result import result_of


def stopped(status="STOPPED", code=None, reason="", stop="EssentialContainerExited", why=""):
    """Returns a task whose container `app` has ended so, after a sidecar."""
    app = {"name": "app", "reason": reason}
    return {
        "taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/c/1",
        "lastStatus": status,
        "desiredStatus": "RUNNING" if status == "RUNNING" else "STOPPED",
        "containers": [
            {"name": "sidecar", "exitCode": 0 if status == "STOPPED" else None},
            app if code is None else {**app, "exitCode": code},
        ],
        **({"stopCode": stop, "stoppedReason": why} if status == "STOPPED" else {}),
    }


EXITED = "Essential container in task exited"
PULL = "CannotPullContainerError: manifest unknown"


@pytest.mark.parametrize(
    "task, reason, code, succeeded",
    [
        (stopped(code=0, why=EXITED), "container app exited with code 0", 0, True),
        (stopped("RUNNING", 0), "container app exited with code 0", 0, True),
        (stopped("RUNNING", 2), "container app exited with code 2", 2, False),
        (stopped(code=1, why=EXITED), f"container app exited with code 1: {EXITED}", 1, False),
        (
            stopped(code=137, reason="OutOfMemoryError: killed", why=EXITED),
            f"container app ran out of memory (exit code 137): {EXITED}",
            137,
            False,
        ),
        (
            stopped(stop="TaskFailedToStart", why=PULL),
            f"the image could not be pulled: {PULL}",
            None,
            False,
        ),
        (
            stopped(code=0, stop="SpotInterruption", why="Your Spot Task was\ninterrupted."),
            "the task was stopped (SpotInterruption): Your Spot Task was interrupted",
            0,
            False,
        ),
        (
            stopped(stop="EssentialContainerExited", why=EXITED),
            f"a task stopped: {EXITED}",
            None,
            False,
        ),
    ],
)
def test_only_exit_code_0_of_the_container_is_a_success(task, reason, code, succeeded):
    result = result_of(task, "app")
    assert (result.reason, result.exit_code, result.has_succeeded) == (reason, code, succeeded)
    assert result.has_stopped is (task["lastStatus"] == "STOPPED")


@pytest.mark.parametrize("status", ["PROVISIONING", "PENDING", "RUNNING", "DEPROVISIONING"])
def test_a_task_without_an_exit_code_goes_on_until_it_has_stopped(status):
    assert result_of(stopped(status), "app") is None

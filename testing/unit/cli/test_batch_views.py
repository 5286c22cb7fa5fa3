"""A batch while it is watched: states, changes, waves, and the loop."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import pytest

from ecs_updater_cli.batch.state import State, Status, TaskCounts, status_of, with_stage
from ecs_updater_cli.batch.tracker import Tracker
from ecs_updater_cli.batch.watcher import PATIENCE_SECONDS, View, Watcher
from ecs_updater_cli.errors import AwsError
from fakes.scripted_batch import START, ScriptedBackend, batch

GOOD, BAD = Status(State.SUCCEEDED), Status(State.FAILED, "it died")


class RecordedView(View):
    """Keeps what is shown."""

    def __init__(self, clock):
        super().__init__(None, clock)
        self.changes: list[tuple[str, str]] = []

    def show_changes(self, _, changed):
        """Notes service and state."""
        self.changes += [(row.service, row.state.value) for row in changed]


class WatchedBatch:
    """A batch of services ``a``, ``b`` … in these groups, whose backend plays the steps."""

    def __init__(self, groups: str, *steps: Mapping[int, Status], first: int | None = None):
        """The others wait for the task of the member `first`, if any."""
        names = zip("abcdefgh", groups, strict=False)
        started = batch([(name, "i", None if group == "-" else group) for name, group in names])
        members = [
            replace(member, after_task_of=first if member.number != first else None)
            for member in started.members
        ]
        self.tracker = Tracker(members, START)
        self.backend = ScriptedBackend(*steps)
        self.time = self.backend.time
        self.view = RecordedView(self.time.clock)
        self.watcher = Watcher(self.tracker, self.backend, self.view, self.time.clock)


ITEM = {
    "cluster_arn": "arn:c",
    "service_arn": "arn:s",
    "state": "DEPLOYED",
    "before": {"task_definition_arn": "arn:aws:ecs:e:1:task-definition/web:6"},
    "after": {"task_definition_arn": "arn:aws:ecs:e:1:task-definition/web:7"},
    "begun_at": "2027-01-15T08:00:00.000Z",
    "deployment_id": "ecs-svc/1",
}
ROLLBACK = {"task_definition_arn": "x/web:6"}
IMAGES = {"app": "web:1", "job": "web:1", "log": "log:2"}
RESTORED = {"action": "rollback", "after": {**ITEM["after"], "images": IMAGES}}


HOOK = {"id": "ecs-pause-1", "awaits": "approval", "until": "2027-01-15T09:00Z", "then": "ROLLBACK"}
PAUSED = {"rollout": {"strategy": "BLUE_GREEN", "stage": "PRE_SCALE_UP", "hook": HOOK}}


def answered(hook_id, is_confirmed=True):
    """The field with the answer to a hook."""
    answer = {"hook_id": hook_id, "action": "CONTINUE", "caller": "me", "at": "2027-01-15T08:01Z"}
    return {"approvals": [{**answer, "is_confirmed": is_confirmed}]}


def ended(verdict, cause="", **fields):
    """Fields of an update that is over."""
    return {"state": "ENDED", "verdict": verdict, "cause": cause, **fields}


@pytest.mark.parametrize(
    ("item", "state", "cause"),
    [
        ({"state": "BEGUN"}, "begun", ""),
        ({"state": "REGISTERED"}, "begun", ""),
        ({"state": "TAGGED"}, "begun", ""),
        ({"state": "RUNNING_TASK", "task": {}}, "running task", ""),
        (
            {"state": "RUNNING_TASK", "task": {"task_arn": "arn:task/shop/1f", "container": "app"}},
            "running task",
            "task 1f",
        ),
        ({}, "deploying", "to web:7"),
        (RESTORED, "deploying", "to web:7 (web:1, log:2)"),
        ({**RESTORED, "state": "ROLLING_BACK"}, "rolling back", ""),
        (
            PAUSED,
            "awaiting approval",
            "to web:7, hook ecs-pause-1 at PRE_SCALE_UP until 2027-01-15T09:00Z, then ROLLBACK",
        ),
        ({**PAUSED, **answered("ecs-pause-1", is_confirmed=False)}, "awaiting approval", None),
        ({**PAUSED, **answered("ecs-pause-1")}, "deploying", "to web:7"),
        ({**PAUSED, **answered("ecs-pause-0")}, "awaiting approval", None),
        ({"rollout": {"hook": {**HOOK, "awaits": "function"}}}, "deploying", "to web:7"),
        ({**PAUSED, **ended("SUCCEEDED", "it runs")}, "succeeded", "it runs"),
        (
            {**RESTORED, **ended("SUCCEEDED", "1 of 1 run")},
            "succeeded",
            "1 of 1 run (web:1, log:2)",
        ),
        (
            {"state": "ROLLING_BACK", "rollback": ROLLBACK, "cause": "it died"},
            "rolling back",
            "back to web:6, it died",
        ),
        (ended("SUCCEEDED", "2 of 3 tasks run web:7"), "succeeded", "2 of 3 tasks run web:7"),
        (ended("NO_CHANGE", "only tags changed"), "unchanged", "only tags changed"),
        (ended("FAILED", "[ERROR][ecs_service_rollout] FAILED: died"), "failed", "died"),
        (ended("NOT_DEPLOYED", "[ERROR][ecs_service_read] x not found"), "failed", "x not found"),
        (ended("INTERRUPTED"), "failed", ""),
        (ended("ROLLED_BACK"), "rolled back", ""),
        (
            ended("ROLLBACK_FAILED", "[ERROR][ecs_service_rollout] ROLLBACK_FAILED: died"),
            "rollback failed",
            "died",
        ),
        (ended("SUPERSEDED"), "superseded", ""),
        (ended("STOPPED"), "stopped", ""),
        (ended("NOT_STARTED"), "not started", ""),
        (ended("NOT_DEPLOYED", may_be_repeated=True), "retrying", ""),
    ],
)
def test_an_entry_of_the_ledger_is_a_state_in_words(item, state, cause):
    status = status_of({**ITEM, **item})
    assert (status.state.value, status.begun_at) == (state, START)
    assert cause in (None, status.cause)
    assert status.hook_id == ("ecs-pause-1" if state == "awaiting approval" else None)
    assert status.arn_before.endswith("/web:6") and status.arn_after.endswith("/web:7")


BEGUN, UNCHANGED = Status(State.BEGUN), Status(State.UNCHANGED)
IN_EACH_STATE = {
    number: Status(state)
    for number, state in enumerate(
        (
            State.QUEUED,
            State.BEGUN,
            State.RETRYING,
            State.DEPLOYING,
            State.ROLLING_BACK,
            State.SUCCEEDED,
        ),
        1,
    )
}


@pytest.mark.parametrize(
    ("groups", "steps", "is_resumed", "started", "states"),
    [
        (
            "x-x-y",
            [{2: GOOD}, {4: GOOD}, {1: GOOD, 3: UNCHANGED}, {5: GOOD}],
            False,
            [[2, 4], [1, 3], [5]],
            "ssuss",
        ),
        ("-xyy", [{1: GOOD}, {2: BAD}], False, [[1], [2]], "sfnn"),
        ("--xx", [{1: GOOD}, {2: GOOD}, {3: GOOD, 4: GOOD}], True, [[2], [3, 4]], "ssss"),
        ("------", [IN_EACH_STATE, dict.fromkeys(range(1, 6), GOOD)], True, [[1, 2, 3]], "s" * 6),
    ],
    ids=[
        "one after another, in the order of their groups",
        "none after one that does not succeed",
        "what has not started, and the following waves, of a resumed batch",
        # The process of the next attempt may have ended. Starting an update twice has no effect.
        "what neither rolls out nor is over, of a resumed batch",
    ],
)
def test_waves_are_started(groups, steps, is_resumed, started, states):
    watched = WatchedBatch(groups, *steps)
    if is_resumed:
        watched.watcher.poll()
    assert watched.watcher.wait() is True
    assert watched.backend.started == started
    assert "".join(row.state[0] for row in watched.tracker.rows) == states


RUNNING = Status(State.RUNNING_TASK)
DEPLOYING = Status(State.DEPLOYING, has_run_task=True)


@pytest.mark.parametrize(
    ("steps", "started", "states"),
    [
        ([{2: RUNNING}, {2: DEPLOYING}, {1: GOOD, 3: GOOD}, {2: GOOD}], [[2], [1, 3]], "sss"),
        ([{2: RUNNING}, {2: BAD}], [[2]], "nfn"),
        ([{2: replace(BAD, has_run_task=True)}, {1: GOOD, 3: GOOD}], [[2], [1, 3]], "sfs"),
        ([{2: UNCHANGED}, {1: GOOD, 3: GOOD}], [[2], [1, 3]], "sus"),
    ],
    ids=["a success", "a failure", "a rollout that fails after it", "nothing to deploy"],
)
@pytest.mark.parametrize("is_resumed", [False, True])
def test_the_others_of_a_group_start_after_the_task_of_the_first_has_succeeded(
    steps, started, states, is_resumed
):
    watched = WatchedBatch("---", *steps, first=2)
    if is_resumed:
        watched.watcher.poll()
        # A task that runs and an update that is over are not started again.
        started = [[], *started[1:]]
    assert watched.watcher.wait() is True
    assert [numbers for numbers in watched.backend.started if numbers or is_resumed] == started
    assert "".join(row.state[0] for row in watched.tracker.rows) == states
    (cause,) = {row.status.cause for row in watched.tracker.rows if row.state[0] == "n"} or {""}
    assert cause in ("", "shop/b, whose run_before comes first, did not succeed")


def test_each_change_is_shown_once_and_an_update_that_is_not_started_names_the_cause():
    watched = WatchedBatch("--x", {1: BEGUN}, {}, {1: GOOD, 2: BEGUN}, {2: BAD})
    assert watched.watcher.wait() is True
    assert watched.view.changes == [
        ("a", "begun"),
        ("a", "succeeded"),
        ("b", "begun"),
        ("b", "failed"),
        ("c", "not started"),
    ]
    assert watched.tracker.rows[2].status.cause == "shop/b of an earlier wave did not succeed"


@pytest.mark.parametrize(("is_transient", "seconds"), [(True, PATIENCE_SECONDS + 1), (False, 0)])
def test_an_error_of_aws_ends_the_wait_at_once_unless_a_retry_may_help(is_transient, seconds):
    watched = WatchedBatch("-")

    def never(_):
        raise AwsError("no answer", is_transient=is_transient)

    watched.backend.poll = never
    with pytest.raises(AwsError, match="no answer"):
        watched.watcher.wait()
    assert watched.time.moment == START + seconds


@pytest.mark.parametrize("error", [AwsError("throttled", is_transient=True), KeyboardInterrupt()])
def test_a_wave_whose_start_fails_or_is_interrupted_is_left_to_start(error):
    watched = WatchedBatch("--x", {1: GOOD, 2: GOOD}, {3: GOOD})
    begin, errors = watched.backend.start, [error]

    def shaky(members):
        if errors:
            raise errors.pop()
        begin(members)

    watched.backend.start = shaky
    with suppress(KeyboardInterrupt):
        watched.watcher.wait()
    assert watched.watcher.wait() is True
    assert watched.backend.started == [[1, 2], [3]] and not watched.tracker.waves_left


def test_another_hook_is_a_change_and_the_same_one_is_none():
    first, second = (Status(State.AWAITING_APPROVAL, hook_id=hook) for hook in ("1", "2"))
    watched = WatchedBatch("-", {1: first}, {1: first}, {1: second}, {1: GOOD})
    assert watched.watcher.wait() is True
    states = [state for _, state in watched.view.changes]
    assert states == ["awaiting approval", "awaiting approval", "succeeded"]


def test_counts_of_tasks_are_kept_until_the_final_status_has_its_own():
    watched = WatchedBatch(
        "-", {1: Status(State.DEPLOYING)}, {}, {1: Status(State.SUCCEEDED, "2 of 2 tasks run a:1")}
    )
    watched.watcher.poll()
    watched.tracker.apply_counts({1: TaskCounts(1, 2)}, START)
    watched.watcher.poll()
    assert watched.tracker.rows[0].counts == TaskCounts(1, 2)
    watched.watcher.poll()
    watched.tracker.apply_counts({1: TaskCounts(0, 9)}, START)
    assert watched.tracker.rows[0].counts == TaskCounts(2, 2)


@pytest.mark.parametrize(
    "stage, wanted, state",
    [
        ("BAKE_TIME", "BAKE_TIME", State.STAGE_REACHED),
        ("CLEAN_UP", "BAKE_TIME", State.STAGE_REACHED),
        ("SCALE_UP", "BAKE_TIME", State.DEPLOYING),
        ("BAKE_TIME", "complete", State.DEPLOYING),
        ("OF_THE_FUTURE", "BAKE_TIME", State.DEPLOYING),
    ],
)
def test_a_rollout_that_has_reached_the_stage_of_its_event_is_over_for_the_caller(
    stage, wanted, state
):
    item = {**ITEM, "state": "DEPLOYED", "rollout": {"stage": stage}}
    status = with_stage(status_of(item), item, wanted)
    assert status.state is state and (stage in status.cause) == (state is State.STAGE_REACHED)
    assert with_stage(status_of({**ITEM, **ended("FAILED")}), item, wanted).state is State.FAILED

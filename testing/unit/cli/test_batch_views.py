"""A batch while it is watched: states, what changed, waves, and the loop."""

from collections.abc import Mapping

import pytest

from ecs_updater_cli.batch.state import State, Status, TaskCounts, status_of
from ecs_updater_cli.batch.tracker import Tracker
from ecs_updater_cli.batch.watcher import PATIENCE_SECONDS, Watcher
from ecs_updater_cli.batch.waves import Waves, waves_of
from ecs_updater_cli.errors import AwsError
from fakes.scripted_batch import START, ScriptedClock, ScriptedDoor, batch

GOOD, BAD = Status(State.SUCCEEDED), Status(State.FAILED, "it died")


class Told:
    """What was shown."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str, str]] = []
        self.troubles: list[str] = []

    def show_changes(self, tracker, changes):
        """Notes service, state before and after."""
        del tracker
        self.changes += [
            (change.row.service, change.before.value, change.row.state.value) for change in changes
        ]

    def show_problem(self, sentence):
        """Notes it."""
        self.troubles.append(sentence)


class Played:
    """A batch of services ``a``, ``b`` … in these groups, behind which the steps are played."""

    def __init__(self, groups: str, *steps: Mapping[int, Status]):
        names = "abcdefgh"[: len(groups)]
        begun = batch(
            [
                (name, "i", None if group == "-" else group)
                for name, group in zip(names, groups, strict=True)
            ]
        )
        self.time, self.told = ScriptedClock(), Told()
        self.tracker = Tracker(begun.members, START)
        self.waves = Waves(waves_of({member.number: member.group for member in begun.members}))
        self.backend = ScriptedDoor(steps, self.time)
        self.watcher = Watcher(self.tracker, self.backend, self.waves, self.told, self.time.clock)

    def states(self) -> str:
        """The first letters of the states."""
        return "".join(row.state[0] for row in self.tracker.rows)


ITEM = {
    "cluster_arn": "arn:c",
    "service_arn": "arn:s",
    "state": "DEPLOYED",
    "after": {"task_definition_arn": "arn:aws:ecs:e:1:task-definition/web:7"},
    "begun_at": "2027-01-15T08:00:00.000Z",
    "deployment_id": "ecs-svc/1",
}


@pytest.mark.parametrize(
    ("item", "state", "cause"),
    [
        ({"state": "BEGUN"}, "begun", ""),
        ({"state": "REGISTERED"}, "begun", ""),
        ({"state": "TAGGED"}, "begun", ""),
        ({}, "deploying", "to web:7"),
        (
            {
                "state": "ROLLING_BACK",
                "rollback": {"task_definition_arn": "x/web:6"},
                "cause": "it died",
            },
            "rolling back",
            "back to web:6, it died",
        ),
        (
            {"state": "ENDED", "verdict": "SUCCEEDED", "cause": "2 of 3 tasks run web:7"},
            "succeeded",
            "2 of 3 tasks run web:7",
        ),
        (
            {"state": "ENDED", "verdict": "NO_CHANGE", "cause": "only tags changed"},
            "unchanged",
            "only tags changed",
        ),
        (
            {
                "state": "ENDED",
                "verdict": "FAILED",
                "cause": "[ERROR][ecs_service_rollout] FAILED: died",
            },
            "failed",
            "died",
        ),
        (
            {
                "state": "ENDED",
                "verdict": "NOT_DEPLOYED",
                "cause": "[ERROR][ecs_service_read] x not found",
            },
            "failed",
            "x not found",
        ),
        ({"state": "ENDED", "verdict": "INTERRUPTED"}, "failed", ""),
        ({"state": "ENDED", "verdict": "ROLLED_BACK"}, "rolled back", ""),
        ({"state": "ENDED", "verdict": "SUPERSEDED"}, "superseded", ""),
        ({"state": "ENDED", "verdict": "STOPPED"}, "stopped", ""),
        ({"state": "ENDED", "verdict": "NOT_STARTED"}, "not started", ""),
        ({"state": "ENDED", "verdict": "NOT_DEPLOYED", "may_be_repeated": True}, "retrying", ""),
    ],
)
def test_an_entry_of_the_ledger_is_a_state_in_words(item, state, cause):
    status = status_of({**ITEM, **item})
    assert (status.state.value, status.cause, status.begun_at) == (state, cause, START)


def test_a_batch_is_followed_to_its_end_and_each_change_is_told_once():
    played = Played("--", {1: Status(State.BEGUN)}, {}, {1: GOOD, 2: Status(State.BEGUN)}, {2: BAD})
    assert played.watcher.wait() is True
    first = [("a", "queued", "begun"), ("a", "begun", "succeeded")]
    assert played.told.changes == [*first, ("b", "queued", "begun"), ("b", "begun", "failed")]
    assert played.backend.begun == [[1, 2]] and not played.tracker.is_good


def test_waves_come_one_after_another_in_the_order_of_their_groups():
    steps = [{2: GOOD}, {4: GOOD}, {1: GOOD, 3: Status(State.UNCHANGED)}, {5: GOOD}]
    played = Played("x-x-y", *steps)
    assert played.watcher.wait() is True
    assert played.backend.begun == [[2, 4], [1, 3], [5]]


def test_a_wave_that_does_not_succeed_is_the_last():
    played = Played("-xyy", {1: GOOD}, {2: BAD})
    assert played.watcher.wait() is True
    assert played.states() == "sfnn" and played.backend.begun == [[1], [2]]
    assert played.tracker.rows[3].status.cause == "shop/b of an earlier wave did not succeed"


def test_who_comes_back_begins_what_was_not_begun_and_goes_on_with_the_waves():
    played = Played("--xx", {1: GOOD}, {2: GOOD}, {3: GOOD, 4: GOOD})
    played.watcher.poll()
    assert played.watcher.wait() is True
    assert played.backend.begun == [[2], [3, 4]]


def test_who_comes_back_begins_again_whatever_neither_rolls_nor_is_over():
    """Who was to try it again, or was in the middle of it, may have ended.

    To begin twice is harmless, not to begin is for ever.
    """
    states = (
        State.QUEUED,
        State.BEGUN,
        State.RETRYING,
        State.DEPLOYING,
        State.ROLLING_BACK,
        State.SUCCEEDED,
    )
    before = {number: Status(state) for number, state in enumerate(states, 1)}
    played = Played("------", before, dict.fromkeys(range(1, 6), GOOD))
    played.watcher.poll()
    assert played.watcher.wait() is True
    assert played.backend.begun == [[1, 2, 3]]


def test_trouble_that_does_not_pass_ends_it():
    played = Played("-")

    def never(_):
        raise AwsError("no answer", is_transient=True)

    played.backend.poll = never
    with pytest.raises(AwsError, match="no answer"):
        played.watcher.wait()
    assert played.time.moment == START + PATIENCE_SECONDS + 1


def test_what_is_not_permitted_ends_it_at_once():
    played = Played("-")

    def never(_):
        raise AwsError("not permitted")

    played.backend.poll = never
    with pytest.raises(AwsError, match="not permitted"):
        played.watcher.wait()
    assert played.time.moment == START


def test_a_wave_that_could_not_be_begun_is_begun_again():
    played = Played("-", {1: GOOD})
    begin, failures = played.backend.start, [AwsError("throttled", is_transient=True)]

    def shaky(members):
        if failures:
            raise failures.pop()
        begin(members)

    played.backend.start = shaky
    assert played.watcher.wait() is True
    assert played.backend.begun == [[1]]


def test_a_wave_in_the_middle_of_which_somebody_leaves_is_left_to_begin():
    played = Played("--x", {1: GOOD, 2: GOOD})
    assert played.waves.left == {1, 2, 3}

    def interrupted(_):
        raise KeyboardInterrupt

    begin, played.backend.start = played.backend.start, interrupted
    with pytest.raises(KeyboardInterrupt):
        played.watcher.wait()
    assert played.waves.left == {1, 2, 3}
    played.backend.start = begin
    played.watcher.wait(0)
    assert played.backend.begun == [[1, 2], [3]] and not played.waves.left


def test_tasks_are_kept_until_the_end_tells_its_own():
    played = Played(
        "-", {1: Status(State.DEPLOYING)}, {}, {1: Status(State.SUCCEEDED, "2 of 2 tasks run a:1")}
    )
    played.watcher.poll()
    played.tracker.apply_counts({1: TaskCounts(1, 2)})
    played.watcher.poll()
    assert played.tracker.rows[0].counts == TaskCounts(1, 2)
    played.watcher.poll()
    played.tracker.apply_counts({1: TaskCounts(0, 9)})
    assert played.tracker.rows[0].counts == TaskCounts(2, 2)

"""A batch while it is watched: states, what changed, waves, and the loop."""

from collections.abc import Mapping

import pytest

from cli.scripted import START, ScriptedClock, ScriptedDoor, batch
from ecs_updater_cli.batch.state import Counts, Seen, State, seen_in
from ecs_updater_cli.batch.tracker import Board
from ecs_updater_cli.batch.watcher import PATIENCE_SECONDS, Following
from ecs_updater_cli.batch.waves import Waves, waves_of
from ecs_updater_cli.errors import Trouble

GOOD, BAD = Seen(State.SUCCEEDED), Seen(State.FAILED, "it died")


class Told:
    """What was shown."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str, str]] = []
        self.troubles: list[str] = []

    def changed(self, board, changes):
        """Notes service, state before and after."""
        del board
        self.changes += [
            (change.row.service, change.before.value, change.row.state.value) for change in changes
        ]

    def trouble(self, sentence):
        """Notes it."""
        self.troubles.append(sentence)


class Played:
    """A batch of services ``a``, ``b`` … in these groups, behind which the steps are played."""

    def __init__(self, groups: str, *steps: Mapping[int, Seen]):
        names = "abcdefgh"[: len(groups)]
        begun = batch(
            [
                (name, "i", None if group == "-" else group)
                for name, group in zip(names, groups, strict=True)
            ]
        )
        self.time, self.told = ScriptedClock(), Told()
        self.board = Board(begun.members, START)
        self.waves = Waves(waves_of({member.number: member.group for member in begun.members}))
        self.door = ScriptedDoor(steps, self.time)
        self.following = Following(self.board, self.door, self.waves, self.told, self.time.clock)

    def states(self) -> str:
        """The first letters of the states."""
        return "".join(row.state[0] for row in self.board.rows)


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
    seen = seen_in({**ITEM, **item})
    assert (seen.state.value, seen.cause, seen.begun_at) == (state, cause, START)


def test_a_success_tells_its_tasks_itself():
    assert seen_in(
        {**ITEM, "state": "ENDED", "verdict": "SUCCEEDED", "cause": "2 of 3 tasks run web:7"}
    ).counts == Counts(2, 3)


def test_every_state_is_either_good_or_bad_or_goes_on():
    over = [state for state in State if state.is_over]
    assert [state for state in over if state.is_good == state.is_bad] == []
    assert [state.value for state in State if not state.is_over] == [
        "queued",
        "begun",
        "deploying",
        "rolling back",
        "retrying",
    ]


def test_a_batch_is_followed_to_its_end_and_each_change_is_told_once():
    played = Played("--", {1: Seen(State.BEGUN)}, {}, {1: GOOD, 2: Seen(State.BEGUN)}, {2: BAD})
    assert played.following.follow() is True
    first = [("a", "queued", "begun"), ("a", "begun", "succeeded")]
    assert played.told.changes == [*first, ("b", "queued", "begun"), ("b", "begun", "failed")]
    assert played.door.begun == [[1, 2]] and not played.board.is_good


def test_a_look_takes_no_longer_than_the_time_out_says():
    played = Played("--", {1: GOOD}, *[{}] * 20)
    assert played.following.follow(5) is False
    assert played.time.moment == START + 5


def test_waves_come_one_after_another_in_the_order_of_their_groups():
    steps = [{2: GOOD}, {4: GOOD}, {1: GOOD, 3: Seen(State.UNCHANGED)}, {5: GOOD}]
    played = Played("x-x-y", *steps)
    assert played.following.follow() is True
    assert played.door.begun == [[2, 4], [1, 3], [5]]


def test_a_wave_that_does_not_succeed_is_the_last():
    played = Played("-xyy", {1: GOOD}, {2: BAD})
    assert played.following.follow() is True
    assert played.states() == "sfnn" and played.door.begun == [[1], [2]]
    assert played.board.rows[3].seen.cause == "shop/b of an earlier wave did not succeed"


def test_who_comes_back_begins_what_was_not_begun_and_goes_on_with_the_waves():
    played = Played("--xx", {1: GOOD}, {2: GOOD}, {3: GOOD, 4: GOOD})
    played.following.look()
    assert played.following.follow() is True
    assert played.door.begun == [[2], [3, 4]]


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
    before = {number: Seen(state) for number, state in enumerate(states, 1)}
    played = Played("------", before, dict.fromkeys(range(1, 6), GOOD))
    played.following.look()
    assert played.following.follow() is True
    assert played.door.begun == [[1, 2, 3]]


def test_who_comes_back_to_a_wave_that_has_begun_lets_it_come_to_its_end():
    played = Played("--x", {1: Seen(State.DEPLOYING), 2: GOOD}, {1: GOOD}, {3: GOOD})
    played.following.look()
    assert played.following.follow() is True
    assert played.door.begun == [[], [3]]


def test_trouble_is_borne_for_a_while_and_told():
    played = Played("-", {1: GOOD})
    look, failures = played.door.look, [Trouble("no answer", may_pass=True)] * 2

    def shaky(waiting):
        if failures:
            raise failures.pop()
        return look(waiting)

    played.door.look = shaky
    assert played.following.follow() is True
    assert played.told.troubles == ["no answer", "no answer", ""]


def test_trouble_that_does_not_pass_ends_it():
    played = Played("-")

    def never(_):
        raise Trouble("no answer", may_pass=True)

    played.door.look = never
    with pytest.raises(Trouble, match="no answer"):
        played.following.follow()
    assert played.time.moment == START + PATIENCE_SECONDS + 1


def test_what_is_not_permitted_ends_it_at_once():
    played = Played("-")

    def never(_):
        raise Trouble("not permitted")

    played.door.look = never
    with pytest.raises(Trouble, match="not permitted"):
        played.following.follow()
    assert played.time.moment == START


def test_a_wave_that_could_not_be_begun_is_begun_again():
    played = Played("-", {1: GOOD})
    begin, failures = played.door.begin, [Trouble("throttled", may_pass=True)]

    def shaky(members):
        if failures:
            raise failures.pop()
        begin(members)

    played.door.begin = shaky
    assert played.following.follow() is True
    assert played.door.begun == [[1]]


def test_a_wave_in_the_middle_of_which_somebody_leaves_is_left_to_begin():
    played = Played("--x", {1: GOOD, 2: GOOD})
    assert played.waves.left == {1, 2, 3}

    def interrupted(_):
        raise KeyboardInterrupt

    begin, played.door.begin = played.door.begin, interrupted
    with pytest.raises(KeyboardInterrupt):
        played.following.follow()
    assert played.waves.left == {1, 2, 3}
    played.door.begin = begin
    played.following.follow(0)
    assert played.door.begun == [[1, 2], [3]] and not played.waves.left


def test_a_large_batch_is_looked_at_less_often():
    begun = batch([(f"s{number}", "i", None) for number in range(1000)])
    clock, pauses = ScriptedClock(), []
    clock.sleep = lambda seconds: (
        pauses.append(seconds),
        setattr(clock, "moment", clock.moment + seconds),
    )
    board = Board(begun.members, START)
    Following(
        board, ScriptedDoor([], clock), Waves(waves_of({1: None})), Told(), clock.clock
    ).follow(12)
    assert pauses == [5.0, 5.0, 2.0]


def test_the_time_of_a_batch_that_is_over_stands_still():
    played = Played("--", {1: GOOD}, {2: GOOD})
    played.following.follow()
    assert played.board.seconds(START + 1000) == 1.0


def test_tasks_are_kept_until_the_end_tells_its_own():
    played = Played(
        "-", {1: Seen(State.DEPLOYING)}, {}, {1: Seen(State.SUCCEEDED, "2 of 2 tasks run a:1")}
    )
    played.following.look()
    played.board.count({1: Counts(1, 2)})
    played.following.look()
    assert played.board.rows[0].counts == Counts(1, 2)
    played.following.look()
    played.board.count({1: Counts(0, 9)})
    assert played.board.rows[0].counts == Counts(2, 2)

"""Policies: what their text may be, which tags they take, and when a push is deployed."""

from dataclasses import replace

import pytest

from ecs_updater.model.push import Push
from ecs_updater.model.tags import wrong_character
from ecs_updater.push.policy import Decision, LastPush, Policy, Running, decide, version_of
from support.push_run import digest_of

TAKEN = {
    "semver:1.4.x": (
        ["1.4.0", "1.4.12", "v1.4.2"],
        ["1.5.0", "1.4.3-rc.1", "1.4", "main", "2.4.0"],
    ),
    "semver:2.x": (["2.0.0", "2.11.3"], ["1.9.9", "3.0.0", "2.0.0-rc.1", "02.0.0"]),
    "semver:2": (["2.0.0"], ["2", "3.0.0"]),
    "semver:1.2.0 - 1.9.9": (["1.2.0", "1.9.9", "1.5.7"], ["1.1.9", "1.10.0", "2.0.0"]),
    "semver:1.2.0-rc.1 - 1.9.9": (
        ["1.2.0-rc.1", "1.2.0-rc.2", "1.2.0"],
        ["1.2.0-beta", "1.3.0-rc.1"],
    ),
    "semver:=1.2.3": (["1.2.3"], ["1.2.4"]),
    "semver: 1.4.x ": (["1.4.1"], ["1.5.0"]),
    "prefix:release-": (["release-1", "release-"], ["Release-1", "a-release-1", "main"]),
    "digest:main": (["main"], ["main-2", "Main"]),
    "digest:1.4.2": (["1.4.2"], ["1.4.20", "v1.4.2"]),
}


@pytest.mark.parametrize("text", TAKEN)
def test_a_policy_takes_these_tags_and_not_those(text):
    taken, others = TAKEN[text]
    policy = Policy.parse(text)
    assert [tag for tag in taken + others if policy.takes(tag)] == taken
    assert str(policy) == text


@pytest.mark.parametrize("text", TAKEN)
def test_ecs_allows_every_character_of_a_policy_in_a_tag(text):
    assert wrong_character(text) is None and len(text) <= 256


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("semver:^1.4", "ECS does not allow '^' in a tag"),
        ("semver:~1.4", "ECS does not allow '~' in a tag"),
        ("semver:>=1.4", "ECS does not allow '>' in a tag"),
        ("semver:1.x || 2.x", "ECS does not allow '|' in a tag"),
        ("prefix:release-*", "ECS does not allow '*' in a tag"),
        ("digest:main\n", "ECS does not allow '\\n' in a tag"),
        ("", "write semver:RANGE, prefix:TEXT or digest:TAG"),
        ("latest", "write semver:RANGE, prefix:TEXT or digest:TAG"),
        ("glob:1", "write semver:RANGE, prefix:TEXT or digest:TAG"),
        ("SEMVER:1.4.x", "write semver:RANGE, prefix:TEXT or digest:TAG"),
        ("semver:", "'' is not a range of versions"),
        ("semver:main", "'main' is not a range of versions"),
        ("semver:1.4.2+5", "'1.4.2+5' is not a range of versions"),
        ("semver:1.4.٣", "'1.4.٣' is not a range of versions"),
        ("prefix:", "'' is not part of an image's tag"),
        ("prefix:a/b", "'a/b' is not part of an image's tag"),
        ("digest:", "'' is not part of an image's tag"),
        ("digest:a b", "'a b' is not part of an image's tag"),
    ],
)
def test_another_text_is_refused_with_the_reason(text, reason):
    with pytest.raises(ValueError) as refused:
        Policy.parse(text)
    assert str(refused.value).startswith(reason)


def pushed(tag, at=100, digest=""):
    """A push at a time."""
    return Push("123456789012", "eu-west-1", "shop/web", tag, digest or digest_of(tag), at)


@pytest.mark.parametrize(
    ("text", "pushes", "newest"),
    [
        ("semver:1.x", [pushed("1.9.0", 3), pushed("1.10.0", 1), pushed("2.0.0", 4)], 1),
        ("semver:1.x", [pushed("1.9.0", 3, "a"), pushed("1.9.0", 5, "b")], 1),
        ("prefix:r", [pushed("r9", 1), pushed("r1", 2), pushed("main", 3)], 1),
        ("digest:main", [pushed("main", 2, "a"), pushed("main", 1, "b")], 0),
    ],
)
def test_the_newest_push_is_the_highest_version_or_the_latest(text, pushes, newest):
    assert Policy.parse(text).newest(pushes) == pushes[newest]
    assert Policy.parse(text).newest([]) is None


D, RUNS, REPEATED, OLD, LATE = Decision


@pytest.mark.parametrize(
    ("text", "running", "push", "last", "is_queued", "decision"),
    [
        # The version that runs.
        ("semver:1.x", "1.4.1", pushed("1.4.2"), None, False, D),
        ("semver:1.x", "1.4.1", pushed("1.4.0"), None, False, OLD),
        ("semver:1.x", "2.0.0", pushed("1.4.0"), None, False, OLD),
        ("semver:1.x", "1.4.1", pushed("v1.4.1"), None, False, D),
        ("semver:1.x", "latest", pushed("1.4.1"), None, False, D),
        ("semver:1.x", None, pushed("1.4.1"), None, False, D),
        ("semver:1.x", "1.5.0-rc.1", pushed("1.4.9"), None, False, OLD),
        # A push that is queued, or whose update has failed.
        ("semver:1.x", "1.4.1", pushed("1.4.2", 200), pushed("1.4.3", 100), True, LATE),
        ("semver:1.x", "1.4.1", pushed("1.4.2", 200), pushed("1.4.3", 100), False, D),
        ("semver:1.x", "1.4.1", pushed("1.4.4", 50), pushed("1.4.3", 100), True, D),
        ("semver:1.x", "1.4.1", pushed("1.4.3", 50, "b"), pushed("1.4.3", 100), False, LATE),
        ("semver:1.x", "1.4.1", pushed("1.4.3", 150, "b"), pushed("1.4.3", 100), False, D),
        # The later push.
        ("digest:main", "main", pushed("main", 100, "a"), None, False, D),
        ("digest:main", "main", pushed("main", 100, "a"), pushed("main", 90, "b"), True, D),
        ("digest:main", "main", pushed("main", 80, "a"), pushed("main", 90, "b"), False, LATE),
        ("prefix:r", "r1", pushed("r2", 80), pushed("r3", 90), False, LATE),
        ("prefix:r", "r1", pushed("r2", 100), pushed("r3", 90), False, D),
        # The same digest again.
        ("digest:main", "main", pushed("main", 100, "b"), pushed("main", 90, "b"), False, REPEATED),
        ("semver:1.x", "1.4.1", pushed("1.4.4", 1, "b"), pushed("1.4.3", 9, "b"), False, REPEATED),
    ],
)
def test_a_push_is_deployed_unless(text, running, push, last, is_queued, decision):
    policy = Policy.parse(text)
    found = LastPush(last, is_queued) if last else None
    assert decide(policy, Running(running, None), push, found) is decision


def test_a_push_whose_message_may_be_lost_is_sent_again_and_another_one_of_the_digest_is_not():
    policy, last = Policy.parse("digest:main"), pushed("main", 100, "a")
    unknown = LastPush(last, is_queued=True, is_known=False)
    assert decide(policy, Running("main", None), last, unknown) is D
    assert decide(policy, Running("main", None), pushed("main", 101, "a"), unknown) is REPEATED


def test_a_push_to_another_repository_is_compared_with_what_runs_only():
    policy = Policy.parse("prefix:r")
    last = LastPush(replace(pushed("r2", 200), repository="shop/old"))
    assert decide(policy, Running("r1", None), pushed("r1", 100), last) is D


def test_a_pinned_digest_that_runs_deploys_nothing():
    running = Running("1.4.1", digest_of("1.4.2"))
    policy = Policy.parse("semver:1.x")
    assert decide(policy, running, pushed("1.4.2"), None) is RUNS


@pytest.mark.parametrize("tag", [None, "", "1", "1.2", "main", "1.2.3_4", "vv1.2.3"])
def test_other_tags_are_no_versions(tag):
    assert version_of(tag) is None

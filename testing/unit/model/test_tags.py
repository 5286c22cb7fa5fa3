"""Tags: which characters they take, and the way from one set to another."""

import pytest

from ecs_updater.deployments.tag_writer import removes_first
from ecs_updater.errors import ServiceTagsRefusedError
from ecs_updater.model.tags import (
    MERGE,
    REPLACE,
    TagChanges,
    tag_changes,
    wrong_character,
)


def many(count, prefix="k"):
    """``count`` tags."""
    return {f"{prefix}{number}": "v" for number in range(count)}


@pytest.mark.parametrize(
    "text", ["", "aZ09", "_.:/=+-@", "a b", "größe", "名前", "Ελλ", "٣", "\u00a0", "\u2028"]
)
def test_letters_digits_and_spaces_of_any_script_and_eight_signs_are_taken(text):
    assert wrong_character(text) is None


@pytest.mark.parametrize(
    "wrong",
    list("\n\t\x00\x7f!\"#$%&'()*,;<>?[\\]^`{|}~€\u200b\u202e\ud800\udfff😀\u0301"),
    ids=ascii,
)
def test_the_first_wrong_character_is_found(wrong):
    assert wrong_character(f"ok{wrong}€") == wrong


@pytest.mark.parametrize(
    "before, wanted", [({}, many(51)), (many(50), {"one": "more"}), (many(1), many(50, "other"))]
)
def test_more_than_fifty_tags_after_a_merge_are_refused(before, wanted):
    with pytest.raises(ServiceTagsRefusedError) as refused:
        tag_changes(before, wanted, MERGE)
    assert str(refused.value) == (
        "[ERROR][ecs_service_update] service tags could not be updated the service would "
        "have 51 tags, ECS allows 50"
    )


@pytest.mark.parametrize(
    "before, after, first",
    [(25, 25, False), (25, 26, True), (50, 1, True), (0, 50, False), (50, 0, False)],
)
def test_removing_comes_first_only_where_old_and_new_tags_together_do_not_fit(before, after, first):
    assert removes_first(TagChanges(many(before, "old"), many(after, "new"))) is first


@pytest.mark.parametrize(
    ("wanted", "after"),
    [
        ({}, {"ecs-updater:policy": "digest:main"}),
        ({"a": "1"}, {"a": "1", "ecs-updater:policy": "digest:main"}),
        ({"ecs-updater:policy": "semver:1.x"}, {"ecs-updater:policy": "semver:1.x"}),
    ],
)
def test_replacing_keeps_the_tags_that_configure_ecs_updater(wanted, after):
    current = {"team": "a", "ecs-updater:policy": "digest:main"}
    assert tag_changes(current, wanted, REPLACE).after == after
    assert tag_changes({"ecs-updater": "stack"}, {}, REPLACE).after == {}

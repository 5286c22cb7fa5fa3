"""Tags: which characters they take, and the way from one set to another."""

import pytest

from ecs_updater.deployments.tag_writer import removes_first
from ecs_updater.errors import ServiceTagsRefusedError
from ecs_updater.model.tags import (
    LIMIT,
    MERGE,
    REPLACE,
    TagChanges,
    is_reserved,
    tag_changes,
    wrong_character,
)


def many(count, prefix="k"):
    """``count`` tags."""
    return {f"{prefix}{number}": "v" for number in range(count)}


@pytest.mark.parametrize(
    "key, reserved",
    [
        ("aws:x", True),
        ("AWS:x", True),
        ("aWs:", True),
        ("aws", False),
        ("xaws:", False),
        ("", False),
    ],
)
def test_the_prefix_aws_is_reserved_in_any_case(key, reserved):
    assert is_reserved(key) is reserved


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
    "before, wanted, mode, to_set, to_remove, after",
    [
        ({"a": "1"}, {"a": "1"}, REPLACE, {}, [], {"a": "1"}),
        ({"a": "1"}, {"a": "2"}, REPLACE, {"a": "2"}, [], {"a": "2"}),
        ({"a": "1"}, {"b": "2"}, REPLACE, {"b": "2"}, ["a"], {"b": "2"}),
        ({"a": "1"}, {}, REPLACE, {}, ["a"], {}),
        ({"b": "1", "a": "1"}, {}, REPLACE, {}, ["a", "b"], {}),
        ({}, {"b": "1", "a": ""}, REPLACE, {"a": "", "b": "1"}, [], {"a": "", "b": "1"}),
        ({"a": ""}, {"a": "1"}, REPLACE, {"a": "1"}, [], {"a": "1"}),
        ({"A": "1"}, {"a": "1"}, REPLACE, {"a": "1"}, ["A"], {"a": "1"}),
        ({"a": "1"}, {"b": "2"}, MERGE, {"b": "2"}, [], {"a": "1", "b": "2"}),
        ({"a": "1"}, {"a": "2"}, MERGE, {"a": "2"}, [], {"a": "2"}),
        ({"a": "1"}, {}, MERGE, {}, [], {"a": "1"}),
        ({"a": "1"}, None, REPLACE, {}, [], {"a": "1"}),
        ({"a": "1"}, None, MERGE, {}, [], {"a": "1"}),
    ],
)
def test_the_changes_lead_from_the_tags_that_are_to_those_that_are_wanted(
    before, wanted, mode, to_set, to_remove, after
):
    changes = tag_changes(before, wanted, mode)
    assert (changes.to_set, changes.to_remove, changes.after) == (to_set, to_remove, after)
    assert bool(changes) is bool(to_set or to_remove)


def test_tags_are_set_and_removed_in_the_order_of_their_keys():
    changes = tag_changes({"z": "1", "y": "1"}, {"b": "1", "a": "1"}, REPLACE)
    assert (list(changes.to_set), changes.to_remove) == (["a", "b"], ["y", "z"])


def test_fifty_tags_are_taken():
    assert len(tag_changes({}, many(LIMIT), REPLACE).to_set) == 50


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


def test_the_reverse_of_a_change_leads_back():
    back = TagChanges({"a": "1", "b": "1"}, {"b": "2", "c": "1"}).reverse
    assert (back.to_set, back.to_remove, back.after) == (
        {"a": "1", "b": "1"},
        ["c"],
        {"a": "1", "b": "1"},
    )

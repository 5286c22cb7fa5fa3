"""The tree of errors: one line each, beginning with the stage, never longer than a screen."""

import inspect

import pytest

from ecs_updater import errors
from ecs_updater.errors import (
    CallerFault,
    EcsUpdaterError,
    InternalError,
    InvalidEventError,
    ServerFault,
    one_line,
)

LEAVES = {
    name: kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, EcsUpdaterError) and kind not in (EcsUpdaterError, CallerFault, ServerFault)
}


@pytest.mark.parametrize("kind", LEAVES.values(), ids=LEAVES)
def test_every_error_is_one_printable_line_of_its_stage_and_of_one_root(kind):
    assert kind.__bases__ in ((CallerFault,), (ServerFault,))
    text = str(kind("a\nb\r\x1b[31m\u202e\ud800"))
    assert text.startswith(f"[ERROR][{kind.stage}] ")
    assert text.isprintable() and "a\\nb\\r\\x1b[31m\\u202e\\ud800" in text
    longest = errors.MESSAGE_LIMIT + len("[ERROR][ecs_service_update] ")
    assert len(str(kind("x" * 5_000_000))) <= longest


@pytest.mark.parametrize(
    "error, message",
    [
        (InvalidEventError("v"), "[ERROR][json_validation] wrong input event format: v"),
        (
            errors.ClusterNotFoundError("ecs_cluster_name c not found"),
            "[ERROR][ecs_service_read] ecs_cluster_name c not found",
        ),
        (
            errors.ServiceNotFoundError("ecs_service_name s not found"),
            "[ERROR][ecs_service_read] ecs_service_name s not found",
        ),
        (
            errors.ServiceReadError("r"),
            "[ERROR][ecs_service_read] reading ecs service unexpected error: r",
        ),
        (
            errors.InvalidImageError("r"),
            "[ERROR][ecs_service_update] new task_definition could not be created r",
        ),
        (
            errors.ServiceTagsError("r"),
            "[ERROR][ecs_service_update] updating service tag unexpected error: r",
        ),
        (InternalError("r"), "[ERROR][internal] r"),
    ],
)
def test_the_messages_of_the_contract(error, message):
    assert str(error) == message


def test_a_violation_has_at_most_300_characters_and_is_listed():
    error = InvalidEventError("x" * 1000)
    assert len(error.violation) == 300 and str(error).endswith(error.violation)
    assert error.violations == (error.violation,)


@pytest.mark.parametrize(
    "text, limit, cut",
    [
        ("short", 5, "short"),
        ("abcdefghij", 5, "ab…ij"),
        ("abcdefghij", 6, "ab…hij"),
        ("a\nb", 10, "a\\nb"),
        ("\n" * 10, 5, "\\n…\\n"),
        ("größe", 10, "größe"),
    ],
)
def test_a_long_text_is_cut_in_its_middle_and_made_printable(text, limit, cut):
    assert one_line(text, limit) == cut


@pytest.mark.parametrize("limit", range(1, 20))
def test_a_cut_text_is_never_longer_than_the_limit(limit):
    assert len(one_line("\x00" * 50 + "x" * 50, limit)) == limit

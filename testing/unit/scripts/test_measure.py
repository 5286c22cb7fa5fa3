"""The measuring script finds the handler and the test doubles, and does not count docstrings."""

from measure import PROJECT, count_statements, measure_calls


def test_one_update_is_counted():
    counts = measure_calls(PROJECT)
    assert counts["calls"] > counts["switches between files"] > counts["files"] > 1


def test_docstrings_are_not_counted_as_statements():
    assert (
        count_statements('"""A module."""\nx = 1\n\ndef f():\n    """Adds."""\n    return x\n') == 3
    )

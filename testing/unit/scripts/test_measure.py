"""The measuring script still finds the handler and the test doubles, and leaves docstrings out."""

from measure import PROJECT, calls, statements


def test_one_update_is_counted():
    counts = calls(PROJECT)
    assert counts["calls"] > counts["switches between files"] > counts["files"] > 1


def test_docstrings_are_not_counted_as_statements():
    assert statements('"""A module."""\nx = 1\n\ndef f():\n    """Adds."""\n    return x\n') == 3

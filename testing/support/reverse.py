"""A plugin of pytest that reverses the order of the tests."""


def pytest_collection_modifyitems(items) -> None:
    """Reverses it, in place."""
    items.reverse()

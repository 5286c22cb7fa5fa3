"""Remembers what two pure functions of the SDK return. They take a fifth of each simulated call."""

from functools import cache

from botocore import hooks, useragent


def remember() -> None:
    """Replaces the functions until the end of the process."""
    sanitize = "sanitize_user_agent_string_component"
    setattr(useragent, sanitize, cache(getattr(useragent, sanitize)))
    alias = hooks.EventAliaser._alias_event_name  # pylint: disable=protected-access
    names: dict[str, str] = {}

    def remembered(aliaser: hooks.EventAliaser, name: str) -> str:
        if name not in names:
            names[name] = alias(aliaser, name)
        return names[name]

    hooks.EventAliaser._alias_event_name = remembered  # pylint: disable=protected-access

"""Remembers what three functions of the SDK return. They take half of the time that it needs to make
a client, and a fifth of each simulated call.
"""

from functools import cache

from botocore import hooks, session, useragent


def remember() -> None:
    """Replaces the functions until the end of the process."""
    sanitize = "sanitize_user_agent_string_component"
    setattr(useragent, sanitize, cache(getattr(useragent, sanitize)))
    # A loader reads the models of AWS's services once: one for all sessions.
    setattr(session, "create_loader", cache(getattr(session, "create_loader")))
    alias = hooks.EventAliaser._alias_event_name  # pylint: disable=protected-access
    names: dict[str, str] = {}

    def remembered(aliaser: hooks.EventAliaser, name: str) -> str:
        if name not in names:
            names[name] = alias(aliaser, name)
        return names[name]

    hooks.EventAliaser._alias_event_name = remembered  # pylint: disable=protected-access

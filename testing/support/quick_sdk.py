"""Remembers what four functions of the SDK return. They take half of the time that it needs to
make a client, and a fifth of each simulated call.
"""

from functools import lru_cache

from botocore import hooks, parsers, session, useragent

_PURE = (
    (useragent, "sanitize_user_agent_string_component"),
    (parsers, "DEFAULT_TIMESTAMP_PARSER"),
    (session, "create_loader"),  # One loader for all sessions: it reads the models of AWS once.
)


def remember() -> None:
    """Replaces the functions until the end of the process."""
    for module, name in _PURE:
        setattr(module, name, lru_cache(4096)(getattr(module, name)))
    alias = hooks.EventAliaser._alias_event_name  # pylint: disable=protected-access
    names: dict[str, str] = {}

    def remembered(aliaser: hooks.EventAliaser, name: str) -> str:
        if name not in names:
            names[name] = alias(aliaser, name)
        return names[name]

    hooks.EventAliaser._alias_event_name = remembered  # pylint: disable=protected-access

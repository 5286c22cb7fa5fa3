"""What the shell says of how updates are done from this machine: the function's settings, and none
of its defaults for events.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ecs_updater.errors import ConfigurationError
from ecs_updater.model.allow_list import IMAGES, SERVICES, allow_lists
from ecs_updater.settings import QueueSettings, Settings

from ..batch.state import plain_cause
from ..errors import input_error

_ALLOWING = (IMAGES, SERVICES)
_NAMES = (
    *(
        "TASK_FAILURES",
        "UNKNOWN_FIELDS",
        "CIRCUIT_BREAKER",
        "VERIFY_IMAGE",
        "PIN_DIGEST",
        "PRIVATE_REGISTRIES",
    ),
    *("LEDGER_RETENTION_DAYS", "OPEN_UPDATE_MAX_HOURS", "ECS_RATES", *_ALLOWING),
)


def environment(
    table: str, arn_prefix: str = "", shell: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment of an update: settings of ``shell`` (``os.environ``), and the ledger's
    ``table``.

    Cluster, service and image always are the event's: the same names stand in many a shell for
    something else. Raises CommandEnd.
    """
    given = os.environ if shell is None else shell
    found = {name: given[name] for name in _NAMES if given.get(name)}
    found |= {"LEDGER_TABLE": table, "ECS_ARN_PREFIX": arn_prefix}
    with _wrong_input():
        allow_lists(Settings.from_environment(found))
        QueueSettings.from_environment(found)
    return found


def allowing(shell: Mapping[str, str] | None = None) -> Settings:
    """Settings that allow the images and services that ``shell`` (``os.environ``) allows. Raises
    CommandEnd.

    They hold with a queue as well, whose worker has settings of its own.
    """
    given = os.environ if shell is None else shell
    with _wrong_input():
        # With a ledger: whether there is one is known when the file is deployed.
        settings = Settings.from_environment(
            {name: given[name] for name in _ALLOWING if name in given} | {"LEDGER_TABLE": "ledger"}
        )
        allow_lists(settings)
        return settings


@contextmanager
def _wrong_input() -> Iterator[None]:
    """Raises an error of the settings as the end of the command."""
    try:
        yield
    except ConfigurationError as error:
        raise input_error(
            plain_cause(str(error)).replace("the function's ", "the environment's ", 1)
        ) from None

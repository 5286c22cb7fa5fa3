"""What the shell says of how updates are done from this machine: the function's settings, and none of its defaults for events."""

import os
from collections.abc import Mapping

from ecs_updater.errors import ConfigurationError
from ecs_updater.settings import QueueSettings, Settings

from ..batch.state import plain_cause
from ..ending import wrong_input

_NAMES = (
    *("TASK_FAILURES", "UNKNOWN_FIELDS", "CIRCUIT_BREAKER", "VERIFY_IMAGE", "PIN_DIGEST", "PRIVATE_REGISTRIES"),
    *("LEDGER_RETENTION_DAYS", "ECS_RATES"),
)


def environment(table: str, arn_prefix: str = "", shell: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of an update: settings of ``shell`` (``os.environ``), and the ledger's ``table``.

    Cluster, service and image always are the event's: the same names stand in many a shell for something else. Raises CommandEnd.
    """
    given = os.environ if shell is None else shell
    found = {name: given[name] for name in _NAMES if given.get(name)}
    found |= {"LEDGER_TABLE": table, "ECS_ARN_PREFIX": arn_prefix}
    try:
        Settings.from_environment(found)
        QueueSettings.from_environment(found)
    except ConfigurationError as error:
        raise wrong_input(plain_cause(str(error)).replace("the function's ", "the environment's ", 1)) from None
    return found

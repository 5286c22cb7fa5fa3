"""Settings of the updates from the environment of the shell: the function's, without its defaults.

Cluster, service and image come from the event only: a shell may use these names for other things.
"""

import os
from collections.abc import Collection, Mapping

from ecs_updater.errors import ConfigurationError
from ecs_updater.model.request import FIELDS, IMAGES, SECRETS, SERVICES, AllowLists
from ecs_updater.settings import QueueSettings, Settings

from ..batch.state import plain_cause
from ..errors import input_error

_ALLOW_LISTS = (IMAGES, SERVICES, FIELDS, SECRETS)
_NAMES = (
    *_ALLOW_LISTS,
    "TASK_FAILURES",
    "UNKNOWN_FIELDS",
    "CIRCUIT_BREAKER",
    "DEPLOYMENT_ALARMS",
    "VERIFY_IMAGE",
    "PIN_DIGEST",
    "PRIVATE_REGISTRIES",
    "LEDGER_RETENTION_DAYS",
    "OPEN_UPDATE_MAX_HOURS",
    "ECS_RATES",
)


def environment(
    table: str,
    arn_prefix: str = "",
    shell: Mapping[str, str] = os.environ,
    names: Collection[str] = _NAMES,
) -> dict[str, str]:
    """Returns the environment of an update: settings of `shell`, and the ledger's `table`.

    Raises CommandError for an invalid setting.
    """
    # The caller's own permissions bound the settings of an update, unless the shell says less.
    found = {FIELDS: "*", SECRETS: "*"} | {name: shell[name] for name in names if shell.get(name)}
    found |= {"LEDGER_TABLE": table, "ECS_ARN_PREFIX": arn_prefix}
    try:
        AllowLists.of(Settings.from_environment(found))
        QueueSettings.from_environment(found)
    except ConfigurationError as error:
        sentence = plain_cause(str(error))
        raise input_error(sentence.replace("the function's ", "the environment's ", 1)) from None
    return found


def allowing() -> Settings:
    """Returns settings with the allow lists of the shell. Raises CommandError.

    They apply to the queue as well, whose worker has its own.
    """
    # With a ledger, as in `manifest.checks`.
    return Settings.from_environment(environment("ledger", names=_ALLOW_LISTS))

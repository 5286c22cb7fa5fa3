"""An environment that leads the tests to no account, whatever the shell has.

`make` exports the project's settings to the tests, and pytest without `make` does not.
"""

import os
from collections.abc import MutableMapping

_NAMES = """
ALLOWED_FIELDS ALLOWED_IMAGES ALLOWED_SECRETS ALLOWED_SERVICES API_AUTH APPROVALS
CIRCUIT_BREAKER CLUSTER_NAME CLUSTER_PATTERN CONTAINER_NAME DEAD_LETTER_QUEUE_URL
DEPLOYMENT_ALARMS ECS_ARN_PREFIX ECS_RATES ENVIRONMENT EVENT_BUS IMAGE JWKS_URL JWT_AUDIENCE
JWT_ISSUER LEDGER_CLUSTER_PATTERN LEDGER_RETENTION_DAYS LEDGER_TABLE MAX_RECEIVES
METRICS_BY_SERVICE NOTIFY_TOPIC_ARN OPEN_UPDATE_MAX_HOURS PIN_DIGEST POWERTOOLS_LOG_LEVEL
POWERTOOLS_SERVICE_NAME PRIVATE_REGISTRIES PUSH_DRY_RUN QUEUE_URL SCOPES_PARAMETER SERVICE_NAME
TAG_FILTERS TARGETS_PARAMETER TASK_DEF TASK_FAILURES UNKNOWN_FIELDS UPDATER_NAME VERIFY_IMAGE
"""
FUNCTION_SETTINGS = frozenset(_NAMES.split())
"""The variables that the functions read."""


def isolate(environment: MutableMapping[str, str]) -> None:
    """Removes the functions' settings and what leads the SDK to real credentials or a real
    endpoint. Gives it credentials that no account knows.
    """
    for name in list(environment):
        if name in FUNCTION_SETTINGS or (name.startswith("AWS_") and name != "AWS_CA_BUNDLE"):
            del environment[name]
    environment.update(
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="eu-west-1",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    )

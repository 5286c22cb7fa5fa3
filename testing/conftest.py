"""What every layer of tests shares: an environment in which nothing can reach an account."""

import os

import pytest

# The function's own settings, and whatever could lead the SDK to real credentials or a real endpoint.
_NOT_FROM_OUTSIDE = (
    *("CLUSTER_NAME", "SERVICE_NAME", "CONTAINER_NAME", "IMAGE", "TASK_DEF", "UNKNOWN_FIELDS", "TASK_FAILURES", "CIRCUIT_BREAKER"),
    *("VERIFY_IMAGE", "PIN_DIGEST", "PRIVATE_REGISTRIES", "LEDGER_TABLE", "LEDGER_RETENTION_DAYS"),
)


def _isolate(environment: dict[str, str]) -> None:
    for name in list(environment):
        if name.startswith("AWS_") and name != "AWS_CA_BUNDLE" or name in _NOT_FROM_OUTSIDE:
            del environment[name]
    environment.update(
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="eu-west-1",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    )


_isolate(os.environ)  # type: ignore[arg-type]  # Before the first import of a handler, which makes its client.


@pytest.fixture
def ecs_fake():
    """A fresh FakeEcs with one service; see support.fake_ecs."""
    from support.fake_ecs import FakeEcs  # pylint: disable=import-outside-toplevel

    return FakeEcs()

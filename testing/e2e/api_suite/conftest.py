"""What the tests of the API share: the API with its key, and the service that they are about, as it
is at first.
"""

import os

import boto3
import pytest

from e2e.event_suite.api import Api, from_environment
from e2e.event_suite.cases import ServiceState
from e2e.event_suite.service import Service


@pytest.fixture(scope="session", name="api")
def _api() -> Api:
    """The API of this run."""
    return from_environment(os.environ).wait()


@pytest.fixture(scope="session", name="names")
def _names() -> dict[str, str]:
    """Cluster and service, as the short form names them."""
    return {"cluster": os.environ["CLUSTER_NAME"], "service": os.environ["SERVICE_NAME"]}


@pytest.fixture(scope="session", name="at_first")
def _at_first() -> ServiceState:
    """Image and tags of the service as it was made."""
    return ServiceState(
        os.environ["CONTAINER_IMAGE"], {os.environ["TAG_NAME"]: os.environ["TAG_VALUE"]}
    )


@pytest.fixture(name="service")
def _service(names, at_first) -> Service:
    """The suite's own view of the service, which is as it was made."""
    service = Service(boto3.client("ecs"), names["cluster"], names["service"])
    service.restore(at_first)
    return service

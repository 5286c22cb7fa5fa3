"""What the unit tests share: a base event, an update against the fake ECS, and an SDK that waits
for nothing.
"""

import io
import json
from types import SimpleNamespace

import botocore.endpoint
import pytest
from hypothesis import settings

from ecs_updater.aws.ecs import _CONFIG, Ecs
from ecs_updater.deployments.deploy import deploy
from fakes.simulated_ecs import SimulatedEcs
from support.sampling import IS_ALL
from support.strategies import REPEATABLE

_EVENT = {
    "ecs_cluster_name": "ECSCluster",
    "ecs_service_name": "ecs-dummy-service",
    "ecs_image_name": "busybox:1.36",
    "ecs_tag": {"new": "value"},
}

settings.register_profile("few", REPEATABLE, max_examples=25)
settings.register_profile("many", REPEATABLE, max_examples=250)
settings.load_profile("many" if IS_ALL else "few")


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """The seconds that the SDK would have waited between its attempts."""
    seconds = []
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=seconds.append))
    return seconds


@pytest.fixture(name="event")
def _event():
    """Makes an event that changes image and tags; a field given as None is left out."""
    return lambda **fields: {
        name: value for name, value in (_EVENT | fields).items() if value is not None
    }


@pytest.fixture(name="ecs_of")
def _ecs_of():
    """Makes the boundary to a fake ECS, with the client settings that the function has."""
    return lambda fake: Ecs(fake.client(_CONFIG))


@pytest.fixture
def send(ecs_of):
    """Does one update against a fake ECS; the keywords are the function's environment.

    Returns the body of the answer.
    """
    return lambda fake, event, **environment: deploy(event, environment, ecs_of(fake))["body"]


@pytest.fixture(scope="session")
def fields():
    """What RegisterTaskDefinition takes, as the SDK's model says."""
    return Ecs(SimulatedEcs().client(_CONFIG)).fields


@pytest.fixture(name="log")
def _log():
    """The log of the test, parsed: one object for each line."""
    from ecs_updater.log import logger  # pylint: disable=import-outside-toplevel

    stream = io.StringIO()
    earlier, level = logger.registered_handler.setStream(stream), logger.log_level
    # The command line, whose tests may have run in this process, keeps the log quiet.
    logger.setLevel("INFO")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.registered_handler.setStream(earlier)
    logger.setLevel(level)


@pytest.fixture(name="handler", scope="session")
def _handler():
    """The handler of direct invocations, imported before a test captures the log.

    Not with this file: moto must be imported before the first client is created.
    """
    from ecs_updater.handlers import update  # pylint: disable=import-outside-toplevel

    return update


@pytest.fixture
def invoke(handler, monkeypatch, ecs_of, log):  # pylint: disable=unused-argument  # The test reads the log.
    """Invokes the handler on a fake ECS, with the same client for every invocation as in Lambda."""
    boundaries = {}

    def call(fake, event):
        if fake not in boundaries:
            boundaries[fake] = ecs_of(fake)
        monkeypatch.setattr(handler, "ECS", boundaries[fake])
        return handler.lambda_handler(event, SimpleNamespace(aws_request_id="request-1"))

    return call

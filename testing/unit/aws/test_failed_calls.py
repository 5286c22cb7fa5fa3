"""The boundary to AWS: what a failed call means, which calls are repeated, and what is counted."""

from collections import Counter

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from ecs_updater.aws.errors import translated
from ecs_updater.errors import AwsFailure, Outcome
from fakes.simulated_ecs import SimulatedEcs
from fakes.wire import THROTTLED

HTTPS = "https://ecs"


def failed(error):
    """What ``error``, raised by the SDK, is translated to."""
    with pytest.raises(AwsFailure) as raised, translated("UpdateService"):
        raise error
    assert raised.value.operation == "UpdateService"
    return raised.value


def client_error(status, code, message="why"):
    """The SDK's error for an answer of ECS."""
    answer = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "UpdateService")


@pytest.mark.parametrize(
    "status, code, outcome",
    [
        (400, "ClientException", Outcome.REFUSED),
        (400, "InvalidParameterException", Outcome.REFUSED),
        (400, "ClusterNotFoundException", Outcome.REFUSED),
        (400, "ServiceNotActiveException", Outcome.REFUSED),
        (400, "PlatformUnknownException", Outcome.REFUSED),
        (400, "ThrottlingException", Outcome.NOT_NOW),
        (400, "ThrottledException", Outcome.NOT_NOW),
        (400, "RequestThrottled", Outcome.NOT_NOW),
        (400, "SlowDown", Outcome.NOT_NOW),
        (429, "Anything", Outcome.NOT_NOW),
        (400, "AccessDeniedException", Outcome.NOT_PERMITTED),
        (403, "UnrecognizedClientException", Outcome.NOT_PERMITTED),
        (400, "ExpiredTokenException", Outcome.NOT_PERMITTED),
        (403, "SignatureDoesNotMatch", Outcome.NOT_PERMITTED),
        (403, "OptInRequired", Outcome.NOT_PERMITTED),
        (400, "InvalidSignatureException", Outcome.NOT_PERMITTED),
        (500, "ServerException", Outcome.UNKNOWN),
        (503, "ServiceUnavailable", Outcome.UNKNOWN),
        (200, "Odd", Outcome.UNKNOWN),
    ],
)
def test_an_answer_says_whether_the_call_may_have_had_its_effect(status, code, outcome):
    failure = failed(client_error(status, code))
    assert (failure.outcome, failure.code, failure.reason, str(failure)) == (
        outcome,
        code,
        "why",
        f"{code}: why",
    )


@pytest.mark.parametrize(
    "error, outcome",
    [
        (EndpointConnectionError(endpoint_url=HTTPS), Outcome.NOT_NOW),
        (ConnectTimeoutError(endpoint_url=HTTPS), Outcome.NOT_NOW),
        (ReadTimeoutError(endpoint_url=HTTPS), Outcome.UNKNOWN),
        (ConnectionClosedError(endpoint_url=HTTPS), Outcome.UNKNOWN),
        (NoCredentialsError(), Outcome.NOT_PERMITTED),
        (client_error(400, "ClientException", ""), Outcome.REFUSED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_without_a_message_the_reason_is_the_error_of_the_sdk(error, outcome):
    failure = failed(error)
    assert (failure.outcome, failure.reason) == (outcome, str(error).rstrip(": "))
    assert failure.code in (type(error).__name__, "ClientException")


def test_what_the_sdk_does_not_raise_is_not_translated():
    with pytest.raises(ZeroDivisionError), translated("UpdateService"):
        raise ZeroDivisionError


def test_every_request_of_a_client_is_counted_retries_included(ecs_of, waits):
    fake, other = SimulatedEcs(), ecs_of(SimulatedEcs())
    ecs = ecs_of(fake)
    fake.fail("DescribeServices", THROTTLED, THROTTLED)
    ecs.describe_service("ECSCluster", "ecs-dummy-service")
    ecs.describe_task_definition("ecs-dummy-task")
    calls = {"DescribeServices": 3, "DescribeTaskDefinition": 1}
    assert ecs.calls == Counter(fake.operations) == calls and not other.calls
    assert len(waits) == 2

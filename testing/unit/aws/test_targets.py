"""Sessions in the roles of targets, of real clients over simulated accounts."""

import re
import sys
import threading

import pytest
from botocore.exceptions import ReadTimeoutError, UnauthorizedSSOTokenError

from ecs_updater.aws.ecs import Ecs
from ecs_updater.aws.targets import TargetAccess
from ecs_updater.context import Clock
from ecs_updater.errors import (
    AwsFailure,
    ConfigurationError,
    InvalidEventError,
    Outcome,
    TargetRoleError,
)
from ecs_updater.model.request import Request
from fakes.accounts import Accounts, prefix_of
from fakes.simulated_ecs import SimulatedEcs
from fakes.wire import CLUSTER_ARN, Wire

ARN = f"{prefix_of(0)}cluster/ECSCluster"


@pytest.fixture(name="accounts")
def _accounts():
    """Home and one target, on a clock that stands still."""
    ecs = SimulatedEcs(prefix=prefix_of(0))
    clock = Clock(ecs.clock.now, ecs.clock.sleep, lambda: 0.5, ecs.clock.now)
    return Accounts(clock, SimulatedEcs(ecs.clock), {"shop": ecs})


@pytest.fixture(name="ecs")
def _ecs(accounts):
    """The client of home."""
    return accounts.boundary()


def test_names_and_arns_of_home_need_neither_parameter_nor_role(accounts, ecs):
    assert ecs.for_arn("ECSCluster") is ecs.for_arn(CLUSTER_ARN) is ecs
    assert ecs.prefix == "" and not accounts.calls


def test_one_client_is_made_for_a_target_and_its_calls_are_counted(accounts, ecs):
    found = ecs.for_arn(ARN)
    assert found is ecs.for_arn(f"{prefix_of(0)}service/c/s")
    assert (found.region, found.prefix) == ("eu-central-1", prefix_of(0))
    service, _ = found.describe_service("ECSCluster", "ecs-dummy-service")
    assert service["clusterArn"] == ARN
    assert accounts.calls == {"GetParameter": 1, "AssumeRole": 1}
    assert ecs.calls == {"DescribeServices": 1}


def test_several_threads_get_one_client_of_a_target(accounts, ecs):
    found, ready = [], threading.Barrier(12)
    switch = sys.getswitchinterval()

    def find():
        ready.wait()
        found.append(ecs.for_arn(ARN))

    threads = [threading.Thread(target=find) for _ in range(ready.parties)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)
    assert len(found) == ready.parties and len(set(found)) == 1
    assert accounts.calls == {"GetParameter": 1, "AssumeRole": 1}


@pytest.mark.parametrize(
    "function, name",
    [
        ("ecs-updater-sqs-worker", "ecs-updater-sqs-worker"),
        ("", "ecs-updater"),
        ("f", "f-"),
        ("a_b" * 30, ("a_b" * 30)[:64]),
        ("$LATEST of\u00e9", "-LATEST-of-"),
    ],
)
def test_the_name_of_the_session_is_the_functions(accounts, ecs, monkeypatch, function, name):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", function)
    ecs.for_arn(ARN)
    assert accounts.assumed == [("arn:aws:iam::222222222222:role/update", name)]
    assert re.fullmatch(r"[\w+=,.@-]{2,64}", name, re.ASCII)


def test_the_log_and_the_scaling_of_a_target_are_read_with_its_credentials(accounts, ecs):
    class Recorder(Wire):
        """Records the credentials of each request."""

        credentials: list[str] = []

        def _send(self, request, **more):
            self.credentials.append(request.headers["Authorization"].decode().split("/")[0])
            return super()._send(request, **more)

        def answer(self, operation, body):
            return {"events": [], "ScalableTargets": []}

    wire, emitter = Recorder("any"), accounts.session.get_component("event_emitter")
    for service in ("logs", "application-autoscaling"):
        emitter.register(f"before-send.{service}", wire._send)  # pylint: disable=protected-access
    found = ecs.for_arn(ARN)
    found.logs.last_messages(None, "g", "s", 1)
    found.logs.last_messages("us-east-1", "g", "s", 1)
    found.scaling.bounds("c/s")
    ecs.logs.last_messages(None, "g", "s", 1)
    assert [key.partition("=")[2][:4] for key in wire.credentials] == [*["ASIA"] * 3, "test"]
    regions = [request.url.split(".")[1] for request in wire.requests]
    assert regions == ["eu-central-1", "us-east-1", "eu-central-1", "eu-west-1"]


def test_each_role_of_a_target_has_a_session_of_its_own(accounts):
    access = accounts.access()
    target = access.named("shop")
    sessions = [access.session(target, role) for role in (target.update_role, target.read_role)]
    assert len({session.get_credentials().access_key for session in sessions}) == 2
    assert [role for role, _ in accounts.assumed] == [target.update_role, target.read_role]


def test_a_changed_external_id_is_sent_from_the_next_session_on(accounts, ecs):
    reader = accounts.reader()
    reads = (
        lambda: ecs.for_arn(ARN).service_arns("ECSCluster"),
        lambda: reader.services(ARN),
    )
    first, client = [read() for read in reads], ecs.for_arn(ARN)
    accounts.change("shop", external_id="another-id")
    accounts.permit()
    accounts.clock.sleep(301)
    assert [read() for read in reads] == first and ecs.for_arn(ARN) is not client
    accounts.clock.sleep(3500)  # The credentials are refreshed.
    assert [read() for read in reads] == first and len(first[0]) == 1


def test_a_parameter_that_cannot_be_read_is_an_error_of_the_function(accounts):
    other = TargetAccess("/other", home_session=lambda: accounts.session)
    ecs = Ecs(session=lambda: accounts.session, targets=other)
    with pytest.raises(ConfigurationError, match="the parameter /other .* could not be read"):
        ecs.for_arn(ARN)


@pytest.mark.parametrize(
    "code, outcome, is_of_home",
    [
        ("AccessDenied", Outcome.NOT_PERMITTED, False),
        ("Throttling", Outcome.NOT_NOW, False),
        ("RegionDisabledException", Outcome.NOT_PERMITTED, False),
        ("ExpiredToken", Outcome.NOT_PERMITTED, True),
    ],
)
def test_a_role_that_cannot_be_assumed_says_whether_a_retry_can_help(
    accounts, ecs, code, outcome, is_of_home
):
    accounts.refusal = code
    with pytest.raises(TargetRoleError) as raised:
        ecs.for_arn(ARN)
    error = raised.value
    assert error.outcome is outcome and error.failure.operation == "AssumeRole"
    # Only the own credentials concern all services.
    assert error.failure.is_about_credentials is is_of_home
    advice = "check its trust policy and its external id" in str(error)
    assert advice is (outcome is Outcome.NOT_PERMITTED and not is_of_home)


def test_a_lost_answer_of_sts_has_no_effect_and_is_tried_again(accounts, ecs):
    def lose(**_):
        raise ReadTimeoutError(endpoint_url="https://sts")

    accounts.session.get_component("event_emitter").register_first("before-send.sts", lose)
    with pytest.raises(TargetRoleError, match="could not be assumed: try again") as raised:
        ecs.for_arn(ARN)
    assert raised.value.outcome is Outcome.NOT_NOW


class _Expired:
    """Credentials of home that somebody has to renew."""

    def get_frozen_credentials(self):
        """Raises the error of the SDK."""
        raise UnauthorizedSSOTokenError


@pytest.mark.parametrize(
    "credentials, code",
    [(None, "NoCredentialsError"), (_Expired(), "UnauthorizedSSOTokenError")],
    ids=["none", "expired"],
)
def test_a_target_is_not_blamed_for_the_credentials_of_home(
    accounts, ecs, monkeypatch, caplog, credentials, code
):
    ecs.targets.targets()
    monkeypatch.setattr(accounts.session, "get_credentials", lambda: credentials)
    with pytest.raises(TargetRoleError) as raised:
        ecs.for_arn(ARN)
    failure = raised.value.failure
    assert (failure.code, failure.is_about_credentials) == (code, True)
    assert "target" not in str(raised.value)
    assert not [line for line in caplog.records if line.exc_info]


def test_a_new_target_is_found_at_once_and_one_that_does_not_exist_is_not_searched_often(accounts):
    access, new = accounts.access(), accounts.targets.pop("shop")
    searches = [
        lambda: access.named("shop").prefix,
        lambda: access.find(ARN).prefix,
        lambda: access.locate(Request(cluster="c", service="s", target="shop")).cluster,
    ]
    for search in searches:
        with pytest.raises(InvalidEventError):
            search()
    assert accounts.calls == {"GetParameter": 1}
    for number, search in enumerate(searches, start=2):
        accounts.clock.sleep(10)
        with pytest.raises(InvalidEventError):
            search()
        assert accounts.calls == {"GetParameter": number}
    for search in searches:
        accounts.targets = {}
        accounts.clock.sleep(300)
        access.targets()
        accounts.targets = {"shop": new}
        accounts.clock.sleep(10)
        assert search().startswith(prefix_of(0))


def test_credentials_that_cannot_be_refreshed_are_a_failure_of_the_call(accounts, ecs):
    found = ecs.for_arn(ARN)
    accounts.deny("shop")
    accounts.clock.sleep(3500)
    with pytest.raises(AwsFailure, match="target shop: the role .* could not be assumed") as raised:
        found.describe_service("ECSCluster", "ecs-dummy-service")
    assert (raised.value.operation, raised.value.outcome) == ("AssumeRole", Outcome.NOT_PERMITTED)
    with pytest.raises(TargetRoleError):
        ecs.for_arn(ARN)
    accounts.permit()
    assert ecs.for_arn(ARN) is found

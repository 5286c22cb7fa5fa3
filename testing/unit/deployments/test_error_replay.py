"""Every error survives the ledger: a repetition of its request raises the same error, and the log
and HTTP's answer take it.
"""

import inspect
import json

import pytest

from ecs_updater import errors
from ecs_updater.api.app import error_response
from ecs_updater.deployments.deploy import deploy
from ecs_updater.errors import CallerFault, EcsUpdaterError, InternalError, InvalidEventError
from ecs_updater.ledger.entry import Entry, Side
from ecs_updater.log import log_update
from ecs_updater.model.request import fingerprint
from fakes.fake_ecs import CLUSTER_ARN, SERVICE_ARN
from support.fleet_run import FleetRun


def kinds(kind=EcsUpdaterError):
    """A class of errors, and all that are derived from it."""
    yield kind
    for derived in kind.__subclasses__():
        yield from kinds(derived)


ALL = sorted(set(kinds()), key=lambda kind: kind.__name__)


class ErrorOfALaterVersion(CallerFault):
    """One with attributes that no other has."""

    stage = "json_validation"

    def __init__(self, image, patterns=("a", "b")):
        self.image, self.patterns, self.limits = image, tuple(patterns), {"most": 7, "names": ["x"]}
        super().__init__(f"{image} is not one of {patterns}")


def made(kind):
    """An error of this class with every argument that it takes."""
    parameters = list(inspect.signature(kind).parameters.values())
    arguments = [
        f"{one.name} of\ttwo" if "Sequence" not in str(one.annotation) else (one.name, "two")
        for one in parameters
    ]
    return kind(*arguments).with_details(
        {"service_arn": SERVICE_ARN, "deployment": {"id": "ecs-svc/1"}, "error_type": "odd"}
    )


@pytest.fixture(name="run", scope="module")
def _run():
    return FleetRun(1)


def replayed(run, error, change=lambda item: None):
    """What a repetition of a request raises that ended with ``error``.

    ``change``: the item in the table, as it travels.
    """
    event = run.ecs.event("web-001", request_id=f"request-{len(run.dynamodb.items)}")
    key = "arn:aws:ecs:eu-west-1:123456789012:service/ECSCluster/web-001"
    number = len(run.dynamodb.items) + 1
    entry = Entry(
        service=key,
        number=number,
        request_id=event["request_id"],
        owner="o",
        fence=1,
        cluster_arn=CLUSTER_ARN,
        service_arn=key,
        before=Side(),
        after=Side(),
        fingerprint=fingerprint({k: v for k, v in event.items() if k != "request_id"}),
    )
    run.history.begin(entry.refused("NOT_DEPLOYED", str(error), error))
    change(
        next(item for (_, sk), item in run.dynamodb.items.items() if sk == f"UPDATE#{number:015d}")
    )
    with pytest.raises(EcsUpdaterError) as raised:
        log_update(
            event, None, lambda: deploy(event, run.environment, run.boundary, table=run.table)
        )
    error_response(raised.value, "id")
    return raised.value


@pytest.mark.parametrize("kind", [*ALL, ErrorOfALaterVersion], ids=lambda kind: kind.__name__)
def test_every_error_is_the_same_when_its_request_is_repeated(run, kind):
    first = made(kind)
    again = replayed(run, first)
    assert (
        type(again).__name__ == kind.__name__
        and str(again) == str(first)
        and again.args == first.args
    )
    assert vars(again) | {"details": None} == vars(first) | {"details": None}
    assert again.details.items() >= first.details.items()


def test_an_error_of_an_earlier_version_and_one_of_a_later_version_are_replayed_with_what_there_is(
    run,
):
    def by_an_earlier_version(item):
        del item["error_attributes"]

    again = replayed(run, InvalidEventError("a", ["a", "b"]), by_an_earlier_version)
    assert isinstance(again, InvalidEventError) and str(again).endswith("format: a")
    assert json.loads(error_response(again, "id").body)["violations"] == [str(again)]

    def by_a_later_version(item):
        item["error_type"] = {"S": "NotKnownYetError"}

    assert isinstance(replayed(run, InvalidEventError("a"), by_a_later_version), InternalError)
    assert isinstance(
        replayed(
            run, InvalidEventError("a"), lambda item: item.update(error_type={"S": "one_line"})
        ),
        InternalError,
    )


def test_an_error_with_more_than_an_entry_can_keep_is_replayed_without_what_is_for_the_log_alone(
    run,
):
    first = InvalidEventError("a", ["𠀀" * 300] * 21).with_details({"everything": "x" * 500_000})
    again = replayed(run, first)
    assert again.violations == first.violations and "everything" not in again.details


def test_there_are_errors_to_walk():
    assert len(ALL) > 30 and {errors.InvalidEventError, errors.LedgerError} <= set(ALL)

"""Every error is stored in the ledger: a repetition of its request raises the same error, and the
log and the HTTP response accept it.
"""

import inspect
import json

import pytest

from ecs_updater.api.app import error_response
from ecs_updater.context import Call
from ecs_updater.deployments.deploy import deploy
from ecs_updater.errors import CallerFault, EcsUpdaterError, InternalError, InvalidEventError
from ecs_updater.ledger.entry import Entry, Side
from ecs_updater.log import log_update
from ecs_updater.model.request import fingerprint_of_event
from fakes.wire import CLUSTER_ARN, SERVICE_ARN
from support.fleet_run import FleetRun

KEY = "arn:aws:ecs:eu-west-1:123456789012:service/ECSCluster/web-001"


def kinds(kind=EcsUpdaterError):
    """Returns a class of errors, and all classes derived from it."""
    return {kind}.union(*map(kinds, kind.__subclasses__()))


ALL = sorted(kinds(), key=lambda kind: kind.__name__)


class ErrorOfALaterVersion(CallerFault):
    """An error with attributes that no other has."""

    stage = "json_validation"

    def __init__(self, image, patterns=("a", "b")):
        self.image, self.patterns, self.limits = image, tuple(patterns), {"most": 7, "names": ["x"]}
        super().__init__(f"{image} is not one of {patterns}")


def made(kind):
    """Returns an error of this class, created with all its parameters."""
    arguments = [
        (parameter.name, "two")
        if "Sequence" in str(parameter.annotation)
        else f"{parameter.name} of\ttwo"
        for parameter in inspect.signature(kind).parameters.values()
    ]
    return kind(*arguments).with_details(
        {"service_arn": SERVICE_ARN, "deployment": {"id": "ecs-svc/1"}, "error_type": "odd"}
    )


@pytest.fixture(name="run", scope="module")
def _run():
    return FleetRun(1)


def replayed(run, error, change=lambda item: None):
    """Returns the error of a repetition of a request that ended with ``error``.

    ``change``: changes the item in the table, in the form of the wire.
    """
    number = len(run.dynamodb.items) + 1
    event = run.ecs.event("web-001", request_id=f"request-{number}")
    entry = Entry(
        service=KEY,
        number=number,
        request_id=event["request_id"],
        owner="o",
        fence=1,
        cluster_arn=CLUSTER_ARN,
        service_arn=KEY,
        before=Side(),
        after=Side(),
        fingerprint=fingerprint_of_event(event),
    )
    run.history.begin(entry.refused("NOT_DEPLOYED", str(error), error))
    change(run.dynamodb.items[KEY, f"UPDATE#{number:015d}"])
    with pytest.raises(EcsUpdaterError) as raised:
        log_update(
            event, Call(), lambda: deploy(event, run.environment, run.boundary, table=run.table)
        )
    error_response(raised.value, "id")
    return raised.value


@pytest.mark.parametrize("kind", [*ALL, ErrorOfALaterVersion], ids=lambda kind: kind.__name__)
def test_every_error_is_the_same_when_its_request_is_repeated(run, kind):
    first = made(kind)
    again = replayed(run, first)
    assert (type(again).__name__, str(again), again.args) == (kind.__name__, str(first), first.args)
    assert vars(again) | {"details": None} == vars(first) | {"details": None}
    assert again.details.items() >= first.details.items()


def test_an_error_of_an_earlier_version_is_replayed_without_attributes(run):
    error = InvalidEventError("a", ["a", "b"])
    again = replayed(run, error, lambda item: item.pop("error_attributes"))
    assert isinstance(again, InvalidEventError) and str(again).endswith("format: a")
    assert json.loads(error_response(again, "id").body)["violations"] == [str(again)]


@pytest.mark.parametrize("name", ["NotKnownYetError", "one_line"])
def test_an_unknown_class_of_a_later_version_is_replayed_as_an_internal_error(run, name):
    change = {"error_type": {"S": name}}
    again = replayed(run, InvalidEventError("a"), lambda item: item.update(change))
    assert isinstance(again, InternalError)


def test_an_error_that_is_too_large_for_an_entry_is_replayed_without_its_details(run):
    first = InvalidEventError("a", ["𠀀" * 300] * 21).with_details({"everything": "x" * 500_000})
    again = replayed(run, first)
    assert again.violations == first.violations and "everything" not in again.details


def test_the_classes_of_errors_are_found():
    assert len(ALL) > 30 and InvalidEventError in ALL

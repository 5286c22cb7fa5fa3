"""The suite of unittest classes, in this process: it passes what is right, and says the number of
what is not.
"""

import io
import json
import random
import re
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import NoRegionError

from e2e.event_suite import cases
from e2e.event_suite.cases import ServiceState
from e2e.event_suite.invokers import Invocation, InvocationFailed, from_payload
from e2e.event_suite.service import Service
from e2e.unittest_suite import checks, test_lambda_ecs_updater
from ecs_updater.errors import EcsUpdaterError
from fakes.fake_ecs import FakeEcs
from support.settings import SETTINGS

Number = str
ANSWERS: dict[str, list[Number]] = {
    "base": ["1.1.1", "1.1.2", "1.2.1", "1.2.2", "1.3.1", "1.3.2", "1.3.3", "1.3.4"],
    "SAME_INITIAL_VALUES": [f"4.2.{check}" for check in range(1, 9)],
    "MULTIPLE_TAGS": [f"4.3.{check}" for check in range(1, 9)],
}
ERRORS: dict[str, list[Number]] = {
    "MISSING_JSON_FIELD": [f"2.1.{check}" for check in range(1, 6)],
    "WRONG_JSON_FORMAT": [f"2.2.{check}" for check in range(1, 6)],
    "MISSING_ECS_CLUSTER": [f"3.1.{check}" for check in range(1, 6)],
    "MISSING_ECS_SERVICE": [f"3.2.{check}" for check in range(1, 6)],
    "WRONG_IMAGE_NAME": [f"4.1.{check}" for check in range(1, 6)],
}
NUMBERS = sorted(
    number for group in (ANSWERS, ERRORS) for numbers in group.values() for number in numbers
)
HIDDEN = frozenset({"errorType"})


class Outcome(NamedTuple):
    """What became of the suite."""

    passed: list[Number]
    failed: dict[Number, str]
    """The messages of the checks that failed."""
    skipped: list[str]


class Result(unittest.TextTestResult):
    """Remembers what passed, too."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self.passed: list[Number] = []

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.passed.append(".".join(re.findall(r"\d", test.id().rpartition(".")[2])))


@pytest.fixture(name="fake")
def _fake() -> FakeEcs:
    """An ECS with the dummy service, its memory given by the task alone."""
    return FakeEcs(containers=[{"name": "ecs-dummy-container", "image": "busybox"}])


@pytest.fixture(name="service")
def _service(fake) -> Service:
    """The suite's own view of that service."""
    return Service(fake.client(), "ECSCluster", "ecs-dummy-service")


@pytest.fixture(name="function")
def _function(fake, invoke):
    """The function itself, in this process; its answers can be changed, by the event's name, before
    the suite sees them.
    """

    def make(event: str = "", change: Callable[[Any], Any] = lambda payload: payload):
        def invoker(event_file: Path) -> Invocation:
            try:
                payload = invoke(fake, json.loads(event_file.read_text("utf-8")))
            except EcsUpdaterError as error:
                payload = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return from_payload(change(payload) if event_file.stem == event else payload)

        return invoker

    return make


@pytest.fixture(name="run")
def _run(service, monkeypatch, tmp_path):
    """Runs the suite with a way of invoking."""
    loaded = {case.name: case for case in cases.load(SETTINGS)}

    def run(invoker: Callable[[Path], Invocation], order: random.Random | None = None) -> Outcome:
        monkeypatch.setattr(
            checks, "target", lambda: checks.Target(loaded, invoker, service, tmp_path)
        )
        suite = unittest.defaultTestLoader.loadTestsFromModule(test_lambda_ecs_updater)
        if order:
            tests = [test for case in suite for test in case]  # type: ignore[union-attr]
            suite = unittest.TestSuite(order.sample(tests, len(tests)))
        result = unittest.TextTestRunner(io.StringIO(), resultclass=Result).run(suite)
        assert not result.errors, result.errors[0][1]
        messages = [text.partition("AssertionError: ")[2].strip() for _, text in result.failures]
        failed = {
            message.removeprefix("[FAILED CHECK ").partition("]")[0]: message
            for message in messages
        }
        return Outcome(sorted(result.passed), failed, [reason for _, reason in result.skipped])

    return run


def test_every_check_has_its_number_and_passes_when_all_is_right(run, function):
    assert run(function()) == (NUMBERS, {}, [])


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_checks_does_not_matter(seed, run, function):
    assert run(function(), random.Random(seed)) == (NUMBERS, {}, [])


def test_every_event_is_in_the_suite():
    assert {case.name for case in cases.load(SETTINGS)} == ANSWERS.keys() | ERRORS.keys()


def test_the_documentation_of_the_suite_lists_each_event_under_its_number_and_class():
    rows = re.findall(r"^(\d\.\d) +(\w+) +(\w+) ", test_lambda_ecs_updater.__doc__, re.MULTILINE)
    classes = {
        name: value
        for name, value in vars(test_lambda_ecs_updater).items()
        if isinstance(value, type)
    }

    assert {name: classes[name].event for _, name, _ in rows} == {
        name: event for _, name, event in rows
    }
    assert len({name for _, name, _ in rows}) == len(classes) == 8
    for number, name, _ in rows:
        assert [
            method
            for method in vars(classes[name])
            if method.startswith(f"test_{number.replace('.', '_')}_")
        ]


# What is wrong fails the check of it, and the check of the whole answer, and no other.


def put(*path: str, value: Any) -> Callable[[Any], Any]:
    """A change that puts a value into an answer."""

    def change(payload: Any) -> Any:
        part = payload
        for name in path[:-1]:
            part = part[name]
        part[path[-1]] = value
        return payload

    return change


WRONG_ANSWERS = [
    (0, put("statusCode", value=500), "answer.statusCode is 500, not 200"),
    (1, put("body", "more", value=1), "answer.body.more should not be there: 1"),
    (
        2,
        put("body", "BEFORE", "serviceImage", value="x"),
        "answer.body.BEFORE.serviceImage is 'x', not ",
    ),
    (3, put("body", "BEFORE", "tags", value=[]), "answer.body.BEFORE.tags is [], not "),
    (
        4,
        put("body", "AFTER", "serviceImage", value=None),
        "answer.body.AFTER.serviceImage is None, not ",
    ),
    (5, put("body", "AFTER", value={}), "answer.body.AFTER.tags is nothing, not "),
]


@pytest.mark.parametrize("event", ANSWERS)
@pytest.mark.parametrize("position, change, words", WRONG_ANSWERS, ids=range(1, 7))
def test_a_wrong_answer_fails_the_check_of_what_is_wrong(
    position, change, words, event, run, function
):
    numbers = ANSWERS[event]
    expected = {numbers[position], numbers[1]} | ({numbers[4]} if "AFTER.tags" in words else set())

    outcome = run(function(event, change))

    assert outcome.failed.keys() == expected
    assert words in outcome.failed[numbers[position]]


WRONG_SERVICES = [
    (2, lambda state: ServiceState("other", state.tags), "service.image is 'other', not "),
    (
        1,
        lambda state: ServiceState(state.image, state.tags | {"left": "over"}),
        "service.tags.left should not be there: 'over'",
    ),
]


@pytest.mark.parametrize("event, numbers", (ANSWERS | ERRORS).items())
@pytest.mark.parametrize("from_last, change, words", WRONG_SERVICES, ids=["image", "tags"])
def test_a_wrong_service_fails_the_check_of_what_is_wrong(
    from_last, change, words, event, numbers, run, function, service
):
    def spoil(payload: Any) -> Any:
        service.restore(change(service.read()))
        return payload

    outcome = run(function(event, spoil))

    assert outcome.failed.keys() == {numbers[-from_last]}
    assert words in outcome.failed[numbers[-from_last]]


@pytest.mark.parametrize("event, numbers", ERRORS.items())
@pytest.mark.parametrize("field, position", [("errorMessage", 1), ("errorType", 2)])
def test_a_wrong_error_fails_the_check_of_what_is_wrong(
    field, position, event, numbers, run, function
):
    outcome = run(function(event, put(field, value="x")))

    assert outcome.failed.keys() == {numbers[position]}
    assert f"{field} is 'x', not " in outcome.failed[numbers[position]]


@pytest.mark.parametrize("event, numbers", ERRORS.items())
def test_an_answer_in_the_place_of_an_error_fails_all_checks_of_the_error(
    event, numbers, run, function
):
    outcome = run(function(event, lambda _: {"statusCode": 200}))

    assert list(outcome.failed) == numbers[:3]
    assert "the function answered: {'statusCode': 200}" in outcome.failed[numbers[0]]


@pytest.mark.parametrize("event, numbers", ANSWERS.items())
def test_an_error_in_the_place_of_an_answer_fails_all_checks_of_the_answer(
    event, numbers, run, function
):
    outcome = run(function(event, lambda _: {"errorMessage": "no"}))

    assert list(outcome.failed) == numbers[:6]
    assert "\n  the function failed: no" in outcome.failed[numbers[0]]


@pytest.mark.parametrize("event, numbers", (ANSWERS | ERRORS).items())
def test_a_function_that_cannot_be_invoked_fails_all_checks_with_the_reason(
    event, numbers, run, function
):
    def fail(_: Any) -> Any:
        raise InvocationFailed("nobody is at home")

    outcome = run(function(event, fail))

    assert list(outcome.failed) == numbers
    assert {message.partition("\n  ")[2] for message in outcome.failed.values()} == {
        "nobody is at home"
    }


def test_the_message_of_a_failed_check_has_number_and_words_and_under_them_every_difference(
    run, function
):
    outcome = run(function("base", lambda answer: answer | {"statusCode": 500, "more": 1}))

    assert outcome.failed["1.1.1"].splitlines() == [
        "[FAILED CHECK 1.1.1] ecs-updater RegularCase - Lambda Execution ResponseCode",
        "  answer.statusCode is 500, not 200",
    ]
    assert outcome.failed["1.1.2"].splitlines() == [
        "[FAILED CHECK 1.1.2] ecs-updater RegularCase - Whole Answer",
        "  answer.more should not be there: 1",
        "  answer.statusCode is 500, not 200",
    ]


def test_only_the_type_of_an_error_is_skipped_where_it_cannot_be_shown(run, function):
    real = function()

    def hiding(event_file: Path) -> Invocation:
        seen = real(event_file)
        return Invocation(
            seen.answer, "Hidden" if seen.error_type else None, seen.error_message, HIDDEN
        )

    outcome = run(hiding)

    skipped = [numbers[2] for numbers in ERRORS.values()]
    reason = "the emulator does not show the type of an error"
    assert sorted(outcome.skipped) == sorted(
        f"[SKIPPED CHECK {number}] {reason}" for number in skipped
    )
    assert outcome.failed == {} and outcome.passed == [
        number for number in NUMBERS if number not in skipped
    ]


# What it needs before


@pytest.fixture(name="settings")
def _settings(monkeypatch, tmp_path):
    """The settings in the environment, as the Makefile exports them."""
    checks.target.cache_clear()
    for name, value in (
        SETTINGS | {"BUILD_DIR": str(tmp_path), "LAMBDA_FUNCTION_NAME": "ecs-updater"}
    ).items():
        monkeypatch.setenv(name, value)
    yield monkeypatch
    checks.target.cache_clear()


def test_the_target_is_made_of_the_settings(settings, tmp_path):  # pylint: disable=unused-argument
    target = checks.target()

    assert target.cases.keys() == ANSWERS.keys() | ERRORS.keys()
    assert target.event_dir == tmp_path / "events"


@pytest.mark.parametrize("name", ["CLUSTER_NAME", "TAG_NAME", "BUILD_DIR"])
def test_a_setting_that_is_not_there_is_named_with_the_target_that_gives_it(name, settings):
    settings.delenv(name)

    with pytest.raises(
        checks.CannotRun,
        match=f"^there is no setting '{name}': make run-lambda-test-unittest gives it$",
    ):
        checks.target()


def test_settings_that_collide_are_one_line(settings):
    settings.setenv("CONTAINER_IMAGE", "busybox:1.36")

    with pytest.raises(checks.CannotRun, match="choose another CONTAINER_IMAGE or TAG_NAME$"):
        checks.target()


def test_an_sdk_without_what_it_needs_is_one_line(settings):
    settings.delenv("AWS_DEFAULT_REGION")
    settings.setattr(checks.boto3, "client", lambda _: (_ for _ in ()).throw(NoRegionError()))

    with pytest.raises(checks.CannotRun, match="^You must specify a region.$"):
        checks.target()


def test_a_service_that_is_not_there_ends_the_suite_and_says_what_to_do(run, function, fake):
    fake.service["status"] = "INACTIVE"

    with pytest.raises(
        AssertionError,
        match="cluster ECSCluster has no service ecs-dummy-service: make deploy-ecs-cluster ",
    ):
        run(function())

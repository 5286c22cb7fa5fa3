"""What the classes of the suite share: an event is sent once for its class, and each check says its
number when it fails.
"""

import os
import unittest
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any, ClassVar

import boto3

from e2e.event_suite import cases
from e2e.event_suite.comparison import differences
from e2e.event_suite.invokers import Invocation, lambda_api
from e2e.event_suite.run import Outcome, compare, run_case
from e2e.event_suite.service import Service

Find = Callable[[Any], Iterable[str]]
"""A check: what it finds wrong, one line for each difference."""


class NumberedChecks(unittest.TestCase):
    """One event. A subclass names it and numbers the checks, which become its methods:
    test_1_1_1_response_code and so on.
    """

    event: ClassVar[str]
    checks: ClassVar[Mapping[str, Find]]
    """The checks by the words that a failed one says."""
    case: ClassVar[cases.Case]
    outcome: ClassVar[Outcome]

    def __init_subclass__(cls, numbers: Iterable[str] | None = None) -> None:
        if numbers is not None:
            for number, (what, find) in zip(numbers, cls.checks.items(), strict=True):
                setattr(
                    cls,
                    f"test_{number.replace('.', '_')}_{find.__name__}",
                    _numbered(number, what, find),
                )

    @classmethod
    def setUpClass(cls) -> None:
        (cls.case,) = (case for case in cases.load(os.environ) if case.name == cls.event)
        service = Service(
            boto3.client("ecs"), os.environ["CLUSTER_NAME"], os.environ["SERVICE_NAME"]
        )
        event_dir = Path(os.environ["BUILD_DIR"], "events")
        cls.outcome = run_case(cls.case, lambda_api.invoker(os.environ), service, event_dir)

    @property
    def invocation(self) -> Invocation:
        """What came back."""
        assert isinstance(self.outcome.invocation, Invocation), self.outcome.invocation
        return self.outcome.invocation

    def image_in_ecs(self) -> Iterator[str]:
        """ECS has the image that the service should run."""
        return differences(self.case.ends_with.image, self.outcome.service.image, "service.image")

    def tags_in_ecs(self) -> Iterator[str]:
        """ECS has the tags that the service should have."""
        return differences(self.case.ends_with.tags, self.outcome.service.tags, "service.tags")


def _numbered(number: str, what: str, find: Find) -> Callable[[Any], None]:
    """The test method that makes a check, and says its number when it fails, or is not made."""

    def test(self: NumberedChecks) -> None:
        try:
            lines = list(find(self))
        except unittest.SkipTest as reason:
            self.skipTest(f"[SKIPPED CHECK {number}] {reason}")
        if lines:
            self.fail(
                "\n  ".join(
                    [f"[FAILED CHECK {number}] ecs-updater {type(self).__name__} - {what}", *lines]
                )
            )

    test.__doc__ = find.__doc__
    return test


class AnswerChecks(NumberedChecks):
    """The checks of an event that the function answers."""

    def response_code(self) -> Iterator[str]:
        """The function answers, with the status code that is expected."""
        return self._in_answer("statusCode")

    def whole_answer(self) -> Iterator[str]:
        """Nothing in the answer is other than expected, missing or too much."""
        return compare(self.case, self.invocation)

    def image_before(self) -> Iterator[str]:
        """The answer's BEFORE has the image that the service had."""
        return self._in_answer("body", "BEFORE", "serviceImage")

    def tags_before(self) -> Iterator[str]:
        """The answer's BEFORE has the tags that the service had."""
        return self._in_answer("body", "BEFORE", "tags")

    def image_after(self) -> Iterator[str]:
        """The answer's AFTER has the new image."""
        return self._in_answer("body", "AFTER", "serviceImage")

    def tags_after(self) -> Iterator[str]:
        """The answer's AFTER has the new tags."""
        return self._in_answer("body", "AFTER", "tags")

    def _in_answer(self, *path: str) -> Iterator[str]:
        if self.invocation.error_message is not None:
            yield f"the function failed: {self.invocation.error_message}"
            return
        expected, actual = (
            _part(answer, path) for answer in (self.case.expected.answer, self.invocation.answer)
        )
        yield from differences(expected, actual, ".".join(["answer", *path]))

    checks = {
        "Lambda Execution ResponseCode": response_code,
        "Whole Answer": whole_answer,
        "Image Before": image_before,
        "Tags Before": tags_before,
        "Image After": image_after,
        "Tags After": tags_after,
        "Image in ECS": NumberedChecks.image_in_ecs,
        "Tags in ECS": NumberedChecks.tags_in_ecs,
    }


class ErrorChecks(NumberedChecks):
    """The checks of an event that makes the function fail."""

    def response_code(self) -> Iterator[str]:
        """The function fails, and does not answer."""
        if self.invocation.error_message is None:
            yield f"the function answered: {self.invocation}"

    def error_message(self) -> Iterator[str]:
        """The error has the message that is expected."""
        return differences(
            self.case.expected.error_message, self.invocation.error_message, "errorMessage"
        )

    def error_type(self) -> Iterator[str]:
        """The error has the class that is expected."""
        if "errorType" in self.invocation.cannot_show:
            self.skipTest("the emulator does not show the type of an error")
        return differences(self.case.expected.error_type, self.invocation.error_type, "errorType")

    checks = {
        "Lambda Execution ResponseCode": response_code,
        "Error Message": error_message,
        "Error Type": error_type,
        "Image in ECS": NumberedChecks.image_in_ecs,
        "Tags in ECS": NumberedChecks.tags_in_ecs,
    }


def _part(answer: Any, path: Iterable[str]) -> Any:
    """What lies at the path; None, which no answer is expected to have there, where the answer has
    no such place.
    """
    return reduce(
        lambda part, name: part.get(name) if isinstance(part, dict) else None, path, answer
    )

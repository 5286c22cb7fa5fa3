"""The function, wherever it is deployed, against the eight JSON events, with a number for every
check.

Each class is one event. It puts the service into the state that the event starts from, invokes the
function through the Lambda API and reads the service back from ECS, so it needs none of the others,
and no order.

======  ==================  ===================  =================================================
number  class               event                checks
======  ==================  ===================  =================================================
1       the regular case
1.1     RegularCase         base                 1.1.1 response code, 1.1.2 whole answer
1.2     RegularCase         base                 1.2.1 image before, 1.2.2 tags before
1.3     RegularCase         base                 1.3.1 image after, 1.3.2 tags after,
                                                     1.3.3 image in ECS, 1.3.4 tags in ECS
2       JSON
2.1     JsonMissingField    MISSING_JSON_FIELD   those of an error
2.2     JsonWrongFormat     WRONG_JSON_FORMAT    those of an error
3       missing AWS resources
3.1     MissingCluster      MISSING_ECS_CLUSTER  those of an error
3.2     MissingService      MISSING_ECS_SERVICE  those of an error
4       AWS parameters
4.1     WrongImageName      WRONG_IMAGE_NAME     those of an error
4.2     SameInitialValues   SAME_INITIAL_VALUES  those of an answer
4.3     MultipleTags        MULTIPLE_TAGS        those of an answer
======  ==================  ===================  =================================================

Those of an error, n.n being the event's number: n.n.1 response code, n.n.2 error message, n.n.3
error type, n.n.4 image in ECS, n.n.5 tags in ECS. Those of an answer: n.n.1 response code, n.n.2
whole answer, n.n.3 image before, n.n.4 tags before, n.n.5 image after, n.n.6 tags after, n.n.7
image in ECS, n.n.8 tags in ECS.

A check that fails says its number, and under it what differs:
``[FAILED CHECK 1.1.1] ecs-updater RegularCase - Lambda Execution ResponseCode``.
"""

from e2e.unittest_suite import checks


def _numbers(event: str, count: int) -> tuple[str, ...]:
    """The numbers of an event's checks: 2.1.1, 2.1.2 and so on."""
    return tuple(f"{event}.{check}" for check in range(1, count + 1))


_REGULAR = ("1.1.1", "1.1.2", "1.2.1", "1.2.2", "1.3.1", "1.3.2", "1.3.3", "1.3.4")


class RegularCase(checks.AnswerChecks, numbers=_REGULAR):
    """1: a new image, and one tag in the place of another."""

    event = "base"


class JsonMissingField(checks.ErrorChecks, numbers=_numbers("2.1", 5)):
    """2.1: an event without ecs_image_name."""

    event = "MISSING_JSON_FIELD"


class JsonWrongFormat(checks.ErrorChecks, numbers=_numbers("2.2", 5)):
    """2.2: an event whose ecs_tag is a text."""

    event = "WRONG_JSON_FORMAT"


class MissingCluster(checks.ErrorChecks, numbers=_numbers("3.1", 5)):
    """3.1: a cluster that does not exist."""

    event = "MISSING_ECS_CLUSTER"


class MissingService(checks.ErrorChecks, numbers=_numbers("3.2", 5)):
    """3.2: a service that the cluster does not have."""

    event = "MISSING_ECS_SERVICE"


class WrongImageName(checks.ErrorChecks, numbers=_numbers("4.1", 5)):
    """4.1: an image reference without a repository."""

    event = "WRONG_IMAGE_NAME"


class SameInitialValues(checks.AnswerChecks, numbers=_numbers("4.2", 8)):
    """4.2: after an update, an event with the first values changes the service back."""

    event = "SAME_INITIAL_VALUES"


class MultipleTags(checks.AnswerChecks, numbers=_numbers("4.3", 8)):
    """4.3: several tags at once."""

    event = "MULTIPLE_TAGS"

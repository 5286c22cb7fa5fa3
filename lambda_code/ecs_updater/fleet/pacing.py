"""What the calls of a plan cost of ECS's rates."""

from collections.abc import Callable
from typing import Protocol

from ..errors import RateError
from ..plan import Plan
from ..rates import REGISTER, TAG, UPDATE


class Bucket(Protocol):
    """Where tokens are taken; see ``ledger.pace``."""

    def take(self, bucket: str, count: int, most_seconds: float) -> bool:
        """Takes and waits; False, and none is taken, where that lasts too long."""


def paced(tokens: Bucket, seconds_left: Callable[[], float]) -> Callable[[Plan], None]:
    """Waits for the calls of a plan, for ``seconds_left`` at most.

    Raises RateError where they cannot be made by then.
    """

    def wait(plan: Plan) -> None:
        calls = {
            REGISTER: int(plan.revision is not None),
            UPDATE: int(plan.deploys),
            TAG: bool(plan.tags.to_set) + bool(plan.tags.to_remove),
        }
        for name, count in calls.items():
            if not tokens.take(name, count, seconds_left()):
                raise RateError(
                    f"ECS lets {name} be called no faster than it is, and this function "
                    "ends before: try again"
                )

    return wait

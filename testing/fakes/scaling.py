"""Application Auto Scaling in place of its client: the bounds of every service, or a failure."""

from ecs_updater.aws.scaling import Scaling
from ecs_updater.errors import AwsFailure


class FakeScaling(Scaling):
    """Answers what a test sets, and counts the calls."""

    def __init__(self) -> None:
        super().__init__({})
        self.answer: tuple[int, int] | AwsFailure | None = None
        self.requested: list[str] = []

    def bounds(self, service: str) -> tuple[int, int] | None:
        self.requested.append(service)
        if isinstance(self.answer, AwsFailure):
            raise self.answer
        return self.answer

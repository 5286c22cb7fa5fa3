"""What an image does when ECS runs it, and the registry that the images are pulled from."""

import hashlib
from dataclasses import dataclass, replace

NO_INSTANCE = (
    "no container instance met all of its requirements. The closest matching container-instance "
    "0c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f has insufficient memory available. For more information, "
    "see the Troubleshooting section of "
    "the Amazon ECS Developer Guide."
)
NOT_FOUND = (
    "pull image manifest has been retried 1 time(s): failed to resolve ref "
    "docker.io/library/{image}: "
    "docker.io/library/{image}: not found"
)
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


@dataclass(frozen=True)
class Image:
    """How a task with this image fares. Made with the methods below; all times are seconds.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
    """

    starts_after: float = 8
    """From the placement to RUNNING, or to the failure to start."""
    placed_after: float = 0
    """From the beginning of the deployment; until then no task of it can be placed."""
    placement: str = ""
    """Why not, as the service's event says it after ``because``."""
    start_error: str = ""
    """Why the task never starts."""
    exit_code: int | None = None
    exits_after: float = 0
    """From the process's start to its end."""
    exit_reason: str = ""
    shown_running: bool = True
    """Whether ECS sees the task RUNNING before the process ends."""
    unhealthy_after: float | None = None
    """With a health check: from RUNNING to UNHEALTHY, and so to the task's end."""
    turns: tuple["Image", ...] = ()
    """What the first task of a deployment, the second … does instead."""
    again: bool = False
    """Whether the turns begin anew after the last one, which else stays."""

    @classmethod
    def good(cls, starts_after: float = 8) -> "Image":
        """Runs for ever."""
        return cls(starts_after=starts_after)

    @classmethod
    def slow(cls, seconds: float = 300) -> "Image":
        """Runs for ever, once it has started, which takes its time."""
        return cls(starts_after=seconds)

    @classmethod
    def exits(
        cls, code: int = 1, after: float = 2, starts_after: float = 8, shown_running: bool = False
    ) -> "Image":
        """Its process ends with ``code``, before ECS saw the task RUNNING (a failed task) or after
        (none).
        """
        return cls(
            starts_after=starts_after,
            exit_code=code,
            exits_after=after,
            shown_running=shown_running,
        )

    @classmethod
    def oom(cls, after: float = 5, starts_after: float = 8, shown_running: bool = False) -> "Image":
        """Is killed for the memory that it uses."""
        return replace(
            cls.exits(137, after, starts_after, shown_running), exit_reason=OUT_OF_MEMORY
        )

    @classmethod
    def cannot_pull(cls, reason: str = NOT_FOUND, after: float = 8) -> "Image":
        """Is not in its registry; ``{image}`` in the reason becomes its name."""
        return cls(start_error=f"CannotPullContainerError: {reason}", starts_after=after)

    @classmethod
    def cannot_start(cls, error: str, after: float = 8) -> "Image":
        """Is pulled, but fails to start with ``error``, such as ``CannotStartContainerError:
        …``.
        """
        return cls(start_error=error, starts_after=after)

    @classmethod
    def unhealthy(cls, after: float = 30) -> "Image":
        """Runs, but its container's health check fails ``after`` so many seconds."""
        return cls(unhealthy_after=after)

    @classmethod
    def never_placed(cls, reason: str = NO_INSTANCE) -> "Image":
        """Asks for more than the cluster has."""
        return cls(placement=reason, placed_after=float("inf"))

    @classmethod
    def placed_late(
        cls, after: float = 40, reason: str = NO_INSTANCE, starts_after: float = 8
    ) -> "Image":
        """Asks for more than the cluster has at first."""
        return cls(placement=reason, placed_after=after, starts_after=starts_after)

    @classmethod
    def in_turn(cls, *images: "Image", again: bool = False) -> "Image":
        """The first task of a deployment fares like the first of ``images``, the second like the
        second, and so on.
        """
        return cls(turns=images, again=again)

    def of_task(self, nth: int) -> "Image":
        """What the ``nth`` task of a deployment does, counted from 0."""
        if not self.turns:
            return self
        return self.turns[nth % len(self.turns) if self.again else min(nth, len(self.turns) - 1)]

    @property
    def has_health_check(self) -> bool:
        """Whether ECS waits for HEALTHY before it calls the task good."""
        return self.unhealthy_after is not None


class Registry:
    """Images by reference. What nobody published is good; what was removed cannot be pulled.

    A tag is resolved to a digest once per deployment, so an image published under the same tag
    concerns later deployments only:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html#deployment-container-image-stability
    """

    def __init__(self) -> None:
        self._times: dict[str, int] = {}
        self._images: dict[tuple[str, str], Image] = {}
        self._from_now_on: dict[str, Image] = {}

    def publish(self, reference: str, image: Image) -> str:
        """Puts ``image`` under ``reference``, which has another digest from now on; returns the
        digest.
        """
        self._times[reference] = self._times.get(reference, 0) + 1
        self._from_now_on.pop(reference, None)
        self._images[reference, self.resolve(reference)] = image
        return self.resolve(reference)

    def becomes(self, reference: str, image: Image) -> None:
        """From now on every new task with ``reference`` fares like ``image``, whatever its digest:
        a database is gone, say.
        """
        self._from_now_on[reference] = image

    def remove(self, reference: str) -> None:
        """No new task can pull ``reference`` any more."""
        self.becomes(reference, Image.cannot_pull())

    def resolve(self, reference: str) -> str:
        """The digest that ``reference`` stands for now."""
        _, at, digest = reference.partition("@")
        if at:
            return digest
        content = f"{reference} {self._times.get(reference, 0)}"
        return f"sha256:{hashlib.sha256(content.encode(errors='surrogatepass')).hexdigest()}"

    def image(self, reference: str, digest: str) -> Image:
        """What a new task with that image does."""
        return (
            self._from_now_on.get(reference)
            or self._images.get((reference, digest))
            or Image.good()
        )

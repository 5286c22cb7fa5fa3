"""Decides whether an image may be deployed, and which reference names exactly what was looked at.

What asks is handed in.
"""

import math
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import ImageArchitectureError, ImageNotFoundError, ImageVerificationError, one_line
from ..model.image import ImageReference
from .manifest import Image, Index, NoImage, Unreadable, platform_of_config, read_manifest
from .platform import Platform


@dataclass(frozen=True)
class Found:
    """It is there."""

    digest: str
    body: bytes
    media_type: str = ""
    """As the registry says; empty where it says nothing."""


@dataclass(frozen=True)
class Missing:
    """The registry knows that it is not there, or that it can never be."""

    reason: str


@dataclass(frozen=True)
class NoAnswer:
    """Nothing is known: the registry could not be reached, was too busy, or does not say it to
    us.
    """

    reason: str


Answer = Found | Missing | NoAnswer


class Registries(Protocol):
    """Where to ask; ``lookup`` has the real ones."""

    def manifest(self, image: ImageReference) -> Answer:
        """The manifest or index that ``image`` names: by its digest where it has one, else by its
        tag, else ``latest``.
        """

    def blob(self, image: ImageReference, digest: str) -> Answer:
        """A small blob of the image's repository."""


@dataclass(frozen=True)
class Verified:
    """What the registry said about one image, and that nothing speaks against it."""

    image: ImageReference
    digest: str | None = None
    """Of the manifest, or of the index; None when neither the reference nor the registry said
    it.
    """
    platforms: tuple[Platform, ...] = ()
    """What the image is for."""
    platform_digest: str | None = None
    """Of the one manifest in the index that the task runs; ``digest`` where there is no index, None
    where it is not known.
    """
    doubt: str | None = None
    """What could not be found out, as the message of an error, for the log; None when everything
    could.
    """

    @property
    def digests(self) -> frozenset[str]:
        """What a running task may show as ``imageDigest``: ECS's launch types differ in which of
        the two they report.
        """
        return frozenset(
            digest for digest in (self.digest, self.platform_digest) if digest is not None
        )

    def pinned(self, keep_tag: bool = True) -> ImageReference:
        """The reference with the digest in it, so that every task runs what was looked at, wherever
        the tag moves.

        ``repository:tag@digest``: the digest decides and the tag stays readable; it is the form
        that ECS itself makes of a tag
        (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html). A
        reference without a tag, or ``keep_tag=False``, gives ``repository@digest``, the one form
        with a digest that ECS's documentation of ``ContainerDefinition.image`` writes down. A
        reference that has a digest stays as it is, and so does one whose digest is not known.
        """
        if self.digest is None or self.image.digest is not None:
            return self.image
        tagged = self.image.text
        if self.image.tag is not None and not keep_tag:
            tagged = tagged.removesuffix(f":{self.image.tag}")
        return ImageReference.parse(f"{tagged}@{self.digest}")


def verify_all(
    images: Iterable[ImageReference],
    platform: Platform,
    registries: Registries,
    require: bool = True,
    seconds: float = math.inf,
) -> dict[str, Verified]:
    """``verify`` for each of ``images`` at the same time, by their text, each distinct one once.

    An image about which nothing is known after ``seconds`` is in doubt. Of several errors that of
    the first image is raised.
    """
    distinct = list(dict.fromkeys(images))
    asked = (
        [_in_thread(_verify, image, platform, registries) for image in distinct]
        if seconds > 0
        else []
    )
    wait(asked, None if seconds == math.inf else seconds)
    late = (
        f"there was no answer within {max(seconds, 0.0):.1f} s, all the time "
        "that is left for registries"
    )
    known = [one.result() if one.done() else None for one in asked] or [None] * len(distinct)
    return {
        str(image): _without_doubt(
            verified or Verified(image, image.digest, doubt=_doubt(image, late)), require
        )
        for image, verified in zip(distinct, known, strict=True)
    }


def verify(
    image: ImageReference, platform: Platform, registries: Registries, require: bool = True
) -> Verified:
    """Looks whether ``image`` is in its registry and whether a task on ``platform`` can run it.

    Raises ImageNotFoundError or ImageArchitectureError when it is known that no task can run it.
    What could not be found out is ImageVerificationError with ``require``, else it is the answer's
    ``doubt``.
    """
    return _without_doubt(_verify(image, platform, registries), require)


def _without_doubt(verified: Verified, require: bool) -> Verified:
    if require and verified.doubt:
        raise ImageVerificationError(verified.doubt)
    return verified


def _in_thread(work: Callable[..., Verified], *arguments: Any) -> Future[Verified]:
    """The result of ``work``, some time.

    The thread ends with the process: nobody waits for one that is late.
    """
    future: Future[Verified] = Future()
    context = copy_context()

    def run() -> None:
        try:
            future.set_result(context.run(work, *arguments))
        except BaseException as error:  # pylint: disable=broad-exception-caught  # It is raised where the result is asked for.
            future.set_exception(error)

    threading.Thread(target=run, name="registry", daemon=True).start()
    return future


def _verify(image: ImageReference, platform: Platform, registries: Registries) -> Verified:
    answer = registries.manifest(image)
    if isinstance(answer, Missing):
        raise ImageNotFoundError(f"{image} is not in the registry: {answer.reason}")
    if isinstance(answer, NoAnswer):
        return Verified(image, image.digest, doubt=_doubt(image, answer.reason))
    contents = read_manifest(answer.body, answer.media_type)
    if isinstance(contents, NoImage):
        what = one_line(contents.what)
        raise ImageNotFoundError(
            f"{image} is not in the registry: by that name there is no container image but {what}"
        )
    if isinstance(contents, Unreadable):
        return Verified(image, answer.digest, doubt=_doubt(image, one_line(contents.why)))
    if isinstance(contents, Index):
        return _of_index(image, answer.digest, contents, platform)
    return _of_image(image, answer.digest, contents, platform, registries)


def _of_index(image: ImageReference, digest: str, index: Index, platform: Platform) -> Verified:
    offered = tuple(dict.fromkeys(entry.platform for entry in index.entries))
    suitable = [entry for entry in index.entries if platform.accepts(entry.platform)]
    if not suitable:
        raise _wrong_platform(image, offered, platform)
    exact = [entry for entry in suitable if entry.platform == platform]
    known = exact or suitable
    return Verified(image, digest, offered, known[0].digest if len(known) == 1 else None)


def _of_image(
    image: ImageReference, digest: str, contents: Image, platform: Platform, registries: Registries
) -> Verified:
    answer = registries.blob(image, contents.config_digest)
    if isinstance(answer, (Missing, NoAnswer)):
        doubt = _doubt(image, f"it is there, but not for which processor: {answer.reason}")
        return Verified(image, digest, platform_digest=digest, doubt=doubt)
    offered = platform_of_config(answer.body)
    if offered is None:
        doubt = _doubt(image, "it is there, but its configuration does not say for which processor")
        return Verified(image, digest, platform_digest=digest, doubt=doubt)
    if not platform.accepts(offered):
        raise _wrong_platform(image, (offered,), platform)
    return Verified(image, digest, (offered,), digest)


def _doubt(image: ImageReference, reason: str) -> str:
    return f"{image} could not be verified: {reason}"


def _wrong_platform(
    image: ImageReference, offered: tuple[Platform, ...], platform: Platform
) -> ImageArchitectureError:
    same_os = [one for one in offered if platform.accepts_os(one)]
    if not same_os:
        systems = ", ".join(sorted({one.os or "" for one in offered}))
        return ImageArchitectureError(f"{image} is for {systems} and the task needs {platform.os}")
    architectures = ", ".join(sorted({one.architecture or "" for one in same_os}))
    return ImageArchitectureError(
        f"{image} is for {architectures} and the task needs {platform.ecs_architecture}: build "
        f"it for {platform}, or change "
        "runtimePlatform.cpuArchitecture of the task definition"
    )

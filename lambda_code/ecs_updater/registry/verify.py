"""Decides whether an image can be deployed, and returns the reference of exactly that image."""

import math
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import (
    ImageArchitectureError,
    ImageMissing,
    ImageNotFoundError,
    ImageVerificationError,
    RegistryFailure,
)
from ..model.image import ImageReference
from .manifest import (
    Manifest,
    Platform,
    platform_of_config,
    read_manifest,
)


@dataclass(frozen=True)
class Found:
    """A manifest or blob of a registry."""

    digest: str
    body: bytes
    media_type: str = ""
    """The registry's, which may be empty."""


class Registries(Protocol):
    """Source of images; `client` has the real ones. Raises ImageMissing or RegistryFailure."""

    def manifest(self, image: ImageReference) -> Found:
        """Returns the manifest or index of `image`: by digest, else by tag, else `latest`."""

    def blob(self, image: ImageReference, digest: str) -> Found:
        """Returns a small blob of the image's repository."""


@dataclass(frozen=True)
class Verified:
    """An image that can be deployed, as far as the registry answered."""

    image: ImageReference
    digest: str | None = None
    """Digest of the manifest or index. None: neither the reference nor the registry has it."""
    platforms: tuple[Platform, ...] = ()
    platform_digest: str | None = None
    """Digest of the manifest that the task runs; `digest` without an index. None: unknown."""
    doubt: str | None = None
    """Why the image could not be verified, as the message of an error. None: it was."""

    @property
    def digests(self) -> frozenset[str]:
        """Returns the possible values of a task's `imageDigest`: it depends on the launch type."""
        return frozenset(
            digest for digest in (self.digest, self.platform_digest) if digest is not None
        )

    def pinned(self, keep_tag: bool = True) -> ImageReference:
        """Returns the reference with the digest, so that every task runs the verified image.

        `repository:tag@digest` keeps the tag readable. ECS itself makes this form of a tag:
        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html. A
        reference without a tag, or `keep_tag=False`, becomes `repository@digest`, the form in ECS's
        documentation of `ContainerDefinition.image`. A reference with a digest, or whose digest is
        unknown, stays.
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
    """Verifies that the images are in their registries and that a task on `platform` can run them.

    Returns the results by reference. Each distinct image is verified in a thread. An image without
    a result after `seconds` is in doubt. Raises ImageNotFoundError or ImageArchitectureError for an
    image that no task can run, the first of several. An image that cannot be verified raises
    ImageVerificationError with `require`, else it has a `doubt`.
    """
    distinct = list(dict.fromkeys(images))
    futures = (
        [_in_thread(_verify, image, platform, registries) for image in distinct]
        if seconds > 0
        else []
    )
    wait(futures, None if seconds == math.inf else seconds)
    late = (
        f"there was no answer within {max(seconds, 0.0):.1f} s, all the time "
        "that is left for registries"
    )
    results = [future.result() if future.done() else None for future in futures]
    verified = {
        str(image): result or Verified(image, image.digest, doubt=_doubt(image, late))
        for image, result in zip(distinct, results or [None] * len(distinct), strict=True)
    }
    doubts = [result.doubt for result in verified.values() if result.doubt]
    if require and doubts:
        raise ImageVerificationError(doubts[0])
    return verified


def _in_thread(work: Callable[..., Verified], *arguments: Any) -> Future[Verified]:
    """Starts `work` in a thread that ends with the process."""
    future: Future[Verified] = Future()
    context = copy_context()

    def run() -> None:
        try:
            future.set_result(context.run(work, *arguments))
        except BaseException as error:  # pylint: disable=broad-exception-caught  # Raised by `future.result()`.
            future.set_exception(error)

    threading.Thread(target=run, name="registry", daemon=True).start()
    return future


def _verify(image: ImageReference, platform: Platform, registries: Registries) -> Verified:
    digest = image.digest
    try:
        found = registries.manifest(image)
        digest = found.digest
        manifest = read_manifest(found.body, found.media_type)
    except ImageMissing as missing:
        raise ImageNotFoundError(f"{image} is not in the registry: {missing}") from None
    except RegistryFailure as failure:
        return Verified(image, digest, doubt=_doubt(image, str(failure)))
    if manifest.config_digest is None:
        return _of_index(image, digest, manifest, platform)
    doubt = "but its configuration does not say for which processor"
    try:
        offered = platform_of_config(registries.blob(image, manifest.config_digest).body)
    except (ImageMissing, RegistryFailure) as failure:
        offered, doubt = None, f"but not for which processor: {failure}"
    if offered is None:
        doubt = _doubt(image, f"it is there, {doubt}")
        return Verified(image, digest, platform_digest=digest, doubt=doubt)
    if not platform.accepts(offered):
        raise _wrong_platform(image, (offered,), platform)
    return Verified(image, digest, (offered,), digest)


def _of_index(image: ImageReference, digest: str, index: Manifest, platform: Platform) -> Verified:
    platforms = tuple(dict.fromkeys(entry.platform for entry in index.entries))
    suitable = [entry for entry in index.entries if platform.accepts(entry.platform)]
    if not suitable:
        raise _wrong_platform(image, platforms, platform)
    exact = [entry for entry in suitable if entry.platform == platform]
    known = exact or suitable
    return Verified(image, digest, platforms, known[0].digest if len(known) == 1 else None)


def _doubt(image: ImageReference, reason: str) -> str:
    return f"{image} could not be verified: {reason}"


def _wrong_platform(
    image: ImageReference, platforms: tuple[Platform, ...], platform: Platform
) -> ImageArchitectureError:
    same_os = [candidate for candidate in platforms if platform.accepts_os(candidate)]
    if not same_os:
        systems = ", ".join(sorted({candidate.os or "" for candidate in platforms}))
        return ImageArchitectureError(f"{image} is for {systems} and the task needs {platform.os}")
    architectures = ", ".join(sorted({candidate.architecture or "" for candidate in same_os}))
    return ImageArchitectureError(
        f"{image} is for {architectures} and the task needs {platform.ecs_architecture}: build "
        f"it for {platform}, or change "
        "runtimePlatform.cpuArchitecture of the task definition"
    )

"""Parses manifests, indexes and configurations of images, and compares platforms.

Platforms have the words of the OCI image format.
https://github.com/opencontainers/image-spec/blob/main/manifest.md and image-index.md; Docker's two
earlier forms: https://distribution.github.io/distribution/spec/manifest-v2-2/; a task's platform:
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ImageMissing, RegistryFailure, one_line

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
IMAGE_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
MANIFEST_TYPES = IMAGE_TYPES + INDEX_TYPES
"""Accepted media types. Docker's first form is missing: Fargate and current engines reject it."""

_CONFIG_TYPES = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    # From builders before the types were fixed. Engines still run such images.
    "application/octet-stream",
}
_DIGEST = re.compile(r"sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})")
_ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}
_ECS_NAMES = {architecture: name for name, architecture in _ARCHITECTURES.items()}
# A container runtime runs a 32-bit image on 64-bit x86 if there is no other. This does not hold for
# ARM: not every Graviton runs 32-bit programs, and Fargate's documentation does not mention it.
_ALSO_RUNS = {"amd64": {"386"}}


@dataclass(frozen=True)
class Platform:
    """Operating system and processor of an image, or those that a task needs.

    None: a task can run any; an image does not declare it.
    """

    os: str | None = None
    architecture: str | None = None

    def __str__(self) -> str:
        return f"{self.os or 'any system'}/{self.architecture or 'any processor'}"

    @property
    def ecs_architecture(self) -> str:
        """Returns ECS's name of the processor."""
        return _ECS_NAMES.get(self.architecture or "", self.architecture or "any processor")

    def accepts_os(self, image: "Platform") -> bool:
        """Returns whether a task that needs this system can run an image for `image`."""
        return None in (self.os, image.os) or self.os == image.os

    def accepts(self, image: "Platform") -> bool:
        """Returns whether a task that needs this platform can run an image for `image`."""
        if not self.accepts_os(image):
            return False
        if None in (self.architecture, image.architecture):
            return True
        return self.architecture == image.architecture or image.architecture in _ALSO_RUNS.get(
            self.architecture or "", ()
        )


def needed_platform(task_definition: Mapping[str, Any], on_fargate: bool | None = None) -> Platform:
    """Returns the platform that tasks of `task_definition` need.

    Without a `runtimePlatform` Fargate uses LINUX on X86_64. On other launch types ECS places the
    task on any instance. `on_fargate`: whether the service runs on Fargate. None: whether the task
    definition requires it.
    """
    declared = task_definition.get("runtimePlatform") or {}
    if on_fargate is None:
        on_fargate = "FARGATE" in (task_definition.get("requiresCompatibilities") or ())
    family = declared.get("operatingSystemFamily") or ("LINUX" if on_fargate else None)
    architecture = declared.get("cpuArchitecture") or ("X86_64" if on_fargate else None)
    return Platform(
        os=None if family is None else "windows" if family.startswith("WINDOWS") else "linux",
        architecture=None
        if architecture is None
        else _ARCHITECTURES.get(architecture, architecture.lower()),
    )


@dataclass(frozen=True)
class Entry:
    """One image of an index."""

    digest: str
    platform: Platform


@dataclass(frozen=True)
class Manifest:
    """Content of the manifest of an image, or of an index."""

    config_digest: str | None = None
    """Digest of the configuration, which names the platform. None: it is an index."""
    entries: tuple[Entry, ...] = ()
    """Images of an index, without the attestations that builders add."""


_NOT_AS_DOCUMENTED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


def read_manifest(body: bytes, media_type: str = "") -> Manifest:
    """Returns the content of a manifest. `media_type`: the registry's, for one without a type.

    Raises ImageMissing for an artifact that is not a container image, such as a Helm chart or a
    signature, and RegistryFailure for an unknown form.
    """
    try:
        manifest = json.loads(body)
        # Docker's forms have a type. Older OCI manifests do not: then the registry's counts.
        kind = manifest.get("mediaType") or media_type.partition(";")[0].strip().lower()
        if manifest.get("schemaVersion") != 2:
            form = one_line(repr(manifest.get("schemaVersion")))
            raise RegistryFailure(f"its manifest has the form {form}, not 2")
        if kind in INDEX_TYPES or (not kind and "manifests" in manifest):
            return _index(manifest)
        if kind in IMAGE_TYPES or (not kind and "config" in manifest):
            return _image(manifest)
        raise RegistryFailure(f"its manifest has the type {one_line(repr(kind))}")
    except _NOT_AS_DOCUMENTED:
        raise RegistryFailure("its manifest cannot be read") from None


def platform_of_config(body: bytes) -> Platform | None:
    """Returns the platform of an image's configuration. None: it is unreadable or has none."""
    try:
        config = json.loads(body)
        system, architecture = config.get("os") or "linux", config["architecture"]
        return Platform(system, architecture) if _are_words(system, architecture) else None
    except _NOT_AS_DOCUMENTED:
        return None


def _index(manifest: dict[str, Any]) -> Manifest:
    entries = []
    for entry in manifest["manifests"]:
        platform = entry.get("platform") or {}
        system, architecture = platform.get("os"), platform.get("architecture")
        if "unknown" in (system, architecture) or not _DIGEST.fullmatch(entry["digest"]):
            continue
        if not _are_words(*(word for word in (system, architecture) if word is not None)):
            raise ValueError
        entries.append(Entry(entry["digest"], Platform(system, architecture)))
    if not entries:
        raise _not_an_image("an index without any image")
    return Manifest(entries=tuple(entries))


def _image(manifest: dict[str, Any]) -> Manifest:
    config = manifest["config"]
    if config["mediaType"] not in _CONFIG_TYPES:
        raise _not_an_image(str(manifest.get("artifactType") or config["mediaType"]))
    if not _DIGEST.fullmatch(config["digest"]):
        raise ValueError(config["digest"])
    return Manifest(config["digest"])


def _not_an_image(artifact: str) -> ImageMissing:
    return ImageMissing(f"by that name there is no container image but {one_line(artifact)}")


def _are_words(*texts: Any) -> bool:
    return all(isinstance(text, str) and re.fullmatch(r"[a-z0-9._-]{1,32}", text) for text in texts)

"""What an image's manifest, its index and its configuration say.

https://github.com/opencontainers/image-spec/blob/main/manifest.md and image-index.md, and Docker's
two forms before them: https://distribution.github.io/distribution/spec/manifest-v2-2/
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from .platform import Platform

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
IMAGE_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
MANIFEST_TYPES = IMAGE_TYPES + INDEX_TYPES
"""What is asked for.

Docker's first form is not among them: neither Fargate nor a current Docker engine pulls it.
"""

_CONFIG_TYPES = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    # Of builders before the types were settled; the engines still run such images.
    "application/octet-stream",
}
_DIGEST = re.compile(r"sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})")


@dataclass(frozen=True)
class Entry:
    """One image of an index."""

    digest: str
    platform: Platform


@dataclass(frozen=True)
class Index:
    """One name for the images of several platforms."""

    entries: tuple[Entry, ...]
    """Without what is no image for any platform, such as the attestations that builders add."""


@dataclass(frozen=True)
class Image:
    """The image of one platform; which one says its configuration."""

    config_digest: str


@dataclass(frozen=True)
class NoImage:
    """Something that is kept in a registry and that no container can be made of, such as a Helm
    chart or a signature.
    """

    what: str


@dataclass(frozen=True)
class Unreadable:
    """Nothing that this code understands."""

    why: str


def read_manifest(body: bytes, media_type: str = "") -> Index | Image | NoImage | Unreadable:
    """What the manifest says.

    ``media_type`` is the registry's word, for a manifest that does not say it itself.
    """
    try:
        manifest = json.loads(body)
        # Docker's forms name their type; in OCI's the field came late, and the registry's word is
        # all there is.
        kind = manifest.get("mediaType") or media_type.partition(";")[0].strip().lower()
        if manifest.get("schemaVersion") != 2:
            return Unreadable(f"its manifest has the form {manifest.get('schemaVersion')!r}, not 2")
        if kind in INDEX_TYPES or (not kind and "manifests" in manifest):
            return _index(manifest)
        if kind in IMAGE_TYPES or (not kind and "config" in manifest):
            return _image(manifest)
        return Unreadable(f"its manifest has the type {kind!r}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Unreadable("its manifest cannot be read")


def platform_of_config(body: bytes) -> Platform | None:
    """The platform that an image's configuration says; None when it cannot be read or says none."""
    try:
        config = json.loads(body)
        system, architecture = config.get("os") or "linux", config["architecture"]
        return Platform(system, architecture) if _are_words(system, architecture) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _index(manifest: dict[str, Any]) -> Index | NoImage:
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
        return NoImage("an index without any image")
    return Index(tuple(entries))


def _image(manifest: dict[str, Any]) -> Image | NoImage | Unreadable:
    config = manifest["config"]
    if config["mediaType"] not in _CONFIG_TYPES:
        return NoImage(str(manifest.get("artifactType") or config["mediaType"]))
    if not _DIGEST.fullmatch(config["digest"]):
        return Unreadable("its manifest cannot be read")
    return Image(config["digest"])


def _are_words(*texts: Any) -> bool:
    return all(isinstance(text, str) and re.fullmatch(r"[a-z0-9._-]{1,32}", text) for text in texts)

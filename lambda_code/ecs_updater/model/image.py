"""Parses container image references.

The grammar is that of the OCI distribution project. As in Docker and ECS, the default host is
`docker.io`, and a name without a slash is in `library/` there.
https://pkg.go.dev/github.com/distribution/reference
"""

import re
from dataclasses import dataclass

from ..errors import InvalidImageError

EMPTY_REPOSITORY = "Container.image repository should not be null or empty."

DEFAULT_TAG = "latest"

_PATH_LIMIT = 255
_REFERENCE_LIMIT = 1024

_HOST_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY = re.compile(rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?")
_PATH = re.compile(
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
# Lower case as in OCI's image specification. The pattern of distribution also matches SHA256.
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-f]{32,}")
_WILDCARD = re.compile(r"[*?[]")
_DOCKER_HUB = {"docker.io", "index.docker.io", "registry-1.docker.io"}
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


@dataclass(frozen=True)
class ImageReference:
    """A parsed reference. `str()` returns the parsed text."""

    text: str
    registry: str
    """Host and port, by default `docker.io`."""
    path: str
    """Path of the repository, with Docker Hub's `library/`."""
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        return self.text

    @property
    def repository(self) -> str:
        """Returns registry and path, which identify a repository."""
        return f"{self.registry}/{self.path}"

    @property
    def normalised(self) -> str:
        """Returns the full reference: `docker.io/library/busybox:latest` for `busybox`."""
        tag = self.tag or (None if self.digest else DEFAULT_TAG)
        return (
            self.repository
            + (f":{tag}" if tag else "")
            + (f"@{self.digest}" if self.digest else "")
        )

    @classmethod
    def parse(cls, text: str) -> "ImageReference":
        """Parses `[registry[:port]/]repository[:tag][@digest]`. Raises InvalidImageError."""
        if len(text) > _REFERENCE_LIMIT:
            raise InvalidImageError(
                f"an image reference of {len(text)} characters cannot be right: {text!r}"
            )
        name, tag, digest = _split(text)
        registry, path = _split_registry(name)
        if not path:
            raise InvalidImageError(EMPTY_REPOSITORY)
        if registry is not None and not _REGISTRY.fullmatch(registry):
            raise _wrong(
                text, f"the registry {registry!r} is not a host name with an optional port"
            )
        if not _PATH.fullmatch(path) or len(path) > _PATH_LIMIT:
            raise _wrong(
                text,
                f"the repository {path!r} must be lower-case letters and digits, "
                "separated by . _ - or /, "
                f"{_PATH_LIMIT} characters at most",
            )
        if tag is not None and not _TAG.fullmatch(tag):
            raise _wrong(
                text,
                f"the tag {tag!r} must be 1 to 128 letters, digits, _ . or -, not "
                "beginning with . or -",
            )
        if digest is not None and not _is_digest(digest):
            raise _wrong(
                text, f"the digest {digest!r} must be like sha256: and 64 hexadecimal digits"
            )
        return cls(text, *_with_defaults(registry, path), tag, digest)


def normalised_pattern(pattern: str) -> str:
    """Returns a shell glob in the spelling of `ImageReference.normalised`.

    Raises InvalidImageError for a pattern without registry, and for an invalid reference.
    """
    if _WILDCARD.search(pattern.partition("/")[0]):
        return pattern
    registry, rest = _split_registry(pattern)
    if registry is None:
        raise InvalidImageError(f"the pattern {pattern!r} has no registry")
    if not _WILDCARD.search(rest):
        return ImageReference.parse(pattern).normalised
    path = re.split("[:@]", rest)[0]
    registry, whole_path = _with_defaults(registry, path)
    return f"{registry}/{path if _WILDCARD.search(path) else whole_path}{rest.removeprefix(path)}"


def _split(text: str) -> tuple[str, str | None, str | None]:
    """Splits a reference into name, tag and digest without checking them."""
    name, at, digest = text.partition("@")
    slash, colon = name.rfind("/"), name.rfind(":")
    tag = None
    if colon > slash:
        name, tag = name[:colon], name[colon + 1 :]
    return name, tag, digest if at else None


def _split_registry(name: str) -> tuple[str | None, str]:
    """Splits off the registry: a first part with a dot, colon or capital letter, or `localhost`."""
    first, slash, rest = name.partition("/")
    is_host = {".", ":"}.intersection(first) or first == "localhost" or first != first.lower()
    return (first, rest) if slash and is_host else (None, name)


def _with_defaults(registry: str | None, path: str) -> tuple[str, str]:
    """Returns registry, in lower case and without port 443, and path of a repository."""
    registry = (registry or "docker.io").lower()
    if registry in ("docker.io", "index.docker.io") and "/" not in path:
        path = f"library/{path}"  # As the engine does for these two names only.
    host = re.sub(":0*443$", "", registry)
    return "docker.io" if host in _DOCKER_HUB else host, path


def _is_digest(digest: str) -> bool:
    algorithm, _, encoded = digest.partition(":")
    length = _DIGEST_LENGTHS.get(algorithm, len(encoded))
    return bool(_DIGEST.fullmatch(digest)) and len(encoded) == length


def _wrong(text: str, reason: str) -> InvalidImageError:
    return InvalidImageError(
        f"image {text!r} is not a valid reference registry/repository:tag@digest: {reason}"
    )

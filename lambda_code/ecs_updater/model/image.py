"""What a container image reference is made of.

The grammar is the OCI distribution project's: https://pkg.go.dev/github.com/distribution/reference
A host part defaults to ``docker.io`` and a bare name there to ``library/``, as Docker and ECS
resolve it.
"""

import re
from dataclasses import dataclass

from ..errors import InvalidImageError

EMPTY_REPOSITORY = "Container.image repository should not be null or empty."
"""ECS's own words for a reference without a repository."""

DEFAULT_TAG = "latest"
"""The tag of a reference that has neither a tag nor a digest."""

_PATH_LIMIT = 255
_REFERENCE_LIMIT = 1024

_HOST_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY = re.compile(rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?")
_PATH = re.compile(
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
# Lower case, as in OCI's image specification: distribution's own pattern also takes SHA256, which
# no registry knows.
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-f]{32,}")
_WILDCARD = re.compile(r"[*?[]")
_DOCKER_HUB = {"docker.io", "index.docker.io", "registry-1.docker.io"}
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


@dataclass(frozen=True)
class ImageReference:
    """A parsed reference; ``str()`` gives back exactly what was parsed."""

    text: str
    registry: str
    """Host and port, ``docker.io`` where the reference has none."""
    path: str
    """The repository's path in its registry, with Docker Hub's ``library/`` filled in."""
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        return self.text

    @property
    def repository(self) -> str:
        """Registry and path: equal for two references exactly when they name the same
        repository.
        """
        return f"{self.registry}/{self.path}"

    @property
    def normalised(self) -> str:
        """The whole reference as the container engine resolves it:
        ``docker.io/library/busybox:latest`` for ``busybox``.
        """
        tag = self.tag or (None if self.digest else DEFAULT_TAG)
        return (
            self.repository
            + (f":{tag}" if tag else "")
            + (f"@{self.digest}" if self.digest else "")
        )

    @classmethod
    def parse(cls, text: str) -> "ImageReference":
        """Parses ``[registry[:port]/]repository[:tag][@digest]``. Raises InvalidImageError."""
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
    """``pattern``, a shell glob over ``ImageReference.normalised``, in the spelling of what it is
    compared with.

    Raises InvalidImageError where it has no registry, or is a reference without wildcards that
    cannot be right.
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
    """Cuts a reference into name, tag and digest, without judging any of them."""
    name, at, digest = text.partition("@")
    slash, colon = name.rfind("/"), name.rfind(":")
    tag = None
    if colon > slash:
        name, tag = name[:colon], name[colon + 1 :]
    return name, tag, digest if at else None


def _split_registry(name: str) -> tuple[str | None, str]:
    """The first part is a host only when it looks like one: a dot, a colon, ``localhost``, or a
    capital letter.
    """
    first, slash, rest = name.partition("/")
    looks_like_host = (
        any(c in first for c in ".:") or first == "localhost" or first != first.lower()
    )
    return (first, rest) if slash and looks_like_host else (None, name)


def _with_defaults(registry: str | None, path: str) -> tuple[str, str]:
    registry = (registry or "docker.io").lower()
    if registry in ("docker.io", "index.docker.io") and "/" not in path:
        path = f"library/{path}"  # The engine fills it in for these two names only.
    return _normalised_registry(registry), path


def _normalised_registry(registry: str) -> str:
    """One spelling for each registry: lower case, without the default port 443, ``docker.io`` for
    each name of Docker Hub.
    """
    host = re.sub(":0*443$", "", registry.lower())
    return "docker.io" if host in _DOCKER_HUB else host


def _is_digest(digest: str) -> bool:
    algorithm, _, encoded = digest.partition(":")
    length = _DIGEST_LENGTHS.get(algorithm, len(encoded))
    return bool(_DIGEST.fullmatch(digest)) and len(encoded) == length


def _wrong(text: str, why: str) -> InvalidImageError:
    return InvalidImageError(
        f"image {text!r} is no reference like registry/repository:tag@digest: {why}"
    )

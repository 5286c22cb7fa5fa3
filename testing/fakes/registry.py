"""A registry in memory, and the manifests and configurations of images that it may have."""

import json

from ecs_updater.errors import RegistryFailure
from ecs_updater.registry.manifest import IMAGE_TYPES, INDEX_TYPES
from ecs_updater.registry.verify import Found

DIGESTS = ["sha256:" + character * 64 for character in "0123456789"]
TOP, CONFIG = DIGESTS[0], DIGESTS[9]
OCI_CONFIG, DOCKER_CONFIG = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
NOT_PREPARED = RegistryFailure("not prepared")


class Registry:
    """A registry with one manifest and one blob, or failures, which records the requests."""

    def __init__(self, manifest, blob=NOT_PREPARED):
        self._manifest, self._blob = manifest, blob
        self.requested = []

    def manifest(self, requested):
        """Returns the manifest of any image."""
        return self._answer(str(requested), self._manifest)

    def blob(self, requested, digest):
        """Returns the configuration of any image."""
        return self._answer((str(requested), digest), self._blob)

    def _answer(self, request, answer):
        self.requested.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer


def found(content, media_type="", digest=TOP):
    """What a registry that has ``content`` says."""
    return Found(
        digest, content if isinstance(content, bytes) else json.dumps(content).encode(), media_type
    )


def index(*platforms, kind=INDEX_TYPES[0]):
    """An index of images for these platforms, ``os/architecture`` or None for one that does not
    say.
    """
    entries = []
    for number, text in enumerate(platforms, start=1):
        system, _, architecture = (text or "").partition("/")
        platform = {"platform": {"os": system, "architecture": architecture}} if text else {}
        entries.append(
            {"mediaType": IMAGE_TYPES[0], "digest": DIGESTS[number], "size": 7} | platform
        )
    return found({"schemaVersion": 2, "mediaType": kind, "manifests": entries})


def single(config_type=OCI_CONFIG, kind=IMAGE_TYPES[0], digest=TOP, **fields):
    """The manifest of an image of one platform."""
    descriptor = {"mediaType": config_type, "digest": CONFIG, "size": 7}
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": descriptor, "layers": []}
    return found(manifest | fields, digest=digest)


def config(architecture, system="linux"):
    """An image's configuration."""
    return found({"os": system, "architecture": architecture, "rootfs": {}}, digest=CONFIG)

"""Images in a real registry, Debian's package docker-registry, on loopback: one that everybody may
read, and one that wants tokens.

What is pushed is a few bytes: an image for each of ECS's processors, an index of both, and a Helm
chart, which is not an image.
"""

import gzip
import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from ecs_updater.aws.ecr import Ecr
from ecs_updater.aws.oci_registry import Oci
from ecs_updater.aws.safe_http import Http
from ecs_updater.errors import ImageArchitectureError, ImageNotFoundError
from ecs_updater.model.image import ImageReference
from ecs_updater.registry.client import RegistryClient
from ecs_updater.registry.manifest import Platform
from support.containers import registry as registry_server
from support.images import verify
from support.make import free_port
from support.proxy import Answer, Proxy, Request

pytestmark = pytest.mark.skipif(
    not shutil.which("docker-registry"),
    reason="docker-registry, of Debian's package of that name, is not on PATH",
)

X86_64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
OCI = "application/vnd.oci.image"
DOCKER = "application/vnd.docker"
TYPES = {
    OCI: {
        "index": f"{OCI}.index.v1+json",
        "manifest": f"{OCI}.manifest.v1+json",
        "config": f"{OCI}.config.v1+json",
        "layer": f"{OCI}.layer.v1.tar+gzip",
    },
    DOCKER: {
        "index": f"{DOCKER}.distribution.manifest.list.v2+json",
        "manifest": f"{DOCKER}.distribution.manifest.v2+json",
        "config": f"{DOCKER}.container.image.v1+json",
        "layer": f"{DOCKER}.image.rootfs.diff.tar.gzip",
    },
}
"""Media types of the two kinds of images."""
SERVICE = "registry.example"


def digest_of(content: bytes) -> str:
    """The digest under which a registry keeps ``content``."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Registry:
    """A running registry."""

    host: str

    def push(self, path: str, tag: str, manifest: dict[str, Any], *blobs: bytes) -> str:
        """Pushes the manifest and the blobs that it names; the manifest's digest."""
        for blob in blobs:
            upload = self._send("POST", f"/v2/{path}/blobs/uploads/")["Location"]
            target = f"{upload.removeprefix(f'http://{self.host}')}&digest={digest_of(blob)}"
            self._send("PUT", target, blob, Content_Type="application/octet-stream")
        body = json.dumps(manifest).encode()
        self._send("PUT", f"/v2/{path}/manifests/{tag}", body, Content_Type=manifest["mediaType"])
        return digest_of(body)

    def push_image(self, path: str, tag: str, architecture: str, kind: str = OCI) -> str:
        """Pushes a tiny image of one platform, in OCI's form or Docker's."""
        config = json.dumps(
            {
                "os": "linux",
                "architecture": architecture,
                "rootfs": {"type": "layers", "diff_ids": []},
            }
        ).encode()
        layer = gzip.compress(b"\0" * 1024, mtime=0)
        manifest = {
            "schemaVersion": 2,
            "mediaType": TYPES[kind]["manifest"],
            "config": _descriptor(TYPES[kind]["config"], config),
            "layers": [_descriptor(TYPES[kind]["layer"], layer)],
        }
        return self.push(path, tag, manifest, config, layer)

    def push_both(self, path: str, tag: str, kind: str = OCI) -> tuple[str, dict[str, str]]:
        """Pushes an image for both processors; the digest of the index, and those of its
        manifests.
        """
        digests, entries = {}, []
        for architecture in ("amd64", "arm64"):
            digest = self.push_image(path, f"{tag}-{architecture}", architecture, kind)
            manifest = {"mediaType": TYPES[kind]["manifest"], "digest": digest}
            place = f"/v2/{path}/manifests/{digest}"
            size = self._send("HEAD", place, Accept=manifest["mediaType"])["Content-Length"]
            platform = {"os": "linux", "architecture": architecture}
            entries.append({**manifest, "size": int(size), "platform": platform})
            digests[architecture] = digest
        index = {"schemaVersion": 2, "mediaType": TYPES[kind]["index"], "manifests": entries}
        return self.push(path, tag, index), digests

    def _send(self, method: str, target: str, body: bytes = b"", **headers: str) -> Any:
        """Sends a request, which has to succeed. Returns the headers of the answer."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        # The registry with tokens accepts any.
        headers["Authorization"] = "Bearer of-the-test"
        url = f"http://{self.host}{target}"
        answer = requests.request(method, url, data=body, headers=headers, timeout=300)
        answer.raise_for_status()
        return answer.headers


def _descriptor(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest_of(content), "size": len(content)}


def lookup(*hosts: str) -> RegistryClient:
    """The real registries, of which only ``hosts`` may be private ones."""
    return RegistryClient(Ecr(reach := Http(hosts)), Oci(reach))


def parsed(registry: Registry, rest: str) -> ImageReference:
    """A reference into ``registry``."""
    return ImageReference.parse(f"{registry.host}/{rest}")


@pytest.fixture(name="registry", scope="module")
def _registry(tmp_path_factory):
    """A registry that everybody may read."""
    with registry_server(tmp_path_factory.mktemp("registry"), free_port()) as host:
        yield Registry(host)


@pytest.mark.parametrize("kind", [OCI, DOCKER])
def test_an_index_is_found_by_tag_and_by_digest_and_each_processor_has_its_manifest(registry, kind):
    digest, manifests = registry.push_both("team/both", "1", kind)
    for rest in ("team/both:1", f"team/both@{digest}", f"team/both:elsewhere@{digest}"):
        for platform in (X86_64, ARM64):
            verified = verify(parsed(registry, rest), platform, lookup(registry.host))
            assert (verified.digest, verified.platform_digest) == (
                digest,
                manifests[platform.architecture],
            )
            assert set(verified.platforms) == {X86_64, ARM64}


@pytest.mark.parametrize("kind", [OCI, DOCKER])
def test_an_image_for_one_processor_is_for_no_other(registry, kind):
    digest = registry.push_image("team/arm", "latest", "arm64", kind)
    verified = verify(parsed(registry, "team/arm"), ARM64, lookup(registry.host))
    assert (verified.digest, verified.platforms) == (digest, (ARM64,))
    with pytest.raises(ImageArchitectureError, match="is for arm64 and the task needs X86_64"):
        verify(parsed(registry, "team/arm"), X86_64, lookup(registry.host))


@pytest.mark.parametrize(
    "rest, words",
    [
        ("team/app:2", "its repository has no such tag or digest"),
        (f"team/app@sha256:{'a' * 64}", "its repository has no such tag or digest"),
        ("nobody/knows:1", ""),
    ],
)
def test_a_tag_digest_or_repository_that_is_not_there_is_refused(registry, rest, words):
    registry.push_image("team/app", "1", "amd64")
    with pytest.raises(ImageNotFoundError, match=f"is not in the registry: {words}"):
        verify(parsed(registry, rest), X86_64, lookup(registry.host), require=False)


class Authority(Proxy):
    """Issues tokens to everybody.

    The registry accepts any: https://distribution.github.io/distribution/about/configuration/#silly
    """

    def __init__(self) -> None:
        super().__init__()
        self.requested: list[tuple[dict[str, list[str]], str | None]] = []
        """Query and Authorization of each request for a token."""

    def before(self, request: Request) -> Answer:
        query = parse_qs(urlsplit(request.path).query)
        self.requested.append((query, request.headers["Authorization"]))
        return Answer(200, [], b'{"token": "of-the-authority"}')


def test_a_registry_that_wants_tokens_gets_one_that_was_given_to_nobody_in_particular(tmp_path):
    with Authority().serving() as authority:
        auth = f"auth: {{silly: {{realm: '{authority.url}/token', service: {SERVICE}}}}}\n"
        with registry_server(tmp_path / "guarded", free_port(), auth) as host:
            registry = Registry(host)
            registry.push_image("team/open", "1", "amd64")
            registries = lookup(host, urlsplit(authority.url).netloc)
            verified = verify(parsed(registry, "team/open:1"), X86_64, registries)
            requested = list(authority.requested)
            with pytest.raises(
                ImageNotFoundError, match="its repository has no such tag or digest"
            ):
                verify(parsed(registry, "team/open:2"), X86_64, registries)

    assert verified.platforms == (X86_64,) and verified.digest
    assert requested == [({"service": [SERVICE], "scope": ["repository:team/open:pull"]}, None)]

"""Images in a real registry, Debian's package docker-registry, on loopback: one that everybody may
read, and one that wants tokens.

What is pushed is a few bytes: an image for each of ECS's processors, an index of both, and a Helm
chart, which is no image.
"""

import base64
import datetime
import gzip
import hashlib
import http.client
import itertools
import json
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import NameOID

from ecs_updater.aws.ecr import Ecr
from ecs_updater.aws.oci_registry import Oci
from ecs_updater.aws.safe_http import Http
from ecs_updater.errors import ImageArchitectureError, ImageNotFoundError, ImageVerificationError
from ecs_updater.model.image import ImageReference
from ecs_updater.registry.client import RegistryClient
from ecs_updater.registry.manifest import Platform
from ecs_updater.registry.verify import verify
from support.containers import registry as registry_server
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
ISSUER, SERVICE = "issuer", "registry.example"
NOT_SHOWN = "the registry requires credentials for it: it is private there, or does not exist"


def digest_of(content: bytes) -> str:
    """The digest under which a registry keeps ``content``."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Registry:
    """A running registry, and who may push to it."""

    host: str
    token: str = ""

    def push(self, path: str, tag: str, manifest: dict[str, Any], *blobs: bytes) -> str:
        """Pushes the manifest and the blobs that it names; the manifest's digest."""
        for blob in blobs:
            headers = self._send("POST", f"/v2/{path}/blobs/uploads/", 202)
            place = urlsplit(headers["Location"])
            target = f"{place.path}?{place.query}&digest={digest_of(blob)}"
            self._send("PUT", target, 201, blob, Content_Type="application/octet-stream")
        body = json.dumps(manifest).encode()
        place = f"/v2/{path}/manifests/{tag}"
        self._send("PUT", place, 201, body, Content_Type=manifest["mediaType"])
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
            size = self._send("HEAD", place, 200, Accept=manifest["mediaType"])["Content-Length"]
            platform = {"os": "linux", "architecture": architecture}
            entries.append({**manifest, "size": int(size), "platform": platform})
            digests[architecture] = digest
        index = {"schemaVersion": 2, "mediaType": TYPES[kind]["index"], "manifests": entries}
        return self.push(path, tag, index), digests

    def _send(
        self, method: str, target: str, expected: int, body: bytes = b"", **headers: str
    ) -> Any:
        """Sends a request. Returns the headers of the answer."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        connection = http.client.HTTPConnection(self.host, timeout=300)
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        assert answer.status == expected, (method, target, answer.status, content)
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


def test_a_pinned_reference_is_what_was_looked_at_after_the_tag_has_moved(registry):
    digest = registry.push_image("team/moves", "1", "amd64")
    pinned = verify(parsed(registry, "team/moves:1"), X86_64, lookup(registry.host)).pinned()
    assert str(pinned) == f"{registry.host}/team/moves:1@{digest}"
    assert registry.push_image("team/moves", "1", "arm64") != digest
    assert verify(pinned, X86_64, lookup(registry.host)).digest == digest
    with pytest.raises(ImageArchitectureError):
        verify(parsed(registry, "team/moves:1"), X86_64, lookup(registry.host))


@pytest.mark.parametrize("rest", ["team/app:2", f"team/app@sha256:{'a' * 64}"])
def test_a_tag_or_digest_that_is_not_there_is_refused(registry, rest):
    registry.push_image("team/app", "1", "amd64")
    with pytest.raises(
        ImageNotFoundError, match="is not in the registry: its repository has no such tag or digest"
    ):
        verify(parsed(registry, rest), X86_64, lookup(registry.host), require=False)


def test_a_repository_that_is_not_there_is_refused(registry):
    with pytest.raises(ImageNotFoundError, match="is not in the registry: "):
        verify(parsed(registry, "nobody/knows:1"), X86_64, lookup(registry.host), require=False)


# With tokens


class Authority(Proxy):
    """Issues tokens that a registry accepts: to anybody for pulling from `team/open`, and to the
    test for pushing.

    https://distribution.github.io/distribution/spec/auth/jwt/
    """

    def __init__(self, directory: Path):
        super().__init__()
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
        )
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(
            now + datetime.timedelta(hours=1)
        )
        self._certificate = builder.sign(self._key, hashes.SHA256())
        self.bundle = directory / "authority.pem"
        self.bundle.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        self._numbers = itertools.count()
        self.asked: list[tuple[dict[str, list[str]], str | None]] = []
        """Query and Authorization of each request for a token."""

    def token(self, access: list[dict[str, Any]]) -> str:
        """A token, signed, for five minutes."""
        now = int(datetime.datetime.now(datetime.UTC).timestamp())
        certificate = base64.b64encode(
            self._certificate.public_bytes(serialization.Encoding.DER)
        ).decode()
        header = {"typ": "JWT", "alg": "ES256", "x5c": [certificate]}
        times = {"iat": now, "nbf": now - 60, "exp": now + 300}
        claims = {
            "iss": ISSUER,
            "sub": "",
            "aud": SERVICE,
            "jti": str(next(self._numbers)),
            "access": access,
            **times,
        }
        signed = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        r, s = utils.decode_dss_signature(
            self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        )
        return f"{signed}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def before(self, request: Request) -> Answer:
        query = parse_qs(urlsplit(request.path).query)
        self.asked.append((query, request.headers["Authorization"]))
        open_to_all = query["scope"] == ["repository:team/open:pull"]
        access = [{"type": "repository", "name": "team/open", "actions": ["pull"]}]
        token = self.token(access if open_to_all else [])
        return Answer(200, [], json.dumps({"token": token}).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.fixture(name="guarded", scope="module")
def _guarded(tmp_path_factory):
    """A registry that wants tokens, with the image ``1`` in two repositories; the registry, the
    authority and its host.
    """
    directory = tmp_path_factory.mktemp("guarded")
    authority = Authority(directory)
    with ExitStack() as stack:
        stack.enter_context(authority.serving())
        realm = f"127.0.0.1:{authority.server_port}"
        auth = (
            f"auth: {{token: {{realm: 'http://{realm}/token', service: {SERVICE}, "
            f"issuer: {ISSUER}, rootcertbundle: '{authority.bundle}'}}}}\n"
        )
        host = stack.enter_context(registry_server(directory, free_port(), auth))
        names = ("team/open", "team/closed")
        access = [
            {"type": "repository", "name": name, "actions": ["pull", "push"]} for name in names
        ]
        registry = Registry(host, authority.token(access))
        for name in names:
            registry.push_image(name, "1", "amd64")
        yield registry, authority, realm


def test_a_registry_that_wants_tokens_gets_one_that_was_given_to_nobody_in_particular(guarded):
    registry, authority, realm = guarded
    authority.asked.clear()
    verified = verify(parsed(registry, "team/open:1"), X86_64, lookup(registry.host, realm))
    assert verified.platforms == (X86_64,) and verified.digest
    assert authority.asked == [
        ({"service": [SERVICE], "scope": ["repository:team/open:pull"]}, None)
    ]
    with pytest.raises(ImageNotFoundError, match="its repository has no such tag or digest"):
        verify(parsed(registry, "team/open:2"), X86_64, lookup(registry.host, realm))


@pytest.mark.parametrize("name", ["team/closed", "team/nowhere"])
def test_a_repository_that_is_not_shown_to_everybody_is_in_doubt(guarded, name):
    registry, _, realm = guarded
    image = parsed(registry, f"{name}:1")
    with pytest.raises(ImageVerificationError, match=NOT_SHOWN):
        verify(image, X86_64, lookup(registry.host, realm))
    verified = verify(image, X86_64, lookup(registry.host, realm), require=False)
    assert (verified.digest, verified.doubt) == (
        None,
        f"{image} could not be verified: {NOT_SHOWN}",
    )

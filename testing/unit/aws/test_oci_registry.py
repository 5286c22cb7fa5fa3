"""Registries that speak the OCI distribution API: the anonymous token, and what each answer means
for an update.
"""

import hashlib
import json
import socket
from unittest.mock import Mock
from urllib.parse import parse_qs, urlsplit

import pytest

from ecs_updater.aws.ecr import Ecr
from ecs_updater.aws.oci_registry import Oci
from ecs_updater.aws.safe_http import Http, HttpFailure, Response
from ecs_updater.errors import ImageNotFoundError, ImageVerificationError
from ecs_updater.model.image import ImageReference
from ecs_updater.registry.client import RegistryClient
from ecs_updater.registry.manifest import IMAGE_TYPES, MANIFEST_TYPES, Platform
from fakes.memory_dynamodb import Clock
from support.images import verify

X86_64 = Platform("linux", "amd64")
CONFIG = json.dumps({"os": "linux", "architecture": "amd64"}).encode()
CONFIG_DIGEST = f"sha256:{hashlib.sha256(CONFIG).hexdigest()}"
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": CONFIG_DIGEST,
            "size": 1,
        },
    }
).encode()
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
CHALLENGE = (
    "Bearer "
    'realm="https://auth.example/token?a=b",service="registry.example",scope="repository:secret:push"'
)
UNAUTHORIZED = Response(401, {"www-authenticate": CHALLENGE}, b"")
TOKEN = Response(200, {}, b'{"token": "t.0-k_en", "expires_in": 300}')


class FakeHttp:
    """Answers GETs in this order, and records the requests."""

    def __init__(self, *answers):
        self.answers, self.requests = iter(answers), []
        self._next = Mock(side_effect=self.answers)

    def origin(self, host):
        """Https, always."""
        return f"https://{host}"

    def get(self, url, headers, limit, seconds, registry=None):  # pylint: disable=unused-argument
        """The next answer."""
        assert limit <= 4 << 20
        self.requests.append((url, dict(headers), seconds))
        return self._next()

    @property
    def urls(self):
        """What was asked."""
        return [url for url, _, _ in self.requests]

    @property
    def authorizations(self):
        """With which authorization."""
        return [headers.get("Authorization") for _, headers, _ in self.requests]


def found(body=MANIFEST, kind=IMAGE_TYPES[0]):
    """An answer with content."""
    return Response(200, {"content-type": kind}, body)


def check(http, text="registry.example/team/app:1", require=True, clock=None):
    """What ``verify`` says of an image in a registry that answers like ``http``."""
    registries = RegistryClient(Ecr(http), Oci(http, clock or Clock(1000.0)))
    return verify(ImageReference.parse(text), X86_64, registries, require)


def test_a_registry_that_wants_no_token_is_asked_for_the_manifest_and_the_configuration():
    http = FakeHttp(found(), found(CONFIG))
    verified = check(http)
    assert (verified.digest, verified.platforms, verified.doubt) == (DIGEST, (X86_64,), None)
    base = "https://registry.example/v2/team/app"
    assert http.urls == [f"{base}/manifests/1", f"{base}/blobs/{CONFIG_DIGEST}"]
    assert http.requests[0][1] == {"Accept": ", ".join(MANIFEST_TYPES), "User-Agent": "ecs-updater"}
    assert http.authorizations == [None, None]


@pytest.mark.parametrize(
    "text, url",
    [
        ("busybox", "https://registry-1.docker.io/v2/library/busybox/manifests/latest"),
        ("docker.io/team/app:1", "https://registry-1.docker.io/v2/team/app/manifests/1"),
        ("public.ecr.aws/nginx/nginx:1", "https://public.ecr.aws/v2/nginx/nginx/manifests/1"),
        ("host.example:5000/a/b/c:x", "https://host.example:5000/v2/a/b/c/manifests/x"),
        (f"host.example/app:moved@{DIGEST}", f"https://host.example/v2/app/manifests/{DIGEST}"),
    ],
)
def test_the_address_is_made_of_the_reference_and_docker_hubs_host(text, url):
    http = FakeHttp(found(), found(CONFIG))
    assert check(http, text).digest == DIGEST
    assert http.urls[0] == url


@pytest.mark.parametrize("body", [TOKEN.body, b'{"access_token": "t.0-k_en"}'])
def test_an_anonymous_token_is_got_for_pulling_this_repository_and_used_for_both_questions(body):
    http = FakeHttp(UNAUTHORIZED, Response(200, {}, body), found(), found(CONFIG))
    assert check(http).digest == DIGEST
    assert http.authorizations == [None, None, "Bearer t.0-k_en", "Bearer t.0-k_en"]
    url = urlsplit(http.urls[1])
    assert (url.scheme, url.netloc, url.path) == ("https", "auth.example", "/token")
    assert parse_qs(url.query) == {
        "a": ["b"],
        "service": ["registry.example"],
        "scope": ["repository:team/app:pull"],
    }


def test_a_token_is_used_again_for_its_repository_only_and_not_for_long():
    clock = Clock()
    oci = Oci(http := FakeHttp(UNAUTHORIZED, TOKEN, found(), found(), found(), found()), clock)
    for path in ("team/app", "team/app", "team/other"):
        oci.manifest("registry.example", path, "1", MANIFEST_TYPES)
    clock.now += 50
    oci.manifest("registry.example", "team/app", "1", MANIFEST_TYPES)
    assert http.authorizations == [None, None, "Bearer t.0-k_en", "Bearer t.0-k_en", None, None]


def test_a_token_that_is_taken_no_more_is_replaced_once():
    oci = Oci(http := FakeHttp(UNAUTHORIZED, TOKEN, found(), UNAUTHORIZED, TOKEN, found()), Clock())
    for _ in range(2):
        oci.manifest("registry.example", "team/app", "1", MANIFEST_TYPES)
    assert len(http.requests) == 6


def test_one_question_has_ten_seconds_with_its_token():
    clock = Clock()

    class Slow(FakeHttp):
        """Takes three seconds for each answer."""

        def get(self, *arguments, **keywords):
            answer = super().get(*arguments, **keywords)
            clock.now += 3
            return answer

    http = Slow(UNAUTHORIZED, TOKEN, found(), found(CONFIG))
    check(http, clock=clock)
    assert [seconds for _, _, seconds in http.requests] == [10, 7, 4, 10]


NOT_SHOWN = "the registry requires credentials for it: it is private there, or does not exist"


@pytest.mark.parametrize(
    "answers, reason",
    [
        ([Response(401, {"www-authenticate": 'Basic realm="x"'}, b"")], NOT_SHOWN),
        ([Response(401, {"www-authenticate": 'Bearer service="x"'}, b"")], NOT_SHOWN),
        ([Response(401, {}, b"")], NOT_SHOWN),
        # A host to which the registry redirects gets no token.
        ([Response(401, UNAUTHORIZED.headers, b"", is_of_another_origin=True)], NOT_SHOWN),
        ([Response(403, {}, b"")], NOT_SHOWN),
        ([UNAUTHORIZED, TOKEN, UNAUTHORIZED], NOT_SHOWN),
        ([UNAUTHORIZED, Response(401, {}, b"")], NOT_SHOWN),
        ([UNAUTHORIZED, Response(403, {}, b"")], NOT_SHOWN),
        (
            [UNAUTHORIZED, Response(404, {}, b"")],
            "the registry's token service answered with the status 404",
        ),
        (
            [UNAUTHORIZED, Response(429, {}, b"")],
            "the registry's token service rejects further requests for now: too many requests",
        ),
        (
            [UNAUTHORIZED, Response(200, {}, b"<html>")],
            "the registry's token service returned no token",
        ),
        (
            [UNAUTHORIZED, Response(200, {}, b"[]")],
            "the registry's token service returned no token",
        ),
        (
            [UNAUTHORIZED, Response(200, {}, b'{"token": "a\\r\\nX: y"}')],
            "the registry's token service returned no token",
        ),
        (
            [UNAUTHORIZED, Response(200, {}, b'{"token": 7}')],
            "the registry's token service returned no token",
        ),
        (
            [UNAUTHORIZED, HttpFailure("auth.example has the private address 10.0.0.1")],
            "auth.example has the private address",
        ),
        (
            [Response(429, {}, b"")],
            "the registry rejects further requests for now: too many requests",
        ),
        ([Response(500, {}, b"secret")], "the registry answered with the status 500"),
        ([Response(302, {}, b"")], "the registry answered with the status 302"),
        ([HttpFailure("no answer from registry.example")], "no answer from registry.example"),
    ],
)
def test_without_an_answer_about_the_image_it_is_in_doubt(answers, reason):
    http = FakeHttp(*answers)
    with pytest.raises(ImageVerificationError) as failed:
        check(http)
    assert f"registry.example/team/app:1 could not be verified: {reason}" in str(failed.value)
    assert not list(http.answers) and "secret" not in str(failed.value)


@pytest.mark.parametrize(
    "body, reason",
    [
        (
            b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "<b>"}]}',
            "its repository has no such tag or digest",
        ),
        (b'{"errors": [{"code": "NAME_UNKNOWN"}]}', "it has no repository of that name"),
        (b'{"errors": []}', "its repository has no such tag or digest"),
        (b"<html>", "its repository has no such tag or digest"),
    ],
)
def test_what_the_registry_does_not_have_is_refused(body, reason):
    with pytest.raises(ImageNotFoundError) as refused:
        check(FakeHttp(Response(404, {}, body)), require=False)
    assert str(refused.value).endswith(
        f"registry.example/team/app:1 is not in the registry: {reason}"
    )


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_content_is_compared_with_the_digest_that_was_asked_for(algorithm):
    digest = f"{algorithm}:{hashlib.new(algorithm, MANIFEST).hexdigest()}"
    assert check(FakeHttp(found(), found(CONFIG)), f"host.example/app@{digest}").digest == digest
    with pytest.raises(ImageVerificationError, match="other content than the digest says"):
        check(FakeHttp(found(MANIFEST + b" ")), f"host.example/app@{digest}")


def test_a_digest_of_an_unknown_kind_is_in_doubt():
    with pytest.raises(ImageVerificationError, match="a digest of the kind md5 cannot be compared"):
        check(FakeHttp(found()), f"host.example/app@md5:{'a' * 32}")


@pytest.mark.parametrize(
    "answer", [found(CONFIG + b" "), Response(404, {}, b""), HttpFailure("no answer")]
)
def test_without_the_configuration_the_image_is_there_and_its_processor_in_doubt(answer):
    verified = check(FakeHttp(found(), answer), require=False)
    assert (
        verified.digest == DIGEST and "it is there, but not for which processor: " in verified.doubt
    )


# With the real GET, and hosts that are only played: what is asked of which host, with which token

PLAYED = {
    "attacker.example": "8.8.8.8",
    "internal.example": "10.0.0.1",
    "listed.example": "1.1.1.1",
    "auth.example": "8.8.4.4",
    "hub.example": "9.9.9.9",
}


class Played:
    """Hosts behind the connections that the GET makes: ``answers`` by host, each a function of the
    path.
    """

    def __init__(self, monkeypatch, **answers):
        self.answers = {name.replace("_", "."): answer for name, answer in answers.items()}
        self.requests = []
        played = self

        class Connection:
            """One connection."""

            def __init__(self, address, port, timeout, server_hostname, ssl_context):
                assert timeout and ssl_context
                self.host, self.where, self.sock = (
                    server_hostname.lower().rstrip("."),
                    (address, port),
                    Mock(),
                )

            def connect(self):
                """Nothing is on the wire."""

            def close(self):
                """Nothing is on the wire."""

            def request(self, method, path, headers, **_):
                """Notes what is asked."""
                played.requests.append(
                    (self.host, path.partition("?")[0], headers.get("Authorization"))
                )
                self.answer = played.answers[self.host](path)  # pylint: disable=attribute-defined-outside-init
                assert method == "GET"

            def getresponse(self):
                """The prepared answer."""
                return Mock(
                    status=self.answer.status,
                    headers=self.answer.headers,
                    read=Mock(return_value=self.answer.body),
                    length_remaining=0,
                )

        monkeypatch.setattr("ecs_updater.aws.safe_http.HTTPSConnection", Connection)

    def check(self, text, private=("internal.example", "listed.example:5000")):
        """What ``verify`` says of an image."""

        def resolve(name, port, **_):
            return [
                (
                    socket.AF_INET,
                    socket.SOCK_STREAM,
                    6,
                    "",
                    (PLAYED[name.lower().rstrip(".")], port),
                )
            ]

        http = Http(private, resolve)
        return verify(
            ImageReference.parse(text), X86_64, RegistryClient(Ecr(http), Oci(http)), require=False
        )


def challenge(realm):
    """A registry that wants a token of ``realm``."""
    return Response(401, {"www-authenticate": f'Bearer realm="{realm}",service="s"'}, b"")


@pytest.mark.parametrize(
    "realm",
    [
        *(
            "https://internal.example/delete-all",
            "https://internal.example:443/x",
            "https://INTERNAL.example/x",
        ),
        *(
            "http://internal.example/x",
            "https://internal.example./x",
            "https://internal.example:8443/x",
        ),
        *("https://listed.example:5000/x", "https://listed.example/x"),
        *(
            "https://user@internal.example/x",
            "https://@internal.example/x",
            "https://internal.example:0/x",
        ),
        *(
            "ftp://internal.example/x",
            "https://auth.example/to-internal",
            "https://auth.example/to-listed",
            "//internal.example/x",
        ),
    ],
)
def test_a_public_registry_has_no_private_host_called_and_gets_no_token_of_it(monkeypatch, realm):
    def authority(path):
        target = (
            "https://internal.example/x"
            if "to-internal" in path
            else "https://listed.example:5000/x"
        )
        return Response(302, {"location": target}, b"")

    hosts = Played(
        monkeypatch,
        attacker_example=lambda _: challenge(realm),
        auth_example=authority,
        internal_example=lambda _: TOKEN,
        listed_example=lambda _: TOKEN,
    )
    assert "could not be verified" in hosts.check("attacker.example/app:1").doubt
    assert {host for host, _, _ in hosts.requests} <= {"attacker.example", "auth.example"}
    assert [token for _, _, token in hosts.requests if token] == []


def test_a_token_goes_to_the_registry_that_was_asked_and_not_to_where_it_leads(monkeypatch):
    redirect = Response(307, {"location": "https://hub.example/blob"}, b"")

    def registry(path):
        return (
            redirect
            if "blobs" in path
            else found()
            if len(hosts.requests) > 2
            else challenge("https://auth.example/token")
        )

    hosts = Played(
        monkeypatch,
        attacker_example=registry,
        auth_example=lambda _: TOKEN,
        hub_example=lambda _: found(CONFIG),
    )
    assert hosts.check("attacker.example/app:1").doubt is None
    assert {host for host, _, token in hosts.requests if token} == {"attacker.example"}
    assert [host for host, _, token in hosts.requests if not token] == [
        "attacker.example",
        "auth.example",
        "hub.example",
    ]


def test_a_registry_gets_no_token_that_another_one_to_which_it_leads_asks_for(monkeypatch):
    hosts = Played(
        monkeypatch,
        attacker_example=lambda _: Response(
            307, {"location": "https://hub.example/v2/app/manifests/1"}, b""
        ),
        hub_example=lambda _: challenge("https://auth.example/token"),
        auth_example=lambda _: TOKEN,
    )
    assert NOT_SHOWN in hosts.check("attacker.example/app:1").doubt
    assert [host for host, _, _ in hosts.requests] == ["attacker.example", "hub.example"]

"""Images in Amazon ECR, on the wire: what is asked, where, how often, and what each of ECR's
answers means for an update.
"""

import hashlib
import itertools
import json
from unittest.mock import ANY, Mock

import boto3
import moto
import pytest
from botocore.exceptions import ConnectTimeoutError

from ecs_updater.aws.ecr import _CONFIG, Ecr
from ecs_updater.aws.oci_registry import Oci
from ecs_updater.aws.safe_http import Http, HttpFailure, Response
from ecs_updater.errors import ImageArchitectureError, ImageNotFoundError, ImageVerificationError
from ecs_updater.model.image import ImageReference
from ecs_updater.registry.client import RegistryClient
from ecs_updater.registry.manifest import IMAGE_TYPES, INDEX_TYPES, Platform
from ecs_updater.registry.verify import verify_all
from fakes.wire import ACCOUNT, DENIED, SERVER_ERROR, THROTTLED, Wire
from support.images import verify

OWNER = "999999999999"
X86_64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
CONFIG = json.dumps({"os": "linux", "architecture": "amd64"}).encode()
CONFIG_DIGEST = f"sha256:{hashlib.sha256(CONFIG).hexdigest()}"
URL = "https://bucket.s3.us-east-2.amazonaws.com/config?X-Amz-Signature=secret"
SINGLE = {
    "schemaVersion": 2,
    "mediaType": IMAGE_TYPES[1],
    "config": {
        "mediaType": "application/vnd.docker.container.image.v1+json",
        "digest": CONFIG_DIGEST,
        "size": len(CONFIG),
    },
}
CHART = SINGLE | {
    "config": {
        "mediaType": "application/vnd.cncf.helm.config.v1+json",
        "digest": CONFIG_DIGEST,
        "size": 2,
    }
}


def index(kind):
    """An index for both of ECS's processors."""
    entries = [
        {
            "digest": "sha256:" + digit * 64,
            "platform": {"os": "linux", "architecture": architecture},
        }
        for digit, architecture in (("1", "amd64"), ("2", "arm64"))
    ]
    return {"schemaVersion": 2, "mediaType": kind, "manifests": entries}


IS_CONFIG = Response(200, {}, CONFIG)


class FakeEcr(Wire):
    """Repository ``team/app`` in one registry, in every region."""

    def __init__(self, manifest=None, **faults):
        super().__init__("ecr")
        self.text = json.dumps(manifest, indent=3)
        self.digest = f"sha256:{hashlib.sha256(self.text.encode()).hexdigest()}"
        self.cached = []
        for operation, faults_of in faults.items():
            self.fail(operation, *faults_of)

    def client_in(self, region):
        """A real client for ``region`` whose requests end here."""
        client = boto3.client("ecr", region_name=region, config=_CONFIG)
        self.take(client)
        return client

    def answer(self, operation, body):
        if operation == "GetDownloadUrlForLayer":
            return {"downloadUrl": URL, "layerDigest": CONFIG_DIGEST}
        if operation == "DescribePullThroughCacheRules":
            return {
                "pullThroughCacheRules": [{"ecrRepositoryPrefix": prefix} for prefix in self.cached]
            }
        kind = json.loads(self.text).get("mediaType") if self.text != "null" else ""
        image_id = {"imageDigest": self.digest, "imageTag": "1"}
        return {
            "images": [
                {"imageId": image_id, "imageManifest": self.text, "imageManifestMediaType": kind}
            ],
            "failures": [],
        }


def lookup(fake, answer=IS_CONFIG):
    """The real registries, with ``fake`` in place of AWS and this answer to every GET."""
    return RegistryClient(Ecr(http_of(answer), fake.client_in), Oci(Http()))


def http_of(answer=IS_CONFIG):
    """Answers every GET with this, or raises it."""
    return Mock(**{"get.side_effect": itertools.repeat(answer)})


def image(rest=":1", host=f"{OWNER}.dkr.ecr.us-east-2.amazonaws.com"):
    """A reference into the fake registry."""
    return ImageReference.parse(f"{host}/team/app{rest}")


def failures(code, reason="Requested image not found"):
    """BatchGetImage's way of saying what went wrong with one image."""
    return {
        "images": [],
        "failures": [{"imageId": {"imageTag": "1"}, "failureCode": code, "failureReason": reason}],
    }


@pytest.mark.parametrize("kind", INDEX_TYPES)
def test_an_index_is_one_call_to_the_registry_of_its_account_in_its_region(kind):
    fake = FakeEcr(index(kind))
    verified = verify(image(), ARM64, lookup(fake))
    assert (verified.digest, verified.platform_digest) == (fake.digest, "sha256:" + "2" * 64)
    assert fake.operations == ["BatchGetImage"]
    request = fake.requests[0]
    assert request.url == "https://api.ecr.us-east-2.amazonaws.com/"
    assert request.body == {
        "registryId": OWNER,
        "repositoryName": "team/app",
        "imageIds": [{"imageTag": "1"}],
        "acceptedMediaTypes": [*IMAGE_TYPES, *INDEX_TYPES],
    }


@pytest.mark.parametrize(
    "rest, image_id",
    [
        ("", {"imageTag": "latest"}),
        (":1", {"imageTag": "1"}),
        ("@sha256:" + "a" * 64, {"imageDigest": "sha256:" + "a" * 64}),
        (":moved@sha256:" + "a" * 64, {"imageDigest": "sha256:" + "a" * 64}),
    ],
)
def test_the_digest_decides_then_the_tag_then_latest(rest, image_id):
    fake = FakeEcr(index(INDEX_TYPES[0]))
    verify(image(rest), X86_64, lookup(fake))
    assert fake.requests[0].body["imageIds"] == [image_id]


def test_the_processor_of_a_single_image_takes_a_second_call_and_one_download():
    fake, http = FakeEcr(SINGLE), http_of()
    registries = RegistryClient(Ecr(http, fake.client_in), Oci(Http()))
    verified = verify(image(), X86_64, registries)
    assert (verified.digest, verified.platforms) == (fake.digest, (X86_64,))
    assert fake.operations == ["BatchGetImage", "GetDownloadUrlForLayer"]
    assert fake.requests[1].body == {
        "registryId": OWNER,
        "repositoryName": "team/app",
        "layerDigest": CONFIG_DIGEST,
    }
    http.get.assert_called_once_with(URL, {}, ANY, 10.0, trusted=True)
    assert http.get.call_args.args[2] < 5_000_000
    with pytest.raises(ImageArchitectureError):
        verify(image(), ARM64, lookup(FakeEcr(SINGLE)))


def test_each_region_has_its_own_client_and_each_image_is_asked_for_once():
    fake = FakeEcr(index(INDEX_TYPES[0]))
    registries = lookup(fake)
    elsewhere = "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"
    verify_all([image(), image(":2"), image(host=elsewhere), image()], X86_64, registries)
    hosts = [request.url for request in fake.requests]
    assert (
        sorted(hosts)
        == ["https://api.ecr.cn-north-1.amazonaws.com.cn/"]
        + ["https://api.ecr.us-east-2.amazonaws.com/"] * 2
    )


WHERE = f"registry {OWNER} in us-east-2: "


@pytest.mark.parametrize(
    "manifest, answers, reason",
    [
        (
            CHART,
            [],
            "by that name there is no container image but application/vnd.cncf.helm.config.v1+json",
        ),
        *(
            (SINGLE, [answer], f"{image()} is not in the registry: {WHERE}{reason}")
            for answer, reason in (
                (failures("ImageNotFound"), "its repository has no such tag or digest"),
                (
                    failures("ImageInaccessible"),
                    "it is archived there, and no task can pull it until it is restored",
                ),
                (failures("InvalidImageTag", "Invalid tag"), "Invalid tag"),
                (
                    (400, "RepositoryNotFoundException", "The repository does not exist"),
                    "it has no repository of that name",
                ),
                (
                    (400, "InvalidParameterException", "Invalid parameter at 'repositoryName'"),
                    "Invalid parameter at 'repositoryName'",
                ),
            )
        ),
    ],
)
def test_an_image_that_ecr_does_not_have_is_an_error(manifest, answers, reason):
    fake = FakeEcr(manifest, BatchGetImage=answers)
    with pytest.raises(ImageNotFoundError) as raised:
        verify(image(), X86_64, lookup(fake), require=False)
    assert reason in str(raised.value) and fake.operations[0] == "BatchGetImage"
    assert set(fake.operations[1:]) <= {"DescribePullThroughCacheRules"}


NOT_THERE = [
    failures("ImageNotFound"),
    (400, "RepositoryNotFoundException", "The repository does not exist"),
]


@pytest.mark.parametrize("answer", NOT_THERE, ids=["tag", "repository"])
@pytest.mark.parametrize("prefix", ["team", "team/", "ROOT"])
@pytest.mark.parametrize("rest", [":1", "", "@sha256:" + "a" * 64, ":1@sha256:" + "a" * 64])
def test_what_a_pull_through_cache_gets_with_the_first_pull_is_a_doubt(answer, prefix, rest):
    fake = FakeEcr(SINGLE, BatchGetImage=[answer, answer])
    fake.cached = ["other", prefix]
    verified = verify(image(rest), X86_64, lookup(fake), require=False)
    # It is deployed as it is written, also where digests are pinned.
    assert verified.pinned() is verified.image and ("@" in rest or not verified.digests)
    doubt = verified.doubt
    assert f"the pull-through cache {prefix} gets it with the first pull" in doubt
    assert ("pull the tag once" in doubt) is ("@" in rest)
    with pytest.raises(ImageVerificationError, match="gets it with the first pull"):
        verify(image(rest), X86_64, lookup(fake))
    assert (
        fake.requests[1].body["registryId"] == OWNER
        and fake.requests[1].url == "https://api.ecr.us-east-2.amazonaws.com/"
    )
    assert fake.operations == ["BatchGetImage", "DescribePullThroughCacheRules"] * 2


@pytest.mark.parametrize("answer", NOT_THERE, ids=["tag", "repository"])
@pytest.mark.parametrize("prefixes", [[], ["tea"], ["team/app/deeper", "eam", "app"], ["team/app"]])
def test_a_rule_for_other_repositories_leaves_it_missing(answer, prefixes):
    fake = FakeEcr(SINGLE, BatchGetImage=[answer])
    fake.cached = prefixes
    with pytest.raises(ImageNotFoundError):
        verify(image(), X86_64, lookup(fake), require=False)


@pytest.mark.parametrize(
    "fault, why",
    [
        (DENIED, "allow the role ecr:DescribePullThroughCacheRules"),
        (THROTTLED, "ThrottlingException"),
    ],
)
def test_rules_that_cannot_be_read_leave_it_in_doubt_and_the_sentence_says_what_to_allow(
    fault, why
):
    fake = FakeEcr(
        SINGLE,
        BatchGetImage=[failures("ImageNotFound")] * 2,
        DescribePullThroughCacheRules=[fault] * 6,
    )
    assert why in verify(image(), X86_64, lookup(fake), require=False).doubt
    with pytest.raises(
        ImageVerificationError, match=f"could not be verified: {WHERE}.* is not known: {why}"
    ):
        verify(image(), X86_64, lookup(fake))


@pytest.mark.parametrize(
    "answers, reason, calls",
    [
        ([DENIED], "AccessDeniedException: User is not authorized to perform this action", 1),
        (
            [(400, "UnrecognizedClientException", "The security token is invalid.")],
            "UnrecognizedClientException: The security",
            1,
        ),
        ([THROTTLED] * 3, "ThrottlingException: Rate exceeded", 3),
        ([SERVER_ERROR] * 3, "ServerException: Service Unavailable", 3),
        (
            [ConnectTimeoutError(endpoint_url="https://ecr")] * 3,
            "ConnectTimeoutError: Connect timeout on endpoint",
            3,
        ),
        ([failures("UpstreamUnavailable", "upstream")], "UpstreamUnavailable: upstream", 1),
        ([failures("KmsError", "key")], "KmsError: key", 1),
        (
            [(400, "UnableToGetUpstreamImageException", "upstream")],
            "UnableToGetUpstreamImageException: upstream",
            1,
        ),
        (
            [{"images": [], "failures": []}],
            "UnreadableAnswer: the answer to BatchGetImage cannot be read",
            1,
        ),
        ([{"images": [{}]}], "UnreadableAnswer: the answer to BatchGetImage cannot be read", 1),
    ],
)
def test_when_ecr_does_not_say_it_is_a_doubt(answers, reason, calls):
    fake = FakeEcr(SINGLE, BatchGetImage=answers)
    with pytest.raises(ImageVerificationError) as failed:
        verify(image(), X86_64, lookup(fake))
    assert f"{image()} could not be verified: {WHERE}{reason}" in str(failed.value)
    assert fake.operations == ["BatchGetImage"] * calls


@pytest.mark.parametrize(
    "denied, answer, reason",
    [
        (
            [],
            Response(403, {}, b"<Error>X-Amz-Signature=secret</Error>"),
            "Amazon S3 answered with the status 403",
        ),
        (
            [],
            HttpFailure("no connection"),
            "NoBlob: the image's configuration could not be got: no connection",
        ),
        (
            [],
            Response(200, {}, CONFIG + b" "),
            "the registry answered with other content than the digest says",
        ),
        (
            [DENIED],
            IS_CONFIG,
            "AccessDeniedException: User is not authorized to perform this action",
        ),
    ],
    ids=["rejected", "no answer", "other content", "no url"],
)
def test_an_unreadable_configuration_leaves_the_processor_in_doubt_without_its_url(
    denied, answer, reason
):
    fake = FakeEcr(SINGLE, GetDownloadUrlForLayer=denied)
    verified = verify(image(), ARM64, lookup(fake, answer), require=False)
    assert verified.digest == fake.digest and "secret" not in verified.doubt
    assert "it is there, but not for which processor: " in verified.doubt
    assert verified.doubt.endswith(reason)


def test_every_request_is_counted_retries_included():
    fake = FakeEcr(SINGLE, BatchGetImage=[THROTTLED])
    ecr = Ecr(http_of(), fake.client_in)
    verify(image(), X86_64, RegistryClient(ecr, Oci(Http())))
    assert ecr.calls == {"BatchGetImage": 2, "GetDownloadUrlForLayer": 1}


def test_another_ecr_understands_the_calls_and_refuses_in_the_same_words(monkeypatch):
    """That of moto, which was not made for this code, and has no pull-through caches."""
    monkeypatch.setattr(Ecr, "cached_prefixes", lambda *_: [])
    text = json.dumps(index(INDEX_TYPES[0]))
    with moto.mock_aws():
        client = boto3.client("ecr", region_name="us-east-2")
        client.create_repository(repositoryName="team/app")
        put = client.put_image(
            repositoryName="team/app",
            imageManifest=text,
            imageManifestMediaType=INDEX_TYPES[0],
            imageTag="1",
        )
        host = f"{ACCOUNT}.dkr.ecr.us-east-2.amazonaws.com"
        registries = RegistryClient(
            Ecr(http_of(), lambda region: boto3.client("ecr", region_name=region)), Oci(Http())
        )
        digest = put["image"]["imageId"]["imageDigest"]
        for rest in (":1", f"@{digest}", f":moved@{digest}"):
            assert verify(image(rest, host), X86_64, registries).digest == digest
        for rest in (":2", "", "@sha256:" + "a" * 64):
            with pytest.raises(
                ImageNotFoundError, match="its repository has no such tag or digest"
            ):
                verify(image(rest, host), X86_64, registries)
        client.delete_repository(repositoryName="team/app", force=True)
        with pytest.raises(ImageNotFoundError, match="it has no repository of that name"):
            verify(image(":1", host), X86_64, registries)

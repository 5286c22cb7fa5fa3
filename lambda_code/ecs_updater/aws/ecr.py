"""Amazon ECR: four read calls, and the repository of an image reference.

BatchGetImage returns the manifest, and counts as a pull. The configuration of an image for one
platform names that platform; GetDownloadUrlForLayer leads to it. An image that a pull-through cache
has not pulled yet is not found: DescribePullThroughCacheRules names the repositories of caches.
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import AwsFailure, Outcome
from ..model.image import ImageReference
from . import clients
from .errors import translated
from .safe_http import Http, HttpFailure

_CONFIG = clients.config(3, 10, 3)
_BLOB_LIMIT = 4 << 20
_SECONDS = 10.0
_CLIENT_LOCK = threading.Lock()
"""The SDK's session creates one client at a time."""


_ANYWHERE = r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}"
_CHINA = r"cn-[a-z]+-[0-9]{1,2}"
# Domain of each partition, with its regions: a host that mixes two partitions is not one of AWS.
# Hosts and FIPS hosts: https://docs.aws.amazon.com/general/latest/gr/ecr.html. Dual-stack hosts:
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html. `public.ecr.aws` is an
# open registry and is handled like Docker Hub.
_DOMAINS = {
    "amazonaws.com": rf"(?!cn-|us-iso|eu-iso|eusc-){_ANYWHERE}",
    "amazonaws.com.cn": _CHINA,
    "amazonaws.eu": r"eusc-[a-z]+-[a-z]+-[0-9]{1,2}",
    "c2s.ic.gov": r"us-iso-[a-z]+-[0-9]{1,2}",
    "sc2s.sgov.gov": r"us-isob-[a-z]+-[0-9]{1,2}",
    "cloud.adc-e.uk": r"eu-isoe-[a-z]+-[0-9]{1,2}",
    "csp.hci.ic.gov": r"us-isof-[a-z]+-[0-9]{1,2}",
}
_DUAL_STACK_DOMAINS = {
    "on.aws": rf"(?!cn-|us-iso|eu-iso|eusc-){_ANYWHERE}",
    "on.amazonwebservices.com.cn": _CHINA,
}
_HOSTS = [
    re.compile(
        rf"(?P<account>[0-9]{{12}})\.{label}(?:-fips)?\.(?P<region>{region})\.{re.escape(domain)}(?::443)?"
    )
    for label, domains in ((r"dkr\.ecr", _DOMAINS), ("dkr-ecr", _DUAL_STACK_DOMAINS))
    for domain, region in domains.items()
]


@dataclass(frozen=True)
class EcrRepository:
    """A repository in a private registry of Amazon ECR."""

    account: str
    """Id of the registry: its account, which can be another one than the function's."""
    region: str
    name: str


def ecr_repository(image: ImageReference) -> EcrRepository | None:
    """Returns the ECR repository of an image. None: its registry is not a private one of ECR."""
    for host in _HOSTS:
        if match := host.fullmatch(image.registry):
            return EcrRepository(match["account"], match["region"], image.path)
    return None


class Ecr:
    """Clients of Amazon ECR, one per region. Every failure is an AwsFailure."""

    def __init__(self, http: Http, client_of: Callable[[str], Any] | None = None):
        self._http = http
        self._client_of = client_of or (
            lambda region: clients.session().create_client(
                "ecr", region_name=region, config=_CONFIG
            )
        )
        self._clients: dict[str, Any] = {}
        self.calls: Counter[str] = Counter()

    def manifest(
        self,
        repository: EcrRepository,
        image_id: dict[str, str],
        accept: Sequence[str],
    ) -> tuple[str, str, bytes]:
        """Returns digest, media type and bytes of a manifest.

        `image_id` has `imageTag` or `imageDigest`. A failure in ECR's answer, such as
        `ImageNotFound`, is an AwsFailure with that code, too.
        """
        with translated("BatchGetImage"):
            answer = self._client(repository.region).batch_get_image(
                registryId=repository.account,
                repositoryName=repository.name,
                imageIds=[image_id],
                acceptedMediaTypes=list(accept),
            )
            for failure in answer.get("failures") or ():
                code = failure["failureCode"]
                raise AwsFailure(
                    "BatchGetImage", Outcome.REFUSED, code, failure.get("failureReason") or code
                )
            image = next(iter(answer["images"]), None)
            if image is None:
                raise KeyError("images")  # Becomes the failure of an unreadable answer.
            body = image["imageManifest"].encode("utf-8", "surrogatepass")
            return image["imageId"]["imageDigest"], image.get("imageManifestMediaType", ""), body

    def blob(self, repository: EcrRepository, digest: str) -> bytes:
        """Returns a small blob of the repository, not compared with its digest."""
        # The URL is a credential: neither it nor its host's answer is part of a message.
        url = clients.call(
            self._client(repository.region),
            "GetDownloadUrlForLayer",
            "downloadUrl",
            registryId=repository.account,
            repositoryName=repository.name,
            layerDigest=digest,
        )["downloadUrl"]
        try:
            response = self._http.get(url, {}, _BLOB_LIMIT, _SECONDS, trusted=True)
        except HttpFailure as failure:
            raise _no_blob(str(failure)) from failure
        if response.status != 200:
            raise _no_blob(f"Amazon S3 answered with the status {response.status}")
        return response.body

    def tags(self, repository: EcrRepository) -> list[tuple[str, str, float]]:
        """Returns tag, digest and time of push, in seconds since the epoch, of each tagged image.

        Only the command line lists images. An image has the time of its first push.
        """
        with translated("DescribeImages"):
            pages = (
                self._client(repository.region)
                .get_paginator("describe_images")
                .paginate(
                    registryId=repository.account,
                    repositoryName=repository.name,
                    filter={"tagStatus": "TAGGED"},
                    PaginationConfig={"PageSize": 1000},
                )
            )
            return [
                (tag, image["imageDigest"], image["imagePushedAt"].timestamp())
                for page in pages
                for image in page["imageDetails"]
                for tag in image["imageTags"]
            ]

    def cached_prefixes(self, region: str, account: str) -> list[str]:
        """Returns the repository prefixes of the registry's pull-through caches. `ROOT`: all.

        A registry has at most 50 rules, which fit on the first page.
        https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribePullThroughCacheRules.html
        """
        with translated("DescribePullThroughCacheRules"):
            answer = self._client(region).describe_pull_through_cache_rules(
                registryId=account, maxResults=1000
            )
            return [rule["ecrRepositoryPrefix"] for rule in answer["pullThroughCacheRules"]]

    def _client(self, region: str) -> Any:
        with _CLIENT_LOCK:
            if region not in self._clients:
                client = self._client_of(region)
                clients.count_calls(client, self.calls)
                self._clients[region] = client
            return self._clients[region]


def _no_blob(reason: str) -> AwsFailure:
    return AwsFailure(
        "GetDownloadUrlForLayer",
        Outcome.NOT_NOW,
        "NoBlob",
        f"the image's configuration could not be got: {reason}",
    )

"""Three read calls of Amazon ECR, typed. Every failure is an ``AwsFailure``.

BatchGetImage gives the manifest itself, once per image, as a pull does; an image of a single
platform says only in its configuration which one, and GetDownloadUrlForLayer leads there.
DescribeImages would say neither. What a pull-through cache has not got yet is not found, whichever
call asks: DescribePullThroughCacheRules says for which repositories that is so.
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from botocore.config import Config

from . import botocore_hooks
from .clients import session
from .errors import AwsFailure, Outcome, translated
from .safe_http import Http, HttpFailure

_CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
    user_agent_appid="ecs-updater",
)
_BLOB_LIMIT = 4 << 20
_SECONDS = 10.0
_MAKING = threading.Lock()
"""The SDK's session makes one client at a time."""


class Ecr:
    """Clients of Amazon ECR, one per region, made when an image of that region is first asked
    for.
    """

    def __init__(self, http: Http, client_of: Callable[[str], Any] | None = None):
        self._http = http
        self._client_of = client_of or (
            lambda region: session().create_client("ecr", region_name=region, config=_CONFIG)
        )
        self._clients: dict[str, Any] = {}
        self.calls: Counter[str] = Counter()
        """The requests that went over the wire, by operation, retries included."""

    def manifest(
        self,
        region: str,
        account: str,
        repository: str,
        image_id: dict[str, str],
        accept: Sequence[str],
    ) -> tuple[str, str, bytes]:
        """Digest, media type and bytes of a manifest. ``image_id``: ``imageTag`` or
        ``imageDigest``.

        A failure that ECR lists in its answer, such as ``ImageNotFound``, is an AwsFailure with
        that code too.
        """
        with translated("BatchGetImage"):
            answer = self._client(region).batch_get_image(
                registryId=account,
                repositoryName=repository,
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
                raise KeyError("images")  # Which makes it an answer that cannot be read.
            body = image["imageManifest"].encode("utf-8", "surrogatepass")
            return image["imageId"]["imageDigest"], image.get("imageManifestMediaType", ""), body

    def blob(self, region: str, account: str, repository: str, digest: str) -> bytes:
        """The bytes of a small blob of the repository, not compared with its digest."""
        with translated("GetDownloadUrlForLayer"):
            answer = self._client(region).get_download_url_for_layer(
                registryId=account, repositoryName=repository, layerDigest=digest
            )
            url = answer["downloadUrl"]
        try:
            # The URL is a credential of its own: neither it nor what its host answers comes into a
            # message.
            response = self._http.get(url, {}, _BLOB_LIMIT, _SECONDS, trusted=True)
        except HttpFailure as failure:
            raise _no_blob(str(failure)) from failure
        if response.status != 200:
            raise _no_blob(f"Amazon S3 answered with the status {response.status}")
        return response.body

    def cached_prefixes(self, region: str, account: str) -> list[str]:
        """For which repositories the registry is a pull-through cache: how their names begin, or
        ``ROOT`` for all of them.

        A registry has at most 50 rules, so they are all on the first page.
        https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribePullThroughCacheRules.html
        """
        with translated("DescribePullThroughCacheRules"):
            answer = self._client(region).describe_pull_through_cache_rules(
                registryId=account, maxResults=1000
            )
            return [rule["ecrRepositoryPrefix"] for rule in answer["pullThroughCacheRules"]]

    def _client(self, region: str) -> Any:
        with _MAKING:
            if region not in self._clients:
                client = self._client_of(region)
                botocore_hooks.count_calls(client, self.calls)
                self._clients[region] = client
            return self._clients[region]


def _no_blob(reason: str) -> AwsFailure:
    return AwsFailure(
        "GetDownloadUrlForLayer",
        Outcome.NOT_NOW,
        "NoBlob",
        f"the image's configuration could not be got: {reason}",
    )

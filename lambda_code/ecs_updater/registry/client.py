"""Reads images from their registry: Amazon ECR by its API, others by the OCI distribution API."""

import hashlib

from ..aws.ecr import Ecr, EcrRepository, ecr_repository
from ..aws.oci_registry import Oci, OciFailure
from ..errors import AwsFailure, Outcome
from ..model.image import ImageReference
from .manifest import MANIFEST_TYPES
from .verify import Answer, Found, Missing, NoAnswer

_DEFAULT_TAG = "latest"
_MISSING = {
    "ImageNotFound": "its repository has no such tag or digest",
    "ImageInaccessible": "it is archived there, and no task can pull it until it is restored",
    "RepositoryNotFoundException": "it has no repository of that name",
}
_MAY_BE_CACHED = {"ImageNotFound", "RepositoryNotFoundException"}
_INVALID = {"InvalidImageDigest", "InvalidImageTag", "InvalidParameterException"}


class RegistryClient:
    """The real registries, for `verify`."""

    def __init__(self, ecr: Ecr, oci: Oci):
        self._ecr = ecr
        self._oci = oci

    def manifest(self, image: ImageReference) -> Answer:
        """See `verify.Registries`."""
        if repository := ecr_repository(image):
            return self._ecr_manifest(repository, image)
        try:
            # ECS and every engine pull a reference with tag and digest by its digest.
            reference = image.digest or image.tag or _DEFAULT_TAG
            media_type, body = self._oci.manifest(
                image.registry, image.path, reference, MANIFEST_TYPES
            )
        except OciFailure as failure:
            return _of_oci_failure(failure)
        return _compared(image.digest, body, media_type)

    def blob(self, image: ImageReference, digest: str) -> Answer:
        """See `verify.Registries`."""
        try:
            if repository := ecr_repository(image):
                body = self._ecr.blob(repository, digest)
            else:
                body = self._oci.blob(image.registry, image.path, digest)
        except OciFailure as failure:
            return _of_oci_failure(failure)
        except AwsFailure as failure:
            return NoAnswer(str(failure))
        return _compared(digest, body)

    def _ecr_manifest(self, repository: EcrRepository, image: ImageReference) -> Answer:
        image_id = (
            {"imageDigest": image.digest}
            if image.digest
            else {"imageTag": image.tag or _DEFAULT_TAG}
        )
        try:
            digest, media_type, body = self._ecr.manifest(repository, image_id, MANIFEST_TYPES)
        except AwsFailure as failure:
            where = f"registry {repository.account} in {repository.region}"
            if failure.code in _MISSING:
                reason = f"{where}: {_MISSING[failure.code]}"
                return (
                    self._not_cached(repository, image, reason)
                    if failure.code in _MAY_BE_CACHED
                    else Missing(reason)
                )
            if failure.code in _INVALID and failure.outcome is Outcome.REFUSED:
                return Missing(f"{where}: {failure.reason}")
            return NoAnswer(f"{where}: {failure}")
        return Found(digest, body, media_type)

    def _not_cached(self, repository: EcrRepository, image: ImageReference, reason: str) -> Answer:
        """Returns Missing, or NoAnswer if a pull-through cache gets the image at the first pull.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html
        """
        try:
            prefixes = self._ecr.cached_prefixes(repository.region, repository.account)
        except AwsFailure as failure:
            is_denied = failure.outcome is Outcome.NOT_PERMITTED
            why = "allow the role ecr:DescribePullThroughCacheRules" if is_denied else str(failure)
            return NoAnswer(
                f"{reason}, and whether a pull-through cache gets it with the first "
                f"pull is not known: {why}"
            )
        for prefix in prefixes:
            if prefix == "ROOT" or repository.name.startswith(f"{prefix.rstrip('/')}/"):
                by_tag = (
                    "; by a digest it gets nothing: pull the tag once before"
                    if image.digest
                    else ""
                )
                return NoAnswer(
                    f"{reason} yet: the pull-through cache {prefix} gets it "
                    f"with the first pull{by_tag}"
                )
        return Missing(reason)


def _of_oci_failure(failure: OciFailure) -> Answer:
    return Missing(failure.reason) if failure.missing else NoAnswer(failure.reason)


def _compared(digest: str | None, body: bytes, media_type: str = "") -> Answer:
    """Returns the content with its digest, or NoAnswer if that is not the requested one."""
    algorithm = digest.partition(":")[0] if digest else "sha256"
    if algorithm not in ("sha256", "sha384", "sha512"):
        return NoAnswer(f"a digest of the kind {algorithm} cannot be compared")
    own = f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"
    if digest and own != digest:
        return NoAnswer("the registry answered with other content than the digest says")
    return Found(own, body, media_type)

"""Reads images from their registry: Amazon ECR by its API, others by the OCI distribution API."""

import hashlib

from ..aws.ecr import Ecr, EcrRepository, ecr_repository
from ..aws.oci_registry import Oci
from ..errors import AwsFailure, ImageMissing, Outcome, RegistryFailure
from ..model.image import DEFAULT_TAG, ImageReference
from .manifest import MANIFEST_TYPES
from .verify import Found

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

    def manifest(self, image: ImageReference) -> Found:
        """See `verify.Registries`."""
        if repository := ecr_repository(image):
            return self._ecr_manifest(repository, image)
        # ECS and every engine pull a reference with tag and digest by its digest.
        reference = image.digest or image.tag or DEFAULT_TAG
        media_type, body = self._oci.manifest(image.registry, image.path, reference, MANIFEST_TYPES)
        return _compared(image.digest, body, media_type)

    def blob(self, image: ImageReference, digest: str) -> Found:
        """See `verify.Registries`."""
        if repository := ecr_repository(image):
            try:
                body = self._ecr.blob(repository, digest)
            except AwsFailure as failure:
                raise RegistryFailure(str(failure)) from failure
        else:
            body = self._oci.blob(image.registry, image.path, digest)
        return _compared(digest, body)

    def _ecr_manifest(self, repository: EcrRepository, image: ImageReference) -> Found:
        image_id = (
            {"imageDigest": image.digest}
            if image.digest
            else {"imageTag": image.tag or DEFAULT_TAG}
        )
        try:
            digest, media_type, body = self._ecr.manifest(repository, image_id, MANIFEST_TYPES)
        except AwsFailure as failure:
            where = f"registry {repository.account} in {repository.region}"
            if failure.code in _MISSING:
                reason = f"{where}: {_MISSING[failure.code]}"
                if failure.code in _MAY_BE_CACHED:
                    self._check_not_cached(repository, image, reason)
                raise ImageMissing(reason) from failure
            if failure.code in _INVALID and failure.outcome is Outcome.REFUSED:
                raise ImageMissing(f"{where}: {failure.reason}") from failure
            raise RegistryFailure(f"{where}: {failure}") from failure
        return Found(digest, body, media_type)

    def _check_not_cached(
        self, repository: EcrRepository, image: ImageReference, reason: str
    ) -> None:
        """Raises RegistryFailure if a pull-through cache gets the image at the first pull.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html
        """
        try:
            prefixes = self._ecr.cached_prefixes(repository.region, repository.account)
        except AwsFailure as failure:
            is_denied = failure.outcome is Outcome.NOT_PERMITTED
            why = "allow the role ecr:DescribePullThroughCacheRules" if is_denied else str(failure)
            raise RegistryFailure(
                f"{reason}, and whether a pull-through cache gets it with the first "
                f"pull is not known: {why}"
            ) from failure
        by_tag = "; by a digest it gets nothing: pull the tag once before" if image.digest else ""
        for prefix in prefixes:
            if prefix == "ROOT" or repository.name.startswith(f"{prefix.rstrip('/')}/"):
                raise RegistryFailure(
                    f"{reason} yet: the pull-through cache {prefix} gets it "
                    f"with the first pull{by_tag}"
                )


def _compared(digest: str | None, body: bytes, media_type: str = "") -> Found:
    """Returns the content with its digest. Raises RegistryFailure if that is another one."""
    algorithm = digest.partition(":")[0] if digest else "sha256"
    if algorithm not in ("sha256", "sha384", "sha512"):
        raise RegistryFailure(f"a digest of the kind {algorithm} cannot be compared")
    own = f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"
    if digest and own != digest:
        raise RegistryFailure("the registry answered with other content than the digest says")
    return Found(own, body, media_type)

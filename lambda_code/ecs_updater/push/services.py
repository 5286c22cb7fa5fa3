"""The services with a policy: found by their tags, and what the container of each one runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..aws.ecr import EcrRepository, ecr_repository
from ..aws.tagging import Tagging
from ..errors import AmbiguousContainerError, ContainerNotFoundError, InvalidImageError, one_line
from ..model.arn import cluster_arn_of, name_of
from ..model.image import ImageReference
from ..model.push import Push
from .policy import CONTAINER, POLICY, Policy


@dataclass(frozen=True)
class PolicyService:
    """A service with a valid policy."""

    arn: str
    """The service's ARN in the long form, which is its key in ledger and queue."""
    policy: Policy
    container: str | None = None
    """Name of the container that gets the image. None: the one with the image's repository."""

    @property
    def cluster(self) -> str:
        """Returns the ARN of the cluster."""
        return cluster_arn_of(self.arn)


@dataclass(frozen=True)
class InvalidPolicy:
    """A service whose policy cannot be parsed. It deploys nothing."""

    service: str
    value: str
    reason: str


@dataclass(frozen=True)
class Container:
    """A container with an image of Amazon ECR."""

    name: str
    image: ImageReference
    repository: EcrRepository

    @property
    def place(self) -> tuple[str, str, str]:
        """Returns registry, region and repository, see `model.push.Push.place`."""
        return self.repository.account, self.repository.region, self.repository.name


def services_with_policy(
    tagging: Tagging, cluster_pattern: str = "*"
) -> tuple[list[PolicyService], list[InvalidPolicy]]:
    """Returns the services with a valid policy, and those with an invalid one.

    `cluster_pattern`: only services of these clusters, by name. Raises AwsFailure.
    """
    valid: list[PolicyService] = []
    invalid: list[InvalidPolicy] = []
    for arn, tags in tagging.services_with(POLICY).items():
        # A service with an ARN in the short form has no tags.
        if not fnmatchcase(name_of(cluster_arn_of(arn)), cluster_pattern):
            continue
        try:
            valid.append(PolicyService(arn, Policy.parse(tags[POLICY]), tags.get(CONTAINER)))
        except ValueError as error:
            invalid.append(InvalidPolicy(arn, one_line(tags[POLICY]), one_line(str(error))))
    return valid, invalid


def containers(images: Mapping[str, str], service: PolicyService) -> list[Container]:
    """Returns the containers that a push can address. `images`: those of the revision by container.

    Raises ContainerNotFoundError if the named container does not exist.
    """
    if service.container is not None and service.container not in images:
        raise ContainerNotFoundError(
            f"container {service.container} of the tag {CONTAINER} not found in {service.arn}, "
            f"which has {', '.join(sorted(images))}"
        )
    found = []
    for name, text in images.items():
        if service.container not in (None, name):
            continue
        try:
            image = ImageReference.parse(text)
        except InvalidImageError:
            continue
        if repository := ecr_repository(image):
            found.append(Container(name, image, repository))
    return found


def newest_push(
    service: PolicyService, candidates: Sequence[Container], pushes: Iterable[Push]
) -> tuple[Container, Push] | None:
    """Returns the newest push that the policy takes, with the container that gets it.

    None: there is none. Raises AmbiguousContainerError.
    """
    places = {container.place for container in candidates}
    push = service.policy.newest(push for push in pushes if push.place in places)
    if push is None:
        return None
    found = [container for container in candidates if container.place == push.place]
    if len(found) > 1:
        raise AmbiguousContainerError(
            f"several containers of {service.arn} run an image of {found[0].image.repository}: "
            f"name one of {', '.join(sorted(each.name for each in found))} in the tag {CONTAINER}"
        )
    return found[0], push

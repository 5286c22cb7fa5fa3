"""Whether an image reference names an image in a private registry of Amazon ECR, and in which
account and region.

Hosts, each with its FIPS form: https://docs.aws.amazon.com/general/latest/gr/ecr.html, and for both
networks (IPv4 and IPv6): https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html.
``public.ecr.aws`` is none of them: it is an open registry like Docker Hub, and is asked like one.
"""

import re
from dataclasses import dataclass

from ..model.image import ImageReference

_ANYWHERE = r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}"
_CHINA = r"cn-[a-z]+-[0-9]{1,2}"
# The domain of each partition, and its regions: a host that mixes two of them is no host of AWS's.
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
    """The registry's id: the account that it belongs to, often another one than the function's."""
    region: str
    name: str


def ecr_repository(image: ImageReference) -> EcrRepository | None:
    """The ECR repository that ``image`` lies in; None when its registry is another one."""
    for host in _HOSTS:
        if match := host.fullmatch(image.registry):
            return EcrRepository(match["account"], match["region"], image.path)
    return None

"""Which image references lie in Amazon ECR, and where: every partition, every form of host, and
nothing that only looks like it.
"""

import pytest

from ecs_updater.aws.ecr import EcrRepository, ecr_repository
from ecs_updater.model.image import ImageReference

DIGEST = "sha256:" + "0123456789abcdef" * 4
ACCOUNT = "123456789012"


@pytest.mark.parametrize(
    "host, region",
    [
        ("dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1"),
        ("dkr.ecr.ap-southeast-7.amazonaws.com", "ap-southeast-7"),
        ("dkr.ecr.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("dkr.ecr-fips.us-east-1.amazonaws.com", "us-east-1"),
        ("dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ("dkr.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        ("dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
        ("dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
        ("dkr.ecr.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"),
        ("dkr-ecr.eu-west-1.on.aws", "eu-west-1"),
        ("dkr-ecr-fips.us-east-2.on.aws", "us-east-2"),
        ("dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn", "cn-northwest-1"),
        ("DKR.ECR.eu-west-1.AmazonAWS.com", "eu-west-1"),
        ("dkr.ecr.eu-west-1.amazonaws.com:443", "eu-west-1"),
    ],
)
@pytest.mark.parametrize("rest", ["", ":1.36", f"@{DIGEST}", f":1.36@{DIGEST}"])
def test_an_image_of_ecr_is_known_by_its_host_in_every_partition(host, region, rest):
    image = ImageReference.parse(f"{ACCOUNT}.{host}/team/app{rest}")
    assert ecr_repository(image) == EcrRepository(ACCOUNT, region, "team/app")


@pytest.mark.parametrize(
    "text",
    [
        "busybox",
        "team/app:1",
        "public.ecr.aws/docker/library/busybox:1.36",
        "localhost:5000/app",
        f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com.evil.example/app",
        f"evil.{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/app",
        f"{ACCOUNT}0.dkr.ecr.eu-west-1.amazonaws.com/app",
        f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com:8443/app",
        f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com.cn/app",
        f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com/app",
        f"{ACCOUNT}.dkr-ecr.eu-west-1.amazonaws.com/app",
        f"{ACCOUNT}.dkr.ecr.eu-west-1.on.aws/app",
        f"{ACCOUNT}.dkr.ecr.us-iso-east-1.amazonaws.com/app",
        f"{ACCOUNT}.dkrxecr.eu-west-1.amazonaws.com/app",
        f"{ACCOUNT}.dkr.ecr.eu-west.amazonaws.com/app",
        f"{ACCOUNT}.dkr.ecr.eu-west-1.evil.amazonaws.com/app",
    ],
)
def test_a_host_that_only_looks_like_ecr_gets_no_signed_request(text):
    assert ecr_repository(ImageReference.parse(text)) is None

"""Which account and region this process works in, where a person says so and not the function's environment."""

import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import NoRegionError

from .failure import AwsFailure, Outcome, translated

_CONFIG = Config(
    connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3}, user_agent_appid="ecs-updater"
)


def use(profile: str | None, region: str | None) -> str:
    """Lets the clients that are made from now on take this profile and region, or those of the environment; the region.

    Raises AwsFailure where there is no such profile, or no region.
    """
    try:
        with translated("Session"):
            # AWS_REGION is what other SDKs read, and boto3 does not.
            boto3.setup_default_session(profile_name=profile, region_name=region or os.environ.get("AWS_REGION") or None)
            found = boto3.DEFAULT_SESSION.region_name
            if not found:
                raise NoRegionError()
            # What cannot be an address, or a region, is said when a client is made.
            boto3.client("ecs")
            return found
    except ValueError as error:
        raise AwsFailure("Session", Outcome.REFUSED, "InvalidSetting", str(error)) from error


def table_arn(name: str, client: Any = None) -> str | None:
    """The ARN of the table of this name, which says in which account it is; None where there is none. Raises AwsFailure."""
    try:
        with translated("DescribeTable"):
            return (client or boto3.client("dynamodb", config=_CONFIG)).describe_table(TableName=name)["Table"]["TableArn"]
    except AwsFailure as failure:
        if failure.code == "ResourceNotFoundException":
            return None
        raise

"""The project in an account: its tag, its clients, and the sentences about what stays."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, partial
from typing import Any

import boto3
import jmespath
from botocore.config import Config
from botocore.exceptions import ClientError

from teardown.aws import StillThere, reason, skipping_missing
from terminal import fail

OWNERSHIP_TAG = "ecs-updater"


def make_client(session: boto3.Session, service: str) -> Any:
    """Returns a client of a service."""
    # The first call is to STS: a missing account is reported quickly.
    retries = {"mode": "standard", "total_max_attempts": 3 if service == "sts" else 8}
    return session.client(service, config=Config(retries=retries))


class Project:
    """The resources of one stack name, which stay with their stack, and whether one is left."""

    def __init__(self, stack_name: str, session: boto3.Session | None = None):
        """Reads the account first: without credentials nothing else can succeed."""
        self.stack_name = stack_name
        self.something_is_left = False
        self.spared: set[str] = set()
        self.client = cache(partial(make_client, session or boto3.Session()))
        sts = self.client("sts")
        self.region: str = sts.meta.region_name
        self.partition: str = sts.meta.partition
        self.account: str = sts.get_caller_identity()["Account"]

    def fill(self, text: str, **values: str) -> str:
        """Returns a text with the values of `{KEY}`, also of `{stack}` and its place in AWS."""
        place = {"account": self.account, "partition": self.partition, "region": self.region}
        for key, value in {**values, **place, "stack": self.stack_name}.items():
            text = text.replace(f"{{{key}}}", value)
        return text

    def call(self, text: str, *values: Any) -> Any:
        """Makes a call that is written as text; returns a part of its answer, of all pages.

        ``iam list_role_policies RoleName -> PolicyNames`` names service, operation and parameters
        of boto3, and the part (https://jmespath.org). The parameters take the values in turn:
        ``Parameter[]`` in a list, ``filter:KEY`` as a filter of EC2, and ``-`` takes one that is
        not needed. ``Parameter=VALUE`` has its own. Raises ClientError.
        """
        words, _, part = self.fill(text).partition("-> ")
        service, operation, *parameters = words.split()
        given: dict[str, Any] = {}
        following = iter(values)
        for parameter in parameters:
            name, _, constant = parameter.partition("=")
            value = (constant == "true" or constant) if constant else next(following)
            if name.startswith("filter:"):
                given["Filters"] = [{"Name": name.removeprefix("filter:"), "Values": [value]}]
            elif name.endswith("[]"):
                given[name.removesuffix("[]")] = [value]
            elif name != "-":
                given[name] = value
        client = self.client(service)
        if client.can_paginate(operation):
            answer = client.get_paginator(operation).paginate(**given).build_full_result()
        else:
            answer = getattr(client, operation)(**given)
        return jmespath.search(part or "@", answer)

    def owns(self, tags: Mapping[str, str]) -> bool:
        """Whether a resource with these tags belongs to this project."""
        return tags.get(OWNERSHIP_TAG) == self.stack_name

    def leave(self, what: str, setting: str = "STACK_NAME") -> None:
        """Reports a resource that has a name of this project and not its tag."""
        why = f"has no tag {OWNERSHIP_TAG}={self.stack_name}, so it belongs to another deployment"
        self.complain(f"kept: {what} {why}: remove it yourself, or use another {setting}")

    def complain(self, sentence: str) -> None:
        """Reports what is left and goes on, also when the output is closed."""
        self.something_is_left = True
        with suppress(SystemExit, BrokenPipeError):
            fail(sentence)

    @contextmanager
    def removing(self, what: str) -> Iterator[None]:
        """Reports an error of one resource, so that the others are removed all the same."""
        try:
            with skipping_missing():
                yield
        except (ClientError, StillThere) as error:
            self.complain(f"{what} could not be removed, run make clean again: {reason(error)}")

"""Which resources belong to this project, and the sentences about those that do not or stay."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from terminal import fail, say

OWNERSHIP_TAG = "ecs-updater"

# The error codes of a missing resource. EC2 has many, which contain ".NotFound".
_MISSING = {
    *("404", "AWS.SimpleQueueService.NonExistentQueue", "ClusterNotFoundException"),
    *("Gateway.NotAttached", "NoSuchBucket", "NoSuchEntity", "NotFoundException"),
    *("QueueDoesNotExist", "ResourceNotFoundException"),
    *("ServiceNotActiveException", "ServiceNotFoundException"),
}


class StillThere(Exception):
    """A resource was not removed within its time, or AWS refused it; the message says why."""


def code(error: ClientError) -> str:
    """Returns the error's code, such as ServiceNotFoundException."""
    return error.response.get("Error", {}).get("Code", "")


def is_missing(error: ClientError) -> bool:
    """Whether the error says that something is not there."""
    return code(error) in _MISSING or ".NotFound" in code(error)


def reason(error: Exception) -> str:
    """Returns what an error says, on one line."""
    return " ".join(str(error).split())


@contextmanager
def skipping_missing() -> Iterator[None]:
    """Ends a block early where its resource is already gone."""
    try:
        yield
    except ClientError as error:
        if not is_missing(error):
            raise


def as_mapping(tags: Any) -> Mapping[str, str]:
    """Returns tags, in the spelling of any service, as a mapping."""
    if isinstance(tags, Mapping):
        return tags
    return {tag.get("Key", tag.get("key")): tag.get("Value", tag.get("value")) for tag in tags}


def pages(client: Any, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
    """Yields the members of every page of a listing."""
    for page in client.get_paginator(operation).paginate(**parameters):
        yield from page.get(key, [])


class Project:
    """The resources of one stack name: their tag, the clients, and whether one is left."""

    def __init__(self, stack_name: str, session: boto3.Session | None = None):
        """Reads the account first: without credentials nothing else can succeed."""
        self.stack_name = stack_name
        self.something_is_left = False
        self._session = session or boto3.Session()
        self._clients: dict[str, Any] = {}
        self._spared: set[str] = set()
        sts = self.client("sts")
        self.region: str = sts.meta.region_name
        self.partition: str = sts.meta.partition
        self.account: str = sts.get_caller_identity()["Account"]

    def client(self, service: str) -> Any:
        """Returns the client of a service, always the same one."""
        if service not in self._clients:
            # The first call is to STS: a missing account is reported quickly.
            attempts = 3 if service == "sts" else 8
            config = Config(retries={"mode": "standard", "total_max_attempts": attempts})
            self._clients[service] = self._session.client(service, config=config)
        return self._clients[service]

    @property
    def mark(self) -> dict[str, str]:
        """The tag of everything that is this project's own."""
        return {OWNERSHIP_TAG: self.stack_name}

    def owns(self, tags: Mapping[str, str]) -> bool:
        """Whether something with these tags is this project's own."""
        return tags.get(OWNERSHIP_TAG) == self.stack_name

    def spare(self, *names: str) -> None:
        """Notes names or ids of resources that stay with their stack, which was named already."""
        for name in names:
            self._spared |= {name, name.rpartition("/")[2]}

    def spares(self, *names: str) -> bool:
        """Whether one of these names was noted."""
        return not self._spared.isdisjoint(names)

    def complain(self, sentence: str) -> None:
        """Reports what is left and goes on, also when the output is closed."""
        self.something_is_left = True
        with suppress(SystemExit, BrokenPipeError):
            fail(sentence)

    def leave(self, what: str, setting: str = "STACK_NAME") -> None:
        """Reports a resource that has a name of this project and not its tag."""
        why = f"has no tag {OWNERSHIP_TAG}={self.stack_name}, so it was not made here"
        self.complain(f"left alone: {what} {why}: remove it yourself, or take another {setting}")

    @contextmanager
    def removing(self, what: str) -> Iterator[None]:
        """Reports an error of one resource, so that the others are removed all the same."""
        try:
            with skipping_missing():
                yield
        except (ClientError, StillThere) as error:
            self.complain(f"{what} could not be removed, make clean tries again: {reason(error)}")

    def claims(self, tags: Mapping[str, str], what: str, setting: str) -> bool:
        """Whether a resource is to be removed, which is said; one of others is named."""
        if self.owns(tags):
            say(f"removing {what}")
            return True
        self.leave(what, setting)
        return False

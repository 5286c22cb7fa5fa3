"""Which things are this project's own, and what is said about those that are not, or that will not
go.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from terminal import fail, say

OWNERSHIP_TAG = "ecs-updater"

# How the services say that something is not there; EC2 says it in many words that have ".NotFound"
# in common.
_MISSING = {
    "404",
    "AWS.SimpleQueueService.NonExistentQueue",
    "ClusterNotFoundException",
    "Gateway.NotAttached",
    "NoSuchBucket",
    "NoSuchEntity",
    "NotFoundException",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
    "ServiceNotActiveException",
    "ServiceNotFoundException",
}


class StillThere(Exception):
    """Something did not go within its time, or the service refused to let it go; the message says
    what and why.
    """


class Thing(NamedTuple):
    """Something that may have been made here: what it is, and how to look at it and remove it."""

    kind: str
    name: str
    tags: Callable[[], Mapping[str, str] | None]
    """Reads its tags.

    Returns None, or raises a "not found" of its service, when there is no such thing.
    """
    delete: Callable[[], object]
    setting: str = "STACK_NAME"
    """The setting that its name comes from."""


def code(error: ClientError) -> str:
    """Returns the error's code, such as ServiceNotFoundException."""
    return error.response.get("Error", {}).get("Code", "")


def is_missing(error: ClientError) -> bool:
    """Tells whether the error says that something is not there."""
    return code(error) in _MISSING or ".NotFound" in code(error)


def reason(error: Exception) -> str:
    """Returns what an error says, on one line."""
    return " ".join(str(error).split())


@contextmanager
def passing_over_missing() -> Iterator[None]:
    """Lets a block end early where the thing that it is about has gone meanwhile."""
    try:
        yield
    except ClientError as error:
        if not is_missing(error):
            raise


def as_mapping(tags: list[dict[str, str]]) -> dict[str, str]:
    """Returns a list of tags, in the spelling of any service, as a mapping."""
    return {
        tag.get("Key", tag.get("key", "")): tag.get("Value", tag.get("value", "")) for tag in tags
    }


class Project:
    """What was made under one stack name: its mark, the clients to find it with, and whether
    something of it is left.
    """

    def __init__(self, stack_name: str, session: boto3.Session | None = None):
        """Asks for the account first: without credentials there is no use in going on."""
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
            # The first call of all is to STS: whether there is an account should not take long to
            # find out.
            attempts = 3 if service == "sts" else 8
            config = Config(retries={"mode": "standard", "total_max_attempts": attempts})
            self._clients[service] = self._session.client(service, config=config)
        return self._clients[service]

    @property
    def mark(self) -> dict[str, str]:
        """The tag of everything that is this project's own."""
        return {OWNERSHIP_TAG: self.stack_name}

    def owns(self, tags: Mapping[str, str]) -> bool:
        """Tells whether something with these tags is this project's own."""
        return tags.get(OWNERSHIP_TAG) == self.stack_name

    def spare(self, *names: str) -> None:
        """Notes the names or ids of things that stay because what they are part of stays, and was
        named already.
        """
        for name in names:
            self._spared |= {name, name.rpartition("/")[2]}

    def spares(self, *names: str) -> bool:
        """Tells whether one of these names was noted."""
        return not self._spared.isdisjoint(names)

    def complain(self, sentence: str) -> None:
        """Says what is left and goes on, also when nobody listens any more."""
        self.something_is_left = True
        with suppress(SystemExit, BrokenPipeError):
            fail(sentence)

    def leave(self, what: str, setting: str = "STACK_NAME") -> None:
        """Says that something has the name of one of ours and is none."""
        self.complain(
            f"left alone: {what} has no tag {OWNERSHIP_TAG}={self.stack_name}, "
            "so it was not made here: "
            f"remove it yourself, or take another {setting}"
        )

    @contextmanager
    def removing(self, what: str) -> Iterator[None]:
        """Turns what goes wrong with one thing into a sentence, so that the next one has its
        turn.
        """
        try:
            with passing_over_missing():
                yield
        except (ClientError, StillThere) as error:
            self.complain(f"{what} could not be removed, make clean tries again: {reason(error)}")

    def remove(self, thing: Thing) -> None:
        """Removes something when it is there and ours."""
        what = f"{thing.kind} {thing.name}"
        if self.spares(thing.name):
            return
        with self.removing(what):
            tags = thing.tags()
            if tags is None:
                return
            if self.owns(tags):
                say(f"removing {what}")
                thing.delete()
            else:
                self.leave(what, thing.setting)

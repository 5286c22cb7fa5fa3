"""Scopes: what each caller of the HTTP API may do.

Their configuration is the JSON object of one parameter, see `schemas/scopes.json`. The patterns of
services and images are those of ALLOWED_SERVICES and ALLOWED_IMAGES. Both bound a request.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import chain
from typing import Any

from ..errors import ConfigurationError, NotAllowedError, one_line
from .request import (
    FIELDS,
    IMAGES,
    SECRETS,
    SERVICES,
    AllowList,
    AllowLists,
    Request,
    UpdateRequest,
    checked_pattern,
    service_name,
)
from .tags import TOOL_PREFIX
from .targets import HOME


class Action(StrEnum):
    """What a caller may do with a service."""

    READ = "read"
    UPDATE = "update"
    ROLLBACK = "rollback"
    APPROVE = "approve"
    """Also rejects."""


API_KEY, ROLE, USER, SUB = _KINDS = ("api_key", "role", "user", "sub")

_WORDS = {API_KEY: "API key", ROLE: "role", USER: "user", SUB: "subject"}

_NEEDED = {
    Action.UPDATE: ("services", "images"),
    Action.ROLLBACK: ("services",),
    Action.APPROVE: ("services",),
}
"""Fields of an entry with this action."""

_SESSION = re.compile(
    r"arn:(?P<partition>[^:]+):sts::(?P<account>\d+):assumed-role/(?P<name>[^/]+)/(?P<session>.*)"
)
_ROLE = re.compile(r"arn:(?P<partition>[^:]+):iam::(?P<account>\d+):role/(?:.*/)?(?P<name>[^/]+)")

_CLUSTER = re.compile(r"(?P<cluster>[^/\[\]]+)/[^/]+")
"""A pattern of services whose only slash is that of the service."""

_MAX_SHOWN = 1000
"""Maximum characters of patterns in a sentence."""

_ANY_FIELD, _ANY_SECRET = AllowList.of(FIELDS, "*"), AllowList.of(SECRETS, "*")


def action_of(request: Request) -> Action:
    """Returns `update` or `rollback`."""
    return Action.UPDATE if isinstance(request, UpdateRequest) else Action.ROLLBACK


@dataclass(frozen=True)
class Caller:
    """The identity of a caller."""

    kind: str
    """`API_KEY`, `ROLE`, `USER` or `SUB`."""
    name: str
    """The id of the key, the ARN of the role without path, the ARN of the user, or the subject."""
    claims: Mapping[str, Any] = field(default_factory=dict)
    session: str = ""
    """Name of the role's session."""

    @classmethod
    def of_arn(cls, arn: str) -> "Caller":
        """Returns the caller that signed a request with the credentials of this ARN.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
        """
        if found := _SESSION.fullmatch(arn):
            partition, account, name, session = found.groups()
            return cls(ROLE, f"arn:{partition}:iam::{account}:role/{name}", session=session)
        return cls(USER, arn)

    def __str__(self) -> str:
        return f"{_WORDS[self.kind]} {one_line(self.name, 200)}"

    @property
    def full_name(self) -> str:
        """Returns the caller with the role's session, for the ledger."""
        return f"{self}, session {one_line(self.session, 64)}" if self.session else str(self)


@dataclass(frozen=True)
class Grant:
    """What one entry allows."""

    actions: frozenset[str]
    services: tuple[str, ...] = ()
    """Patterns. Empty: every service, which only `read` may have."""
    images: tuple[str, ...] = ()
    """Patterns. `update` always has some."""
    targets: frozenset[str] | None = frozenset({HOME})
    """Names of targets, and `HOME`. None: home and every target."""

    def is_in(self, target: str | None) -> bool:
        """Returns whether the target is allowed. None: its name is not known."""
        return self.targets is None or target in self.targets

    def has_service(self, service: str) -> bool:
        """Returns whether `cluster/service` is allowed."""
        return not self.services or any(fnmatchcase(service, each) for each in self.services)

    def may_have_services_of(self, cluster: str | None) -> bool:
        """Returns whether a service of the cluster with this name can be allowed. None: of any."""
        if cluster is None:
            return True
        found = [_CLUSTER.fullmatch(pattern) for pattern in self.services]
        return not found or any(
            each is None or fnmatchcase(cluster, each["cluster"]) for each in found
        )


_READ_EVERYTHING = Grant(frozenset({Action.READ}), targets=None)


@dataclass(frozen=True)
class Scope:
    """What one caller may do: anything that one of its grants allows as a whole."""

    caller: Caller
    grants: Sequence[Grant]

    def actions_on(self, service: str, target: str | None) -> list[str]:
        """Returns the actions that the caller may do with `cluster/service` of a target.

        An update also depends on its images.
        """
        here = [each for each in self.grants if each.is_in(target) and each.has_service(service)]
        return [action for action in Action if any(action in each.actions for each in here)]

    def actions_on_key(
        self, key: str, home: str, target_of: Callable[[str], str | None]
    ) -> list[str]:
        """Returns the actions that the caller may do with the service of this key, see `model.arn`.

        `home`: beginning of ECS's ARNs at home. `target_of` returns the name of an ARN's target,
        and may raise ConfigurationError.
        """
        # Most callers have no target: an invalid parameter of the targets must not stop them.
        if not key.startswith(home) and not self.has_targets:
            return []
        return self.actions_on(key.partition(":service/")[2], target_of(key))

    def may_read_in(self, cluster: str | None, target: str | None) -> bool:
        """Returns whether the caller may read any service of the cluster with this name.

        None: of any cluster of the target.
        """
        return any(
            Action.READ in each.actions
            and each.is_in(target)
            and each.may_have_services_of(cluster)
            for each in self.grants
        )

    @property
    def has_targets(self) -> bool:
        """Returns whether the caller may do anything in a target."""
        return any(each.targets != frozenset({HOME}) for each in self.grants)

    def in_target(self, action: str, target: str | None) -> "Scope":
        """Returns the scope in a target, with the grants of this action.

        Raises NotAllowedError if there are none.
        """
        able = [each for each in self.grants if action in each.actions]
        if not able:
            allowed = [
                each for each in Action if any(each in grant.actions for grant in self.grants)
            ]
            may = f"only {' and '.join(allowed)}" if allowed else "do nothing"
            raise NotAllowedError(f"{action} is not allowed: {self.caller} may {may}")
        here = [each for each in able if each.is_in(target)]
        if not here:
            places = sorted({name for each in able for name in each.targets or ()})
            shown = "of another account or region" if target is None else one_line(target, 60)
            raise NotAllowedError(
                f"target {shown} is not allowed: {self.caller} may {action} only in "
                f"{', '.join(places)}",
                "target",
            )
        return replace(self, grants=here)

    def check_named_target(self, request: Request) -> None:
        """Checks the target that a request names, whether it exists or not.

        Raises NotAllowedError.
        """
        if request.target:
            self.in_target(action_of(request), request.target)

    def of_request(
        self, request: Request, target: str | None, action: str | None = None
    ) -> "Scope":
        """Returns the scope with the grants that allow a request about a service of a target.

        `action`: by default `update` or `rollback`. Raises NotAllowedError if there are none.
        """
        action = action or action_of(request)
        grants = self.in_target(action, target).grants
        return self._narrowed(
            grants,
            action,
            service_name(request),
            lambda each: chain(each.rejections(request), self._rejections_of_tags(request)),
        )

    def check_revision(self, request: Request, images: Mapping[str, str]) -> None:
        """Checks the images, by container, of the existing revision of a request.

        `self` is the scope of the request. Raises NotAllowedError.
        """
        self._narrowed(
            self.grants,
            Action.UPDATE,
            service_name(request),
            lambda each: each.rejections_of_revision(images),
        )

    def _rejections_of_tags(self, request: Request) -> Iterator[NotAllowedError]:
        """Yields an error for each tag that selects pushes, whose updates no scope bounds."""
        for key in (request.tags or ()) if isinstance(request, UpdateRequest) else ():
            if key.startswith(TOOL_PREFIX):
                yield NotAllowedError(
                    f"ecs_tag {one_line(key)} is not allowed: {self.caller} may not change the "
                    f"tags {TOOL_PREFIX}*, which select the pushes to deploy",
                    "ecs_tag",
                )

    def _narrowed(
        self,
        grants: Sequence[Grant],
        action: str,
        service: str,
        rejections: Callable[[AllowLists], Iterable[NotAllowedError]],
    ) -> "Scope":
        here = [each for each in grants if each.has_service(service)] or grants
        may = f"{self.caller} may {action}"
        services = f"{may} only {_patterns(each.services for each in grants)}"
        images = f"{may} {service} only with {_patterns(each.images for each in here)}"
        allowing, rejected = [], []
        for grant in here:
            lists = AllowLists(
                services=AllowList(SERVICES, "", grant.services, services),
                images=AllowList(IMAGES, "", grant.images, images),
                fields=_ANY_FIELD,
                secrets=_ANY_SECRET,
            )
            found = list(rejections(lists))
            rejected.append(found)
            if not found:
                allowing.append(grant)
        if not allowing:
            raise min(rejected, key=len)[0]
        return replace(self, grants=allowing)


@dataclass(frozen=True)
class ScopeEntry:
    """The grant of the callers that match."""

    kind: str
    name: str
    """As in `Caller`. That of `SUB` is a pattern."""
    claims: Mapping[str, str]
    """Patterns of claims."""
    grant: Grant

    def matches(self, caller: Caller) -> bool:
        """Returns whether the grant is one of this caller."""
        if self.kind != caller.kind:
            return False
        if self.kind != SUB:
            return self.name == caller.name
        return fnmatchcase(caller.name, self.name) and all(
            any(fnmatchcase(text, pattern) for text in _texts(caller.claims.get(name)))
            for name, pattern in self.claims.items()
        )


@dataclass(frozen=True)
class Scopes:
    """The entries of a parameter."""

    entries: Sequence[ScopeEntry]
    default: Grant = _READ_EVERYTHING
    """What a caller without an entry may do."""

    @classmethod
    def parse(cls, text: str, parameter: str) -> "Scopes":
        """Returns the scopes of the parameter's text. Raises ConfigurationError."""
        # Imported here: only the HTTP API has scopes.
        from .configuration import document_of  # pylint: disable=import-outside-toplevel

        try:
            document = document_of(text, "scopes")
            entries = [
                _entry(each, f"callers.{index}") for index, each in enumerate(document["callers"])
            ]
            if "default" not in document:
                return cls(entries)
            return cls(entries, _grant(document["default"], "default"))
        except ValueError as error:
            raise ConfigurationError(
                f"the parameter {parameter} of the function's SCOPES_PARAMETER: "
                f"{one_line(str(error))}"
            ) from None

    def of(self, caller: Caller) -> Scope:
        """Returns the scope of a caller."""
        grants = [entry.grant for entry in self.entries if entry.matches(caller)]
        return Scope(caller, grants or [self.default])


def _entry(fields: Mapping[str, Any], path: str) -> ScopeEntry:
    """Returns an entry of a document that fits the schema. Raises ValueError."""
    kinds = [kind for kind in _KINDS if kind in fields]
    if len(kinds) != 1:
        raise ValueError(f"{path}: write exactly one of {', '.join(_KINDS[:-1])} and {SUB}")
    kind, name = kinds[0], fields[kinds[0]]
    if "claims" in fields and kind != SUB:
        raise ValueError(f"{path}.claims: only an entry with sub has claims")
    if role := _ROLE.fullmatch(name) if kind == ROLE else None:
        name = f"arn:{role['partition']}:iam::{role['account']}:role/{role['name']}"
    return ScopeEntry(kind, name, fields.get("claims", {}), _grant(fields, path))


def _grant(fields: Mapping[str, Any], path: str) -> Grant:
    """Returns the grant of an entry. Raises ValueError."""
    for action in fields["actions"]:
        for name in _NEEDED.get(action, ()):
            if name not in fields:
                raise ValueError(f"{path}: the action {action} needs {name}")
    patterns = {
        name: tuple(_checked(setting, fields.get(name, ()), f"{path}.{name}"))
        for name, setting in (("services", SERVICES), ("images", IMAGES))
    }
    targets = frozenset(fields.get("targets", (HOME,)))
    return Grant(frozenset(fields["actions"]), **patterns, targets=targets)


def _checked(setting: str, patterns: Sequence[str], path: str) -> Iterator[str]:
    for index, pattern in enumerate(patterns):
        try:
            yield checked_pattern(setting, pattern)
        except ValueError as error:
            raise ValueError(f"{path}.{index}: {error}") from None


def _texts(claim: Any) -> Iterator[str]:
    """Yields the texts that a pattern of a claim may match: a string, or those of a list."""
    for value in claim if isinstance(claim, list) else [claim]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, (bool, int)):
            yield json.dumps(value)


def _patterns(lists: Iterable[Sequence[str]]) -> str:
    every = dict.fromkeys(pattern for patterns in lists for pattern in patterns)
    return one_line(", ".join(every), _MAX_SHOWN)

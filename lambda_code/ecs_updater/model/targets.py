"""Targets: accounts and regions beside the function's own one, which is called home.

Their configuration is the JSON object of one parameter, see `schemas/targets.json`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar

from ..errors import ConfigurationError, InvalidEventError, one_line
from .arn import account_prefix, name_of, nearest
from .request import Request

HOME = "home"
"""Name of the function's own account and region."""

_ROLES = ("update_role", "read_role")

AnyRequest = TypeVar("AnyRequest", bound=Request)


@dataclass(frozen=True)
class Target:
    """One account and region, with the roles to assume there."""

    name: str
    account: str
    region: str
    update_role: str
    """ARN of the role that may update services."""
    read_role: str
    """ARN of the role that only reads."""
    external_id: str = field(repr=False)

    @property
    def prefix(self) -> str:
        """Returns the beginning of ECS's ARNs there: `arn:aws:ecs:REGION:ACCOUNT:`."""
        partition = self.update_role.split(":")[1]
        return f"arn:{partition}:ecs:{self.region}:{self.account}:"


@dataclass(frozen=True)
class Targets:
    """The targets of a parameter."""

    parameter: str
    """Name of the parameter. Empty: the function has no targets."""
    home: str
    """Beginning of ECS's ARNs at home. Empty: unknown."""
    by_name: Mapping[str, Target] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, parameter: str, home: str) -> "Targets":
        """Returns the targets of the parameter's text.

        Raises ConfigurationError. Its sentence has no value, which may be an external id.
        """

        wrong = f"the parameter {parameter} of the function's TARGETS_PARAMETER: "
        try:
            found = _targets_of(text)
            _check_places(found, home)
        except ValueError as error:
            raise ConfigurationError(f"{wrong}{one_line(str(error))}") from None
        return cls(parameter, home, found)

    def named(self, name: str) -> Target:
        """Returns the target of this name. Raises InvalidEventError."""
        if found := self.by_name.get(name):
            return found
        shown = repr(one_line(name, 60))
        if not self.parameter:
            raise InvalidEventError(
                f"target: {shown} cannot be used: this function has no targets "
                "(TARGETS_PARAMETER is empty): leave it out"
            )
        listed = ", ".join([HOME, *self.by_name])
        error = InvalidEventError(
            f"target: {shown} is not in the parameter {self.parameter}: write one of "
            f"{one_line(listed, 150)}"
        )
        raise _with_nearest(error, nearest(name, self.by_name))

    def of_arn(self, arn: str, name: str = "") -> Target | None:
        """Returns the target of an ARN's account and region. None: they are those of home.

        If home is unknown, None also stands for any other account. `name`: field that has the ARN.
        Raises InvalidEventError without a target.
        """
        prefix = account_prefix(arn)
        found = next((each for each in self.by_name.values() if each.prefix == prefix), None)
        if found or self.home in ("", prefix):
            return found
        _, partition, _, region, account, _ = prefix.split(":")
        place = f"is in account {account} and region {region}"
        if partition != self.home.split(":")[1]:
            place = f"is in the partition {partition}, account {account} and region {region}"
        subject = f"{name}: {arn!r}" if name else arn
        if not self.parameter:
            raise InvalidEventError(
                f"{subject} {place}, and this function has no targets (TARGETS_PARAMETER is empty)"
            )
        error = InvalidEventError(
            f"{subject} {place}, for which the parameter {self.parameter} has no target"
        )
        by_account = {target.account: target.name for target in self.by_name.values()}
        raise _with_nearest(error, by_account.get(nearest(account, by_account) or ""))

    def locate(self, request: AnyRequest) -> AnyRequest:
        """Returns the request with the ARN of its cluster, if that is in a target.

        At home, the request is unchanged. Raises InvalidEventError.
        """
        arns = {
            name: arn
            for name, arn in (
                ("ecs_service_name", request.service),
                ("ecs_cluster_name", request.cluster),
            )
            if arn.startswith("arn:")
        }
        name, arn = next(iter(arns.items()), ("", ""))
        if request.target is None:
            target = self.of_arn(arn, name) if arn else None
        else:
            target = None if request.target == HOME else self.named(request.target)
            prefix = target.prefix if target else self.home
            if arn and prefix and account_prefix(arn) != prefix:
                *_, region, account, _ = prefix.split(":")
                raise InvalidEventError(
                    f"target: {request.target} is account {account} in region {region}, but "
                    f"{name} is {arn!r}: leave one of them out"
                )
        if target is None:
            return request
        return replace(request, cluster=f"{target.prefix}cluster/{name_of(request.cluster)}")


def _targets_of(text: str) -> dict[str, Target]:
    """Returns the targets by name. Raises ValueError."""
    # Imported here: few invocations are about a target.
    from .configuration import document_of  # pylint: disable=import-outside-toplevel

    document = document_of(text, "targets", _sentence)
    return {name: Target(name, **fields) for name, fields in sorted(document.items())}


def _check_places(targets: Mapping[str, Target], home: str) -> None:
    """Checks that each role is of its account, and each account and region occurs once.

    Raises ValueError.
    """
    places = {home: HOME} if home else {}
    for name, target in targets.items():
        for role in _ROLES:
            if getattr(target, role).split(":")[4] != target.account:
                raise ValueError(f"{name}.{role}: the role is not of the account {target.account}")
        if other := places.get(target.prefix):
            raise ValueError(f"{name}: {other} has the same account and region")
        places[target.prefix] = name


def _with_nearest(error: InvalidEventError, name: str | None) -> InvalidEventError:
    return error.with_hint(f"did you mean the target {name}?") if name else error


def _sentence(violation: Any) -> str:
    """Returns path and reason of a violation."""
    from .configuration import sentence_of  # pylint: disable=import-outside-toplevel

    if violation.validator == "additionalProperties" and not violation.absolute_path:
        names = (one_line(str(name), 60) for name in violation.instance if not _is_name(str(name)))
        reason = "a target's name is 1 to 40 characters of a-z, 0-9 and -, and not home"
        return one_line(": ".join([*islice(names, 1), reason]))
    return sentence_of(violation)


def _is_name(name: str) -> bool:
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-")
    return name != HOME and 1 <= len(name) <= 40 and set(name) <= allowed

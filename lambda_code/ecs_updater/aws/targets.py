"""The access to targets: their configuration in Parameter Store, and sessions in their roles.

The credentials of a session come from AssumeRole. botocore refreshes them before they expire, after
one hour at most, because the functions' own credentials are those of a role, too.
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

import logging
import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import NoCredentialsError
from botocore.session import Session

from ..context import REAL_TIME, Clock
from ..errors import (
    CREDENTIALS,
    LASTING,
    AwsFailure,
    InvalidEventError,
    Outcome,
    TargetRoleError,
)
from ..model.arn import account_prefix
from ..model.targets import HOME, AnyRequest, Target, Targets
from . import clients
from .errors import Result, RoleNotAssumedError, translated

if TYPE_CHECKING:  # Imported where it is needed: most functions have no targets.
    from .parameter import Parameter

CACHE_SECONDS = 300.0
"""Seconds for which the parameter is kept in memory."""

_NEW_SECONDS = 10.0
"""Minimum seconds between two reads of the parameter for targets that are not in it."""

_CONFIG = clients.config(2, 5, 3)


@dataclass(frozen=True)
class _Assumed:
    """The component of a session that has its credentials."""

    credentials: DeferredRefreshableCredentials

    def load_credentials(self) -> DeferredRefreshableCredentials:
        """Returns the credentials."""
        return self.credentials


class TargetAccess:
    """The targets of a function, for any number of threads. It makes no call before it is needed.

    Create it at module scope. One session is kept for each target and role.
    """

    def __init__(
        self,
        parameter: str = "",
        home: str = "",
        *,
        clock: Clock = REAL_TIME,
        home_session: Callable[[], Session] = clients.session,
    ):
        """`parameter`: name of the parameter. Empty: there are no targets.

        `home`: beginning of ECS's ARNs in the own account and region. Empty: it is unknown.
        """
        self.home = home
        self._clock, self._home_session = clock, home_session
        self._none = Targets("", home)
        self._parameter = _parameter(parameter, home, clock, home_session) if parameter else None
        self._sessions: dict[tuple[str, str], tuple[Target, Session]] = {}
        self._lock = threading.RLock()

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "TargetAccess":
        """Returns the access of `os.environ` or a similar mapping.

        `TARGETS_PARAMETER`: name of the parameter. `ECS_ARN_PREFIX`: see `QueueSettings`.
        """
        return cls(
            environment.get("TARGETS_PARAMETER") or "", environment.get("ECS_ARN_PREFIX") or ""
        )

    def targets(self, most_seconds: float = CACHE_SECONDS) -> Targets:
        """Returns the targets, read at most `most_seconds` ago. Raises ConfigurationError."""
        return self._parameter.content(most_seconds) if self._parameter else self._none

    def find(self, arn: str) -> Target | None:
        """Returns the target of the ARN's account and region. None: they are those of home.

        Raises InvalidEventError without a target, and ConfigurationError.
        """
        is_home = account_prefix(arn) == self.home
        return None if is_home else self._resolve(lambda targets: targets.of_arn(arn))

    def target_name(self, cluster: str) -> str | None:
        """Returns the name of the target of a cluster, by name or ARN, or of a service, by ARN.

        At home it is `HOME`. None: there is no such target, or none any more. Raises
        ConfigurationError.
        """
        if not cluster.startswith("arn:"):
            return HOME
        try:
            target = self.find(cluster)
        except InvalidEventError:
            return None
        return target.name if target else HOME

    def named(self, name: str) -> Target:
        """Returns the target of this name. Raises InvalidEventError or ConfigurationError."""
        return self._resolve(lambda targets: targets.named(name))

    def locate(self, request: AnyRequest) -> AnyRequest:
        """Returns the request with the ARN of its cluster, if that is in a target.

        A request about home makes no call. Raises InvalidEventError or ConfigurationError.
        """
        arns = [arn for arn in (request.cluster, request.service) if arn.startswith("arn:")]
        is_home = all(account_prefix(arn) == self.home for arn in arns)
        if is_home and request.target in (None, HOME):
            return request
        return self._resolve(lambda targets: targets.locate(request))

    def _resolve(self, resolve: Callable[[Targets], Result]) -> Result:
        """Returns the result of `resolve`.

        After InvalidEventError, it is called with newer targets, if there are any.
        """
        targets = self.targets()
        try:
            return resolve(targets)
        except InvalidEventError:
            if (current := self.targets(_NEW_SECONDS)) is targets:
                raise
        return resolve(current)

    def session(self, target: Target, role: str) -> Session:
        """Returns the session of a target, with valid credentials in `role`, an ARN.

        One call if the credentials are due. Raises TargetRoleError.
        """
        with self._lock:
            known, session = self._sessions.get((target.prefix, role), (None, None))
            if session is None or known != target:
                session = _session_like(self._home_session(), target.region)
                credentials = DeferredRefreshableCredentials(
                    lambda: self._assume(target, role),
                    "assume-role",
                    lambda: datetime.fromtimestamp(self._clock.epoch(), UTC),
                )
                session.register_component("credential_provider", _Assumed(credentials))
                self._sessions[target.prefix, role] = target, session
        try:
            with translated("AssumeRole"):
                session.get_credentials().get_frozen_credentials()
        except AwsFailure as failure:
            raise TargetRoleError(str(failure)).caused_by(failure) from None
        return session

    def _assume(self, target: Target, role: str) -> dict[str, str]:
        """Returns new credentials of a role. Raises RoleNotAssumedError."""
        own = self._own_credentials()
        try:
            with translated("AssumeRole"):
                # A new fetcher, because its cache would have the earlier credentials.
                fetcher = AssumeRoleCredentialFetcher(
                    self._new_sts,
                    own,
                    role,
                    extra_args={
                        "ExternalId": target.external_id,
                        "RoleSessionName": _session_name(os.environ),
                    },
                )
                credentials: dict[str, str] = fetcher.fetch_credentials()
                return credentials
        except AwsFailure as failure:
            if failure.code in CREDENTIALS:
                raise RoleNotAssumedError(failure) from None  # Those of home are not valid.
            outcome, advice = Outcome.NOT_NOW, "try again"  # A lost answer has no effect.
            if failure.outcome in LASTING:
                outcome = failure.outcome
                advice = (
                    "check its trust policy and its external id, and the caller's permission for "
                    "sts:AssumeRole"
                )
            reason = (
                f"{failure.reason} (target {target.name}: the role {role} could not be assumed: "
                f"{advice})"
            )
            raise RoleNotAssumedError(
                AwsFailure(failure.operation, outcome, failure.code, reason)
            ) from None

    def _own_credentials(self) -> Any:
        """Returns the valid credentials of home. Raises RoleNotAssumedError."""
        try:
            with translated("AssumeRole"):
                own = self._home_session().get_credentials()
                if own is None:
                    raise NoCredentialsError
                own.get_frozen_credentials()
                return own
        except AwsFailure as failure:
            raise RoleNotAssumedError(failure) from None

    def _new_sts(self, _: str, **credentials: Any) -> Any:
        """Returns a client of STS at home, whatever service the fetcher names."""
        return self._home_session().create_client("sts", config=_CONFIG, **credentials)


def _parameter(
    name: str, home: str, clock: Clock, session: Callable[[], Session]
) -> "Parameter[Targets]":
    """Returns the parameter with the targets."""
    from .parameter import Parameter  # pylint: disable=import-outside-toplevel

    return Parameter(
        name,
        "TARGETS_PARAMETER",
        lambda text: Targets.parse(text, name, home),
        clock=clock,
        session=session,
    )


def _session_name(environment: Mapping[str, str]) -> str:
    """Returns the function's name with the characters and the length of a `RoleSessionName`."""
    name = environment.get("AWS_LAMBDA_FUNCTION_NAME") or "ecs-updater"
    return re.sub(r"[^\w+=,.@-]", "-", name, flags=re.ASCII)[:64].ljust(2, "-")


def _session_like(home: Session, region: str) -> Session:
    """Returns a session with another region. It shares profile, hooks and service models."""
    hooks = home.get_component("event_emitter")
    session = Session(event_hooks=hooks, include_builtin_handlers=False, profile=home.profile)
    session.register_component("data_loader", home.get_component("data_loader"))
    session.set_config_variable("region", region)
    return session


def _is_not_raised(line: logging.LogRecord) -> bool:
    """Returns whether a line of botocore's log is about another error than RoleNotAssumedError.

    That one is raised, and logged without a traceback.
    """
    return not (line.exc_info and isinstance(line.exc_info[1], RoleNotAssumedError))


logging.getLogger("botocore.credentials").addFilter(_is_not_raised)

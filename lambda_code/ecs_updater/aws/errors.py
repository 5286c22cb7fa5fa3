"""Translates all errors of the SDK into AwsFailure."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TypeVar

from botocore import exceptions as sdk
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from ..errors import CREDENTIALS, LASTING, AwsFailure, Outcome

Result = TypeVar("Result")

NEVER_SENT = (sdk.ConnectTimeoutError, sdk.EndpointConnectionError, sdk.ProxyConnectionError)
"""Errors of the SDK without a connection: the call had no effect."""

CONCURRENT_REGISTRATION = "Too many concurrent attempts to create a new revision"
"""Beginning of ECS's message about two registrations in one family at the same time."""

NO_SUCH_REVISION = "Unable to describe task definition"
"""Beginning of ECS's message about a deleted revision, or a family without an active one."""

UNDECIDED = frozenset({"RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete"})
"""Codes of status 400 after which the request may have had its effect."""

THROTTLES = frozenset(
    {
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
NOT_PERMITTED = CREDENTIALS | {"AccessDenied", "AccessDeniedException"}

_LOGINS = frozenset(
    {
        "AssumeRole",
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "CreateToken",
        "GetRoleCredentials",
    }
)
"""Calls of the SDK to get credentials."""

_NO_CREDENTIALS = (
    sdk.ConfigNotFound,
    sdk.ConfigParseError,
    sdk.CredentialRetrievalError,
    sdk.InvalidConfigError,
    sdk.LoginError,
    sdk.NoAuthTokenError,
    sdk.NoCredentialsError,
    sdk.NoRegionError,
    sdk.PartialCredentialsError,
    sdk.ProfileNotFound,
    sdk.RefreshWithMFAUnsupportedError,
    sdk.SSOError,
    sdk.TokenRetrievalError,
    sdk.UnknownCredentialError,
)
"""Errors of the SDK about missing credentials or profiles, before it sends anything."""


class RoleNotAssumedError(BotoCoreError):  # type: ignore[misc]  # botocore has no type annotations.
    """The role of a target could not be assumed.

    `failure`: the failed call. Its reason names target, role and next step.
    """

    fmt = "{failure}"

    def __init__(self, failure: AwsFailure):
        super().__init__(failure=failure)
        self.failure = failure


SDK_ERRORS = (BotoCoreError, ClientError, KeyError, ResponseParserError, TypeError)
"""Errors of a call. The last three: a response of status 200 that is not AWS's, but a proxy's."""


class ReadFailed(AwsFailure):
    """A write got no answer, and the read of its result failed."""

    def __init__(self, write: AwsFailure, read: AwsFailure):
        reason = f"{write.reason}; looking for it failed: {read.reason}"
        super().__init__(write.operation, Outcome.UNKNOWN, "", reason)


def failure_from(operation: str, error: BaseException) -> AwsFailure:
    """Returns the failure of a call of `operation` that raised one of `SDK_ERRORS`."""
    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code", "")
        reason = error.response["Error"].get("Message") or str(error).rstrip(": ")
        outcome = _outcome(code, reason, error)
        if outcome is Outcome.NOT_PERMITTED:
            # AWS explains a rejected signature with the signed request, session token included.
            reason = reason.partition(". ")[0].partition("\n")[0]
        is_login = error.operation_name in _LOGINS and outcome in LASTING
        called = error.operation_name if is_login else operation
        return AwsFailure(called, outcome, code, reason, is_about_credentials=is_login)
    if isinstance(error, RoleNotAssumedError):
        return error.failure
    if isinstance(error, BotoCoreError):
        is_local = isinstance(error, _NO_CREDENTIALS)
        outcome = Outcome.NOT_NOW if isinstance(error, NEVER_SENT) else Outcome.UNKNOWN
        return AwsFailure(
            operation,
            Outcome.NOT_PERMITTED if is_local else outcome,
            type(error).__name__,
            str(error),
            is_about_credentials=is_local,
        )
    return AwsFailure(
        operation,
        Outcome.UNKNOWN,
        "UnreadableAnswer",
        f"the answer to {operation} cannot be read",
    )


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Raises the errors of the SDK inside as AwsFailure."""
    try:
        yield
    except SDK_ERRORS as error:
        raise failure_from(operation, error) from error


def unless_missing(codes: Collection[str], read: Callable[[], Result]) -> Result | None:
    """Returns the result of `read`. None: the resource does not exist, by a code of the failure."""
    try:
        return read()
    except AwsFailure as failure:
        if failure.code in codes:
            return None
        raise


def _outcome(code: str, reason: str, error: ClientError) -> Outcome:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in UNDECIDED:
        return Outcome.UNKNOWN
    if code in THROTTLES or status == 429 or CONCURRENT_REGISTRATION in reason:
        return Outcome.NOT_NOW
    if code in NOT_PERMITTED or status == 403:
        return Outcome.NOT_PERMITTED
    return Outcome.REFUSED if 400 <= status < 500 else Outcome.UNKNOWN

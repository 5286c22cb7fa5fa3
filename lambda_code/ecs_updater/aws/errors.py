"""What became of an AWS call that failed.

Everything that the SDK raises becomes an ``AwsFailure`` at this one place.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as sdk
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ProxyConnectionError,
)
from botocore.parsers import ResponseParserError

from ..errors import CREDENTIALS, AwsFailure, Outcome

__all__ = ["CREDENTIALS", "AwsFailure", "Outcome", "translated"]

NEVER_SENT = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)
"""What the SDK raises when no connection was made, so that the call cannot have had its effect."""

CONCURRENT_REGISTRATION = "Too many concurrent attempts to create a new revision"
"""How the message begins with which ECS refuses, for the moment, two registrations in one family at
once.
"""

NO_SUCH_REVISION = "Unable to describe task definition"
"""How ECS refuses to describe a revision that was deleted, or a family without an active one."""

UNDECIDED = frozenset({"RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete"})
"""Codes of the status 400 after which the request may have had its effect all the same."""

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
"""Calls that the SDK makes by itself for credentials, before the call that needs them."""

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
"""What the SDK raises before it sends anything, because it finds no credentials to sign with, or
none of the profile.
"""


SDK_ERRORS = (BotoCoreError, ClientError, KeyError, ResponseParserError, TypeError)
"""What a call of the SDK raises. The last three: an answer of the status 200 that is not one of
this operation, such as a proxy's page.
"""


def failure_from(operation: str, error: BaseException) -> AwsFailure:
    """Returns the failure of a call of ``operation`` that raised one of ``SDK_ERRORS``."""
    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code", "")
        reason = error.response["Error"].get("Message") or str(error)
        outcome = _outcome(code, reason, error)
        if outcome is Outcome.NOT_PERMITTED:
            # A refused signature is explained with the request that was signed, session token
            # included.
            reason = reason.partition(". ")[0].partition("\n")[0]
        is_login = error.operation_name in _LOGINS and outcome in (
            Outcome.REFUSED,
            Outcome.NOT_PERMITTED,
        )
        called = error.operation_name if is_login else operation
        return AwsFailure(called, outcome, code, reason, is_about_credentials=is_login)
    if isinstance(error, BotoCoreError):
        is_local = isinstance(error, _NO_CREDENTIALS)
        outcome, code = _outcome_without_answer(error), type(error).__name__
        return AwsFailure(operation, outcome, code, str(error), is_about_credentials=is_local)
    return AwsFailure(
        operation,
        Outcome.UNKNOWN,
        "UnreadableAnswer",
        f"the answer to {operation} cannot be read",
    )


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Raises what the SDK raises inside as AwsFailure."""
    try:
        yield
    except SDK_ERRORS as error:
        raise failure_from(operation, error) from error


def _outcome_without_answer(error: BotoCoreError) -> Outcome:
    if isinstance(error, _NO_CREDENTIALS):
        return Outcome.NOT_PERMITTED
    return Outcome.NOT_NOW if isinstance(error, NEVER_SENT) else Outcome.UNKNOWN


def _outcome(code: str, reason: str, error: ClientError) -> Outcome:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in UNDECIDED:
        return Outcome.UNKNOWN
    if code in THROTTLES or status == 429 or CONCURRENT_REGISTRATION in reason:
        return Outcome.NOT_NOW
    if code in NOT_PERMITTED or status == 403:
        return Outcome.NOT_PERMITTED
    return Outcome.REFUSED if 400 <= status < 500 else Outcome.UNKNOWN

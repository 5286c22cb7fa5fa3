"""What became of an AWS call that failed. Everything that the SDK raises becomes an ``AwsFailure`` at this one place."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

NEVER_SENT = (ConnectTimeoutError, EndpointConnectionError)
"""What the SDK raises when no connection was made, so that the call cannot have had its effect."""

CONCURRENT_REGISTRATION = "Too many concurrent attempts to create a new revision"
"""How the message begins with which ECS refuses, for the moment, two registrations in one family at once."""

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
NOT_PERMITTED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)


class Outcome(Enum):
    """Whether a failed call may have had its effect, and who can do something about it."""

    REFUSED = "refused"
    """AWS refused the request as it is: no effect; the same request fails again."""
    NOT_PERMITTED = "not permitted"
    """The function's role or credentials do not allow it: no effect."""
    NOT_NOW = "not now"
    """Throttled, or AWS could not be reached, also after the SDK's retries: no effect."""
    UNKNOWN = "unknown"
    """No answer, or a server error: the call may have had its effect."""


class AwsFailure(Exception):
    """A call that AWS did not do, or did not say that it did."""

    def __init__(self, operation: str, outcome: Outcome, code: str, reason: str):
        self.operation = operation
        self.outcome = outcome
        self.code = code
        self.reason = reason
        super().__init__(f"{code}: {reason}" if code else reason)


def outcome_of(error: BaseException) -> Outcome | None:
    """That of the call whose failure an error tells of; None where it is of no call."""
    # The log, which an error has come through, takes the cause from it and leaves the context.
    return getattr(error.__cause__ or error.__context__, "outcome", None)


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Raises what the SDK raises inside as AwsFailure."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        reason = error.response["Error"].get("Message") or str(error)
        outcome = _outcome(code, reason, error)
        if outcome is Outcome.NOT_PERMITTED:
            # A refused signature is explained with the request that was signed, session token included.
            reason = reason.partition(". ")[0].partition("\n")[0]
        raise AwsFailure(operation, outcome, code, reason) from error
    except BotoCoreError as error:
        raise AwsFailure(operation, _outcome_without_answer(error), type(error).__name__, str(error)) from error
    except (KeyError, TypeError, ResponseParserError) as error:
        # An answer of the status 200 that is no answer of this operation, such as a proxy's page.
        raise AwsFailure(operation, Outcome.UNKNOWN, "UnreadableAnswer", f"the answer to {operation} cannot be read") from error


def _outcome_without_answer(error: BotoCoreError) -> Outcome:
    if isinstance(error, (CredentialRetrievalError, NoCredentialsError, PartialCredentialsError)):
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

"""Translates the errors of AWS calls into sentences with advice."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ecs_updater.aws.errors import NEVER_SENT
from ecs_updater.errors import (
    CREDENTIALS,
    MESSAGE_LIMIT,
    AwsFailure,
    EcsUpdaterError,
    Outcome,
    one_line,
)

from ..batch.state import plain_cause
from ..errors import AwsError

_LOG_IN = "log in (aws configure, aws sso login), or name a profile with --profile"
_EXPIRED = f"the credentials have expired: {_LOG_IN}"
_REJECTED_TIME = "AWS rejected the signature ({reason}): set this machine's clock"
UNREACHABLE = frozenset({*(error.__name__ for error in NEVER_SENT), "SSLError"})
"""Codes of failures without a connection to AWS."""

_ADVICE = {
    "NoCredentialsError": f"there are no credentials: {_LOG_IN}",
    "PartialCredentialsError": f"the credentials are not complete ({{reason}}): {_LOG_IN}",
    "ConfigParseError": "{reason}: correct the file, or name another one in AWS_CONFIG_FILE",
    "NoRegionError": "there is no region: name one with --region, or set AWS_DEFAULT_REGION",
    "ProfileNotFound": "{reason}: aws configure list-profiles lists the existing profiles",
    "InvalidSetting": "{reason}: check --region and AWS_ENDPOINT_URL",
    "RequestTimeTooSkewed": _REJECTED_TIME,
    **dict.fromkeys(UNREACHABLE, "{reason}: check the network, the region, and AWS_ENDPOINT_URL"),
    **dict.fromkeys(
        (
            "ExpiredToken",
            "ExpiredTokenException",
            "LoginRefreshRequired",
            "UnauthorizedSSOTokenError",
        ),
        _EXPIRED,
    ),
}
_WRONG_CLOCK = re.compile(r"signature (expired|not yet current)|skewed", re.IGNORECASE)


@contextmanager
def aws_errors() -> Iterator[None]:
    """Translates the errors of AWS calls to AwsError. Is a decorator, too."""
    try:
        yield
    except AwsFailure as failure:
        raise aws_error_of(failure) from failure
    except EcsUpdaterError as error:
        # The failed call is more specific: an error of the ledger names the function's settings.
        failed = error.failure
        raise (
            aws_error_of(failed) if failed else AwsError(plain_cause(str(error)), is_transient=True)
        ) from error


def aws_error_of(failure: AwsFailure) -> AwsError:
    """Returns the error of a failed call, with advice where there is some."""
    reason = one_line(failure.reason.strip(" .:\n"), MESSAGE_LIMIT)
    sentence = f"{failure.operation} failed: {one_line(str(failure), MESSAGE_LIMIT).rstrip('.')}"
    if advice := _ADVICE.get(failure.code):
        sentence = advice.format(reason=reason)
    elif failure.is_about_credentials and _WRONG_CLOCK.search(reason):
        sentence = _REJECTED_TIME.format(reason=reason)
    elif failure.is_about_credentials and "expired" in reason.lower():
        sentence = _EXPIRED
    elif failure.code in CREDENTIALS:
        sentence = f"AWS rejected the credentials ({failure.code}): {_LOG_IN}"
    elif failure.is_about_credentials:
        sentence = f"there are no credentials: {reason}: {_LOG_IN}"
    elif failure.outcome is Outcome.NOT_PERMITTED:
        sentence = f"{failure.operation} is not permitted: {reason}"
    return AwsError(sentence, is_transient=failure.outcome in (Outcome.NOT_NOW, Outcome.UNKNOWN))

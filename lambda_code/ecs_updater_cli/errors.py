"""An error of AWS as the sentence that a person needs: what is the matter, and what to do about
it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ecs_updater.aws.errors import CREDENTIALS, NEVER_SENT, AwsFailure, Outcome
from ecs_updater.errors import EcsUpdaterError, one_line

from .batch.state import plain_cause

SUCCEEDED, NOT_ALL, INPUT, AWS = 0, 1, 2, 3
"""All is as it was asked for; something is not; the input is wrong; AWS is not to be had."""

DETACHED = 130
"""Ctrl-C, as shells count it."""


class CommandError(Exception):
    """The command ends here, with this exit code and these lines on standard error."""

    def __init__(self, code: int, *lines: str):
        self.code, self.lines = code, lines
        super().__init__("; ".join(lines))


class AwsError(CommandError):
    """AWS does not do what the command needs."""

    def __init__(self, sentence: str, *, is_transient: bool = False):
        self.is_transient = is_transient
        """Whether the same may go well a moment later."""
        super().__init__(AWS, sentence)


def input_error(*lines: str) -> CommandError:
    """The end of a command that was asked for something that cannot be."""
    return CommandError(INPUT, *lines)


_LOG_IN = "log in (aws configure, aws sso login), or name a profile with --profile"
_ADVICE = {
    "NoCredentialsError": f"there are no credentials: {_LOG_IN}",
    "PartialCredentialsError": f"the credentials are not complete ({{reason}}): {_LOG_IN}",
    "ConfigParseError": "{reason}: correct the file, or name another one in AWS_CONFIG_FILE",
    "NoRegionError": "there is no region: name one with --region, or set AWS_DEFAULT_REGION",
    "ProfileNotFound": "{reason}: aws configure list-profiles names those that there are",
}
_EXPIRED = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "LoginRefreshRequired", "UnauthorizedSSOTokenError"}
)
_WRONG_CLOCK = re.compile(r"signature (expired|not yet current)|skewed", re.IGNORECASE)
_UNREACHABLE = frozenset({*(error.__name__ for error in NEVER_SENT), "SSLError"})


@contextmanager
def told() -> Iterator[None]:
    """Raises what goes wrong with AWS inside as Trouble."""
    try:
        yield
    except AwsFailure as failure:
        raise aws_error_of(failure) from failure
    except EcsUpdaterError as error:
        # Beneath an error of the ledger is what AWS said; the error itself speaks of the function's
        # settings.
        cause = error.failure
        raise (
            aws_error_of(cause) if cause else AwsError(plain_cause(str(error)), is_transient=True)
        ) from error


def is_unreachable(failure: AwsFailure) -> bool:
    """Whether no connection to AWS was made."""
    return failure.code in _UNREACHABLE


def aws_error_of(failure: AwsFailure) -> AwsError:
    """That of a call that failed."""
    reason = one_line(failure.reason).rstrip(".")
    sentence = f"{failure.operation} failed: {one_line(str(failure)).rstrip('.')}"
    if advice := _ADVICE.get(failure.code):
        sentence = advice.format(reason=reason)
    elif failure.code == "RequestTimeTooSkewed" or (
        failure.is_about_credentials and _WRONG_CLOCK.search(reason)
    ):
        sentence = f"AWS does not take the signature ({reason}): set this machine's clock"
    elif failure.code in _EXPIRED or (failure.is_about_credentials and "expired" in reason.lower()):
        sentence = f"the credentials have expired: {_LOG_IN}"
    elif failure.code in CREDENTIALS:
        sentence = f"AWS does not take the credentials ({failure.code}): {_LOG_IN}"
    elif failure.is_about_credentials:
        sentence = f"there are no credentials: {reason}: {_LOG_IN}"
    elif failure.outcome is Outcome.NOT_PERMITTED:
        sentence = f"{failure.operation} is not permitted: {reason}"
    elif is_unreachable(failure):
        sentence = f"{reason}: check the network, the region, and AWS_ENDPOINT_URL"
    elif failure.code == "InvalidSetting":
        sentence = f"{reason}: check --region and AWS_ENDPOINT_URL"
    return AwsError(sentence, is_transient=failure.outcome in (Outcome.NOT_NOW, Outcome.UNKNOWN))

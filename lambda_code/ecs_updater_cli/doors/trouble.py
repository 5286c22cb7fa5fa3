"""An error of AWS as the sentence that a person needs: what is the matter, and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager

from ecs_updater.aws.failure import AwsFailure, Outcome
from ecs_updater.errors import EcsUpdaterError, one_line

from ..batch.state import plain_cause
from ..ending import Trouble

_LOG_IN = "log in (aws configure, aws sso login), or name a profile with --profile"
_ADVICE = {
    "NoCredentialsError": f"there are no credentials: {_LOG_IN}",
    "PartialCredentialsError": f"the credentials are not complete: {_LOG_IN}",
    "NoRegionError": "there is no region: name one with --region, or set AWS_DEFAULT_REGION",
    "ProfileNotFound": "{reason}: aws configure list-profiles names those that there are",
}
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "UnauthorizedSSOTokenError", "SSOTokenLoadError"})
_UNKNOWN_KEY = frozenset(
    (
        *("InvalidClientTokenId", "UnrecognizedClientException", "InvalidSignatureException", "SignatureDoesNotMatch"),
        "InvalidAccessKeyId",
    )
)
_UNREACHABLE = frozenset({"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError"})


@contextmanager
def told() -> Iterator[None]:
    """Raises what goes wrong with AWS inside as Trouble."""
    try:
        yield
    except AwsFailure as failure:
        raise trouble_of(failure) from failure
    except EcsUpdaterError as error:
        # Beneath an error of the ledger is what AWS said; the error itself speaks of the function's settings.
        cause = error.__cause__
        raise trouble_of(cause) if isinstance(cause, AwsFailure) else Trouble(plain_cause(str(error)), may_pass=True) from error


def trouble_of(failure: AwsFailure) -> Trouble:
    """That of a call that failed."""
    reason = one_line(failure.reason).rstrip(".")
    sentence = f"{failure.operation} failed: {one_line(str(failure)).rstrip('.')}"
    if advice := _ADVICE.get(failure.code):
        sentence = advice.format(reason=reason)
    elif failure.code in _EXPIRED or "expired" in reason.lower():
        sentence = f"the credentials have expired: {_LOG_IN}"
    elif failure.code in _UNKNOWN_KEY:
        sentence = f"AWS does not take the credentials ({failure.code}): {_LOG_IN}"
    elif failure.outcome is Outcome.NOT_PERMITTED:
        sentence = f"{failure.operation} is not permitted: {reason}"
    elif failure.code in _UNREACHABLE:
        sentence = f"{reason}: check the network, the region, and AWS_ENDPOINT_URL"
    elif failure.code == "InvalidSetting":
        sentence = f"{reason}: check --region and AWS_ENDPOINT_URL"
    return Trouble(sentence, may_pass=failure.outcome in (Outcome.NOT_NOW, Outcome.UNKNOWN))

"""Everything that can go wrong, as one tree with two roots: whose fault it is.

A class's name is Lambda's ``errorType``, so a state machine can catch it by name:
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html

The text of an error is ``[ERROR][{stage}] {message}``: one line, printable, at most
``MESSAGE_LIMIT`` characters, never a stack trace, a secret or a credential.

"""

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Self

NEEDED = (
    "[ERROR][json_validation] Needed: ecs_cluster_name, ecs_service_name, ecs_image_name, ecs_tag"
)
"""The fields that an update event must have, for the log."""

VIOLATION_LIMIT = 300
"""The most characters of one violation of the schema, or of any other text that repeats the
caller's own.
"""

MESSAGE_LIMIT = 2000
"""The most characters of one message: callers show it on one screen, whatever AWS or the event
held.
"""

_NOT_READ = "reading ecs service unexpected error: "
_NOT_CREATED = "new task_definition could not be created "


def one_line(text: str, limit: int = VIOLATION_LIMIT) -> str:
    """``text`` on one line of printable characters, cut in its middle to ``limit`` characters.

    The middle goes because both ends matter: ``'aaaa…aaaa' is too long``.
    """
    if len(text) <= limit and text.isprintable():
        return text
    if len(text) > limit:
        head = (limit - 1) // 2
        text = text[:head] + "…" + text[len(text) - (limit - 1 - head) :]
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return printable if len(printable) <= limit else one_line(printable, limit)


CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)
"""Codes with which AWS refuses the credentials or the signature of a request, whatever the request
is for.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html
"""


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

    def __init__(
        self,
        operation: str,
        outcome: Outcome,
        code: str,
        reason: str,
        *,
        is_about_credentials: bool = False,
    ):
        self.operation = operation
        self.outcome = outcome
        self.code = code
        self.reason = reason
        self.is_about_credentials = is_about_credentials or code in CREDENTIALS
        """Whether every other call fails as well until somebody logs in again."""
        super().__init__(f"{code}: {reason}" if code else reason)


class EcsUpdaterError(Exception):
    """Anything this function refuses or fails with."""

    stage = "internal"
    prefix = ""
    """How every message of this class begins, after its stage."""
    hint: str | None = None
    """A sentence that helps, beside the message, which callers compare.

    Not in the message itself.
    """

    failure: AwsFailure | None = None
    """The failed AWS call that caused this error."""

    def __init_subclass__(cls, stage: str = "", prefix: str = ""):
        cls.stage, cls.prefix = stage or cls.stage, prefix or cls.prefix

    def __init__(self, message: str):
        self.details: dict[str, object] = {}
        super().__init__(one_line(f"[ERROR][{self.stage}] {self.prefix}{message}", MESSAGE_LIMIT))

    def also(self, sentence: str, instead_of: str = "") -> Self:
        """The same error with another sentence at its end, and without one that is not true any
        more.
        """
        text = str(self).replace(f"; {instead_of}", "") if instead_of else str(self)
        self.args = (one_line(f"{text}; {sentence}", MESSAGE_LIMIT),)
        return self

    @property
    def outcome(self) -> Outcome | None:
        """Outcome of the failed AWS call that caused this error. None: no call caused it."""
        return self.failure.outcome if self.failure else None

    def caused_by(self, failure: AwsFailure) -> Self:
        """Returns this error with the failed AWS call that caused it."""
        self.failure = failure
        return self

    def with_hint(self, hint: str) -> Self:
        """The same error with a hint."""
        self.hint = one_line(hint)
        return self

    def with_details(self, details: dict[str, object]) -> Self:
        """The same error with fields for the log that its message may have to cut."""
        self.details = details
        return self


class CallerFault(EcsUpdaterError):
    """The event, or the service it names, has to change before a retry can succeed."""


class ServerFault(EcsUpdaterError):
    """The function, its role or AWS failed: the same event may succeed later."""


class InvalidEventError(CallerFault, stage="json_validation"):
    """The event does not fit the schema, or a value in it has characters that ECS does not take."""

    violation = ""
    violations: tuple[str, ...] = ()
    """All of them. Both are empty only on an error that an earlier version wrote to the ledger."""

    def __init__(self, violation: str, violations: Sequence[str] = ()):
        self.violation = one_line(violation)
        self.violations = tuple(violations) or (self.violation,)
        super().__init__(f"wrong input event format: {self.violation}")


class NotAllowedError(CallerFault, stage="json_validation"):
    """The function's configuration does not allow this image, or this service: ALLOWED_IMAGES,
    ALLOWED_SERVICES.
    """

    def __init__(self, reason: str, field: str = ""):
        """``field``: the field of the event, such as ``ecs_container_images.sidecar``."""
        self.reason, self.field = one_line(reason, MESSAGE_LIMIT), field
        super().__init__(self.reason)


class ServiceReadRefusedError(CallerFault, stage="ecs_service_read", prefix=_NOT_READ):
    """ECS refused to read the service as it is named."""


class ClusterNotFoundError(CallerFault, stage="ecs_service_read"):
    """ECS has no such cluster in this account and region."""

    def __init__(self, cluster: str):
        super().__init__(f"ecs_cluster_name {cluster} not found")


class ServiceNotFoundError(CallerFault, stage="ecs_service_read"):
    """The cluster has no such service."""

    def __init__(self, service: str):
        super().__init__(f"ecs_service_name {service} not found")


class ServiceNotActiveError(CallerFault, stage="ecs_service_read"):
    """The service was deleted (INACTIVE) or is being deleted (DRAINING)."""


class DeploymentControllerError(CallerFault, stage="ecs_service_read"):
    """The service's deployments belong to another controller than ECS, or to ECS Express Mode:
    UpdateService cannot serve these.
    """


class TaskDefinitionFamilyError(CallerFault, stage="ecs_service_read"):
    """The service runs another task-definition family than the function is configured for."""


class ContainerNotFoundError(CallerFault, stage="ecs_service_read"):
    """The running task definition has no container of that name."""


class AmbiguousContainerError(CallerFault, stage="ecs_service_read"):
    """The event names no container and the running task definition does not show which one is
    meant.
    """


class RollbackTargetError(CallerFault, stage="ecs_service_read"):
    """No earlier revision of the service is known to have worked, so there is nothing to return
    to.
    """


class InvalidImageError(CallerFault, stage="ecs_service_update"):
    """The image reference cannot be right, whatever the registry holds."""

    reason = ""

    def __init__(self, reason: str):
        self.reason = one_line(reason)
        super().__init__(f"new task_definition could not be created {self.reason}")


class TaskDefinitionRefusedError(CallerFault, stage="ecs_service_update"):
    """RegisterTaskDefinition refused the new revision."""


class ImageNotFoundError(CallerFault, stage="ecs_service_update", prefix=_NOT_CREATED):
    """The registry has no image by that tag or digest, or no repository by that name."""


class ImageArchitectureError(CallerFault, stage="ecs_service_update", prefix=_NOT_CREATED):
    """The image is there, but not for the processor architecture of the task."""


class ServiceUpdateRefusedError(CallerFault, stage="ecs_service_update"):
    """UpdateService refused the new revision."""


class ServiceTagsRefusedError(CallerFault, stage="ecs_service_update"):
    """The service cannot have these tags."""


class RolloutFailedError(CallerFault, stage="ecs_service_rollout", prefix="FAILED: "):
    """The deployment of this update failed, and the service does not run what it ran before, or not
    yet.
    """


class RolloutRolledBackError(CallerFault, stage="ecs_service_rollout", prefix="ROLLED_BACK: "):
    """The deployment of this update failed, and the service runs what it ran before."""


class RolloutStoppedError(CallerFault, stage="ecs_service_rollout", prefix="STOPPED: "):
    """Somebody stopped the deployment of this update, or deleted the service."""


class RolloutSupersededError(CallerFault, stage="ecs_service_rollout", prefix="SUPERSEDED: "):
    """Another deployment took the place of this update's before it was done."""


class RouteNotFoundError(CallerFault, stage="http_request"):
    """The API has no such route, or none for this method."""


class MediaTypeError(CallerFault, stage="http_request"):
    """The body is not said to be JSON."""


class PayloadTooLargeError(CallerFault, stage="http_request"):
    """The body has more bytes than any event needs."""


class InvalidQueryError(CallerFault, stage="http_request"):
    """A parameter of the query is unknown, or its value means nothing."""


class DeploymentNotFoundError(CallerFault, stage="http_request"):
    """The ledger has no update of this id, or none any more."""


class ConfigurationError(ServerFault, stage="configuration"):
    """An environment variable of the function has a value that means nothing."""


class LeaseHeldError(ServerFault, stage="ecs_service_read"):
    """Another update of the same service is under way."""


class LedgerError(ServerFault, stage="ecs_service_read"):
    """The table of the ledger could not be read or written."""


class ServiceReadError(ServerFault, stage="ecs_service_read", prefix=_NOT_READ):
    """The service or its task definition could not be read."""


class ImageVerificationError(ServerFault, stage="ecs_service_update", prefix=_NOT_CREATED):
    """The registry gave no answer about the image."""


class TaskDefinitionError(ServerFault, stage="ecs_service_update"):
    """The new revision could not be registered: throttled, not permitted, or AWS failed."""


class ServiceUpdateError(ServerFault, stage="ecs_service_update"):
    """The service could not be updated: throttled, not permitted, or AWS failed."""


class RateError(ServerFault, stage="ecs_service_update"):
    """ECS's rates let the calls of this update be made only after the function's end."""


class UnknownOutcomeError(ServerFault, stage="ecs_service_update"):
    """UpdateService got no answer, and what became of it could not be read: the service is fully
    old or fully new.
    """


class ServiceTagsError(ServerFault, stage="ecs_service_update"):
    """The service's tags could not be written: throttled, not permitted, or AWS failed."""

    def __init__(self, reason: str):
        super().__init__(f"updating service tag unexpected error: {reason}")


class InternalError(ServerFault):
    """A defect of this function; its log has the details."""


def attributes_of(error: Exception) -> dict[str, Any]:
    """Returns the error's attributes without its message and `failure`, as JSON values.

    A tuple becomes a list, a value of an unknown type its text.
    """
    kept = {name: value for name, value in vars(error).items() if name != "failure"}
    attributes: dict[str, Any] = json.loads(json.dumps(kept, default=str))
    return attributes


def rebuilt(name: str, message: str, attributes: Mapping[str, Any]) -> EcsUpdaterError:
    """The error of the class ``name`` with this message and these attributes, its lists as tuples.

    A class that this version does not know becomes InternalError. An attribute that was not kept
    has the default of its class.
    """
    kind = next((one for one in _kinds(EcsUpdaterError) if one.__name__ == name), InternalError)
    # Without __init__, which would make another message of this one.
    error = kind.__new__(kind, message)
    error.details = {}
    vars(error).update(
        {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in attributes.items()
        }
    )
    return error


def _kinds(kind: type[EcsUpdaterError]) -> Iterator[type[EcsUpdaterError]]:
    yield kind
    for derived in kind.__subclasses__():
        yield from _kinds(derived)

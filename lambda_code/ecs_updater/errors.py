"""All errors: one tree with the roots CallerFault and ServerFault, and the failed calls of AWS.

The name of a class is Lambda's `errorType`, so that a state machine can catch it:
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html

The text of an error is `[ERROR][{stage}] {message}`: one printable line of at most `MESSAGE_LIMIT`
characters, without stack trace, secret or credential.
"""

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Self

NEEDED = (
    "[ERROR][json_validation] Needed: ecs_cluster_name, ecs_service_name, ecs_image_name, ecs_tag"
)
"""Required fields of an update event, for the log."""

VIOLATION_LIMIT = 300
"""Maximum characters of a violation of the schema, or of other text from the caller."""

MESSAGE_LIMIT = 2000
"""Maximum characters of a message, which fit on one screen."""

_NOT_READ = "reading ecs service unexpected error: "
_NOT_CREATED = "new task_definition could not be created "
_NOT_ANSWERED = "the hook could not be answered: "
_NOT_STARTED = "the one-off task could not be started: "


def one_line(text: str, limit: int = VIOLATION_LIMIT) -> str:
    """Returns `text` as one line of printable characters, shortened to `limit` in the middle.

    Both ends matter: `'aaaa…aaaa' is too long`.
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
"""Codes for rejected credentials or signatures.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html
"""


class Outcome(Enum):
    """Whether a failed call may have had its effect, and whether a retry can help."""

    REFUSED = "refused"
    """AWS rejected the request: no effect. The same request fails again."""
    NOT_PERMITTED = "not permitted"
    """Role or credentials do not allow the call: no effect."""
    NOT_NOW = "not now"
    """Throttled, or AWS could not be reached after the SDK's retries: no effect."""
    UNKNOWN = "unknown"
    """No answer, or a server error: the call may have had its effect."""


LASTING = (Outcome.REFUSED, Outcome.NOT_PERMITTED)
"""Outcomes of a call that fails again."""


class AwsFailure(Exception):
    """A failed call of AWS."""

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
        """Whether all calls fail until somebody logs in again."""
        super().__init__(operation, outcome, code, reason)  # So that it can be pickled.

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}" if self.code else self.reason


class ImageMissing(Exception):
    """A registry does not have an image. The text is the reason."""


class RegistryFailure(Exception):
    """A registry could not be reached, was too busy or requires credentials, or its answer has an
    unknown form. The text is the reason.
    """


_CLASSES: dict[str, type["EcsUpdaterError"]] = {}


class EcsUpdaterError(Exception):
    """Any error of this function."""

    stage = "internal"
    prefix = ""
    """Beginning of every message of the class, after the stage."""
    hint: str | None = None
    """Advice that is not part of the message, because callers compare messages."""

    failure: AwsFailure | None = None

    def __init_subclass__(cls, stage: str = "", prefix: str = ""):
        _CLASSES[cls.__name__] = cls
        cls.stage, cls.prefix = stage or cls.stage, prefix or cls.prefix

    def __init__(self, message: str):
        self.details: dict[str, object] = {}
        super().__init__(one_line(f"[ERROR][{self.stage}] {self.prefix}{message}", MESSAGE_LIMIT))

    def also(self, sentence: str, instead_of: str = "") -> Self:
        """Adds a sentence to the message, and removes `instead_of`."""
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
        """Returns this error with a hint."""
        self.hint = one_line(hint)
        return self

    def with_details(self, details: dict[str, object]) -> Self:
        """Returns this error with fields for the log."""
        self.details = details
        return self


_CLASSES[EcsUpdaterError.__name__] = EcsUpdaterError


class CallerFault(EcsUpdaterError):
    """Event or service must change before a retry can succeed."""


class ServerFault(EcsUpdaterError):
    """The function, its role or AWS failed: the same event may succeed later."""


class InvalidEventError(CallerFault, stage="json_validation"):
    """The event does not fit the schema, or a value has characters that ECS does not take."""

    violation = ""
    violations: tuple[str, ...] = ()
    """All violations. Both are empty only on an error of an earlier version in the ledger."""

    def __init__(self, violation: str, violations: Sequence[str] = ()):
        self.violation = one_line(violation)
        self.violations = tuple(violations) or (self.violation,)
        super().__init__(f"wrong input event format: {self.violation}")


class NotAllowedError(CallerFault, stage="json_validation"):
    """A setting such as ALLOWED_IMAGES, or the caller's scope, does not allow the request."""

    def __init__(self, reason: str, field: str = ""):
        """`field`: field of the event, such as `ecs_container_images.sidecar`."""
        self.reason, self.field = one_line(reason, MESSAGE_LIMIT), field
        super().__init__(self.reason)


class ServiceReadRefusedError(CallerFault, stage="ecs_service_read", prefix=_NOT_READ):
    """ECS rejected the name of the service."""


class ClusterNotFoundError(CallerFault, stage="ecs_service_read"):
    """ECS has no such cluster in this account and region."""


class ServiceNotFoundError(CallerFault, stage="ecs_service_read"):
    """The cluster has no such service."""


class ServiceNotActiveError(CallerFault, stage="ecs_service_read"):
    """The service was deleted (INACTIVE) or is being deleted (DRAINING)."""


class DeploymentControllerError(CallerFault, stage="ecs_service_read"):
    """The service has another deployment controller than ECS, or no task definition."""


class TaskDefinitionFamilyError(CallerFault, stage="ecs_service_read"):
    """The service runs another task-definition family than TASK_DEF."""


class ContainerNotFoundError(CallerFault, stage="ecs_service_read"):
    """The running task definition has no container of that name."""


class AmbiguousContainerError(CallerFault, stage="ecs_service_read"):
    """The event names no container, and the task definition has several candidates."""


class TaskDefinitionNotUsableError(CallerFault, stage="ecs_service_read"):
    """`ecs_task_definition` does not exist, is not active, or has another family or role."""


class DesiredCountError(CallerFault, stage="ecs_service_read"):
    """The service has no desired count, or auto scaling does not allow this one."""


class RollbackTargetError(CallerFault, stage="ecs_service_read"):
    """No earlier revision of the service is known to have worked."""


class InvalidImageError(CallerFault, stage="ecs_service_update"):
    """The image reference is invalid."""

    reason = ""

    def __init__(self, reason: str):
        self.reason = one_line(reason)
        super().__init__(f"new task_definition could not be created {self.reason}")


class TaskDefinitionRefusedError(CallerFault, stage="ecs_service_update"):
    """RegisterTaskDefinition rejected the new revision."""


class ImageNotFoundError(CallerFault, stage="ecs_service_update", prefix=_NOT_CREATED):
    """The registry has no image by that tag or digest, or no repository by that name."""


class ImageArchitectureError(CallerFault, stage="ecs_service_update", prefix=_NOT_CREATED):
    """The image is for another processor architecture than the task."""


class TaskRunRefusedError(CallerFault, stage="ecs_service_update", prefix=_NOT_STARTED):
    """RunTask rejected the task of `run_before`."""


class ServiceUpdateRefusedError(CallerFault, stage="ecs_service_update"):
    """UpdateService rejected the new revision."""


class ServiceTagsRefusedError(CallerFault, stage="ecs_service_update"):
    """The service cannot have these tags."""


class RolloutFailedError(CallerFault, stage="ecs_service_rollout", prefix="FAILED: "):
    """The deployment failed. The service does not run its earlier revision, or not yet."""


class TaskRunFailedError(CallerFault, stage="ecs_service_rollout", prefix="FAILED: "):
    """The task of `run_before` did not exit with code 0. The service is unchanged."""


class RolloutRolledBackError(CallerFault, stage="ecs_service_rollout", prefix="ROLLED_BACK: "):
    """The deployment failed. The service runs its earlier revision again."""


class RolloutRollbackFailedError(
    CallerFault, stage="ecs_service_rollout", prefix="ROLLBACK_FAILED: "
):
    """The deployment failed, and ECS's rollback failed, too: somebody has to act."""


class RolloutStoppedError(CallerFault, stage="ecs_service_rollout", prefix="STOPPED: "):
    """The deployment was stopped, or the service was deleted."""


class RolloutSupersededError(CallerFault, stage="ecs_service_rollout", prefix="SUPERSEDED: "):
    """Another deployment replaced this one."""


class ApprovalsOffError(CallerFault, stage="approval"):
    """The setting APPROVALS is off."""


class HookNotAwaitedError(CallerFault, stage="approval"):
    """The hook does not await an answer, or not any more."""


class ApprovalRefusedError(CallerFault, stage="approval", prefix=_NOT_ANSWERED):
    """ContinueServiceDeployment rejected the answer to a hook that awaits one."""


class RouteNotFoundError(CallerFault, stage="http_request"):
    """The API has no such route, or none for this method."""


class MediaTypeError(CallerFault, stage="http_request"):
    """The body's media type is not JSON."""


class PayloadTooLargeError(CallerFault, stage="http_request"):
    """The body is larger than any valid event."""


class InvalidQueryError(CallerFault, stage="http_request"):
    """A query parameter is unknown or has an invalid value."""


class DeploymentNotFoundError(CallerFault, stage="http_request"):
    """The ledger has no update of this id, or none that the caller may read."""

    @classmethod
    def of(cls, request_id: str) -> "DeploymentNotFoundError":
        """Returns the error of an id. The same sentence hides updates that may not be read."""
        return cls(f"the ledger has no update {one_line(request_id, 128)!r}, or none any more")


class ConfigurationError(ServerFault, stage="configuration"):
    """A setting of the function, or of a pipeline's action, has an invalid value."""


class JobResultError(
    ServerFault, stage="codepipeline", prefix="the job's result could not be reported: "
):
    """CodePipeline did not take the result of a job."""


class LeaseHeldError(ServerFault, stage="ecs_service_read"):
    """Another update of the service is running."""


class LedgerError(ServerFault, stage="ecs_service_read"):
    """The table of the ledger could not be read or written."""


class TargetRoleError(ServerFault, stage="ecs_service_read"):
    """The role of a target could not be assumed: not permitted, throttled, or AWS failed."""


class ServiceReadError(ServerFault, stage="ecs_service_read", prefix=_NOT_READ):
    """The service or its task definition could not be read."""


class ImageVerificationError(ServerFault, stage="ecs_service_update", prefix=_NOT_CREATED):
    """The registry did not answer about the image."""


class TaskDefinitionError(ServerFault, stage="ecs_service_update"):
    """The new revision could not be registered: throttled, not permitted, or AWS failed."""


class TaskRunError(ServerFault, stage="ecs_service_update", prefix=_NOT_STARTED):
    """The task of `run_before` could not be started: no capacity, throttled, not permitted, or AWS
    failed.
    """


class ServiceUpdateError(ServerFault, stage="ecs_service_update"):
    """The service could not be updated: throttled, not permitted, or AWS failed."""


class RateError(ServerFault, stage="ecs_service_update"):
    """The rate limit allows the calls only after the function's end."""


class UnknownOutcomeError(ServerFault, stage="ecs_service_update"):
    """UpdateService or RunTask got no answer, and its result could not be read.

    The service is fully old or new. The task runs, or it was not started.
    """


class ServiceTagsError(
    ServerFault, stage="ecs_service_update", prefix="updating service tag unexpected error: "
):
    """The service's tags could not be written: throttled, not permitted, or AWS failed."""


class ApprovalError(ServerFault, stage="approval", prefix=_NOT_ANSWERED):
    """The hook could not be answered: throttled, not permitted, or AWS failed."""


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
    """Returns the error of class `name` with this message and these attributes. Lists are tuples.

    An unknown class becomes InternalError. A missing attribute has the default of its class.
    """
    kind = _CLASSES.get(name, InternalError)
    # Without __init__, which builds a message.
    error = kind.__new__(kind, message)
    error.details = {}
    for key, value in attributes.items():
        setattr(error, key, tuple(value) if isinstance(value, list) else value)
    return error

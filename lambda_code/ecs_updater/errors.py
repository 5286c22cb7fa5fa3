"""Everything that can go wrong, as one tree with two roots: whose fault it is.

A class's name is Lambda's ``errorType``, so a state machine can catch it by name:
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html

The text of an error is ``[ERROR][{stage}] {message}``: one line, printable, at most
``MESSAGE_LIMIT`` characters, never a stack trace, a secret or a credential.

"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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


def one_line(text: str, limit: int = VIOLATION_LIMIT) -> str:
    """``text`` on one line of printable characters, cut in its middle to ``limit`` characters.

    The middle goes because both ends matter: ``'aaaa…aaaa' is too long``.
    """
    if len(text) > limit:
        head = (limit - 1) // 2
        text = text[:head] + "…" + text[len(text) - (limit - 1 - head) :]
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return printable if len(printable) <= limit else one_line(printable, limit)


class EcsUpdaterError(Exception):
    """Anything this function refuses or fails with."""

    stage = "internal"
    prefix = ""
    """How every message of this class begins, after its stage."""
    hint: str | None = None
    """A sentence that helps, beside the message, which callers compare.

    Not in the message itself.
    """

    def __init__(self, message: str):
        self.details: dict[str, object] = {}
        super().__init__(one_line(f"[ERROR][{self.stage}] {self.prefix}{message}", MESSAGE_LIMIT))

    def also(self, sentence: str, instead_of: str = "") -> "EcsUpdaterError":
        """The same error with another sentence at its end, and without one that is not true any
        more.
        """
        text = str(self).replace(f"; {instead_of}", "") if instead_of else str(self)
        self.args = (one_line(f"{text}; {sentence}", MESSAGE_LIMIT),)
        return self

    def with_hint(self, hint: str) -> "EcsUpdaterError":
        """The same error with a hint."""
        self.hint = one_line(hint)
        return self

    def with_details(self, details: dict[str, object]) -> "EcsUpdaterError":
        """The same error with fields for the log that its message may have to cut."""
        self.details = details
        return self


class CallerFault(EcsUpdaterError):
    """The event, or the service it names, has to change before a retry can succeed."""


class ServerFault(EcsUpdaterError):
    """The function, its role or AWS failed: the same event may succeed later."""


class InvalidEventError(CallerFault):
    """The event does not fit the schema, or a value in it has characters that ECS does not take."""

    stage = "json_validation"
    violation = ""
    violations: tuple[str, ...] = ()
    """All of them. Both are empty only on an error that an earlier version wrote to the ledger."""

    def __init__(self, violation: str, violations: Sequence[str] = ()):
        self.violation = one_line(violation)
        self.violations = tuple(violations) or (self.violation,)
        super().__init__(f"wrong input event format: {self.violation}")


class NotAllowedError(CallerFault):
    """The function's configuration does not allow this image, or this service: ALLOWED_IMAGES,
    ALLOWED_SERVICES.
    """

    stage = "json_validation"

    def __init__(self, reason: str, field: str = ""):
        """``field``: the field of the event, such as ``ecs_container_images.sidecar``."""
        self.reason, self.field = one_line(reason, MESSAGE_LIMIT), field
        super().__init__(self.reason)


class ServiceReadRefusedError(CallerFault):
    """ECS refused to read the service as it is named."""

    stage = "ecs_service_read"
    prefix = "reading ecs service unexpected error: "


class ClusterNotFoundError(CallerFault):
    """ECS has no such cluster in this account and region."""

    stage = "ecs_service_read"

    def __init__(self, cluster: str):
        super().__init__(f"ecs_cluster_name {cluster} not found")


class ServiceNotFoundError(CallerFault):
    """The cluster has no such service."""

    stage = "ecs_service_read"

    def __init__(self, service: str):
        super().__init__(f"ecs_service_name {service} not found")


class ServiceNotActiveError(CallerFault):
    """The service was deleted (INACTIVE) or is being deleted (DRAINING)."""

    stage = "ecs_service_read"


class DeploymentControllerError(CallerFault):
    """The service's deployments belong to another controller than ECS, or to ECS Express Mode:
    UpdateService cannot serve these.
    """

    stage = "ecs_service_read"


class TaskDefinitionFamilyError(CallerFault):
    """The service runs another task-definition family than the function is configured for."""

    stage = "ecs_service_read"


class ContainerNotFoundError(CallerFault):
    """The running task definition has no container of that name."""

    stage = "ecs_service_read"


class AmbiguousContainerError(CallerFault):
    """The event names no container and the running task definition does not show which one is
    meant.
    """

    stage = "ecs_service_read"


class RollbackTargetError(CallerFault):
    """No earlier revision of the service is known to have worked, so there is nothing to return
    to.
    """

    stage = "ecs_service_read"


class InvalidImageError(CallerFault):
    """The image reference cannot be right, whatever the registry holds."""

    stage = "ecs_service_update"
    reason = ""

    def __init__(self, reason: str):
        self.reason = one_line(reason)
        super().__init__(f"new task_definition could not be created {self.reason}")


class TaskDefinitionRefusedError(CallerFault):
    """RegisterTaskDefinition refused the new revision."""

    stage = "ecs_service_update"


class ImageNotFoundError(CallerFault):
    """The registry has no image by that tag or digest, or no repository by that name."""

    stage = "ecs_service_update"
    prefix = "new task_definition could not be created "


class ImageArchitectureError(CallerFault):
    """The image is there, but not for the processor architecture of the task."""

    stage = "ecs_service_update"
    prefix = "new task_definition could not be created "


class ServiceUpdateRefusedError(CallerFault):
    """UpdateService refused the new revision."""

    stage = "ecs_service_update"


class ServiceTagsRefusedError(CallerFault):
    """The service cannot have these tags."""

    stage = "ecs_service_update"


class RolloutFailedError(CallerFault):
    """The deployment of this update failed, and the service does not run what it ran before, or not
    yet.
    """

    stage = "ecs_service_rollout"
    prefix = "FAILED: "


class RolloutRolledBackError(CallerFault):
    """The deployment of this update failed, and the service runs what it ran before."""

    stage = "ecs_service_rollout"
    prefix = "ROLLED_BACK: "


class RolloutStoppedError(CallerFault):
    """Somebody stopped the deployment of this update, or deleted the service."""

    stage = "ecs_service_rollout"
    prefix = "STOPPED: "


class RolloutSupersededError(CallerFault):
    """Another deployment took the place of this update's before it was done."""

    stage = "ecs_service_rollout"
    prefix = "SUPERSEDED: "


class RouteNotFoundError(CallerFault):
    """The API has no such route, or none for this method."""

    stage = "http_request"


class MediaTypeError(CallerFault):
    """The body is not said to be JSON."""

    stage = "http_request"


class PayloadTooLargeError(CallerFault):
    """The body has more bytes than any event needs."""

    stage = "http_request"


class InvalidQueryError(CallerFault):
    """A parameter of the query is unknown, or its value means nothing."""

    stage = "http_request"


class DeploymentNotFoundError(CallerFault):
    """The ledger has no update of this id, or none any more."""

    stage = "http_request"


class ConfigurationError(ServerFault):
    """An environment variable of the function has a value that means nothing."""

    stage = "configuration"


class LeaseHeldError(ServerFault):
    """Another update of the same service is under way."""

    stage = "ecs_service_read"


class LedgerError(ServerFault):
    """The table of the ledger could not be read or written."""

    stage = "ecs_service_read"


class ServiceReadError(ServerFault):
    """The service or its task definition could not be read."""

    stage = "ecs_service_read"
    prefix = "reading ecs service unexpected error: "


class ImageVerificationError(ServerFault):
    """The registry gave no answer about the image."""

    stage = "ecs_service_update"
    prefix = "new task_definition could not be created "


class TaskDefinitionError(ServerFault):
    """The new revision could not be registered: throttled, not permitted, or AWS failed."""

    stage = "ecs_service_update"


class ServiceUpdateError(ServerFault):
    """The service could not be updated: throttled, not permitted, or AWS failed."""

    stage = "ecs_service_update"


class RateError(ServerFault):
    """ECS's rates let the calls of this update be made only after the function's end."""

    stage = "ecs_service_update"


class UnknownOutcomeError(ServerFault):
    """UpdateService got no answer, and what became of it could not be read: the service is fully
    old or fully new.
    """

    stage = "ecs_service_update"


class ServiceTagsError(ServerFault):
    """The service's tags could not be written: throttled, not permitted, or AWS failed."""

    stage = "ecs_service_update"

    def __init__(self, reason: str):
        super().__init__(f"updating service tag unexpected error: {reason}")


class InternalError(ServerFault):
    """A defect of this function; its log has the details."""


def attributes_of(error: Exception) -> dict[str, Any]:
    """The attributes that the error has beside its message, as JSON values: a tuple becomes a list,
    an unknown type its text.
    """
    attributes: dict[str, Any] = json.loads(json.dumps(vars(error), default=str))
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

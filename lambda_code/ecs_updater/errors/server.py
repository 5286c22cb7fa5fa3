"""Errors whose cause is the function, its role or AWS: a retry may help."""

from .base import ServerFault


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

"""Everything that can go wrong, as one tree with two roots: whose fault it is.

::

    EcsUpdaterError
    ├── CallerFault                       the event or the service's set-up is wrong: do not retry
    │   ├── InvalidEventError             [json_validation]
    │   ├── NotAllowedError               [json_validation]
    │   ├── ServiceReadRefusedError       [ecs_service_read]
    │   ├── ClusterNotFoundError          [ecs_service_read]
    │   ├── ServiceNotFoundError          [ecs_service_read]
    │   ├── ServiceNotActiveError         [ecs_service_read]
    │   ├── DeploymentControllerError     [ecs_service_read]
    │   ├── TaskDefinitionFamilyError     [ecs_service_read]
    │   ├── ContainerNotFoundError        [ecs_service_read]
    │   ├── AmbiguousContainerError       [ecs_service_read]
    │   ├── RollbackTargetError           [ecs_service_read]
    │   ├── InvalidImageError             [ecs_service_update]
    │   ├── TaskDefinitionRefusedError    [ecs_service_update]
    │   ├── ImageNotFoundError            [ecs_service_update]
    │   ├── ImageArchitectureError        [ecs_service_update]
    │   ├── ServiceUpdateRefusedError     [ecs_service_update]
    │   ├── ServiceTagsRefusedError       [ecs_service_update]
    │   ├── RolloutFailedError            [ecs_service_rollout]
    │   ├── RolloutRolledBackError        [ecs_service_rollout]
    │   ├── RolloutStoppedError           [ecs_service_rollout]
    │   ├── RolloutSupersededError        [ecs_service_rollout]
    │   ├── RouteNotFoundError            [http_request]
    │   ├── MediaTypeError                [http_request]
    │   ├── PayloadTooLargeError          [http_request]
    │   ├── InvalidQueryError             [http_request]
    │   └── DeploymentNotFoundError       [http_request]
    └── ServerFault                       the function, its role or AWS: a retry may help
        ├── ConfigurationError            [configuration]
        ├── LeaseHeldError                [ecs_service_read]
        ├── LedgerError                   [ecs_service_read]
        ├── ServiceReadError              [ecs_service_read]
        ├── ImageVerificationError        [ecs_service_update]
        ├── TaskDefinitionError           [ecs_service_update]
        ├── ServiceUpdateError            [ecs_service_update]
        ├── RateError                     [ecs_service_update]
        ├── UnknownOutcomeError           [ecs_service_update]
        ├── ServiceTagsError              [ecs_service_update]
        └── InternalError                 [internal]

A class's name is Lambda's ``errorType``, so a state machine can catch it by name:
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html

The text of an error is ``[ERROR][{stage}] {message}``: one line, printable, at most
``MESSAGE_LIMIT`` characters, never a stack trace, a secret or a credential.

===========  ==============================================================
``base``     what every error has, and the two roots
``caller``   the event, or the service that it names, is at fault
``request``  the same, of a request over HTTP
``replay``   an error as the ledger keeps it, and the same error again
``server``   the function, its role or AWS is at fault
===========  ==============================================================
"""

from .base import (
    MESSAGE_LIMIT,
    VIOLATION_LIMIT,
    CallerFault,
    EcsUpdaterError,
    ServerFault,
    one_line,
)
from .caller import (
    AmbiguousContainerError,
    ClusterNotFoundError,
    ContainerNotFoundError,
    DeploymentControllerError,
    ImageArchitectureError,
    ImageNotFoundError,
    InvalidEventError,
    InvalidImageError,
    NotAllowedError,
    RollbackTargetError,
    RolloutFailedError,
    RolloutRolledBackError,
    RolloutStoppedError,
    RolloutSupersededError,
    ServiceNotActiveError,
    ServiceNotFoundError,
    ServiceReadRefusedError,
    ServiceTagsRefusedError,
    ServiceUpdateRefusedError,
    TaskDefinitionFamilyError,
    TaskDefinitionRefusedError,
)
from .replay import attributes_of, rebuilt
from .request import (
    DeploymentNotFoundError,
    InvalidQueryError,
    MediaTypeError,
    PayloadTooLargeError,
    RouteNotFoundError,
)
from .server import (
    ConfigurationError,
    ImageVerificationError,
    InternalError,
    LeaseHeldError,
    LedgerError,
    RateError,
    ServiceReadError,
    ServiceTagsError,
    ServiceUpdateError,
    TaskDefinitionError,
    UnknownOutcomeError,
)

__all__ = [
    "MESSAGE_LIMIT",
    "VIOLATION_LIMIT",
    "AmbiguousContainerError",
    "CallerFault",
    "ClusterNotFoundError",
    "ConfigurationError",
    "ContainerNotFoundError",
    "DeploymentControllerError",
    "DeploymentNotFoundError",
    "EcsUpdaterError",
    "ImageArchitectureError",
    "ImageNotFoundError",
    "ImageVerificationError",
    "InternalError",
    "InvalidEventError",
    "InvalidImageError",
    "InvalidQueryError",
    "LeaseHeldError",
    "LedgerError",
    "MediaTypeError",
    "NotAllowedError",
    "PayloadTooLargeError",
    "RateError",
    "RollbackTargetError",
    "RolloutFailedError",
    "RolloutRolledBackError",
    "RolloutStoppedError",
    "RolloutSupersededError",
    "RouteNotFoundError",
    "ServerFault",
    "ServiceNotActiveError",
    "ServiceNotFoundError",
    "ServiceReadError",
    "ServiceReadRefusedError",
    "ServiceTagsError",
    "ServiceTagsRefusedError",
    "ServiceUpdateError",
    "ServiceUpdateRefusedError",
    "TaskDefinitionError",
    "TaskDefinitionFamilyError",
    "TaskDefinitionRefusedError",
    "UnknownOutcomeError",
    "attributes_of",
    "one_line",
    "rebuilt",
]

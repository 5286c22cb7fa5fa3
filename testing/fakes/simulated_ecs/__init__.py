"""A stateful, simulated Amazon ECS with a fast-forward clock, for what emulators cannot show: long
rollouts in milliseconds.

A real boto3 client talks to it over ``fakes.wire``. It plays deployments of every strategy as
AWS documents them; it does not judge what ECS accepts (its own refusals are tested against moto).

``clock``        simulated time, and what is due when
``images``       what an image does when it is run; the registry
``tasks``        one task
``runner``       the life of tasks: placed, started, healthy, stopped; how fast all that goes
``deployments``  one deployment; the threshold of the circuit breaker
``standalone``    tasks of no service: RunTask, StopTask
``history``      service deployments and service revisions
``lifecycle``    stages, traffic and hooks of blue/green, linear and canary deployments
``service``      one service
``scheduler``    rolling deployments, circuit breaker, rollback
``wording``      the sentences of ECS
``ids``          identifiers, from a seed
``express``      Express services: UpdateExpressGatewayService
``world``        the cluster: services, task definitions
``operations``   the API
``model``        requests and answers must fit botocore's model
``happenings``   what else happens in the world, now or later
``simulation``   all of it together, and what a test looks at
"""

from .clock import Clock
from .express import EXPRESS
from .images import Image
from .lifecycle import FOREVER, STAGES, HookResult, configuration_of, invoke_at, pause_at
from .runner import Timing
from .simulation import BREAKER, BREAKER_WITHOUT_ROLLBACK, SimulatedEcs

__all__ = [
    "BREAKER",
    "BREAKER_WITHOUT_ROLLBACK",
    "EXPRESS",
    "FOREVER",
    "STAGES",
    "Clock",
    "HookResult",
    "Image",
    "SimulatedEcs",
    "Timing",
    "configuration_of",
    "invoke_at",
    "pause_at",
]

"""Names of ECS's deployment strategies and of the lifecycle stages of a service deployment.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html
"""

ROLLING = "ROLLING"

COMPLETE = "complete"
"""Value of `wait_until` for a wait until the end."""

TRAFFIC_SHIFT, BAKE_TIME = "PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME"

STAGES = (
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    TRAFFIC_SHIFT,
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    BAKE_TIME,
    "CLEAN_UP",
)
"""In their order. Linear and canary deployments repeat the traffic shift for each step."""


def has_reached(stage: str, wanted: str) -> bool:
    """Returns whether a deployment in `stage` has reached the stage `wanted`.

    Unknown stages are not compared.
    """
    return stage in STAGES and wanted in STAGES and STAGES.index(stage) >= STAGES.index(wanted)

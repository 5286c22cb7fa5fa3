"""Services and deployments as the API answers them."""

from typing import Any

ACCOUNT = "arn:aws:ecs:eu-west-1:123456789012"
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
TAGS = {"environment": "production", "owner": "platform", "contact": "platform@example.com"}
RELEASE = {"release": "2026-11"}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "'; alert(1); //",
    "javascript:alert(1)",
    "</td></tr></table><h1>elsewhere</h1>",
    "${alert(1)} {{alert(1)}} &lt;b&gt; &amp;",
    "\u202egnp.exe\u202c \u2066isolated\u2069",
    "مرحبا بالعالم",
    "😀👩‍👩‍👧‍👦 ünïcödé 漢字",
    "__proto__",
    "constructor",
    "x" * 256,
    " leading and  double  spaces ",
]
"""Values that try to be more than text."""


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags in ECS's form."""
    return [{"key": key, "value": value} for key, value in tags.items()]


def service(
    name: str, cluster: str = "shop", *, images: Any = None, tags: Any = None, **fields: Any
) -> dict[str, Any]:
    """A steady Fargate service with two tasks; ``fields`` replace what the API would say."""
    return {
        "clusterName": cluster,
        "clusterArn": f"{ACCOUNT}:cluster/{cluster}",
        "serviceName": name,
        "serviceArn": f"{ACCOUNT}:service/{cluster}/{name}",
        "launchType": "FARGATE",
        "capacityProviders": [],
        "taskDefinition": f"{name}:7",
        "desiredCount": 2,
        "runningCount": 2,
        "pendingCount": 0,
        "rolloutState": "COMPLETED",
        "tags": tag_list(TAGS if tags is None else tags),
        "images": images or {"app": f"{REGISTRY}/shop/{name}:1.4.2"},
        **fields,
    }


def deployment(identity: str, name: str, cluster: str = "shop", **fields: Any) -> dict[str, Any]:
    """An update that succeeded; ``fields`` replace what the API would say."""
    image = f"{REGISTRY}/shop/{name}"
    return {
        "id": identity,
        "action": "update",
        "clusterName": cluster,
        "serviceName": name,
        "serviceArn": f"{ACCOUNT}:service/{cluster}/{name}",
        "state": "ENDED",
        "verdict": "SUCCEEDED",
        "cause": f"2 of 2 tasks run {name}:7",
        "deploymentId": "ecs-svc/1234567890123456789",
        "before": {
            "taskDefinition": f"{name}:6",
            "images": {"app": f"{image}:1.4.1"},
            "tags": tag_list(TAGS),
        },
        "after": {
            "taskDefinition": f"{name}:7",
            "images": {"app": f"{image}:1.4.2"},
            "tags": tag_list(TAGS | RELEASE),
        },
        "rollback": None,
        "batch": None,
        "begunAt": "2026-11-26T13:02:11.123456+00:00",
        "updatedAt": "2026-11-26T13:03:40.000000+00:00",
        "endedAt": "2026-11-26T13:03:40.000000+00:00",
        **fields,
    }


CHANGES = {
    "image.app": ("orders:1", "orders:2"),
    "environment.app.LOG_LEVEL": ("info", "debug"),
    "environment.app.DB_PASSWORD": ("(set)", "(set)"),
    "secret.app.TOKEN": (None, f"{ACCOUNT.replace('ecs', 'ssm')}:parameter/shop/orders/token"),
    "command.app": ("(set)", None),
    "cpu.app": ("128", "256"),
    "memory.log-router": (None, "64"),
    "task.cpu": ("256", "512"),
    "deploymentConfiguration.minimumHealthyPercent": ("50", "100"),
    "desiredCount": ("2", "3"),
    "field.containerDefinitions[0].newer": ("set", "dropped"),
    "something": ("old", "new"),
    "tag.owner": ("a", "b"),
}
"""Changes of an update as its answer has them: from and to."""

MOVING = {"rolloutState": "IN_PROGRESS", "runningCount": 1, "pendingCount": 1}
UNDER_WAY = {"state": "DEPLOYED", "verdict": None, "cause": None, "endedAt": None}
HOOK = {"id": "ecs-pause-e7tK9G_WRJqNF_EOMjztDXfKenlJuEUVjsNStf4WLKw", "awaits": "approval"}
PAUSED = UNDER_WAY | {
    "rollout": {
        "strategy": "CANARY",
        "stage": "PRE_PRODUCTION_TRAFFIC_SHIFT",
        "traffic": {"production": 5.0, "test": 100.0},
        "hook": {**HOOK, "until": "2026-11-26T14:05Z", "then": "ROLLBACK"},
    },
    "approvals": [],
}

A_FEW_SERVICES = [
    service("checkout", **MOVING),
    service(
        "orders",
        images={
            "app": f"{REGISTRY}/shop/orders:2.0.1",
            "proxy": "public.ecr.aws/envoy/envoy:v1.33",
        },
    ),
    service(
        "search",
        runningCount=1,
        desiredCount=3,
        tags=TAGS | {f"cost-{number}": f"unit {number}" for number in range(9)},
    ),
    service(
        "mail",
        cluster="office",
        desiredCount=0,
        runningCount=0,
        launchType="FARGATE",
        capacityProviders=["FARGATE_SPOT"],
    ),
    service("reports", cluster="office", rolloutState="FAILED", tags={}),
]
BATCH = "20261126T130000Z-5eed"
ROLLOUT = "[ERROR][ecs_service_rollout] "
A_FEW_DEPLOYMENTS = [
    deployment("req-5", "checkout", **UNDER_WAY, caller="API key a1b2c3d4e5"),
    deployment(
        *("req-4", "orders"),
        answer={
            "deployment": {"notes": ["the image was not verified"]},
            "changes": [
                {"what": what, "from": old, "to": new} for what, (old, new) in CHANGES.items()
            ],
        },
    ),
    deployment(
        *("req-3", "reports", "office"),
        verdict="ROLLED_BACK",
        cause="container app exited with code 1, 3 times",
        rollback={"taskDefinition": "reports:6", "deploymentId": "ecs-svc/9"},
        errorType="RolloutRolledBackError",
        errorMessage=f"{ROLLOUT}ROLLED_BACK: container app exited with code 1, 3 times; the "
        "service is back: 2 of 2 tasks run reports:6",
        begunAt="2026-11-26T13:01:05.000000Z",
        batch=BATCH,
    ),
    deployment(
        *("req-2", "mail", "office"),
        action="rollback",
        verdict="NO_CHANGE",
        cause="nothing differs",
        after={"taskDefinition": "mail:6", "images": {}, "tags": tag_list(TAGS)},
    ),
    deployment(
        *("req-1", "search"),
        verdict="FAILED",
        cause=f"{ROLLOUT}FAILED: container app ran out of memory (exit code 137)",
        batch=BATCH,
    ),
    deployment(
        *("req-0", "billing"),
        verdict="NOT_DEPLOYED",
        cause="[ERROR][ecs_service_read] ecs_service_name billing not found",
        before={"taskDefinition": None, "images": {}, "tags": []},
        after={"taskDefinition": None, "images": {"app": f"{REGISTRY}/billing:2"}, "tags": []},
        begunAt="2026-11-25T09:00:00.000000Z",
        endedAt="2026-11-25T09:00:00.400000Z",
        batch=BATCH,
    ),
    deployment("req-00", "search", verdict="TIMED_OUT", cause="1 of 3 tasks run search:7"),
]

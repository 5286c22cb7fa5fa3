"""Valid input of every way in, drawn by a seed. `mutation` makes it invalid."""

import json
from typing import Any

from ecs_updater.model.strategy import COMPLETE, STAGES
from fakes.pipeline import archive, job_event
from fakes.simulated_ecs.simulation import CLUSTER, CONTAINER, SERVICE
from fakes.wire import CLUSTER_ARN, SERVICE_ARN

from ..push_run import EVENTS, WEB, push_event
from .mutation import Generator

KEY_ID, ROLE, SUBJECT = "a1b2c3", "arn:aws:iam::123456789012:role/deployer", "repo:acme/shop:main"
IDENTITY = {
    "apiKeyId": KEY_ID,
    "userArn": "arn:aws:sts::123456789012:assumed-role/deployer/session",
}
AUTHORIZER = {"sub": SUBJECT, "claims": json.dumps({"owner": "acme"})}
"""The caller's identity of every kind: the setting API_AUTH decides which one counts."""

IMAGES = ("app:2", "busybox", "busybox:1.36", "app:2@sha256:" + "a" * 64, "registry:5000/app:2")
_PARAMETER = "arn:aws:ssm:eu-west-1:123456789012:parameter/shop"
RECORDED = [json.loads(path.read_text("utf-8")) for path in sorted(EVENTS.glob("*.json"))]
"""Recorded events of EventBridge."""


def update(draw: Generator) -> dict[str, Any]:
    """An event that changes image and tags, settings, or both."""
    fields: dict[str, Any] = _names(draw)
    has_settings = draw.chance(0.35)
    if not has_settings or draw.chance(0.5):
        fields |= {"ecs_image_name": draw.pick(IMAGES), "ecs_tag": _tags(draw)}
    settings = {
        "ecs_environment": lambda: {"TOKEN": draw.secret(), "OLD": None},
        "ecs_secrets": lambda: {"KEY": _PARAMETER},
        "ecs_command": lambda: ["run", f"--password={draw.secret()}"],
        "ecs_cpu": 64,
        "ecs_memory": 256,
        "ecs_task_cpu": 512,
        "ecs_task_memory": 1024,
        "ecs_desired_count": lambda: draw.pick((0, 1, 3)),
        "ecs_deployment": {"minimumHealthyPercent": 50},
        "ecs_container_settings": lambda: {CONTAINER: {"ecs_command": [draw.secret()]}},
        "run_before": lambda: {"command": ["migrate", draw.secret()], "timeout_seconds": 60},
    }
    if draw.chance(0.05):
        return _names(draw) | {"ecs_task_definition": "ecs-dummy-task:1"} | _options(draw)
    return fields | draw.some(settings, 0.25 if has_settings else 0) | _options(draw)


def rollback(draw: Generator) -> dict[str, Any]:
    """An event that rolls back."""
    return {"action": "rollback", **_names(draw), **_waits(draw)}


def event(draw: Generator) -> dict[str, Any]:
    """An event of the contract."""
    return rollback(draw) if draw.chance(0.15) else update(draw)


def short(draw: Generator) -> dict[str, Any]:
    """The short form of an update."""
    names = {"cluster": CLUSTER, "service": SERVICE}
    return {**names, "image": "app", "tag": draw.pick(("2", "2", "1.36")), **_waits(draw)}


def body(draw: Generator, path: str, hook: str) -> Any:
    """The body of a POST to this path. `hook`: the hook that is awaited."""
    if path == "/rollback":
        return draw.pick((rollback(draw), {"cluster": CLUSTER, "service": SERVICE}))
    if path == "/update":
        return draw.pick((update, short))(draw)
    return {"hookId": draw.pick((hook, hook, "ecs-pause-other"))}


def query(draw: Generator, path: str) -> dict[str, list[str]]:
    """The query of a GET of this path."""
    if path == "/list":
        known = {"images": ["1"], "launch_type": ["ALL"], "limit": ["5"], "target": ["home"]}
        return draw.some({**known, "team": ["a"], "next": ["e30"]})
    if path == "/deployments":
        known = {"cluster": [CLUSTER], "service": [draw.pick((SERVICE, SERVICE_ARN))]}
        return draw.some({**known, "limit": ["1"], "next": ["e30"]})
    return {}


def eventbridge(draw: Generator) -> Any:
    """What invokes the reconciler."""
    return draw.pick((*RECORDED, None, {}))


def push(draw: Generator, now: float) -> dict[str, Any]:
    """A push to Amazon ECR."""
    tag = draw.pick(("1.4.2", "1.4.10", "2.0.0", "v1.5", "main", "1.4.2-rc.1", None))
    return push_event(tag, now, repository=draw.pick(("shop/web", "shop/web", "other")))


def policy(draw: Generator) -> dict[str, str]:
    """Tags of a service with a policy."""
    texts = ("semver:1.4.x", "semver:2.x", "prefix:1.4.", "digest:main", "semver:>=1", "x")
    return {"team": "a", "ecs-updater:policy": draw.pick(texts)}


def message(draw: Generator, text: str, now: float) -> dict[str, Any]:
    """A message of a FIFO queue with this body, as Lambda hands it over."""
    id_ = f"{draw.random.getrandbits(64):016x}"
    return {
        "messageId": id_,
        "receiptHandle": f"receipt-{id_}",
        "body": text,
        "attributes": {
            "ApproximateReceiveCount": str(draw.pick((1, 1, 2, 20))),
            "ApproximateFirstReceiveTimestamp": str(int(now * 1000)),
            "MessageGroupId": draw.pick((SERVICE, "another")),
            "MessageDeduplicationId": id_,
            "SenderId": "AIDAEXAMPLE",
        },
        "messageAttributes": draw.some({"batch": {"stringValue": "b", "dataType": "String"}}),
        "eventSource": "aws:sqs",
    }


def job(draw: Generator, text: str) -> dict[str, Any]:
    """A job of CodePipeline with these UserParameters, whose credentials are secrets."""
    id_ = f"11111111-abcd-1111-abcd-{draw.random.getrandbits(48):012x}"
    found = job_event(text, id_, token=id_ if draw.chance(0.1) else None)
    data = found["CodePipeline.job"]["data"]
    data["artifactCredentials"] = {
        name: draw.secret() for name in ("accessKeyId", "secretAccessKey", "sessionToken")
    }
    return found


def parameters(draw: Generator) -> dict[str, Any]:
    """UserParameters of a job: an event, or one whose image is in the artifact."""
    fields = _without(event(draw), "request_id", "wait_seconds", "wait_until")
    if draw.chance(0.5):
        return fields
    artifact_of_build = {"artifact": "BuildArtifact", "file": "imagedefinitions.json"}
    return _without(fields, "ecs_image_name") | artifact_of_build


def artifact(draw: Generator) -> bytes:
    """A zip file with image definitions, in some cases damaged."""
    definitions = [{"name": CONTAINER, "imageUri": draw.pick(IMAGES)}]
    content = draw.written(draw.mutated(definitions, 1)).encode("utf-8", "surrogatepass")
    packed = bytearray(archive(("imagedefinitions.json", content)))
    for _ in range(draw.pick((0, 0, 0, 1, 3))):
        packed[draw.random.randrange(len(packed))] = draw.random.randrange(256)
    return bytes(packed[: draw.pick((None, None, None, len(packed) // 2))])


def manifest(draw: Generator) -> Any:
    """A file of deployments."""
    entries = [
        _without(event(draw), "request_id", "wait_seconds", "wait_until", "dry_run")
        | {"ecs_service_name": f"{SERVICE}{number or ''}"}
        | draw.some({"group": "edge"})
        for number in range(draw.pick((1, 1, 1, 2, 3)))
    ]
    if draw.chance(0.6):
        return entries
    return {"defaults": {"ecs_cluster_name": CLUSTER}, "deployments": entries}


def words(draw: Generator) -> list[str]:
    """A command line that starts no update."""
    service = [CLUSTER, SERVICE]
    changes = {"--count": "2", "--cpu": "64", "--force": "", "--container": CONTAINER}
    pairs = {"--tag": "a=b", "--env": f"TOKEN={draw.secret()}", "--secret": f"KEY={_PARAMETER}"}
    options = [word for pair in draw.some({**changes, **pairs}).items() for word in pair if word]
    file = ["-f", "deployments.json"]
    return draw.pick(
        (
            ["validate", *file[1:]],
            ["validate", *file[1:]],
            ["deploy", "--dry-run", *file],
            ["sync", "--check", "--direct", *file],
            ["update", *service, draw.pick(IMAGES), *options, "--dry-run"],
            ["rollback", *service, "--dry-run", "--json"],
            ["diff", *service, "1"],
            ["status", SERVICE, "--cluster", CLUSTER],
            ["status", "--tag", "team=a", "--json"],
            ["history", "--cluster", CLUSTER, "--service", SERVICE],
            ["export", "--cluster", CLUSTER],
            ["approve", *service, "hook"],
            ["run", *service, "--timeout", "5", "--", "sh", "-c", draw.secret()],
            ["stop", "b"],
        )
    )


def scopes(draw: Generator) -> tuple[str, tuple[str, ...] | None]:
    """Scopes of callers, and the repositories of which this caller may deploy images.

    None: they are not known, because the text was changed.
    """
    every = ["read", "update", "rollback", "approve"]
    own = {"services": [f"{CLUSTER}/{SERVICE}"], "images": ["docker.io/library/app:*"]}
    other = {"services": [f"Other/{SERVICE}"], "images": ["*/*"]}
    grant, repositories = draw.pick(
        (
            ({**own, "actions": every}, ("app",)),
            ({**own, "actions": every}, ("app",)),
            ({**other, "actions": every}, ()),
            ({"actions": ["read"]}, ()),
        )
    )
    names = {"api_key": KEY_ID}, {"role": ROLE}, {"sub": "repo:acme/*", "claims": {"owner": "acme"}}
    document = {"callers": [name | grant for name in names]} | draw.some(
        {"default": {"actions": []}}
    )
    if draw.chance(0.75):
        return json.dumps(document), repositories
    return draw.written(draw.mutated(document)), None


def _names(draw: Generator) -> dict[str, Any]:
    return {
        "ecs_cluster_name": draw.pick((CLUSTER, CLUSTER, CLUSTER_ARN)),
        "ecs_service_name": draw.pick((SERVICE, SERVICE, SERVICE_ARN)),
    }


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _tags(draw: Generator) -> dict[str, str]:
    return draw.pick(({}, {"release": "2"}, {"a": "", "b/c": "d e"}))


def _waits(draw: Generator) -> dict[str, Any]:
    waits = {
        "wait_seconds": lambda: draw.pick((0, 5, 60, 840)),
        "wait_until": lambda: draw.pick((COMPLETE, *STAGES)),
        "dry_run": True,
    }
    return draw.some(waits)


def _options(draw: Generator) -> dict[str, Any]:
    options = {
        "action": "update",
        "ecs_container_name": CONTAINER,
        "ecs_tag_mode": lambda: draw.pick(("replace", "merge")),
        "force_new_deployment": True,
        "rollback_on_failure": True,
        "request_id": lambda: draw.pick(("update-1", "r-1", "x" * 128)),
    }
    return draw.some(options) | _waits(draw)


WEB_IMAGE = f"{WEB}:1.4.1"
"""Image of a service with a policy."""

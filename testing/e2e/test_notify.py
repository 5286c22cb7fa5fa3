"""A real verdict reaches a local webhook: function, ledger, reconciler, bus, rule and destinations.

The emulator's CloudFormation refuses connections, so Terraform makes the posts. The template is
compared with what is there.
"""

import json
import shutil
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft4Validator

from support.cloudformation import TEMPLATES, Stack
from support.inventory import inventory
from support.make import Workspace, until
from support.proxy import Answer, Proxy, Request

pytestmark = [
    pytest.mark.skipif(not shutil.which("make"), reason="make is not installed"),
    pytest.mark.usefixtures("terraform"),
]

SCHEMA = Draft4Validator(
    json.loads(resources.files("ecs_updater").joinpath("schemas/verdict-event.json").read_text())
)
UPDATE = {
    "ecs_cluster_name": "shop",
    "ecs_service_name": "web",
    "ecs_image_name": "nginx",
    "ecs_tag": {"release": "2"},
    "request_id": 'a "request" \\ of <!channel>',
    "wait_seconds": 60,
}
SETTINGS = {
    "STACK_NAME": "notified",
    "LAMBDA_FUNCTION_NAME": "notified",
    "CLUSTER_NAME": "shop",
    "SERVICE_NAME": "web",
    "SLACK_WEBHOOK": "true",
    "TEAMS_WEBHOOK": "true",
    "NOTIFY_VERDICTS": "SUCCEEDED,FAILED",
    "NOTIFY_CLUSTER": "sh*",
}


class Webhooks(Proxy):
    """Takes every post, and keeps the body of each by its path."""

    def __init__(self) -> None:
        super().__init__()
        self.posts: list[tuple[str, Any]] = []

    def before(self, request: Request) -> Answer:
        assert request.headers["X-Sent-By"] == "ecs-updater"
        self.posts.append((request.path, json.loads(request.body)))
        return Answer(200, [("Content-Type", "text/plain")], b"ok")


def queue_of(here: Workspace, name: str) -> tuple[str, str]:
    """Makes a queue. Returns its URL and its ARN."""
    sqs = here.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, f"arn:aws:sqs:eu-west-1:000000000000:{name}"


def received(here: Workspace, url: str, number: int) -> list[dict[str, Any]]:
    """Returns the first messages of a queue."""
    found: list[dict[str, Any]] = []

    def has_all() -> bool:
        answer = here.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        found.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
        return len(found) >= number

    until(has_all, f"{number} messages", pause=0.5)
    return found


def update(here: Workspace, event: dict[str, Any]) -> str:
    """Runs one update. Returns its verdict."""
    answer = here.client("lambda").invoke(FunctionName="notified", Payload=json.dumps(event))
    response = json.loads(answer["Payload"].read())
    assert "body" in response, response
    return str(response["body"]["deployment"]["verdict"])


def test_a_verdict_reaches_webhooks_bus_and_topic_and_others_are_filtered(workspace, package):
    here = workspace("notify")
    here.make("emulator-up").succeeded()
    before = inventory(here.endpoint)
    with Webhooks().serving() as webhooks:
        addresses = {f"{name}_webhook_url": f"{webhooks.url}/{name}" for name in ("slack", "teams")}
        secret = here.client("secretsmanager").create_secret(
            Name="webhooks", SecretString=json.dumps(addresses)
        )["ARN"]
        topic = here.client("sns").create_topic(Name="verdicts")["TopicArn"]
        messages, events = (queue_of(here, name) for name in ("messages", "events"))
        here.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=messages[1])
        bus = here.client("events")
        bus.put_rule(Name="all", EventPattern=json.dumps({"source": ["ecs-updater"]}))
        bus.put_targets(Rule="all", Targets=[{"Id": "all", "Arn": events[1]}])

        settings = SETTINGS | {"WEBHOOK_SECRET_ARN": secret, "NOTIFY_TOPIC_ARN": topic}
        here.bring(package)
        steps = ("deploy-ecs-cluster-tf", "deploy-ecs-service", "deploy-notify-aws-tf")
        here.make(*steps, **settings).succeeded()
        compare_with_the_template(here, secret)

        assert update(here, UPDATE) == "SUCCEEDED"
        until(lambda: len(webhooks.posts) == 2, "the posts", pause=0.5)
        again = UPDATE | {"request_id": "again"}
        assert update(here, again) == "NO_CHANGE"

        sent = received(here, events[0], 2)
        check_events(sent)
        check_posts(webhooks.posts, sent[0]["detail"])
        check_message(received(here, messages[0], 2)[0], sent[0]["detail"])
    # A killed run leaves resources that are in no state.
    shutil.rmtree(here.build / "terraform-local")
    here.make("clean", environment={"KEEP_EMULATOR": "yes"}, **settings).succeeded()
    left = {f"sqs queues {here.endpoint}/000000000000/{name}" for name in ("messages", "events")}
    left |= {"events rules all", f"events target all {events[1]}"}
    assert inventory(here.endpoint) - before == left
    here.make("clean", **settings).succeeded()
    assert not here.left()


def check_events(sent: list[dict[str, Any]]) -> None:
    """The bus has both verdicts, with what the update changed."""
    assert [event["detail"]["verdict"] for event in sent] == ["SUCCEEDED", "NO_CHANGE"]
    for event in sent:
        SCHEMA.validate(event["detail"])
        assert (event["source"], event["detail-type"]) == ("ecs-updater", "ECS Update Verdict")
        assert event["resources"] == [event["detail"]["serviceArn"]]
    succeeded = sent[0]["detail"]
    assert succeeded["requestId"] == UPDATE["request_id"] and succeeded["changed"] is True
    assert list(succeeded["image"]["after"].values()) == ["nginx"]


def check_posts(posts: list[tuple[str, Any]], detail: dict[str, Any]) -> None:
    """Slack and Teams have one post each: the other verdict is not posted."""
    assert sorted(path for path, _ in posts) == ["/slack", "/teams"]
    by_path, text = dict(posts), "SUCCEEDED: web in shop"
    section = {"type": "section", "text": {"type": "plain_text", "text": detail["summary"]}}
    assert by_path["/slack"] == {"text": text, "blocks": [section]}
    (card,) = by_path["/teams"]["attachments"]
    runs = [block["inlines"][0]["text"] for block in card["content"]["body"]]
    assert runs == [text, detail["summary"]]


def check_message(notice: dict[str, Any], detail: dict[str, Any]) -> None:
    """The topic has the verdict for readers and for filters."""
    assert notice["Subject"] == "SUCCEEDED: update of web in shop"
    assert f"Event id: {detail['id']}" in notice["Message"]
    attributes = {name: value["Value"] for name, value in notice["MessageAttributes"].items()}
    assert attributes == {"verdict": "SUCCEEDED", "cluster": "shop"}


def compare_with_the_template(here: Workspace, secret: str) -> None:
    """The resources of Terraform have the properties that the template declares."""
    given = {
        "FunctionName": "notified",
        "NotifyVerdicts": SETTINGS["NOTIFY_VERDICTS"],
        "NotifyClusterName": SETTINGS["NOTIFY_CLUSTER"],
        "SlackWebhook": "true",
        "TeamsWebhook": "true",
        "WebhookSecretArn": secret,
        "EndpointUrl": here.endpoint,
    }
    stack = Stack(TEMPLATES["06-notify.yml"], given)
    events, iam = here.client("events"), here.client("iam")
    (rule,) = stack.of_type("AWS::Events::Rule")
    found = events.describe_rule(Name="notified-notify")
    assert json.loads(found["EventPattern"]) == rule["EventPattern"]
    assert {name: found[name] for name in ("Name", "Description", "EventBusName", "State")} == {
        name: rule[name] for name in ("Name", "Description", "EventBusName", "State")
    }
    targets = events.list_targets_by_rule(Rule="notified-notify")["Targets"]
    wanted = {target["Id"]: target for target in rule["Targets"]}
    assert {target["Id"] for target in targets} == wanted.keys()
    for target in targets:
        for name in ("RoleArn", "InputTransformer", "DeadLetterConfig", "RetryPolicy"):
            assert target[name] == wanted[target["Id"]][name], name
    for destination in stack.of_type("AWS::Events::ApiDestination"):
        found = events.describe_api_destination(Name=destination["Name"])
        for name in ("Description", "HttpMethod", "InvocationRateLimitPerSecond"):
            assert found[name] == destination[name], name
    (connection,) = stack.of_type("AWS::Events::Connection")
    found = events.describe_connection(Name=connection["Name"])
    assert found["Description"] == connection["Description"]
    key = found["AuthParameters"]["ApiKeyAuthParameters"]
    assert key["ApiKeyName"] == "X-Sent-By" and found["AuthorizationType"] == "API_KEY"
    (role,) = stack.of_type("AWS::IAM::Role")
    given = iam.get_role_policy(RoleName=role["RoleName"], PolicyName="ecs-updater-notify")
    assert [given["PolicyDocument"]] == [part["PolicyDocument"] for part in role["Policies"]]
    trust = iam.get_role(RoleName=role["RoleName"])["Role"]["AssumeRolePolicyDocument"]
    assert trust == role["AssumeRolePolicyDocument"]

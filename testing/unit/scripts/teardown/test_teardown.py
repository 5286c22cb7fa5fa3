"""What of the teardown an emulator does not show: AWS takes its time, answers in pages, and refuses
what is still in use.
"""

from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import ANY

from fakes.laid_out import ACCOUNT, OURS
from teardown import command, kinds, network, orphans, stacks, waiting, workload

ARN = f"arn:aws:ecs:eu-west-1:{ACCOUNT}"
BUCKET = f"mine-artifacts-{ACCOUNT}-eu-west-1"
STACK_ID = f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/mine-ecs/1"


# The steps


@pytest.mark.parametrize("breaks", ["workload", "infrastructure"])
def test_where_one_step_breaks_off_the_other_has_its_turn_and_it_is_said(
    project, monkeypatch, capsys, breaks
):
    done = []

    def step(verb: str) -> Any:
        def run(*_: Any) -> None:
            done.append(verb)
            if verb == breaks:
                raise EndpointConnectionError(endpoint_url="there")

        return run

    names = [f"--{name}=x" for name in ("stack-name", "cluster", "service", "family", "function")]
    monkeypatch.setattr("sys.argv", ["teardown", *command.STEPS, *names])
    monkeypatch.setattr(command, "STEPS", {verb: step(verb) for verb in command.STEPS})
    monkeypatch.setattr(command, "Project", lambda name: project)

    assert command.main() == 1
    assert done == ["workload", "infrastructure"]
    sentence = (
        "removing stopped, make clean goes on from here: Could not connect to the "
        'endpoint URL: "there"'
    )
    assert capsys.readouterr().err == f"✗ {sentence}\n"


# Waiting


def test_a_call_is_made_again_while_the_thing_is_in_use(account, clock):
    for _ in range(3):
        account.refuses("ec2", "delete_vpc", "DependencyViolation")
    account.answers("ec2", "delete_vpc", {}, VpcId="vpc-1")

    waiting.persist(lambda: account.client("ec2").delete_vpc(VpcId="vpc-1"))

    assert clock.now == pytest.approx(0.1 + 0.2 + 0.4)


def test_the_pauses_grow_to_their_bound_and_the_time_ends(clock):
    pauses = []

    def done() -> bool:
        pauses.append(clock.now)
        return False

    assert not waiting.until(done, 60)
    assert max(later - earlier for earlier, later in pairwise(pauses)) == pytest.approx(5)
    assert 60 < clock.now <= 65


# The workload


def service_is(account, status: str) -> None:
    """Lays out an answer about the service."""
    account.answers(
        "ecs", "describe_services", {"services": [{"status": status}]}, cluster="c", services=["s"]
    )


def tasks_are(account, *statuses: str) -> None:
    """Lays out the answers about the tasks of the cluster: those that shall run, and those that
    shall stop.
    """
    account.answers("ecs", "list_tasks", {"taskArns": []}, cluster="c", desiredStatus="RUNNING")
    account.answers(
        "ecs", "list_tasks", {"taskArns": [f"{ARN}:task/c/1"]}, cluster="c", desiredStatus="STOPPED"
    )
    tasks = [
        {"taskArn": f"{ARN}:task/c/1", "group": "service:s", "lastStatus": status}
        for status in statuses
    ]
    tasks.append({"taskArn": f"{ARN}:task/c/2", "group": "service:other", "lastStatus": "RUNNING"})
    account.answers("ecs", "describe_tasks", {"tasks": tasks}, cluster="c", tasks=ANY)


def cluster_is_ours(account) -> None:
    """Lays out an answer about the cluster."""
    cluster = {"status": "ACTIVE", "tags": [{"key": "ecs-updater", "value": "mine"}]}
    account.answers(
        "ecs", "describe_clusters", {"clusters": [cluster]}, clusters=["c"], include=["TAGS"]
    )


def test_a_service_is_gone_when_it_has_drained_and_its_tasks_have_stopped(account, project):
    service_is(account, "ACTIVE")
    cluster_is_ours(account)
    account.answers("ecs", "delete_service", {}, cluster="c", service="s", force=True)
    for status in ("DRAINING", "DRAINING", "INACTIVE"):
        service_is(account, status)
    tasks_are(account, "DEPROVISIONING")
    tasks_are(account, "STOPPED")

    workload.remove_service(project, "c", "s")

    assert not project.something_is_left


def test_after_a_break_the_tasks_of_a_service_that_is_gone_are_waited_for(account, project):
    service_is(account, "INACTIVE")
    cluster_is_ours(account)
    tasks_are(account, "STOPPING")
    tasks_are(account, "STOPPED")

    workload.remove_service(project, "c", "s")

    assert not project.something_is_left


def test_a_service_that_does_not_drain_is_named(account, project, capsys, monkeypatch):
    monkeypatch.setattr(workload, "DRAIN_SECONDS", 0.05)
    service_is(account, "DRAINING")
    cluster_is_ours(account)
    account.answers("ecs", "delete_service", {})
    for _ in range(2):
        service_is(account, "DRAINING")

    workload.remove_service(project, "c", "s")

    assert project.something_is_left
    assert (
        "✗ service s could not be removed, make clean tries again: it still "
        "drains after 0.05 seconds"
    ) in capsys.readouterr().err


def test_revisions_that_ecs_does_not_know_to_be_deregistered_yet_are_deleted_later(account):
    arns = [f"{ARN}:task-definition/f:{number}" for number in (1, 2)]
    failure = {"arn": arns[1], "reason": "The specified task definition is still in ACTIVE status."}
    account.answers("ecs", "delete_task_definitions", {"failures": [failure]}, taskDefinitions=arns)
    account.answers("ecs", "delete_task_definitions", {"failures": []}, taskDefinitions=arns[1:])

    workload.delete_revisions(account.client("ecs"), arns)


# The stacks


def stack_is(account, status: str) -> None:
    """Lays out an answer about the stack."""
    stack = {
        "StackName": "mine-ecs",
        "StackId": STACK_ID,
        "StackStatus": status,
        "CreationTime": 0,
        "Tags": OURS,
    }
    account.answers("cloudformation", "describe_stacks", {"Stacks": [stack]})


def test_a_stack_in_an_update_is_deleted_when_that_has_ended(account, project):
    for status in (
        "UPDATE_IN_PROGRESS",
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE",
    ):
        stack_is(account, status)
    account.answers("cloudformation", "delete_stack", {}, StackName=STACK_ID)
    for status in ("DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", *["DELETE_COMPLETE"] * 3):
        stack_is(account, status)

    stacks.remove_stack(project, "mine-ecs")

    assert not project.something_is_left


@pytest.mark.parametrize("tags, is_ours", [(OURS, True), ([], False)])
def test_a_stack_that_is_only_announced_is_ours_when_its_change_set_is(
    tags, is_ours, account, project
):
    account.answers(
        "cloudformation",
        "list_change_sets",
        {"Summaries": [{"ChangeSetId": "change"}]},
        StackName=STACK_ID,
    )
    account.answers("cloudformation", "describe_change_set", {"Tags": tags}, ChangeSetName="change")
    found = {"StackId": STACK_ID, "StackStatus": "REVIEW_IN_PROGRESS", "Tags": []}

    assert stacks.is_our_stack(project, found) is is_ours


def test_of_a_failed_deletion_only_the_last_try_is_told(account, project):
    def event(name: str, status: str, reason: str = "", physical: str = "some") -> dict[str, Any]:
        ids = {"StackId": STACK_ID, "EventId": "1", "StackName": "mine-ecs", "Timestamp": 0}
        return ids | {
            "LogicalResourceId": name,
            "PhysicalResourceId": physical,
            "ResourceStatus": status,
            "ResourceStatusReason": reason,
        }

    begun = event("mine-ecs", "DELETE_IN_PROGRESS", physical=STACK_ID)
    failed = event("mine-ecs", "DELETE_FAILED", "some resources would not", STACK_ID)
    first_page = [failed, event("Vpc", "DELETE_FAILED", "has dependencies")]
    second_page = [
        event("Subnet", "DELETE_FAILED", "in use"),
        begun,
        failed,
        event("Old", "DELETE_FAILED", "long ago"),
        begun,
    ]
    account.answers(
        "cloudformation", "describe_stack_events", {"StackEvents": first_page, "NextToken": "more"}
    )
    account.answers("cloudformation", "describe_stack_events", {"StackEvents": second_page})

    assert stacks.failed_deletions(project, STACK_ID) == "Subnet: in use; Vpc: has dependencies"


# What no stack knows of


def test_a_queue_that_sqs_still_lists_although_it_is_gone_is_no_queue(account, project):
    account.answers("sqs", "get_queue_url", {"QueueUrl": "https://sqs/q"}, QueueName="q")
    account.refuses("sqs", "list_queue_tags", "AWS.SimpleQueueService.NonExistentQueue")

    kinds.remove(project, "queue", "q")

    assert not project.something_is_left


def test_an_auto_scaling_group_is_gone_when_its_instances_have_ended(account, project):
    group = {
        "AutoScalingGroupName": "g",
        "MinSize": 1,
        "MaxSize": 1,
        "DesiredCapacity": 1,
        "DefaultCooldown": 0,
        "AvailabilityZones": [],
        "HealthCheckType": "EC2",
        "CreatedTime": 0,
        "Tags": OURS,
        "Instances": [
            {
                "InstanceId": "i-1",
                "AvailabilityZone": "a",
                "LifecycleState": "InService",
                "HealthStatus": "Healthy",
                "ProtectedFromScaleIn": False,
            }
        ],
    }
    for _ in range(2):
        account.answers(
            "autoscaling", "describe_auto_scaling_groups", {"AutoScalingGroups": [group]}
        )
    account.refuses("autoscaling", "delete_auto_scaling_group", "ScalingActivityInProgress")
    account.answers(
        "autoscaling", "delete_auto_scaling_group", {}, AutoScalingGroupName="g", ForceDelete=True
    )
    account.answers("autoscaling", "describe_auto_scaling_groups", {"AutoScalingGroups": []})
    for state in ("shutting-down", "terminated"):
        reservations = [{"Instances": [{"InstanceId": "i-1", "State": {"Name": state}}]}]
        account.answers(
            "ec2", "describe_instances", {"Reservations": reservations}, InstanceIds=["i-1"]
        )

    kinds.remove(project, "Auto Scaling group", "g")

    assert not project.something_is_left


def test_a_cluster_lets_go_of_its_instances_first(account, project):
    instance = f"{ARN}:container-instance/c/1"
    cluster_is_ours(account)
    account.answers(
        "ecs",
        "describe_clusters",
        {"clusters": [{"registeredContainerInstancesCount": 1}]},
        clusters=["c"],
    )
    account.answers(
        "ecs", "list_container_instances", {"containerInstanceArns": [instance]}, cluster="c"
    )
    account.answers(
        "ecs",
        "deregister_container_instance",
        {},
        cluster="c",
        containerInstance=instance,
        force=True,
    )
    account.refuses("ecs", "delete_cluster", "ClusterContainsTasksException")
    account.answers("ecs", "delete_cluster", {}, cluster="c")

    kinds.remove(project, "cluster", "c")

    assert not project.something_is_left


def test_what_an_account_may_not_do_is_one_sentence_and_the_next_thing_has_its_turn(
    account, project, capsys
):
    account.refuses("iam", "get_role", "AccessDenied", "You may\nnot.")
    account.answers("sqs", "get_queue_url", {"QueueUrl": "https://sqs/q"})
    account.answers("sqs", "list_queue_tags", {"Tags": {"ecs-updater": "mine"}})
    account.answers("sqs", "get_queue_url", {"QueueUrl": "https://sqs/q"})
    account.answers("sqs", "delete_queue", {})

    kinds.remove(project, "role", "r")
    kinds.remove(project, "queue", "q")

    refused = "An error occurred (AccessDenied) when calling the GetRole operation: You may not."
    assert capsys.readouterr().err.splitlines() == [
        f"✗ role r could not be removed, make clean tries again: {refused}",
        "• removing queue q",
    ]
    assert project.something_is_left


def test_the_parts_of_a_network_are_removed_in_rounds_until_aws_lets_all_go(account, project):
    subnet = network.Part(network.INSIDE[0], "subnet-1", {"SubnetId": "subnet-1"})
    vpc = network.Part(network.VPC, "vpc-1", {"VpcId": "vpc-1"})
    account.refuses("ec2", "delete_subnet", "DependencyViolation")
    account.refuses("ec2", "delete_vpc", "DependencyViolation")
    account.answers("ec2", "delete_subnet", {}, SubnetId="subnet-1")
    account.answers("ec2", "delete_vpc", {}, VpcId="vpc-1")

    network.remove(project, [subnet, vpc])


# The API


def log_role_is(account, role: str, tags: list[dict[str, str]] | None) -> None:
    """Lays out the account's role for logs, and its tags where it is there; ``None`` is a role that
    is gone.
    """
    account.answers(
        "apigateway",
        "get_account",
        {"cloudwatchRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}"} if role else {},
    )
    if tags is None:
        account.refuses("iam", "get_role", "NoSuchEntity")
    elif role == "f-api-logs-eu-west-1":
        account.answers("iam", "get_role", {"Role": ROLE | {"Tags": tags}}, RoleName=role)


ROLE = {
    "Path": "/",
    "RoleName": "f-api-logs-eu-west-1",
    "RoleId": "AROA0000000000000000",
    "CreateDate": 0,
    "Arn": f"arn:aws:iam::{ACCOUNT}:role/f-api-logs-eu-west-1",
}


def apis_are(
    account, rest: dict[str, Any] | None = None, websocket: dict[str, Any] | None = None
) -> None:
    """Lays out the APIs of the account, each with a stage: ours, those of others, and an HTTP API,
    which needs no role.
    """
    ours = {"id": "a0", "name": "f-api", "tags": {"ecs-updater": "mine"}}
    account.answers(
        "apigateway", "get_rest_apis", {"items": [ours, {"id": "a1", "name": "theirs"}]}, limit=500
    )
    account.answers(
        "apigateway",
        "get_stages",
        {"item": [{"stageName": "live", **(rest or {})}]},
        restApiId="a1",
    )
    protocols = ("http", "websocket")
    v2 = [
        {"Name": name, "ApiId": name, "RouteSelectionExpression": "x", "ProtocolType": name.upper()}
        for name in protocols
    ]
    account.answers("apigatewayv2", "get_apis", {"Items": v2})
    account.answers(
        "apigatewayv2",
        "get_stages",
        {"Items": [{"StageName": "s", **(websocket or {})}]},
        ApiId="websocket",
    )


@pytest.mark.parametrize(
    "role, tags, is_reset",
    [
        ("f-api-logs-eu-west-1", OURS, True),
        ("f-api-logs-eu-west-1", None, True),  # Somebody has removed it, and has left the setting.
        ("f-api-logs-eu-west-1", [], False),
        ("f-api-logs-us-east-1", [], False),
        ("of-others", [], False),
        ("", [], False),
    ],
)
def test_the_accounts_role_for_logs_is_reset_when_it_is_ours_or_was(
    role, tags, is_reset, account, project
):
    log_role_is(account, role, tags)
    if tags and is_reset:
        apis_are(
            account,
            {"methodSettings": {"*/*": {"loggingLevel": "OFF"}}},
            {"DefaultRouteSettings": {"LoggingLevel": "OFF"}},
        )
    if is_reset:
        change = {"op": "replace", "path": "/cloudwatchRoleArn", "value": ""}
        account.answers("apigateway", "update_account", {}, patchOperations=[change])

    assert orphans.reset_log_role(project, "f-api-logs-eu-west-1")

    assert not project.something_is_left


_LOGS = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:theirs"


@pytest.mark.parametrize(
    "stages, which",
    [
        (
            {"rest": {"accessLogSettings": {"destinationArn": _LOGS}}},
            "REST API theirs (a1), stage live",
        ),
        (
            {"rest": {"methodSettings": {"*/*": {"loggingLevel": "ERROR"}}}},
            "REST API theirs (a1), stage live",
        ),
        (
            {"rest": {"methodSettings": {"a/GET": {}, "b/GET": {"loggingLevel": "INFO"}}}},
            "REST API theirs (a1), stage live",
        ),
        (
            {"websocket": {"AccessLogSettings": {"DestinationArn": _LOGS}}},
            "WebSocket API websocket (websocket), stage s",
        ),
        (
            {"websocket": {"DefaultRouteSettings": {"LoggingLevel": "INFO"}}},
            "WebSocket API websocket (websocket), stage s",
        ),
        (
            {"websocket": {"RouteSettings": {"r": {"LoggingLevel": "ERROR"}}}},
            "WebSocket API websocket (websocket), stage s",
        ),
    ],
)
def test_the_accounts_role_for_logs_stays_while_a_stage_of_others_needs_it(
    stages, which, account, project, capsys
):
    log_role_is(account, "f-api-logs-eu-west-1", OURS)
    apis_are(account, **stages)

    assert not orphans.reset_log_role(project, "f-api-logs-eu-west-1")

    assert not project.something_is_left
    said = (
        "• role f-api-logs-eu-west-1 stays in the settings of API Gateway, which writes the "
        f"logs of {which} with it"
    )
    assert capsys.readouterr().err.splitlines() == [said]


def test_the_accounts_role_for_logs_stays_where_nobody_can_say_who_needs_it(account, project):
    log_role_is(account, "f-api-logs-eu-west-1", OURS)
    account.refuses("apigateway", "get_rest_apis", "AccessDeniedException")
    account.client("apigatewayv2")

    assert not orphans.reset_log_role(project, "f-api-logs-eu-west-1")

    assert project.something_is_left


def test_the_accounts_role_for_logs_stays_when_its_stack_does(account, project):
    project.spare("f-api-logs-eu-west-1")
    account.client("apigateway")

    assert not orphans.reset_log_role(project, "f-api-logs-eu-west-1")


def test_a_usage_plan_lets_go_of_its_stages_and_waits_for_a_change_that_is_still_made(
    account, project
):
    plan = {"id": "p1", "name": "f-api", "tags": {"ecs-updater": "mine"}}
    covered = [{"apiId": "a1", "stage": "v1"}, {"apiId": "a1", "stage": "v2"}]
    other = plan | {"id": "p0", "name": "f-api-2"}
    account.answers(
        "apigateway", "get_usage_plans", {"items": [other], "position": "more"}, limit=500
    )
    account.answers("apigateway", "get_usage_plans", {"items": [plan]}, limit=500, position="more")
    for _ in range(2):
        account.answers(
            "apigateway", "get_usage_plan", plan | {"apiStages": covered}, usagePlanId="p1"
        )
    account.refuses("apigateway", "update_usage_plan", "ConflictException")
    account.answers("apigateway", "get_usage_plan", plan | {"apiStages": covered}, usagePlanId="p1")
    for stage in ("a1:v1", "a1:v2"):
        change = {"op": "remove", "path": "/apiStages", "value": stage}
        account.answers(
            "apigateway", "update_usage_plan", {}, usagePlanId="p1", patchOperations=[change]
        )
    account.answers("apigateway", "delete_usage_plan", {}, usagePlanId="p1")

    kinds.remove(project, "usage plan", "f-api")

    assert not project.something_is_left


def test_an_api_that_has_gone_since_it_was_listed_is_no_api(account, project):
    account.answers(
        "apigateway",
        "get_rest_apis",
        {"items": [{"id": "a1", "name": "f-api"}, {"id": "a2"}]},
        limit=500,
    )
    account.refuses("apigateway", "get_rest_api", "NotFoundException")

    kinds.remove(project, "REST API", "f-api")

    assert not project.something_is_left


# The ledger


def test_a_rule_lets_go_of_its_targets_first_page_by_page(account, project):
    arn = f"arn:aws:events:eu-west-1:{ACCOUNT}:rule/r"
    account.answers("events", "describe_rule", {"Arn": arn}, Name="r")
    account.answers("events", "list_tags_for_resource", {"Tags": OURS}, ResourceARN=arn)
    for number, more in (("1", {"NextToken": "more"}), ("2", {})):
        account.answers(
            "events", "list_targets_by_rule", {"Targets": [{"Id": number, "Arn": arn}]} | more
        )
        account.answers("events", "remove_targets", {}, Rule="r", Ids=[number])
    account.answers("events", "delete_rule", {}, Name="r")

    kinds.remove(project, "rule", "r")

    assert not project.something_is_left


def table_is(account, status: str) -> None:
    """Lays out an answer about the table; one that is gone is not found."""
    if status:
        table = {"TableArn": f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/t", "TableStatus": status}
        account.answers("dynamodb", "describe_table", {"Table": table}, TableName="t")
    else:
        account.refuses("dynamodb", "describe_table", "ResourceNotFoundException")


def table_is_ours(account) -> None:
    """Lays out the table's tags, of which DynamoDB gives ten at a time."""
    others = [{"Key": f"k{number}", "Value": "v"} for number in range(10)]
    account.answers("dynamodb", "list_tags_of_resource", {"Tags": others, "NextToken": "more"})
    account.answers("dynamodb", "list_tags_of_resource", {"Tags": OURS})


def test_a_table_that_is_still_being_made_is_deleted_then_and_gone_when_dynamodb_has_forgotten_it(
    account, project
):
    table_is(account, "CREATING")
    table_is_ours(account)
    for _ in range(2):
        account.refuses("dynamodb", "delete_table", "ResourceInUseException")
    account.answers("dynamodb", "delete_table", {}, TableName="t")
    for status in ("DELETING", "DELETING", ""):
        table_is(account, status)

    kinds.remove(project, "table", "t")

    assert not project.something_is_left


def test_a_table_that_is_being_deleted_since_a_break_is_waited_for(account, project):
    table_is(account, "DELETING")
    table_is_ours(account)
    account.refuses("dynamodb", "delete_table", "ResourceInUseException")
    account.refuses("dynamodb", "delete_table", "ResourceNotFoundException")

    kinds.remove(project, "table", "t")

    assert not project.something_is_left


def test_a_table_that_is_protected_against_deletion_is_named_with_the_command_that_unlocks_it(
    account, project, capsys
):
    table_is(account, "ACTIVE")
    table_is_ours(account)
    account.refuses(
        "dynamodb",
        "delete_table",
        "ValidationException",
        "Resource cannot be deleted: it is protected.",
    )

    kinds.remove(project, "table", "t")

    said = capsys.readouterr().err
    assert "✗ table t could not be removed, make clean tries again: An error occurred" in said
    unlocking = (
        "aws dynamodb update-table --table-name t "
        "--no-deletion-protection-enabled --region eu-west-1"
    )
    assert said.endswith(f"This command unlocks it: {unlocking}\n")
    assert project.something_is_left


def test_a_table_that_another_name_of_the_function_left_is_found_by_its_tag(account, project):
    account.answers(
        "dynamodb",
        "list_tables",
        {"TableNames": ["f-ledger", "of-others"], "LastEvaluatedTableName": "of-others"},
    )
    account.answers(
        "dynamodb",
        "list_tables",
        {"TableNames": ["t-ledger", "u-ledger"]},
        ExclusiveStartTableName="of-others",
    )
    for name, tags in (("t-ledger", OURS), ("u-ledger", [])):
        arn = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/{name}"
        account.answers("dynamodb", "describe_table", {"Table": {"TableArn": arn}}, TableName=name)
        account.answers("dynamodb", "list_tags_of_resource", {"Tags": tags}, ResourceArn=arn)

    assert list(kinds.find(project, "earlier table", "f-ledger")) == [("t-ledger", "t-ledger")]


# The bucket


def test_an_object_that_may_not_go_is_named_with_the_bucket(account, project, capsys):
    account.answers(
        "s3", "get_bucket_tagging", {"TagSet": OURS}, Bucket=ANY, ExpectedBucketOwner=ACCOUNT
    )
    account.answers("s3", "list_object_versions", {"Versions": [{"Key": "k", "VersionId": "1"}]})
    account.answers(
        "s3",
        "delete_objects",
        {"Errors": [{"Key": "k", "Code": "AccessDenied", "Message": "It is locked."}]},
    )

    kinds.remove(project, "bucket", BUCKET)

    assert (
        f"✗ bucket {BUCKET} could not be removed, make clean tries again: k: It is locked."
        in capsys.readouterr().err
    )
    assert project.something_is_left


def test_a_bucket_into_which_something_came_meanwhile_is_emptied_again(account, project):
    account.answers("s3", "get_bucket_tagging", {"TagSet": OURS})
    for version, answers in (("1", "BucketNotEmpty"), ("2", "")):
        account.answers(
            "s3", "list_object_versions", {"DeleteMarkers": [{"Key": "k", "VersionId": version}]}
        )
        account.answers(
            "s3", "delete_objects", {}, Bucket=ANY, ExpectedBucketOwner=ACCOUNT, Delete=ANY
        )
        if answers:
            account.refuses("s3", "delete_bucket", answers)
    account.answers("s3", "delete_bucket", {})

    kinds.remove(project, "bucket", BUCKET)

    assert not project.something_is_left

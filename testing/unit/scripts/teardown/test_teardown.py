"""The teardown where AWS takes its time, answers in pages, and refuses what is still in use."""

from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import ANY

from fakes.laid_out import ACCOUNT, OURS
from teardown import aws, command, removal, workload

ARN = f"arn:aws:ecs:eu-west-1:{ACCOUNT}"
BUCKET = f"mine-artifacts-{ACCOUNT}-eu-west-1"
LOG_ROLE = "f-api-logs-eu-west-1"
MAPPINGS = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:event-source-mapping"
OURS_AS_MAPPING = {"ecs-updater": "mine"}
RULE = f"arn:aws:events:eu-west-1:{ACCOUNT}:rule/r"
SENDERS = f"arn:aws:iam::{ACCOUNT}:policy/f-fleet-sender-eu-west-1"
STACK_ID = f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/mine-ecs/1"
FIRST, OTHER = (f"a0000000-0000-0000-0000-00000000000{number}" for number in "12")


def test_where_one_step_breaks_off_the_other_has_its_turn_and_it_is_reported(
    project, monkeypatch, capsys
):
    def step(*_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="there")

    names = [f"--{name}=x" for name in ("stack-name", "cluster", "service", "family", "function")]
    monkeypatch.setattr("sys.argv", ["teardown", *command.STEPS, *names])
    monkeypatch.setattr(command, "STEPS", dict.fromkeys(command.STEPS, step))
    monkeypatch.setattr(command, "Project", lambda name: project)

    assert command.main() == 1
    sentence = (
        "✗ the removal stopped, make clean continues it: Could not connect to the "
        'endpoint URL: "there"\n'
    )
    assert capsys.readouterr().err == sentence * 2


def test_the_pauses_grow_to_their_bound_and_the_time_ends(clock):
    pauses = []

    def done() -> bool:
        pauses.append(clock.now)
        return False

    assert not aws.until(done, 60)
    assert max(later - earlier for earlier, later in pairwise(pauses)) == pytest.approx(5)
    assert 60 < sum(clock.slept) <= 65


# The workload


def service_is(status: str) -> tuple[Any, ...]:
    """An answer about the service."""
    requested = {"cluster": "c", "services": ["s"]}
    return "ecs", "describe_services", {"services": [{"status": status}]}, requested


def task(number: int, owner: str, status: str) -> dict[str, str]:
    """A task of the cluster."""
    return {"taskArn": f"{ARN}:task/c/{number}", "group": owner, "lastStatus": status}


def tasks_are(status: str) -> list[tuple[Any, ...]]:
    """The answers about the tasks of the family, in turn those that shall run and shall stop.

    One is a one-off task, one of our service, and one of the service of somebody else.
    """
    runs, stops = task(1, "family:f", status), task(2, "service:s", status)
    other = task(3, "service:other", "RUNNING")
    answers: list[tuple[Any, ...]] = []
    for desired, tasks in (("RUNNING", [runs, other]), ("STOPPED", [stops])):
        arns = [each["taskArn"] for each in tasks]
        listed = {"cluster": "c", "family": "f", "desiredStatus": desired}
        answers.append(("ecs", "list_tasks", {"taskArns": arns}, listed))
        requested = {"cluster": "c", "tasks": arns}
        answers.append(("ecs", "describe_tasks", {"tasks": tasks}, requested))
    return answers


def no_stack(name: str) -> tuple[Any, ...]:
    """The answer where a stack is missing."""
    message = f"Stack with id {name} does not exist"
    return "cloudformation", "describe_stacks", "ValidationError", message


CLUSTER_IS_OURS = (
    "ecs",
    "describe_clusters",
    {"clusters": [{"status": "ACTIVE", "tags": [{"key": "ecs-updater", "value": "mine"}]}]},
    {"clusters": ["c"], "include": ["TAGS"]},
)
DELETE_SERVICE = ("ecs", "delete_service", {}, {"cluster": "c", "service": "s", "force": True})


def test_a_service_is_waited_for_until_it_has_drained(account, project):
    statuses = map(service_is, ("DRAINING", "DRAINING", "INACTIVE"))
    account.lays_out(no_stack("mine-ecs"), service_is("ACTIVE"), CLUSTER_IS_OURS, DELETE_SERVICE)
    account.lays_out(*statuses)

    workload.remove_service(project, "c", "s")

    assert not project.something_is_left


def stopped(number: int) -> tuple[Any, ...]:
    """The answer when a task is stopped."""
    return "ecs", "stop_task", {}, {"cluster": "c", "task": f"{ARN}:task/c/{number}"}


def test_one_off_tasks_are_stopped_and_waited_for_and_those_of_other_services_are_not(
    account, project
):
    account.lays_out(no_stack("mine-ecs"), CLUSTER_IS_OURS)
    account.lays_out(*tasks_are("RUNNING"), stopped(1), stopped(2))
    account.lays_out(*tasks_are("DEPROVISIONING"), *tasks_are("STOPPED"))

    workload.stop_tasks(project, "c", "f", ["s"])

    assert not project.something_is_left


def test_a_service_that_does_not_drain_is_reported(account, project, capsys, monkeypatch):
    monkeypatch.setattr(workload, "DRAIN_SECONDS", 0.05)
    draining = service_is("DRAINING")
    account.lays_out(no_stack("mine-ecs"), draining, CLUSTER_IS_OURS, DELETE_SERVICE)
    account.lays_out(draining, draining)

    workload.remove_service(project, "c", "s")

    sentence = "service s could not be removed, run make clean again: it still drains after 0.05"
    assert sentence in capsys.readouterr().err


def test_revisions_that_ecs_does_not_know_to_be_deregistered_yet_are_deleted_later(
    account, project
):
    arns = [f"{ARN}:task-definition/f:{number}" for number in (1, 2)]
    failure = {"arn": arns[1], "reason": "The specified task definition is still in ACTIVE status."}
    for failures, left in (([failure], arns), ([], arns[1:])):
        answer, requested = {"failures": failures}, {"taskDefinitions": left}
        account.lays_out(("ecs", "delete_task_definitions", answer, requested))

    workload.delete_revisions(project, arns)


def policy(tags: list[dict[str, str]]) -> tuple[Any, ...]:
    """The answer about the senders' policy."""
    found = {"PolicyName": "f-fleet-sender-eu-west-1", "Arn": SENDERS, "Tags": tags}
    return "iam", "get_policy", {"Policy": found}, {"PolicyArn": SENDERS}


OF_POLICY = {"PolicyArn": SENDERS}
HELD_BY_ROLE = {"PolicyRoles": [{"RoleName": "pipeline"}], "IsTruncated": False}
RELEASED_POLICY = [
    *[("iam", "list_entities_for_policy", HELD_BY_ROLE, OF_POLICY)] * 3,
    ("iam", "detach_role_policy", {}, {**OF_POLICY, "RoleName": "pipeline"}),
    ("iam", "list_policy_versions", {"Versions": [], "IsTruncated": False}, OF_POLICY),
]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([policy(OURS), *RELEASED_POLICY], id="ours"),
        pytest.param([policy([])], id="of others"),
        pytest.param([("iam", "get_policy", "NoSuchEntity")], id="missing"),
    ],
)
def test_a_policy_is_detached_before_terraform_destroys_it_where_it_is_ours(
    account, project, steps
):
    account.lays_out(no_stack("mine-fleet"), *steps)

    workload.detach_senders(project, "f")

    assert not project.something_is_left


# The kinds of resources


def stack_is(status: str, is_tagged: bool = True) -> tuple[Any, ...]:
    """An answer about the stack."""
    tags = OURS if is_tagged else []
    stack = {"StackName": "mine-ecs", "StackId": STACK_ID, "StackStatus": status, "Tags": tags}
    return "cloudformation", "describe_stacks", {"Stacks": [{**stack, "CreationTime": 0}]}


def announced(tags: list[dict[str, str]]) -> list[tuple[Any, ...]]:
    """The answers about a stack without resources: those that its change set creates."""
    found = {"Summaries": [{"ChangeSetId": "change"}]}
    return [
        stack_is("REVIEW_IN_PROGRESS", is_tagged=False),
        ("cloudformation", "list_change_sets", found, {"StackName": STACK_ID}),
        ("cloudformation", "describe_change_set", {"Tags": tags}, {"ChangeSetName": "change"}),
    ]


def event(name: str, status: str, reason: str, physical: str = "some") -> dict[str, Any]:
    """An event of the stack."""
    found = {"LogicalResourceId": name, "PhysicalResourceId": physical, "ResourceStatus": status}
    ids = {"StackId": STACK_ID, "EventId": "1", "StackName": "mine-ecs", "Timestamp": 0}
    return {**ids, **found, "ResourceStatusReason": reason}


BEGUN = event("mine-ecs", "DELETE_IN_PROGRESS", "", STACK_ID)
FAILED = event("mine-ecs", "DELETE_FAILED", "some resources would not", STACK_ID)
EVENTS = [
    {
        "StackEvents": [FAILED, event("Vpc", "DELETE_FAILED", "has dependencies")],
        "NextToken": "more",
    },
    {
        "StackEvents": [
            *(event("Subnet", "DELETE_FAILED", "in use"), BEGUN),
            *(FAILED, event("Old", "DELETE_FAILED", "long ago"), BEGUN),
        ]
    },
]
DELETE_STACK = ("cloudformation", "delete_stack", {}, {"StackName": STACK_ID})
MEMBERS = ("cloudformation", "list_stack_resources", {"StackResourceSummaries": []})
NO_MEMBERS = ("cloudformation", "list_stack_resources", *no_stack("mine-ecs")[2:])


def mappings(tags: dict[str, dict[str, str]]) -> list[tuple[Any, ...]]:
    """The answers about mappings of the function ``f``, each on a page of its own."""
    found = [{"UUID": name, "EventSourceMappingArn": f"{MAPPINGS}:{name}"} for name in tags]
    pages = [{"EventSourceMappings": [each], "NextMarker": "more"} for each in found]
    del pages[-1]["NextMarker"]
    requested = [(tags[name], {"Resource": f"{MAPPINGS}:{name}"}) for name in tags]
    return [
        *[("lambda", "list_event_source_mappings", page) for page in pages],
        *[("lambda", "list_tags", {"Tags": answer}, resource) for answer, resource in requested],
    ]


def table(status: str) -> tuple[Any, ...]:
    """An answer about the table."""
    found = {"TableArn": f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/t", "TableStatus": status}
    return "dynamodb", "describe_table", {"Table": found}, {"TableName": "t"}


# DynamoDB answers with ten tags at a time.
TEN_TAGS = [{"Key": f"k{number}", "Value": "v"} for number in range(10)]
TABLE_IS_OURS = [
    ("dynamodb", "list_tags_of_resource", {"Tags": TEN_TAGS, "NextToken": "more"}),
    ("dynamodb", "list_tags_of_resource", {"Tags": OURS}),
]
NO_OTHER_TABLE = ("dynamodb", "list_tables", {"TableNames": ["of-others"]})
TABLE_IS_GONE = ("dynamodb", "describe_table", "ResourceNotFoundException")


def plans(found: dict[str, Any], **more: str) -> tuple[Any, ...]:
    """A page of usage plans."""
    requested = {"position": "more"} if not more else None
    return "apigateway", "get_usage_plans", {"items": [found], **more}, requested


PLAN = {"id": "p1", "name": "f-api", "tags": OURS_AS_MAPPING}
STAGES = {"apiStages": [{"apiId": "a1", "stage": "v1"}, {"apiId": "a1", "stage": "v2"}]}


def uncover(stage: str) -> tuple[Any, ...]:
    """The answer when a stage is taken out of the usage plan."""
    change = {"op": "remove", "path": "/apiStages", "value": stage}
    requested = {"usagePlanId": "p1", "patchOperations": [change]}
    return "apigateway", "update_usage_plan", {}, requested


GROUP = {
    "AutoScalingGroupName": "g",
    "MinSize": 1,
    "MaxSize": 1,
    "DesiredCapacity": 1,
    "DefaultCooldown": 0,
    "AvailabilityZones": [],
    "HealthCheckType": "EC2",
    "CreatedTime": 0,
    "Tags": OURS,
}


def group(*found: dict[str, Any]) -> tuple[Any, ...]:
    """An answer about the Auto Scaling group."""
    return "autoscaling", "describe_auto_scaling_groups", {"AutoScalingGroups": list(found)}


def instance(state: str) -> tuple[Any, ...]:
    """An answer about the group's instance."""
    found = [{"Instances": [{"InstanceId": "i-1", "State": {"Name": state}}]}]
    tag = {"Name": "tag:aws:autoscaling:groupName", "Values": ["g"]}
    return "ec2", "describe_instances", {"Reservations": found}, {"Filters": [tag]}


def bucket(key: str, delete_bucket: tuple[Any, ...], **answer: Any) -> list[tuple[Any, ...]]:
    """The answers when a version of an object is deleted, then the bucket."""
    requested = {"Bucket": BUCKET, "ExpectedBucketOwner": ACCOUNT}
    return [
        ("s3", "list_object_versions", {key: [{"Key": "k", "VersionId": "1"}]}, requested),
        ("s3", "delete_objects", answer, {**requested, "Delete": ANY}),
        *delete_bucket,
    ]


def log_role_is(name: str) -> tuple[Any, ...]:
    """The answer about the role in the account's settings."""
    found = {"cloudwatchRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{name}"} if name else {}
    return "apigateway", "get_account", found


def role(tags: list[dict[str, str]] | None) -> tuple[Any, ...]:
    """The answer about our role; with None it is missing."""
    answer = "NoSuchEntity" if tags is None else {"Role": {**ROLE, "Tags": tags}}
    return "iam", "get_role", answer


OF_ROLE = {"RoleName": LOG_ROLE}
ROLE = {
    "Path": "/",
    "RoleName": LOG_ROLE,
    "RoleId": "AROA0000000000000000",
    "Arn": f"arn:aws:iam::{ACCOUNT}:role/{LOG_ROLE}",
    "CreateDate": 0,
}
PROFILE = {
    "Path": "/",
    "InstanceProfileName": "profile",
    "InstanceProfileId": "AIPA0000000000000000",
    "Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/profile",
    "CreateDate": 0,
    "Roles": [ROLE],
    "Tags": OURS,
}
IN_PROFILE = {**OF_ROLE, "InstanceProfileName": "profile"}
LAST = {"IsTruncated": False}
BUCKET_IS_OURS = ("s3", "get_bucket_tagging", {"TagSet": OURS})
GROUP_IS_DELETED = {"AutoScalingGroupName": "g", "ForceDelete": True}
INSTANCE = f"{ARN}:container-instance/c/1"
LOCKED = {"Key": "k", "Code": "AccessDenied", "Message": "It is locked."}
OF_LEDGERS = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table"
TAG_OF_SUBNET = {"Filters": [{"Name": "tag:ecs-updater", "Values": ["mine"]}]}
VERSIONS = [
    {"VersionId": "v2", "IsDefaultVersion": True},
    {"VersionId": "v1", "IsDefaultVersion": False},
]
HOLDERS = [
    {
        "PolicyUsers": [{"UserName": "someone"}],
        "PolicyGroups": [{"GroupName": "some"}],
        "IsTruncated": True,
        "Marker": "more",
    },
    HELD_BY_ROLE,
]
LISTED_HOLDERS = [("iam", "list_entities_for_policy", page) for page in HOLDERS]
REMOVED = {
    "a stack in an update, when that has ended": (
        ("stack", "mine-ecs"),
        [
            *(stack_is("UPDATE_IN_PROGRESS"), stack_is("UPDATE_IN_PROGRESS")),
            *(stack_is("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), stack_is("UPDATE_COMPLETE")),
            *(DELETE_STACK, stack_is("DELETE_IN_PROGRESS"), stack_is("DELETE_IN_PROGRESS")),
            *(stack_is("DELETE_COMPLETE"), stack_is("DELETE_COMPLETE"), NO_MEMBERS),
        ],
    ),
    "a stack that is only announced, by its change set": (
        ("stack", "mine-ecs"),
        [
            *announced(OURS),
            *[stack_is("REVIEW_IN_PROGRESS")] * 2,
            DELETE_STACK,
            *[no_stack("mine-ecs")] * 3,
            NO_MEMBERS,
        ],
    ),
    "a queue that SQS still lists although it is gone": (
        ("queue", "q"),
        [
            ("sqs", "get_queue_url", {"QueueUrl": "https://sqs/q"}, {"QueueName": "q"}),
            ("sqs", "list_queue_tags", "AWS.SimpleQueueService.NonExistentQueue"),
        ],
    ),
    "an Auto Scaling group, when its instances have ended": (
        ("Auto Scaling group", "g"),
        [
            group(GROUP),
            ("autoscaling", "delete_auto_scaling_group", "ScalingActivityInProgress"),
            ("autoscaling", "delete_auto_scaling_group", {}, GROUP_IS_DELETED),
            *(group(GROUP), group(), instance("shutting-down"), group(), instance("terminated")),
        ],
    ),
    "a cluster, after its instances": (
        ("cluster", "c"),
        [
            CLUSTER_IS_OURS,
            *[
                (
                    "ecs",
                    "describe_clusters",
                    {"clusters": [{"registeredContainerInstancesCount": 1}]},
                ),
                ("ecs", "list_container_instances", {"containerInstanceArns": [INSTANCE]}),
                (
                    *("ecs", "deregister_container_instance", {}),
                    {"cluster": "c", "containerInstance": INSTANCE, "force": True},
                ),
                ("ecs", "delete_cluster", "ClusterContainsTasksException"),
            ],
            ("ecs", "describe_clusters", {"clusters": [{"registeredContainerInstancesCount": 0}]}),
            ("ecs", "delete_cluster", {}, {"cluster": "c"}),
        ],
    ),
    "a subnet, when AWS lets it go": (
        ("subnet", "mine"),
        [
            (
                "ec2",
                "describe_subnets",
                {"Subnets": [{"SubnetId": "s", "Tags": OURS}]},
                TAG_OF_SUBNET,
            ),
            *[("ec2", "delete_subnet", "DependencyViolation")] * 2,
            ("ec2", "delete_subnet", {}, {"SubnetId": "s"}),
        ],
    ),
    "a role, without its policies and out of its instance profiles": (
        ("role", LOG_ROLE),
        [
            log_role_is(""),
            role(OURS),
            ("iam", "list_instance_profiles_for_role", {"InstanceProfiles": [PROFILE], **LAST}),
            ("iam", "remove_role_from_instance_profile", {}, IN_PROFILE),
            ("iam", "list_attached_role_policies", {"AttachedPolicies": [OF_POLICY], **LAST}),
            ("iam", "detach_role_policy", {}, {**OF_ROLE, **OF_POLICY}),
            ("iam", "list_role_policies", {"PolicyNames": ["inline"], **LAST}),
            ("iam", "delete_role_policy", {}, {**OF_ROLE, "PolicyName": "inline"}),
            ("iam", "delete_role", {}, OF_ROLE),
        ],
    ),
    "an instance profile, without its role": (
        ("instance profile", "profile"),
        [
            *[("iam", "get_instance_profile", {"InstanceProfile": PROFILE})] * 2,
            ("iam", "remove_role_from_instance_profile", "NoSuchEntity"),  # Since a break.
            ("iam", "delete_instance_profile", {}, {"InstanceProfileName": "profile"}),
        ],
    ),
    "a usage plan, without its stages and after a change that is still made": (
        ("usage plan", "f-api"),
        [
            plans({**PLAN, "id": "p0", "name": "f-api-2"}, position="more"),
            plans(PLAN),
            ("apigateway", "get_usage_plan", {**PLAN, **STAGES}, {"usagePlanId": "p1"}),
            ("apigateway", "update_usage_plan", "ConflictException"),
            ("apigateway", "get_usage_plan", {**PLAN, **STAGES}, {"usagePlanId": "p1"}),
            *(uncover("a1:v1"), uncover("a1:v2")),
            ("apigateway", "delete_usage_plan", {}, {"usagePlanId": "p1"}),
        ],
    ),
    "a REST API that is gone since it was listed": (
        ("REST API", "f-api"),
        [
            ("apigateway", "get_rest_apis", {"items": [{**PLAN, "id": "a1"}, {"id": "a2"}]}),
            ("apigateway", "delete_rest_api", "NotFoundException"),
        ],
    ),
    "a rule, without its targets": (
        ("rule", "r"),
        [
            ("events", "describe_rule", {"Arn": RULE}, {"Name": "r"}),
            ("events", "list_tags_for_resource", {"Tags": OURS}, {"ResourceARN": RULE}),
            *[
                (
                    "events",
                    "list_targets_by_rule",
                    {"Targets": [{"Id": number, "Arn": RULE}], **more},
                )
                for number, more in (("1", {"NextToken": "more"}), ("2", {}))
            ],
            *[
                ("events", "remove_targets", {}, {"Rule": "r", "Ids": [number]})
                for number in ("1", "2")
            ],
            ("events", "delete_rule", {}, {"Name": "r"}),
        ],
    ),
    "a table that is still being created, when DynamoDB has forgotten it": (
        ("table", "t"),
        [
            table("CREATING"),
            *TABLE_IS_OURS,
            *[("dynamodb", "delete_table", "ResourceInUseException")] * 2,
            ("dynamodb", "delete_table", {}, {"TableName": "t"}),
            *(table("DELETING"), table("DELETING"), TABLE_IS_GONE, NO_OTHER_TABLE),
        ],
    ),
    "a table that is being deleted since a break": (
        ("table", "t"),
        [
            table("DELETING"),
            *TABLE_IS_OURS,
            ("dynamodb", "delete_table", "ResourceInUseException"),
            ("dynamodb", "delete_table", "ResourceNotFoundException"),
            NO_OTHER_TABLE,
        ],
    ),
    "a table that another name of the function left, by its tag": (
        ("table", "f-ledger"),
        [
            TABLE_IS_GONE,
            (
                *("dynamodb", "list_tables"),
                {"TableNames": ["f-ledger", "of-others"], "LastEvaluatedTableName": "of-others"},
            ),
            (
                *("dynamodb", "list_tables", {"TableNames": ["t-ledger", "u-ledger"]}),
                {"ExclusiveStartTableName": "of-others"},
            ),
            *[
                (
                    *("dynamodb", "list_tags_of_resource", {"Tags": tags}),
                    {"ResourceArn": f"{OF_LEDGERS}/{name}"},
                )
                for name, tags in (("t-ledger", OURS), ("u-ledger", []))
            ],
            ("dynamodb", "delete_table", {}, {"TableName": "t-ledger"}),
            TABLE_IS_GONE,
        ],
    ),
    "a bucket into which something came meanwhile": (
        ("bucket", BUCKET),
        [
            BUCKET_IS_OURS,
            *bucket("DeleteMarkers", [("s3", "delete_bucket", "BucketNotEmpty")]),
            *bucket("Versions", [("s3", "delete_bucket", {})]),
        ],
    ),
    "a mapping that is still being created, when it is gone": (
        ("mapping", "f"),
        [
            *mappings({FIRST: OURS_AS_MAPPING}),
            ("lambda", "delete_event_source_mapping", "ResourceInUseException"),
            ("lambda", "delete_event_source_mapping", {}, {"UUID": FIRST}),
            ("lambda", "get_event_source_mapping", {"State": "Deleting"}, {"UUID": FIRST}),
            ("lambda", "get_event_source_mapping", "ResourceNotFoundException"),
        ],
    ),
    "a dashboard, by the tags of an alarm": (
        ("dashboard", "f"),
        [
            ("cloudwatch", "get_dashboard", {"DashboardName": "f"}, {"DashboardName": "f"}),
            (
                *("cloudwatch", "list_tags_for_resource", {"Tags": OURS}),
                {"ResourceARN": f"arn:aws:cloudwatch:eu-west-1:{ACCOUNT}:alarm:f-failed-updates"},
            ),
            ("cloudwatch", "delete_dashboards", {}, {"DashboardNames": ["f"]}),
        ],
    ),
    "a connection, by the tags of its role": (
        ("connection", "f-notify"),
        [
            ("events", "describe_connection", {"Name": "f-notify"}, {"Name": "f-notify"}),
            role(OURS),
            ("events", "delete_connection", {}, {"Name": "f-notify"}),
        ],
    ),
    "the API destination that is there": (
        ("API destination", "f-notify"),
        [
            ("events", "describe_api_destination", "ResourceNotFoundException"),
            (
                *("events", "describe_api_destination", {"Name": "f-notify-teams"}),
                {"Name": "f-notify-teams"},
            ),
            role(OURS),
            ("events", "delete_api_destination", {}, {"Name": "f-notify-teams"}),
        ],
    ),
    "an alarm that is missing": (
        ("alarm", "a"),
        [
            ("cloudwatch", "describe_alarms", {"MetricAlarms": []}, {"AlarmNames": ["a"]}),
            ("cloudwatch", "describe_alarms", {"MetricAlarms": []}, {"AlarmNamePrefix": "a"}),
        ],
    ),
    "a policy, from all pages of its holders and with its versions": (
        ("policy", "f-fleet-sender-eu-west-1"),
        [
            policy(OURS),
            *LISTED_HOLDERS,
            ("iam", "detach_user_policy", {}, {**OF_POLICY, "UserName": "someone"}),
            *LISTED_HOLDERS,
            ("iam", "detach_group_policy", "NoSuchEntity"),  # Somebody was quicker.
            *LISTED_HOLDERS,
            ("iam", "detach_role_policy", {}, {**OF_POLICY, "RoleName": "pipeline"}),
            ("iam", "list_policy_versions", {"Versions": VERSIONS, "IsTruncated": False}),
            ("iam", "delete_policy_version", {}, {**OF_POLICY, "VersionId": "v1"}),
            # IAM hears of a change within seconds.
            ("iam", "delete_policy", "DeleteConflict"),
            *RELEASED_POLICY,
            ("iam", "delete_policy", {}, OF_POLICY),
        ],
    ),
}


@pytest.mark.parametrize("sentence", REMOVED)
def test_it_removes(account, project, sentence):
    resource, steps = REMOVED[sentence]
    account.lays_out(*steps)

    removal.remove(project, *resource)

    assert not project.something_is_left


UNLOCK = (
    "This command unlocks it: aws dynamodb update-table --table-name t "
    "--no-deletion-protection-enabled --region eu-west-1\n"
)
REPORTED = {
    "a stack of others that is only announced": (
        ("stack", "mine-ecs"),
        [*announced([]), MEMBERS],
        "✗ kept: stack mine-ecs has no tag",
    ),
    "a stack with the reasons of the last attempt": (
        ("stack", "mine-ecs"),
        [
            *[stack_is("CREATE_COMPLETE")] * 3,
            *[DELETE_STACK, stack_is("DELETE_IN_PROGRESS"), *[stack_is("DELETE_FAILED")] * 2] * 2,
            *[("cloudformation", "describe_stack_events", page) for page in EVENTS],
            *(stack_is("DELETE_FAILED"), MEMBERS),
        ],
        "it is DELETE_FAILED. Subnet: in use; Vpc: has dependencies\n",
    ),
    "an error on one line": (
        ("role", "r"),
        [("iam", "get_role", "AccessDenied", "You may\nnot.")],
        "✗ role r could not be removed, run make clean again: An error occurred (AccessDenied) "
        "when calling the GetRole operation: You may not.\n",
    ),
    "a protected table with the command that unlocks it": (
        ("table", "t"),
        [
            table("ACTIVE"),
            *TABLE_IS_OURS,
            ("dynamodb", "delete_table", "ValidationException", "It is protected."),
            NO_OTHER_TABLE,
        ],
        UNLOCK,
    ),
    "an object that may not go": (
        ("bucket", BUCKET),
        [BUCKET_IS_OURS, *bucket("Versions", [], Errors=[LOCKED])],
        f"✗ bucket {BUCKET} could not be removed, run make clean again: k: It is locked.",
    ),
    "a mapping that does not go": (
        ("mapping", "f"),
        [
            *mappings({FIRST: OURS_AS_MAPPING}),
            ("lambda", "delete_event_source_mapping", {}, {"UUID": FIRST}),
            *[("lambda", "get_event_source_mapping", {"State": "Deleting"})] * 126,
        ],
        f"✗ mapping f ({FIRST}) could not be removed, run make clean again: it is still being "
        "deleted after 600 seconds\n",
    ),
}


@pytest.mark.parametrize("sentence", REPORTED)
def test_it_reports(account, project, capsys, sentence):
    resource, steps, complaint = REPORTED[sentence]
    account.lays_out(*steps)

    removal.remove(project, *resource)

    assert project.something_is_left and complaint in capsys.readouterr().err


def test_a_mapping_whose_stack_stays_and_one_of_others_stay(account, project, capsys):
    project.spared.add(FIRST)
    account.lays_out(*mappings({FIRST: OURS_AS_MAPPING, OTHER: {}}))

    removal.remove(project, "mapping", "f")

    assert capsys.readouterr().err.startswith(f"✗ kept: mapping f ({OTHER}) has no tag")


# The role with which API Gateway writes the logs of the account


def apis(rest: dict[str, Any], websocket: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The answers about the APIs of the account, each with a stage: ours, those of others, and an
    HTTP API, which needs no role.
    """
    found = [{**PLAN, "id": "a0"}, {"id": "a1", "name": "theirs"}]
    v2 = [
        {"Name": name, "ApiId": name, "RouteSelectionExpression": "x", "ProtocolType": name.upper()}
        for name in ("http", "websocket")
    ]
    stages = [{"stageName": "live", **rest}], [{"StageName": "s", **websocket}]
    return [
        ("apigateway", "get_rest_apis", {"items": found}),
        ("apigateway", "get_stages", {"item": stages[0]}, {"restApiId": "a1"}),
        ("apigatewayv2", "get_apis", {"Items": v2}),
        ("apigatewayv2", "get_stages", {"Items": stages[1]}, {"ApiId": "websocket"}),
    ]


RESET = (
    *("apigateway", "update_account", {}),
    {"patchOperations": [{"op": "replace", "path": "/cloudwatchRoleArn", "value": ""}]},
)
WITHOUT_LOGS = apis(
    {"methodSettings": {"*/*": {"loggingLevel": "OFF"}}},
    {"DefaultRouteSettings": {"LoggingLevel": "OFF"}},
)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(
            [log_role_is(LOG_ROLE), role(OURS), *WITHOUT_LOGS, RESET, role(None)], id="ours"
        ),
        # Somebody has removed it, and has left the setting.
        pytest.param([log_role_is(LOG_ROLE), role(None), RESET, role(None)], id="missing"),
        pytest.param([log_role_is("f-api-logs-us-east-1"), role(None)], id="of another region"),
        pytest.param([log_role_is("of-others"), role(None)], id="of others"),
        pytest.param([log_role_is(""), role(None)], id="not set"),
    ],
)
def test_the_accounts_role_for_logs_is_reset_when_it_is_ours_or_was(account, project, steps):
    account.lays_out(*steps)

    removal.remove(project, "role", LOG_ROLE)

    assert not project.something_is_left


_LOGS = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:theirs"
REST_STAGE = "REST API theirs (a1), stage live"
WEBSOCKET_STAGE = "WebSocket API websocket (websocket), stage s"


@pytest.mark.parametrize(
    "rest, websocket, which",
    [
        ({"accessLogSettings": {"destinationArn": _LOGS}}, {}, REST_STAGE),
        ({"methodSettings": {"*/*": {"loggingLevel": "ERROR"}}}, {}, REST_STAGE),
        ({"methodSettings": {"a/GET": {}, "b/GET": {"loggingLevel": "INFO"}}}, {}, REST_STAGE),
        ({}, {"AccessLogSettings": {"DestinationArn": _LOGS}}, WEBSOCKET_STAGE),
        ({}, {"DefaultRouteSettings": {"LoggingLevel": "INFO"}}, WEBSOCKET_STAGE),
        ({}, {"RouteSettings": {"r": {"LoggingLevel": "ERROR"}}}, WEBSOCKET_STAGE),
    ],
)
def test_the_accounts_role_for_logs_stays_while_a_stage_of_others_needs_it(
    account, project, capsys, rest, websocket, which
):
    account.lays_out(log_role_is(LOG_ROLE), role(OURS), *apis(rest, websocket))

    removal.remove(project, "role", LOG_ROLE)

    assert not project.something_is_left
    assert capsys.readouterr().err == (
        f"• role {LOG_ROLE} stays in the settings of API Gateway, which writes the "
        f"logs of {which} with it\n"
    )


def test_the_accounts_role_for_logs_stays_where_nobody_can_say_who_needs_it(account, project):
    account.lays_out(log_role_is(LOG_ROLE), role(OURS))
    account.lays_out(("apigateway", "get_rest_apis", "AccessDeniedException"))

    removal.remove(project, "role", LOG_ROLE)

    assert project.something_is_left


def test_the_accounts_role_for_logs_stays_when_its_stack_does(account, project):
    project.spared.add(LOG_ROLE)
    account.client("apigateway")

    removal.remove(project, "role", LOG_ROLE)

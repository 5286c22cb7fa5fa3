"""The kinds of resources that the pipelines create: how each is read, found and deleted."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from teardown.project import Project, StillThere, as_mapping, code, pages, reason, skipping_missing
from teardown.waiting import persist, until

INSTANCES_SECONDS = 600
MAPPING_SECONDS = 120
TABLE_SECONDS = 300
GATEWAY = {"PaginationConfig": {"PageSize": 500}}  # The maximum; the default is 25.


class Kind(NamedTuple):
    """A kind of resource. Operations are `operation Parameter`, or `operation Parameter[]`."""

    service: str
    read: str
    path: str
    """The place of the tags in the answer or, with ``list_tags``, of what that takes."""
    delete: str | Callable[[Project, str], object]
    list_tags: str = ""
    """The operation that lists the tags, and the key of its answer."""


def call(client: Any, operation: str, name: str, key: str = "") -> Any:
    """Returns the answer of an operation about a name, with all members of a paged key."""
    method, parameter = operation.split()
    given: dict[str, Any] = {parameter.removesuffix("[]"): name}
    if parameter.endswith("[]"):
        given = {parameter[:-2]: [name], **OPTIONS.get(method, {})}
    if key and client.can_paginate(method):
        return {key: list(pages(client, method, key, **given))}
    return getattr(client, method)(**given)


OPTIONS = {
    "describe_alarms": {"AlarmTypes": ["MetricAlarm"]},
    "describe_clusters": {"include": ["TAGS"]},
}


def tags_of(project: Project, kind: str, name: str) -> Mapping[str, str] | None:
    """The tags of a resource; None, or an error "not found", for one that is missing."""
    if kind == "bucket":
        return _bucket_tags(project, name)
    row = KINDS[kind]
    client, path = project.client(row.service), row.path.split(".")
    found = call(client, row.read, name, path[0])
    for key in path:
        found = found.get(key, [])
        if isinstance(found, list) and key != path[-1]:
            # A prefix finds more log groups, and a deleted cluster can be read for a while.
            found = [each for each in found if each.get("logGroupName", name) == name]
            found = [each for each in found if each.get("status") != "INACTIVE"]
            if not found:
                return None
            found = found[0]
    if row.list_tags:
        operation, _, key = row.list_tags.rpartition(" ")
        found = call(client, operation, found.removesuffix(":*"), key).get(key, {})
    return as_mapping(found)


def delete(project: Project, kind: str, name: str) -> None:
    """Deletes a resource, again while it is in use."""
    row = KINDS[kind]
    if callable(row.delete):
        row.delete(project, name)
    else:
        operation = row.delete
        client = project.client(row.service)
        target = call(client, row.read, name)["QueueUrl"] if kind == "queue" else name
        persist(lambda: call(client, operation, target))


def find(project: Project, kind: str, name: str) -> Iterator[tuple[str, str]]:
    """Yields the id and the label of each resource of a kind with a name."""
    if kind == "mapping":  # They have no names, and stay when their function is deleted.
        listing = ("list_event_source_mappings", "EventSourceMappings")
        for mapping in pages(project.client("lambda"), *listing, FunctionName=name):
            yield mapping["EventSourceMappingArn"], f"{mapping['UUID']} of function {name}"
    elif kind == "policy":
        yield f"arn:{project.partition}:iam::{project.account}:policy/{name}", name
    elif KINDS[kind].service == "apigateway":  # Several can have the same name.
        operation = KINDS[kind].read.split()[0] + "s"
        for found in pages(project.client("apigateway"), operation, "items", **GATEWAY):
            if found.get("name") == name:
                yield found["id"], f"{name} ({found['id']})"
    elif kind == "earlier table":  # An earlier name of the function left it.
        for other in pages(project.client("dynamodb"), "list_tables", "TableNames"):
            is_other = other.endswith("-ledger") and other != name
            if is_other and project.owns(tags_of(project, "table", other) or {}):
                yield other, other
    else:
        yield name, name


def remove(project: Project, kind: str, name: str, setting: str = "LAMBDA_FUNCTION_NAME") -> None:
    """Removes every resource of a kind with this name that belongs to the project."""
    with project.removing(f"{kind} {name}"):
        for number, label in list(find(project, kind, name)):
            what = f"{kind.removeprefix('earlier ')} {label}"
            with project.removing(what):
                is_spared = project.spares(number, number.rpartition(":")[2])
                tags = None if is_spared else tags_of(project, kind, number)
                if tags is not None and project.claims(tags, what, setting):
                    delete(project, kind, number)


def _delete_mapping(project: Project, arn: str) -> None:
    client, number = project.client("lambda"), arn.rpartition(":")[2]

    def is_gone() -> bool:
        with skipping_missing():
            client.get_event_source_mapping(UUID=number)
            return False
        return True

    # Refused while it is created or changed.
    persist(lambda: client.delete_event_source_mapping(UUID=number))
    if not until(is_gone, MAPPING_SECONDS):
        raise StillThere(f"it is still being deleted after {MAPPING_SECONDS} seconds")


def _delete_role(project: Project, name: str) -> None:
    iam, role = project.client("iam"), {"RoleName": name}
    for profile in pages(iam, "list_instance_profiles_for_role", "InstanceProfiles", **role):
        of_profile = {"InstanceProfileName": profile["InstanceProfileName"]}
        with skipping_missing():
            iam.remove_role_from_instance_profile(**of_profile, **role)
    for policy in pages(iam, "list_attached_role_policies", "AttachedPolicies", **role):
        with skipping_missing():
            iam.detach_role_policy(**role, PolicyArn=policy["PolicyArn"])
    for policy_name in pages(iam, "list_role_policies", "PolicyNames", **role):
        with skipping_missing():
            iam.delete_role_policy(**role, PolicyName=policy_name)
    persist(lambda: iam.delete_role(**role))


def _delete_instance_profile(project: Project, name: str) -> None:
    iam, profile = project.client("iam"), {"InstanceProfileName": name}
    for role in iam.get_instance_profile(**profile)["InstanceProfile"]["Roles"]:
        with skipping_missing():
            iam.remove_role_from_instance_profile(**profile, RoleName=role["RoleName"])
    persist(lambda: iam.delete_instance_profile(**profile))


def detach_policy(project: Project, arn: str) -> None:
    """Detaches a managed policy from all users, groups and roles."""
    iam = project.client("iam")
    for page in iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=arn):
        for kind in ("User", "Group", "Role"):
            for holder in page.get(f"Policy{kind}s", []):
                given = {"PolicyArn": arn, f"{kind}Name": holder[f"{kind}Name"]}
                with skipping_missing():
                    getattr(iam, f"detach_{kind.lower()}_policy")(**given)


def _delete_policy(project: Project, arn: str) -> None:
    iam = project.client("iam")
    detach_policy(project, arn)
    for version in pages(iam, "list_policy_versions", "Versions", PolicyArn=arn):
        if not version["IsDefaultVersion"]:
            with skipping_missing():
                iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    persist(lambda: iam.delete_policy(PolicyArn=arn))


def _delete_rule(project: Project, name: str) -> None:
    events = project.client("events")
    for page in events.get_paginator("list_targets_by_rule").paginate(Rule=name):
        if page["Targets"]:
            events.remove_targets(Rule=name, Ids=[target["Id"] for target in page["Targets"]])
    events.delete_rule(Name=name)


def _delete_table(project: Project, name: str) -> None:
    client = project.client("dynamodb")

    def is_gone() -> bool:
        with skipping_missing():
            client.describe_table(TableName=name)
            return False
        return True

    try:
        # Refused while the table is created, and while it is deleted, as after a break.
        persist(lambda: client.delete_table(TableName=name))
    except ClientError as error:
        if code(error) != "ValidationException" or "protect" not in str(error):
            raise
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        place = f"--region {project.region}" + (f" --endpoint-url {endpoint}" if endpoint else "")
        raise StillThere(
            f"{reason(error)} It holds the history of updates. This command unlocks it: aws "
            f"dynamodb update-table --table-name {name} --no-deletion-protection-enabled {place}"
        ) from error
    if not until(is_gone, TABLE_SECONDS):
        raise StillThere(f"it is still being deleted after {TABLE_SECONDS} seconds")


def _delete_cluster(project: Project, name: str) -> None:
    ecs = project.client("ecs")
    (found,) = ecs.describe_clusters(clusters=[name])["clusters"]
    if found["registeredContainerInstancesCount"]:  # Else no permission is needed to list them.
        listing = ("list_container_instances", "containerInstanceArns")
        for arn in pages(ecs, *listing, cluster=name):
            ecs.deregister_container_instance(cluster=name, containerInstance=arn, force=True)
    persist(lambda: ecs.delete_cluster(cluster=name))


def _delete_group(project: Project, name: str) -> None:
    client, ec2 = project.client("autoscaling"), project.client("ec2")

    def groups() -> list[dict[str, Any]]:
        answer = client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return answer["AutoScalingGroups"]

    def are_terminated() -> bool:
        found: list[dict[str, Any]] = []
        with skipping_missing():
            found = ec2.describe_instances(InstanceIds=instances)["Reservations"]
        states = [part["State"]["Name"] for each in found for part in each["Instances"]]
        return all(state == "terminated" for state in states)

    instances = [part["InstanceId"] for group in groups() for part in group["Instances"]]
    persist(lambda: client.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True))
    # The group goes without waiting for its instances, which use the network.
    if not until(lambda: not groups(), INSTANCES_SECONDS):
        raise StillThere(f"it is still there after {INSTANCES_SECONDS} seconds")
    if instances and not until(are_terminated, INSTANCES_SECONDS):
        raise StillThere(f"its instances have not ended after {INSTANCES_SECONDS} seconds")


def _delete_usage_plan(project: Project, number: str) -> None:
    client, plan = project.client("apigateway"), {"usagePlanId": number}

    def delete_plan() -> None:
        for stage in client.get_usage_plan(**plan).get("apiStages", []):
            value = f"{stage['apiId']}:{stage['stage']}"
            covered = {"op": "remove", "path": "/apiStages", "value": value}
            with skipping_missing():
                client.update_usage_plan(**plan, patchOperations=[covered])
        client.delete_usage_plan(**plan)

    persist(delete_plan)


def _versions(project: Project, bucket: str) -> Iterator[list[dict[str, str]]]:
    listing = project.client("s3").get_paginator("list_object_versions")
    for page in listing.paginate(Bucket=bucket, ExpectedBucketOwner=project.account):
        if found := page.get("Versions", []) + page.get("DeleteMarkers", []):
            yield [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]


def _bucket_tags(project: Project, name: str) -> Mapping[str, str]:
    bucket = {"Bucket": name, "ExpectedBucketOwner": project.account}
    try:
        return as_mapping(project.client("s3").get_bucket_tagging(**bucket)["TagSet"])
    except ClientError as error:
        if code(error) != "NoSuchTagSet":
            raise
        # Empty and without tags it is from a run that was killed just after its creation.
        return {} if any(_versions(project, name)) else project.mark


def _delete_bucket(project: Project, name: str) -> None:
    client, bucket = project.client("s3"), {"Bucket": name, "ExpectedBucketOwner": project.account}

    def empty_and_delete() -> None:
        for objects in _versions(project, name):
            request = {"Objects": objects, "Quiet": True}
            if failures := client.delete_objects(**bucket, Delete=request).get("Errors"):
                reasons = [
                    f"{part['Key']}: {part.get('Message', part['Code'])}" for part in failures
                ]
                raise StillThere("; ".join(reasons[:3]))
        client.delete_bucket(**bucket)

    persist(empty_and_delete)  # Again when something came in between.


_TAGS = "list_tags_for_resource"
_GROUPS, _TEMPLATES = "AutoScalingGroups", "LaunchTemplates"
KINDS = {
    "mapping": Kind("lambda", "list_tags Resource", "Tags", _delete_mapping),
    "function": Kind("lambda", "get_function FunctionName", "Tags", "delete_function FunctionName"),
    "role": Kind("iam", "get_role RoleName", "Role.Tags", _delete_role),
    "instance profile": Kind(
        *("iam", "get_instance_profile InstanceProfileName", "InstanceProfile.Tags"),
        _delete_instance_profile,
    ),
    "policy": Kind("iam", "get_policy PolicyArn", "Policy.Tags", _delete_policy),
    "queue": Kind(
        *("sqs", "get_queue_url QueueName", "QueueUrl", "delete_queue QueueUrl"),
        "list_queue_tags QueueUrl Tags",
    ),
    "alarm": Kind(
        *("cloudwatch", "describe_alarms AlarmNames[]", "MetricAlarms.AlarmArn"),
        *("delete_alarms AlarmNames[]", f"{_TAGS} ResourceARN Tags"),
    ),
    "log group": Kind(
        *("logs", "describe_log_groups logGroupNamePrefix", "logGroups.arn"),
        *("delete_log_group logGroupName", f"{_TAGS} resourceArn tags"),
    ),
    "rule": Kind("events", "describe_rule Name", "Arn", _delete_rule, f"{_TAGS} ResourceARN Tags"),
    "table": Kind(
        *("dynamodb", "describe_table TableName", "Table.TableArn", _delete_table),
        "list_tags_of_resource ResourceArn Tags",
    ),
    "cluster": Kind("ecs", "describe_clusters clusters[]", "clusters.tags", _delete_cluster),
    "Auto Scaling group": Kind(
        *("autoscaling", "describe_auto_scaling_groups AutoScalingGroupNames[]"),
        *(f"{_GROUPS}.Tags", _delete_group),
    ),
    "launch template": Kind(
        *("ec2", "describe_launch_templates LaunchTemplateNames[]", f"{_TEMPLATES}.Tags"),
        "delete_launch_template LaunchTemplateName",
    ),
    "API key": Kind("apigateway", "get_api_key apiKey", "tags", "delete_api_key apiKey"),
    "usage plan": Kind("apigateway", "get_usage_plan usagePlanId", "tags", _delete_usage_plan),
    "REST API": Kind("apigateway", "get_rest_api restApiId", "tags", "delete_rest_api restApiId"),
    "bucket": Kind("s3", "", "", _delete_bucket),
}
KINDS["earlier table"] = KINDS["table"]

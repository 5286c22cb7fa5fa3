"""Removes what was made outside CloudFormation and is in no Terraform state, as after a
`terraform apply` that was killed.

Everything is found under the name that the modules of ``infraestructure-terraform`` give it.
"""

from typing import Any

from botocore.exceptions import ClientError

from teardown.project import (
    Project,
    StillThere,
    Thing,
    as_mapping,
    is_missing,
    passing_over_missing,
)
from teardown.waiting import persist, until
from teardown.workload import tags_of_cluster

INSTANCES_SECONDS = 600


def remove_orphans(project: Project, cluster: str, function: str) -> None:
    """Removes them, each after what needs it; but for the network, which has no names."""
    ecs = f"{project.stack_name}-ecs"
    for thing in (
        lambda_function(project, function),
        role(project, f"{function}-{project.region}", "LAMBDA_FUNCTION_NAME"),
        alarm(project, f"{function}-dead-letters"),
        queue(project, f"{function}-dead-letters"),
        log_group(project, f"/aws/lambda/{function}", "LAMBDA_FUNCTION_NAME"),
        auto_scaling_group(project, f"{ecs}-instances"),
        launch_template(project, f"{ecs}-instances"),
        instance_profile(project, f"{ecs}-{project.region}-instance"),
        role(project, f"{ecs}-{project.region}-instance"),
        ecs_cluster(project, cluster),
        role(project, f"{ecs}-{project.region}-execution"),
        log_group(project, f"/ecs/{ecs}"),
    ):
        project.remove(thing)


def lambda_function(project: Project, name: str) -> Thing:
    """The function, with its settings for asynchronous calls and its reserved concurrency."""
    client = project.client("lambda")
    return Thing(
        "function",
        name,
        lambda: client.get_function(FunctionName=name).get("Tags", {}),
        lambda: persist(lambda: client.delete_function(FunctionName=name)),
        "LAMBDA_FUNCTION_NAME",
    )


def role(project: Project, name: str, setting: str = "STACK_NAME") -> Thing:
    """A role, with its policies."""
    iam = project.client("iam")

    def delete() -> None:
        for page in iam.get_paginator("list_instance_profiles_for_role").paginate(RoleName=name):
            for profile in page["InstanceProfiles"]:
                with passing_over_missing():
                    iam.remove_role_from_instance_profile(
                        InstanceProfileName=profile["InstanceProfileName"], RoleName=name
                    )
        for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=name):
            for policy in page["AttachedPolicies"]:
                with passing_over_missing():
                    iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        for page in iam.get_paginator("list_role_policies").paginate(RoleName=name):
            for policy in page["PolicyNames"]:
                with passing_over_missing():
                    iam.delete_role_policy(RoleName=name, PolicyName=policy)
        persist(lambda: iam.delete_role(RoleName=name))

    return Thing(
        "role",
        name,
        lambda: as_mapping(iam.get_role(RoleName=name)["Role"].get("Tags", [])),
        delete,
        setting,
    )


def instance_profile(project: Project, name: str) -> Thing:
    """The instance profile that hands a role to instances."""
    iam = project.client("iam")

    def profile() -> dict[str, Any]:
        return iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]

    def delete() -> None:
        for one in profile()["Roles"]:
            with passing_over_missing():
                iam.remove_role_from_instance_profile(
                    InstanceProfileName=name, RoleName=one["RoleName"]
                )
        persist(lambda: iam.delete_instance_profile(InstanceProfileName=name))

    return Thing("instance profile", name, lambda: as_mapping(profile().get("Tags", [])), delete)


def queue(project: Project, name: str) -> Thing:
    """A queue, with the messages in it."""
    sqs = project.client("sqs")

    def url() -> str:
        return sqs.get_queue_url(QueueName=name)["QueueUrl"]

    return Thing(
        "queue",
        name,
        lambda: sqs.list_queue_tags(QueueUrl=url()).get("Tags", {}),
        lambda: sqs.delete_queue(QueueUrl=url()),
        "LAMBDA_FUNCTION_NAME",
    )


def alarm(project: Project, name: str) -> Thing:
    """An alarm of CloudWatch."""
    cloudwatch = project.client("cloudwatch")

    def tags() -> dict[str, str] | None:
        for found in cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])[
            "MetricAlarms"
        ]:
            return as_mapping(
                cloudwatch.list_tags_for_resource(ResourceARN=found["AlarmArn"])["Tags"]
            )
        return None

    return Thing(
        "alarm",
        name,
        tags,
        lambda: cloudwatch.delete_alarms(AlarmNames=[name]),
        "LAMBDA_FUNCTION_NAME",
    )


def log_group(project: Project, name: str, setting: str = "STACK_NAME") -> Thing:
    """A log group, with the logs in it."""
    logs = project.client("logs")

    def tags() -> dict[str, str] | None:
        for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name):
            for group in page["logGroups"]:
                if group["logGroupName"] == name:
                    arn = group["arn"].removesuffix(":*")
                    return logs.list_tags_for_resource(resourceArn=arn).get("tags", {})
        return None

    return Thing(
        "log group",
        name,
        tags,
        lambda: persist(lambda: logs.delete_log_group(logGroupName=name)),
        setting,
    )


def ecs_cluster(project: Project, name: str) -> Thing:
    """A cluster, with the instances that are registered in it."""
    ecs = project.client("ecs")

    def delete() -> None:
        (found,) = ecs.describe_clusters(clusters=[name])["clusters"]
        # Else nobody need be allowed to ask for them.
        if found["registeredContainerInstancesCount"]:
            for page in ecs.get_paginator("list_container_instances").paginate(cluster=name):
                for arn in page["containerInstanceArns"]:
                    ecs.deregister_container_instance(
                        cluster=name, containerInstance=arn, force=True
                    )
        persist(lambda: ecs.delete_cluster(cluster=name))

    return Thing("cluster", name, lambda: tags_of_cluster(project, name), delete, "CLUSTER_NAME")


def auto_scaling_group(project: Project, name: str) -> Thing:
    """An Auto Scaling group, with its instances."""
    scaling = project.client("autoscaling")
    ec2 = project.client("ec2")

    def found() -> list[dict[str, Any]]:
        return scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
            "AutoScalingGroups"
        ]

    def have_ended(instances: list[str]) -> bool:
        try:
            reservations = ec2.describe_instances(InstanceIds=instances)["Reservations"]
        except ClientError as error:
            if is_missing(error):
                return True
            raise
        return all(
            one["State"]["Name"] == "terminated"
            for reservation in reservations
            for one in reservation["Instances"]
        )

    def delete() -> None:
        instances = [one["InstanceId"] for group in found() for one in group["Instances"]]
        persist(
            lambda: scaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
        )
        # The group goes without waiting for its instances, which hold on to the network.
        if not until(lambda: not found(), INSTANCES_SECONDS):
            raise StillThere(f"it is still there after {INSTANCES_SECONDS} seconds")
        if instances and not until(lambda: have_ended(instances), INSTANCES_SECONDS):
            raise StillThere(f"its instances have not ended after {INSTANCES_SECONDS} seconds")

    return Thing(
        "Auto Scaling group",
        name,
        lambda: next((as_mapping(group["Tags"]) for group in found()), None),
        delete,
    )


def launch_template(project: Project, name: str) -> Thing:
    """A launch template, with all its versions."""
    ec2 = project.client("ec2")

    def tags() -> dict[str, str] | None:
        found = ec2.describe_launch_templates(LaunchTemplateNames=[name])["LaunchTemplates"]
        return next((as_mapping(one.get("Tags", [])) for one in found), None)

    return Thing(
        "launch template", name, tags, lambda: ec2.delete_launch_template(LaunchTemplateName=name)
    )

"""Lists what an account, or an emulator of one, has of every service that the pipelines use: to
compare before and after.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import boto3
from botocore.config import Config


class Listing(NamedTuple):
    """A call that lists something: its service, its name, where its answer has the things, and what
    names one of them.
    """

    service: str
    call: str
    key: str
    id: str
    """Empty where the answer has names and nothing else."""
    status: str = ""
    """The status to ask for, where things without it are listed too."""


# The task definitions that are deleted are not among them: AWS too takes up to an hour for that.
LISTINGS = (
    Listing("ecs", "list_task_definitions", "taskDefinitionArns", "", "ACTIVE"),
    Listing("ecs", "list_task_definitions", "taskDefinitionArns", "", "INACTIVE"),
    Listing("ecs", "list_clusters", "clusterArns", ""),
    Listing("cloudformation", "describe_stacks", "Stacks", "StackName"),
    Listing("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    Listing("ec2", "describe_subnets", "Subnets", "SubnetId"),
    Listing("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    Listing("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    Listing("ec2", "describe_network_acls", "NetworkAcls", "NetworkAclId"),
    Listing("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    Listing("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    Listing("ec2", "describe_volumes", "Volumes", "VolumeId"),
    Listing("ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateName"),
    Listing("ec2", "describe_key_pairs", "KeyPairs", "KeyName"),
    Listing(
        "autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName"
    ),
    Listing("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerName"),
    Listing("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupName"),
    Listing("iam", "list_roles", "Roles", "RoleName"),
    Listing("iam", "list_policies", "Policies", "PolicyName"),
    Listing("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
    Listing("iam", "list_users", "Users", "UserName"),
    Listing("logs", "describe_log_groups", "logGroups", "logGroupName"),
    Listing("lambda", "list_functions", "Functions", "FunctionName"),
    Listing("lambda", "list_layers", "Layers", "LayerName"),
    Listing("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
    Listing("sqs", "list_queues", "QueueUrls", ""),
    Listing("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    Listing("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    Listing("s3", "list_buckets", "Buckets", "Name"),
    Listing("dynamodb", "list_tables", "TableNames", ""),
    Listing("events", "list_rules", "Rules", "Name"),
    Listing("events", "list_event_buses", "EventBuses", "Name"),
    Listing("events", "list_connections", "Connections", "Name"),
    Listing("events", "list_api_destinations", "ApiDestinations", "Name"),
    Listing("apigateway", "get_rest_apis", "items", "id"),
    Listing("apigateway", "get_usage_plans", "items", "id"),
    Listing("apigateway", "get_api_keys", "items", "id"),
)


def inventory(endpoint_url: str, region: str = "eu-west-1", service: str | None = None) -> set[str]:
    """Returns a line for each resource of a service, or of all, such as
    ``iam roles ecs-updater-eu-west-1``.
    """
    clients = _clients(endpoint_url, region)
    with ThreadPoolExecutor(4) as readers:
        wanted = [listing for listing in LISTINGS if service in (None, listing.service)]
        listed = readers.map(
            lambda listing: list(_listed(clients[listing.service], listing)), wanted
        )
        found = {line for lines in listed for line in lines}
    others = {"ecs": _clusters, "ec2": _instances, "events": _targets, "apigateway": _log_role}
    return found.union(
        *(lines(clients[name]) for name, lines in others.items() if service in (None, name))
    )


@cache  # To make them takes longer than all their calls to an emulator.
def _clients(endpoint_url: str, region: str) -> dict[str, Any]:
    config = Config(proxies={}, retries={"mode": "standard"})
    services = {listing.service for listing in LISTINGS}
    place = {"region_name": region, "endpoint_url": endpoint_url, "config": config}
    return {service: boto3.client(service, **place) for service in services}


def pages(client: Any, call: str, **options: Any) -> Iterator[dict[str, Any]]:
    """Yields every answer of a call that lists something."""
    if client.can_paginate(call):
        yield from client.get_paginator(call).paginate(**options)
    else:
        yield getattr(client, call)(**options)


def _listed(client, listing: Listing) -> Iterator[str]:
    what = [listing.service, *listing.call.split("_")[1:], listing.status]
    options = {"status": listing.status} if listing.status else {}
    for page in pages(client, listing.call, **options):
        for found in page.get(listing.key, []):
            name = found[listing.id] if listing.id else found
            yield " ".join(filter(None, [*what, name]))


def _clusters(ecs) -> Iterator[str]:
    """The services and tasks in the clusters."""
    for page in pages(ecs, "list_clusters"):
        for cluster in page["clusterArns"]:
            for services in pages(ecs, "list_services", cluster=cluster):
                yield from (f"ecs service {service}" for service in services["serviceArns"])
            for tasks in pages(ecs, "list_tasks", cluster=cluster):
                yield from (f"ecs task {task}" for task in tasks["taskArns"])


def _instances(ec2) -> Iterator[str]:
    """The instances; one that was ended can still be seen for an hour."""
    for page in pages(ec2, "describe_instances"):
        for reservation in page["Reservations"]:
            for instance in reservation["Instances"]:
                if instance["State"]["Name"] != "terminated":
                    yield f"ec2 instance {instance['InstanceId']}"


def _log_role(gateway) -> Iterator[str]:
    """The one setting of the account that the pipelines may change."""
    if role := gateway.get_account().get("cloudwatchRoleArn"):
        yield f"apigateway log role {role}"


def _targets(events) -> Iterator[str]:
    """What the rules call."""
    for page in pages(events, "list_rules"):
        for rule in page["Rules"]:
            for targets in pages(events, "list_targets_by_rule", Rule=rule["Name"]):
                yield from (
                    f"events target {rule['Name']} {target['Arn']}" for target in targets["Targets"]
                )

"""Reads from the emulator what a deployment made there, in a form in which two deployments can be
compared.

Ids that AWS makes up are replaced by what they are the id of, times and what only counts are left
out.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from support.parity import canonical
from support.parity_deployed_api import DeployedApi

_OF_THE_CALL = {"CreatedBy", "LastModified", "RevisionId", "ResponseMetadata", "Version"}


class Deployment:
    """What was deployed with these names, read through SDK clients; ``client`` makes one for a
    service.
    """

    def __init__(self, client: Callable[[str], Any], function: str, cluster: str, stack_name: str):
        self._client = client
        self._function = function
        self._cluster = cluster
        self._stack_name = stack_name

    def everything(self) -> dict[str, Any]:
        """Returns all of it."""
        completer, api, fleet = (
            f"{self._function}-{part}" for part in ("completer", "api", "fleet")
        )
        deployed_api = DeployedApi(self._client("apigateway"), api)
        found = {
            **self.with_role_and_log_group("function", self._function),
            **self.with_role_and_log_group("completer", completer),
            "who may call the completer": self.callers(completer),
            "ledger": self.table(f"{self._function}-ledger"),
            "rules": {name: self.rule(f"{completer}-{name}") for name in ("deployments", "poll")},
            "dead-letter queue": self.queue(f"{self._function}-dead-letters"),
            "cluster": self.cluster(),
            "tasks' role": self.role(
                f"{self._stack_name}-ecs-{self._client('ecs').meta.region_name}-execution"
            ),
            "instances' role": self.role(
                f"{self._stack_name}-ecs-{self._client('ecs').meta.region_name}-instance"
            ),
            "instances": self.instances(f"{self._stack_name}-ecs-instances"),
            "tasks' log group": self.log_group(f"/ecs/{self._stack_name}-ecs"),
            "network": self.network(),
            "API": deployed_api.everything(),
            "function that updates": self.function(f"{api}-update"),
            **self.with_role_and_log_group("function that reads", f"{api}-status"),
            "who may call the function that updates": self.callers(f"{api}-update"),
            "who may call the function that reads": self.callers(f"{api}-status"),
            "log group of the calls": self.log_group(f"/aws/apigateway/{api}"),
            **self.with_role_and_log_group("worker", fleet),
            "what calls the worker": self.mappings(fleet),
            "queue": self.queue(f"{fleet}.fifo"),
            "queue's dead letters": self.queue(f"{fleet}-dead-letters.fifo"),
            "alarm": self.alarm(f"{fleet}-dead-letters"),
            "alarm of the function": self.alarm(f"{self._function}-dead-letters"),
            "senders": self.policy(f"{fleet}-sender-{self._client('lambda').meta.region_name}"),
            "role that writes the calls": self.role(
                f"{api}-logs-{self._client('lambda').meta.region_name}"
            ),
        }
        return json.loads(json.dumps(found).replace(deployed_api.number, "an-api"))

    def with_role_and_log_group(self, what: str, name: str) -> dict[str, Any]:
        """Returns a function with what every function has."""
        function = self.function(name)
        return {
            what: function,
            f"{what}'s role": self.role(function["configuration"]["Role"].rpartition("/")[2]),
            f"{what}'s log group": self.log_group(f"/aws/lambda/{name}"),
        }

    def function(self, name: str) -> dict[str, Any]:
        """Returns a function's configuration, concurrency and tags."""
        client = self._client("lambda")
        configuration = client.get_function_configuration(FunctionName=name)
        concurrency = client.get_function_concurrency(FunctionName=name)
        variables = configuration["Environment"]["Variables"]  # In which an empty text counts.
        return {
            "configuration": {
                **_set(_without(configuration, _OF_THE_CALL)),
                "Environment": {"Variables": variables},
            },
            "concurrency": concurrency.get("ReservedConcurrentExecutions"),
            "tags": _ours(client.list_tags(Resource=configuration["FunctionArn"])["Tags"]),
        }

    def callers(self, function: str) -> list[Any]:
        """Returns who may call a function, without the names that the statements are given."""
        policy = json.loads(self._client("lambda").get_policy(FunctionName=function)["Policy"])
        return sorted((_without(one, {"Sid"}) for one in policy["Statement"]), key=json.dumps)

    def table(self, name: str) -> dict[str, Any]:
        """Returns a table."""
        client = self._client("dynamodb")
        table = client.describe_table(TableName=name)["Table"]
        backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        return {
            **{
                key: table.get(key)
                for key in ("TableName", "KeySchema", "DeletionProtectionEnabled", "SSEDescription")
            },
            "attributes": sorted(table["AttributeDefinitions"], key=json.dumps),
            "indexes": [_index(one) for one in table.get("GlobalSecondaryIndexes", [])],
            "billing": table["BillingModeSummary"]["BillingMode"],
            "expires": client.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
            "recovery": backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
            "tags": _tags(client.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]),
        }

    def rule(self, name: str) -> dict[str, Any]:
        """Returns a rule of EventBridge with its targets."""
        client = self._client("events")
        rule = client.describe_rule(Name=name)
        return {
            **_set(_without(rule, _OF_THE_CALL)),
            "EventPattern": json.loads(rule.get("EventPattern") or "{}"),
            "targets": [_set(one) for one in client.list_targets_by_rule(Rule=name)["Targets"]],
            "tags": _tags(client.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]),
        }

    def role(self, name: str) -> dict[str, Any]:
        """Returns a role with its policies."""
        client = self._client("iam")
        role = client.get_role(RoleName=name)["Role"]
        policies = {
            policy: canonical(
                client.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            )
            for policy in client.list_role_policies(RoleName=name)["PolicyNames"]
        }
        return {
            "name": role["RoleName"],
            "description": role.get("Description"),
            "trust": canonical(role["AssumeRolePolicyDocument"]),
            "boundary": role.get("PermissionsBoundary"),
            "policies": policies,
            "managed policies": client.list_attached_role_policies(RoleName=name)[
                "AttachedPolicies"
            ],
            "tags": _tags(client.list_role_tags(RoleName=name)["Tags"]),
        }

    def log_group(self, name: str) -> dict[str, Any]:
        """Returns a log group."""
        client = self._client("logs")
        groups = client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        (group,) = (one for one in groups if one["logGroupName"] == name)
        tags = client.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"]
        return {
            "name": group["logGroupName"],
            "retention": group.get("retentionInDays"),
            "tags": _ours(tags),
        }

    def queue(self, name: str) -> dict[str, Any]:
        """Returns a queue."""
        client = self._client("sqs")
        url = client.get_queue_url(QueueName=name)["QueueUrl"]
        attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        times = {key for key in attributes if key.endswith("Timestamp")}
        tags = client.list_queue_tags(QueueUrl=url).get("Tags", {})
        return {"attributes": canonical(_without(attributes, times)), "tags": _ours(tags)}

    def mappings(self, function: str) -> list[dict[str, Any]]:
        """Returns what calls a function by itself."""
        client = self._client("lambda")
        found = client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
        passing = {"UUID", "EventSourceMappingArn", "LastModified", "LastProcessingResult"}
        return [
            {
                **_set(_without(one, passing)),
                "tags": _ours(client.list_tags(Resource=one["EventSourceMappingArn"])["Tags"]),
            }
            for one in found
        ]

    def alarm(self, name: str) -> dict[str, Any]:
        """Returns an alarm."""
        client = self._client("cloudwatch")
        (alarm,) = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        said = {
            key: one
            for key, one in alarm.items()
            if not key.endswith("Timestamp") and not key.startswith("State")
        }
        return {
            **_set(said),
            "tags": _tags(client.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]),
        }

    def policy(self, name: str) -> dict[str, Any]:
        """Returns a policy of the account's own."""
        client = self._client("iam")
        (arn,) = (
            one["Arn"]
            for page in client.get_paginator("list_policies").paginate(Scope="Local")
            for one in page["Policies"]
            if one["PolicyName"] == name
        )
        policy = client.get_policy(PolicyArn=arn)["Policy"]
        version = client.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])[
            "PolicyVersion"
        ]
        return {
            **{
                key: policy.get(key)
                for key in ("PolicyName", "Path", "Description", "AttachmentCount")
            },
            "document": canonical(version["Document"]),
            "tags": _tags(policy.get("Tags", [])),
        }

    def cluster(self) -> dict[str, Any]:
        """Returns the cluster."""
        (cluster,) = self._client("ecs").describe_clusters(
            clusters=[self._cluster], include=["TAGS", "SETTINGS"]
        )["clusters"]
        return {
            "name": cluster["clusterName"],
            "arn": cluster["clusterArn"],
            "settings": cluster["settings"],
            "tags": _tags(cluster.get("tags", [])),
        }

    def instances(self, name: str) -> dict[str, Any]:
        """Returns the group of instances, and the template that they are made from."""
        client = self._client("ec2")
        (template,) = client.describe_launch_templates(LaunchTemplateNames=[name])[
            "LaunchTemplates"
        ]
        (version,) = client.describe_launch_template_versions(LaunchTemplateName=name)[
            "LaunchTemplateVersions"
        ]
        (group,) = self._client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[name]
        )["AutoScalingGroups"]
        subnets = client.describe_subnets(SubnetIds=group["VPCZoneIdentifier"].split(","))[
            "Subnets"
        ]
        data = version["LaunchTemplateData"]
        for interface in data["NetworkInterfaces"]:
            groups = client.describe_security_groups(GroupIds=interface["Groups"])["SecurityGroups"]
            interface["Groups"] = sorted(group["GroupName"] for group in groups)
        data["TagSpecifications"] = {
            one["ResourceType"]: _tags(one["Tags"]) for one in data["TagSpecifications"]
        }
        return {
            "template": data,
            "template's tags": _tags(template.get("Tags", [])),
            "sizes": [group[key] for key in ("MinSize", "MaxSize", "DesiredCapacity")],
            "version": group["LaunchTemplate"]["Version"],
            "subnets": sorted(map(_name, subnets)),
            "tags": {
                tag["Key"]: {key: tag[key] for key in ("Value", "PropagateAtLaunch")}
                for tag in _ours_of(group["Tags"])
            },
        }

    def network(self) -> dict[str, Any]:
        """Returns the network and what is in it, each by its tag Name."""
        client = self._client("ec2")
        (vpc,) = client.describe_vpcs(
            Filters=[{"Name": "tag:Name", "Values": [f"{self._stack_name}-vpc"]}]
        )["Vpcs"]
        inside = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
        subnets = client.describe_subnets(Filters=inside)["Subnets"]
        gateways = client.describe_internet_gateways(
            Filters=[{"Name": "attachment.vpc-id", "Values": [vpc["VpcId"]]}]
        )
        tables = [
            one
            for one in client.describe_route_tables(Filters=inside)["RouteTables"]
            if one.get("Tags")
        ]
        groups = [
            one
            for one in client.describe_security_groups(Filters=inside)["SecurityGroups"]
            if one["GroupName"] != "default"
        ]
        names = {one["SubnetId"]: _name(one) for one in subnets}
        attributes = {
            key: client.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=key)[
                key[0].upper() + key[1:]
            ]["Value"]
            for key in ("enableDnsSupport", "enableDnsHostnames")
        }
        return {
            "vpc": {"addresses": vpc["CidrBlock"], "tags": _tags(vpc["Tags"]), **attributes},
            "subnets": {_name(one): _subnet(one) for one in subnets},
            "gateways": {_name(one): _tags(one["Tags"]) for one in gateways["InternetGateways"]},
            "route tables": {_name(one): _route_table(one, names) for one in tables},
            "security groups": {one["GroupName"]: _security_group(one) for one in groups},
        }


def _index(index: Mapping[str, Any]) -> dict[str, Any]:
    projection = index["Projection"]
    attributes = sorted(projection.get("NonKeyAttributes", []))
    return {
        "name": index["IndexName"],
        "keys": index["KeySchema"],
        "of": projection["ProjectionType"],
        "attributes": attributes,
    }


def _subnet(subnet: Mapping[str, Any]) -> dict[str, Any]:
    said = {key: subnet[key] for key in ("CidrBlock", "AvailabilityZone", "MapPublicIpOnLaunch")}
    return {**said, "tags": _tags(subnet["Tags"])}


def _route_table(table: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    routes = {
        one["DestinationCidrBlock"]: one.get("GatewayId", "").split("-")[0]
        for one in table["Routes"]
    }
    subnets = sorted(
        names[one["SubnetId"]] for one in table.get("Associations", []) if "SubnetId" in one
    )
    return {"routes": routes, "subnets": subnets, "tags": _tags(table["Tags"])}


def _security_group(group: Mapping[str, Any]) -> dict[str, Any]:
    ways = {"in": "IpPermissions", "out": "IpPermissionsEgress"}
    rules = {way: {_protocol(rule): _set(rule) for rule in group[key]} for way, key in ways.items()}
    return {"description": group["Description"], **rules, "tags": _tags(group.get("Tags", []))}


def _protocol(rule: Mapping[str, Any]) -> str:
    return (
        "all"
        if rule["IpProtocol"] == "-1"
        else f"{rule['IpProtocol']} {rule['FromPort']}-{rule['ToPort']}"
    )


def _set(value: Any) -> Any:
    """A value without the members that hold nothing: the emulator gives them or leaves them out,
    depending on who asked.
    """
    if not isinstance(value, dict):
        return value
    members = {key: _set(one) for key, one in value.items()}
    return {key: one for key, one in members.items() if one not in ("", [], {}, None)}


def _without(mapping: Mapping[str, Any], keys: set[str]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in keys}


def _tags(tags: list[Mapping[str, str]]) -> dict[str, str]:
    return _ours(
        {tag.get("Key", tag.get("key", "")): tag.get("Value", tag.get("value", "")) for tag in tags}
    )


def _ours_of(tags: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [tag for tag in tags if not tag["Key"].startswith("aws:")]


def _ours(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags without those that AWS gives itself: a stack's resources have its name and id."""
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def _name(described: Mapping[str, Any]) -> str:
    return _tags(described["Tags"])["Name"]

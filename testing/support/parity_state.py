"""Reads from the emulator what a deployment created, so that two deployments can be compared.

Ids are replaced by the names of their resources. Times, counters and empty values are left out.
Every resource of a kind is read, so that one more on either side is a difference.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from .inventory import pages

Resource = dict[str, Any]

VOLATILE = {
    *("Arn", "CreateDate", "CreatedBy", "LastModified", "ResponseMetadata", "RevisionId"),
    *("CodeSha256", "CodeSize", "PolicyId", "RoleId", "UpdateDate", "DefaultVersionId", "Version"),
    *("EventSourceMappingArn", "LastProcessingResult", "RoleLastUsed", "UUID"),
    "KMSKeyArn",  # The emulator's CloudFormation ignores it.
    *("arn", "creationTime", "logGroupArn", "storedBytes", "Tags", "tags", "LoadBalancerArns"),
    *("StateValue", "StateReason", "StateReasonData", "StateUpdatedTimestamp"),
    *("StateTransitionedTimestamp", "AlarmConfigurationUpdatedTimestamp"),
}
METHOD = ("authorizationType", "apiKeyRequired", "requestModels", "requestParameters")
INTEGRATION = ("type", "httpMethod", "uri", "timeoutInMillis", "passthroughBehavior")
RESPONSE = ("statusCode", "responseParameters", "responseTemplates", "defaultResponse")
VALIDATOR = ("name", "validateRequestBody", "validateRequestParameters")
STAGE = ("description", "tracingEnabled", "cacheClusterEnabled", "variables", "accessLogSettings")
THROTTLING = ("throttlingRateLimit", "throttlingBurstLimit", "cachingEnabled", "dataTraceEnabled")
SUBNET = ("CidrBlock", "AvailabilityZone", "MapPublicIpOnLaunch")
TABLE = ("TableName", "KeySchema", "AttributeDefinitions", "DeletionProtectionEnabled")
INDEX = ("IndexName", "KeySchema", "Projection")


class Deployment:
    """The resources on an emulator; ``client`` creates an SDK client for a service."""

    def __init__(self, client: Callable[[str], Any]):
        self._client = cache(client)
        self._names: dict[str, str] = {}

    def read(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """Returns all resources by kind and name, and the outputs."""
        state = {
            **{name: self.kind(kind) for name, kind in KINDS.items()},
            "network": network(self),
            "APIs": rest_apis(self),
            "outputs": {
                name: ",".join(value) if isinstance(value, list) else value
                for name, value in outputs.items()
            },
        }
        text = json.dumps(state)
        for number, name in self._names.items():
            text = text.replace(number, name)
        return canonical(json.loads(text))  # In the order of the names.

    def kind(self, kind: "Kind") -> dict[str, Any]:
        """Returns the resources of a kind by their names."""
        found = {}
        for listed in self.pages(kind.service, kind.operation, kind.key, **dict(kind.options)):
            resource = listed if isinstance(listed, dict) else {kind.name: listed}
            details = kind.details(self, resource) if kind.details else {}
            if kind.tags:
                operation, parameter, source = kind.tags
                arn = {parameter: resource[source].removesuffix(":*")}
                answer = self.call(kind.service, operation, **arn)
                details["tags"] = tags(answer.get("Tags", answer.get("tags")))
            own = canonical(without(resource, VOLATILE)) if kind.is_listed_whole else {}
            found[resource[kind.name].rpartition("/")[2]] = {**own, **details}
        return found

    def call(self, service: str, operation: str, **parameters: Any) -> Any:
        """Returns the answer of one operation."""
        return getattr(self._client(service), operation)(**parameters)

    def pages(self, service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
        """Returns the members of every page of a listing."""
        answers = pages(self._client(service), operation, **parameters)
        return [member for answer in answers for member in answer.get(key, [])]

    def name(self, number: str, name: str) -> str:
        """Remembers the name to write instead of an id."""
        self._names[number] = name
        return name


class Kind(NamedTuple):
    """A kind of resource: the listing, its key and the attribute with the name, and the rest."""

    service: str
    operation: str
    key: str
    name: str
    details: Callable[[Deployment, Resource], Resource] | None
    is_listed_whole: bool = False
    """Whether the listing has what is compared; the details are beside it then."""
    options: tuple[tuple[str, Any], ...] = ()
    tags: tuple[str, str, str] | None = None
    """Where the tags are nowhere else: their operation, its parameter, the attribute with the
    ARN.
    """


def function(state: Deployment, listed: Resource) -> Resource:
    """The environment, the concurrency, the callers and the tags of a function."""
    name = listed["FunctionName"]
    variables = listed.pop("Environment")["Variables"]  # In which an empty text is a value.
    try:
        policy = json.loads(state.call("lambda", "get_policy", FunctionName=name)["Policy"])
    except ClientError:  # None may invoke it.
        policy = {"Statement": []}
    concurrency = state.call("lambda", "get_function_concurrency", FunctionName=name)
    return {
        "environment": {key: f"={value}" for key, value in variables.items()},
        "concurrency": concurrency.get("ReservedConcurrentExecutions"),
        "callers": canonical([without(statement, {"Sid"}) for statement in policy["Statement"]]),
        "tags": tags(state.call("lambda", "list_tags", Resource=listed["FunctionArn"])["Tags"]),
    }


def role(state: Deployment, listed: Resource) -> Resource:
    """A role with its policies and tags."""
    of_role = {"RoleName": listed["RoleName"]}
    names = state.pages("iam", "list_role_policies", "PolicyNames", **of_role)
    policy = partial(state.call, "iam", "get_role_policy", **of_role)
    return {
        **canonical(without(state.call("iam", "get_role", **of_role)["Role"], VOLATILE)),
        "policies": {name: canonical(policy(PolicyName=name)["PolicyDocument"]) for name in names},
        "managed": state.pages("iam", "list_attached_role_policies", "AttachedPolicies", **of_role),
        "tags": tags(state.pages("iam", "list_role_tags", "Tags", **of_role)),
    }


def managed_policy(state: Deployment, listed: Resource) -> Resource:
    """The document of a managed policy, and its tags."""
    policy = state.call("iam", "get_policy", PolicyArn=listed["Arn"])["Policy"]
    version = {"PolicyArn": listed["Arn"], "VersionId": policy["DefaultVersionId"]}
    document = state.call("iam", "get_policy_version", **version)["PolicyVersion"]["Document"]
    own = select(policy, "Path", "Description", "AttachmentCount")
    return {**own, "document": canonical(document), "tags": tags(policy.get("Tags", []))}


def profile(_: Deployment, listed: Resource) -> Resource:
    """The roles of an instance profile."""
    return {"Roles": [member["RoleName"] for member in listed["Roles"]]}


def queue(state: Deployment, listed: Resource) -> Resource:
    """The attributes and tags of a queue."""
    url = {"QueueUrl": listed["url"]}
    said = state.call("sqs", "get_queue_attributes", **url, AttributeNames=["All"])
    times = {key for key in said["Attributes"] if key.endswith("Timestamp")}
    own = tags(state.call("sqs", "list_queue_tags", **url).get("Tags", {}))
    return {**canonical(without(said["Attributes"], times)), "tags": own}


def rule(state: Deployment, listed: Resource) -> Resource:
    """The targets and the tags of a rule."""
    targets = state.pages("events", "list_targets_by_rule", "Targets", Rule=listed["Name"])
    own = state.call("events", "list_tags_for_resource", ResourceARN=listed["Arn"])["Tags"]
    return {"targets": canonical(targets), "tags": tags(own)}


def table(state: Deployment, listed: Resource) -> Resource:
    """A table of DynamoDB."""
    of_table = {"TableName": listed["name"]}
    said = state.call("dynamodb", "describe_table", **of_table)["Table"]
    backups = state.call("dynamodb", "describe_continuous_backups", **of_table)
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    expiry = state.call("dynamodb", "describe_time_to_live", **of_table)["TimeToLiveDescription"]
    own = state.call("dynamodb", "list_tags_of_resource", ResourceArn=said["TableArn"])["Tags"]
    return {
        **select(said, *TABLE, "SSEDescription"),
        "indexes": [select(index, *INDEX) for index in said.get("GlobalSecondaryIndexes", [])],
        "billing": said["BillingModeSummary"]["BillingMode"],
        "expires": expiry,
        "recovery": recovery["PointInTimeRecoveryStatus"],
        "tags": tags(own),
    }


def cluster(state: Deployment, listed: Resource) -> Resource:
    """The settings and the tags of a cluster of ECS."""
    parts = {"clusters": [listed["arn"]], "include": ["TAGS", "SETTINGS"]}
    (said,) = state.call("ecs", "describe_clusters", **parts)["clusters"]
    return {"settings": said["settings"], "tags": tags(said.get("tags", []))}


def launch_template(state: Deployment, listed: Resource) -> Resource:
    """What a template launches; its own tags, and those of what it launches."""
    name = state.name(listed["LaunchTemplateId"], listed["LaunchTemplateName"])
    versions = state.call("ec2", "describe_launch_template_versions", LaunchTemplateName=name)
    (version,) = versions["LaunchTemplateVersions"]
    data = version["LaunchTemplateData"]
    launched = {part["ResourceType"]: tags(part["Tags"]) for part in data.pop("TagSpecifications")}
    return {**canonical(data), "launched": launched, "tags": tags(listed.get("Tags", []))}


def group(_: Deployment, listed: Resource) -> Resource:
    """The sizes, the template, the subnets and the tags of a group of instances."""
    own = {tag["Key"]: select(tag, "Value", "PropagateAtLaunch") for tag in listed["Tags"]}
    return {
        **select(listed, "MinSize", "MaxSize", "DesiredCapacity"),
        "template": select(listed["LaunchTemplate"], "LaunchTemplateId", "Version"),
        "subnets": sorted(listed["VPCZoneIdentifier"].split(",")),
        "tags": {key: tag for key, tag in own.items() if not key.startswith("aws:")},
    }


def dashboard(state: Deployment, listed: Resource) -> Resource:
    """The widgets of a dashboard, by their titles."""
    said = state.call("cloudwatch", "get_dashboard", DashboardName=listed["DashboardName"])
    widgets = json.loads(said["DashboardBody"])["widgets"]
    return {widget["properties"]["title"]: canonical(widget) for widget in widgets}


def usage_plan(state: Deployment, listed: Resource) -> Resource:
    """The keys and the tags of a usage plan."""
    of_plan = {"usagePlanId": listed.pop("id")}
    keys = state.pages("apigateway", "get_usage_plan_keys", "items", **of_plan)
    return {"keys": [key["id"] for key in keys], "tags": tags(listed["tags"])}


def api_key(state: Deployment, listed: Resource) -> Resource:
    """The description and the tags of a key."""
    state.name(listed["id"], listed["name"] + "-key")
    return {**select(listed, "description", "enabled"), "tags": tags(listed["tags"])}


def target_group(state: Deployment, listed: Resource) -> Resource:
    """The health check, the delay and the tags of a target group."""
    arn, call = listed.pop("TargetGroupArn"), partial(state.call, "elbv2")
    state.name(arn, listed["TargetGroupName"])
    said = call("describe_target_group_attributes", TargetGroupArn=arn)["Attributes"]
    (own,) = call("describe_tags", ResourceArns=[arn])["TagDescriptions"]
    delay = [each for each in said if each["Key"].startswith("deregistration_delay")]
    return {"delay": delay, "tags": tags(own["Tags"])}


def load_balancer(state: Deployment, listed: Resource) -> Resource:
    """The listeners and rules of a load balancer, without the actions of the rules."""
    arn, read = {"LoadBalancerArn": listed["LoadBalancerArn"]}, partial(state.pages, "elbv2")
    state.name(listed["DNSName"], f"address of {listed['LoadBalancerName']}")
    said = state.call("elbv2", "describe_load_balancer_attributes", **arn)["Attributes"]
    (own,) = state.call("elbv2", "describe_tags", ResourceArns=[*arn.values()])["TagDescriptions"]
    listeners = read("describe_listeners", "Listeners", **arn)
    rules = {
        state.name(rule["RuleArn"], f"rule {rule['Priority']}"): canonical(rule["Conditions"])
        for listener in listeners
        for rule in read("describe_rules", "Rules", ListenerArn=listener["ListenerArn"])
    }
    return {
        **select(listed, "Scheme", "Type", "SecurityGroups", "AvailabilityZones"),
        "listeners": [select(each, "Port", "Protocol", "DefaultActions") for each in listeners],
        "rules": rules,
        "headers": [each for each in said if "invalid_header" in each["Key"]],
        "tags": tags(own["Tags"]),
    }


_IAM, _EC2, _GROUPS = "InstanceProfile", "LaunchTemplate", "AutoScalingGroup"
KINDS = {
    "functions": Kind("lambda", "list_functions", "Functions", "FunctionName", function, True),
    "mappings": Kind(
        *("lambda", "list_event_source_mappings", "EventSourceMappings", "EventSourceArn"),
        *(None, True, (), ("list_tags", "Resource", "EventSourceMappingArn")),
    ),
    "roles": Kind("iam", "list_roles", "Roles", "RoleName", role),
    "policies": Kind(
        *("iam", "list_policies", "Policies", "PolicyName", managed_policy),
        options=(("Scope", "Local"),),
    ),
    "profiles": Kind("iam", "list_instance_profiles", f"{_IAM}s", f"{_IAM}Name", profile),
    "log groups": Kind(
        *("logs", "describe_log_groups", "logGroups", "logGroupName", None, True, ()),
        ("list_tags_for_resource", "resourceArn", "arn"),
    ),
    "queues": Kind("sqs", "list_queues", "QueueUrls", "url", queue),
    "alarms": Kind(
        *("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName", None, True, ()),
        ("list_tags_for_resource", "ResourceARN", "AlarmArn"),
    ),
    "dashboards": Kind(
        *("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName", dashboard)
    ),
    "rules": Kind("events", "list_rules", "Rules", "Name", rule, True),
    "tables": Kind("dynamodb", "list_tables", "TableNames", "name", table),
    "clusters": Kind("ecs", "list_clusters", "clusterArns", "arn", cluster),
    "templates": Kind(
        "ec2", "describe_launch_templates", f"{_EC2}s", f"{_EC2}Name", launch_template
    ),
    "groups": Kind(
        *("autoscaling", "describe_auto_scaling_groups", f"{_GROUPS}s", f"{_GROUPS}Name", group)
    ),
    "target groups": Kind(
        "elbv2", "describe_target_groups", "TargetGroups", "TargetGroupName", target_group, True
    ),
    "load balancers": Kind(
        "elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerName", load_balancer
    ),
    "keys": Kind("apigateway", "get_api_keys", "items", "name", api_key),
    "plans": Kind("apigateway", "get_usage_plans", "items", "name", usage_plan, True),
}


ATTRIBUTE = ("ec2", "describe_vpc_attribute")
ATTRIBUTES = {"EnableDnsSupport": "enableDnsSupport", "EnableDnsHostnames": "enableDnsHostnames"}


def network(state: Deployment) -> dict[str, Any]:
    """The VPCs that have a name, and what is in them, each by its name."""
    found: dict[str, Any] = {}
    for vpc in state.pages("ec2", "describe_vpcs", "Vpcs"):
        if vpc.get("Tags"):  # Not the account's own.
            found[state.name(vpc["VpcId"], tags(vpc["Tags"])["Name"])] = {
                **{kind: content(state, vpc["VpcId"], kind) for kind in CONTENT},
                **{
                    key: canonical(state.call(*ATTRIBUTE, VpcId=vpc["VpcId"], Attribute=name)[key])
                    for key, name in ATTRIBUTES.items()
                },
                "CidrBlock": vpc["CidrBlock"],
                "tags": tags(vpc["Tags"]),
            }
    return found


def content(state: Deployment, vpc: str, kind: str) -> dict[str, Any]:
    """The resources of a kind in a VPC that have a name."""
    operation, key, number, where, read = CONTENT[kind]
    found = {}
    options = {"Filters": [{"Name": where, "Values": [vpc]}]}
    for resource in state.pages("ec2", operation, key, **options):
        if own := tags(resource.get("Tags", [])):
            name = state.name(resource[number], f"{own['Name']} ({kind})")
            found[name] = {**read(resource), "tags": own}
    return found


def ports(way: Mapping[str, Any]) -> str:
    """The protocol and the ports of a rule of a security group."""
    protocol = way["IpProtocol"]
    return "all" if protocol == "-1" else f"{protocol} {way['FromPort']}-{way['ToPort']}"


CONTENT: dict[str, tuple[str, str, str, str, Callable[[Resource], Resource]]] = {
    "subnets": (
        *("describe_subnets", "Subnets", "SubnetId", "vpc-id"),
        lambda subnet: select(subnet, *SUBNET),
    ),
    "gateways": (
        *("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        *("attachment.vpc-id", lambda _: {}),
    ),
    "tables": (
        *("describe_route_tables", "RouteTables", "RouteTableId", "vpc-id"),
        lambda routes: {
            "routes": [
                select(way, "DestinationCidrBlock", "GatewayId") for way in routes["Routes"]
            ],
            "subnets": [way.get("SubnetId") for way in routes.get("Associations", [])],
        },
    ),
    "groups": (
        *("describe_security_groups", "SecurityGroups", "GroupId", "vpc-id"),
        lambda security_group: {
            **select(security_group, "GroupName", "Description", "IpPermissions"),
            "out": {ports(way): way for way in security_group["IpPermissionsEgress"]},
        },
    ),
}


def rest_apis(state: Deployment) -> dict[str, Any]:
    """The REST APIs with everything in them, and the role with which API Gateway writes logs."""
    account = state.call("apigateway", "get_account").get("cloudwatchRoleArn")
    found: dict[str, Any] = {"account": account}
    for api in state.pages("apigateway", "get_rest_apis", "items"):

        def parts(operation: str, number: str = api["id"], **options: Any) -> list[Resource]:
            answer = state.call("apigateway", operation, restApiId=number, **options)
            return answer.get("items", answer.get("item"))

        valid = {part["id"]: select(part, *VALIDATOR) for part in parts("get_request_validators")}
        found[state.name(api["id"], api["name"])] = {
            **select(api, "description", "apiKeySource"),
            # The stack's policy names the API relatively.
            "policy": re.sub(
                *(rf"arn:[\w:-]+:{api['id']}/", "execute-api:/"),
                json.loads('"' + api.get("policy", "") + '"'),
            ),
            "endpoint": api["endpointConfiguration"].get("types"),
            "tags": tags(api["tags"]),
            "routes": {
                f"{verb} {path['path']}": {
                    **select(method, *METHOD),
                    "validator": valid.get(method.get("requestValidatorId", "")),
                    "integration": select(method["methodIntegration"], *INTEGRATION),
                }
                for path in parts("get_resources", embed=["methods"], limit=500)
                for verb, method in path.get("resourceMethods", {}).items()
            },
            "validators": list(valid.values()),
            "models": {
                model["name"]: select(model, "description", "contentType", "schema")
                for model in parts("get_models", limit=500)
            },
            "responses": {
                response["responseType"]: select(response, *RESPONSE)
                for response in parts("get_gateway_responses")
            },
            "deployments": canonical([own.get("description") for own in parts("get_deployments")]),
            "stages": {
                stage["stageName"]: {
                    **select(stage, *STAGE),
                    "settings": {
                        path: select(settings, *THROTTLING, "loggingLevel", "metricsEnabled")
                        for path, settings in stage["methodSettings"].items()
                    },
                    "tags": tags(stage["tags"]),
                }
                for stage in parts("get_stages")
            },
        }
    return found


def select(resource: Mapping[str, Any], *keys: str) -> Resource:
    """The values of these keys, empty ones as None: the emulator returns or omits them."""
    return {key: canonical(resource.get(key)) for key in keys}


def without(resource: Mapping[str, Any], keys: Iterable[str]) -> Resource:
    """A resource without some keys."""
    return {key: value for key, value in resource.items() if key not in keys}


def tags(found: Any) -> dict[str, str]:
    """Tags as a mapping, without those that AWS adds: those of a stack's name and id."""
    if not isinstance(found, Mapping):
        pairs = ({key.lower(): value for key, value in tag.items()} for tag in found)
        found = {pair["key"]: pair["value"] for pair in pairs}
    return {key: value for key, value in found.items() if not key.startswith("aws:")}


def canonical(value: Any) -> Any:
    """A value in one form: JSON as objects, numbers as texts, lists sorted, nothing empty."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return value  # With variables that API Gateway fills in.
    if isinstance(value, Mapping):
        parts = {key: canonical(member) for key, member in value.items()}
        return {key: member for key, member in parts.items() if member is not None} or None
    if isinstance(value, list):
        members = sorted(map(canonical, value), key=partial(json.dumps, sort_keys=True))
        if members and all(isinstance(member, dict) and "Sid" in member for member in members):
            return {member["Sid"]: member for member in members}
        return (members[0] if len(members) == 1 else members) or None
    return json.dumps(value) if isinstance(value, (bool, int, float)) else value or None

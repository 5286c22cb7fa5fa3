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

from .inventory import LISTINGS, pages

Resource = dict[str, Any]

VOLATILE = {
    *("Arn", "CreateDate", "CreatedBy", "LastModified", "ResponseMetadata", "RevisionId"),
    *("CodeSha256", "CodeSize", "PolicyId", "RoleId", "UpdateDate", "DefaultVersionId", "Version"),
    *("EventSourceMappingArn", "LastProcessingResult", "RoleLastUsed", "UUID"),
    *("arn", "creationTime", "logGroupArn", "storedBytes", "Tags", "tags", "LoadBalancerArns"),
    *("StateValue", "StateReason", "StateReasonData", "StateUpdatedTimestamp"),
    *("StateTransitionedTimestamp", "AlarmConfigurationUpdatedTimestamp"),
    *("CreatedTimestamp", "LastModifiedTimestamp"),
}
METHOD = ("authorizationType", "apiKeyRequired", "requestModels", "requestParameters")
INTEGRATION = ("type", "httpMethod", "uri", "timeoutInMillis", "passthroughBehavior")
MODEL = ("description", "contentType", "schema")
RESPONSE = ("statusCode", "responseParameters", "responseTemplates", "defaultResponse")
VALIDATOR = ("name", "validateRequestBody", "validateRequestParameters")
STAGE = ("description", "tracingEnabled", "cacheClusterEnabled", "variables", "accessLogSettings")
THROTTLING = ("throttlingRateLimit", "throttlingBurstLimit", "cachingEnabled", "dataTraceEnabled")
GROUP = ("MinSize", "MaxSize", "DesiredCapacity")
SUBNET = ("CidrBlock", "AvailabilityZone", "MapPublicIpOnLaunch", "VpcId")
SECURITY_GROUP = ("GroupName", "Description", "IpPermissions", "VpcId")
BALANCER = ("Scheme", "Type", "SecurityGroups", "AvailabilityZones")
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
        listing = LISTED[kind.call]
        attribute = kind.name or listing.id
        for listed in self.pages(listing.service, kind.call, listing.key, **dict(kind.options)):
            resource = listed if isinstance(listed, dict) else {attribute: listed}
            answer = resource
            if kind.tagged:
                operation, parameter = TAGS[listing.service]
                arn = resource[kind.tagged].removesuffix(":*")
                number = [arn] if parameter == "ResourceArns" else arn
                answer = self.call(listing.service, operation, **{parameter: number})
                answer = answer.get("TagDescriptions", [answer])[0]
            own = tags(answer.get("Tags", answer.get("tags", [])))
            name = resource[attribute].rpartition("/")[2]
            if attribute in EC2_IDS:
                if "Name" not in own:
                    continue  # It is the account's own.
                name = self.name(name, own["Name"])
            details = kind.details(self, resource) if kind.details else {}
            keys = resource.keys() - VOLATILE if kind.keys is None else kind.keys
            found[name] = {"tags": own, **select(resource, *keys), **details}
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
    """A kind of resource: its listing, as the inventory has it, and what is compared."""

    call: str
    details: Callable[[Deployment, Resource], Resource] | None = None
    """What the listing does not show."""
    keys: tuple[str, ...] | None = None
    """What is compared of the listing: all but what is volatile, if None."""
    name: str = ""
    """The attribute with the name, where it is not that of the inventory."""
    tagged: str = ""
    """The attribute with which the tags are listed, where they are nowhere else."""
    options: tuple[tuple[str, Any], ...] = ()


def function(state: Deployment, listed: Resource) -> Resource:
    """The environment, the concurrency and the callers of a function."""
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
    }


def role(state: Deployment, listed: Resource) -> Resource:
    """A role with its policies."""
    of_role = {"RoleName": listed["RoleName"]}
    names = state.pages("iam", "list_role_policies", "PolicyNames", **of_role)
    policy = partial(state.call, "iam", "get_role_policy", **of_role)
    return {
        **canonical(without(state.call("iam", "get_role", **of_role)["Role"], VOLATILE)),
        "policies": {name: canonical(policy(PolicyName=name)["PolicyDocument"]) for name in names},
        "managed": state.pages("iam", "list_attached_role_policies", "AttachedPolicies", **of_role),
    }


def managed_policy(state: Deployment, listed: Resource) -> Resource:
    """The document and the tags of a managed policy."""
    policy = state.call("iam", "get_policy", PolicyArn=listed["Arn"])["Policy"]
    version = {"PolicyArn": listed["Arn"], "VersionId": policy["DefaultVersionId"]}
    document = state.call("iam", "get_policy_version", **version)["PolicyVersion"]["Document"]
    own = select(policy, "Path", "Description", "AttachmentCount")
    return {**own, "document": canonical(document), "tags": tags(policy.get("Tags", []))}


def profile(_: Deployment, listed: Resource) -> Resource:
    """The roles of an instance profile."""
    return {"Roles": [member["RoleName"] for member in listed["Roles"]]}


def queue(state: Deployment, listed: Resource) -> Resource:
    """The attributes of a queue."""
    url = {"QueueUrl": listed["url"]}
    said = state.call("sqs", "get_queue_attributes", **url, AttributeNames=["All"])
    return canonical(without(said["Attributes"], VOLATILE))


def rule(state: Deployment, listed: Resource) -> Resource:
    """The targets of a rule."""
    targets = state.pages("events", "list_targets_by_rule", "Targets", Rule=listed["Name"])
    return {"targets": canonical(targets)}


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
    """The settings of a cluster of ECS."""
    settings = {"clusters": [listed["arn"]], "include": ["SETTINGS"]}
    (said,) = state.call("ecs", "describe_clusters", **settings)["clusters"]
    return {"settings": said["settings"]}


def launch_template(state: Deployment, listed: Resource) -> Resource:
    """What a template launches, and the tags of that."""
    name = state.name(listed["LaunchTemplateId"], listed["LaunchTemplateName"])
    versions = state.call("ec2", "describe_launch_template_versions", LaunchTemplateName=name)
    (version,) = versions["LaunchTemplateVersions"]
    data = version["LaunchTemplateData"]
    launched = {part["ResourceType"]: tags(part["Tags"]) for part in data.pop("TagSpecifications")}
    return {**canonical(data), "launched": launched}


def group(_: Deployment, listed: Resource) -> Resource:
    """The template, the subnets and the tags of a group of instances."""
    own = {tag["Key"]: select(tag, "Value", "PropagateAtLaunch") for tag in listed["Tags"]}
    return {
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
    """The names of the keys of a usage plan."""
    of_plan = {"usagePlanId": listed.pop("id")}
    keys = state.pages("apigateway", "get_usage_plan_keys", "items", **of_plan)
    return {"keys": [state.name(key["id"], key["name"]) for key in keys]}


def target_group(state: Deployment, listed: Resource) -> Resource:
    """The delay of a target group."""
    state.name(arn := listed["TargetGroupArn"], listed["TargetGroupName"])
    said = state.call("elbv2", "describe_target_group_attributes", TargetGroupArn=arn)["Attributes"]
    return {"delay": [each for each in said if each["Key"].startswith("deregistration_delay")]}


def load_balancer(state: Deployment, listed: Resource) -> Resource:
    """The listeners and rules of a load balancer, without the actions of the rules."""
    arn, read = {"LoadBalancerArn": listed["LoadBalancerArn"]}, partial(state.pages, "elbv2")
    state.name(listed["DNSName"], f"address of {listed['LoadBalancerName']}")
    said = state.call("elbv2", "describe_load_balancer_attributes", **arn)["Attributes"]
    listeners = read("describe_listeners", "Listeners", **arn)
    rules = {
        state.name(rule["RuleArn"], f"rule {rule['Priority']}"): canonical(rule["Conditions"])
        for listener in listeners
        for rule in read("describe_rules", "Rules", ListenerArn=listener["ListenerArn"])
    }
    return {
        "listeners": [select(each, "Port", "Protocol", "DefaultActions") for each in listeners],
        "rules": rules,
        "headers": [each for each in said if "invalid_header" in each["Key"]],
    }


def vpc(state: Deployment, listed: Resource) -> Resource:
    """Whether a VPC has names of DNS."""
    of_vpc = partial(state.call, "ec2", "describe_vpc_attribute", VpcId=listed["VpcId"])
    keys = ("EnableDnsSupport", "EnableDnsHostnames")
    return {key: canonical(of_vpc(Attribute=f"e{key[1:]}")[key]) for key in keys}


def route_table(_: Deployment, listed: Resource) -> Resource:
    """The routes and the subnets of a route table."""
    routes = [select(route, "DestinationCidrBlock", "GatewayId") for route in listed["Routes"]]
    subnets = [each.get("SubnetId") for each in listed.get("Associations", [])]
    return {"routes": routes, "subnets": subnets}


def security_group(_: Deployment, listed: Resource) -> Resource:
    """What a security group lets out, by protocol and ports."""
    out = listed["IpPermissionsEgress"]
    ways = {f"{way['IpProtocol']} {way.get('FromPort')}-{way.get('ToPort')}": way for way in out}
    return {"out": ways}


EC2_IDS = ("VpcId", "SubnetId", "InternetGatewayId", "RouteTableId", "GroupId")
"""The ids of resources whose name is a tag."""

LISTED = {listing.call: listing for listing in LISTINGS}
TAGS = {
    **dict.fromkeys(("cloudwatch", "events"), ("list_tags_for_resource", "ResourceARN")),
    **dict.fromkeys(("ecs", "logs"), ("list_tags_for_resource", "resourceArn")),
    "elbv2": ("describe_tags", "ResourceArns"),
    "iam": ("list_role_tags", "RoleName"),
    "lambda": ("list_tags", "Resource"),
    "sqs": ("list_queue_tags", "QueueUrl"),
}
"""What lists tags, and its parameter."""

KINDS = {
    "functions": Kind("list_functions", function, tagged="FunctionArn"),
    "mappings": Kind(
        "list_event_source_mappings", name="EventSourceArn", tagged="EventSourceMappingArn"
    ),
    "roles": Kind("list_roles", role, (), tagged="RoleName"),
    "policies": Kind("list_policies", managed_policy, (), options=(("Scope", "Local"),)),
    "profiles": Kind("list_instance_profiles", profile, ()),
    "log groups": Kind("describe_log_groups", tagged="arn"),
    "queues": Kind("list_queues", queue, (), "url", "url"),
    "alarms": Kind("describe_alarms", tagged="AlarmArn"),
    "dashboards": Kind("list_dashboards", dashboard, ()),
    "rules": Kind("list_rules", rule, tagged="Arn"),
    "tables": Kind("list_tables", table, (), "name"),
    "clusters": Kind("list_clusters", cluster, (), "arn", "arn"),
    "templates": Kind("describe_launch_templates", launch_template, ()),
    "groups": Kind("describe_auto_scaling_groups", group, GROUP),
    "target groups": Kind("describe_target_groups", target_group, tagged="TargetGroupArn"),
    "load balancers": Kind(
        "describe_load_balancers", load_balancer, BALANCER, tagged="LoadBalancerArn"
    ),
    "keys": Kind("get_api_keys", None, ("description", "enabled"), "name"),
    "plans": Kind("get_usage_plans", usage_plan, None, "name"),
    "VPCs": Kind("describe_vpcs", vpc, ("CidrBlock",)),
    "subnets": Kind("describe_subnets", None, SUBNET),
    "gateways": Kind("describe_internet_gateways", None, ("Attachments",)),
    "routes": Kind("describe_route_tables", route_table, ("VpcId",)),
    "security groups": Kind("describe_security_groups", security_group, SECURITY_GROUP),
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
                part["name"]: select(part, *MODEL) for part in parts("get_models", limit=500)
            },
            "responses": {
                part["responseType"]: select(part, *RESPONSE)
                for part in parts("get_gateway_responses")
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

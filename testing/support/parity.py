"""Says of the CloudFormation templates and of a Terraform plan what each makes, in the same words,
so that they can be compared.

The words are Terraform's, since there each thing has a name of its own; the names are
CloudFormation's logical ids. What only AWS knows (an id) is the name of what it is of. Everything
here is pure: templates, plan and sources go in, dictionaries come out.
"""

import base64
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from support import parity_api, parity_fleet
from support.cloudformation import Stack, identifier
from support.parity_list import (
    ADDRESSES,
    FOLDED,
    MODULES,
    PARTS,
    RETAINED,
    TYPES,
    WITHOUT_COUNTERPART,
)
from support.terraform import Plan, Reference, Resource

OWNERSHIP = "ecs-updater"
"""The tag that says which deployment a resource belongs to: a tag of the stacks here, a default of
the provider there.
"""

_NAMES = {address: name for name, address in ADDRESSES.items()}
_CLOUDFORMATION_TYPES = {
    terraform: cloudformation for cloudformation, (terraform, _) in TYPES.items()
}
_ATTRIBUTES = {
    "arn": "Arn",
    "id": "Ref",
    "name": "Ref",
    "url": "Ref",
    "latest_version": "LatestVersionNumber",
    "root_resource_id": "RootResourceId",
}
_POLICIES = ("DeletionPolicy", "UpdateReplacePolicy")
_AS_THEY_ARE = {
    *("variables", "event_pattern", "schema", "redrive_policy", "redrive_allow_policy"),
    *("request_models", "request_parameters", "response_parameters", "response_templates"),
}  # Their keys are no property's name.


class Unlisted(Exception):
    """One side has what the list of resources does not know; the text says so."""


def stacks(
    templates: Mapping[str, Any], variables: Mapping[str, Any], pseudo: Mapping[str, str]
) -> dict[str, Stack]:
    """Returns the stacks that the same values make as these of the root module's variables, wired
    as the scripts wire them.
    """
    made: dict[str, Stack] = {}
    for template, (_, suffix) in MODULES.items():
        wired: dict[str, Any] = {}
        if template == "02-ecs.yml":  # Outputs of the network.
            wired = {"SubnetIds": "SubnetA,SubnetB", "TaskSecurityGroupId": "TaskSecurityGroup"}
        elif template == "02-ledger.yml":  # Outputs of the cluster.
            outputs = made["02-ecs.yml"].outputs
            roles = [
                outputs["TaskExecutionRoleArn"]["Value"],
                *variables.get("passable_role_arns", []),
            ]
            wired = {
                "ClusterName": outputs["ClusterName"]["Value"],
                "PassableRoleArns": ",".join(roles),
            }
        elif template == "03-lambda.yml":  # What the ledger has, and its outputs.
            given_before = made["02-ledger.yml"].parameters
            wired = {name: given_before[name] for name in ("ClusterName", "PassableRoleArns")}
            outputs = made["02-ledger.yml"].outputs
            wired |= {
                name: outputs[name]["Value"] for name in ("LedgerTableName", "LedgerClusterName")
            }
        elif template == "04-api.yml":  # Outputs of the function and of the ledger.
            outputs = made["03-lambda.yml"].outputs | made["02-ledger.yml"].outputs
            there = {
                "UpdaterRoleArn": "FunctionRoleArn",
                "UpdaterLogGroupName": "FunctionLogGroupName",
                "UpdaterClusterName": "FunctionClusterName",
            }
            wired = {
                name: outputs[there.get(name, name)]["Value"]
                for name in (*there, "LedgerTableName", "LedgerClusterName")
            }
        elif template == "05-fleet.yml":  # What the function has.
            given_before = made["03-lambda.yml"].parameters
            names = ("ClusterName", "LedgerTableName", "LedgerClusterName", "PassableRoleArns")
            wired = {name: given_before[name] for name in names}
        names = [name for name in templates[template]["Parameters"] if snake(name) in variables]
        given = {name: _parameter(variables[snake(name)]) for name in names}
        name = {"AWS::StackName": f"{variables.get('stack_name', 'ecs-updater')}{suffix}"}
        made[template] = Stack(
            templates[template], {**given, **wired, **pseudo, **name}, by_name=True
        )
    return made


def _parameter(value: Any) -> Any:
    """A variable's value as a parameter's, which is a text or a number."""
    return (
        ",".join(value)
        if isinstance(value, list)
        else json.dumps(value)
        if isinstance(value, bool)
        else value
    )


# What is made


def made_by_stacks(all_stacks: Mapping[str, Stack]) -> dict[str, Any]:
    """Returns every resource of the stacks by its name: its type and what the template says of
    it.
    """
    described = {
        name: one for stack in all_stacks.values() for name, one in stack.resources.items()
    }
    found: dict[str, Any] = {}
    for name, one in described.items():
        if unknown := one.keys() - {"Type", "Properties", "DependsOn", "Metadata", *_POLICIES}:
            raise Unlisted(f"{name} has {', '.join(unknown)}, of which Terraform knows nothing")
        if {key: one[key] for key in _POLICIES if key in one} != RETAINED.get(name, ({}, ""))[0]:
            raise Unlisted(f"{name} is not retained as the list says")
        if one["Type"] not in TYPES.keys() | FOLDED.keys():
            raise Unlisted(f"{name} is {one['Type']}, which has no counterpart in the list")
        if one["Type"] not in FOLDED:
            found |= _described(name, one["Type"], dict(one.get("Properties", {})))
    for one in described.values():
        if one["Type"] in FOLDED:
            owner, attribute = FOLDED[one["Type"]]
            found[one["Properties"][owner]][attribute] = one["Properties"][camel(attribute)]
    return without_unseen({name: canonical(said) for name, said in found.items()})


def _described(
    name: str, resource_type: str, properties: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """A resource and those that its parts are in Terraform."""
    found = _parts(name, resource_type, properties)
    for part, (kind, of_it) in parity_api.parts(name, resource_type, properties).items():
        found[part] = {"type": kind, **_in_terraforms_words(of_it, {})}
    # Its own tags; those in its data are of what it makes.
    if resource_type == "AWS::EC2::LaunchTemplate":
        (own,) = properties.pop("TagSpecifications")
        properties["Tags"] = own["Tags"]
    if resource_type == "AWS::DynamoDB::Table":
        _table_in_terraforms_words(properties)
    terraform_type, renamed = TYPES[resource_type]
    kept = {
        key: value
        for key, value in properties.items()
        if (resource_type, key) not in WITHOUT_COUNTERPART
    }
    # Terraform says -1 where CloudFormation says nothing: the function has no concurrency of its
    # own.
    unsaid = (
        {"reserved_concurrent_executions": -1} if resource_type == "AWS::Lambda::Function" else {}
    )
    return found | {name: {"type": terraform_type, **unsaid, **_in_terraforms_words(kept, renamed)}}


def _table_in_terraforms_words(properties: dict[str, Any]) -> None:
    """Says of the keys of a table and of its indexes, and of its attributes, what Terraform says: a
    key is an attribute's name.
    """
    indexes = [dict(one) for one in properties.get("GlobalSecondaryIndexes", [])]
    for one in (properties, *indexes):
        for key in one.pop("KeySchema"):
            one[f"{key['KeyType'].capitalize()}Key"] = key["AttributeName"]
    properties["GlobalSecondaryIndexes"] = indexes
    attributes = properties.pop("AttributeDefinitions")
    properties["Attribute"] = [
        {"Name": one["AttributeName"], "Type": one["AttributeType"]} for one in attributes
    ]


def made_by_plan(plan: Plan, pseudo: Mapping[str, str]) -> dict[str, Any]:
    """Returns every resource of the plan by its name: its type and what the configuration says of
    it.
    """
    said = {
        _name_of(address): _said(resource, plan, pseudo)
        for address, resource in plan.resources.items()
    }
    return without_unseen(said)


def outputs_of_stacks(all_stacks: Mapping[str, Stack]) -> dict[str, Any]:
    """Returns the value of every output by its name in Terraform."""
    values = {
        snake(name): canonical(one["Value"])
        for stack in all_stacks.values()
        for name, one in stack.outputs.items()
    }
    return without_unseen(values)


def outputs_of_plan(plan: Plan, pseudo: Mapping[str, str]) -> dict[str, Any]:
    """Returns the value of every output; a list as CloudFormation has to give it, separated by
    commas.
    """
    values = without_unseen(
        {name: _resolved(value, plan, pseudo) for name, value in plan.outputs.items()}
    )
    return {
        name: ",".join(value) if isinstance(value, list) else canonical(value)
        for name, value in values.items()
    }


def statements(made: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Returns every statement of every policy of roles and users: its name in the list, the
    statement's own, and the statement.
    """
    policies = {
        name: one["policy"]
        for name, one in made.items()
        if "policy" in one and one["type"] != "aws_sqs_queue_policy"
    }
    return [
        (name, sid, one)
        for name, policy in policies.items()
        for sid, one in policy["Statement"].items()
    ]


def _said(resource: Resource, plan: Plan, pseudo: Mapping[str, str]) -> dict[str, Any]:
    said = {
        key: one
        for key, one in resource.attributes.items()
        if (resource.type, key) not in WITHOUT_COUNTERPART
    }
    if "user_data" in said:
        said["user_data"] = base64.b64decode(said["user_data"]).decode()
    return canonical(_without_ownership({"type": resource.type, **_resolved(said, plan, pseudo)}))


def _without_ownership(value: Any) -> Any:
    """A value without the tag of ownership where it is written out: on what the provider's default
    tags do not reach.
    """
    if isinstance(value, dict):
        return {key: _without_ownership(one) for key, one in value.items() if key != OWNERSHIP}
    if isinstance(value, list):
        return [
            _without_ownership(one)
            for one in value
            if not (isinstance(one, dict) and one.get("key") == OWNERSHIP)
        ]
    return value


def _name_of(address: str) -> str:
    if address not in _NAMES:
        raise Unlisted(f"{address} is not in the list of resources")
    return _NAMES[address]


def _resolved(value: Any, plan: Plan, pseudo: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(one, plan, pseudo) for key, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, plan, pseudo) for one in value]
    if not isinstance(value, Reference):
        return value
    resource, name = plan.resources[value.address], _name_of(value.address)
    if value.attribute in resource.attributes:  # It refers to what is given to another resource.
        return _resolved(resource.attributes[value.attribute], plan, pseudo)
    own_name = resource.planned.get("function_name", resource.planned.get("name"))
    attribute = _ATTRIBUTES.get(value.attribute, value.attribute)
    known = identifier(_CLOUDFORMATION_TYPES[resource.type], attribute, own_name, pseudo)
    return known or (name if attribute == "Ref" else f"{name}.{attribute}")


def _parts(name: str, resource_type: str, properties: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What Terraform makes a resource of its own of; it is taken out of the properties."""
    found = {}
    for (owner, key), (terraform_type, back, renamed) in PARTS.items():
        if owner == resource_type:
            for number, part in enumerate(properties.pop(key, [])):
                # Terraform gives a rule the tags of its group. CloudFormation can give it none; a
                # policy has none with either.
                tags = (
                    {"Tags": properties["Tags"]}
                    if resource_type == "AWS::EC2::SecurityGroup"
                    else {}
                )
                words = _in_terraforms_words({**part, **tags}, renamed)
                whose = properties.get("RoleName", properties.get("Name", name))
                found[f"{name}.{key}[{number}]"] = {"type": terraform_type, back: whose, **words}
    return found


def _in_terraforms_words(
    properties: Mapping[str, Any], renamed: Mapping[str, str]
) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for key, value in properties.items():
        name = renamed.get(key, snake(key))
        if name == "":  # A wrapper that Terraform does not have.
            said |= _in_terraforms_words(value, renamed)
        else:
            said[name] = _value_in_terraforms_words(name, value, renamed)
    return said


def _value_in_terraforms_words(name: str, value: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(value, dict) and "Statement" not in value and name not in _AS_THEY_ARE:
        return _in_terraforms_words(value, renamed)
    if name == "tags":
        return {tag["Key"]: tag["Value"] for tag in value}
    if name == "dimensions":
        return {one["Name"]: one["Value"] for one in value}
    if isinstance(value, list):
        return [_value_in_terraforms_words("", one, renamed) for one in value]
    return value


def without_unseen(said: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what is said of resources, or of outputs, without what a plan does not show."""
    left: dict[str, Any] = json.loads(json.dumps(said))
    for path in (*parity_api.UNSEEN, *parity_fleet.UNSEEN):
        *way, last = path.split(".")
        inner: Any = left
        for step in way:
            inner = inner.get(step) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            inner.pop(last, None)
    return left


# The same value is the same text


def canonical(value: Any) -> Any:
    """Returns a value in one form: numbers and booleans as texts, statements of a policy by name, a
    lone member without list.
    """
    if isinstance(value, str) and value.startswith("{"):
        value = _loaded(value)
    if isinstance(value, dict) and "Statement" in value:
        return {
            **value,
            "Statement": dict(
                _statement(number, one) for number, one in enumerate(value["Statement"])
            ),
        }
    if isinstance(value, dict):
        return {key: canonical(one) for key, one in value.items()}
    if isinstance(value, list):
        members = sorted(map(canonical, value), key=lambda one: json.dumps(one, sort_keys=True))
        return members[0] if len(members) == 1 else members
    return json.dumps(value) if isinstance(value, (bool, int, float)) else value


def _loaded(text: str) -> Any:
    """A text as the JSON that it is; one that API Gateway has to fill in first is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _statement(number: int, statement: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A statement by its name, or its number where it has none; actions and resources are sets, of
    which one may be a text.
    """
    sets = {
        key: sorted([one] if isinstance(one, str) else one)
        for key, one in statement.items()
        if key in ("Action", "Resource")
    }
    return statement.get("Sid", str(number)), {**statement, **sets}


@cache  # Every comparison of the two sides asks for all of them.
def snake(name: str) -> str:
    """Returns a name of CloudFormation as Terraform writes it."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def camel(name: str) -> str:
    """Returns a name of Terraform as CloudFormation writes it."""
    return "".join(word.capitalize() for word in name.split("_"))

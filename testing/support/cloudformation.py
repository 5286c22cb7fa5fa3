"""Reads a CloudFormation template as CloudFormation does, as far as the project's templates need
it.

``load`` parses one, ``TEMPLATES`` has those of ``infraestructure``; ``Stack`` resolves parameters,
conditions and intrinsic functions;
``identifier`` says what AWS makes of a resource's name; ``allows`` decides whether policy
statements allow a call.
"""

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

import yaml

from .make import PROJECT

PSEUDO_PARAMETERS = {
    "AWS::AccountId": "000000000000",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackName": "a-stack",
    "AWS::URLSuffix": "amazonaws.com",
}
USUAL = {
    "ClusterName": "ECSCluster",
    "UpdaterRoleArn": "arn:aws:iam::000000000000:role/ecs-updater-eu-west-1",
    "UpdaterClusterName": "ECSCluster",
    "UpdaterLogGroupName": "/aws/lambda/ecs-updater",
    "LedgerTableName": "ecs-updater-ledger",
    "HomeAccount": "111111111111",
    "HomeRegion": "eu-west-1",
    "ExternalId": "an-external-id",
    "VpcId": "vpc-0123456789abcdef0",
    "VpcCidr": "10.42.0.0/20",
    "SubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "FleetQueueUrl": "https://sqs.eu-west-1.amazonaws.com/000000000000/ecs-updater-fleet.fifo",
    "WebAclArn": "arn:aws:wafv2:eu-west-1:000000000000:regional/webacl/api/0123-abcd",
    "RestApiId": "abc123",
    "WebhookSecretArn": "arn:aws:secretsmanager:eu-west-1:000000000000:secret:webhooks-a1B2c3",
}
"""The parameters without a default."""
_ARN = "arn:${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:%s"
_IAM_ARN = "arn:${AWS::Partition}:iam::${AWS::AccountId}:%s"
# What a reference and an attribute are, of a resource that has a name: the property with the name,
# and each made of it.
_IDENTIFIERS = {
    "AWS::ApiGateway::Model": ("Name", {"Ref": "{}"}),
    "AWS::ApiGateway::Stage": ("StageName", {"Ref": "{}"}),
    "AWS::DynamoDB::Table": ("TableName", {"Ref": "{}", "Arn": _ARN % ("dynamodb", "table/{}")}),
    "AWS::ECS::Cluster": ("ClusterName", {"Ref": "{}", "Arn": _ARN % ("ecs", "cluster/{}")}),
    "AWS::Events::Rule": ("Name", {"Ref": "{}", "Arn": _ARN % ("events", "rule/{}")}),
    "AWS::IAM::InstanceProfile": (
        "InstanceProfileName",
        {"Ref": "{}", "Arn": _IAM_ARN % "instance-profile/{}"},
    ),
    "AWS::IAM::ManagedPolicy": (
        "ManagedPolicyName",
        {"Ref": _IAM_ARN % "policy/{}", "Arn": _IAM_ARN % "policy/{}"},
    ),
    "AWS::IAM::Role": ("RoleName", {"Ref": "{}", "Arn": _IAM_ARN % "role/{}"}),
    "AWS::Lambda::Function": (
        "FunctionName",
        {"Ref": "{}", "Arn": _ARN % ("lambda", "function:{}")},
    ),
    "AWS::Logs::LogGroup": (
        "LogGroupName",
        {"Ref": "{}", "Arn": _ARN % ("logs", "log-group:{}:*")},
    ),
    "AWS::SQS::Queue": (
        "QueueName",
        {
            "Ref": "https://sqs.${AWS::Region}.${AWS::URLSuffix}/${AWS::AccountId}/{}",
            "Arn": _ARN % ("sqs", "{}"),
            "QueueName": "{}",
        },
    ),
}
_NO_VALUE = object()
_CONDITIONS = ("Condition", "Fn::Not", "Fn::Equals", "Fn::And", "Fn::Or")


class _Loader(yaml.SafeLoader):  # pylint: disable=too-many-ancestors  # They are PyYAML's.
    """A YAML loader that knows the short forms of the intrinsic functions."""


def _long_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)


def load(path: Path) -> dict[str, Any]:
    """Returns the template with every intrinsic function in its long form, and every file that it
    includes in it.
    """
    template = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # nosec: a SafeLoader
    return _with_files(template, path.parent)


def _with_files(value: Any, folder: Path) -> Any:
    """A part of a template with what `aws cloudformation package` uploads for AWS::Include and
    CloudFormation puts there.
    """
    match value:
        case {
            "Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": str() as location}}
        } if len(value) == 1:
            return json.loads((folder / location).read_text(encoding="utf-8"))
        case dict():
            return {key: _with_files(member, folder) for key, member in value.items()}
        case list():
            return [_with_files(member, folder) for member in value]
    return value


TEMPLATES = {path.name: load(path) for path in sorted((PROJECT / "infraestructure").glob("*.yml"))}


def identifier(
    resource_type: str, attribute: str, name: str | None, pseudo: Mapping[str, str]
) -> str | None:
    """Returns what a reference (``Ref``) or an attribute of a resource is, or None where its name
    does not say.
    """
    made = _IDENTIFIERS.get(resource_type, ("", {}))[1].get(attribute)
    if made is None or name is None:
        return None
    return re.sub(r"\$\{([\w:]+)}", lambda match: pseudo[match[1]], made).replace("{}", name)


@dataclass(frozen=True)
class Stack:
    """A template with values for its parameters, and for pseudo parameters where they are not to be
    the usual ones.

    A reference to a resource, and an attribute of one, resolves to what AWS makes of the resource's
    name; without a name to its logical id and to ``LogicalId.Attribute``.
    """

    template: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def pseudo(self) -> dict[str, str]:
        """The pseudo parameters."""
        return {name: self.parameters.get(name, value) for name, value in PSEUDO_PARAMETERS.items()}

    @cached_property
    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = dict(self.pseudo)
        for name, parameter in self.template.get("Parameters", {}).items():
            value = self.parameters.get(name, parameter.get("Default", USUAL.get(name)))
            assert value is not None, f"Parameter {name} must have a value"
            values[name] = (
                str(value).split(",") if parameter["Type"] == "CommaDelimitedList" else str(value)
            )
        return values

    @cached_property
    def resources(self) -> dict[str, Any]:
        """The resources as CloudFormation would make them, by logical id."""
        return self._made("Resources")

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """The outputs as CloudFormation would give them, by name."""
        return self._made("Outputs")

    def _made(self, section: str) -> dict[str, Any]:
        """Returns the members of a section whose condition holds."""
        made = {}
        for name, declared in self.template[section].items():
            if "Condition" not in declared or self._is_true("Condition", declared["Condition"]):
                made[name] = self.resolve(
                    {key: part for key, part in declared.items() if key != "Condition"}
                )
        return made

    def of_type(self, resource_type: str) -> list[dict[str, Any]]:
        """Returns the properties of every resource of a type."""
        return [
            resource["Properties"]
            for resource in self.resources.values()
            if resource["Type"] == resource_type
        ]

    @property
    def statements(self) -> list[dict[str, Any]]:
        """The policy statements of the only role."""
        (role,) = self.of_type("AWS::IAM::Role")
        return [
            statement
            for policy in role["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]

    def resolve(self, value: Any) -> Any:
        """Returns a part of the template with its intrinsic functions resolved, and what has no
        value left out.
        """
        if isinstance(value, list):
            return [member for member in map(self.resolve, value) if member is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if (name in ("Ref", "Condition") and isinstance(argument, str)) or name.startswith(
                "Fn::"
            ):
                return self._function(name, argument)
        resolved = {key: self.resolve(member) for key, member in value.items()}
        return {key: member for key, member in resolved.items() if member is not _NO_VALUE}

    def _function(self, name: str, argument: Any) -> Any:  # pylint: disable=too-many-return-statements  # One per function.
        if name in _CONDITIONS:
            return self._is_true(name, argument)
        if name in ("Ref", "Fn::GetAtt", "Fn::Sub"):
            return self._referred(name, argument)
        match name, argument:
            case "Fn::If", [condition, yes, no]:
                return self.resolve(yes if self._is_true("Condition", condition) else no)
            case "Fn::Join", [separator, parts]:
                return separator.join(self.resolve(parts))
            case "Fn::FindInMap", _:
                return reduce(
                    lambda inner, key: inner[key], self.resolve(argument), self.template["Mappings"]
                )
            case "Fn::Select", [index, members]:
                return self.resolve(members)[int(index)]
            case "Fn::Split", [separator, text]:
                return self.resolve(text).split(separator)
            case "Fn::Cidr", [network, count, bits]:
                return list(
                    map(
                        str,
                        ipaddress.ip_network(self.resolve(network)).subnets(new_prefix=32 - bits),
                    )
                )[:count]
            case "Fn::GetAZs", region:
                return [
                    f"{self.resolve(region) or self.pseudo['AWS::Region']}{letter}"
                    for letter in "abc"
                ]
            case "Fn::Base64", text:
                return self.resolve(text)  # As a person reads it.
        raise NotImplementedError(f"{name} {argument}")

    def _is_true(self, name: str, argument: Any) -> bool:
        match name, argument:
            case "Condition", condition:
                return self.resolve(self.template["Conditions"][condition])
            case "Fn::Not", [negated]:
                return not self.resolve(negated)
            case "Fn::Equals", [value, other]:
                return str(self.resolve(value)) == str(self.resolve(other))
            case (("Fn::And" | "Fn::Or"), conditions):
                return (all if name == "Fn::And" else any)(map(self.resolve, conditions))
        raise NotImplementedError(f"{name} {argument}")

    def _referred(self, name: str, argument: Any) -> Any:
        match name, argument:
            case "Ref", "AWS::NoValue":
                return _NO_VALUE
            case "Ref", _:
                return (
                    self._values[argument]
                    if argument in self._values
                    else self._identifier(argument, "Ref") or argument
                )
            case "Fn::GetAtt", [resource, attribute]:
                return self._identifier(resource, attribute) or f"{resource}.{attribute}"
            case "Fn::Sub", [text, values]:
                own = self.resolve(values)
                return re.sub(
                    r"\$\{([\w:.]+)}",
                    lambda match: own[match[1]] if match[1] in own else self._substituted(match[1]),
                    text,
                )
            case "Fn::Sub", str():
                return self._referred(name, [argument, {}])
        raise NotImplementedError(f"{name} {argument}")

    def _substituted(self, name: str) -> str:
        resource, _, attribute = name.partition(".")
        return (
            self._referred("Fn::GetAtt", [resource, attribute])
            if attribute
            else self._referred("Ref", name)
        )

    def _identifier(self, resource: str, attribute: str) -> str | None:
        declared = self.template["Resources"][resource]
        name = declared.get("Properties", {}).get(_IDENTIFIERS.get(declared["Type"], ("",))[0])
        return identifier(declared["Type"], attribute, self.resolve(name), self.pseudo)


def listed(value: Any) -> list[Any]:
    """A member of a statement as a list: IAM takes one text instead of a list of one."""
    return list(value) if isinstance(value, list | tuple) else [value]


def _matches(patterns: str | list[str], text: str) -> bool:
    """Whether one of the IAM patterns, with * and ?, matches the text."""
    return any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text)
        for pattern in listed(patterns)
    )


def _is_true(operator: str, wanted: Any, given: Any) -> bool:
    """Whether a condition holds for a key of the call, which is None where the call has no such
    key.
    """
    match operator:
        case "StringEquals":
            return given == wanted
        case "ArnLike":
            return _matches(wanted, given or "")
        case "Null":
            return (given is None) == (wanted == "true")
        case "ForAllValues:StringLike":
            return all(_matches(wanted, value) for value in listed(given or []))
    raise NotImplementedError(operator)


def allows(
    statements: Iterable[Mapping[str, Any]],
    action: str,
    resource: str,
    context: Mapping[str, Any] | None = None,
) -> bool:
    """Whether one of the statements, each an Allow with conditions that ``_is_true`` reads, allows
    a call.

    In the ``context`` a key has one value or, for ``ForAllValues``, a list of them.
    """
    statements = list(statements)
    assert {statement["Effect"] for statement in statements} <= {"Allow"}
    return any(
        _matches(statement["Action"], action)
        and _matches(statement["Resource"], resource)
        and all(
            _is_true(operator, wanted, (context or {}).get(key))
            for operator, condition in statement.get("Condition", {}).items()
            for key, wanted in condition.items()
        )
        for statement in statements
    )

"""Reads a CloudFormation template as CloudFormation does, as far as the project's templates need it.

``load`` parses one; ``Stack`` resolves its parameters, conditions and intrinsic functions; ``allows`` decides whether
policy statements allow a call.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

PSEUDO_PARAMETERS = {
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackName": "a-stack",
}
_NO_VALUE = object()


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
    """Returns the template with every intrinsic function in its long form."""
    return yaml.load(path.read_text(encoding="utf-8"), _Loader)  # nosec: a SafeLoader


@dataclass(frozen=True)
class Stack:
    """A template with values for its parameters.

    A reference to a resource resolves to its logical id, an attribute of one to ``LogicalId.Attribute``.
    """

    template: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = dict(PSEUDO_PARAMETERS)
        for name, parameter in self.template.get("Parameters", {}).items():
            value = self.parameters.get(name, parameter.get("Default"))
            assert value is not None, f"Parameter {name} must have a value"
            values[name] = str(value).split(",") if parameter["Type"] == "CommaDelimitedList" else str(value)
        return values

    @cached_property
    def resources(self) -> dict[str, Any]:
        """The resources as CloudFormation would make them, by logical id."""
        return self.resolve(self.template["Resources"])

    def of_type(self, resource_type: str) -> list[dict[str, Any]]:
        """Returns the properties of every resource of a type."""
        return [one["Properties"] for one in self.resources.values() if one["Type"] == resource_type]

    def resolve(self, value: Any) -> Any:
        """Returns a part of the template with its intrinsic functions resolved, and what has no value left out."""
        if isinstance(value, list):
            return [one for one in map(self.resolve, value) if one is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._function(name, argument)
        resolved = {key: self.resolve(one) for key, one in value.items()}
        return {key: one for key, one in resolved.items() if one is not _NO_VALUE}

    def _function(self, name: str, argument: Any) -> Any:  # pylint: disable=too-many-return-statements  # One per function.
        match name, argument:
            case "Ref", "AWS::NoValue":
                return _NO_VALUE
            case "Ref", _:
                return self._values.get(argument, argument)
            case "Fn::Sub", str():
                return re.sub(r"\$\{([\w:]+)}", lambda match: self._values.get(match[1], match[1]), argument)
            case "Fn::GetAtt", [resource, attribute]:
                return f"{resource}.{attribute}"
            case "Fn::Join", [separator, parts]:
                return separator.join(self.resolve(parts))
            case "Fn::If", [condition, yes, no]:
                return self.resolve(yes if self._function("Condition", condition) else no)
            case "Condition", condition:
                return self.resolve(self.template["Conditions"][condition])
            case "Fn::Not", [negated]:
                return not self.resolve(negated)
            case "Fn::Equals", [one, other]:
                return str(self.resolve(one)) == str(self.resolve(other))
            case ("Fn::Select" | "Fn::Cidr" | "Fn::GetAZs"), _:
                return f"{name}({argument})"
        raise NotImplementedError(f"{name} {argument}")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _matches(pattern: str, text: str) -> bool:
    """Tells whether an IAM pattern, with * and ?, matches the text."""
    parts = (".*" if one == "*" else "." if one == "?" else re.escape(one) for one in pattern)
    return re.fullmatch("".join(parts), text) is not None


def allows(
    statements: Iterable[Mapping[str, Any]], action: str, resource: str, context: Mapping[str, str] | None = None
) -> bool:
    """Tells whether one of the statements, each an Allow with StringEquals conditions at most, allows a call."""
    for statement in statements:
        assert statement["Effect"] == "Allow" and set(statement.get("Condition", {})) <= {"StringEquals"}
        wanted = statement.get("Condition", {}).get("StringEquals", {})
        if (
            any(_matches(one, action) for one in _list(statement["Action"]))
            and any(_matches(one, resource) for one in _list(statement["Resource"]))
            and all((context or {}).get(key) == value for key, value in wanted.items())
        ):
            return True
    return False

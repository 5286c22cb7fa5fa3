"""Says in the same words what the CloudFormation templates and the Terraform modules ask for and
give: parameters and outputs.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from support.parity import snake
from support.terraform import Variable

_TYPES = {
    "String": "string",
    "Boolean": "bool",
    "Number": "number",
    "CommaDelimitedList": "list(string)",
}


def parameters(template: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a template says of its parameters, by their names in Terraform."""
    names = [name for name in template["Parameters"] if len(snake(name).split("_")) > 1]
    return {snake(name): _parameter(one, names) for name, one in template["Parameters"].items()}


def variables(configuration: Mapping[str, Any], declared: Mapping[str, Variable]) -> dict[str, Any]:
    """Returns what a module says of its variables: ``configuration`` is the plan's, ``declared``
    the source's.
    """
    names = [name for name in declared if "_" in name]
    return {
        name: _variable(name, configuration["variables"][name], one, names)
        for name, one in declared.items()
    }


def outputs_of_template(template: Mapping[str, Any]) -> dict[str, str]:
    """Returns the description of every output by its name in Terraform."""
    return {
        snake(name): _sentence(one["Description"], []) for name, one in template["Outputs"].items()
    }


def outputs_of_module(configuration: Mapping[str, Any]) -> dict[str, str]:
    """Returns the description of every output."""
    return {
        name: _sentence(one.get("description", ""), [])
        for name, one in configuration.get("outputs", {}).items()
    }


def assertions(template: Mapping[str, Any]) -> list[str]:
    """Returns the sentences of a template's rules, in which a parameter is words."""
    rules = template.get("Rules", {}).values()
    return [plain(one["AssertDescription"]) for rule in rules for one in rule["Assertions"]]


def preconditions(source: str) -> list[str]:
    """Returns the sentences of a module's preconditions, in which a variable is words."""
    sentences = re.findall(r"precondition \{.*?error_message += (\".*?\")\n", source, re.DOTALL)
    return [plain(json.loads(one)) for one in sentences]


def plain(sentence: str) -> str:
    """Returns a sentence with every name of several words, of either side, as words."""
    return re.sub(
        r"\b[A-Za-z]+([A-Z]|_)\w+\b", lambda name: snake(name[0]).replace("_", " "), sentence
    ).lower()


def _parameter(parameter: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    # CloudFormation has no other type for it.
    if sorted(parameter.get("AllowedValues", []), key=str) == ["false", "true"]:
        parameter = {
            **parameter,
            "Type": "Boolean",
            **{key: _loaded(parameter[key]) for key in ("AllowedValues", "Default")},
        }
    said = {
        "type": _TYPES[parameter["Type"]],
        "description": _sentence(parameter["Description"], names),
        "must": _sentence(parameter["ConstraintDescription"], names),
        "allows": _allowed(parameter),
    }
    if "Default" in parameter:
        default = parameter["Default"]
        said["default"] = (
            [one for one in default.split(",") if one]
            if said["type"].startswith("list")
            else default
        )
    return said


def _loaded(value: Any) -> Any:
    return [json.loads(one) for one in value] if isinstance(value, list) else json.loads(value)


def _variable(
    name: str, configured: Mapping[str, Any], declared: Variable, names: list[str]
) -> dict[str, Any]:
    assert declared.error_message.startswith(f"{name} must "), (
        f"{name}: the sentence must begin with the variable's name"
    )
    said = {
        "type": declared.type,
        "description": _sentence(configured["description"], names),
        "must": _sentence(declared.error_message.removeprefix(f"{name} ").removesuffix("."), names),
        "allows": _condition(name, declared.condition),
    }
    return said | ({"default": configured["default"]} if "default" in configured else {})


def _sentence(text: str, names: list[str]) -> str:
    """A sentence in which a name of a parameter is words, a module a stack, and a list one that
    needs no commas.
    """
    return _in_words(text, tuple(names))


@cache  # Of each change that is tried, all sentences but one are the same.
def _in_words(text: str, names: tuple[str, ...]) -> str:
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"\b{name}\b", snake(name).replace("_", " "), text)
    return re.sub(", separated by commas,?", "", text.replace("this module", "this stack"))


def _allowed(parameter: Mapping[str, Any]) -> Any:
    if "AllowedValues" in parameter:
        return parameter["AllowedValues"]
    if "MinValue" in parameter:
        return [parameter["MinValue"], parameter["MaxValue"]]
    # CloudFormation holds the pattern to each member of a list, and an empty list has one: an empty
    # text.
    empty = (
        re.fullmatch(r"\^\((.*)\)\?\$", parameter["AllowedPattern"])
        if parameter["Type"] == "CommaDelimitedList"
        else None
    )
    return f"^{empty[1]}$" if empty else parameter["AllowedPattern"]


def _condition(name: str, condition: str) -> Any:
    value = rf"var\.{name}"
    if values := re.fullmatch(rf"contains\((\[.*]), {value}\)", condition):
        return json.loads(values[1])
    if bounds := re.fullmatch(
        rf"{value} >= (\S+) && {value} <= (\S+) && {value} == floor\({value}\)", condition
    ):
        return [int(bounds[1]), int(bounds[2])]
    if pattern := re.fullmatch(rf'can\(regex\((".*"), {value}\)\)', condition):
        return json.loads(pattern[1])
    if pattern := re.fullmatch(
        rf'alltrue\(\[for (\w+) in {value} : can\(regex\((".*"), \1\)\)]\)', condition
    ):
        return json.loads(pattern[2])
    return condition

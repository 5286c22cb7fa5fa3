"""Compares what templates and Terraform modules declare: parameters with variables, outputs, and
the sentences with which both reject values that do not go together. One line per difference."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from e2e.event_suite.comparison import differences
from support.cloudformation import TEMPLATES
from support.terraform import TREE

MODULES = {name: "ecs-updater" + name[2:-4].replace("ecs", "ecs-cluster") for name in TEMPLATES}
"""Each template's module."""

WITH_UPDATER = ("04-api.yml", "05-fleet.yml", "07-push.yml", "08-codepipeline.yml")
"""Templates whose functions share what the updater has."""


def snake(name: str) -> str:
    """A name of CloudFormation as Terraform has it."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


UPDATERS = {"updater_role_arn", "updater_cluster_name", "updater_log_group_name"}
UNTAGGED = "CloudFormation passes no tag of a stack to what a launch template creates"
ONLY_PARAMETERS = {
    **{("02-ecs.yml", name): UNTAGGED for name in ("environment", "owner", "contact")},
    **{
        (template, name): "an attribute of `updater`, an output of the function's module"
        for template in WITH_UPDATER
        for name in map(snake, TEMPLATES[template]["Parameters"])
        if name in UPDATERS | {"ledger_table_name"}
    },
}
"""Parameters without a variable, and why."""

NAMED = "CloudFormation has AWS::StackName"
PACKAGED = "`aws cloudformation package` finds schemas and bundle in the template"
ONLY_VARIABLES = {
    **{(f"{stack}.yml", "name"): NAMED for stack in ("01-vpc", "02-ecs", "06-load-balancer")},
    **{("04-api.yml", name): PACKAGED for name in ("schemas_directory", "authorizer_package")},
    **{(template, "lambda_package"): PACKAGED for template in ("02-ledger.yml", "03-lambda.yml")},
    **{(template, "updater"): "a stack's parameter has no attributes" for template in WITH_UPDATER},
}
"""Variables without a parameter, and why."""

RUNTIME = "Runtime of the function. Build the bundle for the same runtime."
RUNTIMES = RUNTIME, f"{RUNTIME} Version 5.100 of the provider does not know python3.14 yet."
DIFFERENT: dict[tuple[str, str, str], tuple[str, str]] = {
    # Terraform can check that the address is that of the network. A pattern cannot.
    ("01-vpc.yml", "vpc_cidr", "allows"): (
        r"^(\d{1,3}\.){3}\d{1,3}/(1[6-9]|2[0-3])$",
        'can(regex("^[0-9.]+/(1[6-9]|2[0-3])$", var.vpc_cidr)) && '
        "try(cidrsubnet(var.vpc_cidr, 0, 0) == var.vpc_cidr, false)",
    ),
    # Terraform's patterns have no negative lookahead.
    ("04-api.yml", "tag_filters", "allows"): (
        r"^(?!(launch_type|target|limit|next|images)$)[\w .:/=+@-]{1,128}$",
        r'alltrue([for key in var.tag_filters : can(regex("^[\\w .:/=+@-]{1,128}$", key)) && '
        '!contains(["launch_type", "target", "limit", "next", "images"], key)])',
    ),
    # A limit of the provider.
    **{
        (template, "runtime", "description"): RUNTIMES
        for template in ("02-ledger.yml", "03-lambda.yml", *WITH_UPDATER)
    },
}
"""The fields of a parameter that its variable has in other words, and why."""

ONLY_OUTPUTS = {("03-lambda.yml", "updater"): "a stack's output is a text"}
"""Outputs of a module only, and why."""

FUNCTION = TREE / "modules" / MODULES["03-lambda.yml"] / "variables.tf"
"""The variables that the modules with the input ``updater`` share."""

ONLY_PRECONDITIONS = r"there is no (bundle|schema) "  # `aws cloudformation package` fails without.

TYPES = {"String": "string", "Boolean": "bool", "Number": "number"}
TYPES |= {"CommaDelimitedList": "list(string)"}


def compare(template: str, declared: Mapping[str, Any], source: str) -> Iterator[str]:
    """Yields the differences between a template and the text of its module's ``.tf`` files."""
    here = {snake(name): parameter(said) for name, said in declared["Parameters"].items()}
    there = variables(source)
    found = re.findall(r'^output "(\w+)" \{\n  description = (".*")$', source, re.MULTILINE)
    given = {name: words(json.loads(text)) for name, text in found}
    shared = variables(FUNCTION.read_text("utf-8")) if "updater" in there else {}
    for name, side in (
        *((name, here) for name in ONLY_PARAMETERS),
        *((name, there) for name in ONLY_VARIABLES),
        *((name, given) for name in ONLY_OUTPUTS),
    ):
        if name[0] == template and side.pop(name[1], None) is None:
            yield f"{'.'.join(name)} is declared by neither side"
    there = {name: shared[name] for name in here.keys() & shared.keys()} | there
    for (of_template, name, field), wanted in DIFFERENT.items():
        if of_template == template:
            sides = (here.get(name, {}).pop(field, None), there.get(name, {}).pop(field, None))
            yield from differences(wanted, sides, f"{template}.{name}.{field}")
    yield from differences(here, there, template)
    outputs = {
        snake(name): words(output["Description"]) for name, output in declared["Outputs"].items()
    }
    yield from differences(outputs, given, f"{template}.outputs")
    rules = {
        plain(assertion["AssertDescription"])
        for rule in declared.get("Rules", {}).values()
        for assertion in rule["Assertions"]
    }
    sentences = set(re.findall(r'precondition \{.*?error_message += (".*?")\n', source, re.DOTALL))
    conditions = {plain(json.loads(sentence)) for sentence in sentences}
    conditions = {text for text in conditions if not re.match(ONLY_PRECONDITIONS, text)}
    for sentence in sorted(rules ^ conditions):
        yield f"{template}: only one side has: {sentence}"


def parameter(declared: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a parameter in Terraform's words."""
    kind, default, allows = map(declared.get, ("Type", "Default", "AllowedPattern"))
    if "AllowedValues" in declared:
        allows = declared["AllowedValues"]
        if kind == "String" and {*allows} == {"false", "true"}:  # CloudFormation has no boolean.
            kind, default = "Boolean", json.loads(declared["Default"])
            allows = [json.loads(value) for value in allows]
    elif "MinValue" in declared or "MaxValue" in declared:
        allows = [declared.get("MinValue"), declared.get("MaxValue")]
    elif kind == "CommaDelimitedList":
        # The pattern applies to each member, and an empty list has one empty member.
        allows = re.sub(r"^\^\((.*)\)\?\$$", r"^\1$", declared["AllowedPattern"])
        default = None if default is None else [member for member in default.split(",") if member]
    return {
        "type": TYPES[kind],
        "description": words(declared["Description"]),
        "must": words(declared["ConstraintDescription"]),
        "allows": allows,
        "default": default,
    }


def variables(source: str) -> dict[str, dict[str, Any]]:
    """Returns the variables that a module declares, each with one validation."""
    found = {}
    for name, body in re.findall(
        r'^variable "(\w+)" \{\n(.*?)^}', source, re.MULTILINE | re.DOTALL
    ):
        said = dict(re.findall(r"^ +(\w+) += (.+)$", body, re.MULTILINE))
        sentence, description = (json.loads(said[key]) for key in ("error_message", "description"))
        assert re.fullmatch(rf"{name} must be .+\.", sentence), f"{name}: {sentence}"
        assert re.fullmatch(r"[A-Z].*\.", description), f"{name}: {description}"
        assert re.search(rf"\bvar\.{name}\b", said["condition"]), f"{name} must be bounded"
        assert said["nullable"] == "false", f"{name} must not be null"
        is_optional = said.get("default") not in ('""', "[]") or description.startswith("Optional")
        assert is_optional, f"{name}: the description must begin with Optional"
        found[name] = {
            "type": said["type"],
            "description": words(description),
            "must": words(sentence.removeprefix(f"{name} ").removesuffix(".")),
            "allows": allowed(name, said["condition"]),
            "default": json.loads(said.get("default", "null")),
        }
    return found


def allowed(name: str, condition: str) -> Any:
    """Returns what a condition allows, as a parameter has it: values, bounds or a pattern."""
    value = rf"var\.{name}"
    bounds = rf"{value} >= (\S+) && {value} <= (\S+) && {value} == floor\({value}\)"
    if match := re.fullmatch(bounds, condition):
        return [int(match[1]), int(match[2])]
    pattern = rf'can\(regex\((".*"), {value}\)\)'
    of_each = rf'alltrue\(\[for \w+ in {value} : can\(regex\((".*"), \w+\)\)]\)'
    for form in (rf"contains\((\[.*]), {value}\)", pattern, of_each):
        if match := re.fullmatch(form, condition):
            return json.loads(match[1])
    return condition


def words(sentence: str) -> str:
    """A sentence in the words of both sides: lists have no commas, and a module is a stack."""
    names = r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b|\b[a-z]+(?:_[a-z]+)+\b"
    text = re.sub(names, lambda name: plain(name[0]), sentence)
    return text.replace(", separated by commas", "").replace("this module", "this stack")


def plain(sentence: str) -> str:
    """A sentence with every name of several words, of either side, as words."""
    names = r"\b[A-Za-z]+([A-Z]|_)\w+\b"
    return re.sub(names, lambda name: snake(name[0]).replace("_", " "), sentence).lower()

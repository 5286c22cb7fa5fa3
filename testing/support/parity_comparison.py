"""Compares the CloudFormation templates with the Terraform tree, and holds each to rules of its
own; one line per finding.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from e2e.event_suite.comparison import differences
from support import parity, parity_declarations
from support.cloudformation import PSEUDO_PARAMETERS, Stack
from support.parity_list import (
    AT_THE_ROOT,
    DIFFERENT,
    MODULES,
    ONLY_AT_THE_ROOT,
    ONLY_IN_MODULES,
    ONLY_PRECONDITIONS,
    ONLY_STAR,
    WIRED,
    WITHOUT_COUNTERPART,
)
from support.terraform import Plan, declared_variables

_ROOT = ""


@dataclass(frozen=True)
class Sides:
    """Both descriptions of the infrastructure, with the same values."""

    templates: Mapping[str, Any]
    """By file name."""
    document: Mapping[str, Any]
    """The plan."""
    sources: Mapping[str, str]
    """The text of every ``.tf`` file together, by the module's name; the root module's is empty."""
    variables: Mapping[str, Any]
    """The values, by the root module's names."""
    pseudo: Mapping[str, str]
    """Account and region."""

    @cached_property
    def stacks(self) -> dict[str, Stack]:
        """The stacks that these values make."""
        return parity.stacks(self.templates, self.variables, self.pseudo)

    @cached_property
    def plan(self) -> Plan:
        """The plan that they make."""
        return Plan(self.document, WITHOUT_COUNTERPART)

    @cached_property
    def made(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Every resource as CloudFormation and as Terraform makes it."""
        return parity.made_by_stacks(self.stacks), parity.made_by_plan(
            self.plan, PSEUDO_PARAMETERS | dict(self.pseudo)
        )

    @property
    def stack_name(self) -> str:
        """What the names of the stacks begin with."""
        return self.variables.get("stack_name", "ecs-updater")


def resources(sides: Sides) -> list[str]:
    """Returns how the resources that are made differ."""
    return list(differences(*sides.made))


def outputs(sides: Sides) -> list[str]:
    """Returns how the outputs differ, by name, value and description."""
    values = parity.outputs_of_plan(sides.plan, PSEUDO_PARAMETERS | dict(sides.pseudo))
    found = [*differences(parity.outputs_of_stacks(sides.stacks), values, "value")]
    described: dict[str, str] = {}
    for template, module in _modules(sides).items():
        there = parity_declarations.outputs_of_module(module)
        found += differences(
            parity_declarations.outputs_of_template(sides.templates[template]), there, template
        )
        described |= there
    return [
        *found,
        *differences(
            described, parity_declarations.outputs_of_module(sides.plan.root.configuration), "root"
        ),
    ]


def parameters(sides: Sides) -> list[str]:
    """Returns how parameters and the modules' variables differ: names, types, defaults,
    descriptions, what is allowed and said.
    """
    found: list[str] = []
    for template, there in _variables(sides).items():
        if template == _ROOT:
            continue
        here = parity_declarations.parameters(sides.templates[template])
        for of, name in ONLY_IN_MODULES:
            if of == template:
                found += (
                    [] if there.pop(name, None) else [f"{template}.{name} is no more a variable"]
                )
        for (of, name, field), both in DIFFERENT.items():
            if of == template:
                said = here.get(name, {}).pop(field, None), there.get(name, {}).pop(field, None)
                found += differences(both, said, f"{template}.{name}.{field}")
        found += differences(here, there, template)
    return found


def conditions(sides: Sides) -> list[str]:
    """Returns how differ the sentences with which values are refused that do not go together."""
    here = {
        text
        for template in sides.templates.values()
        for text in parity_declarations.assertions(template)
    }
    there = {
        text
        for source in sides.sources.values()
        for text in parity_declarations.preconditions(source)
    }
    there -= {parity_declarations.plain(text) for text in ONLY_PRECONDITIONS}
    return [f"only one side says: {text}" for text in sorted(here ^ there)]


def root(sides: Sides) -> list[str]:
    """Returns how the root module's variables differ from those of the modules that it passes them
    to.
    """
    by_module = _variables(sides)
    there = by_module.pop(_ROOT)
    wanted: dict[str, Any] = {}
    # The cluster's own cluster_name before what the function is given.
    for variables in reversed(by_module.values()):
        wanted |= variables
    for name in WIRED:
        wanted.pop(name, None)
    for name in ONLY_AT_THE_ROOT:
        wanted[name] = there.get(name)
    for (name, field), value in AT_THE_ROOT.items():
        wanted[name] = {**wanted[name], field: value}
    return list(differences(wanted, there, "root"))


def ownership(sides: Sides) -> list[str]:
    """Returns the resources in Terraform that do not carry the tag that the stacks give to
    theirs.
    """
    wanted = {parity.OWNERSHIP: sides.stack_name}
    found = []
    for address, resource in sides.plan.resources.items():
        if "tags_all" in resource.planned:
            found += differences(wanted, resource.default_tags, address)
        if "tag" in resource.planned:
            tags = {
                one["key"]: one["value"]
                for one in resource.planned["tag"]
                if one["key"] == parity.OWNERSHIP
            }
            found += differences(wanted, tags, address)
    return found


def rules(made: Mapping[str, Any]) -> Iterator[str]:
    """Yields what no side may do: a permission wider than need be, a queue without dead letters,
    logs without an end.
    """
    for policy, sid, statement in parity.statements(made):
        if statement["Effect"] != "Allow" or not {"Action", "Resource"} <= statement.keys():
            yield f"{policy}.{sid} does not allow actions on resources"
        elif "*" in statement["Resource"] and (wide := set(statement["Action"]) - ONLY_STAR):
            yield (
                f"{policy}.{sid} allows on every resource what AWS could narrow: "
                f"{', '.join(sorted(wide))}"
            )
        elif any("*" in action for action in statement["Action"]):
            yield f"{policy}.{sid} allows a pattern of actions"
    targets = {
        one["dead_letter_config"]["target_arn"]
        for one in made.values()
        if "dead_letter_config" in one
    }
    targets |= {
        one["redrive_policy"]["deadLetterTargetArn"]
        for one in made.values()
        if "redrive_policy" in one
    }
    names = {to.rpartition(":")[2] for to in targets}
    for name, one in made.items():
        if (
            one["type"] == "aws_sqs_queue"
            and "redrive_policy" not in one
            and one.get("name") not in names
        ):
            yield f"{name} has no dead-letter queue and is none"
        if one["type"] == "aws_cloudwatch_log_group" and not int(one.get("retention_in_days", 0)):
            yield f"{name} keeps its logs for ever"


def everything(sides: Sides) -> list[str]:
    """Returns every finding."""
    compared = [
        line
        for compare in (resources, outputs, parameters, conditions, root, ownership)
        for line in compare(sides)
    ]
    return compared + [line for made in sides.made for line in rules(made)]


def _modules(sides: Sides) -> dict[str, Mapping[str, Any]]:
    """The configuration of each template's module."""
    calls = sides.plan.root.configuration["module_calls"]
    by_source = {one["source"].rpartition("/")[2]: one["module"] for one in calls.values()}
    return {template: by_source[module] for template, (module, _) in MODULES.items()}


def _variables(sides: Sides) -> dict[str, dict[str, Any]]:
    """What each template's module, and the root module, says of its variables."""
    configurations = {**_modules(sides), _ROOT: sides.plan.root.configuration}
    names = {**{template: module for template, (module, _) in MODULES.items()}, _ROOT: _ROOT}
    return {
        template: parity_declarations.variables(
            configuration, declared_variables(sides.sources[names[template]])
        )
        for template, configuration in configurations.items()
    }

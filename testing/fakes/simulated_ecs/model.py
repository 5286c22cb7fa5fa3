"""Checks requests and answers against botocore's model of ECS, values of enums included."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import botocore.session

NOT_IN_THE_MODEL = {"ServiceDeploymentLifecycleStage": {"PRE_PRODUCTION_TRAFFIC_SHIFT"}}
"""Values that AWS's text has and the enum of the model does not."""
_NEWER = re.compile("new|future", re.IGNORECASE)
"""Names of fields that stand for those of a later model."""
_OF_A_LATER_MODEL = re.compile(" is not in the model$|OF_THE_FUTURE")
_LOSSLESS = ("RegisterTaskDefinition", "DescribeTaskDefinition")
"""Operations whose unknown fields and values survive, whatever their names are."""
_TYPES: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "double": (float, int),
    "integer": (int,),
    "long": (int,),
    "list": (list,),
    "map": (dict,),
    "string": (str,),
    "structure": (dict,),
    "timestamp": (float, int),
}


class ModelViolation(BaseException):
    """A request or an answer does not fit the model. Nothing in the code under test catches it."""


@lru_cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("ecs")


@lru_cache
def _shapes(operation: str) -> tuple[Any, Any]:
    found = _model().operation_model(operation)
    return found.input_shape, found.output_shape


def check_request(operation: str, body: dict[str, Any]) -> None:
    """Raises ModelViolation."""
    _check(operation, _shapes(operation)[0], body)


def check_answer(operation: str, body: dict[str, Any]) -> None:
    """Raises ModelViolation."""
    _check(operation, _shapes(operation)[1], body)


def _check(operation: str, shape: Any, body: dict[str, Any]) -> None:
    wrong = list(_violations(shape, body, ""))
    if operation in _LOSSLESS:
        wrong = [text for text in wrong if not _OF_A_LATER_MODEL.search(text)]
    if wrong:
        raise ModelViolation(f"{operation}: {'; '.join(wrong)}")


def _violations(shape: Any, value: Any, path: str) -> Iterator[str]:
    kind = shape.type_name
    if value is None:
        return  # Some implementations of the API write it for a field that is not there.
    if not isinstance(value, _TYPES[kind]):
        yield f"{path} is {value!r}, not {kind}"
    elif kind == "structure":
        yield from (
            f"{path}.{name} is missing" for name in shape.required_members if name not in value
        )
        members = shape.members
        for name, item in value.items():
            if name in members:
                yield from _violations(members[name], item, f"{path}.{name}")
            elif not _NEWER.search(name):
                yield f"{path}.{name} is not in the model"
    elif kind == "list":
        for item in value:
            yield from _violations(shape.member, item, f"{path}[]")
    elif kind == "map":
        for item in value.values():
            yield from _violations(shape.value, item, f"{path}{{}}")
    elif kind == "string" and value not in (
        {*(shape.enum or [value]), *NOT_IN_THE_MODEL.get(shape.name, ())}
    ):
        yield f"{path} is {value!r}, not one of {shape.enum}"

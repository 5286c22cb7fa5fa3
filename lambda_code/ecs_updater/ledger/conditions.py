"""The conditions under which the owner of an entry replaces it. Pure.

Owner and state are as expected, or as already written. Answers to hooks are stored by others: the
owner must know all of them, because it replaces the whole item.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..aws.dynamodb import Item
from .entry import REACHED_FROM, Entry, State, from_item, stored_answers

Condition = tuple[str, Mapping[str, Any]]
"""A condition and its values."""

_NO_ANSWER = "attribute_not_exists(#approvals)"
_SAME_ANSWERS = "#approvals = :approvals"


def _advance_condition(state: State) -> Condition:
    """Returns the condition for an entry without answers to reach `state`."""
    values = {f"state{index}": earlier.value for index, earlier in enumerate(REACHED_FROM[state])}
    states = ", ".join(f":{name}" for name in values)
    return f"#owner = :owner AND #state IN ({states}) AND {_NO_ANSWER}", values


ADVANCE = {state: _advance_condition(state) for state in State}
"""The condition for an entry without answers to reach a state. Its value `owner` is missing."""


def advance_with_answers(entry: Entry) -> Condition:
    """Returns the condition for an entry with answers to reach its state, as in `ADVANCE`."""
    condition, values = ADVANCE[entry.state]
    answers, more = answers_condition(entry)
    return condition.replace(_NO_ANSWER, answers), {**values, **more}


def answers_condition(entry: Entry) -> Condition:
    """Returns the condition that the stored entry has the answers of `entry`."""
    if not entry.approvals:
        return _NO_ANSWER, {}
    return _SAME_ANSWERS, {"approvals": stored_answers(entry.approvals)}


def with_answers(entry: Entry, stored: Item | None) -> Entry | None:
    """Returns the entry with the stored answers to hooks. None: it has them already."""
    if stored is None or stored["owner"] != entry.owner:
        return None
    approvals = from_item(stored).approvals
    return None if approvals == entry.approvals else replace(entry, approvals=approvals)

"""Each statement of a function's policy that an emulator cannot show to be needed: a call on AWS
needs it.

testing/e2e/test_statements_enforced.py shows the others, and that none is forgotten.
"""

import pytest

from support.cloudformation import allows
from support.permissions import expanded
from support.statements import NOT_HERE, POLICIES, STATEMENTS


def test_each_policy_names_its_statements():
    assert len(STATEMENTS) == len(set(STATEMENTS)) > len(POLICIES)


@pytest.mark.parametrize(("policy", "sid"), NOT_HERE)
def test_without_a_statement_aws_refuses_a_call_of_the_function(policy, sid):
    unseen = NOT_HERE[policy, sid]
    call = (unseen.action, unseen.resource, unseen.context)
    statements = list(expanded(POLICIES[policy]))
    assert unseen.reason and allows(statements, *call)
    assert not allows([part for part in statements if part["Sid"] != sid], *call)

"""IAM policies in tests: their actions, the emulator's questions, and statements without an action.

The emulator, started with EMULATOR_AUTH=true, decides every call by the caller's policies. For some
calls it asks about another ARN than AWS does, or about none: `as_the_emulator_asks` makes of a
statement for AWS one for the emulator.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from .cloudformation import allows, listed

Statement = Mapping[str, Any]

NO_RESOURCE = "?"
"""Where the emulator knows no resource of a call it asks about the text ``*``.

As a pattern ``?`` matches that, and no ARN.
"""

_UNKNOWN_TO_THE_EMULATOR = (
    "aws:ResourceTag/",
    "dynamodb:LeadingKeys",
    "ecs:cluster",
    "iam:PolicyARN",
    "lambda:FunctionArn",
)


def actions(statements: Iterable[Statement]) -> list[str]:
    """Every action of the statements, each once, in their order."""
    return list(
        dict.fromkeys(action for statement in statements for action in listed(statement["Action"]))
    )


def as_the_emulator_asks(statement: Statement) -> dict[str, Any]:
    """A statement for AWS as one for the emulator, which allows the same calls there.

    Six things differ, all of them where MiniStack 1.5.33 asks something else than AWS:

    * an ECS call that names a cluster is about the cluster, also where it names a service: an
      ARN of services, or of tasks, in a cluster gets the cluster's ARN beside it;
    * a call that names an instance profile and a role is about the role: the ARN of a profile gets
      that of the role beside it, which has the same name;
    * a call about a rule, a connection or an API destination is about the ARN of a rule with its
      bus in it or, when the call names both, about the bus: their ARNs get both beside them;
    * a call whose resource it does not find in the request is about ``*``: ARNs get a pattern
      beside them that matches this text and no ARN;
    * it knows neither the tags of what is in a network, nor the cluster of a list, the function of
      a mapping, the policy that is taken back, or the keys of items: conditions on these are left
      out.

    * a batch of messages is another action: beside ``sqs:SendMessage`` there is
      ``sqs:SendMessageBatch``, and beside ``sns:Publish`` ``sns:PublishBatch``.

    Effect, all other actions and conditions stay as they are.
    """
    resources = listed(statement["Resource"])
    in_clusters = [arn for arn in resources if re.search(r":ecs:.*:(service|task)/", arn)]
    beside = [re.sub(r":(service|task)/([^/]+).*", r":cluster/\2", arn) for arn in in_clusters]
    beside += [
        arn.replace(":instance-profile/", ":role/")
        for arn in resources
        if ":instance-profile/" in arn
    ]
    beside += [
        re.sub(":rule/.*", ":event-bus/default", arn) for arn in resources if ":events:" in arn
    ]
    beside += [
        re.sub(":(rule|api-destination|connection)/", ":rule/default/", arn)
        for arn in resources
        if ":events:" in arn
    ]
    beside += [NO_RESOURCE] * (resources != ["*"])
    conditions = {
        operator: known
        for operator, wanted in statement.get("Condition", {}).items()
        if (
            known := {
                key: value
                for key, value in wanted.items()
                if not key.startswith(_UNKNOWN_TO_THE_EMULATOR)
            }
        )
    }
    others = {name: value for name, value in statement.items() if name != "Condition"}
    for action in {"sqs:SendMessage", "sns:Publish"} & {*listed(statement["Action"])}:
        others["Action"] = [*listed(statement["Action"]), f"{action}Batch"]
    made = {**others, "Resource": list(dict.fromkeys(resources + beside))}
    return made | ({"Condition": conditions} if conditions else {})


def adapt_role(iam: Any, **role: str) -> list[Statement]:
    """Makes the policy of a role, by RoleName and PolicyName, one for the emulator. Returns its
    statements.
    """
    found = iam.get_role_policy(**role)["PolicyDocument"]["Statement"]
    if any(NO_RESOURCE in listed(statement["Resource"]) for statement in found):
        return found  # It is one already.
    adapted = [as_the_emulator_asks(statement) for statement in found]
    iam.put_role_policy(**role, PolicyDocument=document(adapted))
    return adapted


def adapt_trust(iam: Any, role: str) -> None:
    """Makes the trust policy of a role one for the emulator.

    For a session of a role MiniStack 1.5.33 compares `aws:PrincipalArn` with the session's ARN, and
    AWS with that of the role: the ARN of a role gets that of its sessions beside it.
    """
    found = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    for statement in found["Statement"]:
        allowed = listed(statement["Condition"]["ArnLike"]["aws:PrincipalArn"])
        sessions = [
            re.sub(":iam::(.*):role/(.*)", r":sts::\1:assumed-role/\2/*", arn) for arn in allowed
        ]
        statement["Condition"]["ArnLike"]["aws:PrincipalArn"] = [*allowed, *sessions]
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(found))


def without(statements: Iterable[Statement], action: str) -> list[Statement]:
    """The statements without one action; one that allowed nothing else is left out."""
    left = [
        {**part, "Action": [name for name in listed(part["Action"]) if name != action]}
        for part in statements
    ]
    return [part for part in left if part["Action"]]


def idle(statements: Sequence[Statement], requested: Iterable[tuple[Any, ...]]) -> list[Any]:
    """The actions, with their statement's name, that nothing of what is requested needs."""
    found, requested = [], list(requested)
    for index, statement in enumerate(statements):
        for action in listed(statement["Action"]):
            fewer = [*statements[:index], *without([statement], action), *statements[index + 1 :]]
            left = list(expanded(part for part in fewer if action in listed(part["Action"])))
            if all(allows(left, *call) for call in requested if call[0] == action):
                found.append((statement["Sid"], action))
    return found


def expanded(statements: Iterable[Statement]) -> Iterator[Statement]:
    """The statements with one value to equal per condition, which allow the same together: what
    ``cloudformation.allows`` takes.
    """
    for statement in statements:
        conditions = statement.get("Condition", {})
        wanted = conditions.get("StringEquals", {})
        for values in product(*(listed(value) for value in wanted.values())):
            yield {
                **statement,
                "Condition": {**conditions, "StringEquals": dict(zip(wanted, values, strict=True))},
            }


def document(statements: Iterable[Statement]) -> str:
    """A policy of these statements, as IAM takes it."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

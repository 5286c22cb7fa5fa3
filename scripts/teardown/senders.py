"""The policy of those who send to the fleet's queue, which others attach to users, groups and roles
of theirs.
"""

from teardown.project import Project, Thing, as_mapping, passing_over_missing
from teardown.stacks import resources
from teardown.waiting import persist

_KINDS = ("User", "Group", "Role")


def policy(project: Project, function: str) -> Thing:
    """The policy of the function's fleet, taken from everybody who has it."""
    iam = project.client("iam")
    arn = _arn(project, function)

    def delete() -> None:
        _detach(project, arn)
        for page in iam.get_paginator("list_policy_versions").paginate(PolicyArn=arn):
            for version in page["Versions"]:
                if not version["IsDefaultVersion"]:
                    with passing_over_missing():
                        iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        persist(lambda: iam.delete_policy(PolicyArn=arn))

    def tags() -> dict[str, str]:
        return as_mapping(iam.get_policy(PolicyArn=arn)["Policy"].get("Tags", []))

    return Thing("policy", arn.rpartition("/")[2], tags, delete, "LAMBDA_FUNCTION_NAME")


def take_from_everybody(project: Project, stack: str, function: str) -> None:
    """Takes the policy from everybody who has it, where it is ours.

    Neither CloudFormation nor Terraform deletes one that anybody has.
    """
    thing = policy(project, function)
    arn = _arn(project, function)
    with project.removing(f"{thing.kind} {thing.name}, as attached,"):
        if arn in resources(project, stack, "AWS::IAM::ManagedPolicy") or project.owns(
            thing.tags() or {}
        ):
            _detach(project, arn)


def _arn(project: Project, function: str) -> str:
    name = f"{function}-fleet-sender-{project.region}"
    return f"arn:{project.partition}:iam::{project.account}:policy/{name}"


def _detach(project: Project, arn: str) -> None:
    iam = project.client("iam")
    for page in iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=arn):
        for kind in _KINDS:
            for holder in page.get(f"Policy{kind}s", []):
                with passing_over_missing():
                    getattr(iam, f"detach_{kind.lower()}_policy")(
                        PolicyArn=arn, **{f"{kind}Name": holder[f"{kind}Name"]}
                    )

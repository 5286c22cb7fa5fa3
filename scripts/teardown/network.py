"""Removes a VPC that is in no stack and no Terraform state, and what is in it.

The resources in a VPC have no names and are found by their tag. The VPC is also found by its tag
Name, to report one that does not belong to the project.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from teardown.project import OWNERSHIP_TAG, Project, StillThere, as_mapping, pages, reason
from teardown.project import skipping_missing as skipping
from teardown.waiting import IN_USE_SECONDS, is_in_use, until
from terminal import say


class Kind(NamedTuple):
    """A kind of resource in a VPC. Operations are `describe_` and `delete_` with its word."""

    word: str
    id: str
    release: tuple[str, str, str] = ("", "", "")
    """What holds it: the key, the operation that releases it, and the key of what that takes."""
    is_default: Callable[[dict[str, Any]], bool] = lambda _: False
    """Whether AWS created it with the VPC, and removes it with it."""
    vpc_filter: str = "vpc-id"


class Part(NamedTuple):
    """A resource in a VPC, or the VPC itself."""

    kind: Kind
    id: str
    found: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.kind.word.replace('_', ' ').replace('vpc', 'VPC')} {self.id}"


# In the order in which they can go.
INSIDE = (
    Kind("subnet", "SubnetId"),
    Kind(
        *("route_table", "RouteTableId"),
        ("Associations", "disassociate_route_table", "RouteTableAssociationId"),
        lambda found: any(each.get("Main") for each in found.get("Associations", [])),
    ),
    Kind("security_group", "GroupId", is_default=lambda found: found["GroupName"] == "default"),
    Kind(
        *("internet_gateway", "InternetGatewayId"),
        ("Attachments", "detach_internet_gateway", "VpcId"),
        vpc_filter="attachment.vpc-id",
    ),
)
VPC = Kind("vpc", "VpcId")


def remove_network(project: Project) -> None:
    """Removes every part that carries our tag. A VPC with parts of others stays, and is named."""
    name = f"{project.stack_name}-vpc"
    with project.removing(f"VPC {name}"):
        for vpc in find(project, VPC, "tag:Name", name):
            if not is_owned(project, vpc):
                project.leave(f"VPC {vpc.id}, which is named {name},")
        tag = f"tag:{OWNERSHIP_TAG}", project.stack_name
        parts = [part for kind in INSIDE for part in find(project, kind, *tag)]
        vpcs = find(project, VPC, *tag)
        remove(project, parts + [vpc for vpc in vpcs if not is_shared(project, vpc.id)])


def is_owned(project: Project, part: Part) -> bool:
    """Whether a part belongs to the project."""
    return project.owns(as_mapping(part.found.get("Tags", [])))


def find(project: Project, kind: Kind, name: str, value: str) -> list[Part]:
    """Finds the parts of a kind by a filter, without those of AWS and of a stack that stays."""
    operation, key = f"describe_{kind.word}s", kind.word.title().replace("_", "") + "s"
    filters = [{"Name": name, "Values": [value]}]
    listing = pages(project.client("ec2"), operation, key, Filters=filters)
    parts = [Part(kind, found[kind.id], found) for found in listing if not kind.is_default(found)]
    return [part for part in parts if not project.spares(part.id)]


def is_shared(project: Project, vpc: str) -> bool:
    """Whether a VPC has parts of others, which are named."""
    parts = [part for kind in INSIDE for part in find(project, kind, kind.vpc_filter, vpc)]
    others = [part for part in parts if not is_owned(project, part)]
    for part in others:
        project.leave(f"{part}, which keeps VPC {vpc} in use,")
    return bool(others)


def delete(ec2: Any, part: Part) -> None:
    """Deletes a part after it is released from what holds it."""
    key, operation, number = part.kind.release
    of_part = {part.kind.id: part.id}
    for holder in part.found.get(key, []):
        parameter = {"RouteTableAssociationId": "AssociationId"}.get(number, number)
        own = of_part if parameter == "VpcId" else {}
        with skipping():
            getattr(ec2, operation)(**own, **{parameter: holder[number]})
    getattr(ec2, f"delete_{part.kind.word}")(**of_part)


def remove(project: Project, left: list[Part]) -> None:
    """Removes the parts, in rounds while some are in use. Raises StillThere at the end."""
    ec2 = project.client("ec2")
    for part in left:
        say(f"removing {part}")
    refused: list[str] = []

    def is_done() -> bool:
        refused.clear()
        for part in list(left):
            try:
                with skipping():
                    delete(ec2, part)
                left.remove(part)
            except ClientError as error:
                if not is_in_use(error):
                    raise
                refused.append(f"{part}: {reason(error)}")
        return not left

    if not until(is_done, IN_USE_SECONDS):
        raise StillThere("; ".join(refused))

"""Removes a VPC that is in no stack and no Terraform state, and what is in it.

What is in a VPC has no name of its own, so it is found by its tag; the VPC is looked for by the
name among its tags too, to see one of that name that is not ours.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from teardown.project import (
    OWNERSHIP_TAG,
    Project,
    StillThere,
    as_mapping,
    passing_over_missing,
    reason,
)
from teardown.waiting import IN_USE_SECONDS, is_in_use, until
from terminal import say


class Kind(NamedTuple):
    """A kind of thing in a VPC: the call that finds it, where its answer has the things, and what
    names one of them.
    """

    name: str
    call: str
    key: str
    id: str
    delete: Callable[[Any, dict[str, Any]], object]
    vpc_filter: str = "vpc-id"
    is_made_by_aws: Callable[[dict[str, Any]], bool] = lambda found: False
    """Tells whether it came with the VPC and goes with it."""


class Part(NamedTuple):
    """Something in a VPC, or the VPC itself, as it was found."""

    kind: Kind
    id: str
    found: dict[str, Any]

    @property
    def tags(self) -> dict[str, str]:
        """Its tags."""
        return as_mapping(self.found.get("Tags", []))

    def __str__(self) -> str:
        return f"{self.kind.name} {self.id}"


def _delete_route_table(ec2, found: dict[str, Any]) -> None:
    for association in found.get("Associations", []):
        with passing_over_missing():
            ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
    ec2.delete_route_table(RouteTableId=found["RouteTableId"])


def _delete_internet_gateway(ec2, found: dict[str, Any]) -> None:
    for attachment in found.get("Attachments", []):
        with passing_over_missing():
            ec2.detach_internet_gateway(
                InternetGatewayId=found["InternetGatewayId"], VpcId=attachment["VpcId"]
            )
    ec2.delete_internet_gateway(InternetGatewayId=found["InternetGatewayId"])


# In the order in which they let go of one another.
INSIDE = (
    Kind(
        "subnet",
        "subnets",
        "Subnets",
        "SubnetId",
        lambda ec2, found: ec2.delete_subnet(SubnetId=found["SubnetId"]),
    ),
    Kind(
        "route table",
        "route_tables",
        "RouteTables",
        "RouteTableId",
        _delete_route_table,
        is_made_by_aws=lambda found: any(
            association.get("Main") for association in found.get("Associations", [])
        ),
    ),
    Kind(
        "security group",
        "security_groups",
        "SecurityGroups",
        "GroupId",
        lambda ec2, found: ec2.delete_security_group(GroupId=found["GroupId"]),
        is_made_by_aws=lambda found: found["GroupName"] == "default",
    ),
    Kind(
        "internet gateway",
        "internet_gateways",
        "InternetGateways",
        "InternetGatewayId",
        _delete_internet_gateway,
        vpc_filter="attachment.vpc-id",
    ),
)
VPC = Kind("VPC", "vpcs", "Vpcs", "VpcId", lambda ec2, found: ec2.delete_vpc(VpcId=found["VpcId"]))


def remove_network(project: Project) -> None:
    """Removes every part that carries our tag.

    A VPC in which there is something of others stays, and that is named.
    """
    name = f"{project.stack_name}-vpc"
    with project.removing(f"VPC {name}"):
        for vpc in find(project, VPC, "tag:Name", name):
            if not project.owns(vpc.tags):
                project.leave(f"VPC {vpc.id}, which is named {name},")
        tag = f"tag:{OWNERSHIP_TAG}"
        ours = [part for kind in INSIDE for part in find(project, kind, tag, project.stack_name)]
        ours += [
            vpc
            for vpc in find(project, VPC, tag, project.stack_name)
            if not is_shared(project, vpc.id)
        ]
        remove(project, ours)


def find(project: Project, kind: Kind, name: str, value: str) -> list[Part]:
    """Finds the parts of one kind by a filter of EC2, without those that AWS made and those that
    are spared.
    """
    pages = (
        project.client("ec2")
        .get_paginator(f"describe_{kind.call}")
        .paginate(Filters=[{"Name": name, "Values": [value]}])
    )
    found = [
        Part(kind, one[kind.id], one)
        for page in pages
        for one in page[kind.key]
        if not kind.is_made_by_aws(one)
    ]
    return [part for part in found if not project.spares(part.id)]


def is_shared(project: Project, vpc: str) -> bool:
    """Tells whether there is something in a VPC that is not ours, and names it."""
    others = [
        part
        for kind in INSIDE
        for part in find(project, kind, kind.vpc_filter, vpc)
        if not project.owns(part.tags)
    ]
    for part in others:
        project.leave(f"{part}, which keeps VPC {vpc} in use,")
    return bool(others)


def remove(project: Project, left: list[Part]) -> None:
    """Removes the parts, round after round while AWS says that they are in use.

    Raises StillThere when they still are.
    """
    ec2 = project.client("ec2")
    for part in left:
        say(f"removing {part}")
    refused: list[str] = []

    def done() -> bool:
        refused.clear()
        for part in list(left):
            try:
                with passing_over_missing():
                    part.kind.delete(ec2, part.found)
                left.remove(part)
            except ClientError as error:
                if not is_in_use(error):
                    raise
                refused.append(f"{part}: {reason(error)}")
        return not left

    if not until(done, IN_USE_SECONDS):
        raise StillThere("; ".join(refused))

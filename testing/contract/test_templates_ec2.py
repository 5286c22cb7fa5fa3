"""The cluster's template with and without instances: what launch type EC2 makes, and that FARGATE
makes nothing of it.
"""

import re
from typing import Any

import pytest

from support.cloudformation import TEMPLATES, Stack, allows

ECS = TEMPLATES["02-ecs.yml"]
NETWORK = {
    "SubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "TaskSecurityGroupId": "sg-0123456789abcdef0",
}

CLUSTER = "arn:aws:ecs:eu-west-1:000000000000:cluster/ECSCluster"
INSTANCE = "arn:aws:ecs:eu-west-1:000000000000:container-instance/ECSCluster/0123456789abcdef"
MACHINE = "arn:aws:ec2:eu-west-1:000000000000:instance/i-0123456789abcdef0"


class Instances(Stack):
    """The stack with launch type EC2 in a network, the parameters over both.

    It knows the one function that only rules have.
    """

    def __init__(self, **parameters: Any):
        super().__init__(ECS, {"LaunchType": "EC2", **NETWORK, **parameters})

    def _function(self, name: str, argument: Any) -> Any:
        if name == "Fn::EachMemberEquals":
            members, wanted = (self.resolve(item) for item in argument)
            return all(member == wanted for member in members)
        return super()._function(name, argument)

    def the(self, resource_type: str) -> dict[str, Any]:
        """Returns the properties of the only resource of a type."""
        (properties,) = self.of_type(resource_type)
        return properties

    @property
    def launched(self) -> dict[str, Any]:
        """What the launch template says of an instance."""
        return self.the("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]

    @property
    def permissions(self) -> list[dict[str, Any]]:
        """The statements of the instances' role."""
        (role,) = (
            item
            for item in self.of_type("AWS::IAM::Role")
            if item["RoleName"] == self.launched_role
        )
        return [
            statement
            for policy in role["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]

    @property
    def launched_role(self) -> str:
        """The name of the role that an instance gets."""
        profile = self.the("AWS::IAM::InstanceProfile")
        assert self.launched["IamInstanceProfile"]["Arn"].endswith(
            f":instance-profile/{profile['InstanceProfileName']}"
        )
        (role,) = profile["Roles"]
        return role

    def refusals(self) -> list[str]:
        """What the rules that apply say against the parameters."""
        applied = [
            rule for rule in self.template["Rules"].values() if self.resolve(rule["RuleCondition"])
        ]
        assertions = [assertion for rule in applied for assertion in rule["Assertions"]]
        return [
            assertion["AssertDescription"]
            for assertion in assertions
            if not self.resolve(assertion["Assert"])
        ]


# Which of the two


def test_fargate_is_the_default_and_makes_nothing_of_the_instances():
    stack = Stack(ECS)
    assert {resource["Type"] for resource in stack.resources.values()} == {
        "AWS::ECS::Cluster",
        "AWS::Logs::LogGroup",
        "AWS::IAM::Role",
    }
    assert len(stack.of_type("AWS::IAM::Role")) == 1
    assert stack.outputs["LaunchType"]["Value"] == "FARGATE"


def test_with_instances_there_is_all_that_fargate_has_and_what_they_need():
    with_instances, without = Instances(), Stack(ECS)
    assert with_instances.resources.items() >= without.resources.items()
    assert {resource["Type"] for resource in with_instances.resources.values()} - {
        resource["Type"] for resource in without.resources.values()
    } == {
        "AWS::AutoScaling::AutoScalingGroup",
        "AWS::EC2::LaunchTemplate",
        "AWS::IAM::InstanceProfile",
    }
    assert with_instances.outputs["LaunchType"]["Value"] == "EC2"


@pytest.mark.parametrize(
    ("missing", "named"),
    [("SubnetIds", "SubnetIds"), ("TaskSecurityGroupId", "TaskSecurityGroupId")],
)
def test_instances_without_a_network_are_refused(missing, named):
    (refusal,) = Instances(**{missing: ""}).refusals()
    assert f"needs {named}" in refusal


# An instance


def test_an_instance_joins_its_cluster_which_outlives_it():
    # Not the parameter: that would order nothing.
    assert "${Cluster}" in repr(ECS["Resources"]["LaunchTemplate"])
    script = Instances(ClusterName="team-cluster").launched["UserData"].splitlines()
    assert script[0] == "#!/bin/bash"
    assert "ECS_CLUSTER=team-cluster" in script


# Its role


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("ecs:DiscoverPollEndpoint", "*"),
        ("ecs:RegisterContainerInstance", CLUSTER),
        ("ecs:DeregisterContainerInstance", CLUSTER),
        ("ecs:SubmitAttachmentStateChanges", CLUSTER),
        ("ecs:SubmitContainerStateChange", CLUSTER),
        ("ecs:SubmitTaskStateChange", CLUSTER),
        ("ecs:Poll", INSTANCE),
        ("ecs:StartTelemetrySession", INSTANCE),
        ("ssm:UpdateInstanceInformation", MACHINE),
        ("ssmmessages:CreateControlChannel", "*"),
        ("ssmmessages:CreateDataChannel", "*"),
        ("ssmmessages:OpenControlChannel", "*"),
        ("ssmmessages:OpenDataChannel", "*"),
    ],
)
def test_an_instance_may(action, resource):
    assert allows(Instances().permissions, action, resource)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("ecs:RegisterContainerInstance", CLUSTER + "Two"),
        ("ecs:Poll", INSTANCE.replace("ECSCluster", "ECSClusterTwo")),
        ("ecs:CreateCluster", CLUSTER),
        ("ecs:UpdateService", "arn:aws:ecs:eu-west-1:000000000000:service/ECSCluster/web"),
        ("ssm:GetParameter", "arn:aws:ssm:eu-west-1:000000000000:parameter/secret"),
        ("ssm:UpdateInstanceInformation", MACHINE.replace("000000000000", "444455556666")),
        # A task with a private image pulls it with its execution role.
        ("ecr:GetAuthorizationToken", "*"),
        ("iam:PassRole", "arn:aws:iam::000000000000:role/task"),
    ],
)
def test_an_instance_may_not(action, resource):
    assert not allows(Instances().permissions, action, resource)


# What may be asked for


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("InstanceType", "u-6tb1.metal"),
        ("InstanceImage", "ami-0123456789abcdef0"),
        (
            "InstanceImage",
            "resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id",
        ),
        ("KeyPairName", "my key"),
        ("SubnetIds", "subnet-0123456789abcdef0"),
        ("TaskSecurityGroupId", "sg-01234567"),
    ],
)
def test_it_takes(parameter, value):
    assert re.search(ECS["Parameters"][parameter]["AllowedPattern"], value)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("InstanceType", "small"),
        ("InstanceImage", "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"),
        ("InstanceImage", "resolve:ssm:"),
        ("InstanceImage", "ami-0123456789abcdef0 "),
        ("KeyPairName", " key"),
        ("SubnetIds", "10.42.0.0/24"),
        ("TaskSecurityGroupId", "tasks"),
    ],
)
def test_it_refuses(parameter, value):
    assert not re.search(ECS["Parameters"][parameter]["AllowedPattern"], value)

"""The template of the load balancer: what ECS needs of one to shift traffic, and that ECS may
change no other one.
"""

import re

import pytest

from support.cloudformation import TEMPLATES, Stack, allows
from support.make import PROJECT

ALB = TEMPLATES["06-load-balancer.yml"]
OF_ELB = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:%s/0123456789abcdef"
STACK = Stack(ALB, {"AWS::StackName": "ecs-updater-alb"})


def test_every_action_of_the_listener_forwards_to_both_groups_or_to_the_first_one():
    """ECS fails a deployment whose listener has actions of several types."""
    both = [
        {"TargetGroupArn": "BlueTargetGroup", "Weight": 100},
        {"TargetGroupArn": "GreenTargetGroup", "Weight": 0},
    ]
    (listener,) = STACK.of_type("AWS::ElasticLoadBalancingV2::Listener")
    assert listener["DefaultActions"] == [{"Type": "forward", "TargetGroupArn": "BlueTargetGroup"}]
    rules = STACK.of_type("AWS::ElasticLoadBalancingV2::ListenerRule")
    forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": both}}
    assert [rule["Actions"] for rule in rules] == [[forward]] * 2


def test_test_traffic_is_recognised_before_production_traffic_which_is_the_rest():
    rules = {name: STACK.resources[name]["Properties"] for name in ("TestRule", "ProductionRule")}
    assert rules["TestRule"]["Priority"] < rules["ProductionRule"]["Priority"]
    (test,), (production,) = (rule["Conditions"] for rule in rules.values())
    assert test["HttpHeaderConfig"]["HttpHeaderName"] == "x-test-traffic"
    assert production["PathPatternConfig"]["Values"] == ["/*"]


def test_the_target_groups_differ_in_their_names_only_which_fit_with_the_longest_stack_name():
    groups = Stack(ALB, {"AWS::StackName": "a" * 25 + "-alb"}).of_type(
        "AWS::ElasticLoadBalancingV2::TargetGroup"
    )
    names = {group.pop("Name") for group in groups}
    assert len(names) == 2 and max(map(len, names)) <= 32
    assert groups[0] == groups[1] and groups[0]["TargetType"] == "ip"


def test_the_load_balancer_takes_requests_only_from_its_network():
    (balancer,) = STACK.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer")
    (group,) = STACK.of_type("AWS::EC2::SecurityGroup")
    assert balancer["Scheme"] == "internal"
    assert balancer["SecurityGroups"] == ["SecurityGroup.GroupId"]
    for rules in (group["SecurityGroupIngress"], group["SecurityGroupEgress"]):
        assert [(rule["FromPort"], rule["CidrIp"]) for rule in rules] == [(80, "10.42.0.0/20")]


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("DescribeRules", "*"),
        ("DescribeTargetHealth", "*"),
        ("RegisterTargets", OF_ELB % "targetgroup/ecs-updater-alb-b"),
        ("DeregisterTargets", OF_ELB % "targetgroup/ecs-updater-alb-g"),
        ("ModifyListener", OF_ELB % "listener/app/ecs-updater-alb/0123"),
        ("ModifyRule", OF_ELB % "listener-rule/app/ecs-updater-alb/0123/4567"),
    ],
)
def test_ecs_may(action, resource):
    assert allows(STACK.statements, f"elasticloadbalancing:{action}", resource)
    other = resource.replace("ecs-updater-alb", "another")
    if other != resource:
        assert not allows(STACK.statements, f"elasticloadbalancing:{action}", other)


@pytest.mark.parametrize("action", ["DeleteRule", "CreateRule", "DeleteTargetGroup", "SetSubnets"])
def test_ecs_may_not(action):
    for kind in ("listener/app/ecs-updater-alb/0123", "targetgroup/ecs-updater-alb-b"):
        assert not allows(STACK.statements, f"elasticloadbalancing:{action}", OF_ELB % kind)


def test_the_service_gets_every_output_but_the_address():
    """The script is the only reader, because the aws cli makes the service in both trees."""
    script = (PROJECT / "scripts" / "deploy-ecs-service").read_text("utf-8")
    read = set(re.findall(r"output\[(\w+)\]", script))
    assert ALB["Outputs"].keys() - read == {"LoadBalancerDnsName"}

"""What secures the stacks on request: traces, a customer key, repositories, senders, and who may
reach the API.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from contract.test_templates import EVERYTHING as DEFAULT
from support.cloudformation import TEMPLATES, Stack, allows
from support.permissions import listed

REGION = "eu-west-1"
EVERYTHING = DEFAULT | {"ApiAuth": "jwt"}
"""The parameters with which the stacks create every resource."""
KEY = f"arn:aws:kms:{REGION}:000000000000:key/0123-abcd"
WITH_FUNCTIONS = {
    name: template
    for name, template in TEMPLATES.items()
    if any(part["Type"] == "AWS::Lambda::Function" for part in template["Resources"].values())
}
"""The templates with functions."""
ENCRYPTED = {
    "AWS::Lambda::Function": "KmsKeyArn",
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::DynamoDB::Table": "SSESpecification",
}
"""The property with the key, of each type that stores data."""

every_template_with_functions = pytest.mark.parametrize("name", WITH_FUNCTIONS)


def statements(stack: Stack, sid: str) -> list[dict[str, Any]]:
    """The statements of all policies of a stack that have this Sid."""
    own = [part for role in stack.of_type("AWS::IAM::Role") for part in role["Policies"]]
    for kind in ("Policy", "ManagedPolicy"):
        own += stack.of_type(f"AWS::IAM::{kind}")
    found = [member for part in own for member in part["PolicyDocument"]["Statement"]]
    return [member for member in found if member["Sid"] == sid]


def roles_of_functions(stack: Stack) -> list[dict[str, Any]]:
    """The roles of functions that a stack makes."""
    return [
        role
        for role in stack.of_type("AWS::IAM::Role")
        if "lambda.amazonaws.com" in str(role["AssumeRolePolicyDocument"])
    ]


# Traces


@every_template_with_functions
def test_functions_start_traces_only_on_request_and_their_roles_may_write_them_then(name):
    for mode in ("PassThrough", "Active"):
        stack = Stack(WITH_FUNCTIONS[name], {**EVERYTHING, "Tracing": mode})
        functions = stack.of_type("AWS::Lambda::Function")
        assert {function["TracingConfig"]["Mode"] for function in functions} == {mode}
        for stage in stack.of_type("AWS::ApiGateway::Stage"):
            assert stage["TracingEnabled"] == (mode == "Active")
        may = statements(stack, "WriteTraces")
        assert len(may) == (len(roles_of_functions(stack)) if mode == "Active" else 0)


# Encryption


@every_template_with_functions
def test_everything_that_stores_data_has_the_customer_key_and_without_it_a_key_of_aws(name):
    stack = Stack(WITH_FUNCTIONS[name], {**EVERYTHING, "KmsKeyArn": KEY})
    by_default = Stack(WITH_FUNCTIONS[name], EVERYTHING)
    for kind, place in ENCRYPTED.items():
        for properties in stack.of_type(kind):
            assert KEY in str(properties[place]), properties
            assert "SqsManagedSseEnabled" not in properties
        for properties in by_default.of_type(kind):
            assert place not in properties
            assert kind != "AWS::SQS::Queue" or properties["SqsManagedSseEnabled"] is True


@every_template_with_functions
def test_the_roles_of_functions_use_the_key_only_through_the_services_that_they_call(name):
    stack = Stack(WITH_FUNCTIONS[name], {**EVERYTHING, "KmsKeyArn": KEY})
    may = statements(stack, "UseKey")
    senders = stack.of_type("AWS::IAM::ManagedPolicy")
    assert len(may) == len(roles_of_functions(stack)) + len(senders)
    for statement in may:
        assert listed(statement["Resource"]) == [KEY]
        via = listed(statement["Condition"]["StringEquals"]["kms:ViaService"])
        assert set(via) <= {
            f"{each}.{REGION}.amazonaws.com" for each in ("dynamodb", "lambda", "sqs")
        }
        # A role that only reads encrypts nothing.
        sends = f"sqs.{REGION}.amazonaws.com" in via
        assert ("kms:GenerateDataKey" in listed(statement["Action"])) == sends
    assert not statements(Stack(WITH_FUNCTIONS[name], EVERYTHING), "UseKey")


# Repositories


def test_images_are_read_of_the_named_repositories_only():
    given = {"VerifyImage": "warn", "EcrRepositoryNames": "team/*,web"}
    (may,) = statements(Stack(TEMPLATES["03-lambda.yml"], given), "ReadImages")
    prefix = "arn:*:ecr:*:*:repository"
    assert may["Resource"] == [f"{prefix}/team/*", f"{prefix}/web"]
    (may,) = statements(Stack(TEMPLATES["03-lambda.yml"], {"PinDigest": "tag"}), "ReadImages")
    repository = "arn:aws:ecr:us-east-1:111122223333:repository/any/name"
    assert allows([may], "ecr:BatchGetImage", repository, {})


# Callers of the API

HELP, LIST = "execute-api:/v1/GET/", "execute-api:/v1/GET/list"
OFFICE, ELSEWHERE = "192.0.2.7", "198.51.100.7"
CALLER = "arn:aws:iam::111122223333:role/deployer"


def decision(policy: Mapping[str, Any] | None, resource: str, principal: str, address: str) -> str:
    """What a resource policy says about a call, as AWS evaluates it: Deny, Allow or neither."""
    said = set()
    for statement in policy["Statement"] if policy else []:
        pattern = re.escape(statement["Resource"]).replace(r"\*", ".*")
        named = statement["Principal"]
        networks = statement.get("Condition", {}).get("NotIpAddress", {}).get("aws:SourceIp", [])
        inside = any(ip_address(address) in ip_network(network) for network in networks)
        if (
            re.fullmatch(pattern, resource)
            and (named == "*" or principal in named["AWS"])
            and not inside
        ):
            said.add(statement["Effect"])
    return next((effect for effect in ("Deny", "Allow") if effect in said), "neither")


def resource_policy(**parameters: str) -> Any:
    """The resource policy of the API."""
    (api,) = Stack(TEMPLATES["04-api.yml"], parameters).of_type("AWS::ApiGateway::RestApi")
    return api.get("Policy")


@pytest.mark.parametrize("auth", ["key", "iam"])
def test_the_api_has_no_resource_policy_by_default(auth):
    assert resource_policy(ApiAuth=auth) is None


def test_only_the_named_networks_may_call_the_api():
    networks = {"SourceCidrs": "192.0.2.0/24,2001:db8::/32"}
    by_key = resource_policy(**networks)
    for resource in (HELP, LIST):
        assert decision(by_key, resource, "*", OFFICE) == "Allow"
        assert decision(by_key, resource, "*", "2001:db8::7") == "Allow"
        assert decision(by_key, resource, "*", ELSEWHERE) == "Deny"
    # A signed call needs a policy of its own then: this one does not replace it.
    by_signature = resource_policy(ApiAuth="iam", **networks)
    assert decision(by_signature, HELP, "*", OFFICE) == "Allow"
    assert decision(by_signature, LIST, CALLER, OFFICE) == "neither"
    assert decision(by_signature, LIST, CALLER, ELSEWHERE) == "Deny"


def test_named_principals_may_call_the_api_with_a_signature_and_change_nothing_without():
    named = {"CallerPrincipalArns": CALLER}
    policy = resource_policy(ApiAuth="iam", **named)
    assert decision(policy, LIST, CALLER, ELSEWHERE) == "Allow"
    assert decision(policy, LIST, CALLER + "-two", ELSEWHERE) == "neither"
    assert decision(policy, HELP, "*", ELSEWHERE) == "Allow"
    assert resource_policy(ApiAuth="key", **named) is None

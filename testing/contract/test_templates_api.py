"""The API's template against its handlers: routes, authorization, and the answers of the
gateway.
"""

import importlib
import json
import re
from typing import Any

import pytest

from ecs_updater.api import openapi
from ecs_updater.api.app import status_of
from ecs_updater.settings import LIST_PARAMETERS
from support.cloudformation import TEMPLATES, USUAL, Stack, allows
from support.make import PROJECT

API = TEMPLATES["04-api.yml"]
TABLE = "arn:aws:dynamodb:eu-west-1:000000000000:table/a-ledger"
_VARIABLE = re.compile(r"\$context\.[\w.]+")


def stack(**parameters: Any) -> Stack:
    """Returns the stack that these parameters make."""
    return Stack(API, parameters)


def path_of(resource: str, resources: dict[str, Any]) -> str:
    """Returns the path of a resource, by its name in the template."""
    if resource not in resources or resources[resource]["Type"] != "AWS::ApiGateway::Resource":
        return ""
    properties = resources[resource]["Properties"]
    return f"{path_of(properties['ParentId'], resources)}/{properties['PathPart']}"


def methods(**parameters: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """Returns the properties of every method by verb and path."""
    resources = stack(**parameters).resources
    found = [
        resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::ApiGateway::Method"
    ]
    return {
        (method["HttpMethod"], path_of(method["ResourceId"], resources) or "/"): method
        for method in found
    }


def responses(**parameters: Any) -> dict[str, dict[str, Any]]:
    """Returns what the gateway answers by itself, by type."""
    return {
        response["ResponseType"]: response
        for response in stack(**parameters).of_type("AWS::ApiGateway::GatewayResponse")
    }


# Routes


ROUTES = {
    (method.upper(), path): bool(operation["security"])
    for path, operations in openapi.document([], "key")["paths"].items()
    for method, operation in operations.items()
}
"""Whether a route needs a key, by method and path."""


def test_the_api_has_the_routes_of_its_document_and_no_other():
    assert methods().keys() == ROUTES.keys()


def test_what_the_stage_shows_is_made_after_every_route_and_every_answer_of_the_gateways_own():
    """A deployment is the API as it is when that is made."""
    kinds = ("AWS::ApiGateway::Method", "AWS::ApiGateway::GatewayResponse")
    parts = {name for name, resource in API["Resources"].items() if resource["Type"] in kinds}
    assert set(API["Resources"]["Deployment"]["DependsOn"]) == parts
    module = PROJECT / "infraestructure-terraform" / "modules" / "ecs-updater-api"
    text = "".join(file.read_text("utf-8") for file in sorted(module.glob("*.tf")))
    made = re.findall(
        r'^resource "(aws_api_gateway_(?:integration|gateway_response|rest_api_policy))" "(\w+)"',
        text,
        re.MULTILINE,
    )
    deployment = text.partition('resource "aws_api_gateway_deployment"')[2]
    after = deployment.partition("depends_on = [")[2].partition("]")[0]
    assert set(re.findall(r"[\w.]+", after)) == {".".join(address) for address in made}


@pytest.mark.parametrize(
    "auth, has_key, kind",
    [("key", True, "NONE"), ("iam", True, "AWS_IAM"), ("jwt", False, "CUSTOM")],
)
def test_every_route_but_the_help_wants_the_key_with_iam_a_signature_too_with_jwt_only_a_token(
    auth, has_key, kind
):
    found = methods(ApiAuth=auth)
    for route, is_closed in ROUTES.items():
        assert found[route].get("ApiKeyRequired", False) is (is_closed and has_key), route
        assert found[route]["AuthorizationType"] == (kind if is_closed else "NONE"), route
        authorizer = "Authorizer" if is_closed and auth == "jwt" else None
        assert found[route].get("AuthorizerId") == authorizer, route
    for name in ("ApiKey", "UsagePlan", "UsagePlanKey"):
        assert (name in stack(ApiAuth=auth).resources) is has_key


def test_an_authoriser_without_a_cache_is_there_only_with_jwt_and_only_for_this_api():
    of_jwt = {f"Authorizer{part}" for part in ("", "Function", "Role", "LogGroup", "Permission")}
    assert not of_jwt & stack().resources.keys()
    resources = stack(ApiAuth="jwt", JwtIssuer="an-issuer", JwtAudience="updater").resources
    assert of_jwt <= resources.keys()
    authorizer = resources["Authorizer"]["Properties"]
    assert (authorizer["Type"], authorizer["AuthorizerResultTtlInSeconds"]) == ("REQUEST", 0)
    assert authorizer["IdentitySource"] == "method.request.header.Authorization"
    assert ":function:ecs-updater-api-jwt/invocations" in authorizer["AuthorizerUri"]
    permission = resources["AuthorizerPermission"]["Properties"]
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert permission["SourceArn"].endswith(":RestApi/authorizers/Authorizer")
    variables = resources["AuthorizerFunction"]["Properties"]["Environment"]["Variables"]
    assert (variables["JWT_ISSUER"], variables["JWT_AUDIENCE"]) == ("an-issuer", "updater")
    assert "AWS_ENDPOINT_URL" not in variables  # It would permit an issuer in a private network.


@pytest.mark.parametrize(
    "url, is_allowed",
    [
        *(
            ("", True),
            ("https://issuer.example.com/keys?a=b", True),
            ("http://127.0.0.1:80/k", True),
        ),
        *(("http://issuer.example.com/keys", False), ("http://127.0.0.1.example.com/", False)),
        *(("https://", False), ("http://127.0.0.1@example.com/", False), ("file:///keys", False)),
    ],
)
def test_keys_are_read_over_https_or_from_this_machine(url, is_allowed):
    assert bool(re.match(API["Parameters"]["JwksUrl"]["AllowedPattern"], url)) is is_allowed


def test_post_goes_to_the_update_function_and_get_to_the_status_function():
    for (verb, path), method in methods().items():
        integration = method["Integration"]
        assert (integration["Type"], integration["IntegrationHttpMethod"]) == ("AWS_PROXY", "POST")
        name = "update" if verb == "POST" else "status"
        assert f":function:ecs-updater-api-{name}/invocations" in integration["Uri"], path


@pytest.mark.parametrize("name, verb", [("Update", "POST"), ("Status", "GET")])
def test_api_gateway_may_call_each_function_only_by_its_own_verb(name, verb):
    permission = stack().resources[f"{name}Permission"]["Properties"]
    assert (
        permission["Principal"] == "apigateway.amazonaws.com"
        and permission["Action"] == "lambda:InvokeFunction"
    )
    assert permission["SourceArn"].endswith(f":RestApi/*/{verb}/*")


# Bodies


@pytest.mark.parametrize(
    "route, models", [("update", ["Update", "Short"]), ("rollback", ["Rollback", "ShortRollback"])]
)
def test_a_body_is_validated_as_the_event_or_its_short_form(route, models):
    method = methods()["POST", f"/{route}"]
    validator = stack().resources[method["RequestValidatorId"]]["Properties"]
    assert validator["ValidateRequestBody"] is True
    (name,) = method["RequestModels"].values()
    (body,) = (
        model for model in stack().of_type("AWS::ApiGateway::Model") if model["Name"] == name
    )
    ends = [form["$ref"].rpartition("/models/")[2] for form in body["Schema"]["anyOf"]]
    assert ends == models and list(method["RequestModels"]) == ["application/json"]


def test_the_answer_to_a_hook_is_validated_and_needs_the_id_of_its_update():
    found = methods()
    for answer in ("approve", "reject"):
        method = found["POST", f"/deployments/{{id}}/{answer}"]
        assert method["RequestModels"] == {"application/json": "HookAnswer"}
        assert method["RequestParameters"] == {"method.request.path.id": True}
        assert stack().resources[method["RequestValidatorId"]]["Properties"]["ValidateRequestBody"]


# What the gateway answers


@pytest.mark.parametrize("auth", ["key", "iam", "jwt"])
def test_every_answer_of_the_gateways_own_is_json_in_the_form_of_the_functions_errors(auth):
    for kind, response in responses(ApiAuth=auth).items():
        (template,) = response["ResponseTemplates"].values()
        # Of these only the message comes with its quotes.
        filled = template.replace("$context.error.messageString", '"a message"')
        answer = json.loads(_VARIABLE.sub("x", filled))
        assert answer.keys() - {"violations"} == {"errorType", "errorMessage", "requestId"}, kind
        assert answer["requestId"] == "x" and answer["errorMessage"], kind


def test_the_gateways_statuses_are_those_of_the_functions_errors():
    statuses = {kind: response.get("StatusCode") for kind, response in responses().items()}
    assert statuses == {
        "INVALID_API_KEY": "403",
        "MISSING_AUTHENTICATION_TOKEN": "404",
        "UNAUTHORIZED": "401",
        "ACCESS_DENIED": "403",
        "AUTHORIZER_FAILURE": "500",
        "THROTTLED": "429",
        "QUOTA_EXCEEDED": "429",
        "BAD_REQUEST_BODY": "400",
        "INTEGRATION_TIMEOUT": "504",
        "DEFAULT_4XX": None,
        "DEFAULT_5XX": None,
    }
    assert responses(ApiAuth="iam")["MISSING_AUTHENTICATION_TOKEN"]["StatusCode"] == "403"


def test_a_body_that_the_gateway_refuses_has_the_error_and_the_words_of_the_functions_own():
    (template,) = responses()["BAD_REQUEST_BODY"]["ResponseTemplates"].values()
    answer = json.loads(template)
    kind = getattr(importlib.import_module("ecs_updater.errors"), answer["errorType"])
    assert answer["errorMessage"].startswith(str(kind("")).rstrip()) and status_of(kind("")) == 400


# The functions


def test_both_functions_read_the_scopes_if_there_are_any_and_know_the_authentication():
    arn = "arn:aws:ssm:eu-west-1:000000000000:parameter/team/scopes"
    for name in ("", "/team/scopes"):
        found = stack(ScopesParameterName=name, ApiAuth="iam")
        for function in ("UpdateFunction", "StatusFunction"):
            variables = found.resources[function]["Properties"]["Environment"]["Variables"]
            assert (variables["SCOPES_PARAMETER"], variables["API_AUTH"]) == (name, "iam")
        policies = [each["PolicyDocument"] for each in found.of_type("AWS::IAM::Policy")]
        policies += [
            each["PolicyDocument"]
            for role in found.of_type("AWS::IAM::Role")
            for each in role.get("Policies", ())
        ]
        allowed = [
            (statement["Action"], statement["Resource"])
            for policy in policies
            for statement in policy["Statement"]
            if statement["Action"] == "ssm:GetParameter"
        ]
        assert allowed == [("ssm:GetParameter", arn)] * 2 * bool(name)


def test_hooks_can_be_answered_only_if_approvals_are_on_and_only_in_the_cluster():
    assert not stack().of_type("AWS::IAM::Policy")
    (policy,) = stack(Approvals="on", UpdaterClusterName="ECSCluster").of_type("AWS::IAM::Policy")
    assert policy["Roles"] == [USUAL["UpdaterRoleArn"].rpartition("/")[2]]
    statements = policy["PolicyDocument"]["Statement"]
    assert [statement["Sid"] for statement in statements] == ["AnswerHooks"]
    deployment = "arn:aws:ecs:eu-west-1:000000000000:service-deployment/ECSCluster/web/a0b1c2"
    assert allows(statements, "ecs:ContinueServiceDeployment", deployment)
    for other in (deployment.replace("ECSCluster", "Other"), deployment.replace("eu-", "us-")):
        assert not allows(statements, "ecs:ContinueServiceDeployment", other)
    for value in ("off", "on"):
        functions = stack(Approvals=value).of_type("AWS::Lambda::Function")
        variables = [function["Environment"]["Variables"] for function in functions]
        assert [each["APPROVALS"] for each in variables] == [value] * 2


def test_the_writing_function_has_the_role_and_the_log_group_of_the_updater():
    properties = stack().resources["UpdateFunction"]["Properties"]
    assert properties["Role"] == USUAL["UpdaterRoleArn"]
    assert properties["LoggingConfig"]["LogGroup"] == USUAL["UpdaterLogGroupName"]


def test_a_tag_by_which_the_list_filters_cannot_have_the_name_of_a_parameter():
    pattern = API["Parameters"]["TagFilters"]["AllowedPattern"]
    assert re.match(pattern, "team")
    assert not [name for name in LIST_PARAMETERS if re.match(pattern, name)]

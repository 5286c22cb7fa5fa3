"""Reads from the emulator what a deployment made of the API there, in a form in which two
deployments can be compared.

What API Gateway makes up, the ids, is replaced by the name or the path of what it is the id of.
"""

import json
from collections.abc import Mapping
from typing import Any

from support.parity import canonical

_OF_A_METHOD = ("authorizationType", "apiKeyRequired", "requestModels", "requestParameters")
_OF_AN_INTEGRATION = ("type", "httpMethod", "uri", "timeoutInMillis", "passthroughBehavior")
_OF_A_SETTING = (
    *(
        "throttlingRateLimit",
        "throttlingBurstLimit",
        "cachingEnabled",
        "dataTraceEnabled",
        "loggingLevel",
        "metricsEnabled",
    ),
)


class DeployedApi:
    """The API of that name, read through an SDK client of API Gateway."""

    def __init__(self, client: Any, name: str):
        self._client = client
        self._name = name
        self._api = self._named(client.get_rest_apis(limit=500)["items"])
        self.number: str = self._api["id"]
        """Its id, which is part of other things' names."""

    def everything(self) -> dict[str, Any]:
        """Returns all of it."""
        of_it = {"restApiId": self.number}
        validators = {
            one["id"]: one for one in self._client.get_request_validators(**of_it)["items"]
        }
        resources = self._client.get_resources(**of_it, embed=["methods"], limit=500)["items"]
        stages = self._client.get_stages(**of_it)["item"]
        return {
            **_those(self._api, "name", "description", "apiKeySource"),
            "endpoint": self._api["endpointConfiguration"].get("types"),
            "tags": _ours(self._api["tags"]),
            "routes": {one["path"]: _methods(one, validators) for one in resources},
            "validators": sorted(
                (_those(one, "name", *_VALIDATES) for one in validators.values()), key=json.dumps
            ),
            "models": {
                one["name"]: _model(one)
                for one in self._client.get_models(**of_it, limit=500)["items"]
            },
            "answers": {
                one["responseType"]: _response(one)
                for one in self._client.get_gateway_responses(**of_it)["items"]
            },
            "deployments": sorted(
                one.get("description", "") for one in self._client.get_deployments(**of_it)["items"]
            ),
            "stages": {one["stageName"]: _stage(one) for one in stages},
            "plan": self._plan(),
            "setting of the account": self._client.get_account().get("cloudwatchRoleArn"),
        }

    def _plan(self) -> dict[str, Any]:
        plan = self._named(self._client.get_usage_plans(limit=500)["items"])
        key = self._named(self._client.get_api_keys(limit=500)["items"])
        keys = self._client.get_usage_plan_keys(usagePlanId=plan["id"])["items"]
        return {
            **_those(plan, "name", "description", "throttle", "quota"),
            "tags": _ours(plan["tags"]),
            "of": [_those(one, "apiId", "stage") for one in plan["apiStages"]],
            "key": {**_those(key, "name", "description", "enabled"), "tags": _ours(key["tags"])},
            "its keys": [one["id"] == key["id"] for one in keys],
        }

    def _named(self, found: list[dict[str, Any]]) -> dict[str, Any]:
        (one,) = (one for one in found if one["name"] == self._name)
        return one


_VALIDATES = ("validateRequestBody", "validateRequestParameters")


def _methods(resource: Mapping[str, Any], validators: Mapping[str, Any]) -> dict[str, Any]:
    return {
        verb: {
            **_those(method, *_OF_A_METHOD),
            "validator": validators.get(method.get("requestValidatorId", ""), {}).get("name"),
            "calls": _those(method["methodIntegration"], *_OF_AN_INTEGRATION),
        }
        for verb, method in resource.get("resourceMethods", {}).items()
    }


def _model(model: Mapping[str, Any]) -> dict[str, Any]:
    return {**_those(model, "description", "contentType"), "schema": canonical(model["schema"])}


def _response(response: Mapping[str, Any]) -> dict[str, Any]:
    return _those(
        response, "statusCode", "responseParameters", "responseTemplates", "defaultResponse"
    )


def _stage(stage: Mapping[str, Any]) -> dict[str, Any]:
    logs = stage.get("accessLogSettings", {})
    return {
        **_those(stage, "description", "tracingEnabled", "cacheClusterEnabled", "variables"),
        "settings": {
            path: _those(one, *_OF_A_SETTING) for path, one in stage["methodSettings"].items()
        },
        "logs": {"to": logs.get("destinationArn"), "of a call": canonical(logs.get("format"))},
        "tags": _ours(stage["tags"]),
    }


def _those(found: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """What is found under these names; the emulator gives or leaves out what holds nothing,
    depending on who asked.
    """
    return {name: found.get(name) or None for name in names}


def _ours(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags without those that AWS gives itself: a stack's resources have its name and id."""
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}

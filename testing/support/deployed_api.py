"""The HTTP API as `make deploy-api-aws` deploys it to an emulator that enforces IAM, for tests that
look at it from outside.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.config import Config
from urllib3.util import Retry

from e2e.event_suite.api import JSON, THROTTLED, Api

from .make import Workspace
from .permissions import Statement, adapt_role, document

STATUS, RECONCILER = "ecs-updater-api-status", "ecs-updater-completer"
CLUSTER, SERVICE, TABLE = "ECSCluster", "ecs-dummy-service", "ecs-updater-ledger"
_DEPLOY = (
    "emulator-up",
    "deploy-ecs-cluster",
    "deploy-ecs-service",
    "deploy-lambda-aws",
    "deploy-api-aws",
)
_STATUS_ROLE = {"RoleName": f"{STATUS}-eu-west-1", "PolicyName": STATUS}


class DeployedApi:
    """An API in its own workspace, with its service, and with roles adapted to the emulator."""

    def __init__(self, here: Workspace):
        self.here = here
        here.make(*_DEPLOY).succeeded()
        url, self.key = (
            here.make(target).output.splitlines()[-1] for target in ("api-url", "api-key")
        )
        self.api = Api(url, self.key)
        for name in ("ecs-updater", "ecs-updater-completer"):
            adapt_role(self.client("iam"), RoleName=f"{name}-eu-west-1", PolicyName=name)
        self.status_statements = adapt_role(self.client("iam"), **_STATUS_ROLE)
        """Statements of the status function's role, as the emulator asks about them."""
        self.limit(1000, 1000)

    def deploy(self, **settings: str) -> None:
        """Deploys the API again with these settings."""
        self.here.make("deploy-api-aws", **settings).succeeded()
        self.status_statements = adapt_role(self.client("iam"), **_STATUS_ROLE)

    def client(self, service: str, **credentials: str) -> Any:
        """A client of the emulator, as its root unless the credentials say otherwise."""
        config = Config(retries={"total_max_attempts": 1}, proxies={})
        return self.here.client(service, config=config, **credentials)

    def ask(
        self, method: str, route: str, body: Any = None, repeat: Retry = THROTTLED
    ) -> tuple[int, Any]:
        """Status and JSON of an answer. ``repeat``: which answers are asked for again."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": JSON} if content else None
        reply = self.api.call(method, route, content, headers, repeat=repeat)
        return reply.status_code, reply.json()

    def limit(self, burst: int, rate: float) -> None:
        """Lets the key, and the stage, make so many calls at once, and per second; as deployed,
        tests would wait for each other.
        """
        gateway = self.client("apigateway")
        (plan,) = gateway.get_usage_plans()["items"]
        (stage,) = plan["apiStages"]
        of_key = {
            "/throttle/rateLimit": rate,
            "/throttle/burstLimit": burst,
            "/quota/limit": 1_000_000,
        }
        of_stage = {"/*/*/throttling/rateLimit": rate, "/*/*/throttling/burstLimit": burst}
        gateway.update_usage_plan(usagePlanId=plan["id"], patchOperations=_replaced(of_key))
        gateway.update_stage(
            restApiId=stage["apiId"], stageName=stage["stage"], patchOperations=_replaced(of_stage)
        )

    def ended(self, request_ids: Iterable[str]) -> dict[str, str]:
        """Runs the reconciler until the updates have ended. Returns their verdicts in the ledger.

        An update that is not in the ledger is left out.
        """
        functions, verdicts = self.client("lambda"), dict[str, str]()
        for _ in range(100):
            functions.invoke(FunctionName=RECONCILER)
            for id_ in request_ids:
                if id_ in verdicts:
                    continue
                status, entry = self.ask("GET", f"deployments/{id_}")
                if status == 200 and entry["state"] == "ENDED":
                    verdicts[id_] = entry["verdict"]
            if verdicts.keys() == set(request_ids):
                break
        return verdicts

    @contextmanager
    def status_permitted(self, statements: Iterable[Statement]) -> Iterator[None]:
        """Gives the status function only these permissions until the end of the block, and restarts
        it, because it caches.
        """
        self._permit_status(statements)
        try:
            yield
        finally:
            self._permit_status(self.status_statements)

    def _permit_status(self, statements: Iterable[Statement]) -> None:
        text, functions = document(statements), self.client("lambda")
        self.client("iam").put_role_policy(**_STATUS_ROLE, PolicyDocument=text)
        variables = functions.get_function_configuration(FunctionName=STATUS)["Environment"][
            "Variables"
        ]
        fresh = {"Variables": variables | {"PERMITTED": str(len(text))}}
        functions.update_function_configuration(FunctionName=STATUS, Environment=fresh)


def _replaced(values: dict[str, float]) -> list[dict[str, str]]:
    return [{"op": "replace", "path": path, "value": str(value)} for path, value in values.items()]

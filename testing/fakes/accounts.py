"""Several accounts: STS and Parameter Store at home, and a simulated ECS in each of them.

The credentials and the region of a request decide which ECS answers it.
"""

import itertools
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from botocore.awsrequest import AWSResponse
from botocore.session import Session

from ecs_updater.aws.ecs import Ecs
from ecs_updater.aws.ecs_reader import EcsReader
from ecs_updater.aws.targets import TargetAccess
from ecs_updater.context import Clock
from ecs_updater.model.targets import Target

from .simulated_ecs import SimulatedEcs
from .wire import ACCOUNT, PREFIX, REGION, Raw, answer_of

PARAMETER, SCOPES = "/ecs-updater/targets", "/ecs-updater/scopes"
REGIONS = ("eu-central-1", "us-east-1")
_CREDENTIAL = re.compile(r"Credential=(?P<key>\w+)/\d+/(?P<region>[\w-]+)/")


def account_of(index: int) -> str:
    """The account of the target with this index: 222222222222 and so on."""
    return str(index + 2) * 12


def prefix_of(index: int) -> str:
    """The beginning of the ARNs of ECS in that target."""
    return f"arn:aws:ecs:{REGIONS[index % len(REGIONS)]}:{account_of(index)}:"


class Accounts:
    """Home and targets. ``targets``: their simulated ECS by name, made with ``prefix_of``."""

    def __init__(self, clock: Clock, home: SimulatedEcs, targets: Mapping[str, SimulatedEcs]):
        self.clock = clock
        self.targets = {
            name: Target(
                name,
                account := account_of(index),
                REGIONS[index % len(REGIONS)],
                f"arn:aws:iam::{account}:role/update",
                f"arn:aws:iam::{account}:role/read",
                f"external-{name}",
            )
            for index, name in enumerate(targets)
        }
        self.parameter: str | None = None
        """The text of the parameter. None: the targets, as they are."""
        self.scopes: str | None = None
        """The text of the parameter of the scopes. None: there is none."""
        self.external_ids: dict[str, str] = {}
        """The external id that the roles of an account require. Empty: no external id fits."""
        self.permit()
        self.refusal = ""
        """Code with which STS refuses each call. Empty: it does not."""
        self.seconds = 3600.0
        """How long assumed credentials are valid."""
        self.calls: Counter[str] = Counter()
        """Calls of STS and Parameter Store, by operation."""
        self.assumed: list[tuple[str, str]] = []
        """Role and session name of each AssumeRole."""
        self.home, self.simulated = home, targets
        self._ecs = {(ACCOUNT, REGION): home} | {
            (target.account, target.region): ecs
            for target, ecs in zip(self.targets.values(), targets.values(), strict=True)
        }
        self._keys: dict[str, tuple[str, float]] = {"test": (ACCOUNT, float("inf"))}
        """Account and expiry of each access key."""
        self._numbers = itertools.count(1)
        self.session = Session()
        """The session of home."""
        for name, answer in (("sts", self._sts), ("ssm", self._ssm), ("ecs", self._of_ecs)):
            self.session.get_component("event_emitter").register(f"before-send.{name}", answer)

    def access(self, home: str = PREFIX) -> TargetAccess:
        """The function's access to the targets."""
        parameter = PARAMETER if self.targets or self.parameter else ""
        return TargetAccess(parameter, home, clock=self.clock, home_session=lambda: self.session)

    def boundary(self) -> Ecs:
        """The function's client."""
        return Ecs(session=lambda: self.session, targets=self.access())

    def reader(self) -> EcsReader:
        """The function's reader of lists."""
        client = self.session.create_client("ecs")
        return EcsReader(client, clock=self.clock, targets=self.access())

    def deny(self, *names: str) -> None:
        """From now on the roles of these targets cannot be assumed."""
        self.external_ids |= {self.targets[name].account: "" for name in names}

    def permit(self) -> None:
        """From now on all roles can be assumed again."""
        self.external_ids = {target.account: target.external_id for target in self.targets.values()}

    def change(self, name: str, **fields: Any) -> None:
        """Changes a target in the configuration."""
        self.targets[name] = replace(self.targets[name], **fields)

    def _ssm(self, request: Any, **_: Any) -> AWSResponse:
        self.calls["GetParameter"] += 1
        body = json.loads(request.body)
        targets = {name: _fields(target) for name, target in self.targets.items()}
        text = json.dumps(targets) if self.parameter is None else self.parameter
        text = {PARAMETER: text, SCOPES: self.scopes}.get(body["Name"])
        if text is None or not body["WithDecryption"]:
            return answer_of(request.url, 400, {"__type": "ParameterNotFound"})
        return answer_of(request.url, 200, {"Parameter": {"Name": body["Name"], "Value": text}})

    def _sts(self, request: Any, **_: Any) -> AWSResponse:
        fields = {name: values[0] for name, values in parse_qs(request.body).items()}
        self.calls[fields["Action"]] += 1
        if fields["Action"] == "GetCallerIdentity":
            text = (
                "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>"
                f"arn:aws:iam::{ACCOUNT}:user/me</Arn></GetCallerIdentityResult>"
                "</GetCallerIdentityResponse>"
            )
            return AWSResponse(request.url, 200, {}, Raw(text.encode()))
        role, account = fields["RoleArn"], fields["RoleArn"].split(":")[4]
        if self.refusal or fields.get("ExternalId") != self.external_ids[account]:
            text = (
                "<ErrorResponse><Error><Type>Sender</Type>"
                f"<Code>{self.refusal or 'AccessDenied'}</Code><Message>User: "
                f"arn:aws:sts::{ACCOUNT}:assumed-role/f/f is not authorized to perform: "
                f"sts:AssumeRole on resource: {role}</Message></Error></ErrorResponse>"
            )
            return AWSResponse(request.url, 403, {}, Raw(text.encode()))
        self.assumed.append((role, fields["RoleSessionName"]))
        key, expiry = f"ASIA{next(self._numbers):016}", self.clock.epoch() + self.seconds
        self._keys[key] = account, expiry
        text = (
            "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
            f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
            f"<SessionToken>t</SessionToken><Expiration>"
            f"{datetime.fromtimestamp(expiry, UTC).isoformat()}</Expiration></Credentials>"
            f"<AssumedRoleUser><Arn>{role}/f</Arn><AssumedRoleId>A:f</AssumedRoleId>"
            "</AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
        )
        return AWSResponse(request.url, 200, {}, Raw(text.encode()))

    def _of_ecs(self, request: Any, **_: Any) -> AWSResponse:
        found = _CREDENTIAL.search(request.headers["Authorization"].decode())
        assert found, request.headers["Authorization"]
        account, expiry = self._keys[found["key"]]
        if expiry <= self.clock.epoch():
            error = {"__type": "ExpiredTokenException", "message": "The token has expired"}
            return answer_of(request.url, 400, error)
        ecs = self._ecs[account, found["region"]]
        return ecs._send(request)  # pylint: disable=protected-access


def _fields(target: Target) -> dict[str, str]:
    return {name: value for name, value in asdict(target).items() if name != "name"}

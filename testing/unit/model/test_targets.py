"""The configuration of targets, and which target an event or an ARN means."""

import json

import pytest

from ecs_updater.errors import ConfigurationError, InvalidEventError
from ecs_updater.model.request import Request
from ecs_updater.model.targets import Targets

HOME = "arn:aws:ecs:eu-west-1:111111111111:"
PARAMETER = "/ecs-updater/targets"
SHOP = {
    "account": "222222222222",
    "region": "eu-central-1",
    "update_role": "arn:aws:iam::222222222222:role/update",
    "read_role": "arn:aws:iam::222222222222:role/path/read",
    "external_id": "a-secret",
}
PREFIX = "arn:aws:ecs:eu-central-1:222222222222:"
AT_HOME = {
    "account": "111111111111",
    "region": "eu-west-1",
    "update_role": "arn:aws:iam::111111111111:role/update",
    "read_role": "arn:aws:iam::111111111111:role/read",
}


def targets(home=HOME, **configuration):
    """The targets of a parameter with these members."""
    return Targets.parse(json.dumps(configuration or {"shop": SHOP}), PARAMETER, home)


def located(home=HOME, **fields):
    """Cluster and service of a request, located."""
    request = targets(home).locate(Request(**{"cluster": "c", "service": "s", **fields}))
    return request.cluster, request.service


def test_a_target_has_the_partition_of_its_roles_and_does_not_show_its_external_id():
    china = {"update_role": "arn:aws-cn:iam::222222222222:role/u", "region": "cn-north-1"}
    found = targets(shop=SHOP, china=SHOP | china).by_name
    assert found["shop"].prefix == PREFIX
    assert found["china"].prefix == "arn:aws-cn:ecs:cn-north-1:222222222222:"
    assert "a-secret" not in repr(found)
    assert targets(home="", home2=SHOP).by_name


@pytest.mark.parametrize(
    "text, reason",
    [
        ("{", "its value is not valid JSON: "),
        ('{"a": {}, "a": {}}', "its value has the key 'a' twice"),
        ("[" * 100_000, "its value is nested too deeply"),
        ("[]", "the value is not of type 'object'"),
        ({"home": SHOP}, "home: a target's name is 1 to 40 characters of a-z, 0-9 and -, and not"),
        ({"a": SHOP, "Shop": SHOP}, "Shop: a target's name is"),
        ({"a\n": SHOP}, "a: it ends with a newline"),
        ({"a": "a-secret"}, "a: the value is not of type 'object'"),
        ({"a": {**SHOP, "read_role": 1}}, "a.read_role: the value is not of type 'string'"),
        ({"a": {**SHOP, "external_id": "a secret"}}, "a.external_id: the value does not match"),
        ({"a": {**SHOP, "external_id": ["a-secret"]}}, "a.external_id: the value is not of type"),
        ({"a": {**SHOP, "external_id": "a-secret\n"}}, "a.external_id: it ends with a newline"),
        ({"a": {**SHOP, "externalId": "a-secret"}}, "a: Additional properties are not allowed"),
        ({"a": {**SHOP, "account": "1"}}, "a.account: the value does not match '^[0-9]{12}$'"),
        ({"a": {**SHOP, "account": "333333333333"}}, "a.update_role: the role is not of the acc"),
        (
            {"a": {**SHOP, "read_role": "arn:aws:iam::333333333333:role/r"}},
            "a.read_role: the role is not of the account 222222222222",
        ),
        ({"a": SHOP, "b": SHOP}, "b: a has the same account and region"),
        ({"a": SHOP | AT_HOME}, "a: home has the same account and region"),
        *(
            (
                {"a": {name: value for name, value in SHOP.items() if name != missing}},
                f"a: {missing!r} is a required property",
            )
            for missing in SHOP
        ),
    ],
)
def test_an_invalid_parameter_is_named_with_path_and_reason_and_never_with_an_external_id(
    text, reason
):
    with pytest.raises(ConfigurationError) as raised:
        Targets.parse(text if isinstance(text, str) else json.dumps(text), PARAMETER, HOME)
    begin = f"[ERROR][configuration] the parameter {PARAMETER} of the function's TARGETS_PARAMETER:"
    assert str(raised.value).startswith(f"{begin} {reason}")
    assert "secret" not in str(raised.value)


CLUSTER, SERVICE = f"{PREFIX}cluster/c", f"{PREFIX}service/c/s"


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({}, ("c", "s")),
        ({"target": "home"}, ("c", "s")),
        ({"target": "home", "cluster": f"{HOME}cluster/c"}, (f"{HOME}cluster/c", "s")),
        ({"target": "shop"}, (CLUSTER, "s")),
        ({"target": "shop", "service": SERVICE}, (CLUSTER, SERVICE)),
        ({"service": SERVICE}, (CLUSTER, SERVICE)),
        ({"cluster": CLUSTER}, (CLUSTER, "s")),
        ({"cluster": f"{HOME}cluster/c"}, (f"{HOME}cluster/c", "s")),
    ],
)
def test_a_request_about_a_target_gets_the_arn_of_its_cluster(fields, expected):
    assert located(**fields) == expected


OTHER = "arn:aws:ecs:eu-west-1:222222222222:service/c/s"


@pytest.mark.parametrize(
    "fields, sentence, hint",
    [
        ({"target": "ship"}, "target: 'ship' is not in the parameter", "the target shop?"),
        ({"target": "x"}, "write one of home, shop", None),
        ({"target": "shop", "cluster": f"{HOME}cluster/c"}, "ecs_cluster_name is 'arn:", None),
        ({"target": "home", "service": SERVICE}, "target: home is account 111111111111", None),
        ({"service": OTHER}, "account 222222222222 and region eu-west-1", "the target shop?"),
        ({"service": OTHER.replace("2" * 12, "9" * 12)}, "has no target", None),
        ({"cluster": CLUSTER.replace("aws", "aws-cn")}, "partition aws-cn, ", "the target shop?"),
    ],
)
def test_an_unknown_or_contradictory_target_is_the_callers_fault(fields, sentence, hint):
    with pytest.raises(InvalidEventError) as raised:
        located(**fields)
    assert sentence in raised.value.violation
    assert raised.value.hint == (f"did you mean {hint}" if hint else None)


def test_if_home_is_unknown_an_arn_of_another_account_passes():
    assert located("", service=OTHER) == ("c", OTHER)
    assert located("", service=SERVICE) == (CLUSTER, SERVICE)
    assert located("", target="home", service=OTHER) == ("c", OTHER)

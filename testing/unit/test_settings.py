"""What the function's environment variables mean."""

import pytest

from ecs_updater.errors import ConfigurationError
from ecs_updater.settings import Settings

FIELDS = {
    "CLUSTER_NAME": "cluster",
    "SERVICE_NAME": "service",
    "CONTAINER_NAME": "container",
    "IMAGE": "image",
    "TASK_DEF": "family",
    "LEDGER_TABLE": "ledger_table",
}
CHOICES = {
    "UNKNOWN_FIELDS": ["keep", "drop"],
    "CIRCUIT_BREAKER": ["keep", "enable"],
    "VERIFY_IMAGE": ["off", "warn", "require"],
    "PIN_DIGEST": ["off", "tag", "digest"],
}
COUNTS = {
    "TASK_FAILURES": (3, 50),
    "LEDGER_RETENTION_DAYS": (90, 3650),
    "OPEN_UPDATE_MAX_HOURS": (24, 720),
}


@pytest.mark.parametrize("variable, field", FIELDS.items())
def test_each_variable_sets_its_field_and_no_other(variable, field):
    assert Settings.from_environment({variable: "x"}) == Settings(**{field: "x"})


def test_an_empty_variable_counts_as_unset():
    empty = dict.fromkeys(
        [*FIELDS, *CHOICES, *COUNTS, "PRIVATE_REGISTRIES", "DEPLOYMENT_ALARMS"], ""
    )
    assert Settings.from_environment(empty) == Settings.from_environment({}) == Settings()


def test_the_names_of_alarms_are_separated_by_commas_and_each_counts_once():
    settings = Settings.from_environment({"DEPLOYMENT_ALARMS": " a b,c:d ,,a b"})
    assert settings.deployment_alarms == ("a b", "c:d")


def test_a_name_of_an_alarm_that_is_too_long_is_an_error():
    with pytest.raises(ConfigurationError) as raised:
        Settings.from_environment({"DEPLOYMENT_ALARMS": f"a,{'b' * 256}"})
    assert "the function's DEPLOYMENT_ALARMS has the name 'bbb" in str(raised.value)


@pytest.mark.parametrize("variable", CHOICES)
def test_a_choice_has_its_values_and_the_first_is_the_default(variable):
    for value in CHOICES[variable]:
        assert getattr(Settings.from_environment({variable: value}), variable.lower()) == value
    assert getattr(Settings(), variable.lower()) == CHOICES[variable][0]


@pytest.mark.parametrize(
    "variable, value, choices",
    [
        *(("UNKNOWN_FIELDS", value, "keep or drop") for value in ("Drop", "true", "keep ")),
        ("VERIFY_IMAGE", "yes", "off, warn or require"),
    ],
)
def test_another_value_of_a_choice_is_an_error_that_names_all(variable, value, choices):
    with pytest.raises(ConfigurationError) as raised:
        Settings.from_environment({variable: value})
    assert str(raised.value) == (
        f"[ERROR][configuration] the function's {variable} is {value!r}: set it to {choices}"
    )


@pytest.mark.parametrize("variable", COUNTS)
def test_a_count_is_a_number_within_its_bounds(variable):
    default, most = COUNTS[variable]
    assert getattr(Settings(), variable.lower()) == default
    for value in (1, most):
        assert getattr(Settings.from_environment({variable: str(value)}), variable.lower()) == value
    for wrong in ("0", str(most + 1), "-1", "1.5", "three", "٣", "1" * 5000):
        with pytest.raises(
            ConfigurationError, match=f"{variable} is .*: set it to a number from 1 to {most}"
        ):
            Settings.from_environment({variable: wrong})


def test_private_registries_are_separated_by_commas():
    hosts = Settings.from_environment(
        {"PRIVATE_REGISTRIES": "registry.internal:5000, other.internal,"}
    ).private_registries
    assert hosts == {"registry.internal:5000", "other.internal"}

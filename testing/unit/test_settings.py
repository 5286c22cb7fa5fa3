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
}


@pytest.mark.parametrize("variable, field", FIELDS.items())
def test_each_variable_sets_its_field_and_no_other(variable, field):
    assert Settings.from_environment({variable: "x"}) == Settings(**{field: "x"})


def test_an_empty_variable_counts_as_unset():
    assert Settings.from_environment(dict.fromkeys([*FIELDS, "UNKNOWN_FIELDS"], "")) == Settings.from_environment({}) == Settings()


@pytest.mark.parametrize("value", ["keep", "drop"])
def test_unknown_fields_are_kept_or_dropped(value):
    assert Settings.from_environment({"UNKNOWN_FIELDS": value}).unknown_fields == value


def test_unknown_fields_are_kept_unless_the_setting_says_otherwise():
    assert Settings().unknown_fields == "keep"


@pytest.mark.parametrize("value", ["Drop", "true", "keep "])
def test_another_value_of_unknown_fields_is_refused_with_what_to_do(value):
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_environment({"UNKNOWN_FIELDS": value})
    assert str(refused.value) == f"[ERROR][configuration] the function's UNKNOWN_FIELDS is {value!r}: set it to keep or drop"

"""Which fields RegisterTaskDefinition takes, as the SDK's own model says."""

READ_ONLY = {
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
}

REVISION = {
    "family": "f",
    "future": {"a": 1},
    "containerDefinitions": [
        {
            "name": "a",
            "image": "i",
            "dockerLabels": {"anything": "goes"},
            "environment": [{"name": "E", "value": "", "new": 1}],
        },
        {"name": "b", "healthCheck": {"command": ["x"], "newer": None}, "newField": "x"},
    ],
}


def test_read_only_are_the_fields_that_ecs_adds_to_what_was_registered(fields):
    assert fields.read_only >= READ_ONLY
    assert not fields.read_only & {
        "family",
        "containerDefinitions",
        "volumes",
        "cpu",
        "memory",
        "enableFaultInjection",
    }


def test_unknown_fields_are_found_at_any_depth_by_their_path(fields):
    assert list(fields.unknown(REVISION)) == [
        "future",
        "containerDefinitions[0].environment[0].new",
        "containerDefinitions[1].healthCheck.newer",
        "containerDefinitions[1].newField",
    ]


def test_the_keys_of_a_map_are_no_fields(fields):
    assert not list(
        fields.unknown(
            {
                "containerDefinitions": [
                    {"logConfiguration": {"logDriver": "x", "options": {"new": "y"}}}
                ]
            }
        )
    )


def test_known_leaves_out_exactly_the_unknown_fields(fields):
    assert fields.known(REVISION) == {
        "family": "f",
        "containerDefinitions": [
            {
                "name": "a",
                "image": "i",
                "dockerLabels": {"anything": "goes"},
                "environment": [{"name": "E", "value": ""}],
            },
            {"name": "b", "healthCheck": {"command": ["x"]}},
        ],
    }
    assert not list(fields.unknown(fields.known(REVISION)))
    assert "future" in REVISION


def test_a_value_of_another_kind_than_the_model_says_is_left_as_it_is(fields):
    odd = {"containerDefinitions": {"not": "a list"}, "volumes": ["not a structure"], "cpu": 256}
    assert fields.known(odd) == odd and not list(fields.unknown(odd))

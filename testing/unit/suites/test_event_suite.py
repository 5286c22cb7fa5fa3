"""The runner of the JSON events: it passes what is right, and nothing else."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from e2e.event_suite import __main__ as command
from e2e.event_suite import cases
from e2e.event_suite.cases import EVENTS_DIR, Case, Expected, ServiceState
from e2e.event_suite.comparison import differences
from e2e.event_suite.invokers import Invocation, InvocationFailed, from_payload, gateway
from e2e.event_suite.run import FAILED, OK, Outcome, compare, run_case, table
from e2e.event_suite.service import Service, ServiceMissing
from ecs_updater.errors import EcsUpdaterError
from ecs_updater.model.event_parser import parse
from ecs_updater.settings import Settings
from fakes.fake_ecs import FakeEcs
from support.settings import SETTINGS

CASES = {case.name: case for case in cases.load(SETTINGS)}
FIRST_STATE = ServiceState("busybox", {"old-custom-tag-name": "old-custom-tag-value"})


@pytest.fixture(name="fake")
def _fake() -> FakeEcs:
    """An ECS with the dummy service, its memory given by the task alone."""
    return FakeEcs(containers=[{"name": "ecs-dummy-container", "image": "busybox"}])


@pytest.fixture(name="service")
def _service(fake) -> Service:
    """The suite's own view of that service."""
    return Service(fake.client(), "ECSCluster", "ecs-dummy-service")


@pytest.fixture(name="invoker")
def _invoker(fake, invoke):
    """Invokes the function in this process."""

    def invoker(event_file: Path) -> Invocation:
        try:
            return from_payload(invoke(fake, json.loads(event_file.read_text("utf-8"))))
        except EcsUpdaterError as error:
            return from_payload({"errorType": type(error).__name__, "errorMessage": str(error)})

    return invoker


# The events


def test_every_event_has_its_expected_answer_beside_it_and_is_run():
    files = {path.name for path in EVENTS_DIR.iterdir() if path.is_file()}

    assert files == {
        f"lambda-ecs-updater.testevent-{name}{end}"
        for name in CASES
        for end in (".json", ".expected.json")
    }


def test_each_case_expects_either_an_answer_or_an_error_with_its_type():
    for case in CASES.values():
        expected = (
            case.expected.answer is None,
            case.expected.error_type is None,
            case.expected.error_message is None,
        )
        assert expected in ((False, True, True), (True, False, False)), case.name


@pytest.mark.parametrize("name", CASES)
def test_the_function_answers_every_event_as_expected(name, invoker, service, tmp_path):
    outcome = run_case(CASES[name], invoker, service, tmp_path)

    assert not outcome.differences
    assert outcome.verdict == OK


@pytest.mark.parametrize("name", CASES)
def test_an_event_is_refused_by_the_schema_exactly_when_it_is_expected_to_be(name):
    refusals = []
    try:
        parse(CASES[name].event, Settings.from_environment({}))
    except EcsUpdaterError as error:
        refusals.append((type(error).__name__, str(error)))

    found_later = ("ClusterNotFoundError", "ServiceNotFoundError")
    case = CASES[name]
    if case.expected.error_type in (None, *found_later):
        assert not refusals
    else:
        assert refusals == [(case.expected.error_type, case.expected.error_message)]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.expected.error_type])
def test_an_event_that_ends_in_an_error_leaves_the_service_as_it_was(name):
    assert CASES[name].ends_with == CASES[name].starts_from


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.expected.error_type])
def test_an_event_that_ends_in_an_error_has_one_thing_wrong(name):
    event, base = CASES[name].event, CASES["base"].event

    assert (
        len([field for field in event.keys() | base.keys() if event.get(field) != base.get(field)])
        == 1
    )


def test_an_event_with_the_first_values_changes_the_service_back():
    case = CASES["SAME_INITIAL_VALUES"]

    assert case.starts_from == CASES["base"].ends_with != case.ends_with == FIRST_STATE
    assert case.expected.answer["body"]["changed"] is True


# Names and values of this run


def test_names_come_from_the_settings():
    settings = {name: f"my-{value}" for name, value in SETTINGS.items()}
    (base, *_) = cases.load(settings)

    assert base.event["ecs_cluster_name"] == "my-ECSCluster"
    assert base.starts_from == ServiceState(
        "my-busybox", {"my-old-custom-tag-name": "my-old-custom-tag-value"}
    )
    assert base.expected.answer["body"]["BEFORE"]["serviceArn"].fullmatch(
        "arn:aws:ecs:my-eu-west-1:000000000000:service/my-ECSCluster/my-ecs-dummy-service"
    )


def test_expected_tags_and_changes_are_in_the_order_of_the_contract_whatever_the_names():
    settings = SETTINGS | {"TAG_NAME": "zzz"}
    body = next(
        case for case in cases.load(settings) if case.name == "MULTIPLE_TAGS"
    ).expected.answer["body"]

    assert [tag["key"] for tag in body["AFTER"]["tags"]] == [
        "custom-tag-name",
        "environment",
        "owner",
        "url",
    ]
    assert [change["what"] for change in body["changes"]] == [
        "image.ecs-dummy-container",
        "tag.custom-tag-name",
        "tag.environment",
        "tag.owner",
        "tag.url",
        "tag.zzz",
    ]


@pytest.mark.parametrize(
    "value", ['a "quote"', "back\\slash", "${CLUSTER_NAME}", "re:.*", "new\nline", "$", "{}"]
)
def test_a_setting_is_a_text_whatever_is_in_it(value):
    (base, *_) = cases.load(SETTINGS | {"TAG_VALUE": value, "CONTAINER_IMAGE": value})

    assert base.starts_from == ServiceState(value, {"old-custom-tag-name": value})
    assert base.expected.answer["body"]["BEFORE"]["serviceImage"] == value


def test_a_setting_in_a_pattern_stands_for_itself():
    (base, *_) = cases.load(SETTINGS | {"CLUSTER_NAME": "a.c"})
    arn = base.expected.answer["body"]["BEFORE"]["clusterArn"]

    assert arn.fullmatch("arn:aws:ecs:eu-west-1:000000000000:cluster/a.c")
    assert not arn.fullmatch("arn:aws:ecs:eu-west-1:000000000000:cluster/abc")


@pytest.mark.parametrize(
    "name, value", [("CONTAINER_IMAGE", "busybox:1.36"), ("TAG_NAME", "owner")]
)
def test_a_setting_that_an_event_sets_itself_is_refused_in_one_line(name, value):
    with pytest.raises(cases.SettingsCollide, match="choose another CONTAINER_IMAGE or TAG_NAME"):
        cases.load(SETTINGS | {name: value})


def test_a_setting_that_is_not_there_is_named():
    with pytest.raises(KeyError, match="CLUSTER_NAME"):
        cases.load({name: value for name, value in SETTINGS.items() if name != "CLUSTER_NAME"})


# Comparison


@pytest.mark.parametrize(
    "value",
    [None, True, 0, 1.5, "", "text", [], [1, [2]], {}, {"a": {"b": [None]}}, {"a": "re:.*"}],
    ids=repr,
)
def test_equal_values_have_no_difference(value):
    assert not list(differences(value, json.loads(json.dumps(value))))


@pytest.mark.parametrize(
    "expected, actual, found",
    [
        ({"a": 1}, {"a": 2}, ["a is 2, not 1"]),
        ({"a": 1}, {}, ["a is missing"]),
        ({}, {"a": 1}, ["a should not be there: 1"]),
        ({"a": None}, {}, ["a is missing"]),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b is 2, not 1"]),
        ({"a": {"b": 1}}, {"a": [1]}, ["a is [1], not {'b': 1}"]),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["a[0] is 2, not 1", "a[1] is 1, not 2"]),
        ({"a": [1]}, {"a": [1, 1]}, ["a is [1, 1], not [1]"]),
        ({"a": []}, {"a": {}}, ["a is {}, not []"]),
        ({"a": 1}, {"a": True}, ["a is True, not 1"]),
        ({"a": 1}, {"a": 1.0}, ["a is 1.0, not 1"]),
        ({"a": False}, {"a": None}, ["a is None, not False"]),
        ({"a": "1"}, {"a": 1}, ["a is 1, not '1'"]),
        ({"a": re.compile("[0-9]+")}, {"a": "12x"}, ["a is '12x', not like [0-9]+"]),
        ({"a": re.compile("[0-9]+")}, {"a": "12\n"}, ["a is '12\\n', not like [0-9]+"]),
        ({"a": re.compile("[0-9]+")}, {"a": 12}, ["a is 12, not like [0-9]+"]),
        (
            {"a": 1, "b": 2},
            {"b": 3, "c": 4},
            ["a is missing", "b is 3, not 2", "c should not be there: 4"],
        ),
    ],
)
def test_every_kind_of_difference_is_found_and_named_with_its_place(expected, actual, found):
    assert list(differences(expected, actual)) == found


HIDDEN = frozenset({"errorType"})
ANSWER = Expected(answer={"statusCode": 200})
ERROR = Expected(error_type="InvalidEventError", error_message="[ERROR][json_validation] no")


@pytest.mark.parametrize(
    "expected, invocation, found",
    [
        (ANSWER, Invocation({"statusCode": 200}), []),
        (ANSWER, Invocation({"statusCode": 500}), ["answer.statusCode is 500, not 200"]),
        (ANSWER, Invocation(None), ["answer is None, not {'statusCode': 200}"]),
        (
            ANSWER,
            Invocation(error_message="no"),
            ["answer.error should not be there: 'no'", "answer.statusCode is missing"],
        ),
        (ANSWER, Invocation(error_message=""), ["answer is None, not {'statusCode': 200}"]),
        (ERROR, Invocation(None, ERROR.error_type, ERROR.error_message), []),
        (
            ERROR,
            Invocation(None, "Other", ERROR.error_message),
            ["errorType is 'Other', not 'InvalidEventError'"],
        ),
        (
            ERROR,
            Invocation(None, None, ERROR.error_message),
            ["errorType is None, not 'InvalidEventError'"],
        ),
        (
            ERROR,
            Invocation(None, ERROR.error_type, "x"),
            ["errorMessage is 'x', not '[ERROR][json_validation] no'"],
        ),
        (ERROR, Invocation(None, "Other", ERROR.error_message, HIDDEN), []),
        (
            ERROR,
            Invocation(None, "Other", "x", HIDDEN),
            ["errorMessage is 'x', not '[ERROR][json_validation] no'"],
        ),
        (
            ERROR,
            Invocation({"statusCode": 200}),
            ["answer.error is missing", "answer.statusCode should not be there: 200"],
        ),
        (ERROR, Invocation(None), ["answer is None, not {'error': '[ERROR][json_validation] no'}"]),
    ],
)
def test_an_answer_that_differs_from_the_expected_one_is_found(expected, invocation, found):
    assert list(compare(replace(CASES["base"], expected=expected), invocation)) == found


BY_GATEWAY = frozenset({gateway.VIOLATION})
REFUSED = Invocation(None, "InvalidEventError", gateway.MESSAGE, BY_GATEWAY)


@pytest.mark.parametrize("name", ["MISSING_JSON_FIELD", "WRONG_JSON_FORMAT"])
def test_the_gateways_own_words_are_accepted_from_the_gateway_alone(name):
    by_function = replace(REFUSED, cannot_show=frozenset())
    in_other_words = replace(REFUSED, error_message=f"{gateway.STAGE}something")

    assert not list(compare(CASES[name], REFUSED))
    (from_function,), (other,) = (
        list(compare(CASES[name], one)) for one in (by_function, in_other_words)
    )
    assert from_function.startswith(f"errorMessage is {gateway.MESSAGE!r}, not ")
    assert other == f"errorMessage is '{gateway.STAGE}something', not {gateway.MESSAGE!r}"
    assert list(compare(CASES[name], replace(REFUSED, error_type="Other"))) == [
        "errorType is 'Other', not 'InvalidEventError'"
    ]


@pytest.mark.parametrize(
    "name", [name for name in CASES if name not in ("MISSING_JSON_FIELD", "WRONG_JSON_FORMAT")]
)
def test_an_event_that_fits_the_schema_may_not_be_refused_by_the_gateway(name):
    assert list(compare(CASES[name], REFUSED))


# One case


def test_a_case_starts_from_its_own_state_whatever_the_one_before_left(fake, service, tmp_path):
    seen = []

    def look(_: Path) -> Invocation:
        seen.append((fake.images, dict(fake.tags)))
        return Invocation()

    run_case(CASES["SAME_INITIAL_VALUES"], look, service, tmp_path)
    run_case(CASES["base"], look, service, tmp_path)

    assert seen == [
        ({"ecs-dummy-container": "busybox:1.36"}, {"custom-tag-name": "custom-tag-value"}),
        ({"ecs-dummy-container": "busybox"}, {"old-custom-tag-name": "old-custom-tag-value"}),
    ]


def test_a_case_fails_when_the_answer_is_right_and_the_service_is_not(
    fake, invoker, service, tmp_path
):
    def lie(event_file: Path) -> Invocation:
        answer = invoker(event_file)
        fake.tags["forgotten"] = "tag"
        fake.deploy(fake.revisions[0]["taskDefinitionArn"])
        return answer

    outcome = run_case(CASES["base"], lie, service, tmp_path)

    assert outcome.verdict == FAILED
    assert outcome.differences == (
        "service.image is 'busybox', not 'busybox:1.36'",
        "service.tags.forgotten should not be there: 'tag'",
    )


def test_tags_of_aws_are_none_of_the_suites_business(fake, invoker, service, tmp_path):
    fake.tags["aws:cloudformation:stack-name"] = "stack"

    assert service.read() == FIRST_STATE
    service.restore(CASES["base"].ends_with)
    assert fake.tags == {
        "aws:cloudformation:stack-name": "stack",
        "custom-tag-name": "custom-tag-value",
    }
    assert run_case(CASES["MISSING_JSON_FIELD"], invoker, service, tmp_path).verdict == OK


def test_a_service_that_is_as_it_should_be_is_not_written(fake, service):
    service.restore(FIRST_STATE)

    assert not fake.writes


def test_an_invocation_that_fails_fails_its_case_with_its_reason(service, tmp_path):
    def fail(_: Path) -> Invocation:
        raise InvocationFailed("sam has left the building")

    outcome = run_case(CASES["MISSING_JSON_FIELD"], fail, service, tmp_path)

    assert (outcome.verdict, outcome.actual, outcome.differences) == (
        FAILED,
        "not invoked",
        ("sam has left the building",),
    )


@pytest.mark.parametrize("status", ["INACTIVE", None])
def test_a_service_that_is_not_there_any_more_is_named(status, fake, service):
    if status:
        fake.service["status"] = status
    else:
        fake.service["serviceName"] = "another"

    with pytest.raises(
        ServiceMissing, match="^cluster ECSCluster has no service ecs-dummy-service$"
    ):
        service.read()


# The table


def outcome_of(case: Case, actual: str = "200 IN_PROGRESS", **fields) -> Outcome:
    """What became of a case, well unless said otherwise."""
    return Outcome(case, actual, 1.26, **{"differences": (), "skipped": frozenset()} | fields)


def test_the_table_has_expected_and_actual_outcome_time_and_verdict_of_each_event():
    outcomes = [
        outcome_of(CASES["base"]),
        outcome_of(CASES["MISSING_JSON_FIELD"], "error in json_validation", skipped=HIDDEN),
        outcome_of(CASES["WRONG_IMAGE_NAME"], differences=("x",)),
    ]

    assert table(outcomes).splitlines() == [
        "event               expected           actual                    seconds",
        "------------------  -----------------  ------------------------  -------  ------",
        "base                200 IN_PROGRESS    200 IN_PROGRESS           1.3      ok",
        "MISSING_JSON_FIELD  InvalidEventError  error in json_validation  1.3      ok",
        "WRONG_IMAGE_NAME    InvalidImageError  200 IN_PROGRESS           1.3      FAILED",
        "skipped, since this way of invoking does not show it: errorType",
    ]


def test_what_is_not_compared_is_only_named_where_it_would_have_been(service, tmp_path):
    answered = run_case(
        CASES["base"], lambda _: Invocation({}, cannot_show=HIDDEN), service, tmp_path
    )
    failed = run_case(
        CASES["MISSING_JSON_FIELD"], lambda _: Invocation(None, "x", "y", HIDDEN), service, tmp_path
    )

    assert (answered.skipped, failed.skipped) == (frozenset(), HIDDEN)
    assert "skipped" not in table([answered])


@pytest.mark.parametrize(
    "invocation, text",
    [
        (
            Invocation({"statusCode": 200, "body": {"deployment": {"verdict": "NO_CHANGE"}}}),
            "200 NO_CHANGE",
        ),
        (Invocation(None, "InvalidEventError", "[ERROR][json_validation] x"), "InvalidEventError"),
        (Invocation(None, "Any", "[ERROR][json_validation] x", HIDDEN), "error in json_validation"),
        (Invocation(None, None, "x"), "an error"),
        (Invocation(None, "Any", "x" * 900, HIDDEN), f"error in {'x' * 900}"[:60]),
        (Invocation({"statusCode": 200}), "{'statusCode': 200}"),
        (Invocation(None), "None"),
        (Invocation("x" * 900), f"'{'x' * 59}"),
    ],
)
def test_any_answer_is_told_in_a_few_words(invocation, text):
    assert str(invocation) == text


# The command line


@pytest.fixture(name="run_command")
def _run_command(monkeypatch, fake, tmp_path, capsys):
    """Runs ``event_suite sam-remote ARGUMENTS`` with this way of invoking; returns its exit status
    and what it prints.
    """

    def run(invoker, *arguments: str) -> tuple[int, str, str]:
        for name, value in (SETTINGS | {"BUILD_DIR": str(tmp_path)}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(command, "boto3", SimpleNamespace(client=lambda _: fake.client()))
        monkeypatch.setattr(command, "INVOKERS", {"sam-remote": lambda _: invoker})
        monkeypatch.setattr(sys, "argv", ["event_suite", "sam-remote", *arguments])
        status = command.main()
        return status, *capsys.readouterr()

    return run


def test_all_events_as_expected_are_a_success(run_command, invoker):
    status, output, errors = run_command(invoker)

    assert (status, errors) == (0, "")
    assert output.count(" ok, ") == 8 and "\n\nevent " in output


def test_one_difference_is_a_failure_and_is_printed(run_command, invoker, fake, tmp_path):
    def forget(event_file: Path) -> Invocation:
        invocation = invoker(event_file)
        if event_file.stem == "base":
            fake.tags["forgotten"] = "tag"
        return invocation

    status, output, _ = run_command(forget, "--table", str(tmp_path / "deep" / "table"))

    assert status == 1
    assert (
        output.count(" FAILED, ") == 1
        and "    service.tags.forgotten should not be there: 'tag'\n" in output
    )
    assert "\nevent " not in output
    title, *lines = (tmp_path / "deep" / "table").read_text("utf-8").splitlines()
    assert title == "The events through sam-remote:" and lines[2].endswith("FAILED")


def test_the_tables_of_a_pipeline_stand_one_after_the_other(run_command, invoker, tmp_path):
    for _ in range(2):
        run_command(invoker, "--table", str(tmp_path / "table"))

    assert (tmp_path / "table").read_text("utf-8").count(
        "The events through sam-remote:\nevent "
    ) == 2


def test_a_way_that_cannot_be_gone_is_one_line(run_command, monkeypatch, invoker):
    def refuse(_):
        raise InvocationFailed("there is no API")

    run_command(invoker)
    monkeypatch.setattr(command, "INVOKERS", {"sam-remote": refuse})

    assert command.main() == 2


@pytest.mark.parametrize("goes_to, ending", [("local", " TARGET=local"), ("aws", "")])
def test_a_missing_service_is_one_line_that_says_what_to_do(
    goes_to, ending, run_command, invoker, fake, monkeypatch
):
    fake.service["status"] = "INACTIVE"
    monkeypatch.setenv("TARGET", goes_to)

    status, output, errors = run_command(invoker)

    assert (status, output) == (2, "")
    assert errors == (
        "✗ the service cannot be prepared: cluster ECSCluster has no service ecs-dummy-service: "
        f"make deploy-ecs-cluster deploy-ecs-service{ending}\n"
    )


def test_one_event_prints_the_answer(run_command, tmp_path):
    (tmp_path / "e.json").write_text("{}", "utf-8")

    answered = run_command(lambda _: Invocation({"a": "é"}), "--event", str(tmp_path / "e.json"))
    failed = run_command(
        lambda _: Invocation(error_message="[ERROR] x"), "--event", str(tmp_path / "e.json")
    )

    assert answered == (0, '{\n  "a": "\\u00e9"\n}\n', "")
    assert failed == (1, "[ERROR] x\n", "")


def test_one_event_that_cannot_be_sent_is_one_line(run_command, tmp_path):
    def fail(_: Path) -> Invocation:
        raise InvocationFailed("sam has left the building")

    (tmp_path / "e.json").write_text("{}", "utf-8")

    assert run_command(fail, "--event", str(tmp_path / "e.json")) == (
        2,
        "",
        "✗ sam has left the building\n",
    )
    status, output, errors = run_command(fail, "--event", str(tmp_path / "absent.json"))
    assert (status, output) == (2, "") and errors.endswith(
        "absent.json cannot be read: No such file or directory\n"
    )


def test_ctrl_c_ends_in_one_line(run_command):
    def interrupted(_: Path) -> Invocation:
        raise KeyboardInterrupt

    status, _, errors = run_command(interrupted)

    assert (status, errors) == (130, "\n✗ interrupted\n")

"""Invoking through SAM: what it is given, and what is made of what it prints and exits with."""

import json
import subprocess
import sys

import pytest

from e2e.event_suite.invokers import InvocationFailed, sam, sam_local, sam_remote
from support.settings import SETTINGS


@pytest.fixture(name="sam_says")
def _sam_says(monkeypatch, tmp_path):
    """Puts a program in SAM's place; returns the environment for an invoker."""
    program = tmp_path / "program"

    def say(script: str) -> dict[str, str]:
        program.write_text(f"#!{sys.executable}\nimport json, os, sys\n{script}\n", "utf-8")
        program.chmod(0o755)
        monkeypatch.setattr(sam, "_SAM", program)
        secrets = {
            "IMAGE": "secret",
            "CONTAINER_NAME": "secret",
            "AWS_PROFILE": "secret",
            "AWS_ENDPOINT_URL": "http://here:1",
        }
        function = {
            "LAMBDA_FUNCTION_NAME": "mine",
            "LAMBDA_RUNTIME": "python3.13",
            "LAMBDA_ARCH": "arm64",
        }
        return (
            SETTINGS
            | secrets
            | function
            | {"STACK_NAME": "mine", "PATH": "/usr/bin:/bin"}
            | {"BUILD_DIR": str(tmp_path)}
        )

    return say


@pytest.mark.parametrize("via", [sam_remote, sam_local])
def test_sam_gets_a_short_environment_without_the_functions_settings(via, sam_says, tmp_path):
    invoke = via.invoker(sam_says("print(json.dumps(dict(os.environ)))"))

    environment = invoke(tmp_path / "e.json").answer

    assert environment["AWS_ENDPOINT_URL"] == "http://here:1"
    assert "secret" not in environment.values()


@pytest.mark.parametrize("via, shown", [(sam_remote, ["Any"]), (sam_local, ["InvalidEventError"])])
def test_the_error_of_a_function_is_its_answer_whatever_sam_exits_with(
    via, shown, sam_says, tmp_path
):
    payload = {"errorType": shown[0], "errorMessage": "[ERROR][json_validation] x"}
    invocation = via.invoker(sam_says(f"print({json.dumps(payload)!r}); sys.exit(1)"))(
        tmp_path / "e.json"
    )

    assert (invocation.error_type, invocation.error_message) == (
        shown[0],
        "[ERROR][json_validation] x",
    )
    assert invocation.cannot_show == (
        frozenset({"errorType"}) if via is sam_remote else frozenset()
    )


def test_only_the_last_line_of_sams_output_is_the_answer(sam_says, tmp_path):
    assert sam_remote.invoker(sam_says("print('START\\n1')"))(tmp_path / "e.json").answer == 1


@pytest.mark.parametrize(
    "script, words",
    [
        (
            "print('{}'); print('Error: no stack', file=sys.stderr); sys.exit(1)",
            "failed with 1: Error: no stack",
        ),
        ("print('no payload'); print('one\\ntwo\\n\\n', file=sys.stderr)", "failed with 0: two"),
        ("print('{\"errorMessage\": '); sys.exit(3)", "failed with 3: no word"),
        ("print('x' * 9000, file=sys.stderr); sys.exit(1)", "failed with 1: " + "x" * 300 + " "),
    ],
)
def test_sam_that_fails_is_told_in_one_line_with_its_log(script, words, sam_says, tmp_path):
    with pytest.raises(InvocationFailed) as failure:
        sam_remote.invoker(sam_says(script))(tmp_path / "e.json")

    log_file = tmp_path / "events" / "e.log"
    assert words in str(failure.value) and str(failure.value).endswith(f"(its log is {log_file})")
    assert "\n" not in str(failure.value) and log_file.exists()


def test_sam_that_gives_no_answer_is_given_up(sam_says, monkeypatch, tmp_path):
    def run(command_line, **options):
        raise subprocess.TimeoutExpired(command_line, options["timeout"])

    environment = sam_says("")
    monkeypatch.setattr(sam.subprocess, "run", run)

    with pytest.raises(
        InvocationFailed, match="^sam remote invoke gave no answer in 300 s, its log is "
    ):
        sam_remote.invoker(environment)(tmp_path / "e.json")

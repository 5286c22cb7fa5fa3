"""The Terraform tree by Terraform's own tests against a mocked provider, and by what the project
asks of every variable.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from support.terraform import declared_variables

PROJECT = Path(__file__).resolve().parents[2]
TREE = PROJECT / "infraestructure-terraform"
CHECK = PROJECT / "scripts" / "terraform-check"
SKIPPED = 77

FILES = {
    str(path.relative_to(TREE)): path.read_text("utf-8") for path in sorted(TREE.rglob("*.tf"))
}
VARIABLES, OUTPUTS = (
    {name: text for name, text in FILES.items() if Path(name).name == kind}
    for kind in ("variables.tf", "outputs.tf")
)


def blocks(kind: str, text: str) -> dict[str, str]:
    """Returns the blocks of a kind in a file, by their last label."""
    return dict(
        re.findall(rf'^{kind} (?:"\w+" )?"(\w+)" \{{\n(.*?)^}}', text, re.MULTILINE | re.DOTALL)
    )


def check(*commands: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs scripts/terraform-check; what is in ``path`` comes before every other program."""
    environment = dict(os.environ)
    if path:
        environment["PATH"] = f"{path}:{environment['PATH']}"
    options = {
        "env": environment,
        "stdin": subprocess.DEVNULL,
        "capture_output": True,
        "text": True,
    }
    return subprocess.run([CHECK, *commands], check=False, **options)


def warning(summary: str, detail: str) -> str:
    """Returns the shell's text of a Terraform whose only finding is one of validate."""
    found = {
        "severity": "warning",
        "summary": summary,
        "detail": detail,
        "range": {"filename": "main.tf", "start": {"line": 7}},
    }
    return f"[ $1 != validate ] || echo '{json.dumps({'diagnostics': [found]})}'"


GOOD = """[ $1 != validate ] || echo '{"diagnostics": []}'"""


# By Terraform. Its format and its references are checked by scripts/lint, in the same way.


def test_terraforms_own_tests_pass():
    done = check("test")
    if done.returncode == SKIPPED:
        pytest.skip(done.stderr.strip().removeprefix("• skipped: "))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("terraform", "status", "said"),
    [
        (GOOD, 0, "• terraform fmt\n• terraform validate\n"),
        ("[ $1 != fmt ] || { echo main.tf; exit 3; }; " + GOOD, 1, "main.tf"),
        (
            "[ $1 != validate ] || { echo Error: Unsupported argument; exit 1; }",
            1,
            "Unsupported argument",
        ),
        (
            warning("Deprecated", "name is deprecated."),
            1,
            "Warning: Deprecated: name is deprecated.: main.tf:7",
        ),
        (
            warning("Argument is deprecated", "hash_key is deprecated. Use key_schema instead."),
            0,
            "• terraform validate",
        ),
        (
            warning("Argument is deprecated", "hash_key is deprecated. Use another instead."),
            1,
            "Use another",
        ),
        ("[ $1 != init ] || { echo Error: Invalid expression; exit 1; }", 1, "Invalid expression"),
        (
            "[ $1 != init ] || { echo Error: Failed to query available "
            "provider packages; exit 1; }",
            SKIPPED,
            "• skipped: ",
        ),
        (
            "[ $1 != init ] && exit 3; echo Error: Failed to install provider; exit 1",
            1,
            "• skipped: ",
        ),
    ],
    ids=[
        *(
            "nothing",
            "format",
            "reference",
            "deprecation",
            "known-deprecation",
            "other-deprecation",
            "syntax",
            "no-provider",
        ),
        "format-and-no-provider",
    ],
)
def test_a_finding_fails_the_check_and_a_provider_that_is_missing_skips_it(
    terraform, status, said, tmp_path
):
    (tmp_path / "terraform").write_text(f"#!/usr/bin/env bash\n{terraform}\n", "utf-8")
    (tmp_path / "terraform").chmod(0o755)
    done = check("fmt", "validate", path=tmp_path)
    assert done.returncode == status, done
    assert said in done.stdout + done.stderr


# By its text


@pytest.mark.parametrize("file", VARIABLES)
def test_every_variable_is_typed_described_bounded_and_never_null(file):
    declared = blocks("variable", VARIABLES[file])
    bounds = declared_variables(VARIABLES[file])
    assert declared and declared.keys() == bounds.keys()
    for name, body in declared.items():
        assert re.search(r'^  description = "[A-Z].*\."$', body, re.MULTILINE), name
        assert re.search(r"^  type +=", body, re.MULTILINE) and "  nullable    = false\n" in body, (
            name
        )
        assert f"var.{name}" in bounds[name].condition, name
        assert re.match(rf"{name} must be .+\.$", bounds[name].error_message), name
        assert not re.search(r'default += (""|\[])', body) or 'description = "Optional' in body, (
            name
        )


@pytest.mark.parametrize("file", OUTPUTS)
def test_every_output_is_described(file):
    declared = blocks("output", OUTPUTS[file])
    assert declared
    for name, body in declared.items():
        assert re.search(r'^  description = "[A-Z].*\."$', body, re.MULTILINE), name


@pytest.mark.parametrize("file", [name for name in VARIABLES if name != "variables.tf"])
def test_the_root_and_its_modules_bound_a_variable_in_the_same_way(file):
    root, module = (declared_variables(VARIABLES[name]) for name in ("variables.tf", file))
    shared = root.keys() & module.keys()
    # Of the cluster the root makes one; the function may be given a pattern of clusters.
    for name in shared - {"cluster_name"}:
        assert (root[name].type, root[name].condition) == (
            module[name].type,
            module[name].condition,
        ), name


def test_every_finding_of_a_scanner_that_is_skipped_says_why():
    skips = [
        line.strip() for text in FILES.values() for line in text.splitlines() if "checkov" in line
    ]
    assert skips
    for line in skips:
        said = re.fullmatch(r"#checkov:skip=CKV2?_AWS_\d+:(.+)", line)
        assert said and len(said[1].split()) > 1, line


def test_no_provider_but_one_and_no_module_of_others():
    assert {
        one
        for text in FILES.values()
        for one in re.findall(r'^ +source += "(.+)"', text, re.MULTILINE)
    } == {
        "hashicorp/aws",
        *(
            f"./modules/ecs-updater-{name}"
            for name in ("vpc", "ecs-cluster", "ledger", "lambda", "api", "fleet")
        ),
    }


def test_every_variable_that_a_script_gives_exists():
    text = (PROJECT / "scripts" / "terraform.sh").read_text("utf-8")
    given = set(re.findall(r"\[(\w+)]=\$", text)) | set(re.findall(r'"(\w+)": %s', text))
    assert "stack_name" in given
    assert given <= declared_variables(VARIABLES["variables.tf"]).keys()


def test_no_lock_file_or_state_is_committed():
    assert not [path for pattern in (".terraform*", "*.tfstate*") for path in TREE.rglob(pattern)]

"""Runs Terraform's own tests against a mocked provider, and checks every variable and output."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.parity_declarations import MODULES
from support.terraform import run

PROJECT = Path(__file__).resolve().parents[2]
TREE = PROJECT / "infraestructure-terraform"
CHECK = PROJECT / "scripts" / "terraform-check"
SKIPPED = 77

FILES = {
    str(path.relative_to(TREE)): path.read_text("utf-8") for path in sorted(TREE.rglob("*.tf"))
}
ROOT = "variables.tf"
# Of the modules in the root: it repeats no bound and no description of an output.
VARIABLES, OUTPUTS = (
    {module: FILES[f"modules/{module}/{kind}"] for module, _ in MODULES.values()}
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


def test_the_usage_of_every_module_is_valid(tmp_path):
    readmes = sorted(TREE.glob("modules/*/README.md"))
    usages = [
        re.findall(r"^```hcl\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        for path in readmes
    ]
    assert [len(blocks) for blocks in usages] == [1] * len(list(TREE.glob("modules/*")))
    text = "\n".join(block for blocks in usages for block in blocks)
    (tmp_path / "main.tf").write_text(text.replace('"./modules', f'"{TREE}//modules'), "utf-8")
    if not shutil.which("terraform") or run(tmp_path, {}, "init", "-input=false").returncode:
        (pytest.fail if os.environ.get("REQUIRE_TERRAFORM") else pytest.skip)("no Terraform")

    done = run(tmp_path, {}, "validate")
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


def test_the_root_bounds_what_no_module_is_given_and_nothing_else():
    declared = blocks("variable", FILES[ROOT])
    assert all(
        re.search(r'^  description = "[A-Z].*\."$', body, re.MULTILINE)
        for body in declared.values()
    )
    bounded = {name for name, body in declared.items() if "validation" in body}
    assert bounded == {"stack_name", "environment", "owner", "contact"}
    given = {name for text in VARIABLES.values() for name in blocks("variable", text)}
    assert declared.keys() - bounded <= given


def test_every_output_of_a_module_is_one_of_the_root():
    found = set(
        re.findall(
            r'^output "(\w+)" \{ value = module(?:\.\w+)+\.\1 }$', FILES["outputs.tf"], re.MULTILINE
        )
    )
    given = {name for text in OUTPUTS.values() for name in blocks("output", text)}
    assert found == given - {"updater"}  # It is only passed on.


def test_every_finding_of_a_scanner_that_is_skipped_says_why():
    skips = [
        line.strip() for text in FILES.values() for line in text.splitlines() if "checkov" in line
    ]
    assert skips
    for line in skips:
        said = re.fullmatch(r"#checkov:skip=CKV2?_AWS_\d+:(.+)", line)
        assert said and len(said[1].split()) > 1, line


def test_every_variable_that_a_script_gives_exists():
    text = (PROJECT / "scripts" / "terraform.sh").read_text("utf-8")
    given = set(re.findall(r"\[(\w+)]=\$", text)) | set(re.findall(r'"(\w+)": %s', text))
    assert "stack_name" in given
    assert given == blocks("variable", FILES[ROOT]).keys()

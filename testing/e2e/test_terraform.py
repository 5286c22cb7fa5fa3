"""Runs Terraform's own tests against a mocked provider, and checks every variable and output."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.account import ON_ACCOUNT, Account
from support.make import Result
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
    {module: FILES[f"modules/{module}/{kind}"] for module in MODULES.values()}
    for kind in ("variables.tf", "outputs.tf")
)


def blocks(kind: str, text: str) -> dict[str, str]:
    """Returns the blocks of a kind in a file, by their last label."""
    return dict(
        re.findall(rf'^{kind} (?:"\w+" )?"(\w+)" \{{\n(.*?)^}}', text, re.MULTILINE | re.DOTALL)
    )


# By Terraform. Its format and its references are checked by scripts/lint, in the same way.


def test_terraforms_own_tests_pass():
    done = subprocess.run([CHECK, "test"], check=False, capture_output=True, text=True)
    if done.returncode == SKIPPED:
        pytest.skip(done.stderr.strip().removeprefix("• skipped: "))
    assert done.returncode == 0, done.stdout + done.stderr


CONFLICT = """#!/bin/sh
"{terraform}" "$@" || exit
case $* in
  *" apply "*) [ -e "{mark}" ] || {{ touch "{mark}"; echo "Error: failed, {error}"; exit 1; }} ;;
esac
"""
"""A Terraform whose first apply makes everything and then fails."""


@pytest.mark.usefixtures("terraform")
def test_an_apply_is_repeated_after_a_conflict_on_the_emulator_and_after_nothing_else(
    workspace, tmp_path
):
    here = workspace("conflicts")
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    shell = {"PATH": f"{program.parent}:{os.environ['PATH']}"}

    def apply(error: str) -> Result:
        real, mark = shutil.which("terraform"), tmp_path / error
        program.write_text(CONFLICT.format(terraform=real, mark=mark, error=error), "utf-8")
        program.chmod(0o755)
        return here.make("emulator-up", "deploy-ecs-cluster-tf", environment=shell)

    conflict, other = apply("StatusCode: 409"), apply("StatusCode: 400")
    assert conflict.status == 0, conflict.output
    assert "applying again: Error: failed, StatusCode: 409" in conflict.output
    assert other.status != 0 and "applying again" not in other.output
    assert "terraform apply failed: Error: failed, StatusCode: 400" in other.output
    here.clean()


@pytest.mark.usefixtures("terraform")
@pytest.mark.parametrize(
    "file", ["terraform.tfstate", "tree/main.tf", "tree/settings.auto.tfvars.json"]
)
def test_after_a_kill_during_the_write_of_a_file_clean_removes_everything(workspace, file):
    account = Account(workspace("account"))
    before = account.inventory()
    tags = [{"key": "ecs-updater", "value": "ecs-updater"}]
    account.client("ecs").create_cluster(clusterName="ECSCluster", tags=tags)
    here = workspace("cut-off", **ON_ACCOUNT)
    (tree := here.build / "terraform-aws" / "tree").mkdir(parents=True)
    for name in ("begun", "incomplete"):
        (tree.parent / name).touch()
    (tree.parent / file).write_text('{"version": 4, "resour', "ascii")

    if file == "terraform.tfstate":
        refused = here.make("deploy-ecs-cluster-tf", environment=account.shell)
        assert refused.status != 0
        assert "terraform.tfstate is incomplete: run make clean, which" in refused.output
    here.make("clean", environment=account.shell).succeeded()

    assert account.inventory() == before and not here.left()
    account.end()


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
    # In the root the name of an input of the API says that it is the API's.
    passed = re.findall(r"^ +(\w+) += var\.(\w+)$", FILES["main.tf"], re.MULTILINE)
    renamed = {name for name_there, name in passed if name_there in given}
    # A part that is off by default is a choice of the root.
    off = {"load_balancer", "push", "codepipeline", "operations", "notify", "target"}
    assert declared.keys() - bounded - given - renamed == off


def test_every_output_of_a_module_is_one_of_the_root():
    found = set(
        re.findall(
            r'^output "(\w+)" \{ value = (?:one\()?module(?:\.\w+)+(?:\[\*])?\.\1\)? }$',
            FILES["outputs.tf"],
            re.MULTILINE,
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
    declared = blocks("variable", FILES[ROOT])
    of_notify = re.findall(r"^    (\w+) += ", declared["notify"], re.MULTILINE)
    assert "stack_name" in given and "webhook_secret_arn" in of_notify
    assert given == {*declared, *of_notify}

"""The Terraform tree by Terraform's own tools: its format, its references, and its own tests against a mocked provider."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2] / "infraestructure-terraform"


@pytest.fixture(scope="module", name="terraform")
def _terraform(tmp_path_factory):
    """Runs Terraform in an initialised copy of the tree, since it writes into the folder that it works in.

    Skips where there is no Terraform, or no provider that it could install.
    """
    if not shutil.which("terraform"):
        pytest.skip("terraform is not installed")
    tree = tmp_path_factory.mktemp("terraform") / "tree"
    shutil.copytree(TREE, tree)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_VAR_")}
    if not Path(environment.get("TF_CLI_CONFIG_FILE", os.devnull)).exists():
        del environment["TF_CLI_CONFIG_FILE"]
    environment |= {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}

    def run(*arguments):
        options = {"cwd": tree, "env": environment, "stdin": subprocess.DEVNULL}
        return subprocess.run(["terraform", *arguments], **options, check=False, capture_output=True, text=True)

    begun = run("init", "-input=false", "-no-color")
    if begun.returncode:
        pytest.skip(f"Terraform cannot install its provider: {' '.join(begun.stderr.replace('│', ' ').split())[:400]}")
    return run


def test_every_file_is_formatted_as_terraform_does_it(terraform):
    done = terraform("fmt", "-check", "-recursive", "-diff")
    assert done.returncode == 0, done.stdout


def test_the_tree_is_valid_and_uses_nothing_deprecated(terraform):
    done = terraform("validate", "-no-color")
    assert done.returncode == 0 and "Warning" not in done.stdout, done.stdout + done.stderr


def test_terraforms_own_tests_pass(terraform):
    done = terraform("test", "-no-color")
    assert done.returncode == 0 and " 0 failed" in done.stdout, done.stdout + done.stderr


def test_no_lock_file_or_state_is_committed():
    assert not [path for pattern in (".terraform*", "*.tfstate*") for path in TREE.rglob(pattern)]

"""The command line as a package, and as a container with the least privileges."""

import re
import tomllib
from pathlib import Path

import yaml

import ecs_updater
from support.make import PROJECT


def names(lines: list[str]) -> set[str]:
    """The packages that lines of requirements name."""
    found = (re.match(r"[A-Za-z][\w.-]*", line) for line in lines)
    return {match[0].lower() for match in found if match}


def test_the_package_asks_for_what_its_locked_environment_has():
    requested = [
        path.read_text("utf-8").splitlines()
        for path in (
            PROJECT / "scripts" / "environments" / "cli.in",
            PROJECT / "lambda_code" / "requirements.in",
        )
    ]
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    assert names(project["dependencies"]) == names(requested[0]) | names(requested[1])
    assert all(">=" in dependency for dependency in project["dependencies"])


def test_the_version_has_one_place():
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    assert settings["project"]["dynamic"] == ["version"]
    # The function's bundle and the image contain this file.
    assert PROJECT / settings["tool"]["hatch"]["version"]["path"] == Path(ecs_updater.__file__)
    changes = (PROJECT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## (\d\S+)", changes, re.MULTILINE)[1] == ecs_updater.__version__


def test_the_locked_environments_of_command_and_tests_have_the_same_versions():
    locked = {}
    for name in ("cli", "test"):
        text = (PROJECT / "scripts" / "environments" / f"{name}.txt").read_text("utf-8")
        locked[name] = dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))
    assert locked["cli"].keys() <= locked["test"].keys()
    assert {name: locked["test"][name] for name in locked["cli"]} == locked["cli"]


def test_the_container_is_not_root_and_writes_nothing_with_the_credentials_where_the_sdk_looks():
    """The cache of a login has no setting: it is in ``.aws`` of HOME, see botocore's
    ``SSOTokenFetcher``.
    """
    *_, final = (PROJECT / "Dockerfile").read_text("utf-8").split("\nFROM ")
    assert "RUN" not in final and re.search(r"^USER (?!root|0)", final, re.MULTILINE)
    service = yaml.safe_load((PROJECT / "compose.yaml").read_text("utf-8"))["services"]["deploy"]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert all(volume.endswith(":ro") for volume in service["volumes"])
    (home,) = re.findall(r"^ENV .*\bHOME=(\S+)", final, re.MULTILINE)
    assert f"${{HOME}}/.aws:{home}/.aws:ro" in service["volumes"]
    assert not {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} & service["environment"].keys()

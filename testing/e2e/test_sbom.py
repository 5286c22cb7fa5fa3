"""`make sbom`: a valid bill of materials of each bundle, with every locked package, and the same
each time.
"""

import json
import re
import shutil
import subprocess

import pytest

from support.make import PROJECT, TOOLS

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

LOCKS = {"ecs-updater": "requirements.txt", "ecs-updater-authorizer": "requirements-authorizer.txt"}
VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()))
"""


def packages(lock: str) -> dict[str, str]:
    """Returns the locked versions by the normalized name of their package."""
    text = (PROJECT / "lambda_code" / lock).read_text("utf-8")
    return {name.lower(): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.M)}


def test_each_bundle_has_a_valid_bill_of_what_is_locked_and_a_second_run_writes_the_same(
    workspace, package
):
    here = workspace("sbom")
    here.bring(package)
    bills = [here.build / f"{name}-package.cdx.json" for name in LOCKS]
    written = []
    for zone in ("UTC", "Pacific/Kiritimati"):
        here.make("sbom", environment={"TZ": zone, "LANG": "tr_TR.UTF-8"}).succeeded()
        written.append([bill.read_bytes() for bill in bills])
    assert written[0] == written[1]

    for (name, lock), content in zip(LOCKS.items(), written[0], strict=True):
        python = TOOLS / "sbom" / "bin" / "python"
        assert subprocess.check_output([python, "-c", VALIDATE], input=content) == b"None\n"
        assert str(here.directory).encode() not in content
        bill = json.loads(content)
        assert bill["metadata"]["component"]["name"] == name
        found = {part["name"].lower().replace("_", "-"): part for part in bill["components"]}
        assert {key: part["version"] for key, part in found.items()} == packages(lock)
        assert all(part["licenses"] for part in found.values())
        assert all(part["purl"].startswith("pkg:pypi/") for part in found.values())
    here.clean()

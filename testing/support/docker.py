"""What the tests ask of a Docker engine."""

import os
import subprocess
import sys

from .make import PROJECT


def docker(*arguments: str) -> str:
    """Runs a command of Docker; what it printed."""
    return subprocess.run(
        ["docker", *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def in_docker() -> set[str]:
    """The ids of every container and every image."""
    lists = (
        docker(what, "ls", "--all", "--quiet", "--no-trunc") for what in ("container", "image")
    )
    return {line for listed in lists for line in listed.splitlines()}


def base_image() -> str:
    """The image in which this machine's Python runs a function."""
    runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
    settings = {"LAMBDA_RUNTIME": runtime, "LAMBDA_ARCH": "x86_64"}
    script = PROJECT / "scripts" / "build-lambda-base-image"
    return subprocess.run(
        [script, "--name"], env=os.environ | settings, check=True, capture_output=True, text=True
    ).stdout.strip()


def why_not() -> str:
    """Why Docker cannot run the function here; empty when it can."""
    check = [sys.executable, PROJECT / "scripts" / "docker_check.py", base_image()]
    done = subprocess.run(check, check=False, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode else ""

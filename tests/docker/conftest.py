"""The checkers that the tests of docker/ run: those of `make deploy-env`, and of the machine."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCKER = ROOT / "docker"
KUBERNETES = DOCKER / "kubernetes"
MONITORING = DOCKER / "monitoring"
DEPLOY_ENV = Path(os.environ.get("TRAJSIM_DEPLOY_ENV", ROOT / ".venv-deploy"))

# Of a command; what it printed.
Run = Callable[..., str]


@pytest.fixture
def run_tool() -> Run:
    """Run a checker; the test fails with what it says, and skips where it is not installed."""

    def run(name: str, *arguments: str | Path, **options: object) -> str:
        command = [need(name), *arguments]
        result = subprocess.run(command, check=False, capture_output=True, text=True, **options)
        assert result.returncode == 0, f"{name} says:\n{result.stdout}{result.stderr}"
        return result.stdout

    return run


def need(name: str) -> str:
    """Return the path of a tool, or skip the test."""
    found = shutil.which(name, path=f"{DEPLOY_ENV / 'bin'}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"needs {name}, which is not installed: see docs/guides/deploy.md")
    return found

"""schemathesis over openapi.yaml: positive, negative and coverage, with all checks.

What a schema cannot say of these requests stands in schemathesis.toml.
"""

import subprocess
import sys

import pytest

from similarity.models.toy import ToyModel
from tests.conftest import ROOT
from tests.service.servers import running

KEY = "a-key"
# The toy's tokens are cheap, but not so cheap that every example may ask for the most.
LIMITS = {"max_request_tokens": 50_000}


def fuzz(url: str, *options: str) -> str:
    """Run schemathesis; return its report, empty if it found nothing."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", "openapi.yaml", "--url", url]
    chosen = ["--mode", "all", "--checks", "all", "--seed", "1", "--no-color"]
    done = subprocess.run(
        [*command, *chosen, "--generation-database", "none", *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_coverage_of_one_route_of_each_kind():
    with running(ToyModel(), **LIMITS) as url:
        routes = ("/v1/likelihoods", "/score", "/health/ready")
        chosen = [option for route in routes for option in ("--include-path", route)]
        assert fuzz(url, "--phases", "examples,coverage", *chosen) == ""


@pytest.mark.longer
def test_without_the_key_nothing_is_reported_but_that():
    with running(ToyModel(), **LIMITS, api_keys=KEY) as url:
        assert fuzz(url, "--phases", "examples", "--max-examples", "3") == ""


@pytest.mark.slow
@pytest.mark.parametrize("headers", [(), (f"Authorization: Bearer {KEY}",)])
@pytest.mark.parametrize("keys", [None, KEY])
def test_all_routes_in_all_phases(headers, keys):
    with running(ToyModel(), **LIMITS, api_keys=keys) as url:
        options = [option for header in headers for option in ("--header", header)]
        assert fuzz(url, "--max-examples", "50", *options) == ""

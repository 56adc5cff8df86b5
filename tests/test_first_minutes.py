"""What a new user does first: start the service, paste the curl it prints, press Ctrl-C."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from similarity.models.loader import EMBEDDED_PATH
from tests.conftest import ROOT

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture
def environment_of_make() -> Path:
    if not (ROOT / ".venv" / "run.done").exists():
        pytest.skip("needs the environment that make sets up")
    return ROOT


def lines_until_blank_after_curl(output: Iterator[str]) -> list[str]:
    """Return what the service prints up to the blank line behind its curl."""
    lines: list[str] = []
    for line in output:
        if any(before.startswith("curl") for before in lines) and not line.strip():
            return lines
        lines.append(line)
    raise AssertionError(f"the service stopped after {lines}")


def serve_and_paste(command: list[str]) -> tuple[dict[str, object], int]:
    """Start a command, run the curl it prints, interrupt it; return answer and exit status."""
    environment = {name: value for name, value in os.environ.items() if name != "TRAJSIM_MODEL"}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as server:
        try:
            assert server.stdout is not None
            lines = lines_until_blank_after_curl(iter(server.stdout))
            start = next(i for i, line in enumerate(lines) if line.startswith("curl"))
            pasted = subprocess.run(
                ["bash", "-c", "".join(lines[start:])], capture_output=True, check=True, timeout=60
            )
            answer: dict[str, object] = json.loads(pasted.stdout)
        finally:
            # As Ctrl-C does: to every process of the group.
            os.killpg(server.pid, signal.SIGINT)
        server.stdout.read()
        return answer, server.wait(60)


@needs_curl
def test_serve() -> None:
    command = [sys.executable, "-m", "similarity", "serve", "--port", "0", "--model", "toy"]
    answer, status = serve_and_paste(command)
    assert answer["model"] == "toy"
    assert status == 0


@pytest.mark.longer
@needs_curl
@pytest.mark.parametrize("model", ["smollm2", "embedded"])
def test_make_run(environment_of_make: Path, model: str) -> None:
    if model == "smollm2" and not (environment_of_make / ".venv" / "smollm2.done").exists():
        pytest.skip("needs the wheel of smollm2, which make run installs")
    chosen = [f"MODEL={model}"] if model != "smollm2" else []
    answer, _ = serve_and_paste(["make", "--silent", "run", "PORT=0", *chosen])
    assert answer["model"] == model
    (result,) = answer["results"]  # type: ignore[misc]
    assert 0 < result["similarity"] < 1


def test_the_embedded_model_is_small() -> None:
    (weights,) = EMBEDDED_PATH.glob("*.safetensors")
    assert weights.stat().st_size <= 25e6

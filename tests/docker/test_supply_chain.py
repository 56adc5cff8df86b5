"""Workflows that are valid and pinned; digests that a command fills in."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docker.conftest import DOCKER, Run

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_valid_and_pinned(workflow: Path, run_tool: Run) -> None:
    text = workflow.read_text(encoding="utf-8")
    actions = re.findall(r"uses: (\S+)", text)
    assert actions
    assert all(re.fullmatch(r"[\w/-]+@(v\d+\.\d+\.\d+|[0-9a-f]{40})", each) for each in actions)
    assert "\npermissions:\n  contents: read\n" in text
    run_tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow)


def test_a_workflow_runs_targets_that_there_are() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    files = [ROOT / "Makefile", *ROOT.glob("*.mk")]
    rules = "".join(path.read_text(encoding="utf-8") for path in files)
    commands = re.findall(r"\bmake ([a-z -]+)$", text, re.MULTILINE)
    targets = {target for command in commands for target in command.split()}
    assert targets == {"test", "test-longer", "docs", "test-deploy", "sbom", "audit"}
    assert all(f"\n{target}: " in rules for target in targets)


def test_digests_are_filled_in_and_renewed(tmp_path: Path) -> None:
    folder = tmp_path / "docker"
    folder.mkdir()
    for name in ("Dockerfile", "Dockerfile.gpu", "compose.yaml"):
        shutil.copy(DOCKER / name, folder)
    for digest in ("sha256:" + "0" * 64, "sha256:" + "f" * 64):
        pin_images(tmp_path, digest)
        text = "".join(path.read_text(encoding="utf-8") for path in folder.iterdir())
        # Two bases, and the images of vLLM, Prometheus and Grafana; none of our own.
        assert re.findall(r"@(sha256:\w+)", text) == [digest] * 5
        assert text.count("${TRAJSIM_IMAGE:-trajsim:local}\n") == 2


def pin_images(tree: Path, digest: str) -> None:
    """Run the command on a copy of the files, with a registry that knows one digest."""
    registry = tree / "bin" / "docker"
    registry.parent.mkdir(exist_ok=True)
    registry.write_text(f"#!/bin/sh\necho {digest}\n", encoding="utf-8")
    registry.chmod(0o755)
    path = f"{registry.parent}{os.pathsep}{os.environ['PATH']}"
    command = ["make", f"--file={ROOT / 'deploy.mk'}", "pin-images"]
    subprocess.run(
        command, cwd=tree, env={**os.environ, "PATH": path}, check=True, stdout=subprocess.DEVNULL
    )

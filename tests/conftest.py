"""Models that the tests share: the closed-form toy, and tiny random networks."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import hypothesis
import pytest
import torch

from similarity.models.local import LocalModel, load_local
from similarity.models.toy import ToyModel
from tests.tiny_models import save_tiny_model

# Networks this small gain nothing from a second thread, and wait for it on a busy machine.
torch.set_num_threads(1)

# The same examples on every machine and every day, so that what failed fails again; `make explore`
# looks for others.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", max_examples=1000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# The same default on machines with and without the wheel of the larger model.
os.environ["TRAJSIM_MODEL"] = "embedded"
# What one test computed is nothing to another.
os.environ["TRAJSIM_KEEP_ANSWERS"] = "0"
# What the library keeps for its user is kept for these tests alone.
os.environ["TRAJSIM_CACHE"] = tempfile.mkdtemp(prefix="trajsim-tests-")

ROOT = Path(__file__).parent.parent
# Real benchmarks lie beside the project on its developers' machines, and nowhere else.
STS_DATA = ROOT.parent / "shared" / "data" / "sts"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what lies in the developer's cache, such as a calibration, out of the tests."""
    os.environ["TRAJSIM_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module", autouse=True)
def ended_applications() -> Iterator[None]:
    """Let go of ended applications.

    FastAPI keeps the last 4,096 functions that it was given, whichever application they are of, and
    each of ours has some that hold it: 11 MB each, gigabytes in the end.
    """
    yield
    for kept in vars(sys.modules.get("fastapi.dependencies.models", object)).values():
        if hasattr(kept, "cache_clear"):
            kept.cache_clear()


@pytest.fixture(scope="session")
def toy_model() -> ToyModel:
    return ToyModel()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], LocalModel]:
    """Return a loader of tiny random models by architecture; each is made once."""

    @cache
    def load(architecture: str) -> LocalModel:
        folder = tmp_path_factory.mktemp("models") / architecture
        return load_local(str(save_tiny_model(architecture, folder)))

    return load


@pytest.fixture
def sts_data() -> Path:
    if not STS_DATA.is_dir():
        pytest.skip(f"needs the STS benchmarks, which are not redistributed, in {STS_DATA.name}/")
    return STS_DATA

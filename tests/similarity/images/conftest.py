from pathlib import Path

import pytest

from similarity.models.base import LanguageModel
from similarity.models.loader import load_model
from tests.tiny_vision_models import save_tiny_vision_model


@pytest.fixture(scope="session")
def seeing_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random model that reads images."""
    return save_tiny_vision_model("llava", tmp_path_factory.mktemp("seeing") / "llava")


@pytest.fixture(scope="session")
def seeing(seeing_folder: Path) -> LanguageModel:
    return load_model(str(seeing_folder))

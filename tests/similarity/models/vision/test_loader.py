"""A vision-language model loads whole from a folder; without its processor, as a text model."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from similarity.errors import ModelError, UnsupportedError, WrongAnswerError
from similarity.images.sources import read_image
from similarity.law import Law
from similarity.models.base import Ability, ScoreRequest
from similarity.models.loader import examine_model, load_model
from similarity.models.local import load_local
from similarity.models.vision.model import VisionModel
from tests.similarity.images.made import as_file, picture
from tests.tiny_models import save_tiny_model
from tests.tiny_vision_models import save_tiny_vision_model

IMAGE = read_image(as_file(picture()), "photo.png")


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that transformers can also load without what reads images."""
    return save_tiny_vision_model("gemma3", tmp_path_factory.mktemp("gemma") / "gemma3")


@pytest.mark.parametrize("architecture", ["llava", "idefics3"])
def test_a_folder_loads_with_what_reads_images(architecture: str, tmp_path: Path) -> None:
    folder = save_tiny_vision_model(architecture, tmp_path / architecture)
    checks, model = examine_model(str(folder))
    assert isinstance(model, VisionModel)
    assert ("images", "read, each alone") in [(check.name, check.found) for _, check in checks]
    assert len(model.encode_image(IMAGE, "", "")) > 4


def test_texts_have_the_scores_and_the_name_that_they_had_without_images(gemma: Path) -> None:
    whole, alone = load_model(str(gemma)), load_local(str(gemma))
    assert Ability.IMAGES in whole.abilities
    assert Ability.IMAGES not in alone.abilities
    assert whole.info == alone.info
    request = ScoreRequest(prefix=whole.encode("A dog runs."), continuations=((9, 10, 11), (12,)))
    for found, expected in zip(
        whole.score([request], Law())[0], alone.score([request], Law())[0], strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_without_its_processor_a_model_reads_texts_alone(
    gemma: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = shutil.copytree(gemma, tmp_path / "gemma3")
    (folder / "processor_config.json").unlink()
    with caplog.at_level(logging.WARNING):
        model = load_model(str(folder))
    assert "is loaded for texts alone" in caplog.text
    with pytest.raises(UnsupportedError, match="reads texts alone, and image 'photo.png'"):
        model.encode_image(IMAGE, "", "")


def test_where_there_is_no_text_model_the_processor_must_be_there(tmp_path: Path) -> None:
    folder = save_tiny_vision_model("llava", tmp_path / "llava")
    (folder / "processor_config.json").unlink()
    with pytest.raises(ModelError, match="cannot load"):
        load_model(str(folder))


def test_a_network_that_does_not_see_is_refused(tmp_path: Path) -> None:
    folder = save_tiny_vision_model("llava", tmp_path / "llava")
    path = folder / "model.safetensors"
    weights = load_file(path)
    for name, weight in weights.items():
        if "projector" in name:
            weights[name] = weight * 0
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(WrongAnswerError, match="the same after any image"):
        load_model(str(folder))


def test_a_text_model_says_in_one_line_that_it_reads_no_images(tmp_path: Path) -> None:
    model = load_model(str(save_tiny_model("llama", tmp_path / "llama")))
    assert Ability.IMAGES not in model.abilities
    with pytest.raises(UnsupportedError, match="llama reads texts alone, and image 'photo.png'"):
        model.encode_image(IMAGE, "", "")

"""What a model's processor makes of an image is what it would of the same by itself, or refused."""

import logging
from typing import Any

import pytest
import torch

from similarity.errors import ImageError
from similarity.images.image import Image
from similarity.images.sources import read_image
from tests.similarity.images.made import as_file, picture
from tests.similarity.models.vision.conftest import Tiny


def image(width: int, height: int) -> Image:
    return read_image(as_file(picture(width, height)), f"{width}x{height}.png")


@pytest.mark.parametrize("few", [1, 3, 4])
@pytest.mark.parametrize("wide", [True, False])
def test_an_image_as_high_or_wide_as_it_has_colours_is_not_turned(
    tiny: Tiny, few: int, wide: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Its rows were taken for its colours, and the score was that of another image."""
    seen = image(60, few) if wide else image(few, 60)
    logging.getLogger("transformers").addHandler(caplog.handler)
    try:
        prefix = tiny.model.encode_image(seen, "", " means")
        tensors = tiny.model._images._processing.tensors(prefix)
    finally:
        logging.getLogger("transformers").removeHandler(caplog.handler)
    assert "ambiguous" not in caplog.text
    plain = tiny.processor(
        images=[seen.pixels()],
        text=[f"{tiny.processor.image_token} means"],
        input_data_format="channels_last",
        return_tensors="pt",
    )
    assert tuple(plain["input_ids"][0]) == tuple(prefix)
    torch.testing.assert_close(tensors["pixel_values"], plain["pixel_values"], rtol=0, atol=0)


@pytest.mark.parametrize("error", [ValueError(), AssertionError(), KeyError("size"), OSError("no")])
def test_whatever_a_processor_raises_is_a_whole_message(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The message of an error without words ended with a colon, and none was of an image."""

    def fails(**_: Any) -> None:
        raise error

    monkeypatch.setattr(tiny.model._images._processing, "_processor", fails)
    said = r"cannot take image '50x40.png' of 50 × 40 pixels \(\w.+\); give another image$"
    with pytest.raises(ImageError, match=said) as caught:
        tiny.model.encode_image(image(50, 40), "", " said")
    assert caught.value.text == "50x40.png"


def test_lack_of_memory_is_no_fault_of_an_image(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(tiny.model._images._processing, "_processor", fails)
    with pytest.raises(MemoryError):
        tiny.model.encode_image(image(50, 40), "", " took")

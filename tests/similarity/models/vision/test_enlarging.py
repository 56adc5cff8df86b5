"""An image is refused before a processor makes far too many pixels of it."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from similarity.errors import ImageError
from similarity.images.image import Image
from similarity.images.sources import read_image
from similarity.models.vision import enlarging
from similarity.models.vision.enlarging import check_enlarged
from tests.similarity.images.made import as_file, picture


def image(width: int, height: int) -> Image:
    return Image(digest="", width=width, height=height, name="long.png", data=b"")


def llava(edge: int, **options: Any) -> Any:
    crop = {"height": edge, "width": edge}
    return LlavaImageProcessorPil(size={"shortest_edge": edge}, crop_size=crop, **options)


@pytest.mark.parametrize(
    ("images", "seen"),
    [
        (llava(336), image(200, 1)),
        (llava(336), image(1, 200)),
        (llava(336), image(12_600, 3_150)),
        (llava(336, do_pad=True), image(8_900, 4_450)),
        (Gemma3ImageProcessorPil(size={"height": 896, "width": 896}), image(50_000, 250)),
        (Qwen2VLImageProcessorPil(), image(50_000, 251)),
        (SimpleNamespace(), image(50_000, 250)),
        (None, image(50_000, 250)),
    ],
)
def test_what_stays_of_a_bounded_size_is_taken(images: Any, seen: Image) -> None:
    check_enlarged(images, seen)


@pytest.mark.parametrize(
    ("images", "seen"),
    [
        (llava(1_024), image(200, 1)),
        (llava(1_024), image(250, 50_000)),
        (llava(336, do_pad=True), image(50_000, 250)),
        (llava(336, do_pad=True), image(100, 9_000)),
    ],
)
def test_what_would_be_made_far_larger_is_refused(images: Any, seen: Image) -> None:
    with pytest.raises(ImageError, match="'long.png' .* at most 80000000 are allowed") as caught:
        check_enlarged(images, seen)
    assert caught.value.text == "long.png"


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("sides", [(90, 30), (30, 100), (40, 40)])
def test_no_more_is_made_than_was_reckoned(padded: bool, sides: tuple[int, int]) -> None:
    """By the sizes that the processor itself goes through."""
    images, seen = llava(28, do_pad=padded), read_image(as_file(picture(*sides)), "a.png")
    made: list[int] = []

    def noted(method: Any) -> Any:
        def wrapped(*args: Any, **options: Any) -> Any:
            found = method(*args, **options)
            made.append(found.shape[-1] * found.shape[-2])
            return found

        return wrapped

    with (
        patch.object(images, "resize", noted(images.resize)),
        patch.object(images, "pad_to_square", noted(images.pad_to_square)),
    ):
        images([seen.picture()], return_tensors="pt")
    with patch.object(enlarging, "MOST_PIXELS", max(made) * 11 // 10):
        check_enlarged(images, seen)
    with (
        patch.object(enlarging, "MOST_PIXELS", max(made) * 9 // 10),
        pytest.raises(ImageError, match="cut it to a shape nearer to a square"),
    ):
        check_enlarged(images, seen)

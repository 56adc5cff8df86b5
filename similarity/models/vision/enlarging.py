"""Which images a model's processor is not given, as it would make far too many pixels of them.

Most processors make an image of a bounded size. Some keep the ratio of the sides until they crop,
or pad an image to a square, which makes a long and narrow one larger.
"""

from typing import Any

from similarity.errors import ImageError
from similarity.images.image import Image

# Twice as many as an image may have by default. The largest image that is twice as wide as high
# may be padded to a square, and memory is a gigabyte or two.
MOST_PIXELS = 80_000_000


def check_enlarged(images: Any, image: Image) -> None:
    """Refuse an image of which a processor would make far too many pixels.

    Parameters
    ----------
    images
        What processes images, of transformers; None if it is not known.

    Raises
    ------
    ImageError
        If it would make more than `MOST_PIXELS`.
    """
    made = _pixels_made(images, image)
    if made > MOST_PIXELS:
        raise ImageError(
            f"image {image.name!r} has {image.width} × {image.height} pixels, of which the model's "
            f"processor would make {made}, and at most {MOST_PIXELS} are allowed; cut it to a "
            "shape nearer to a square, or make it smaller",
            image.name,
        )


def _pixels_made(images: Any, image: Image) -> int:
    """Return how many pixels are made of an image before any are cut off, where that may be many.

    Of transformers' processors those that are given the shorter side alone keep the ratio of the
    sides. Of them LLaVA's may pad an image to a square before it makes it smaller.
    """
    size = getattr(images, "size", None) or {}
    shorter = size.get("shortest_edge")
    if not shorter or size.get("longest_edge"):
        return 0
    long, short = max(image.width, image.height), min(image.width, image.height)
    if getattr(images, "do_pad", False) and hasattr(images, "pad_to_square"):
        return long**2
    return int(shorter) ** 2 * long // short

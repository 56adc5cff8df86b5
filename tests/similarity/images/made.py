"""Image files made in memory."""

import io
from typing import Any

import numpy as np
from PIL import Image as Pillow


def picture(width: int = 12, height: int = 8, *, seed: int = 0) -> Pillow.Image:
    """Return a picture of random colours."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Pillow.fromarray(values)


def as_file(image: Pillow.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Return a picture as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()

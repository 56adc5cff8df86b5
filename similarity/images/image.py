"""An image, and what is compared: a text or an image."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.extras import optional_module
from similarity.images.decoding import decoded

# Shape "row column channel", red, green and blue.
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that was found sound; two with the same pixels are the same.

    It keeps the file's bytes, which are decoded anew at each use: pixels take far more memory.

    Parameters
    ----------
    digest
        SHA-256 of size and pixels, in hexadecimal digits.
    width, height
        In pixels, after the rotation that the file states.
    name
        What the user calls it, such as a path.
    data
        The file.
    """

    digest: str
    width: int = field(compare=False)
    height: int = field(compare=False)
    name: str = field(compare=False)
    data: bytes = field(compare=False, repr=False)

    def pixels(self) -> Pixels:
        """Return the pixels upright, in eight bits, over white where the image is transparent."""
        return decoded(self.data, self.name, self.width * self.height)

    def picture(self) -> Any:
        """Return the pixels as an image of Pillow, for what processes images for a model.

        Of a bare array it would have to guess which axis has the colours. That goes wrong where
        an image is as high or wide as it has colours.
        """
        return optional_module("PIL.Image", "images need").fromarray(self.pixels())


# What has a meaning: a text, or an image.
Content = str | Image


def name_of(content: Content) -> str:
    """Return what results call a text or an image."""
    return content.name if isinstance(content, Image) else content


def content_bytes(content: Content) -> bytes:
    """Return bytes that no other text or image has; an image's begin with a byte not in UTF-8."""
    if isinstance(content, Image):
        return b"\xff" + bytes.fromhex(content.digest)
    return content.encode()


def as_read(content: Content) -> Content:
    """Return a text without the white space around it, which no model reads; an image as it is."""
    return content.strip() if isinstance(content, str) else content


def order_of(content: Content) -> tuple[bool, int, str]:
    """Return a sorting key: texts by length, then images."""
    if isinstance(content, Image):
        return True, 0, content.digest
    return False, len(content), content

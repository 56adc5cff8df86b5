"""Where images come from: bytes, files, and data URLs."""

import base64
import binascii
import hashlib
import io
import os
import re
from os import PathLike
from pathlib import Path

import numpy as np

from similarity.errors import ImageError
from similarity.extras import optional_module
from similarity.images.decoding import ENDINGS, ImageLimits, decoded, looks_like_image
from similarity.images.files import file_bytes
from similarity.images.image import Content, Image, Pixels

LIMITS = ImageLimits()
_BEGINNING = 12
_IMAGE_NAME = re.compile(rf"\S+({'|'.join(map(re.escape, ENDINGS))})", re.IGNORECASE)
_DATA_URL = "data:image/"
_SHOWN_PATH = 200
# Of the two images that models are tried on.
_SIDES = 64, 48


def read_image(data: bytes, name: str, limits: ImageLimits = LIMITS) -> Image:
    """Return the image of a file's bytes, once it is found sound.

    Parameters
    ----------
    name
        What errors and results call it.

    Raises
    ------
    ImageError
        If it is no image in a format that is read, too large or too narrow, animated, truncated or
        damaged.
    MissingDependencyError
        If Pillow is not installed.
    """
    _check_size(len(data), name, limits)
    pixels = decoded(data, name, limits.max_pixels)
    height, width, _ = pixels.shape
    digest = hashlib.sha256(f"{width} {height}\n".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return Image(digest=digest.hexdigest(), width=width, height=height, name=name, data=data)


def image_of_pixels(pixels: Pixels, name: str) -> Image:
    """Return the image of pixels, shape "row column channel=3"."""
    return read_image(_png(pixels), name)


def probe_images() -> tuple[Image, Image]:
    """Return two images on which a model is tried: a slope of grey, and the same turned round."""
    rows, columns = _SIDES
    slope = np.linspace(0, 255, rows * columns * 3).astype(np.uint8).reshape(rows, columns, 3)
    return image_of_pixels(slope, "slope"), image_of_pixels(255 - slope, "slope turned round")


def data_url(image: Image) -> str:
    """Return a data URL with an image's pixels, for whoever may decode its file in another way."""
    return f"{_DATA_URL}png;base64,{base64.b64encode(_png(image.pixels())).decode()}"


def image_file(path: str | PathLike[str], limits: ImageLimits = LIMITS) -> Image:
    """Return the image in a file; raises ImageError as `read_image` does, or if it is not there."""
    try:
        data = file_bytes(path, limits.max_bytes)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        named = os.fspath(path)
        if named.lower().startswith(_DATA_URL):
            said = "it is a data URL; write the image to a file, and give its path"
        # In the place of a path may stand the whole image.
        shown = named if len(named) <= _SHOWN_PATH else f"{named[:_SHOWN_PATH]}…"
        raise ImageError(f"image {shown!r} cannot be read: {said}") from error
    return read_image(data, os.fspath(path), limits)


def image_file_digest(path: str | PathLike[str], limits: ImageLimits = LIMITS) -> str:
    """Return the SHA-256 of all that `image_file` reads of a file; "" if it cannot be read.

    Nothing is decoded, so that it costs little.
    """
    try:
        return hashlib.sha256(file_bytes(path, limits.max_bytes)).hexdigest()
    except (OSError, ValueError):
        return ""


def is_image_file(path: str) -> bool:
    """Return whether a text is the path of a file that begins, or is named, as images are.

    So is one in a format that is not read, which `image_file` refuses.
    """
    try:
        if not Path(path).is_file():
            return False  # to open a pipe may wait for ever, and takes what is read of it
        if path.lower().endswith(ENDINGS):
            return True
        with Path(path).open("rb") as file:
            return looks_like_image(file.read(_BEGINNING))
    except (OSError, ValueError):
        return False


def image_or_text(given: str, *, by_name: bool = False) -> Content:
    """Return the image in a file, if a text is the path of one; else the text itself.

    Parameters
    ----------
    by_name
        One word that ends as the names of images do is a path too, whatever is there.

    Raises
    ------
    ImageError
        As `image_file`.
    """
    named = by_name and _IMAGE_NAME.fullmatch(given)
    return image_file(given) if named or is_image_file(given) else given


def image_of_data_url(url: str, name: str, limits: ImageLimits = LIMITS) -> Image:
    """Return the image of a data URL, which begins as data:image/png;base64, does.

    Its media type is not believed: the content says which format it is.

    Raises
    ------
    ImageError
        If it is no such URL, or as `read_image` does.
    """
    head, comma, content = url.partition(",")
    if not (head.lower().startswith(_DATA_URL) and head.lower().endswith(";base64") and comma):
        raise ImageError(f"{name}: an image is given as data:image/png;base64,… or of another type")
    # Before anything is decoded: base64 has four characters for three bytes.
    _check_size(len(content) * 3 // 4 - 2, name, limits)
    try:
        data = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError(f"{name}: what follows base64, is not base64: {error}") from error
    return read_image(data, name, limits)


def _png(pixels: Pixels) -> bytes:
    pillow = optional_module("PIL.Image", "images need")
    file = io.BytesIO()
    # What is made here goes no further than a server near by: time counts more than size.
    pillow.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _check_size(size: int, name: str, limits: ImageLimits) -> None:
    if size > limits.max_bytes:
        raise ImageError(
            f"image {name!r} has more than {limits.max_bytes} bytes, the most that is allowed; "
            "make it smaller"
        )

"""Decodes image files that nobody vouches for: sizes are checked before pixels are made."""

import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.errors import ImageError
from similarity.extras import optional_module
from similarity.fields import keep_integer
from similarity.images.files import MOST_BYTES

# Formats are recognized by their content, never by a file's name.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
# Of these a second picture is a further frame. In JPEG files of telephones it is a preview.
_ANIMATED = ("PNG", "WEBP", "GIF")
# The second is of several pictures.
_JPEG = ("JPEG", "MPO")
_BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM")
# Of pictures that are not read: TIFF, Photoshop, JPEG 2000 and JPEG XL.
_UNREAD = (b"II*\0", b"MM\0*", b"8BPS", b"\0\0\0\x0cjP  ", b"\0\0\0\x0cJXL ")
# AVIF and HEIC, after "ftyp" at the fifth byte.
_UNREAD_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")
# How the names of pictures end, of those that are read and of others.
ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"),
    *(".tif", ".tiff", ".avif", ".heic", ".heif", ".jp2", ".jxl", ".svg", ".ico", ".psd"),
)
# How many times as long as the other a side may be; Qwen's processors have the same bound. Others
# make the shorter side as long as the model wants it before they crop: of a file of some hundred
# bytes with one row of pixels that would be gigabytes.
MOST_OBLONG = 200
# Scans of a JPEG file, each of which passes over all pixels: encoders write some ten, and of 31
# bytes a scan a small file could have any number. What looks like one may be in metadata.
MOST_SCANS = 500
_SCAN = b"\xff\xda"
# Of 16 bits to 8: 65535 becomes 255.
_SIXTEEN_TO_EIGHT = 257
# What Pillow makes of the samples of a PNG file, by its name for how they are stored; the colour
# that the file has transparent it leaves as it is stored.
_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "L;2": lambda grey: grey * 85,
    "L;4": lambda grey: grey * 17,
    "RGB;16B": lambda colour: tuple(sample >> 8 for sample in colour),
}
# In what Pillow says of more text or colour profile in a PNG file than it unpacks, 1 MiB each.
_TOO_MUCH_BESIDE = "MAX_TEXT_"
_SHORT, _LONGEST = 60, 200


@dataclass(frozen=True, kw_only=True)
class ImageLimits:
    """How large an image may be.

    Parameters
    ----------
    max_bytes
        Of the file.
    max_pixels
        Width × height, read from the file's beginning before anything is decoded.
    """

    max_bytes: int = MOST_BYTES
    max_pixels: int = 40_000_000

    def __post_init__(self) -> None:
        keep_integer(self, "max_bytes", at_least=1)
        keep_integer(self, "max_pixels", at_least=1)


def looks_like_image(beginning: bytes) -> bool:
    """Return whether a file is a picture, be it read or not, by its first 12 bytes."""
    is_webp = beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP"
    is_media = beginning[4:8] == b"ftyp" and beginning[8:12] in _UNREAD_BRANDS
    return is_webp or is_media or beginning.startswith(_BEGINNINGS + _UNREAD)


def decoded(data: bytes, name: str, max_pixels: int) -> NDArray[np.uint8]:
    """Return an image's pixels, shape "row column channel=3", upright and in eight bits.

    Transparent places are over white. Samples of 16 bits are scaled to 8.

    Raises
    ------
    ImageError
        If it is no image in a format that is read, too large or too narrow, animated, truncated or
        damaged.
    MissingDependencyError
        If Pillow is not installed.
    """
    pillow = optional_module("PIL.Image", "images need")
    try:
        with _opened(pillow, data, max_pixels) as image:
            return _upright(pillow, image)
    except ImageError as error:
        raise ImageError(f"image {_shown(name)} {error}") from error
    except pillow.DecompressionBombError as error:
        raise ImageError(
            f"image {_shown(name)} has far too many pixels; at most {max_pixels} are allowed"
        ) from error
    except pillow.UnidentifiedImageError as error:
        raise ImageError(
            f"image {_shown(name)} is none of {', '.join(FORMATS)}, whatever its name says; "
            "convert it to PNG"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # each decoder of Pillow raises kinds of its own
        line = " ".join(str(error).split())[:_LONGEST] or repr(error)
        if _TOO_MUCH_BESIDE in line:
            raise ImageError(
                f"image {_shown(name)} has more than 1 MiB of text or of a colour profile beside "
                "its pixels; save it without metadata and profile"
            ) from error
        raise ImageError(
            f"image {_shown(name)} is truncated or damaged ({line}); save it again"
        ) from error


def _opened(pillow: ModuleType, data: bytes, max_pixels: int) -> Any:
    """Open a file without decoding it, and refuse what it says of itself."""
    # Refused below in words of our own. For good, as putting filters back is not safe in threads.
    warnings.filterwarnings("ignore", category=pillow.DecompressionBombWarning)
    image = pillow.open(io.BytesIO(data), formats=FORMATS)
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(
            f"has {width} × {height} pixels; at most {max_pixels} are allowed, so make it smaller"
        )
    if max(width, height) > MOST_OBLONG * min(width, height):
        raise ImageError(
            f"has {width} × {height} pixels; one side may be at most {MOST_OBLONG} times as long "
            "as the other, so cut a part out of it"
        )
    if image.format in _JPEG and data.count(_SCAN) > MOST_SCANS:
        raise ImageError(f"has more than {MOST_SCANS} scans of its pixels; save it again")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format in _ANIMATED:
        raise ImageError(f"is an animation of {frames} frames; give one frame of it")
    return image


def _upright(pillow: ModuleType, image: Any) -> NDArray[np.uint8]:
    operations = optional_module("PIL.ImageOps", "images need")
    in_eight_bits = _KEYS.get(image.tile[0][3]) if image.format == "PNG" and image.tile else None
    image.load()
    if in_eight_bits and "transparency" in image.info:
        image.info["transparency"] = in_eight_bits(image.info["transparency"])
    operations.exif_transpose(image, in_place=True)
    image = _eight_bits(pillow, image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = image.copy()
        white.paste((255, 255, 255, 255), (0, 0, *image.size))
        image = pillow.alpha_composite(white, image)
    # A copy of millions of pixels is made only where it must be.
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _eight_bits(pillow: ModuleType, image: Any) -> Any:
    if image.mode.startswith("I;16"):
        samples = np.asarray(image)
        grey = (samples // _SIXTEEN_TO_EIGHT).astype(np.uint8)
        if "transparency" not in image.info:
            return pillow.fromarray(grey)
        opaque = np.where(samples == image.info["transparency"], 0, 255).astype(np.uint8)
        return pillow.fromarray(np.stack([grey, opaque], axis=-1))
    if image.mode in ("I", "F"):
        raise ImageError("has samples of 32 bits; save it with 8 or 16")
    return image


def _shown(name: str) -> str:
    return repr(name if len(name) <= _SHORT else f"{name[:_SHORT]}…")

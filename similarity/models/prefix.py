"""What a model continues: token ids, with images among them or without."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Generic, Self, TypeVar

import numpy as np

from similarity.errors import UnsupportedError
from similarity.images.image import Image

Known = TypeVar("Known")
# Prefixes of which something is kept: some kilobytes each.
_KEPT = 512


class ImageTokens(tuple[int, ...]):
    """The token ids of a prefix with images, as a network reads them.

    Each image has the places that the model gives it. Two with the same ids and other images are
    not equal.

    Attributes
    ----------
    parts
        The texts and images that it is made of, in order.
    """

    parts: tuple[str | Image, ...]

    def __new__(cls, token_ids: Iterable[int], parts: Iterable[str | Image]) -> Self:
        """Make the ids of a prefix of these parts."""
        made = super().__new__(cls, token_ids)
        made.parts = tuple(parts)
        return made

    @classmethod
    def between(cls, before: str, image: Image, after: str, token_ids: Iterable[int]) -> Self:
        """Make the ids of an image between two texts, either of them ""."""
        return cls(token_ids, [part for part in (before, image, after) if part != ""])

    def __getnewargs__(self) -> tuple[tuple[int, ...], tuple[str | Image, ...]]:
        return tuple(self), self.parts

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, ImageTokens) and self.parts == other.parts
        return same and tuple(self) == tuple(other)  # type: ignore[arg-type]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((tuple(self), self.parts))

    @property
    def images(self) -> list[Image]:
        """Return the images, in order."""
        return [part for part in self.parts if isinstance(part, Image)]

    @property
    def around(self) -> tuple[str, str]:
        """Return the texts before and behind the first image."""
        place = next(i for i, part in enumerate(self.parts) if isinstance(part, Image))
        before, behind = self.parts[:place], self.parts[place + 1 :]
        return "".join(map(str, before)), "".join(map(str, behind))


class KnownPrefixes(Generic[Known]):
    """Keeps what is known of the prefixes used last, each an image between two texts.

    The images are not kept: they may have megabytes each. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, str], Known] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, image: Image, before: str, after: str) -> Known | None:
        """Return what is known of a prefix, or None."""
        key = image.digest, before, after
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def put(self, image: Image, before: str, after: str, known: Known) -> None:
        """Keep what is known of a prefix, at the cost of the one used longest ago."""
        with self._lock:
            self._known[image.digest, before, after] = known
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)


def without_images(model: str, image: Image) -> UnsupportedError:
    """Return the error for a model that is given an image and reads texts alone."""
    return UnsupportedError(
        f"{model} reads texts alone, and image {image.name!r} was given; load a vision-language "
        "model in this process, such as HuggingFaceTB/SmolVLM-500M-Instruct"
    )


def prefix_bytes(prefix: tuple[int, ...]) -> bytes:
    """Return the bytes that identify a prefix: its ids, and the digests of its images."""
    ids = np.array(prefix, np.int64).tobytes()
    if not isinstance(prefix, ImageTokens):
        return ids
    return ids + b"".join(b"\0image" + bytes.fromhex(image.digest) for image in prefix.images)

"""Turns an image between two texts into a network's input, by the model's own processor."""

import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from similarity.errors import InputError, TrajsimError, WrongAnswerError
from similarity.images.image import Image
from similarity.lacking import is_out_of_memory
from similarity.models.base import TokenIds
from similarity.models.failures import not_taken
from similarity.models.prefix import ImageTokens, KnownPrefixes
from similarity.models.threads import THREADS
from similarity.models.tokenization import Tokenization
from similarity.models.vision.enlarging import check_enlarged

IDS = "input_ids"
# What processors give beside the ids that no forward pass for reading takes.
_UNUSED = ("attention_mask", "labels")
# Any text that is read as some tokens would do.
_MORE = " more of it"


class ImageProcessing:
    """A processor of transformers.

    Parameters
    ----------
    processor
        Of transformers' `AutoProcessor`.
    tokenization
        Of the processor's texts.
    rows
        Token ids are below this.

    Attributes
    ----------
    kinds
        The names of tensors with a number for each token; None before anything was read.
    place
        The token that stands for an image.
    word
        A token of text.

    Raises
    ------
    WrongAnswerError
        If it does not say how a text has an image.
    """

    def __init__(self, processor: Any, tokenization: Tokenization, rows: int) -> None:
        self._processor = processor
        self._tokenization = tokenization
        self._rows = rows
        self.kinds: frozenset[str] | None = None
        self._known: KnownPrefixes[TokenIds] = KnownPrefixes()
        # Processors of transformers are not made for two threads at once.
        self._one_at_a_time = threading.Lock()
        self.token: str = getattr(processor, "image_token", None) or ""
        if not self.token:
            raise WrongAnswerError(
                f"{type(processor).__name__} does not say which token stands for an image; give a "
                "model whose processor has an image_token"
            )
        self.place = int(tokenization.tokenizer.convert_tokens_to_ids(self.token))
        self.word = tokenization.encode_continuation("a")[-1]

    def encode(self, image: Image, before: str, after: str) -> ImageTokens:
        """Return the ids of an image between two texts.

        Raises
        ------
        ImageError
            If the processor cannot take the image, or would make far more pixels of it.
        InputError
            If a text spells the token of an image.
        """
        with self._one_at_a_time:
            ids = self._known.get(image, before, after)
            if ids is None:
                ids, _ = self._read([before, image, after])
                self._known.put(image, before, after, ids)
        return ImageTokens.between(before, image, after, ids)

    def tensors(self, prefix: ImageTokens) -> dict[str, Tensor]:
        """Return the tensors that a network takes beside ids: pixels, sizes, kinds of tokens."""
        with self._one_at_a_time:
            ids, tensors = self._read(prefix.parts)
        if ids != tuple(prefix):
            raise WrongAnswerError("the processor reads one image in other tokens each time")
        return tensors

    def _read(self, parts: Sequence[str | Image]) -> tuple[TokenIds, dict[str, Tensor]]:
        texts = [part for part in parts if isinstance(part, str)]
        images = [part for part in parts if isinstance(part, Image)]
        if any(self.token in text for text in texts):
            raise InputError(
                f"a prompt has {self.token!r}, which stands for an image; leave it out"
            )
        whole = "".join(self.token if isinstance(part, Image) else part for part in parts)
        for image in images:
            check_enlarged(getattr(self._processor, "image_processor", None), image)
        found = self._processed(whole, images)
        if self.kinds is None:
            self.kinds = _growing(found, self._processed(f"{whole}{_MORE}", images))
        ids = tuple(int(i) for i in found[IDS][0])
        if max(ids) >= self._rows:
            raise WrongAnswerError(
                f"the processor gives token {max(ids)}, and the network has {self._rows}; give the "
                "processor's files that belong to the weights"
            )
        kept = len(self._tokenization.without_closing(ids))
        tensors = {
            name: value[:, :kept] if name in self.kinds else value
            for name, value in found.items()
            if name not in (IDS, *_UNUSED) and isinstance(value, torch.Tensor)
        }
        return ids[:kept], tensors

    def _processed(self, whole: str, images: Sequence[Image]) -> Any:
        THREADS.use()
        try:
            return self._processor(
                images=[image.picture() for image in images], text=[whole], return_tensors="pt"
            )
        except TrajsimError:
            raise
        except Exception as error:  # each processor refuses in a way of its own
            if is_out_of_memory(error):
                raise
            raise not_taken(images, error) from error


def _growing(found: Any, longer: Any) -> frozenset[str]:
    """Return the names of the tensors with a whole number for each token: they grow with the text.

    Sizes of images may be as many by accident.
    """
    pairs = ((name, value, longer[name]) for name, value in found.items() if name != IDS)
    return frozenset(
        name
        for name, value, other in pairs
        if _is_of(value, found[IDS]) and _is_of(other, longer[IDS])
    )


def _is_of(value: Any, ids: Tensor) -> bool:
    is_tensor = isinstance(value, torch.Tensor)
    return is_tensor and value.shape == ids.shape and not value.is_floating_point()

"""A network that reads tokens after an image: everything that `Network` does, for one prefix.

What reads a text reads an image too: all goes through one forward call, to which the image is
added here wherever a reading begins at the beginning.

A token that stands for an image may also be sampled, or given, behind one. There it is a token as
any other, as it is in a text: the network looks its embedding up, and no image is put in its place.
"""

import copy
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from similarity.errors import ImageError
from similarity.images.image import Image
from similarity.models.base import TokenIds
from similarity.models.network import Network
from similarity.models.pauses import Pauses
from similarity.models.prefix import ImageTokens

# The kind that processors give to tokens of text; those of images have others.
_TEXT = 0


class ImageNetwork(Network):
    """A network whose readings begin with the prefix of `opened`.

    Parameters
    ----------
    place
        The token that stands for an image, by the processor; the configuration may have another.
    word
        A token of text, which is no such.
    """

    def __init__(self, network: Network, place: int, word: int) -> None:
        # All that was found of it holds, but for what is tried again after an image.
        vars(self).update(vars(network))
        self.packs = self.pads = False
        self.caches = True
        self.pads_state = False
        # The image that a reading begins with is one at a time.
        self.pauses = Pauses(self.module)
        places = {place, getattr(self.module.config, "image_token_id", None)} - {None}
        self._places = torch.tensor(sorted(places), device=self.device)
        self._word = word
        self._images: list[Image] = []
        self._tensors: dict[str, Tensor] = {}
        self._kinds: list[str] = []
        self._length = 0

    @contextmanager
    def opened(
        self, prefix: ImageTokens, tensors: dict[str, Tensor], kinds: Collection[str]
    ) -> Iterator[None]:
        """Read this prefix's image wherever a reading begins.

        Parameters
        ----------
        kinds
            The names of tensors with a number for each token.
        """
        self._images = prefix.images
        self._length, self._kinds = len(prefix), [name for name in kinds if name in tensors]
        self._tensors = {
            name: value.to(self.device, self.dtype if value.is_floating_point() else None)
            for name, value in tensors.items()
        }
        try:
            yield
        finally:
            self._tensors = {}
            self._images = []

    def failure(self, said: str) -> ImageError:
        """Return the error for a prefix that cannot be read, though texts as long can."""
        names = [image.name for image in self._images]
        shown = ", ".join(map(repr, names))
        return ImageError(f"after image {shown} {said}; give another image", names[0])

    def copies(self, cache: DynamicCache, count: int) -> DynamicCache:
        """Return the state of one row as that of so many, of any kind of state."""
        copied = copy.deepcopy(cache)
        self.select(copied, torch.zeros(count, dtype=torch.long, device=self.device))
        return copied

    def logits_after(self, cache: DynamicCache, ids: Tensor) -> Tensor:
        """Return logits, shape "row position token", of ids "row position" read after a state."""
        state: dict[str, Any] = {self._cache_argument: cache}
        logits: Tensor = self._forward(ids, None, None, use_cache=True, **state).logits
        return logits

    def _forward(
        self,
        ids: Tensor,
        mask: Tensor | None,
        positions: Tensor | None,
        *,
        module: nn.Module | None = None,
        **state: Any,
    ) -> Any:
        # Positions of images are the network's own affair, and rows have no padding.
        cache = state.get(self._cache_argument)
        begins = cache is None or not cache.get_seq_length()
        if not begins:
            return super()._forward(ids, None, None, module=module, **state)
        shown = self._without_places(ids)
        with nullcontext() if shown is ids else self._embedded_as(ids):
            return super()._forward(shown, None, None, module=module, **self._image(ids), **state)

    def _without_places(self, ids: Tensor) -> Tensor:
        """Return ids without tokens that stand for images behind the prefix; often the same."""
        wrong = torch.isin(ids, self._places)
        wrong[:, : self._length] = False
        return ids.masked_fill(wrong, self._word) if wrong.any() else ids

    @contextmanager
    def _embedded_as(self, ids: Tensor) -> Iterator[None]:
        """Have the network embed these ids behind the prefix, whatever others it is shown."""

        def behind(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
            embedded = args[0].clone()
            embedded[:, self._length :] = ids[:, self._length :]
            return embedded, *args[1:]

        embedding: Any = self.module.get_input_embeddings()  # type: ignore[operator]
        hook = embedding.register_forward_pre_hook(behind)
        try:
            yield
        finally:
            hook.remove()

    def _image(self, ids: Tensor) -> dict[str, Tensor]:
        """Return the image for each row, and the kinds of all tokens."""
        rows, width = ids.shape
        given = dict(self._tensors)
        for name in self._kinds:
            behind = given[name].new_full((1, width - self._length), _TEXT)
            given[name] = torch.cat([given[name], behind], dim=-1)
        return {name: value.repeat(rows, *[1] * (value.dim() - 1)) for name, value in given.items()}


def in_rows(continuations: Sequence[TokenIds], device: torch.device) -> Tensor:
    """Return the tokens of continuations that are read, all but each last, padded to the right.

    Shape "row position". No token sees the padding, which is behind it.
    """
    width = max(len(ids) - 1 for ids in continuations)
    rows = [[*ids[:-1], *[0] * (width - len(ids) + 1)] for ids in continuations]
    return torch.tensor(rows, device=device).reshape(len(continuations), width)

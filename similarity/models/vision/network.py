"""A network that reads tokens after an image: everything that `Network` does, for one prefix.

What reads a text reads an image too: all goes through one forward call, to which the image is
added here wherever a reading begins at the beginning.
"""

import copy
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from similarity.models.base import TokenIds
from similarity.models.network import Network
from similarity.models.pauses import Pauses
from similarity.models.prefix import ImageTokens

# The kind that processors give to tokens of text; those of images have others.
_TEXT = 0


class ImageNetwork(Network):
    """A network whose readings begin with the prefix of `opened`."""

    def __init__(self, network: Network) -> None:
        # All that was found of it holds, but for what is tried again after an image.
        vars(self).update(vars(network))
        self.packs = self.pads = False
        self.caches = True
        self.pads_state = False
        # The image that a reading begins with is one at a time.
        self.pauses = Pauses(self.module)
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
        self._length, self._kinds = len(prefix), [name for name in kinds if name in tensors]
        self._tensors = {
            name: value.to(self.device, self.dtype if value.is_floating_point() else None)
            for name, value in tensors.items()
        }
        try:
            yield
        finally:
            self._tensors = {}

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
        given = self._image(ids) if begins else {}
        return super()._forward(ids, None, None, module=module, **given, **state)

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

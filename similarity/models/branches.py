"""A network's state after texts that many rows go on from: each text's is held and read once.

Trajectories, continuations and texts after one prompt all begin alike in many rows. Where others
copy keys and values to each row, here the queries of all rows of a text meet them in one product.
"""

import math
from typing import Self, cast

import torch
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache

from similarity.models.cache import RoomyLayer

# Keys times queries of a row: above, all scores at once take too much memory.
_MOST_SCORES = 1 << 13


class Branches(DynamicCache):
    """Keys and values of trunks, "trunk head position feature", and of the rows after them.

    What is read first are the trunks. Rows go on from them once they are chosen (`reorder_cache`,
    `branched`) or something more is read. Trunks may be padded to the left, which a mask says when
    they are read. Rows have no mask: what is behind a row's end, to the right, is of no use.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self._count = layers
        self._trunks: list[tuple[Tensor, Tensor]] = []
        self._hidden: Tensor | None = None
        self._groups: _Groups | None = None
        self._own = [RoomyLayer() for _ in range(layers)]
        self.layers = list(self._own)

    def get_seq_length(self, _layer: int = 0) -> int:
        """Return how many positions were read."""
        trunk = self._trunks[0][0].shape[-2] if self._trunks else 0
        return trunk + int(self._own[0].get_seq_length())

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Keep these rows, in this order; a row may be taken more than once."""
        self._go_on(beam_idx if self._groups is None else self._groups.trunks[beam_idx])
        for layer in self._own:
            if layer.get_seq_length():
                layer.reorder_cache(cast(torch.LongTensor, beam_idx))

    def branched(self, trunks: Tensor) -> Self:
        """Return a state of rows that go on from these trunks, shape "row"; keep this one."""
        other = type(self)(self._count)
        other._trunks, other._hidden = self._trunks, self._hidden
        other._go_on(trunks)
        return other

    def _go_on(self, trunks: Tensor) -> None:
        """Let rows go on from these trunks, and drop all other trunks."""
        used, numbers = torch.unique(trunks, return_inverse=True)
        if len(used) < len(self._trunks[0][0]):
            self._trunks = [(keys[used], values[used]) for keys, values in self._trunks]
            self._hidden = None if self._hidden is None else self._hidden[used]
        self._groups = _Groups(numbers, len(used))

    def attend(
        self, layer: int, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Append keys and values, "row head position feature"; return the queries' attention.

        Parameters
        ----------
        mask
            What each query of a trunk sees, as `attention` takes it.
        """
        if len(self._trunks) == layer:
            self._trunks.append((keys, values))
            self._hidden = None if mask is None else mask[:, :, -1:]
            return attention(queries, keys, values, mask)
        if self._groups is None:
            every = torch.arange(len(queries), device=queries.device)
            self._groups = _Groups(every, len(queries))
        keys, values = self._own[layer].update(keys, values)
        trunk = self._trunks[layer]
        count, length = queries.shape[2], trunk[0].shape[2] + keys.shape[2]
        if count > 1 and count * length > _MOST_SCORES:
            return self._copied(queries, keys, values, trunk)
        return self._together(queries, keys, values, trunk)

    def _together(
        self, queries: Tensor, keys: Tensor, values: Tensor, trunk: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Attend to each trunk by all its rows at once, and to each row's own positions."""
        groups = self._groups
        assert groups is not None, "there are rows"
        rows, heads, count, width = queries.shape
        shared = keys.shape[1]
        queries = (queries / math.sqrt(width)).reshape(rows, shared, -1, width)
        trunk_keys, trunk_values = trunk
        before = groups.gathered(queries) @ trunk_keys.transpose(-1, -2)
        if self._hidden is not None:
            before += self._hidden
        own = queries @ keys.transpose(-1, -2)
        if count > 1:
            own.view(rows, shared, -1, count, own.shape[-1]).add_(_causal(count, keys))
        weights = torch.cat([groups.spread(before), own], dim=-1).softmax(-1)
        length = trunk_keys.shape[2]
        found = weights[..., length:] @ values
        found += groups.spread(groups.gathered(weights[..., :length]) @ trunk_values)
        return found.view(rows, heads, count, width)

    def _copied(
        self, queries: Tensor, keys: Tensor, values: Tensor, trunk: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Attend to trunks that are copied to each row, without holding all scores."""
        assert self._groups is not None, "there are rows"
        trunks, count = self._groups.trunks, queries.shape[2]
        before = keys.new_zeros((len(queries), 1, count, trunk[0].shape[2]))
        if self._hidden is not None:
            before += self._hidden[trunks]
        own = _causal(count, keys).expand(len(queries), 1, -1, -1)
        keys = torch.cat([trunk[0][trunks], keys], dim=2)
        values = torch.cat([trunk[1][trunks], values], dim=2)
        return attention(queries, keys, values, torch.cat([before, own], dim=-1))


class _Groups:
    """Rows by the trunk that they go on from, with room for as many rows at each.

    Attributes
    ----------
    trunks
        Of each row, shape "row".
    """

    def __init__(self, trunks: Tensor, count: int) -> None:
        self.trunks = trunks
        self._count = count
        sizes = trunks.bincount(minlength=count)
        self._size = int(sizes.max())
        order = trunks.argsort(stable=True)
        ranks = torch.arange(len(trunks), device=trunks.device)
        ranks = ranks - (sizes.cumsum(0) - sizes)[trunks[order]]
        self._places = torch.empty_like(trunks)
        self._places[order] = trunks[order] * self._size + ranks
        # Where all have as many rows, in order, nothing is moved.
        self._plain = len(trunks) == count * self._size and bool((self._places.diff() == 1).all())
        self._rows = trunks.new_zeros(count * self._size)
        self._rows[self._places] = torch.arange(len(trunks), device=trunks.device)

    def gathered(self, values: Tensor) -> Tensor:
        """Return values, of "row head query …", as "trunk head query …" of all rows of each."""
        held = values if self._plain else values[self._rows]
        held = held.view(self._count, self._size, *values.shape[1:])
        return held.transpose(1, 2).flatten(2, 3)

    def spread(self, values: Tensor) -> Tensor:
        """Return gathered values by their rows again."""
        trunks, heads, queries, width = values.shape
        held = values.view(trunks, heads, self._size, queries // self._size, width)
        held = held.transpose(1, 2).flatten(0, 1)
        return held if self._plain else held[self._places]


def attention(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Return the attention of queries to values, all of shape "row head position feature".

    Parameters
    ----------
    mask
        Additive, "row 1 query key". None stands for the causal one of a reading from the
        beginning, and for none where there is one query.
    """
    found: Tensor = functional.scaled_dot_product_attention(
        queries,
        keys,
        values,
        attn_mask=mask,
        is_causal=mask is None and queries.shape[2] > 1,
        enable_gqa=queries.shape[1] != keys.shape[1],
    )
    return found


def _causal(count: int, keys: Tensor) -> Tensor:
    """Return the additive mask, "query key", of the last `count` of positions."""
    length = keys.shape[2]
    mask = torch.full((count, length), torch.finfo(keys.dtype).min, device=keys.device)
    return mask.to(keys.dtype).triu_(length - count + 1)

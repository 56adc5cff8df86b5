"""Finds how many tokens a network can read, by its configuration, its tables and by trying."""

import logging
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from similarity.errors import ModelError
from similarity.lacking import is_out_of_memory
from similarity.models.network import Network

logger = logging.getLogger(__name__)

# Where nothing limits a network, as recurrent ones.
UNLIMITED = 1 << 20
# Names under which configurations have the positions that there are.
_NAMES = re.compile(
    r"(n_(positions|ctx)|max_(position_embeddings|seq_len|seq_length|sequence_length|"
    r"target_positions|context_length|positions)|seq_len|seq_length|sequence_length|"
    r"context_length|context_size|model_max_length|block_size)"
)
# Positions that are scaled in another way once a text is longer than what was trained on: the
# same tokens have other probabilities then.
_SWITCHING = ("longrope", "dynamic", "su")
# Weights × tokens of a reading that takes a moment, and the longest text that is tried then.
_MOMENT = 1_000_000_000
_TRIED = 1024
# Tokens whose numbers must be the same in a short text and in a long one.
_FIRST = 8


def context_length(network: Network, tokenizer: Any) -> int:
    """Return how many tokens a network can read, as far as is known at loading."""
    limits = [*_named(network.module.config), *network.tables, *_of_tokenizer(tokenizer)]
    limit = min([UNLIMITED, *limits])
    weights = sum(weight.numel() for weight in network.module.parameters())
    longest = min(limit, _TRIED)
    if weights * longest > _MOMENT:
        return limit
    # Where it can read nothing, what it is loaded for says so.
    readable = max(1, longest_readable(network, longest))
    return limit if readable == longest else readable


def longest_readable(network: Network, length: int) -> int:
    """Return the most tokens, at most `length`, that a network can read, by bisection.

    0 if it cannot read one.

    Raises
    ------
    ModelError
        If memory is out: that says nothing of what the network can read.
    """
    low, high = 0, length + 1
    middle = length
    while high - low > 1:
        low, high = (middle, high) if _can_read(network, middle) else (low, middle)
        middle = (low + high) // 2
    return low


@torch.inference_mode()
def _can_read(network: Network, length: int) -> bool:
    """Try whether so many tokens can be read, none of which depends on later ones."""
    ids = (7919 * torch.arange(1, length + 1, device=network.device) % network.vocab_size)[None]
    try:
        logits = network.read(ids)
        # Which tokens a window keeps may depend on later ones: that shows behind it alone.
        counts = {min(_FIRST, length), length // 2, length - 1} - {0}
        parts = [network.read(ids[:, :count]) for count in counts]
    except Exception as error:  # each architecture refuses in a way of its own
        if is_out_of_memory(error):
            raise ModelError(
                f"memory is out where the network reads {length} tokens; make room, or give a "
                "smaller model, or another device or dtype"
            ) from error
        logger.info("the network does not read %d tokens: %s", length, error)
        return False
    return all(network.agree(logits[:, : part.shape[1]], part) for part in parts)


def _of_tokenizer(tokenizer: Any) -> Iterator[int]:
    limit = getattr(tokenizer, "model_max_length", None)
    if limit is None:
        return
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or math.isnan(limit):
        raise ModelError(
            f"model_max_length of tokenizer_config.json is {limit!r}; give a number of tokens"
        )
    if limit > 0:
        yield int(min(limit, UNLIMITED))


def _named(config: Any) -> Iterator[int]:
    """Yield the limits that a configuration has, under any of their names."""
    config = config.get_text_config()
    for name in {*vars(config), *getattr(config, "attribute_map", {})}:
        value = getattr(config, name, None) if _NAMES.fullmatch(name) else None
        if isinstance(value, int) and value > 0:
            yield value
    yield from _switches(config, getattr(config, "rope_parameters", None))


def _switches(config: Any, rope: Any) -> Iterator[int]:
    """Yield the positions where the scaling of rotary positions changes."""
    if not isinstance(rope, dict):
        return
    if rope.get("rope_type", rope.get("type")) in _SWITCHING:
        names = "original_max_position_embeddings", "max_position_embeddings"
        values = [rope.get(names[0]), *(getattr(config, name, None) for name in names)]
        yield from [value for value in values if isinstance(value, int) and value > 0][:1]
    for inner in rope.values():
        yield from _switches(config, inner)


class Lookups(TorchFunctionMode):
    """Watches for tables that are looked up at positions that rise by one.

    Attributes
    ----------
    sizes
        The texts, in tokens, for which each has entries.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self._length = length

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Note what a function looks up, then call it."""
        found = _lookup(func, args, kwargs or {})
        if found is not None:
            self._note(*found)
        return func(*args, **(kwargs or {}))

    def _note(self, table: int, positions: Tensor) -> None:
        if positions.is_floating_point() or positions.numel() % self._length:
            return
        row = positions.reshape(-1)[: self._length]
        first = int(row[0])
        rising = torch.arange(first, first + self._length, device=row.device)
        if first >= 0 and table > self._length and torch.equal(row.long(), rising):
            self.sizes.append(table - first)


def _lookup(func: Any, args: Any, kwargs: Any) -> tuple[int, Tensor] | None:
    """Return a table's length and the positions looked up, if a call is such a lookup."""
    name = getattr(func, "__name__", "")
    if name == "embedding" and len(args) >= 2:
        ids, weight = (args[0], args[1]) if func is torch.nn.functional.embedding else args[1::-1]
        return weight.shape[0], ids
    if name in ("index_select", "gather") and len(args) == 3:
        table, axis, at = args
        column = at if name == "index_select" else at.movedim(axis, -1).reshape(-1, at.shape[axis])
        return table.shape[axis], column[0] if column.dim() > 1 else column
    if name == "__getitem__" and isinstance(args[1], Tensor) and args[1].dtype != torch.bool:
        return args[0].shape[0], args[1]
    return None

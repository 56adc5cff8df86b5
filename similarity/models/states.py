"""Reads the states before the head after many prefixes, and their common beginning once.

A prompt stands around every text, so its beginning is the same in all of them. Its keys and values
are copied to each row, and each row reads the rest. Those of a pair's prompt are kept, so that a
later pair reads no more than itself and the end of the prompt.

How a text is read depends on the texts of its call alone, never on calls before: the same call
gives the same numbers.
"""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from transformers import DynamicCache

from similarity.lacking import is_out_of_memory
from similarity.models.base import OnProgress, TokenIds, ignore_progress
from similarity.models.head import Head
from similarity.models.network import Network
from similarity.models.padding import batches_by_length, right_padded
from similarity.models.verification import Verified

logger = logging.getLogger(__name__)

# Tokens read at a time: enough to fill the processor, few enough that texts of like length meet.
STATE_TOKENS = {"cpu": 768, "cuda": 16384}
# A shorter beginning is not worth a reading. Of so many prefixes it is read at each call.
MIN_SHARED, MIN_PREFIXES = 3, 4
# Of fewer it is kept. It is cut to a multiple of STEP tokens, so that pairs whose texts begin alike
# by chance share their prompt's with all others; and to MAX_KEPT, which prompts seldom pass, as
# long texts that are nearly the same would fill the memory. KEPT of them are held.
STEP, MAX_KEPT, KEPT = 8, 160, 4


class PrefixStates:
    """Reads states for one network, which has a head."""

    def __init__(self, network: Network, head: Head, verified: Verified) -> None:
        self._network = network
        self._head = head
        self._verified = verified
        # The longest prefix for which a copied beginning was seen to give the plain state.
        self._seen = 0
        self._shares = True
        self._kept: OrderedDict[TokenIds, Beginning] = OrderedDict()

    @torch.inference_mode()
    def read(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> Tensor:
        """Return the state before the head after each prefix, shape "prefix width"."""
        weight = self._head.linear.weight
        states = weight.new_empty((len(prefixes), self._head.linear.in_features))
        # Where padding moves numbers each is read alone.
        size = STATE_TOKENS[weight.device.type] if self._network.pads else 1
        beginning = self._beginning(prefixes)
        cut = [prefix[beginning.length :] for prefix in prefixes] if beginning else prefixes
        for batch in batches_by_length(cut, size):
            found = self._batch([prefixes[i] for i in batch], beginning)
            # As the head takes them: some bodies give others than its own type.
            states[batch] = found.to(states.dtype)
            on_progress(len(batch))
        return states

    def _beginning(self, prefixes: Sequence[TokenIds]) -> "Beginning | None":
        """Read the common beginning of all prefixes; None if that is of no use."""
        network = self._network
        if not (self._shares and network.packs and network.pads and len(prefixes) > 1):
            return None
        if max(map(len, prefixes)) > network.pack_window:
            return None
        shared, many = shared_length(prefixes), len(prefixes) >= MIN_PREFIXES
        if not many:
            # In half precision few texts are read plainly: the promise of `--batch-tokens 1`.
            shared = min(shared // STEP * STEP, MAX_KEPT) if network.exact else 0
        if shared < MIN_SHARED:
            return None
        token_ids = prefixes[0][:shared]
        try:
            return self._read(token_ids) if many else self._kept_or_read(token_ids)
        except Exception as error:  # each architecture refuses in a way of its own
            self._give_up(error)
            return None

    def _read(self, token_ids: TokenIds) -> "Beginning":
        return Beginning.of(self._network, token_ids)

    def _kept_or_read(self, token_ids: TokenIds) -> "Beginning":
        if token_ids not in self._kept:
            self._kept[token_ids] = self._read(token_ids)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(token_ids)
        return self._kept[token_ids]

    def _batch(self, prefixes: Sequence[TokenIds], beginning: "Beginning | None") -> Tensor:
        """Read prefixes together; where memory is out, half of them at a time."""
        try:
            return self._at_once(prefixes, beginning)
        except (MemoryError, RuntimeError) as error:
            if len(prefixes) == 1 or not is_out_of_memory(error):
                raise
            logger.info("%d prefixes are read half at a time: %s", len(prefixes), error)
        middle = len(prefixes) // 2
        halves = prefixes[:middle], prefixes[middle:]
        return torch.cat([self._batch(half, beginning) for half in halves])

    def _at_once(self, prefixes: Sequence[TokenIds], beginning: "Beginning | None") -> Tensor:
        if beginning is None or not self._shares:
            return self._plain(prefixes)
        try:
            states = read_after(self._network, beginning, prefixes)
            right = self._right(prefixes, states)
        except Exception as error:  # as above
            self._give_up(error)
            return self._plain(prefixes)
        if right:
            return states
        self._shares = False
        return self._plain(prefixes)

    def _give_up(self, error: Exception) -> None:
        if is_out_of_memory(error):
            raise error
        logger.info("what texts begin with is read for each of them: %s", error)
        self._shares = False

    def _right(self, prefixes: Sequence[TokenIds], states: Tensor) -> bool:
        """Return whether the longest prefix has its plain state.

        It is not read again if a prefix as long was right before.
        """
        longest = max(range(len(prefixes)), key=lambda i: len(prefixes[i]))
        if len(prefixes[longest]) <= self._seen:
            return True
        plain = self._plain([prefixes[longest]])
        logits = self._head.logits
        if not self._network.agree(logits(states[longest]), logits(plain[0])):
            return False
        self._seen = len(prefixes[longest])
        return True

    def _plain(self, prefixes: Sequence[TokenIds]) -> Tensor:
        with self._verified.reading(max(map(len, prefixes))):
            return read_whole(self._network, prefixes)


def shared_length(prefixes: Sequence[TokenIds]) -> int:
    """Return the length of the common beginning; each prefix has one token more at least."""
    first, last = min(prefixes), max(prefixes)
    most = min(map(len, prefixes)) - 1
    return next((i for i in range(most) if first[i] != last[i]), max(0, most))


def read_whole(network: Network, prefixes: Sequence[TokenIds]) -> Tensor:
    """Return the state after each prefix, shape "prefix width", by one reading of all."""
    ids, mask = right_padded(prefixes, network.device)
    return network.next_states(ids, None if mask.all() else mask, mask.sum(-1) - 1)


@dataclass(frozen=True, eq=False)
class Beginning:
    """Tokens that were read once: how many, and the network's state after them."""

    length: int
    cache: DynamicCache

    @classmethod
    def of(cls, network: Network, token_ids: TokenIds) -> Self:
        """Read tokens."""
        positions = torch.arange(len(token_ids), device=network.device)[None]
        _, cache = network.start(torch.tensor([token_ids], device=network.device), None, positions)
        return cls(len(token_ids), cache)


def read_after(network: Network, beginning: Beginning, prefixes: Sequence[TokenIds]) -> Tensor:
    """Return what `read_whole` does, for prefixes whose common beginning was read."""
    device, length = network.device, beginning.length
    cache = network.copies(beginning.cache, len(prefixes))
    ids, mask = right_padded([prefix[length:] for prefix in prefixes], device)
    whole = torch.cat([torch.ones_like(mask[:, :1]).expand(-1, length), mask], dim=-1)
    positions = (length + torch.arange(ids.shape[1], device=device)).expand(len(ids), -1)
    return network.next_states(ids, whole, mask.sum(-1) - 1, positions, cache)


@torch.inference_mode()
def chosen_log_probs(states: Tensor, head: Head, token_ids: Sequence[int], max_rows: int) -> Tensor:
    """Return log P(token | state), shape "state token" in nats, of states "state width".

    Parameters
    ----------
    max_rows
        Of whole logits that are held at a time.
    """
    columns = torch.tensor(list(token_ids), dtype=torch.long, device=states.device)
    parts = [
        logits[:, columns] - logits.logsumexp(-1, keepdim=True)
        for part in torch.split(states, max(1, max_rows))
        for logits in [head.logits(part).float()]
    ]
    return torch.cat(parts) if parts else states.new_empty((0, len(columns)), dtype=torch.float32)

"""A transformers network as the samplers use it: one forward call, and its abilities.

What a network can do is found out by trying it against a plain reading (`probes`, `verification`),
not by a list of architectures.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from similarity.errors import UnsupportedError
from similarity.models.branches import Branches
from similarity.models.cache import new_cache
from similarity.models.head import captured, find_head
from similarity.models.pauses import Pauses
from similarity.models.threads import NOT_SENT, THREADS

# How far, in nats, two ways of computing one log-probability may differ by rounding alone.
ROUNDING = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 0.05, torch.bfloat16: 0.3}
# Logits made at a time, unless that is fewer rows than fill a processor.
_LOGITS = {"cpu": 1 << 20, "cuda": 1 << 28}
_LEAST_ROWS = 128
# Logits that are closer to each other, on average, are as good as all one.
_LEAST_SPREAD = 0.01


class Network:
    """A causal language network, in evaluation mode.

    What it can do is False until `probes.try_network` has found it.

    Parameters
    ----------
    module
        Of transformers' `AutoModelForCausalLM`.

    Attributes
    ----------
    pads
        Whether padding to the right is as good as absent.
    caches
        Whether its state after a prefix can be copied and continued.
    pads_state
        Whether that holds for prefixes that are padded to the left.
    branches
        Whether its state is one that many rows go on from without copies.
    packs
        Whether it obeys a block mask and position ids: attention over tokens alone.
    pack_window
        The longest sequence, and the longest row, in positions, for which `packs` holds.
    step_window
        The longest sequence for which `caches` holds.
    tables
        The positions that each table has which is looked up by position.
    head
        What makes logits of states; None if that is no affine map.
    pauses
        Let something else be done in the middle of its long readings.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module.eval()
        self.pauses = Pauses(module)
        parameters = inspect.signature(module.forward).parameters
        self._cache_argument = "cache_params" if "cache_params" in parameters else "past_key_values"
        self._takes_positions = "position_ids" in parameters
        self._takes_logits_to_keep = "logits_to_keep" in parameters
        config: Any = module.config
        self._config = config.get_text_config()
        own: Callable[[], DynamicCache] | None = getattr(module, "new_cache", None)
        self.new_cache = own or (lambda: new_cache(self._config))
        self.vocab_size = int(self._config.vocab_size)
        self.pack_window = int(getattr(self._config, "sliding_window", None) or 1 << 30)
        self.step_window = 1 << 30
        self.head = find_head(module, self._read_probe, self.agree)
        body = None if self.head is None else self.head.body
        takes = {} if body is None else inspect.signature(body.forward).parameters
        self._takes_targets = "targets" in takes
        self.branches = body is not None and own is not None and isinstance(own(), Branches)
        self.pads = self.caches = self.pads_state = self.packs = False
        self.tables: list[int] = []

    def __getstate__(self) -> Any:
        """Refuse to be pickled: its weights are laid out in the memory of this process."""
        raise UnsupportedError(NOT_SENT)

    @property
    def rows(self) -> int:
        """Return the least number above all token ids that the network can read and predict."""
        embedding: Any = self.module.get_input_embeddings()  # type: ignore[operator]
        weight = getattr(embedding, "weight", None)
        return self.vocab_size if weight is None else min(self.vocab_size, weight.shape[0])

    @property
    def narrow(self) -> bool:
        """Return whether the network can compute logits at some positions only."""
        return self.head is not None and self.head.body is not None

    @property
    def device(self) -> torch.device:
        """Return the device that the network runs on."""
        return next(self.module.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Return the arithmetic of the weights."""
        return next(self.module.parameters()).dtype

    @property
    def exact(self) -> bool:
        """Return whether stepping and reading at once agree to rounding of single precision."""
        return self.rounding <= ROUNDING[torch.float32]

    @property
    def rounding(self) -> float:
        """Return by how many nats rounding may change a log-probability."""
        return ROUNDING[self.dtype]

    def read(
        self, ids: Tensor, mask: Tensor | None = None, positions: Tensor | None = None
    ) -> Tensor:
        """Return logits, shape "row position token", of ids of shape "row position".

        `mask` is 1 for tokens and 0 for padding, or an additive block mask of shape
        "row 1 query key".
        """
        logits: Tensor = self._forward(ids, mask, positions, use_cache=False).logits
        return logits

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the last layer's states, shape "row position width"; the mask is for padding."""
        # Logits are not needed: the head computes one position's, not all of them.
        narrow: dict[str, Any] = {"logits_to_keep": 1} if self._takes_logits_to_keep else {}
        found = self._forward(ids, mask, None, output_hidden_states=True, use_cache=False, **narrow)
        states: Tensor = found.hidden_states[-1]
        return states

    def states_at(
        self,
        ids: Tensor,
        mask: Tensor | None,
        positions: Tensor | None,
        rows: Tensor,
        places: Tensor,
        cache: DynamicCache | None = None,
    ) -> Tensor | None:
        """Return the states before the head, "target width", at some positions of some rows.

        None if the network has no known body that gives them without the logits.

        Parameters
        ----------
        rows, places
            Shape "target".
        cache
            The state that ids are read after, if there is one.
        """
        body = None if self.head is None else self.head.body
        if body is None:
            return None
        state: dict[str, Any] = {"use_cache": cache is not None}
        if cache is not None:
            state[self._cache_argument] = cache
        if self._takes_targets:
            found: Tensor = self._forward(
                ids, mask, positions, module=body, targets=(rows, places), **state
            )[0]
            return found
        found = self._forward(ids, mask, positions, module=body, **state)[0]
        return found[rows, places]

    def logits_in_parts(self, states: Tensor) -> Iterator[Tensor]:
        """Yield the logits of states, some rows at a time: as few as fit the processor's cache."""
        if self.head is None:
            raise ValueError("this network has no head that is known")
        rows = max(_LEAST_ROWS, _LOGITS[self.device.type] // self.vocab_size)
        yield from (self.head.logits(part) for part in torch.split(states, rows))

    def next_states(
        self,
        ids: Tensor,
        mask: Tensor | None,
        last: Tensor,
        positions: Tensor | None = None,
        cache: DynamicCache | None = None,
    ) -> Tensor:
        """Return the state before the head, shape "row width", at position `last`, "row".

        Only of a network with a head. Of ids that are read after a state the mask is of all that
        was read, and `last` counts from their own beginning.
        """
        if self.head is None:
            raise ValueError("this network has no head that is known")
        rows = torch.arange(len(ids), device=ids.device)
        found = self.states_at(ids, mask, positions, rows, last, cache)
        if found is not None:
            return found
        state: dict[str, Any] = {"use_cache": cache is not None}
        if cache is not None:
            state[self._cache_argument] = cache
        states, _ = captured(
            self.module, self.head.linear, lambda _: self._forward(ids, mask, positions, **state)
        )
        return states[rows, last]

    def start(
        self, ids: Tensor, mask: Tensor | None, positions: Tensor
    ) -> tuple[Tensor, DynamicCache]:
        """Read prefixes; return the last logits, shape "row token", and the state after them.

        Here and in `step` the mask is for padding alone: None where there is none, as
        recurrent networks take a mask of what is read now, not of what was.
        """
        cache = self.new_cache()
        return self.step(ids, mask, positions, cache), cache

    def step(
        self, ids: Tensor, mask: Tensor | None, positions: Tensor, cache: DynamicCache
    ) -> Tensor:
        """Read ids, shape "row position", after the state; return the last logits "row token"."""
        rows = torch.arange(len(ids), device=ids.device)
        last = torch.full_like(rows, ids.shape[1] - 1)
        states = self.states_at(ids, mask, positions, rows, last, cache)
        if states is not None and self.head is not None:
            return self.head.logits(states)
        state: dict[str, Any] = {self._cache_argument: cache}
        logits: Tensor = self._forward(ids, mask, positions, use_cache=True, **state).logits
        return logits[:, -1]

    @staticmethod
    def select(cache: DynamicCache, rows: Tensor) -> None:
        """Keep the state of these rows, in this order; a row may be taken more than once."""
        cache.reorder_cache(cast(torch.LongTensor, rows))

    def copies(self, cache: DynamicCache, count: int) -> DynamicCache:
        """Return the state of one row as that of so many; the given one stays as it is."""
        if isinstance(cache, Branches):
            return cache.branched(torch.zeros(count, dtype=torch.long, device=self.device))
        copied = self.new_cache()
        layers: list[Any] = cache.layers
        for place, layer in enumerate(layers):
            keys, values = (kept.expand(count, -1, -1, -1) for kept in (layer.keys, layer.values))
            copied.update(keys, values, place)
        return copied

    def give_up_packing(self, right: int) -> None:
        """Read no packs of more than so many tokens, which were right; 0 stands for none at all."""
        self.packs, self.pack_window = self.packs and right > 0, right or self.pack_window

    def give_up_stepping(self, right: int) -> None:
        """Step through no texts of more than so many tokens, as `give_up_packing`."""
        self.caches, self.step_window = self.caches and right > 0, right or self.step_window

    def _forward(
        self,
        ids: Tensor,
        mask: Tensor | None,
        positions: Tensor | None,
        *,
        module: nn.Module | None = None,
        **state: Any,
    ) -> Any:
        if positions is not None and self._takes_positions:
            state["position_ids"] = positions
        THREADS.use()
        with self.pauses.within(ids.numel()):
            return (module or self.module)(input_ids=ids, attention_mask=mask, **state)

    def _read_probe(self, module: nn.Module) -> Any:
        return self._forward(self._probe_ids(6), None, None, module=module, use_cache=False)

    def block_mask(self, visible: Tensor) -> Tensor:
        """Return the additive mask, "row 1 query key", of a Boolean one, "row query key"."""
        mask = torch.zeros(visible.shape, dtype=self.dtype, device=visible.device)
        return mask.masked_fill_(~visible, torch.finfo(self.dtype).min)[:, None]

    def _probe_ids(self, count: int) -> Tensor:
        ids = [(7919 * (i + 1)) % self.vocab_size for i in range(count)]
        return torch.tensor([ids], device=self.device)

    def agree(self, first: Tensor, second: Tensor) -> bool:
        """Return whether two computations of logits, shape "… token", differ by rounding alone."""
        return self.difference(first, second) <= self.rounding

    def difference(self, first: Tensor, second: Tensor) -> float:
        """Return by how much log-probabilities of logits "… token" differ, in nats.

        In single precision it is the most. Half precision moves some tokens of a large vocabulary
        far: there it is three times the mean, or a third of the most, whichever is larger.
        Where logits hardly differ from token to token, the difference counts the more.
        """
        gaps = (first.float().log_softmax(-1) - second.float().log_softmax(-1)).abs()
        spread = float(second.float().std(-1).mean())
        most, mean = float(gaps.max()), float(gaps.mean())
        gap = most if self.exact else max(3 * mean, most / 3)
        return gap / min(1.0, max(spread, _LEAST_SPREAD))

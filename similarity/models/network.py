"""A transformers network as the samplers use it: one forward call, and what it is able to do.

Whether a network can be packed by a mask, or its state copied, is found out by trying it against
a plain reading, not by a list of architectures.
"""

import inspect
import logging
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from similarity.models.cache import new_cache
from similarity.models.head import captured, find_head

logger = logging.getLogger(__name__)

# How far, in nats, two ways of computing one log-probability may differ by rounding alone.
ROUNDING = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 0.05, torch.bfloat16: 0.3}


class Network:
    """A causal language network, in evaluation mode.

    Parameters
    ----------
    module
        Of transformers' `AutoModelForCausalLM`.

    Attributes
    ----------
    caches
        Whether its state after a prefix can be copied and continued.
    packs
        Whether it obeys a block mask and position ids: attention over tokens alone.
    pack_window
        The longest sequence, in positions, for which `packs` holds.
    head
        What makes logits of states; None if that is no affine map.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module.eval()
        parameters = inspect.signature(module.forward).parameters
        self._cache_argument = "cache_params" if "cache_params" in parameters else "past_key_values"
        self._takes_positions = "position_ids" in parameters
        self._takes_logits_to_keep = "logits_to_keep" in parameters
        config: Any = module.config
        self._config = config.get_text_config()
        self.vocab_size = int(self._config.vocab_size)
        self.pack_window = int(getattr(self._config, "sliding_window", None) or 1 << 30)
        self.head = find_head(module, self._read_probe, self._agree)
        self.caches = self._continues_from_cache()
        self.packs = self.caches and self._obeys_block_mask()

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        return next(self.module.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The arithmetic of the weights."""
        return next(self.module.parameters()).dtype

    @property
    def exact(self) -> bool:
        """Whether stepping and reading at once agree to rounding of single precision."""
        return self.rounding <= ROUNDING[torch.float32]

    @property
    def rounding(self) -> float:
        """How far, in nats, rounding may move a log-probability."""
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
        # The head is not asked for: one position's logits, not all of them.
        narrow: dict[str, Any] = {"logits_to_keep": 1} if self._takes_logits_to_keep else {}
        found = self._forward(ids, mask, None, output_hidden_states=True, use_cache=False, **narrow)
        states: Tensor = found.hidden_states[-1]
        return states

    def read_at(
        self, ids: Tensor, mask: Tensor, positions: Tensor | None, rows: Tensor, places: Tensor
    ) -> Tensor:
        """Return the logits, shape "target token", after some positions of some rows.

        Parameters
        ----------
        rows, places
            Shape "target".
        """
        if self.head is None or self.head.body is None:
            return self.read(ids, mask, positions)[rows, places]
        found = self._forward(ids, mask, positions, module=self.head.body, use_cache=False)[0]
        return self.head.logits(found[rows, places])

    def next_states(self, ids: Tensor, mask: Tensor | None, last: Tensor) -> Tensor:
        """Return the state before the head, shape "row width", at position `last`, "row".

        Only of a network with a head.
        """
        if self.head is None:
            raise ValueError("this network has no head that is known")
        states: Tensor
        if self.head.body is not None:
            states = self._forward(ids, mask, None, module=self.head.body, use_cache=False)[0]
        else:
            states, _ = captured(
                self.module, self.head.linear, lambda _: self._forward(ids, mask, None)
            )
        return states[torch.arange(len(ids), device=ids.device), last]

    def start(
        self, ids: Tensor, mask: Tensor | None, positions: Tensor
    ) -> tuple[Tensor, DynamicCache]:
        """Read prefixes; return the last logits, shape "row token", and the state after them.

        Here and in `step` the mask is for padding alone: None where there is none, as
        recurrent networks take a mask of what is read now, not of what was.
        """
        cache = new_cache(self._config)
        return self.step(ids, mask, positions, cache), cache

    def step(
        self, ids: Tensor, mask: Tensor | None, positions: Tensor, cache: DynamicCache
    ) -> Tensor:
        """Read ids, shape "row position", after the state; return the last logits "row token"."""
        state: dict[str, Any] = {self._cache_argument: cache}
        if self.head is None or self.head.body is None:
            logits: Tensor = self._forward(ids, mask, positions, use_cache=True, **state).logits
            return logits[:, -1]
        body = self.head.body
        found = self._forward(ids, mask, positions, module=body, use_cache=True, **state)
        return self.head.logits(found[0][:, -1])

    @staticmethod
    def select(cache: DynamicCache, rows: Tensor) -> None:
        """Keep the state of these rows, in this order; a row may be taken more than once."""
        cache.reorder_cache(cast(torch.LongTensor, rows))

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
        return (module or self.module)(input_ids=ids, attention_mask=mask, **state)

    def _read_probe(self, module: nn.Module) -> Any:
        return self._forward(self._probe_ids(6), None, None, module=module, use_cache=False)

    def _continues_from_cache(self) -> bool:
        """Try whether a copied state, continued, gives what reading everything gives."""
        ids, positions = self._probe_ids(6), torch.arange(6, device=self.device)[None]
        twice = torch.zeros(2, dtype=torch.long, device=self.device)
        try:
            _, cache = self.start(ids[:, :4], None, positions[:, :4])
            self.select(cache, twice)
            for place in (4, 5):
                step_ids, step_positions = ids[twice, place, None], positions[twice, place, None]
                logits = self.step(step_ids, None, step_positions, cache)
        except Exception as error:  # each architecture refuses in a way of its own
            logger.info("no copied state for this network: %s", error)
            return False
        return self._agree(logits, self.read(ids)[:, -1].expand_as(logits))

    def _obeys_block_mask(self) -> bool:
        """Try whether a token hidden by the mask is as good as absent."""
        cache = new_cache(self._config)
        if not all(isinstance(layer, DynamicLayer) for layer in cache.layers):
            return False
        ids, whole = self._probe_ids(6), torch.ones(6, 6, dtype=torch.bool, device=self.device)
        visible = whole.tril()
        visible[4:, 2:4] = False
        positions = torch.tensor([[0, 1, 2, 3, 2, 3]], device=self.device)
        try:
            packed = self.read(ids, self.block_mask(visible[None]), positions)
        except Exception as error:  # as above
            logger.info("no packing for this network: %s", error)
            return False
        return self._agree(packed[:, -1], self.read(ids[:, [0, 1, 4, 5]])[:, -1])

    def block_mask(self, visible: Tensor) -> Tensor:
        """Return the additive mask, "row 1 query key", of a Boolean one, "row query key"."""
        mask = torch.zeros(visible.shape, dtype=self.dtype, device=visible.device)
        return mask.masked_fill_(~visible, torch.finfo(self.dtype).min)[:, None]

    def _probe_ids(self, count: int) -> Tensor:
        ids = [(7919 * (i + 1)) % self.vocab_size for i in range(count)]
        return torch.tensor([ids], device=self.device)

    def _agree(self, first: Tensor, second: Tensor) -> bool:
        gap = (first.float().log_softmax(-1) - second.float().log_softmax(-1)).abs().max()
        return bool(gap <= self.rounding)

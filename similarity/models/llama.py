"""A network of Llama's shape in torch alone, for the models that this package itself brings.

It computes what transformers' own class does, on the same weights. That one imports much more:
its modules for training and for many devices take longer to load than these models.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import DynamicCache

from similarity.models.branches import Branches, attention

# Cosines and sines of each position, "row 1 position feature".
Rotation = tuple[Tensor, Tensor]
# Rows and positions, each of shape "target".
Targets = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Output:
    """The result of a reading: logits, "row position token", and the last states."""

    logits: Tensor
    hidden_states: tuple[Tensor]


class Attention(nn.Module):
    """Attention with rotary positions; several heads may share keys and values."""

    def __init__(self, config: Any, layer: int) -> None:
        super().__init__()
        self._layer = layer
        self._width = int(config.head_dim)
        wide, narrow = config.num_attention_heads, config.num_key_value_heads
        self.q_proj = _linear(config.hidden_size, wide * self._width)
        self.k_proj = _linear(config.hidden_size, narrow * self._width)
        self.v_proj = _linear(config.hidden_size, narrow * self._width)
        self.o_proj = _linear(wide * self._width, config.hidden_size)

    def forward(
        self, x: Tensor, mask: Tensor | None, rotation: Rotation, cache: DynamicCache | None
    ) -> Tensor:
        """Return the attention of the tokens of x, "row position width", to those they see.

        The caller applies `o_proj` to it.
        """
        queries = rotated(self._heads(self.q_proj(x)), rotation)
        keys = rotated(self._heads(self.k_proj(x)), rotation)
        values = self._heads(self.v_proj(x))
        if isinstance(cache, Branches):
            found = cache.attend(self._layer, queries, keys, values, mask)
        else:
            if cache is not None:
                keys, values = cache.update(keys, values, self._layer)
            found = attention(queries, keys, values, mask)
        return found.transpose(1, 2).flatten(2)

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], -1, self._width).transpose(1, 2)


class FeedForward(nn.Module):
    """The gated network that reads each position alone."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.gate_proj = _linear(config.hidden_size, config.intermediate_size)
        self.up_proj = _linear(config.hidden_size, config.intermediate_size)
        self.down_proj = _linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return the network's output for x, "row position width", which is added to x."""
        gate = functional.silu(self.gate_proj(x), inplace=True)
        added: Tensor = self.down_proj(gate.mul_(self.up_proj(x)))
        return added


class Layer(nn.Module):
    """Attention, then the feed-forward network, each on normalised states."""

    def __init__(self, config: Any, number: int) -> None:
        super().__init__()
        self.self_attn = Attention(config, number)
        self.mlp = FeedForward(config)
        self.input_layernorm = _norm(config)
        self.post_attention_layernorm = _norm(config)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None,
        rotation: Rotation,
        cache: DynamicCache | None,
        targets: Targets | None = None,
    ) -> Tensor:
        """Return the states after this layer, "row position width".

        With targets it returns theirs alone, "target width".
        """
        gathered: Tensor = self.self_attn(self.input_layernorm(x), mask, rotation, cache)
        if targets is not None:
            x, gathered = x[targets], gathered[targets]
        x = x + self.self_attn.o_proj(gathered)
        later: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return later


class Body(nn.Module):
    """All layers: from ids to the states before the head."""

    # By what angles a position turns each pair of features; None stands for those of the base.
    frequencies: Tensor | None

    def __init__(self, config: Any) -> None:
        super().__init__()
        self._config = config
        shape = config.vocab_size, config.hidden_size
        # Its own first numbers would come from a part of torch that is slow to import.
        self.embed_tokens = nn.Embedding(*shape, _weight=torch.empty(shape))
        self.layers = nn.ModuleList(
            Layer(config, number) for number in range(config.num_hidden_layers)
        )
        self.norm = _norm(config)
        self.register_buffer("frequencies", None, persistent=False)
        self.rotation_scale = 1.0

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: DynamicCache | None = None,
        targets: Targets | None = None,
        **_options: object,
    ) -> tuple[Tensor]:
        """Return the states, "row position width", as transformers' base models do.

        Parameters
        ----------
        targets
            Where states are wanted; they are returned alone, as "target width".
        """
        count = input_ids.shape[1]
        past = past_key_values.get_seq_length() if past_key_values is not None else 0
        places = torch.arange(past, past + count, device=input_ids.device)
        x: Tensor = self.embed_tokens(input_ids)
        # Rows that go on from trunks need none: theirs is known.
        begins = past == 0 or not isinstance(past_key_values, Branches)
        mask = visible_mask(attention_mask, places, x.dtype) if begins else None
        rotation = self._rotation(places[None] if position_ids is None else position_ids, x.dtype)
        for layer in self.layers:
            # After the last layer nothing reads the other states.
            wanted = targets if layer is self.layers[-1] else None
            x = layer(x, mask, rotation, past_key_values, wanted)
        return (self.norm(x),)

    def _rotation(self, positions: Tensor, dtype: torch.dtype) -> Rotation:
        frequencies = self.frequencies
        if frequencies is None:
            width = self._config.head_dim
            steps = torch.arange(0, width, 2, device=positions.device) / width
            base: float = self._config.rope_parameters["rope_theta"]
            frequencies = base**-steps
        angles = positions[:, None, :, None].float() * frequencies
        both = torch.cat((angles, angles), dim=-1)
        scale = self.rotation_scale
        return (both.cos() * scale).to(dtype), (both.sin() * scale).to(dtype)


class LlamaNetwork(nn.Module):
    """A causal language network, to be used as one of transformers'."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.generation_config: object = None
        self.model = Body(config)
        self.lm_head = _linear(config.hidden_size, config.vocab_size)
        self.tie_weights()

    def tie_weights(self) -> None:
        """Have the head use the weights of the embedding, where the configuration says so."""
        if self.config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    def take(self, weights: Mapping[str, Tensor], dtype: torch.dtype | None) -> dict[str, set[str]]:
        """Take weights by name, in a type or their own.

        Returns the names of those that are missing, unexpected or misshapen, as transformers does.
        """
        own = self.state_dict()
        fitting = {
            name: weight.to(dtype or weight.dtype)
            for name, weight in weights.items()
            if name in own and own[name].shape == weight.shape
        }
        self.load_state_dict(fitting, strict=False, assign=True)
        self.tie_weights()
        self.requires_grad_(False)
        tied = {"lm_head.weight"} if self.config.tie_word_embeddings else set()
        return {
            "missing_keys": own.keys() - weights.keys() - tied,
            "unexpected_keys": weights.keys() - own.keys(),
            "mismatched_keys": own.keys() & weights.keys() - fitting.keys(),
        }

    def new_cache(self) -> DynamicCache:
        """Return the empty state before all reading."""
        return Branches(self.config.num_hidden_layers)

    @property
    def base_model(self) -> Body:
        """Return the network without the head."""
        return self.model

    @property
    def dtype(self) -> torch.dtype:
        """Return the arithmetic of the weights."""
        return self.lm_head.weight.dtype

    def get_input_embeddings(self) -> nn.Embedding:
        """Return the embedding, which makes states of ids."""
        return self.model.embed_tokens

    def get_output_embeddings(self) -> nn.Linear:
        """Return the head, which makes logits of states."""
        return self.lm_head

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: DynamicCache | None = None,
        logits_to_keep: int = 0,
        **options: object,
    ) -> Output:
        """Read ids, shape "row position", after those of the state.

        Parameters
        ----------
        attention_mask
            1 for tokens and 0 for padding, of all that was read, or an additive mask of shape
            "row 1 query key".
        logits_to_keep
            Of the last positions; 0 is for all.
        """
        (states,) = self.model(input_ids, attention_mask, position_ids, past_key_values, **options)
        return Output(self.lm_head(states[:, -logits_to_keep:]), (states,))


def visible_mask(given: Tensor | None, places: Tensor, dtype: torch.dtype) -> Tensor | None:
    """Return the additive mask of the positions that each query sees, "row 1 query key".

    None stands for the plain causal one, of a reading from the beginning or of one token.

    Parameters
    ----------
    given
        As `LlamaNetwork.forward` takes it.
    places
        Of the queries, counted from all that was read.
    """
    if given is not None and given.dim() == 4:
        return given
    keys = torch.arange(int(places[-1]) + 1, device=places.device)
    if given is None and len(places) in (1, len(keys)):
        return None
    seen = (keys <= places[:, None])[None, None]
    if given is not None:
        # A token of padding sees itself, as a soft-max over nothing is no number.
        itself = keys == places[:, None]
        seen = (seen & given[:, None, None].bool()) | itself
    mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
    return mask.masked_fill_(~seen, torch.finfo(dtype).min)


def rotated(x: Tensor, rotation: Rotation) -> Tensor:
    """Turn each pair of features, of x "row head position feature", by its position's angle."""
    cosines, sines = rotation
    first, second = x.chunk(2, dim=-1)
    return x * cosines + torch.cat((-second, first), dim=-1) * sines


def _linear(inner: int, outer: int) -> nn.Linear:
    return nn.Linear(inner, outer, bias=False)


def _norm(config: Any) -> nn.RMSNorm:
    return nn.RMSNorm(config.hidden_size, config.rms_norm_eps)

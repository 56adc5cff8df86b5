"""A small Llama in plain torch, written for training: packed documents, one loss.

Its parameters carry the names of `transformers.LlamaForCausalLM`, so that an export is a copy.
It knows nothing of files, optimisers or schedules.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name the whole field uses

IGNORE = -100


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The sizes of the model; the defaults are the embedded model's.

    Attributes
    ----------
    vocab : int
        Number of token ids, the special ones included.
    hidden, layers, heads, intermediate : int
        Width of the residual stream, blocks, attention heads, width inside the SwiGLU.
    max_positions : int
        The longest document (tokens, BOS included) seen in training.
    rope_theta : float
        Base of the rotary position embedding.
    norm_eps : float
        Added to the mean square inside RMSNorm.
    """

    vocab: int = 8192
    hidden: int = 256
    layers: int = 6
    heads: int = 4
    intermediate: int = 704
    max_positions: int = 512
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.hidden % self.heads or (self.hidden // self.heads) % 2:
            raise ValueError(
                f"hidden={self.hidden} must be heads={self.heads} times an even head size"
            )

    @property
    def head_size(self) -> int:
        """Features of one attention head."""
        return self.hidden // self.heads

    def to_dict(self) -> dict[str, int | float]:
        """Give the sizes as plain numbers, for a checkpoint."""
        return asdict(self)


class Attention(nn.Module):
    """Causal self-attention with rotary positions; no biases."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.q_proj = nn.Linear(config.hidden, config.hidden, bias=False)
        self.k_proj = nn.Linear(config.hidden, config.hidden, bias=False)
        self.v_proj = nn.Linear(config.hidden, config.hidden, bias=False)
        self.o_proj = nn.Linear(config.hidden, config.hidden, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, allowed: Tensor) -> Tensor:
        """Mix positions: `x` and the result are (row, position, hidden)."""
        rows, length, hidden = x.shape

        def split(projected: Tensor) -> Tensor:
            return projected.view(rows, length, self.heads, -1).transpose(1, 2)

        query = rotate(split(self.q_proj(x)), cos, sin)
        key = rotate(split(self.k_proj(x)), cos, sin)
        # Written out: compiled, it is faster on a CPU than the fused kernel at these lengths.
        scores = (query @ key.transpose(2, 3)).float() * query.shape[-1] ** -0.5
        weights = scores.masked_fill(~allowed, float("-inf")).softmax(dim=-1)
        mixed = weights.to(x.dtype) @ split(self.v_proj(x))
        out: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(rows, length, hidden))
        return out


class SwiGLU(nn.Module):
    """The gated feed-forward layer of Llama."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden, config.intermediate, bias=False)
        self.up_proj = nn.Linear(config.hidden, config.intermediate, bias=False)
        self.down_proj = nn.Linear(config.intermediate, config.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map each position by itself: (row, position, hidden) to the same."""
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Block(nn.Module):
    """One layer: attention, then SwiGLU, each behind an RMSNorm and added to its input."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(config.hidden, eps=config.norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden, eps=config.norm_eps)
        self.mlp = SwiGLU(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, allowed: Tensor) -> Tensor:
        """Apply the layer: (row, position, hidden) to the same."""
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, allowed)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class Decoder(nn.Module):
    """Everything of the model but its head; a module of its own so that names match."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab, config.hidden)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.hidden, eps=config.norm_eps)


class Llama(nn.Module):
    """The language model; its head is the embedding (tied weights)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        self.apply(_initialise)

    def features(self, tokens: Tensor, bos: int) -> Tensor:
        """Last hidden state of each position.

        Parameters
        ----------
        tokens : Tensor
            Token ids, (row, position), int64. Each BOS begins a document.
        bos : int
            The id of BOS: no position attends to one before its own document's BOS.

        Returns
        -------
        Tensor
            (row, position, hidden).
        """
        allowed, positions = document_mask(tokens, bos)
        cos, sin = rotary(positions, self.config)
        x: Tensor = self.model.embed_tokens(tokens)
        for block in self.model.layers:
            x = block(x, cos, sin, allowed)
        out: Tensor = self.model.norm(x)
        return out

    def forward(self, tokens: Tensor, bos: int) -> Tensor:
        """Logits of the next token: (row, position) to (row, position, vocab)."""
        return F.linear(self.features(tokens, bos), self.model.embed_tokens.weight)

    def loss(self, tokens: Tensor, bos: int, pad: int) -> Tensor:
        """Sum over the row's targets of −log p, nats; (row, position) to a scalar.

        The sum, not the mean: a step over several micro-batches divides by their joint count.
        """
        targets = next_tokens(tokens, bos, pad)
        logits = self.forward(tokens, bos).float()
        return F.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="sum"
        )


def next_tokens(tokens: Tensor, bos: int, pad: int) -> Tensor:
    """Target of each position, IGNORE where there is none: (row, position), int64.

    A BOS or a pad is never a target, so no loss crosses from one document into the next, and a
    document stored without EOS puts no loss on where it ends.
    """
    targets = F.pad(tokens[:, 1:], (0, 1), value=pad)
    return targets.masked_fill((targets == bos) | (targets == pad), IGNORE)


def document_mask(tokens: Tensor, bos: int) -> tuple[Tensor, Tensor]:
    """Who may attend to whom, and each position within its document.

    Returns
    -------
    allowed : Tensor
        (row, 1, query, key), bool: same document, and the key not later than the query.
    positions : Tensor
        (row, position), int64, from 0 at each BOS.
    """
    length = tokens.shape[1]
    index = torch.arange(length, device=tokens.device)
    begins = torch.where(tokens == bos, index, 0).cummax(dim=1).values
    same = begins[:, :, None] == begins[:, None, :]
    return (same & (index[:, None] >= index[None, :]))[:, None], index - begins


def rotary(positions: Tensor, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the rotary angles: (row, position) to (row, 1, position, head size)."""
    even = torch.arange(0, config.head_size, 2, device=positions.device, dtype=torch.float32)
    angles = positions[..., None].float() / config.rope_theta ** (even / config.head_size)
    both = torch.cat((angles, angles), dim=-1)[:, None]
    return both.cos(), both.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn queries or keys (row, head, position, head size) by their position."""
    first, second = x.chunk(2, dim=-1)
    turned = x * cos + torch.cat((-second, first), dim=-1) * sin
    return turned.to(x.dtype)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)

"""How well a model predicts the held-out texts, per source, in nats a token and bits a byte."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer

from training.model import Llama
from training.tokens import BOS_ID, PAD_ID

ROWS_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class Score:
    """Sums over one source's held-out texts.

    Attributes
    ----------
    nats : float
        Sum of −log p over the tokens, BOS given.
    tokens, bytes : int
        What the sum is over.
    """

    nats: float
    tokens: int
    bytes: int

    @property
    def loss(self) -> float:
        """Nats a token."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """Perplexity a token."""
        return math.exp(self.loss)

    @property
    def bits_per_byte(self) -> float:
        """Bits a byte of UTF-8: comparable between tokenizers."""
        return self.nats / math.log(2) / self.bytes


def read_heldout(data: Path) -> dict[str, list[str]]:
    """Read the held-out texts of a prepared folder: source to texts."""
    path = data / "heldout.json"
    if not path.exists():
        raise FileNotFoundError(f"no heldout.json in {data}: run training.prepare first")
    texts: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    return texts


def evaluate(
    model: Llama, tokenizer: Tokenizer, texts: dict[str, list[str]], limit: int
) -> dict[str, Score]:
    """Score about the first `limit` tokens of each source.

    A text longer than the model's positions is scored on its beginning. The end of a text is
    not scored: most of these are documents cut where no ending is.
    """
    return {name: _score(model, tokenizer, some, limit) for name, some in texts.items()}


def total(scores: dict[str, Score]) -> Score:
    """Sum over the sources."""
    return Score(
        nats=sum(score.nats for score in scores.values()),
        tokens=sum(score.tokens for score in scores.values()),
        bytes=sum(score.bytes for score in scores.values()),
    )


@torch.no_grad()
def _score(model: Llama, tokenizer: Tokenizer, texts: list[str], limit: int) -> Score:
    longest = model.config.max_positions
    documents: list[list[int]] = []
    for text in texts:
        if sum(map(len, documents)) >= limit:
            break
        documents.append(tokenizer.encode(text).ids[:longest])
    rows = pack_whole(documents, longest)
    nats = 0.0
    for at in range(0, len(rows), ROWS_AT_ONCE):
        tokens = torch.tensor(rows[at : at + ROWS_AT_ONCE])
        nats += model.loss(tokens, BOS_ID, PAD_ID).item()
    return Score(
        nats=nats,
        tokens=sum(len(ids) - 1 for ids in documents),
        bytes=sum(len(tokenizer.decode(ids).encode()) for ids in documents),
    )


def pack_whole(documents: list[list[int]], length: int) -> list[list[int]]:
    """Fill rows of `length` token ids with whole documents, in order, and pad."""
    rows: list[list[int]] = [[]]
    for ids in documents:
        if len(rows[-1]) + len(ids) > length:
            rows.append([])
        rows[-1] = rows[-1] + ids
    return [row + [PAD_ID] * (length - len(row)) for row in rows]

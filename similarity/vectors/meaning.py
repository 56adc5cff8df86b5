"""Meaning vectors: features on reference trajectories, whitened and joined; N texts cost N."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from similarity.arrays import FloatArray, Rows
from similarity.errors import ConfigError
from similarity.models.base import Advance, LanguageModel, ignore_progress
from similarity.vectors.config import VectorConfig
from similarity.vectors.features import Reader
from similarity.vectors.references import References
from similarity.vectors.whitening import Whitening

# Texts whose features are computed together; more gain nothing and hold more memory.
BATCH_TEXTS = 256


@dataclass(frozen=True)
class Corpus:
    """The unlabelled text that statistics were fitted on: how many texts, and a digest of them."""

    texts: int
    digest: str


@dataclass(frozen=True, kw_only=True, eq=False)
class MeaningVectors:
    """Maps texts to vectors whose cosine tells how alike they are in meaning, to this model.

    Made by `similarity.vectors.fit`, or read from a folder by `similarity.vectors.load`.

    Parameters
    ----------
    references, token_weights, trigram_weights
        What the features of a text are read by.
    whitenings
        Of the features of each group that is fitted.
    """

    model: LanguageModel
    config: VectorConfig
    references: References
    token_weights: Rows
    trigram_weights: Rows
    whitenings: Mapping[str, Whitening]
    corpus: Corpus

    def __post_init__(self) -> None:
        missing = [group for group in self.config.groups if group not in self.whitenings]
        if missing:
            raise ConfigError(
                f"these vectors have no {missing[0]}; fitted are: {', '.join(self.whitenings)}. "
                "Fit others to have it"
            )

    @property
    def width(self) -> int:
        """The number of coordinates of a vector."""
        return len(self._order)

    def only(self, *groups: str) -> Self:
        """Return the same vectors with the other groups left out.

        Raises
        ------
        ConfigError
            If that leaves none, or one that is not fitted.
        """
        return replace(self, config=self.config.only(*groups))

    def encode(
        self,
        texts: Sequence[str],
        *,
        dimensions: int | None = None,
        advance: Advance = ignore_progress,
    ) -> Rows:
        """Return the vectors, shape "text width", each of length 1; equal texts cost once.

        Parameters
        ----------
        dimensions
            Keep the first so many coordinates, and make the length 1 again. Those in which the
            corpus varies most come first.
        advance
            Called with the number of texts done.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        ConfigError
            If `dimensions` is out of range.
        """
        kept = self.check_dimensions(dimensions)
        distinct = sorted(set(texts), key=lambda text: (len(text), text))
        position = {text: number for number, text in enumerate(distinct)}
        repeats = len(texts) - len(distinct)
        encoded = np.empty((len(distinct), kept), dtype=np.float32)
        for start in range(0, len(distinct), BATCH_TEXTS):
            batch = distinct[start : start + BATCH_TEXTS]
            rows = self._joined(batch)[:, self._order[:kept]]
            encoded[start : start + len(batch)] = unit(rows)
            advance(len(batch))
        advance(repeats)
        return encoded[[position[text] for text in texts]]

    def check_dimensions(self, dimensions: int | None) -> int:
        """Return how many coordinates to keep; None is for all.

        Raises
        ------
        ConfigError
            If there are not so many.
        """
        if dimensions is None:
            return self.width
        if not 1 <= dimensions <= self.width:
            raise ConfigError(f"dimensions must be between 1 and {self.width}, got {dimensions}")
        return dimensions

    def tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens the model reads for each text.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        """
        read = [self.reader.tokens(group, texts) for group in self.groups]
        return [sum(of_text) for of_text in zip(*read, strict=True)]

    @cached_property
    def reader(self) -> Reader:
        """What reads the features of texts from the model."""
        return Reader(
            self.model, self.config, self.references, self.token_weights, self.trigram_weights
        )

    def whitened(self, group: str, rows: Rows) -> FloatArray:
        """Return a group's part of vectors, from its features, each row of the group's length.

        The square of that length is the group's share of the weights.
        """
        share: float = self.config.weight(group) / sum(map(self.config.weight, self.groups))
        part: FloatArray = unit(self.whitenings[group].apply(rows)) * np.sqrt(share)
        return part

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that vectors are joined of."""
        return self.config.groups

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        """The groups' coordinates in turn: those of most variance first, as whitening has them."""
        ranks = [self.whitenings[group].matrix.shape[1] for group in self.groups]
        places = np.concatenate([np.arange(rank) / rank for rank in ranks])
        order: NDArray[np.intp] = np.argsort(places, kind="stable")
        return order

    def _joined(self, texts: Sequence[str]) -> FloatArray:
        parts = [self.whitened(group, self.reader.rows(group, texts)) for group in self.groups]
        return np.concatenate(parts, axis=1)


def shortened(rows: Rows, dimensions: int) -> Rows:
    """Return the first coordinates of vectors, at length 1 again."""
    short: Rows = unit(rows[:, :dimensions].astype(np.float64)).astype(np.float32)
    return short


def unit(rows: FloatArray) -> FloatArray:
    """Return the rows at length 1; a row of zeros, which has no direction, stays."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: FloatArray = rows / np.where(norms > 0, norms, 1)
    return scaled

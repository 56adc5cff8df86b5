"""Meaning vectors: features of texts, whitened and joined; N texts cost N."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from similarity.arrays import FloatArray, Rows
from similarity.errors import TextTooLongError, WrongAnswerError
from similarity.given import given_texts, read_once
from similarity.images.image import Content, order_of
from similarity.models.base import LanguageModel, OnProgress, ignore_progress
from similarity.slices import slices
from similarity.texts.truncation import REFUSE, Truncator
from similarity.validation import given_integer
from similarity.vectors.config import GroupConfig, VectorConfig
from similarity.vectors.reader import Reader, tokens_of_all
from similarity.vectors.whitening import Whitening, unit

# Texts whose features are computed together; more gain nothing and hold more memory.
BATCH_TEXTS = 256

# The features of texts by group, each of shape "text feature".
Features = Mapping[str, Rows]
# What reads them as `read_groups` does.
ReadsGroups = Callable[[Mapping[str, Reader], LanguageModel, Sequence[str], OnProgress], Features]


@dataclass(frozen=True)
class Corpus:
    """The text that statistics were fitted on: how many texts, and a digest of them.

    `registers` has a digest of their registers, where it does not go without saying which.
    """

    texts: int
    digest: str
    registers: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the corpus as plain values."""
        # As identities were before registers counted.
        more = {} if self.registers is None else {"registers": self.registers}
        return {"texts": self.texts, "digest": self.digest, **more}


@dataclass(frozen=True, eq=False)
class Group:
    """A group of features: its settings, what reads it, and what whitens it."""

    config: GroupConfig
    reader: Reader
    whitening: Whitening

    def part(self, rows: Rows) -> FloatArray:
        """Return the group's part of vectors at length 1, shape "text rank"."""
        return unit(self.whitening.apply(rows))


@dataclass(frozen=True, kw_only=True, eq=False)
class MeaningVectors:
    """Maps texts to vectors whose cosine says how alike they are in meaning, to this model.

    Made by `similarity.vectors.fit`, or read from a folder by `similarity.vectors.load`.

    Parameters
    ----------
    groups
        By name, in the order of the settings; those that the settings leave out are not used.
    """

    model: LanguageModel
    config: VectorConfig
    # Arrays, which would fill pages.
    groups: Mapping[str, Group] = field(repr=False)
    corpus: Corpus

    @property
    def width(self) -> int:
        """Return the number of coordinates of a vector."""
        return len(self._order)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the groups that vectors are joined of."""
        return self.config.names

    def only(self, *names: str) -> Self:
        """Return the same vectors with the other groups left out.

        Raises
        ------
        ConfigError
            If there is no group of such a name.
        """
        return replace(self, config=self.config.only(*names))

    def encode(
        self,
        texts: Sequence[Content],
        *,
        dimensions: int | None = None,
        truncate: str = REFUSE,
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        """Return the vectors, shape "text width", each of length 1; equal texts cost once.

        Parameters
        ----------
        dimensions
            Keep the first so many coordinates, and make the length 1 again. Those in which the
            corpus varies most come first.
        truncate
            "refuse" texts that are too long for the model, or leave out their "end" or "start".
        on_progress
            Called with the number of texts done.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        ConfigError
            If `dimensions` is out of range.
        """
        self.check_dimensions(dimensions)
        texts = self.truncator(truncate).cut(given_texts(texts))
        distinct, position = read_once(sorted(set(texts), key=order_of))
        if not distinct:
            return np.empty((0, self.check_dimensions(dimensions)), np.float32)

        def encoded(batch: Sequence[Content], on_progress: OnProgress) -> Features:
            return {"": self.join(self.read(batch, on_progress), dimensions)}

        rows = in_batches(encoded, distinct, on_progress)[""]
        on_progress(len(texts) - len(distinct))
        return rows[[position[text] for text in texts]]

    def truncator(self, truncate: str) -> Truncator:
        """Return the function that cuts texts to the model's length, by a name in `TRUNCATIONS`."""
        return Truncator(self.tokens, truncate)

    def read(self, texts: Sequence[Content], on_progress: OnProgress = ignore_progress) -> Features:
        """Return the features of texts, by group; raises InputError as `encode` does."""
        texts = given_texts(texts)
        try:
            return read_groups(self._readers, self.model, texts, on_progress)
        except TextTooLongError:
            self.tokens(texts)  # says what is to be cut for all groups, not the first alone
            raise

    def join(self, features: Features, dimensions: int | None = None) -> Rows:
        """Return the vectors of some features, shape "text width", each of length 1."""
        kept = self._order[: self.check_dimensions(dimensions)]
        joined = np.empty((len(features[self.names[0]]), len(kept)), np.float32)
        # Some texts at a time: what it takes for one has several times the bytes of its vector.
        for start in range(0, len(joined), BATCH_TEXTS):
            some = slice(start, start + BATCH_TEXTS)
            parts = self.parts({name: features[name][some] for name in self.names})
            joined[some] = unit(np.concatenate(list(parts.values()), axis=1)[:, kept])
        return joined

    def packed(self, features: Features) -> Rows:
        """Return the features of all groups side by side, shape "text feature"."""
        return np.concatenate([features[name] for name in self.names], axis=1)

    def unpacked(self, rows: Rows) -> Features:
        """Return the features that were `packed`."""
        ends = np.cumsum([len(self.groups[name].whitening.mean) for name in self.names])
        return dict(zip(self.names, np.split(rows, ends[:-1], axis=1), strict=True))

    def parts(self, features: Features) -> dict[str, FloatArray]:
        """Return each group's part of vectors; the square of its length is its share of weights.

        Each of shape "text rank".
        """
        shares = self.shares(features)
        return {
            name: self.groups[name].part(features[name]) * np.sqrt(shares[name])[:, None]
            for name in self.names
        }

    def shares(self, features: Features) -> dict[str, FloatArray]:
        """Return each group's share of the weights in the vector of each text, shape "text"."""
        groups = {name: self.groups[name] for name in self.names}
        weights = {
            name: group.config.weight + group.reader.emphasis(features[name])
            for name, group in groups.items()
        }
        total = np.sum(list(weights.values()), axis=0)
        return {name: weight / total for name, weight in weights.items()}

    def weights(self, features: Features) -> dict[str, float]:
        """Return the weight of each group's cosine in the cosine of two texts."""
        return {name: float(np.sqrt(of.prod())) for name, of in self.shares(features).items()}

    def check_dimensions(self, dimensions: int | None, name: str = "dimensions") -> int:
        """Return how many coordinates to keep; None is for all.

        Parameters
        ----------
        name
            By which the caller knows the number, for the message.

        Raises
        ------
        ConfigError
            If there are not so many.
        """
        if dimensions is None:
            return self.width
        return given_integer(name, dimensions, at_least=1, at_most=self.width)

    def tokens(self, texts: Sequence[Content]) -> list[int]:
        """Return how many tokens the model reads for each text; raises as `encode` does."""
        return tokens_of_all(list(self._readers.values()), self.model, given_texts(texts))

    @property
    def _readers(self) -> dict[str, Reader]:
        return {name: self.groups[name].reader for name in self.names}

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        """Return the groups' coordinates in turn, those of most variance first."""
        ranks = [self.groups[name].whitening.matrix.shape[1] for name in self.names]
        places = np.concatenate([np.arange(rank) / rank for rank in ranks])
        order: NDArray[np.intp] = np.argsort(places, kind="stable")
        return order


def in_batches(
    read: Callable[[Sequence[Content], OnProgress], Features],
    texts: Sequence[Content],
    on_progress: OnProgress,
) -> Features:
    """Return the features that `read` gives of texts, BATCH_TEXTS at a time."""
    parts = [read(some, on_progress) for some in slices(texts, BATCH_TEXTS)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _checked(rows: Rows, texts: Sequence[Content]) -> Rows:
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        first = texts[int(finite.argmin())]
        begins = f"that begins {first[:40]!r}" if isinstance(first, str) else "that is an image"
        raise WrongAnswerError(
            f"what the model gives of the text {begins} is not finite; give another dtype, or see "
            "whether its weights are damaged"
        )
    return rows


def read_groups(
    readers: Mapping[str, Reader],
    model: LanguageModel,
    texts: Sequence[Content],
    on_progress: OnProgress,
) -> Features:
    """Return the features that each reader gives of texts, by name.

    Parameters
    ----------
    on_progress
        Called with the number of texts read since the last call, or 0. A text that one of three
        groups has read counts a third. In the end the numbers add up to all texts.

    Raises
    ------
    WrongAnswerError
        If a feature is not a finite number.
    """
    reported, of_all, features = 0, 0, dict[str, Rows]()

    def up_to(finished: int) -> None:
        nonlocal reported
        new = finished // len(readers) - reported
        reported += new
        on_progress(new)

    def advance(finished: int) -> None:
        nonlocal of_all
        of_all += finished
        up_to(of_all)

    for number, (name, reader) in enumerate(readers.items(), start=1):
        features[name] = _checked(reader.rows(model, texts, advance), texts)
        of_all = number * len(texts)
        up_to(of_all)
    return features

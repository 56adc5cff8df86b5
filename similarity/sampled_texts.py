"""Texts, the trajectories sampled from them, and what is measured along those: the pipeline.

texts → prefixes → trajectories → log-likelihoods or distributions → rows of an estimator
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from similarity.arrays import FloatArray, Rows
from similarity.config import ComparisonConfig
from similarity.given import Pair
from similarity.images.image import Content
from similarity.likelihood import Block, blocks_of_pairs, log_likelihoods
from similarity.models.base import Continuation, LanguageModel, ScoreRequest, TokenIds
from similarity.scorer import Progress
from similarity.slices import slices
from similarity.trajectories import Prefix, encode_prefixes, sample_trajectories

# Values of next-token distributions held at once: 128 MiB in float32, or what one trajectory takes.
MAX_VALUES = 1 << 25


@dataclass(frozen=True)
class Measured:
    """What the distance of two texts is made of, over their pooled trajectories.

    Parameters
    ----------
    rows
        The estimator's, shape "row trajectory".
    log_likelihoods
        Under the two texts, shape "text=2 trajectory", nats per token.
    """

    rows: FloatArray
    log_likelihoods: FloatArray

    def swapped(self) -> "Measured":
        """Return the same with the two texts, and their trajectories, in the other order."""
        columns = np.roll(np.arange(self.rows.shape[1]), self.rows.shape[1] // 2)
        rows = [1, 0, *range(2, len(self.rows))] if len(self.rows) > 1 else [0]
        return Measured(self.rows[rows][:, columns], self.log_likelihoods[::-1, columns])


@dataclass(frozen=True, kw_only=True)
class SampledTexts:
    """Texts with their trajectories, and the likelihoods of those under each other.

    Parameters
    ----------
    numbers
        From a text to its place in `prefixes`.
    prefixes
        Those of the texts, then those of the bank.
    trajectories
        Shape "text trajectory"; none of the bank's texts.
    likelihoods
        Of the blocks that some pair needs; empty where the estimator reads distributions.
    bank
        Places in `prefixes` of the texts that meaning is relative to.
    """

    model: LanguageModel
    config: ComparisonConfig
    numbers: dict[Content, int]
    prefixes: Sequence[Prefix]
    trajectories: Sequence[Sequence[Continuation]]
    likelihoods: dict[Block, FloatArray]
    bank: tuple[int, ...]

    @property
    def n_trajectories(self) -> int:
        """Return how many trajectories each text has."""
        return max(map(len, self.trajectories), default=0)

    def measured(self, first: Content, second: Content) -> tuple[Measured, bool]:
        """Return what the distance of two texts is made of, and whether their order was changed.

        A pair is measured in a fixed order, so that rounding is the same for (u, v) and (v, u).
        """
        u, v = (self.numbers[text] for text in (first, second))
        swapped = self.prefixes[u].text > self.prefixes[v].text
        return self._measured(*((v, u) if swapped else (u, v))), swapped

    def of(self, text: Content) -> Sequence[Continuation]:
        """Return the trajectories of a text."""
        return self.trajectories[self.numbers[text]]

    def grown(self, n: int, progress: Progress) -> "SampledTexts":
        """Return the same texts with n trajectories each; those they have are kept."""
        config = replace(self.config, sampling=replace(self.config.sampling, n_trajectories=n))
        prefixes = self.prefixes[: len(self.trajectories)]
        sampled = sample_trajectories(
            self.model,
            prefixes,
            config,
            progress("sampling", len(prefixes)),
            start=self.n_trajectories,
        )
        scored = log_likelihoods(
            self.model,
            self.prefixes,
            sampled,
            self.likelihoods,
            config.scoring_law,
            sampling_law=config.sampling.law,
            on_progress=progress("scoring", len(self.prefixes)),
        )
        return replace(
            self,
            config=config,
            trajectories=[
                [*old, *new] for old, new in zip(self.trajectories, sampled, strict=True)
            ],
            likelihoods={
                block: np.concatenate([row, scored[block]])
                for block, row in self.likelihoods.items()
            },
        )

    def _measured(self, u: int, v: int) -> Measured:
        if self.config.estimator.step is not None:
            return self._along_steps(u, v)
        rows = np.array(
            [
                np.concatenate([self.likelihoods[scored, u], self.likelihoods[scored, v]])
                for scored in (u, v, *self.bank)
            ]
        )
        return Measured(rows, rows[:2])

    def _along_steps(self, u: int, v: int) -> Measured:
        """Read the distributions along each trajectory, and keep the mean over its tokens."""
        step = self.config.estimator.step
        assert step is not None
        pooled = [(own, c.token_ids) for own, i in enumerate((u, v)) for c in self.trajectories[i]]
        means, likelihoods = [], []
        for (own, ids), rows in zip(pooled, self._read(pooled, (u, v, *self.bank)), strict=True):
            means.append(step(rows[own], rows[1 - own], rows[2:]).mean())
            likelihoods.append([row[range(len(ids)), ids].mean(dtype=float) for row in rows[:2]])
        return Measured(np.array(means)[None], np.array(likelihoods).T)

    def _read(
        self, pooled: Sequence[tuple[int, TokenIds]], readers: Sequence[int]
    ) -> Iterator[list[Rows]]:
        """Yield, for each trajectory, log P(· | before) at its tokens under each reader."""
        distinct = list(dict.fromkeys(readers))
        values = len(distinct) * self.config.sampling.max_tokens * (self.model.vocab_size or 1)
        size = max(1, MAX_VALUES // values)
        for some in slices(pooled, size):
            chunk = tuple(ids for _, ids in some)
            requests = [
                ScoreRequest(prefix=self.prefixes[i].token_ids, continuations=chunk)
                for i in distinct
            ]
            found = self.model.distributions(requests, self.config.scoring_law)
            for rows in zip(*found, strict=True):
                # Equal readers are read once, so that they agree to the bit.
                yield [rows[distinct.index(reader)] for reader in readers]


def sample_texts(
    model: LanguageModel, pairs: Sequence[Pair], config: ComparisonConfig, progress: Progress
) -> SampledTexts:
    """Return the texts of some pairs, sampled, with all that the distances of the pairs need.

    Raises
    ------
    InputError
        If a text is empty, not valid Unicode, or too long for the model; before any is sampled.
    """
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    encoded = _encoded(model, texts, config)
    relative_to = _encoded(model, config.relative_to, config)
    # Texts that differ only in a full stop or white space have one prefix, sampled once.
    sampled = list(dict.fromkeys(encoded))
    prefixes = list(dict.fromkeys([*sampled, *relative_to]))
    position = {prefix: i for i, prefix in enumerate(prefixes)}
    numbers = {text: position[prefix] for text, prefix in zip(texts, encoded, strict=True)}
    bank = tuple(position[prefix] for prefix in relative_to)
    blocks: set[Block] = set()
    if not config.estimator.reads_distributions:
        blocks = blocks_of_pairs((numbers[u], numbers[v]) for u, v in pairs)
        blocks |= {(reader, i) for reader in bank for i in range(len(sampled))}
    nothing_yet = SampledTexts(
        model=model,
        config=config,
        numbers=numbers,
        prefixes=prefixes,
        trajectories=[[] for _ in sampled],
        likelihoods=dict.fromkeys(blocks, np.empty(0)),
        bank=bank,
    )
    return nothing_yet.grown(config.sampling.n_trajectories, progress)


def _encoded(
    model: LanguageModel, texts: Sequence[Content], config: ComparisonConfig
) -> list[Prefix]:
    return encode_prefixes(model, texts, config.prompt, config.sampling.max_tokens)

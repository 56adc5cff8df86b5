"""What an estimator works on: the trajectories of two texts, and a model to read them with.

Whole next-token distributions are read for as many trajectories at a time as a fixed number of
values allows, and only their summaries are kept.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from similarity.arrays import FloatArray
from similarity.config import ComparisonConfig
from similarity.likelihood import log_likelihoods
from similarity.models.base import Continuation, LanguageModel, Rows, ScoreRequest, TokenIds
from similarity.trajectories import Prefix, encode_prefixes, sample_trajectories

# Values of next-token distributions held at once: 128 MiB in float32, or what one trajectory takes.
MAX_VALUES = 1 << 25

# From the distributions along one trajectory, each of shape "token vocabulary", under the text that
# it was sampled from, the other text, and each text of the bank, to one number for each token.
StepFunction = Callable[[Rows, Rows, Sequence[Rows]], FloatArray]


@dataclass(frozen=True, kw_only=True)
class Material:
    """Two texts and n trajectories of each, in a fixed order.

    Parameters
    ----------
    prefixes, trajectories
        Of the two texts; shape "text=2" and "text=2 trajectory".
    bank
        Texts without judgements, or a text that says nothing: what meaning is relative to.
    """

    model: LanguageModel
    config: ComparisonConfig
    prefixes: tuple[Prefix, Prefix]
    trajectories: tuple[Sequence[Continuation], Sequence[Continuation]]
    bank: Sequence[Prefix]

    def likelihood_rows(self, *, with_bank: bool) -> FloatArray:
        """Return log M(t), nats per token, of the pooled trajectories, shape "text trajectory".

        The rows are the two texts', then those of the bank.
        """
        distinct, places = _distinct([*self.prefixes, *(self.bank if with_bank else ())])
        sampled_from = dict(zip(self.prefixes, self.trajectories, strict=True))
        own = places[:2]
        scored = log_likelihoods(
            self.model,
            distinct,
            [sampled_from.get(reader, ()) for reader in distinct],
            {(reader, source) for reader in places for source in own},
            self.config.scoring_law,
            sampling_law=self.config.sampling.law,
        )
        return np.array(
            [np.concatenate([scored[reader, source] for source in own]) for reader in places]
        )

    def step_means(self, function: StepFunction, *, with_bank: bool) -> FloatArray:
        """Return the mean over tokens of a function of distributions, shape "trajectory"."""
        readers = [*self.prefixes, *(self.bank if with_bank else ())]
        pooled = [(own, c.token_ids) for own in (0, 1) for c in self.trajectories[own]]
        read = self._read([ids for _, ids in pooled], readers)
        return np.array(
            [
                function(rows[own], rows[1 - own], rows[2:]).mean()
                for (own, _), rows in zip(pooled, read, strict=True)
            ]
        )

    def _read(
        self, trajectories: Sequence[TokenIds], readers: Sequence[Prefix]
    ) -> Iterator[list[Rows]]:
        """Yield, for each trajectory, log P(· | before) at its tokens under each reader."""
        distinct, places = _distinct(readers)
        size = self._chunk_size(len(distinct))
        for begin in range(0, len(trajectories), size):
            chunk = tuple(trajectories[begin : begin + size])
            requests = [
                ScoreRequest(prefix=reader.token_ids, continuations=chunk) for reader in distinct
            ]
            found = self.model.distributions(requests, self.config.scoring_law)
            for rows in zip(*found, strict=True):
                yield [rows[place] for place in places]

    def _chunk_size(self, readers: int) -> int:
        values = readers * self.config.sampling.max_tokens * (self.model.vocab_size or 1)
        return max(1, MAX_VALUES // values)


def _distinct(readers: Sequence[Prefix]) -> tuple[list[Prefix], list[int]]:
    """Return each reader once, and where each stands: equal ones then agree to the bit."""
    distinct = list(dict.fromkeys(readers))
    return distinct, [distinct.index(reader) for reader in readers]


def materials(
    model: LanguageModel,
    pairs: Sequence[tuple[str, str]],
    config: ComparisonConfig,
    bank: Sequence[str],
) -> Iterator[Material]:
    """Yield the material of each pair, when all texts are checked and sampled, each once.

    Raises
    ------
    InputError
        If a text is empty, not valid Unicode, or too long for the model.
    """
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    length = config.sampling.max_tokens
    prefix_of = dict(zip(texts, encode_prefixes(model, texts, config.prompt, length), strict=True))
    relative_to = encode_prefixes(model, bank, config.prompt, length)
    distinct = list(dict.fromkeys(prefix_of.values()))
    sampled = dict(zip(distinct, sample_trajectories(model, distinct, config), strict=True))
    for pair in pairs:
        # In a fixed order, so that rounding is the same for (u, v) and (v, u).
        u, v = sorted((prefix_of[text] for text in pair), key=lambda prefix: prefix.text)
        yield Material(
            model=model,
            config=config,
            prefixes=(u, v),
            trajectories=(sampled[u], sampled[v]),
            bank=relative_to,
        )

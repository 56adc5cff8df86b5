"""Log-likelihoods of reference trajectories: one set of sampled continuations for all texts.

The paper's fixed trajectories (Appendix A.4), sampled from broad text and read relative to what is
usual: each token's log-likelihood less its mean over unlabelled text, whitened
(docs/method/profiles.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from similarity.arrays import FloatArray, Rows
from similarity.errors import InputError
from similarity.images.image import Content
from similarity.law import Law
from similarity.models.base import (
    LanguageModel,
    OnProgress,
    SampleRequest,
    ScoreRequest,
    TokenIds,
    ignore_progress,
)
from similarity.noise import text_key
from similarity.trajectories import encode_prefixes
from similarity.vectors.config import TrajectoriesConfig
from similarity.vectors.reader import Arrays, Reader
from similarity.vectors.whitening import Whitening, WhiteningFit

# Texts to sample from for each trajectory that is wanted: some end too soon, or repeat.
CANDIDATES = 3


@dataclass(frozen=True)
class ReferenceReader(Reader):
    """Reads log P of each token of each reference trajectory after a text's prompt.

    Parameters
    ----------
    continuations
        The reference trajectories, the long ones first.
    """

    config: TrajectoriesConfig
    continuations: tuple[TokenIds, ...]

    def rows(
        self,
        model: LanguageModel,
        texts: Sequence[Content],
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        """Return the log-probabilities of all tokens in turn, shape "text token" in nats."""
        requests = [
            ScoreRequest(prefix=prefix, continuations=self.continuations)
            for prefix in self._prefixes(model, texts)
        ]
        scored = model.score(requests, Law(), on_progress)
        return np.array([np.concatenate(of_text) for of_text in scored], np.float32)

    def tokens(self, model: LanguageModel, texts: Sequence[Content]) -> list[int]:
        """Return how many tokens the model reads for each text.

        The last token of a trajectory is predicted and not read.
        """
        continued = sum(len(ids) - 1 for ids in self.continuations)
        return [len(prefix) + continued for prefix in self._prefixes(model, texts)]

    def whitening(
        self, model: LanguageModel, fit: WhiteningFit, registers: FloatArray
    ) -> Whitening:
        """Return x ↦ (x − x̄) P W: P takes each block's mean away, and W whitens."""
        centring = self._centring()
        inner = fit.through(centring).fit(self.config.shrinkage, self.config.rank)
        return Whitening(mean=fit.mean, matrix=centring @ inner.matrix)

    def arrays(self) -> Arrays:
        """Return the trajectories' ids and lengths."""
        return {
            "ids": np.array([token for ids in self.continuations for token in ids], np.int64),
            "lengths": np.array([len(ids) for ids in self.continuations], np.int64),
        }

    def of_each(self, numbers: FloatArray) -> list[FloatArray]:
        """Cut numbers of shape "… token" into those of each trajectory."""
        ends = np.cumsum([len(ids) for ids in self.continuations])
        return np.split(numbers, ends[:-1], axis=-1)

    def _prefixes(self, model: LanguageModel, texts: Sequence[Content]) -> list[TokenIds]:
        found = encode_prefixes(model, texts, self.config.prompt, self.config.length)
        return [prefix.token_ids for prefix in found]

    def _centring(self) -> FloatArray:
        """Return the projection that takes away the mean of each block: the long, the short."""
        long = np.concatenate([np.full(len(ids), len(ids) > 1) for ids in self.continuations])
        centring = np.eye(len(long))
        for block in (long, ~long):
            if block.any():
                centring -= np.outer(block, block) / block.sum()
        return centring


def sample_references(
    model: LanguageModel, texts: Sequence[str], config: TrajectoriesConfig
) -> ReferenceReader:
    """Sample the reference trajectories, one from each text until there are enough.

    There are fewer than the settings say where the texts give fewer that differ.

    Raises
    ------
    InputError
        If the texts give fewer than two.
    """
    long = _sampled(model, texts[::-1], config, config.references, config.length)
    short = _sampled(model, texts, config, config.first_tokens, 1)
    if len(long) + len(short) < 2:
        raise InputError(
            f"{len(texts)} texts give fewer than two different trajectories; give more texts"
        )
    return ReferenceReader(config, (*long, *short))


def restored_references(config: TrajectoriesConfig, arrays: Arrays) -> ReferenceReader:
    """Return the reader from the arrays that `ReferenceReader.arrays` gave."""
    ends = np.cumsum(arrays["lengths"])[:-1]
    parts = np.split(arrays["ids"], ends)
    return ReferenceReader(config, tuple(tuple(part.tolist()) for part in parts))


def _sampled(
    model: LanguageModel,
    texts: Sequence[str],
    config: TrajectoriesConfig,
    count: int,
    length: int,
) -> list[TokenIds]:
    if count == 0:
        return []
    some = texts[: CANDIDATES * count]
    prefixes = encode_prefixes(model, some, config.prompt, length)
    requests = [
        SampleRequest(
            prefix=prefix.token_ids,
            n=1,
            max_tokens=length,
            key=text_key(config.seed, prefix.text),
        )
        for prefix in prefixes
    ]
    found: dict[TokenIds, None] = {}
    for (sampled,) in model.sample(requests, Law()):
        ids = sampled.token_ids
        # What follows an end of sequence is no continuation.
        if len(ids) == length and not sampled.ended and not model.end_ids.intersection(ids):
            found.setdefault(ids)
    return list(found)[:count]

"""Judges entailment by the likelihoods of pooled trajectories, as the paper does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np

from similarity.config import ComparisonConfig
from similarity.entailment.evidence import Evidence
from similarity.entailment.results import Entailment
from similarity.entailment.scorer import (
    EntailmentScorer,
    EntailmentSettings,
    unrelated_sentences,
)
from similarity.errors import ConfigError
from similarity.fingerprint import Fingerprint
from similarity.given import TextPair
from similarity.models.base import LanguageModel
from similarity.sampled_texts import sample_texts
from similarity.scorer import Progress, counted
from similarity.trajectories import encode_prefixes

# General sentences that thresholds rest on: few, as trajectories cost far more than profiles.
UNRELATED = 8


@dataclass(kw_only=True)
class TrajectoryEntailment(EntailmentScorer):
    """Judges by the likelihoods of pooled trajectories, as the paper does."""

    model: LanguageModel
    config: ComparisonConfig = field(default_factory=ComparisonConfig)
    estimator: str = "paper"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self._estimator.evidence != "trajectories":
            raise ConfigError(f"estimator {self.estimator} reads profiles, not trajectories")
        if self.config.estimator.reads_distributions:
            message = f"{self.config.distance} reads no likelihoods; choose l1"
            raise ConfigError(message, "distance")
        if self.config.sampling.n_trajectories < 2:
            message = "an interval needs n_trajectories of at least 2, got 1"
            raise ConfigError(message, "n_trajectories")

    @cached_property
    def fingerprint(self) -> Fingerprint[EntailmentSettings]:
        """Return what judgements depend on."""
        return Fingerprint(self.model.info, EntailmentSettings(self.estimator, self.config))

    def check(self, texts: Sequence[str]) -> object:
        """Raise InputError if a text is empty, not valid Unicode, or too long for the model."""
        return encode_prefixes(
            self.model, texts, self.config.prompt, self.config.sampling.max_tokens
        )

    def _judge(self, pairs: Sequence[TextPair], progress: Progress) -> list[Entailment]:
        """Return the judgement of each pair; a text that repeats is sampled once."""
        evidence = self._sampled(pairs, progress)
        thresholds = self.thresholds(progress)
        return [
            self._judged(pair, evidence(pair), thresholds, self.fingerprint, None)
            for pair in counted("judging", pairs, progress)
        ]

    def sentences(self) -> list[str]:
        """Return the general sentences that thresholds rest on."""
        tokens = self.config.sampling.max_tokens
        return unrelated_sentences(self.model, UNRELATED, self.config.prompt, tokens)

    def unrelated(self, texts: Sequence[str], progress: Progress) -> Callable[[int, int], Evidence]:
        """Return the evidence of any two of these texts."""
        evidence = self._sampled(list(combinations(texts, 2)), progress)
        return lambda i, j: evidence((texts[i], texts[j]))

    def _sampled(
        self, pairs: Sequence[TextPair], progress: Progress
    ) -> Callable[[TextPair], Evidence]:
        texts = sample_texts(self.model, pairs, self.config, progress)

        def evidence(pair: TextPair) -> Evidence:
            measured, swapped = texts.measured(*pair)
            found = measured.swapped() if swapped else measured
            rows = found.log_likelihoods
            n = rows.shape[1] // 2
            # The k-th trajectories of both texts are one independent draw.
            return Evidence(rows, np.arange(2 * n) % n)

        return evidence

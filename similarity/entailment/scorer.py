"""Judges which of two texts entails the other, on profiles or on trajectories.

What a degree means is told by general sentences, which have nothing to do with each other: they are
read like the texts, so that any model and setting has its own thresholds, without labels.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import combinations
from typing import Any

import numpy as np

from similarity.arrays import FloatArray
from similarity.config import ComparisonConfig, Settings
from similarity.entailment.estimators import DEFAULT, ESTIMATORS, Estimator
from similarity.entailment.evidence import Evidence, blocks_of, degree_matrix
from similarity.entailment.results import Entailment, Thresholds
from similarity.errors import ConfigError
from similarity.fingerprint import Fingerprint
from similarity.general import general_sentences
from similarity.meaning import profile_group, raised
from similarity.models.base import LanguageModel
from similarity.prompts import Prompt
from similarity.sampled_texts import sample_texts
from similarity.scorer import Pair, Progress, no_progress
from similarity.uncertainty import DEFAULT_CONFIDENCE
from similarity.validation import check_choice
from similarity.vectors.implied import implied_words
from similarity.vectors.meaning import Features, MeaningVectors, in_batches
from similarity.vectors.profile import ProfileReader
from similarity.vectors.scorer import Read, settings_of

# General sentences that thresholds rest on. Trajectories cost far more, so that they have fewer.
UNRELATED_BY_PROFILES, UNRELATED_BY_TRAJECTORIES = 48, 8
# Quantile over their pairs, of the better degree.
RELATED = 0.99


@dataclass(frozen=True)
class EntailmentSettings:
    """What a judgement depends on besides the model and the texts."""

    estimator: str
    reads: Settings

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain nested values."""
        return {"entailment": self.estimator, **self.reads.to_dict()}

    def describe(self) -> str:
        """Return what matters most of the settings, for a person."""
        return f"entailment by {self.estimator}, {self.reads.describe()}"


@dataclass(kw_only=True)
class EntailmentScorer(ABC):
    """Judges pairs of texts.

    Parameters
    ----------
    estimator
        A name in `ESTIMATORS`.
    confidence
        Of the interval.

    Raises
    ------
    ConfigError
        If there is no such estimator, or the confidence is not between 0 and 1.
    """

    estimator: str = DEFAULT
    confidence: float = DEFAULT_CONFIDENCE
    _thresholds: Thresholds | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        check_choice("estimator", self.estimator, ESTIMATORS)
        if not 0 < self.confidence < 1:
            raise ConfigError(f"confidence must be between 0 and 1, got {self.confidence:g}")

    @abstractmethod
    def judge(self, pairs: Sequence[Pair], progress: Progress = no_progress) -> list[Entailment]:
        """Return the judgement of each pair, in order; a text that repeats is read once.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        """

    @abstractmethod
    def sentences(self) -> list[str]:
        """Return the general sentences that thresholds rest on."""

    @abstractmethod
    def unrelated(self, texts: Sequence[str], progress: Progress) -> Callable[[int, int], Evidence]:
        """Return the evidence of any two of these texts, by their numbers."""

    def thresholds(self, progress: Progress = no_progress) -> Thresholds:
        """Return what degrees mean to this model and these settings; computed once."""
        if self._thresholds is None:
            texts = self.sentences()
            evidence = self.unrelated(texts, progress)
            found = np.array(
                [
                    evidence(*pair).degrees(self._estimator)
                    for pair in combinations(range(len(texts)), 2)
                ]
            )
            related = float(np.quantile(found.max(axis=1), RELATED))
            self._thresholds = Thresholds(related, (1 + related) / 2)
        return self._thresholds

    @property
    def _estimator(self) -> Estimator:
        return ESTIMATORS[self.estimator]

    def _judged(
        self, pair: Pair, evidence: Evidence, thresholds: Thresholds, fingerprint: Any, explain: Any
    ) -> Entailment:
        forward, backward = evidence.degrees(self._estimator)
        return Entailment(
            texts=pair,
            estimator=self.estimator,
            forward=float(forward),
            backward=float(backward),
            confidence=self.confidence,
            interval=evidence.interval(self._estimator, self.confidence),
            thresholds=thresholds,
            fingerprint=fingerprint,
            explain=explain,
        )


@dataclass(kw_only=True)
class ProfileEntailment(EntailmentScorer):
    """Judges by the profiles of meaning vectors; N texts cost N, and no seed changes anything.

    Parameters
    ----------
    vectors
        Those of one model, with a profile.
    read
        Gives features in another way than `vectors.read`, as from a cache.
    """

    vectors: MeaningVectors
    read: Read | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self._estimator.evidence != "profiles":
            raise ConfigError(f"estimator {self.estimator} reads trajectories, not profiles")
        self.vectors = self.vectors.only(profile_group(self.vectors).config.name)

    @cached_property
    def fingerprint(self) -> Fingerprint[EntailmentSettings]:
        """All that judgements depend on."""
        settings = EntailmentSettings(self.estimator, settings_of(self.vectors))
        return Fingerprint(self.vectors.model.info, settings)

    def judge(self, pairs: Sequence[Pair], progress: Progress = no_progress) -> list[Entailment]:
        """Return the judgement of each pair; a text that repeats is read once."""
        if not pairs:
            return []
        thresholds = self.thresholds(progress)
        texts = sorted({text for pair in pairs for text in pair}, key=lambda t: (len(t), t))
        (name,) = self.vectors.names
        rows = self._features(texts, progress)[name]
        place = {text: i for i, text in enumerate(texts)}

        def of(pair: Pair) -> Entailment:
            both = rows[[place[text] for text in pair]]
            words = partial(implied_words, self.vectors, name, both)
            return self._judged(pair, self._evidence(both), thresholds, self.fingerprint, words)

        return [of(pair) for pair in counted(pairs, progress)]

    def sentences(self) -> list[str]:
        """Return the general sentences that thresholds rest on."""
        reader = profile_group(self.vectors).reader
        assert isinstance(reader, ProfileReader)
        return unrelated_sentences(
            self.vectors.model, UNRELATED_BY_PROFILES, reader.config.prompt, 1
        )

    def unrelated(self, texts: Sequence[str], progress: Progress) -> Callable[[int, int], Evidence]:
        """Return the evidence of any two of these texts."""
        (name,) = self.vectors.names
        rows = self._features(texts, progress)[name]
        found = self._evidence(rows)
        return lambda i, j: Evidence(found.rows[[i, j]], found.blocks)

    def pair_degrees(
        self, pairs: Sequence[Pair], progress: Progress = no_progress
    ) -> list[tuple[float, float]]:
        """Return the degrees forward and backward of each pair, without intervals.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        """
        texts = sorted({text for pair in pairs for text in pair}, key=lambda t: (len(t), t))
        (name,) = self.vectors.names
        rows = self._features(texts, progress)[name] if texts else None
        place = {text: i for i, text in enumerate(texts)}
        found = []
        for pair in counted(pairs, progress):
            assert rows is not None
            evidence = self._evidence(rows[[place[text] for text in pair]])
            forward, backward = evidence.degrees(self._estimator)
            found.append((float(forward), float(backward)))
        return found

    def degrees(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        """Return the degree to which each text entails each other, shape "premise consequence".

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        """
        (name,) = self.vectors.names
        evidence = self._evidence(self._features(texts, progress)[name])
        return degree_matrix(self._estimator, evidence.rows, progress("judging", len(texts)))

    def _features(self, texts: Sequence[str], progress: Progress) -> Features:
        advance = progress("reading", len(texts))
        if self.read is not None:
            return self.read(texts, advance)
        return in_batches(self.vectors.read, texts, advance)

    def _evidence(self, rows: Any) -> Evidence:
        found = raised(self.vectors, profile_group(self.vectors), rows)
        return Evidence(found, blocks_of(found.shape[1]))


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
            raise ConfigError(f"{self.config.distance} reads no likelihoods; choose l1")
        if self.config.sampling.n_trajectories < 2:
            raise ConfigError("an interval needs n_trajectories of at least 2, got 1")

    @cached_property
    def fingerprint(self) -> Fingerprint[EntailmentSettings]:
        """All that judgements depend on."""
        return Fingerprint(self.model.info, EntailmentSettings(self.estimator, self.config))

    def judge(self, pairs: Sequence[Pair], progress: Progress = no_progress) -> list[Entailment]:
        """Return the judgement of each pair; a text that repeats is sampled once."""
        if not pairs:
            return []
        evidence = self._sampled(pairs, progress)
        thresholds = self.thresholds(progress)
        return [
            self._judged(pair, evidence(pair), thresholds, self.fingerprint, None)
            for pair in counted(pairs, progress)
        ]

    def sentences(self) -> list[str]:
        """Return the general sentences that thresholds rest on."""
        tokens = self.config.sampling.max_tokens
        return unrelated_sentences(
            self.model, UNRELATED_BY_TRAJECTORIES, self.config.prompt, tokens
        )

    def unrelated(self, texts: Sequence[str], progress: Progress) -> Callable[[int, int], Evidence]:
        """Return the evidence of any two of these texts."""
        evidence = self._sampled(list(combinations(texts, 2)), progress)
        return lambda i, j: evidence((texts[i], texts[j]))

    def _sampled(self, pairs: Sequence[Pair], progress: Progress) -> Callable[[Pair], Evidence]:
        texts = sample_texts(self.model, pairs, self.config, progress)

        def evidence(pair: Pair) -> Evidence:
            measured, swapped = texts.measured(*pair)
            found = measured.swapped() if swapped else measured
            rows = found.log_likelihoods
            n = rows.shape[1] // 2
            # The k-th trajectories of both texts are one independent draw.
            return Evidence(rows, np.arange(2 * n) % n)

        return evidence


def unrelated_sentences(
    model: LanguageModel, count: int, prompt: Prompt, max_tokens: int
) -> list[str]:
    """Return the first general sentences that fit into the model, with room for a continuation."""
    texts = general_sentences()
    room = model.info.context_length - max_tokens
    encoded = model.encode_all([prompt.apply(text) for text in texts])
    return [text for text, ids in zip(texts, encoded, strict=True) if len(ids) <= room][:count]


def counted(pairs: Sequence[Pair], progress: Progress) -> Iterator[Pair]:
    """Yield pairs, counted as they are judged; what `advance` raises ends the work."""
    advance = progress("judging", len(pairs))
    for pair in pairs:
        yield pair
        advance(1)

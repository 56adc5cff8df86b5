"""Judges which of two texts entails the other, on profiles or on trajectories.

The thresholds come from general sentences, which have nothing to do with each other. They are read
like the texts, so any model and setting has thresholds of its own, without labels.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from similarity.config import Settings
from similarity.entailment.estimators import DEFAULT, ESTIMATORS, EntailmentEstimator
from similarity.entailment.evidence import Evidence
from similarity.entailment.results import Entailment, Thresholds
from similarity.errors import InputError, TextTooLongError
from similarity.given import TextPair, given_text_pairs
from similarity.models.base import LanguageModel
from similarity.prompts import Prompt
from similarity.scorer import Progress, no_progress
from similarity.slices import slices
from similarity.texts.general import general_sentences
from similarity.texts.truncation import REFUSE, Truncator
from similarity.uncertainty import DEFAULT_CONFIDENCE, given_confidence
from similarity.validation import check_choice

# Quantile over their pairs, of the better degree.
RELATED = 0.99
# Sentences that thresholds after a question rest on: each is read anew for each question.
AFTER_QUESTION = 24


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
    truncate
        What is done with texts that are too long: a name in `TRUNCATIONS`.

    Attributes
    ----------
    truncator
        Cuts the texts that are judged.

    Raises
    ------
    ConfigError
        If there is no such estimator or way to cut, or the confidence is not between 0 and 1.
    """

    estimator: str = DEFAULT
    confidence: float = DEFAULT_CONFIDENCE
    truncate: str = REFUSE
    truncator: Truncator = field(init=False, repr=False)
    _thresholds: dict[str, Thresholds] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        check_choice("estimator", self.estimator, ESTIMATORS)
        self.confidence = given_confidence(self.confidence)
        self.truncator = Truncator(self.check, self.truncate)

    @abstractmethod
    def check(self, texts: Sequence[str]) -> object:
        """Raise InputError if a text is empty, not valid Unicode, or too long for the model."""

    def judge(
        self, pairs: Sequence[TextPair], progress: Progress = no_progress
    ) -> list[Entailment]:
        """Return the judgement of each pair, in order; a text that repeats is read once.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model and not to be cut.
        """
        pairs = given_text_pairs(pairs)
        if not pairs:
            return []
        found = self._judge(self.truncator.cut_pairs(pairs), progress)
        return [
            replace(one, texts=pair, warnings=tuple(self.truncator.warnings(pair)))
            for one, pair in zip(found, pairs, strict=True)
        ]

    @abstractmethod
    def _judge(self, pairs: Sequence[TextPair], progress: Progress) -> list[Entailment]:
        """Return the judgement of each pair, of which there are some; none is cut."""

    @abstractmethod
    def sentences(self) -> list[str]:
        """Return the general sentences that thresholds rest on."""

    @abstractmethod
    def unrelated(self, texts: Sequence[str], progress: Progress) -> Callable[[int, int], Evidence]:
        """Return the evidence of any two of these texts, by their numbers."""

    def thresholds(
        self, progress: Progress = no_progress, question: str | None = None
    ) -> Thresholds:
        """Return what degrees mean to this model and these settings; computed once.

        Parameters
        ----------
        question
            Stands before each text: it makes all of them alike, unrelated sentences too.
        """
        key = (question or "").strip()
        if key not in self._thresholds:
            texts = self.sentences()
            if key:
                texts = self._fitting(question or "", texts[:AFTER_QUESTION])
            evidence = self.unrelated(texts, progress)
            found = np.array(
                [
                    evidence(*pair).degrees(self._estimator)
                    for pair in combinations(range(len(texts)), 2)
                ]
            )
            related = float(np.quantile(found.max(axis=1), RELATED))
            self._thresholds[key] = Thresholds(related, (1 + related) / 2)
        return self._thresholds[key]

    def _fitting(self, question: str, texts: Sequence[str]) -> list[str]:
        """Return texts after a question; raises InputError if the model takes less than two."""

        def fits(text: str) -> bool:
            try:
                self.check([text])
            except TextTooLongError:
                return False
            return True

        found = [one for text in texts if fits(one := f"{question.strip()} {text}")]
        if len(found) < 2:
            raise InputError("the question leaves no room for answers; shorten it", question)
        return found

    @property
    def _estimator(self) -> EntailmentEstimator:
        return ESTIMATORS[self.estimator]

    def _judged(
        self,
        pair: TextPair,
        evidence: Evidence,
        thresholds: Thresholds,
        fingerprint: Any,
        explain: Any,
    ) -> Entailment:
        forward, backward = evidence.degrees(self._estimator)
        inclusion, evenness = evidence.direction(self._estimator)
        return Entailment(
            texts=pair,
            estimator=self.estimator,
            forward=float(forward),
            backward=float(backward),
            inclusion=inclusion,
            evenness=evenness,
            confidence=self.confidence,
            interval=evidence.interval(self._estimator, self.confidence),
            thresholds=thresholds,
            fingerprint=fingerprint,
            explain=explain,
        )


def unrelated_sentences(
    model: LanguageModel, count: int, prompt: Prompt, max_tokens: int
) -> list[str]:
    """Return the first general sentences that fit into the model, with room for a continuation."""
    room = model.info.context_length - max_tokens
    found: list[str] = []
    # No more than are needed: a model on a server encodes each by a request.
    for some in slices(general_sentences(), count):
        encoded = model.encode_all([prompt.apply(text) for text in some])
        found += [text for text, ids in zip(some, encoded, strict=True) if len(ids) <= room]
        if len(found) >= count:
            break
    return found[:count]

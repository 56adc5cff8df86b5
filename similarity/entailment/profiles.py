"""Judges entailment by the profiles of meaning vectors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TypeVar

import numpy as np

from similarity.arrays import FloatArray, Rows
from similarity.entailment.evidence import Evidence, blocks_of, degree_matrix
from similarity.entailment.results import DecidingWords, Entailment
from similarity.entailment.scorer import (
    EntailmentScorer,
    EntailmentSettings,
    unrelated_sentences,
)
from similarity.errors import ConfigError
from similarity.fingerprint import Fingerprint
from similarity.given import TextPair, given_strings, read_once
from similarity.meaning import profile_group, raised
from similarity.models.base import LanguageModel
from similarity.scorer import Progress, no_progress
from similarity.vectors.implied import ImpliedWords, implied_words
from similarity.vectors.meaning import Group, MeaningVectors, in_batches
from similarity.vectors.profile import ProfileReader, Profiles
from similarity.vectors.scorer import Read, settings_of
from similarity.vectors.tiles import in_tiles

Result = TypeVar("Result")

# What profiles are for here, in messages.
JUDGE = "judge entailment"
# General sentences that thresholds rest on.
UNRELATED = 48


@dataclass(kw_only=True)
class ProfileEntailment(EntailmentScorer):
    """Judges by the profiles of meaning vectors; N texts cost N, and no seed changes anything.

    Parameters
    ----------
    vectors
        Those of one model, with a profile.
    read
        Gives features in another way than `vectors.read`, as from a cache.
    encoder
        Encodes texts in another way than the vectors' model, as some at a time.
    """

    vectors: MeaningVectors
    read: Read | None = None
    encoder: LanguageModel | None = None
    # The features of some texts, and their profiles.
    _held: tuple[Rows, Profiles] | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self._estimator.evidence != "profiles":
            raise ConfigError(f"estimator {self.estimator} reads trajectories, not profiles")
        self.vectors = self.vectors.only(profile_group(self.vectors, JUDGE).config.name)

    @property
    def _group(self) -> Group:
        return profile_group(self.vectors)

    @property
    def _encoding(self) -> MeaningVectors:
        """Return the vectors, whose model here is what encodes texts."""
        return self.vectors if self.encoder is None else replace(self.vectors, model=self.encoder)

    @property
    def _reader(self) -> ProfileReader:
        reader = self._group.reader
        assert isinstance(reader, ProfileReader)
        return reader

    @cached_property
    def fingerprint(self) -> Fingerprint[EntailmentSettings]:
        """Return what judgements depend on."""
        settings = EntailmentSettings(self.estimator, settings_of(self.vectors))
        return Fingerprint(self.vectors.model.info, settings)

    def check(self, texts: Sequence[str]) -> object:
        """Raise InputError if a text is empty, not valid Unicode, or too long for the model."""
        return self._encoding.tokens(texts)

    def _judge(self, pairs: Sequence[TextPair], progress: Progress) -> list[Entailment]:
        """Return the judgement of each pair; a text that repeats is read once."""
        thresholds = self.thresholds(progress)

        def judged(pair: TextPair, evidence: Evidence, words: DecidingWords) -> Entailment:
            return self._judged(pair, evidence, thresholds, self.fingerprint, words)

        return self._of_each(pairs, judged, progress)

    def sentences(self) -> list[str]:
        """Return the general sentences that thresholds rest on."""
        prompt = self._reader.config.prompt
        return unrelated_sentences(self._encoding.model, UNRELATED, prompt, 1)

    def unrelated(self, texts: Sequence[str], progress: Progress) -> Callable[[int, int], Evidence]:
        """Return the evidence of any two of these texts."""
        found = raised(self.vectors, self._group, self._rows(texts, progress))
        blocks = blocks_of(found.shape[1])
        return lambda i, j: Evidence(found[[i, j]], blocks)

    def pair_degrees(
        self, pairs: Sequence[TextPair], progress: Progress = no_progress
    ) -> list[tuple[float, float]]:
        """Return the degrees forward and backward of each pair, without intervals.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        """

        def degrees(_pair: TextPair, evidence: Evidence, _: DecidingWords) -> tuple[float, float]:
            forward, backward = evidence.degrees(self._estimator)
            return float(forward), float(backward)

        return self._of_each(pairs, degrees, progress)

    def pair_directions(
        self, pairs: Sequence[TextPair], progress: Progress = no_progress
    ) -> list[float]:
        """Return the direction of each pair, nats, without intervals.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        """

        def direction(_pair: TextPair, evidence: Evidence, _: DecidingWords) -> float:
            return sum(evidence.direction(self._estimator))

        return self._of_each(pairs, direction, progress)

    def degrees(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        """Return the degree to which each text entails each other, shape "premise consequence".

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        """
        texts = given_strings(texts)
        rows = self._rows(texts, progress)
        on_progress = progress("comparing with all", len(texts))

        def raised_of(some: slice) -> FloatArray:
            return raised(self.vectors, self._group, rows[some])

        return degree_matrix(self._estimator, raised_of, len(texts), on_progress)

    def _of_each(
        self,
        pairs: Sequence[TextPair],
        work: Callable[[TextPair, Evidence, DecidingWords], Result],
        progress: Progress,
    ) -> list[Result]:
        """Return what `work` makes of each pair, its evidence and the words that decide."""
        texts = sorted({text for pair in pairs for text in pair}, key=lambda t: (len(t), t))
        rows = self._rows(texts, progress) if texts else None
        place = {text: i for i, text in enumerate(texts)}
        on_progress = progress("judging", len(pairs))
        found = {}
        for tile in in_tiles([(place[first], place[second]) for first, second in pairs]):
            assert rows is not None
            of_tile = rows[tile.texts]
            profiles = self._profiles(of_tile)
            for number, both in tile.pairs:
                words = DecidingWords(partial(self._words, of_tile, both))
                found[number] = work(pairs[number], self._evidence(profiles.of(both)), words)
                on_progress(1)
        return [found[number] for number in range(len(pairs))]

    def _evidence(self, of_both: Profiles) -> Evidence:
        blocks = blocks_of(len(of_both.tokens))
        return Evidence(np.maximum(of_both.beyond_usual, 0), blocks, of_both.log_probs)

    def _words(self, rows: Rows, both: Sequence[int], top: int) -> ImpliedWords:
        """Return the words that decide between two of the texts of these features."""
        features = {self._group.config.name: rows[list(both)]}
        return implied_words(self.vectors, features, self._profiles(rows).of(both), top)

    def _profiles(self, rows: Rows) -> Profiles:
        """Return the profiles of texts; the last ones are kept, as words are asked for in turn."""
        held = self._held
        if held is None or held[0] is not rows:
            group = self._group
            held = rows, self._reader.profiles(self.vectors.model, group.whitening, rows)
            self._held = held
        return held[1]

    def _rows(self, texts: Sequence[str], progress: Progress) -> Rows:
        """Return the features of texts, shape "text feature"."""
        distinct, places = read_once(texts)
        on_progress = progress("reading", len(distinct))
        if self.read is not None:
            found = self.read(distinct, on_progress)
        else:
            found = in_batches(self.vectors.read, distinct, on_progress)
        return found[self._group.config.name][[places[text] for text in texts]]

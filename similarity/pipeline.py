"""The method on one screen: sampled texts → distance → similarity, as a scorer.

The steps before the distance are in `sampled_texts.py`.
"""

from collections.abc import Callable, Sequence

import numpy as np

from similarity.calibration import similarity_map
from similarity.config import ComparisonConfig
from similarity.fingerprint import Fingerprint
from similarity.given import Pair
from similarity.images.image import Content, name_of
from similarity.known_scales import KnownScales
from similarity.law import Law
from similarity.models.base import Continuation, LanguageModel
from similarity.results import Comparison, SimilarityMatrix, Trajectory, TrajectoryExplanation
from similarity.room import MATRIX_PAIR, TRAJECTORIES_PAIR, check_all_pairs
from similarity.sampled_texts import Measured, SampledTexts, sample_texts
from similarity.scorer import Progress, Scorer, counted, no_progress
from similarity.trajectories import encode_prefixes
from similarity.uncertainty import Tolerance, check_interval
from similarity.validation import check_kind


class TrajectoryScorer(Scorer):
    """Compares texts by trajectories, with any estimator of `similarity.estimators`.

    Parameters
    ----------
    config
        All settings; its distance names the estimator.
    tolerance
        Where it is given, each pair of `score` is sampled on until its interval is that tight.
    scales
        Those that may be in force; None for those that there are now.

    Raises
    ------
    ConfigError
        If the model cannot score under the configuration's law, or a tolerance is given and the
        distance has no interval.
    UnsupportedError
        If the estimator reads whole distributions and the model does not give them.
    """

    fingerprint: Fingerprint[ComparisonConfig]

    def __init__(
        self,
        model: LanguageModel,
        config: ComparisonConfig | None = None,
        tolerance: Tolerance | None = None,
        scales: KnownScales | None = None,
    ) -> None:
        if tolerance is not None:
            check_kind("tolerance", tolerance, Tolerance, "a Tolerance")
        self._model = model
        self._config = config or ComparisonConfig()
        self._tolerance = tolerance
        model.check_scoring(self._config.scoring_law)
        estimator = self._config.estimator
        if estimator.reads_distributions:
            model.distributions([], Law())
        if tolerance is not None:
            n = self._config.sampling.n_trajectories
            check_interval(estimator.distance, n, tolerance.confidence)
        self._scales = scales or KnownScales(model)
        self.fingerprint = self._fingerprint_of(self._config)

    def check(self, texts: Sequence[Content]) -> None:
        """Raise InputError if a text is empty, not valid Unicode, or too long for the model."""
        config = self._config
        encode_prefixes(self._model, texts, config.prompt, config.sampling.max_tokens)

    def score(
        self, pairs: Sequence[Pair], progress: Progress = no_progress
    ) -> Sequence[Comparison]:
        """Return the comparison of each pair; a text that repeats is sampled once."""
        if self._tolerance is None:
            texts = sample_texts(self._model, pairs, self._config, progress)
            return [self._comparison(texts, pair) for pair in counted("comparing", pairs, progress)]
        return [self._to_tolerance(pair, self._tolerance, progress) for pair in pairs]

    def matrix(
        self,
        rows: Sequence[Content],
        columns: Sequence[Content] | None = None,
        progress: Progress = no_progress,
    ) -> SimilarityMatrix:
        """Return all comparisons, at the cost of N + M samplings and N·M cross-scorings."""
        columns = rows if columns is None else columns
        check_all_pairs(len(rows), len(columns), MATRIX_PAIR + TRAJECTORIES_PAIR)
        pairs = [(row, column) for row in rows for column in columns]
        if not pairs:
            self.check([*rows, *columns])
        texts = sample_texts(self._model, pairs, self._config, progress)
        compared = counted("comparing", pairs, progress)
        distances = np.array([self._distance(texts.measured(*pair)[0]) for pair in compared])
        to_similarity = _similarity_of(self.fingerprint)
        similarities = np.array([to_similarity(distance) for distance in distances])
        shape = (len(rows), len(columns))
        return SimilarityMatrix(
            rows=tuple(map(name_of, rows)),
            columns=tuple(map(name_of, columns)),
            distances=distances.reshape(shape),
            similarities=similarities.reshape(shape),
            fingerprint=self.fingerprint,
        )

    def explain(
        self, pairs: Sequence[Pair], top: int = 5, progress: Progress = no_progress
    ) -> Sequence[TrajectoryExplanation]:
        """Return the comparison of each pair with its most decisive trajectories."""
        return [TrajectoryExplanation(score=c, top=top) for c in self.score(pairs, progress)]

    def _distance(self, measured: Measured) -> float:
        return self._config.estimator.distance(*measured.rows)

    def _comparison(self, texts: SampledTexts, pair: Pair) -> Comparison:
        measured, swapped = texts.measured(*pair)
        distance = self._distance(measured)
        shown = measured.swapped() if swapped else measured
        sampled = [(source, c) for source, text in enumerate(pair) for c in texts.of(text)]
        fingerprint = self.fingerprint
        if texts.config != self._config:
            # Of more trajectories, which may be another scale.
            fingerprint = self._fingerprint_of(texts.config)
        return Comparison(
            texts=(name_of(pair[0]), name_of(pair[1])),
            distance=distance,
            similarity=_similarity_of(fingerprint)(distance),
            rows=shown.rows,
            log_likelihoods=shown.log_likelihoods,
            describe=lambda: tuple(self._describe(source, c) for source, c in sampled),
            fingerprint=fingerprint,
        )

    def _fingerprint_of(self, config: ComparisonConfig) -> Fingerprint[ComparisonConfig]:
        """Return all that comparisons with these settings depend on."""
        return Fingerprint(self._model.info, config, self._scales.find(config))

    def _describe(self, source: int, sampled: Continuation) -> Trajectory:
        return Trajectory(
            text=self._model.decode(sampled.token_ids) if sampled.text is None else sampled.text,
            source=source,
            tokens=len(sampled.token_ids),
            ended=sampled.ended,
        )

    def _to_tolerance(self, pair: Pair, tolerance: Tolerance, progress: Progress) -> Comparison:
        """Double the trajectories, keeping those there are, until the interval is tight enough.

        The result is that of a configuration with as many, and its fingerprint says so.
        """
        texts = sample_texts(self._model, [pair], self._config, progress)
        result = self._comparison(texts, pair)
        while not tolerance.satisfied_by(
            texts.n_trajectories, result.interval(tolerance.confidence)
        ):
            n = min(2 * texts.n_trajectories, tolerance.max_trajectories)
            texts = texts.grown(n, progress)
            result = self._comparison(texts, pair)
        return result


def _similarity_of(fingerprint: Fingerprint[ComparisonConfig]) -> Callable[[float], float]:
    default = fingerprint.config.estimator.distance.similarity
    return similarity_map(default, fingerprint.calibration)

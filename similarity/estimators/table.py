"""The table of estimators, and the one way to use any of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from similarity.arrays import FloatArray
from similarity.config import ComparisonConfig
from similarity.distances import DISTANCES, Distance
from similarity.errors import ConfigError
from similarity.estimators import divergences
from similarity.estimators.centred import centred_cosine, whitened_cosine
from similarity.estimators.divergences import Divergence, relative
from similarity.estimators.material import Material, materials
from similarity.models.base import LanguageModel, Rows
from similarity.uncertainty import DEFAULT_CONFIDENCE, Interval, check_interval, confidence_interval

# Says nothing; what a text's meaning is relative to where there is no bank of texts.
NULL_TEXT = "."


@dataclass(frozen=True)
class Estimator:
    """What is measured along each trajectory, and what distance is made of it.

    Parameters
    ----------
    measure
        From the material of a pair to rows, shape "row trajectory", each column of one trajectory.
    distance
        Of those rows.
    relative
        Whether it depends on the bank of texts.
    reads_distributions
        Whether it needs whole next-token distributions, which a model server does not tell.
    """

    measure: Callable[[Material], FloatArray]
    distance: Distance
    relative: bool = False
    reads_distributions: bool = False

    def check_model(self, model: LanguageModel, config: ComparisonConfig) -> None:
        """Raise UnsupportedError or ConfigError if the model cannot tell what this needs."""
        model.check_scoring(config.scoring_law)
        if self.reads_distributions:
            model.distributions([], config.scoring_law)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A distance of two texts by some estimator, and the rows, "row trajectory", it is made of."""

    distance: float
    rows: FloatArray
    estimator: Estimator

    @property
    def similarity(self) -> float:
        """The distance's map to [0, 1]."""
        return self.estimator.distance.similarity(self.distance)

    def interval(self, confidence: float = DEFAULT_CONFIDENCE) -> Interval:
        """Return where the scores would be with trajectories without end.

        Raises
        ------
        ConfigError
            If the confidence is not between 0 and 1, there is one trajectory of each text, or
            one trajectory alone decides the distance.
        """
        check_interval(self.estimator.distance, self.rows.shape[1] // 2, confidence)
        distance = self.estimator.distance
        return confidence_interval(distance, distance.similarity, self.rows, confidence)


def estimate_pairs(
    model: LanguageModel,
    pairs: Sequence[tuple[str, str]],
    estimator: str,
    config: ComparisonConfig | None = None,
    bank: Sequence[str] = (NULL_TEXT,),
) -> list[Estimate]:
    """Return the estimate of each pair's distance, in order; a text that repeats is sampled once.

    Pairs are read one at a time, so memory does not grow with their number.

    Parameters
    ----------
    estimator
        A name in `ESTIMATORS`; the configuration's own distance is not used.
    bank
        Texts that relative estimators take meaning relative to.

    Raises
    ------
    ConfigError
        If the estimator is unknown, or it is relative and the bank is empty.
    InputError
        If a text is empty, not valid Unicode, or too long for the model.
    UnsupportedError
        If it needs whole distributions and the model does not tell them.
    """
    config = config or ComparisonConfig()
    chosen = get_estimator(estimator)
    if chosen.relative and not bank:
        raise ConfigError(f"{estimator} is relative to a bank of texts; give at least one")
    chosen.check_model(model, config)
    estimates = []
    for material in materials(model, pairs, config, bank if chosen.relative else ()):
        rows = chosen.measure(material)
        distance = chosen.distance(*rows)
        estimates.append(Estimate(distance=distance, rows=rows, estimator=chosen))
    return estimates


def get_estimator(name: str) -> Estimator:
    """Return the estimator of that name.

    Raises
    ------
    ConfigError
        If there is none; the message lists what is allowed.
    """
    if name not in ESTIMATORS:
        raise ConfigError(f"unknown estimator {name!r}; allowed: {', '.join(ESTIMATORS)}")
    return ESTIMATORS[name]


def _mean(row: FloatArray) -> float:
    return float(row.mean())


def _of_likelihoods(distance: Distance) -> Estimator:
    return Estimator(lambda material: material.likelihood_rows(with_bank=False), distance)


def _of_centred(function: Callable[..., float], summary: str) -> Estimator:
    return Estimator(
        lambda material: material.likelihood_rows(with_bank=True),
        Distance(function, True, summary),
        relative=True,
    )


def _of_steps(divergence: Divergence, bounded: bool, summary: str) -> Estimator:
    def measure(material: Material) -> FloatArray:
        def step(own: Rows, other: Rows, _bank: Sequence[Rows]) -> FloatArray:
            return divergence(own, other)

        return material.step_means(step, with_bank=False)[None]

    return Estimator(measure, Distance(_mean, bounded, summary), reads_distributions=True)


def _of_relative_steps(divergence: Divergence, summary: str) -> Estimator:
    def measure(material: Material) -> FloatArray:
        def step(own: Rows, other: Rows, bank: Sequence[Rows]) -> FloatArray:
            null = np.logaddexp.reduce(bank) - np.float32(np.log(len(bank)))
            return relative(divergence(own, other), divergence(own, null), divergence(other, null))

        return material.step_means(step, with_bank=True)[None]

    return Estimator(
        measure, Distance(_mean, True, summary), relative=True, reads_distributions=True
    )


ESTIMATORS = {
    **{name: _of_likelihoods(distance) for name, distance in DISTANCES.items()},
    "step-kl": _of_steps(divergences.kl, False, "KL from the text sampled from to the other"),
    "step-jeffreys": _of_steps(divergences.jeffreys, False, "KL both ways"),
    "step-jensen-shannon": _of_steps(divergences.jensen_shannon, True, "KL of both to their mean"),
    "step-hellinger": _of_steps(divergences.squared_hellinger, True, "squared Hellinger distance"),
    "step-total-variation": _of_steps(divergences.total_variation, True, "total variation"),
    "relative-total-variation": _of_relative_steps(
        divergences.total_variation, "total variation, relative to that from the bank"
    ),
    "centred-cosine": _of_centred(centred_cosine, "of log-likelihoods less the bank's mean"),
    "whitened-cosine": _of_centred(whitened_cosine, "of those, whitened by the bank"),
}

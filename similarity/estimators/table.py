"""The table of estimators: what is measured along each trajectory, and the distance made of it.

Rows have shape "row trajectory" over the 2n pooled trajectories of two texts. Without `step` they
are log-likelihoods, nats per token: under the two texts, then under each text of the bank if the
estimator is relative. With `step` there is one row: its mean over a trajectory's tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from similarity.arrays import FloatArray, Rows
from similarity.distances import DISTANCES, Distance
from similarity.errors import ConfigError
from similarity.estimators import divergences
from similarity.estimators.centred import centred_cosine, whitened_cosine
from similarity.estimators.divergences import Divergence, relative

# A text that says nothing: what meaning is relative to where no bank of texts is given.
NULL_TEXT = "."

# From the distributions along one trajectory, each of shape "token vocabulary", under the text that
# it was sampled from, the other text, and each text of the bank, to one number for each token.
StepFunction = Callable[[Rows, Rows, Sequence[Rows]], FloatArray]


@dataclass(frozen=True)
class Estimator:
    """A distance of two texts, estimated from trajectories of both.

    Parameters
    ----------
    distance
        Of the rows.
    step
        Of the next-token distributions at each token; None for log-likelihoods.
    relative
        Whether it depends on the bank of texts.
    needs_bank
        Whether the bank must be given, of two different texts or more.
    """

    distance: Distance
    step: StepFunction | None = None
    relative: bool = False
    needs_bank: bool = False

    @property
    def reads_distributions(self) -> bool:
        """Return whether it needs whole next-token distributions, which no server gives."""
        return self.step is not None


def get_estimator(name: str) -> Estimator:
    """Return the estimator of that name.

    Raises
    ------
    ConfigError
        If there is none; the message lists what is allowed.
    """
    if name not in ESTIMATORS:
        raise ConfigError(f"unknown distance {name!r}; allowed: {', '.join(ESTIMATORS)}")
    return ESTIMATORS[name]


def _mean(row: FloatArray) -> float:
    return float(row.mean())


def _of_steps(divergence: Divergence, bounded: bool, summary: str) -> Estimator:
    def step(own: Rows, other: Rows, _bank: Sequence[Rows]) -> FloatArray:
        return divergence(own, other)

    return Estimator(Distance(_mean, bounded, summary, is_mean=True), step)


def _of_relative_steps(divergence: Divergence, summary: str) -> Estimator:
    def step(own: Rows, other: Rows, bank: Sequence[Rows]) -> FloatArray:
        null = np.logaddexp.reduce(bank) - np.float32(np.log(len(bank)))
        return relative(divergence(own, other), divergence(own, null), divergence(other, null))

    return Estimator(Distance(_mean, True, summary, is_mean=True), step, relative=True)


def _of_centred(
    function: Callable[..., float], summary: str, *, needs_bank: bool = False
) -> Estimator:
    return Estimator(Distance(function, True, summary), relative=True, needs_bank=needs_bank)


ESTIMATORS = {
    **{name: Estimator(distance) for name, distance in DISTANCES.items()},
    "step-kl": _of_steps(divergences.kl, False, "KL from the text sampled from to the other"),
    "step-jeffreys": _of_steps(divergences.jeffreys, False, "KL both ways"),
    "step-jensen-shannon": _of_steps(divergences.jensen_shannon, True, "KL of both to their mean"),
    "step-hellinger": _of_steps(divergences.squared_hellinger, True, "squared Hellinger distance"),
    "step-total-variation": _of_steps(divergences.total_variation, True, "total variation"),
    "relative-total-variation": _of_relative_steps(
        divergences.total_variation, "total variation, relative to that from the bank"
    ),
    "centred-cosine": _of_centred(centred_cosine, "of log-likelihoods less the bank's mean"),
    # The covariance of one text is 0: nothing would be whitened.
    "whitened-cosine": _of_centred(
        whitened_cosine, "of those, whitened by the bank", needs_bank=True
    ),
}
# Those that commands and requests take: these give no bank.
WITHOUT_BANK = tuple(name for name, estimator in ESTIMATORS.items() if not estimator.needs_bank)

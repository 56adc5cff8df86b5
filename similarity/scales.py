"""Fits scales: from the distances that a scorer gives to a calibration of its similarities."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import scipy

from similarity.arrays import FloatArray
from similarity.calibration import (
    GENERAL_TEXT,
    JUDGEMENTS,
    OWN_TEXTS,
    Calibration,
    comparable,
    fit_knots,
)
from similarity.digests import digest_of_texts
from similarity.errors import ConfigError, InputError
from similarity.given import Pair, check_as_many, given_pairs
from similarity.scorer import Progress, Scorer, no_progress
from similarity.texts.general import general_digest, general_sentences
from similarity.validation import given_integer, given_number

# Of a rank correlation without any order, in standard errors: chance gives it once in 700 times.
_NOT_CHANCE = 3.0
# Of an end of a scale: the difference of two has a float.
_MOST = 1e300
# What a record of judged pairs has of the order: None where all distances are one.
ORDER = "rank correlation"


def scale_of_general_text(
    scorer: Scorer, sentences: int, progress: Progress = no_progress
) -> Calibration:
    """Return a scale that needs no labels: 1 for the same text, 0 for unrelated sentences.

    Measures so many general sentences, each with itself and with another one. The median distance
    to itself is similarity 1, the median distance of two sentences is 0, and between the two
    similarity falls in proportion to the distance.

    Parameters
    ----------
    sentences
        At least 2, at most as many as ship. The sentences are in no order, so that neighbours
        are random pairs; the last is paired with the first.

    Raises
    ------
    ConfigError
        If there are not so many sentences, or to this scorer a sentence is as far from itself as
        from others.
    InputError
        If a sentence is too long for the model with these settings.
    """
    shipped = general_sentences()
    sentences = given_integer("sentences", sentences, at_least=2, at_most=len(shipped))
    record = {"general sentences": general_digest()}
    return _without_labels(scorer, shipped[:sentences], GENERAL_TEXT, record, progress)


def scale_of_own_texts(
    scorer: Scorer, texts: Sequence[str], sentences: int, progress: Progress = no_progress
) -> Calibration:
    """Return a scale that needs no labels: 1 for the same text, 0 for unrelated texts of one's own.

    It is that of `scale_of_general_text`, with these texts in the place of general sentences.

    Parameters
    ----------
    texts
        In any order, which does not matter: pairs are drawn at random, always the same ones.
        A text that repeats counts once.
    sentences
        How many of them are measured: at least 2, at most as many as differ. They are drawn.

    Raises
    ------
    ConfigError
        If there are fewer than two different texts or not so many, or to this scorer a text is as
        far from itself as from others.
    InputError
        If a text is empty, or too long for the model with these settings.
    """
    different = sorted(set(texts))
    if len(different) < 2:
        raise ConfigError(
            "a scale of your own texts wants two different texts or more, and there "
            f"{'is one' if different else 'are none'}; give more texts"
        )
    sentences = given_integer("sentences", sentences, at_least=2, at_most=len(different))
    drawn = np.random.default_rng(0).permutation(len(different))[:sentences]
    chosen = [different[number] for number in drawn]
    record = {"own texts": digest_of_texts(different)}
    return _without_labels(scorer, chosen, OWN_TEXTS, record, progress)


def _without_labels(
    scorer: Scorer,
    texts: Sequence[str],
    scale: Literal["general text", "own texts"],
    record: Mapping[str, Any],
    progress: Progress,
) -> Calibration:
    """Return a scale of texts in random order, each measured with itself and with the next."""
    others = [*texts[1:], texts[0]]
    pairs = [*zip(texts, texts, strict=True), *zip(texts, others, strict=True)]
    distances = _distances(scorer, pairs, progress)
    same, unrelated = (float(np.median(part)) for part in np.split(distances, 2))
    if not same < unrelated:
        raise ConfigError(
            f"with these settings a text is {same:g} from itself and {unrelated:g} from others, so "
            "there is no scale; use another model or other settings"
        )
    at_zero = ((0.0, 1.0),) if same > 0 else ()
    knots = (*at_zero, (same, 1.0), (unrelated, 0.0))
    return Calibration(
        **_identity(scorer),
        fitted_on={**record, "pairs": len(texts), "same": same, "unrelated": unrelated},
        distances=tuple(distance for distance, _ in knots),
        similarities=tuple(similarity for _, similarity in knots),
        scale=scale,
    )


def scale_of_judgements(
    scorer: Scorer,
    pairs: Sequence[Pair],
    judgements: Sequence[float],
    ends: tuple[float, float],
    fitted_on: Mapping[str, Any],
    progress: Progress = no_progress,
) -> Calibration:
    """Return the scale on which similarities are what people would say, on average.

    Parameters
    ----------
    judgements
        Of the pairs, shape "pair".
    ends
        The judgements that mean similarity 0 and 1.
    fitted_on
        What the pairs are, for the record.

    Raises
    ------
    ConfigError
        If a judgement lies outside the ends.
    InputError
        If a text cannot be compared, there are not as many judgements as pairs, or pairs judged
        higher are farther apart.
    """
    pairs, given = given_pairs(pairs), np.array(judgements, float)
    check_as_many("pairs", len(pairs), "judgements", len(given))
    # First, as distances take the longer.
    unit_judgements(given, ends)
    measured = _distances(scorer, pairs, progress)
    distances, fitted = knots_of_judgements(measured, given, ends)
    return Calibration(
        **_identity(scorer),
        fitted_on={**fitted_on, ORDER: order_of(measured, given)},
        distances=distances,
        similarities=fitted,
        scale=JUDGEMENTS,
    )


def knots_of_judgements(
    distances: FloatArray, judgements: FloatArray, ends: tuple[float, float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the distances and similarities of a scale's knots, as `fit_knots` does.

    Parameters
    ----------
    distances, judgements
        Shape "pair".
    ends
        The judgements that mean similarity 0 and 1.

    Raises
    ------
    ConfigError
        If a judgement lies outside the ends.
    InputError
        If there are not as many of both, or pairs with higher judgements are farther apart, by
        more than chance makes them.
    """
    similarities = unit_judgements(judgements, ends)
    pairs, order = len(distances), order_of(distances, judgements)
    # Without any order it has this standard error.
    if order is not None and order * np.sqrt(pairs - 1) >= _NOT_CHANCE:
        raise InputError(
            f"the higher a pair is judged, the farther apart are its texts (rank correlation "
            f"{order:+.2f} over {pairs} pairs): look at some of them; where the judgements are "
            "right, the model orders these pairs wrongly and no scale helps; where they are "
            f"distances, turn them round ({ends[0]:g} becomes {ends[1]:g}) or name another "
            "column"
        )
    return fit_knots(distances, similarities)


def order_of(distances: FloatArray, judgements: FloatArray) -> float | None:
    """Return the rank correlation of distances and judgements, below 0 on a good scale.

    It is None where it is undefined, as all distances or all judgements are one.

    Parameters
    ----------
    distances, judgements
        Shape "pair".

    Raises
    ------
    InputError
        If there are not as many of both.
    """
    check_as_many("distances", len(distances), "judgements", len(judgements))
    if len(distances) < 2 or np.ptp(distances) == 0 or np.ptp(judgements) == 0:
        return None
    return float(scipy.stats.spearmanr(distances, judgements).statistic)


def unit_judgements(judgements: FloatArray, ends: tuple[float, float]) -> FloatArray:
    """Return judgements as similarities in [0, 1], shape "pair".

    Parameters
    ----------
    ends
        The judgements that mean similarity 0 and 1.

    Raises
    ------
    ConfigError
        If an end is not finite, a judgement lies outside them, or the second is not higher.
    """
    low, high = (given_number("--scale", end, at_least=-_MOST, at_most=_MOST) for end in ends)
    if not low < high:
        raise ConfigError(
            f"--scale wants the judgement of similarity 0, then that of 1, which is higher, got "
            f"{low:g} {high:g}; where a lower judgement is more alike, turn the judgements round "
            f"({low:g} becomes {high:g}), and give --scale {high:g} {low:g}"
            if low > high
            else f"--scale wants two judgements that differ, got {low:g} {high:g}"
        )
    if judgements.min() < low or judgements.max() > high:
        raise ConfigError(
            f"the judgements are from {judgements.min():g} to {judgements.max():g}, and the scale "
            f"from {low:g} to {high:g}; give another --scale"
        )
    unit: FloatArray = (judgements - low) / (high - low)
    return unit


def _identity(scorer: Scorer) -> dict[str, Any]:
    made_by = scorer.fingerprint
    return {
        "revision": made_by.model.revision,
        "settings": comparable(made_by.config.to_dict()),
    }


def _distances(scorer: Scorer, pairs: Sequence[Pair], progress: Progress) -> FloatArray:
    return np.array([score.distance for score in scorer.score(pairs, progress)])

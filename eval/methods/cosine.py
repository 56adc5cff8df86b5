"""Any way to make a vector of a text, as a method: the cosine of the two vectors."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.methods.base import Method, Pair
from eval.methods.texts import BATCH, distinct
from similarity.errors import InputError, WrongAnswerError
from similarity.models.base import OnProgress, ignore_progress
from similarity.slices import slices
from similarity.vectors.whitening import Whitening, WhiteningFit, cosines

Vectors = NDArray[np.float64]
# Texts to vectors, shape "text width"; a text's own does not depend on the others.
Embed = Callable[[Sequence[str]], Vectors]


class Cosine(Method):
    """The cosine of the vectors of two texts, each distinct text of a call embedded once."""

    def __init__(self, embed: Embed, settings: dict[str, Any]) -> None:
        self._embed = embed
        self.settings = settings

    def score(self, pairs: Sequence[Pair]) -> list[float]:
        """Return the cosine of each pair, in [−1, 1].

        Raises
        ------
        WrongAnswerError
            If a vector is not finite.
        """
        vectors = {
            text: vector
            for batch in slices(distinct(pairs), BATCH)
            for text, vector in zip(batch, self._embed(batch), strict=True)
        }
        scores = [float(cosines(vectors[first], vectors[second])) for first, second in pairs]
        if not np.isfinite(scores).all():
            raise WrongAnswerError("the vector of a text is not finite; use another dtype or model")
        return scores


def fit_whitening(
    embed: Embed,
    texts: Sequence[str],
    shrinkage: float,
    rank: int | None,
    on_progress: OnProgress = ignore_progress,
) -> Whitening:
    """Return the whitening of the vectors of texts, of which one batch at a time is held."""
    fit: WhiteningFit | None = None
    for batch in slices(texts, BATCH):
        rows = embed(batch)
        fit = (fit or WhiteningFit(rows.shape[1])).add(rows)
        on_progress(len(batch))
    if fit is None:
        raise InputError("a whitening is fitted to texts; give some")
    return fit.fit(shrinkage, rank)

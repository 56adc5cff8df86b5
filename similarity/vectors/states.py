"""States before the output head: what a model predicts after a prompt, in its own coordinates.

Where the head is known too, states are a profile over the vocabulary
(`similarity.vectors.profile`). A server that pools gives states alone. They are compared centred
and whitened.
"""

from collections.abc import Sequence

import numpy as np

from similarity.arrays import FloatArray, Rows
from similarity.images.image import Content
from similarity.models.base import (
    Ability,
    LanguageModel,
    OnProgress,
    TokenIds,
    ignore_progress,
)
from similarity.trajectories import encode_prefixes
from similarity.vectors.config import ProfileConfig, StatesConfig
from similarity.vectors.reader import Reader
from similarity.vectors.whitening import Whitening, WhiteningFit


class StateReader(Reader):
    """Reads the state after each text's prompt."""

    needs = frozenset({Ability.NEXT_STATES})

    def __init__(self, config: ProfileConfig | StatesConfig) -> None:
        self.config = config

    def rows(
        self,
        model: LanguageModel,
        texts: Sequence[Content],
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        """Return the state after each text's prompt, shape "text width"."""
        return model.next_states(self.prefixes(model, texts), on_progress)

    def tokens(self, model: LanguageModel, texts: Sequence[Content]) -> list[int]:
        """Return how many tokens each text has with its prompt."""
        return [len(prefix) for prefix in self.prefixes(model, texts)]

    def whitening(
        self, model: LanguageModel, fit: WhiteningFit, registers: FloatArray
    ) -> Whitening:
        """Return x ↦ (x − x̄) A W.

        A maps features to coordinates, without the directions in which registers differ. W whitens
        the coordinates by their own covariance.
        """
        basis = without_registers(self._basis(model, fit), registers)
        inner = fit.through(basis).fit(self.config.shrinkage, self.config.rank)
        return Whitening(mean=fit.mean, matrix=basis @ inner.matrix)

    def _basis(self, _model: LanguageModel, fit: WhiteningFit) -> FloatArray:
        """Return the matrix A from features to coordinates: the identity, for plain states."""
        return np.eye(fit.width)

    def prefixes(self, model: LanguageModel, texts: Sequence[Content]) -> list[TokenIds]:
        """Return the token ids of the texts with the prompt."""
        # One token is predicted, and none is read after the prompt.
        found = encode_prefixes(model, texts, self.config.prompt, 1)
        return [prefix.token_ids for prefix in found]


def without_registers(basis: FloatArray, registers: FloatArray) -> FloatArray:
    """Return a basis whose coordinates do not say which register a text is of.

    The directions between the registers' mean profiles are projected out. Captions, headlines and
    questions differ in them more than texts of one register do, and that is not what they mean.

    Parameters
    ----------
    basis
        Shape "feature coordinate".
    registers
        The mean features of each register, shape "register feature".
    """
    if len(registers) < 2:
        return basis
    between = (registers - registers.mean(axis=0)) @ basis
    _, _, directions = np.linalg.svd(between, full_matrices=False)
    # One direction fewer than registers: their deviations from the mean add up to nothing.
    directions = directions[: len(registers) - 1]
    projected: FloatArray = basis - basis @ directions.T @ directions
    return projected

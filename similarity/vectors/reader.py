"""What reads the features of texts, one class for each kind of group."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from similarity.arrays import FloatArray, Rows
from similarity.images.image import Content
from similarity.models.base import Ability, LanguageModel, OnProgress, ignore_progress
from similarity.vectors.whitening import Whitening, WhiteningFit

Arrays = dict[str, Any]


class Reader(ABC):
    """Reads the features of texts, and makes the map that whitens them.

    Attributes
    ----------
    needs
        What it needs of a model beyond token ids.
    """

    needs: frozenset[Ability] = frozenset()

    @abstractmethod
    def rows(
        self,
        model: LanguageModel,
        texts: Sequence[Content],
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        """Return the features of texts, shape "text feature".

        `on_progress` is called, in the caller's thread, with the number of texts read since the
        last call, or 0; not at all where that takes no time.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        UnsupportedError
            If one is an image, and the model or this group reads none.
        """

    @abstractmethod
    def tokens(self, model: LanguageModel, texts: Sequence[Content]) -> list[int]:
        """Return how many tokens of each text the model reads; raises as `rows` does."""

    @abstractmethod
    def whitening(
        self, model: LanguageModel, fit: WhiteningFit, registers: FloatArray
    ) -> Whitening:
        """Return the map from features to the group's part of vectors, fitted to some rows.

        Parameters
        ----------
        registers
            The mean row of each register of the text, shape "register feature"; may be empty.
        """

    def emphasis(self, rows: Rows) -> FloatArray:
        """Return the addition to the group's weight in the vector of each text, shape "text"."""
        return np.zeros(len(rows))

    def arrays(self) -> Arrays:
        """Return the arrays from which, with the settings, the reader can be made again."""
        return {}

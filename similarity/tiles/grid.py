"""What is compared by tiles, and which pairs of it are kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from similarity.arrays import FloatArray
from similarity.digests import digest_of_texts
from similarity.errors import InputError
from similarity.fields import keep, keep_integer, keep_number
from similarity.given import given_strings
from similarity.scorer import Progress, Scorer, no_progress
from similarity.texts.truncation import REFUSE, truncation_header

# Texts on each side of a tile.
TILE = 256


@dataclass(frozen=True)
class Grid:
    """All pairs of texts of two lists, or of one list among themselves, cut into tiles.

    Parameters
    ----------
    rows
        The texts of the rows.
    columns
        Those of the columns; None compares the rows among themselves.
    size
        Texts on each side of a tile.
    """

    rows: Sequence[str]
    columns: Sequence[str] | None = None
    size: int = TILE

    def __post_init__(self) -> None:
        keep_integer(self, "size", at_least=1, at_most=65_536, called="tile")
        # Kept as lists, so that none is a single text.
        keep(self, rows=given_strings(self.rows))
        if self.columns is not None:
            keep(self, columns=given_strings(self.columns))
        if not self.rows or not self.others:
            raise InputError("a matrix needs at least one row and one column")

    @property
    def others(self) -> Sequence[str]:
        """Return the texts of the columns."""
        return self.rows if self.columns is None else self.columns

    @property
    def row_blocks(self) -> list[range]:
        """Return the numbers of the rows, a tile's height each."""
        return _blocks(len(self.rows), self.size)

    @property
    def column_blocks(self) -> list[range]:
        """Return the numbers of the columns, a tile's width each."""
        return _blocks(len(self.others), self.size)

    @property
    def cells(self) -> int:
        """Return the number of pairs."""
        return len(self.rows) * len(self.others)

    def tiles(self) -> Iterator[tuple[range, range]]:
        """Yield the rows and columns of each tile; of texts among themselves, of one half."""
        for rows in self.row_blocks:
            for columns in self.column_blocks:
                if self.columns is not None or rows.start <= columns.start:
                    yield rows, columns

    def similarities(
        self, scorer: Scorer, rows: range, columns: range, progress: Progress = no_progress
    ) -> FloatArray:
        """Return one tile, shape "row column"."""
        others = [self.others[j] for j in columns]
        return scorer.matrix([self.rows[i] for i in rows], others, progress).similarities

    def check(self, scorer: Scorer) -> None:
        """Refuse texts that cannot be compared, before the first tile.

        Raises
        ------
        InputError
            If one is too long for the model, and is not to be cut.
        """
        if scorer.truncate == REFUSE:
            for texts in (self.rows, self.columns or ()):
                for block in _blocks(len(texts), self.size):
                    scorer.check(texts[block.start : block.stop])

    def header(self, scorer: Scorer) -> dict[str, Any]:
        """Return the values that identify this matrix, as a journal keeps them."""
        return {
            "fingerprint": scorer.fingerprint.to_dict(),
            "rows": digest_of_texts(self.rows),
            "columns": None if self.columns is None else digest_of_texts(self.columns),
            "tile": self.size,
            **truncation_header(scorer.truncate, scorer.fingerprint.model),
        }


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which pairs are kept: those at or above a threshold, or the k nearest of each row.

    Of texts among themselves none is paired with itself, and at or above a threshold each pair
    is there once.
    """

    threshold: float | None = None
    k: int | None = None

    def __post_init__(self) -> None:
        if (self.threshold is None) == (self.k is None):
            raise InputError("give either a threshold or k, the number of nearest texts")
        if self.threshold is not None:
            keep_number(self, "threshold", at_least=0, at_most=1)
        else:
            keep_integer(self, "k", at_least=1, at_most=10_000)

    def header(self) -> dict[str, Any]:
        """Return the selection as plain values."""
        return {"threshold": self.threshold, "k": self.k}


def _blocks(count: int, size: int) -> list[range]:
    return [range(start, min(start + size, count)) for start in range(0, count, size)]

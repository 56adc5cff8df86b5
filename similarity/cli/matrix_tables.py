"""Matrices as tables for a person to read: folded where they are wide, and never a number cut."""

import numpy as np
from rich.cells import cell_len
from rich.table import Table

from similarity.cli.tables import console, one_line, scale_and_source
from similarity.printable import printable
from similarity.results import SimilarityMatrix

# Of a number, with the blanks beside it; the numbers of columns are shorter.
_NUMBER_WIDTH = len("0.000") + 2
_LABEL_WIDTH = 40
# A matrix that is folded more often than this is no longer read.
_MOST_FOLDS = 4
_NEAREST = 20


def print_matrix(result: SimilarityMatrix) -> None:
    """Print the similarities of all rows with all columns, or the nearest pairs of very many."""
    page = console()
    longest = max(cell_len(label) for label in _labels(result.rows))
    label = max(4, min(longest, _LABEL_WIDTH, page.width // 3))
    together = max(1, (page.width - label - 2) // _NUMBER_WIDTH)
    folds = -(-len(result.columns) // together)
    if folds > _MOST_FOLDS:
        _print_nearest(result)
        return
    for start in range(0, len(result.columns), together):
        page.print(_part(result, slice(start, start + together), label))
    page.print(one_line(scale_and_source(result.fingerprint)), style="italic")
    if result.columns != result.rows:
        for number, text in enumerate(result.columns, 1):
            page.print(f"column {number}: {one_line(text)}")


def _part(result: SimilarityMatrix, columns: slice, label: int) -> Table:
    """Return some columns as a table that fits the page."""
    table = Table(box=None, pad_edge=False)
    table.add_column("text", width=label, overflow="ellipsis", no_wrap=True)
    for number in range(len(result.columns))[columns]:
        table.add_column(str(number + 1), justify="right", width=_NUMBER_WIDTH - 2, no_wrap=True)
    for text, values in zip(_labels(result.rows), result.similarities[:, columns], strict=True):
        table.add_row(one_line(text), *(f"{value:.3f}" for value in values))
    return table


def _print_nearest(result: SimilarityMatrix) -> None:
    page = console()
    table = Table(box=None)
    table.add_column("similarity", no_wrap=True, min_width=len("similarity"))
    table.add_column("row", overflow="fold")
    table.add_column("column", overflow="fold")
    for i, j in nearest_pairs(result, _NEAREST):
        row, column = f"{i + 1} {_short(result.rows[i])}", f"{j + 1} {_short(result.columns[j])}"
        table.add_row(f"{result.similarities[i, j]:.4f}", one_line(row), one_line(column))
    page.print(table)
    page.print(one_line(scale_and_source(result.fingerprint)), style="italic")
    page.print(
        f"The {min(_NEAREST, table.row_count)} nearest pairs of {len(result.rows)} × "
        f"{len(result.columns)} texts. All numbers: --out FILE, or --format tsv; a picture: --plot "
        "FILE."
    )


def nearest_pairs(result: SimilarityMatrix, count: int) -> list[tuple[int, int]]:
    """Return the rows and columns of the greatest similarities, the greatest first.

    Of texts among themselves, each pair is there once and no text with itself.
    """
    values = result.similarities.astype(np.float64, copy=True)
    if result.rows == result.columns:
        values[np.tril_indices(len(values))] = -1.0
    order = np.argsort(-values, axis=None, kind="stable")[:count]
    places = (divmod(int(place), values.shape[1]) for place in order)
    return [(i, j) for i, j in places if values[i, j] >= 0]


def _labels(texts: tuple[str, ...]) -> list[str]:
    return [f"{number} {_short(text)}" for number, text in enumerate(texts, 1)]


def _short(text: str) -> str:
    """Return a text on one line, without what does not fit a table."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= _LABEL_WIDTH else f"{line[: _LABEL_WIDTH - 1]}…"

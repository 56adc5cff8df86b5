"""Writes matrices and pairs tile by tile, in bounded memory; a stopped run goes on."""

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from similarity.models.base import OnProgress, ignore_progress
from similarity.scorer import Progress, Scorer, no_progress
from similarity.storage.files import followed, replace_file, writing
from similarity.storage.parts import MATRIX, PartsFolder, is_begun, parts_of
from similarity.tiles.grid import Grid, Selection
from similarity.validation import given_path

# A matrix in a file.
Mapped = np.memmap[Any, np.dtype[np.float32]]
# The columns of pairs, of texts counted from 0, and what a judge adds to them.
PAIR_COLUMNS: dict[str, type] = {
    "row": int,
    "column": int,
    "text1": str,
    "text2": str,
    "similarity": float,
}
JUDGED_COLUMNS: dict[str, type] = {"shortlisted": float}
# Writes rows with equal columns to a path.
WriteRows = Callable[[Iterator[dict[str, Any]], Path], object]


def stream_matrix(
    scorer: Scorer,
    grid: Grid,
    path: str | PathLike[str],
    on_progress: OnProgress = ignore_progress,
    progress: Progress = no_progress,
    *,
    held: PartsFolder | None = None,
) -> None:
    """Write all similarities to a .npy file, float32, shape "row column".

    Takes the memory of one tile. What an earlier process did is not done again.

    Parameters
    ----------
    on_progress
        Called with the number of pairs that are done.
    progress
        Follows the stages of each tile.
    held
        The folder of the parts, where the caller holds it.

    Raises
    ------
    InputError
        If a text cannot be compared, the file cannot be written, another process writes it, or
        the folder of its parts has other files.
    ConfigError
        If the file was begun with other texts or settings; the message says what differs.
    """
    path = given_path("path", path)
    shape = (len(grid.rows), len(grid.others))
    if not is_begun(path):
        grid.check(scorer)
    with parts_of(path, grid.header(scorer) | {"kind": "matrix"}, held) as work:
        target = work.folder / MATRIX
        with writing(path):
            matrix = _opened(target, shape)
        for number, (rows, columns) in enumerate(grid.tiles()):
            mirrored = grid.columns is None and rows != columns
            if not work.has(number, _digest(matrix, rows, columns, mirrored)):
                found = grid.similarities(scorer, rows, columns, progress)
                with writing(path):
                    matrix[_slice(rows), _slice(columns)] = found
                    if mirrored:
                        matrix[_slice(columns), _slice(rows)] = found.T
                    matrix.flush()
                work.finish(number, _digest(matrix, rows, columns, mirrored))
            on_progress(len(rows) * len(columns) * (1 + mirrored))
        del matrix
        with writing(path):
            target.replace(followed(path))


def stream_pairs(
    scorer: Scorer,
    grid: Grid,
    selection: Selection,
    path: str | PathLike[str],
    write: WriteRows,
    *,
    judge: Scorer | None = None,
    on_progress: OnProgress = ignore_progress,
    progress: Progress = no_progress,
    held: PartsFolder | None = None,
) -> int:
    """Write the pairs of a selection, row by row, and return their number.

    Takes the memory of one tile and of the pairs of its rows. What an earlier process did is not
    done again, but for the rows that it was at.

    Parameters
    ----------
    write
        Writes rows of equal columns to a path.
    judge
        Scores the selected pairs again: "similarity" is then its own, and "shortlisted" that of
        the scorer. The k nearest are put in the judge's order.
    on_progress
        Called with the number of pairs that are done.
    progress
        Follows the stages of each tile.
    held
        The folder of the parts, where the caller holds it.

    Raises
    ------
    InputError
        If a text cannot be compared, the file cannot be written, another process writes it, or
        the folder of its parts has other files.
    ConfigError
        If the file was begun with other texts or settings; the message says what differs.
    """
    path = given_path("path", path)
    header = grid.header(scorer) | {"kind": "pairs", "selection": selection.header()}
    header["judge"] = None if judge is None else judge.fingerprint.to_dict()
    if not is_begun(path):
        for each in (scorer, *(() if judge is None else (judge,))):
            grid.check(each)
    with parts_of(path, header, held) as work:
        blocks = grid.row_blocks
        for number, rows in enumerate(blocks):
            if not work.has_file(number):
                found = list(_selected(scorer, grid, selection, rows, progress))
                lines = _judged(judge, grid, found, progress)
                content = "".join(f"{json.dumps(line)}\n" for line in lines)
                work.write(number, partial(_write_text, content))
            on_progress(len(rows) * len(grid.others))
        count = 0

        def counted() -> Iterator[dict[str, Any]]:
            nonlocal count
            for number in range(len(blocks)):
                with work.path(number).open(encoding="utf-8") as lines:
                    for line in lines:
                        count += 1
                        yield json.loads(line)

        with writing(path):
            replace_file(path, lambda new: write(counted(), new))
    return count


def _selected(
    scorer: Scorer, grid: Grid, selection: Selection, rows: range, progress: Progress
) -> Iterator[tuple[int, int, float]]:
    """Yield row, column and similarity of the pairs of some rows that are kept."""
    if selection.threshold is None:
        yield from _nearest(scorer, grid, selection.k or 0, rows, progress)
        return
    among = grid.columns is None
    for columns in grid.column_blocks:
        if among and columns.stop <= rows.start:
            continue
        found = grid.similarities(scorer, rows, columns, progress)
        for i, j in np.argwhere(found >= selection.threshold).tolist():
            row, column = rows[i], columns[j]
            if not among or row < column:
                yield row, column, float(found[i, j])


def _nearest(
    scorer: Scorer, grid: Grid, k: int, rows: range, progress: Progress
) -> Iterator[tuple[int, int, float]]:
    best = np.empty((len(rows), 0))
    numbers = np.empty((len(rows), 0), np.intp)
    for columns in grid.column_blocks:
        found = grid.similarities(scorer, rows, columns, progress)
        if grid.columns is None:
            here = np.arange(columns.start, columns.stop)
            found = np.where(np.arange(rows.start, rows.stop)[:, None] == here, -1.0, found)
        best = np.concatenate([best, found], axis=1)
        more = np.broadcast_to(np.arange(columns.start, columns.stop), found.shape)
        numbers = np.concatenate([numbers, more], axis=1)
        # Stable, so that of equal ones the first columns are kept.
        order = np.argsort(-best, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(best, order, axis=1)
        numbers = np.take_along_axis(numbers, order, axis=1)
    for row, similarities, columns_of in zip(rows, best, numbers, strict=True):
        for similarity, column in zip(similarities, columns_of, strict=True):
            if similarity >= 0:
                yield row, int(column), float(similarity)


def _judged(
    judge: Scorer | None, grid: Grid, found: Sequence[tuple[int, int, float]], progress: Progress
) -> Iterator[dict[str, Any]]:
    lines: list[dict[str, Any]] = [
        {"row": i, "column": j, "text1": grid.rows[i], "text2": grid.others[j], "similarity": value}
        for i, j, value in found
    ]
    if judge is None:
        yield from lines
        return
    scores = judge.score([(line["text1"], line["text2"]) for line in lines], progress)
    for line, score in zip(lines, scores, strict=True):
        line["shortlisted"], line["similarity"] = line["similarity"], score.similarity
    # The rows stay in order, and so do equals.
    yield from sorted(lines, key=lambda line: (line["row"], -line["similarity"]))


def _write_text(content: str, path: Path) -> None:
    path.write_text(content, encoding="utf-8")


def _slice(numbers: range) -> slice:
    return slice(numbers.start, numbers.stop)


def _digest(matrix: Mapped, rows: range, columns: range, mirrored: bool) -> str:
    """Return the digest of a tile and of its mirror image, where it has one."""
    found = hashlib.sha256(matrix[_slice(rows), _slice(columns)].tobytes())
    if mirrored:
        found.update(matrix[_slice(columns), _slice(rows)].tobytes())
    return found.hexdigest()[:16]


def _opened(path: Path, shape: tuple[int, int]) -> Mapped:
    """Return a matrix on disk; one of zeros where none is there, or it is not whole."""
    if not _is_whole(path, shape):
        replace_file(path, lambda new: _make_empty(new, shape))
    matrix: Mapped = np.lib.format.open_memmap(path, mode="r+")
    return matrix


def _is_whole(path: Path, shape: tuple[int, int]) -> bool:
    """Return whether a file has the header of a matrix, and as many bytes: it becomes the output.

    The bytes of the tiles have digests of their own.
    """
    header = BytesIO()
    described = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    begins = header.getvalue()
    if not path.is_file() or path.stat().st_size != len(begins) + 4 * math.prod(shape):
        return False
    with path.open("rb") as file:
        return file.read(len(begins)) == begins


def _make_empty(path: Path, shape: tuple[int, int]) -> None:
    np.lib.format.open_memmap(path, mode="w+", dtype="<f4", shape=shape).flush()
    with path.open("r+b") as file:
        # Or a disk that becomes full would kill the process that writes into the mapped file.
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)

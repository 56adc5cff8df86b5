"""Texts of files and folders, as commands read them."""

from dataclasses import replace

from similarity.cli.notes import note
from similarity.cli.places import note_places
from similarity.cli.progress import progress_bar
from similarity.results import SimilarityMatrix
from similarity.tabular.formats import place
from similarity.tabular.judged import JudgedPair, read_judged_pairs
from similarity.tabular.records import PlacedTexts
from similarity.tabular.texts import read_file, read_file_or_folder


def texts_of_file(path: str, kind: str | None, columns: str | None) -> list[str]:
    """Return the texts of a file; raises as `read_file` does."""
    with progress_bar(reading(path), "text", 0) as on_read:
        return _noted(read_file(path, kind, columns, on_read=on_read)).texts


def texts_of(path: str, kind: str | None, columns: str | None) -> PlacedTexts:
    """Return the texts of a file or a folder, and say what of a folder was left out.

    Raises as `read_file_or_folder` does.
    """
    with progress_bar(reading(path), "text", 0) as on_read:
        found = _noted(read_file_or_folder(path, kind, columns, on_read=on_read))
    if found.left_out:
        note(f"left out of {path}: {found.left_out}")
    return found


def judged_pairs_of(path: str, kind: str | None, columns: str | None) -> list[JudgedPair]:
    """Return the judged pairs of a file; raises as `read_judged_pairs` does."""
    with progress_bar(reading(path), "pair", 0) as on_read:
        pairs = read_judged_pairs(path, kind, columns, on_read=on_read)
    for pair in pairs:
        note_places(pair.texts, [f"{place(path)} line {pair.line}"] * 2)
    return pairs


def reading(path: str) -> str:
    """Return what progress calls the reading of a file."""
    return f"reading {place(path)}"


def labelled(
    result: SimilarityMatrix, rows: PlacedTexts, columns: PlacedTexts | None = None
) -> SimilarityMatrix:
    """Return a matrix in which the texts of a folder are called by their files' paths.

    Parameters
    ----------
    columns
        None where the rows were compared among themselves.
    """
    columns = rows if columns is None else columns
    return replace(
        result,
        rows=result.rows if rows.ids is None else rows.ids,
        columns=result.columns if columns.ids is None else columns.ids,
    )


def id_fields(texts: PlacedTexts, number: int) -> dict[str, str]:
    """Return the field that has the id of a text, where texts have ids."""
    return {} if texts.ids is None else {"id": texts.ids[number]}


def _noted(found: PlacedTexts) -> PlacedTexts:
    note_places(found.texts, found.places)
    return found

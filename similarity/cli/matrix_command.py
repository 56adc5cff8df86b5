"""`trajsim matrix`: all similarities of the texts in a file."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from similarity.cli.apart import note_read
from similarity.cli.choices import (
    ModelChoice,
    ScoringChoice,
    chosen_scorer,
    open_model,
    shortlist_and_judge,
)
from similarity.cli.images import contents_of, note_paths, text_option
from similarity.cli.matrix_tables import print_matrix
from similarity.cli.notes import note
from similarity.cli.numbers import FiniteRange
from similarity.cli.options import model_options, refuse_options, scoring_options
from similarity.cli.plots import after, check_plot, draw_heat, plot_option
from similarity.cli.progress import progress_bars, progress_in_parts
from similarity.cli.reading import labelled, texts_of
from similarity.cli.stopping import note_goes_on
from similarity.cli.tables import print_scale
from similarity.cli.terminal import (
    TABLE,
    chosen_format,
    input_options,
    output_options,
    print_warnings,
)
from similarity.errors import ConfigError
from similarity.room import JSON_PAIR, MATRIX_PAIR, check_all_pairs
from similarity.scorer import Scorer
from similarity.storage.parts import ANSWERS, PartsFolder, hold_parts
from similarity.storage.store import Store
from similarity.tabular.formats import ENDINGS, STANDARD, format_of
from similarity.tabular.writing import WRITE_FORMATS, check_place, stream_rows, write_matrix
from similarity.texts.familiarity import unfamiliar
from similarity.texts.truncation import cut_warnings
from similarity.tiles import (
    JUDGED_COLUMNS,
    PAIR_COLUMNS,
    TILE,
    Grid,
    Selection,
    stream_matrix,
    stream_pairs,
)

LINES, ARRAY = "jsonl", "npy"
PAIR_FORMATS = (LINES, "csv", "tsv", "parquet")

# Of the texts of a folder.
Ids = tuple[str, ...] | None


@click.command()
@click.argument("file", callback=note_read)
@click.argument("file2", required=False, callback=note_read)
@input_options()
@output_options((TABLE, *WRITE_FORMATS, LINES, ARRAY))
@plot_option
@click.option(
    "--above",
    type=FiniteRange(0, 1),
    help="Write only the pairs that are at least this similar, each once.",
)
@click.option(
    "--nearest",
    type=click.IntRange(min=1),
    help="Write only so many pairs of each text, with those that it is most similar to.",
)
@click.option(
    "--rerank",
    is_flag=True,
    help="Score the pairs of --above or --nearest, found by meaning vectors, again by "
    "trajectories.",
)
@click.option(
    "--tile",
    type=click.IntRange(min=1),
    default=TILE,
    show_default=True,
    help="Compare so many texts with so many at once, for a .npy file, --above and --nearest.",
)
@text_option
@model_options
@scoring_options
def matrix(
    file: str,
    file2: str | None,
    kind: str | None,
    columns: str | None,
    written_as: str | None,
    out: str | None,
    plot: str | None,
    above: float | None,
    nearest: int | None,
    rerank: bool,
    tile: int,
    as_texts: bool,
    scoring: ScoringChoice,
    choice: ModelChoice,
) -> None:
    """Print all similarities of the texts in FILE, or of those in FILE with those in FILE2.

    A file has one text a line, or is JSON lines, CSV, TSV or Parquet with a column of texts; - is
    standard input. A terminal gets a table, folded where it is too wide; anything else gets TSV.
    A text that is the path of an image stands for the image, in a whole matrix.

    FILE may be a folder: each .txt and .md file in it is one text, called by its path.

    A .npy file, and the pairs of --above and --nearest, are written part by part, in bounded
    memory. When that was stopped, the same command goes on. Columns row and column count texts
    from 1.
    """
    selection = _selection(above, nearest, rerank)
    _refuse_lines(written_as, out, selection)
    streamed = _streamed_format(written_as, out, selection)
    written_as = streamed or chosen_format(written_as, out, WRITE_FORMATS)
    check_plot(plot)
    if streamed and plot is not None:
        raise ConfigError("--plot draws a whole matrix; leave --above, --nearest and .npy out")
    if not streamed:
        refuse_options(
            ["--tile"],
            "is of what is written part by part: a .npy file, --above and --nearest; give one of "
            "them, or leave it out",
        )
    if file == file2 == STANDARD:
        raise ConfigError("FILE and FILE2 cannot both be standard input; give a file for one")
    rows = texts_of(file, kind, columns)
    others = None if file2 is None else texts_of(file2, kind, columns)
    if streamed and out is not None:
        note_paths([*rows.texts, *(others.texts if others else ())])
        note_goes_on()
        with (
            # First: nothing there may change under a process that is at work.
            hold_parts(Path(out)) as held,
            Store(held.path / ANSWERS, remedy=f"delete {held.path}") as store,
        ):
            model = open_model(choice)
            scorers = (
                shortlist_and_judge(model, scoring, store)
                if rerank
                else (chosen_scorer(model, scoring, store=store), None)
            )
            of_columns = None if others is None else others.texts
            grid = Grid(rows.texts, of_columns, tile)
            named = rows.ids, (others or rows).ids
            _stream(scorers, grid, selection, streamed, Path(out), named, held)
            texts = [*grid.rows, *(of_columns or ())]
            print_warnings([*cut_warnings(scorers[0], texts), *unfamiliar(model, texts).values()])
        return
    bytes_a_pair = MATRIX_PAIR + (JSON_PAIR if written_as == "json" else 0)
    check_all_pairs(len(rows.texts), len((others or rows).texts), bytes_a_pair)
    shown = contents_of(rows, choice, as_texts=as_texts)
    beside = None if others is None else contents_of(others, choice, as_texts=as_texts)
    scorer = chosen_scorer(open_model(choice), scoring)
    with progress_bars() as progress:
        result = labelled(scorer.matrix(shown, beside, progress), rows, others)
    print_warnings(result.warnings)
    if written_as == TABLE:
        print_matrix(result)
    else:
        write_matrix(result, written_as, out)
        if written_as != "json":
            print_scale(result.fingerprint)
    if plot is not None:
        with after(out):
            draw_heat(result, plot)


def _selection(above: float | None, nearest: int | None, rerank: bool) -> Selection | None:
    if above is not None and nearest is not None:
        raise ConfigError("--above and --nearest exclude each other")
    if above is None and nearest is None:
        if rerank:
            raise ConfigError("--rerank scores the pairs of --above or --nearest; give one of them")
        return None
    return Selection(threshold=above, k=nearest)


def _refuse_lines(given: str | None, out: str | None, selection: Selection | None) -> None:
    """Refuse a whole matrix in the format that pairs alone have."""
    ending = ENDINGS.get(Path(out).suffix.lower()) if out is not None else None
    if selection is None and (given or ending) == LINES:
        *others, last = WRITE_FORMATS
        raise ConfigError(
            f"{LINES} has a line for each pair of --above or --nearest, and a matrix is written "
            f"whole; give one of them, or --format {', '.join(others)} or {last}"
        )


def _streamed_format(given: str | None, out: str | None, selection: Selection | None) -> str | None:
    """Return the format of an output that is written by tiles, or None where none is."""
    by_tiles = PAIR_FORMATS if selection is not None else (ARRAY,)
    if out is None or out == STANDARD:
        if selection is not None or given == ARRAY:
            what = "npy is" if selection is None else "pairs of --above and --nearest are"
            raise ConfigError(f"{what} written to a file; name it by --out")
        return None
    if selection is None and format_of(out, given, allowed=(*WRITE_FORMATS, ARRAY)) != ARRAY:
        return None
    chosen = format_of(out, given, allowed=by_tiles)
    check_place(chosen, out)
    return chosen


def _stream(
    scorers: tuple[Scorer, Scorer | None],
    grid: Grid,
    selection: Selection | None,
    kind: str,
    path: Path,
    named: tuple[Ids, Ids],
    held: PartsFolder,
) -> None:
    scorer, judge = scorers
    with progress_in_parts("comparing", "pair", grid.cells) as (on_progress, progress):
        if selection is None:
            stream_matrix(scorer, grid, path, on_progress, progress, held=held)
            written = f"{grid.cells} similarities"
        else:
            count = stream_pairs(
                scorer,
                grid,
                selection,
                path,
                lambda rows, new: stream_rows(
                    map(partial(_as_written, named), rows), kind, new, _columns(judge, named)
                ),
                judge=judge,
                on_progress=on_progress,
                progress=progress,
                held=held,
            )
            written = f"{count} pairs"
    note(f"wrote {written} to {path}")
    print_scale((judge or scorer).fingerprint)


def _columns(judge: Scorer | None, named: tuple[Ids, Ids]) -> dict[str, type]:
    """Return the columns of pairs, which a file has that has no pair."""
    ids = {name: str for name, of_all in zip(("id1", "id2"), named, strict=True) if of_all}
    return PAIR_COLUMNS | ({} if judge is None else JUDGED_COLUMNS) | ids


def _as_written(named: tuple[Ids, Ids], row: dict[str, Any]) -> dict[str, Any]:
    """Return a pair with its texts counted from 1, and with their ids where they have some."""
    places = {"id1": row["row"], "id2": row["column"]}
    ids = {
        name: of_all[place]
        for (name, place), of_all in zip(places.items(), named, strict=True)
        if of_all is not None
    }
    return row | {"row": row["row"] + 1, "column": row["column"] + 1} | ids

"""`trajsim index`: build an index of texts, and find those of like meaning in it."""

from dataclasses import asdict
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from similarity.calibration import Scale
from similarity.cli.answers import cache_option, store_of
from similarity.cli.choices import ModelChoice, open_model
from similarity.cli.images import note_paths
from similarity.cli.notes import note
from similarity.cli.options import (
    comparison_options,
    model_options,
    refuse_trajectory_options,
    truncate_option,
)
from similarity.cli.progress import progress_bars
from similarity.cli.reading import texts_of
from similarity.cli.tables import SCALE_WORDS, console, one_line, words_in_line
from similarity.cli.terminal import (
    NewFolder,
    input_options,
    json_option,
    print_json,
    print_warnings,
)
from similarity.cli.vector_commands import vector_preset_option, vectors_option
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError
from similarity.presets import PAPER
from similarity.prompts import checked_text
from similarity.scorers import open_scorer
from similarity.storage.files import check_folder
from similarity.tabular.formats import READ_FORMATS, STANDARD
from similarity.texts.familiarity import unfamiliar
from similarity.vectors.general import open_vectors
from similarity.vectors.stored import stored
from similarity.vectors.stream import check_texts, encoded

if TYPE_CHECKING:
    from similarity.vectors.index import Hit

# Of the text of a whole file, the characters that are shown.
_BEGINNING = 80
_TOP = 10


@click.group()
def index() -> None:
    """Find the texts of like meaning among up to a million."""


@index.command()
@click.argument("file")
@input_options(READ_FORMATS, "--format")
@click.option(
    "--out",
    type=NewFolder(),
    required=True,
    help="Keep the index in this folder, new or of an earlier index, which is replaced.",
)
@click.option(
    "--kind",
    "search",
    type=click.Choice(["auto", "exact", "graph"]),
    default="auto",
    show_default=True,
    help="Search in this way: 'auto' is exact up to 200,000 texts, and a graph beyond.",
)
@truncate_option
@vector_preset_option
@vectors_option
@cache_option
@model_options
def build(
    file: str,
    kind: str | None,
    columns: str | None,
    out: Path,
    search: str,
    truncate: str,
    preset: str | None,
    where: str,
    choice: ModelChoice,
) -> None:
    """Index the texts in FILE.

    A file has one text a line, or is JSON lines, CSV, TSV or Parquet with a column of texts; - is
    standard input.

    FILE may be a folder: each .txt and .md file in it is one text, called by its path.
    """
    # Late, as faiss is an extra.
    from similarity.vectors.index import KIND, build_index

    if str(out) == STANDARD:
        raise ConfigError("--out must be a folder, not standard output")
    check_folder(out)
    KIND.check_place(out)
    read = texts_of(file, kind, columns)
    note_paths(read.texts)
    texts = read.texts
    model = open_model(choice)
    with progress_bars() as progress:
        vectors = stored(open_vectors(where, model, progress, preset=preset), store_of(model))
        truncator = vectors.truncator(truncate)
        check_texts(vectors, texts, truncator)
        on_progress = progress("encoding", len(texts))
        parts = encoded(vectors, texts, None, truncator, on_progress)
        rows = (rows for _, rows in parts)
        build_index(out, vectors, texts, rows, search, ids=read.ids, preset=preset)
    print_warnings(truncator.warnings(texts))
    note(f"indexed {len(texts)} texts in {out}")


@index.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("text")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    help="Find so many texts.  [default: 10, or what --rerank compares if that is less]",
)
@click.option(
    "--rerank",
    "compared",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Compare so many of the best again by trajectories, with the settings below.",
)
@json_option
@truncate_option
@vectors_option
@cache_option
@model_options
@comparison_options
def query(
    folder: Path,
    text: str,
    top: int | None,
    compared: int,
    as_json: bool,
    truncate: str,
    where: str,
    choice: ModelChoice,
    config: ComparisonConfig,
) -> None:
    """Print the texts of the index in FOLDER that are most alike to TEXT.

    A table counts the texts of the file from 1, and JSON from 0.
    """
    from similarity.vectors.index import check_index, open_index, rerank

    top = top or min(_TOP, compared or _TOP)
    if 0 < compared < top:
        raise ConfigError(
            f"--rerank {compared} leaves {compared} texts, and --top {top} asks for more; give "
            "--rerank at least as much as --top"
        )
    if not compared:
        refuse_trajectory_options(
            "only --rerank compares by them", remedy="give --rerank, or leave it out"
        )
    checked_text(text)
    preset = check_index(folder).get("preset")
    model = open_model(choice)
    # Before general text is read for vectors that would be of no use.
    check_index(folder, model.info)
    with progress_bars() as progress:
        vectors = stored(open_vectors(where, model, progress, preset=preset), store_of(model))
        found = open_index(folder, vectors)
        truncator = found.vectors.truncator(truncate)
        (cut,) = truncator.cut([text])
        hits = found.query(cut, max(top, compared))
        # Of a cosine.
        scale: Scale = "none"
        if compared:
            scorer = open_scorer(model, PAPER, config, truncate=truncate)
            scale = scorer.fingerprint.scale
            hits = rerank(scorer, text, hits[:compared], progress)
    print_warnings([*truncator.warnings([text]), *unfamiliar(model, [cut]).values()])
    if as_json:
        print_json({"scale": scale, "hits": [_to_dict(hit) for hit in hits[:top]]})
        return
    named = found.ids is not None
    table = Table("similarity", "file" if named else "number", "text", box=None)
    for hit in hits[:top]:
        # Of a whole file, its beginning.
        shown = shorten(hit.text, _BEGINNING, placeholder=" …") if named else hit.text
        place = str(hit.number + 1) if hit.id is None else hit.id
        table.add_row(f"{hit.similarity:.4f}", one_line(place), words_in_line(shown))
    page = console()
    page.print(table)
    page.print(f"{SCALE_WORDS[scale]}{'' if compared else ': cosines of meaning vectors'}")


def _to_dict(hit: "Hit") -> dict[str, Any]:
    content = asdict(hit)
    return content if hit.id is not None else {k: v for k, v in content.items() if k != "id"}

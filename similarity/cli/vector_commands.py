"""`trajsim fit` and `trajsim embed`: meaning vectors from the command line."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from similarity.arrays import Rows
from similarity.cli.options import Command, model_options, open_model
from similarity.cli.progress import progress_bars
from similarity.cli.terminal import input_options
from similarity.errors import UnsupportedError
from similarity.extras import optional_module
from similarity.prompts import Prompt
from similarity.scorer import Progress
from similarity.tabular.formats import READ_FORMATS, STANDARD, format_of
from similarity.tabular.texts import read_texts
from similarity.tabular.writing import check_place, replace_output
from similarity.vectors.config import FEATURE_SETS, VectorConfig
from similarity.vectors.corpus import read_corpus
from similarity.vectors.fitting import fit as fit_vectors
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.shipped import GENERAL, open_vectors
from similarity.vectors.storage import save

# The place of the first text of some, and their vectors, shape "text width".
Parts = Iterator[tuple[int, Rows]]

# Texts that are encoded and written together.
WRITTEN_TEXTS = 1024


def vectors_option(command: Command) -> Command:
    """Add --vectors, which arrives as `where` for `open_vectors`."""
    return click.option(
        "--vectors",
        "where",
        default=GENERAL,
        show_default=True,
        help="Use the vectors in this folder, which `trajsim fit` made; 'general' ships with the "
        "embedded model.",
    )(command)


@click.command()
@click.option(
    "--corpus",
    "files",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    required=True,
    help="Fit to the texts in this file, one a line in UTF-8, also packed as .xz; may be repeated.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Keep the vectors' statistics in this folder; what it had is replaced.",
)
@click.option(
    "--per-file",
    type=click.IntRange(min=1),
    help="Take only so many texts of each file, drawn evenly.  [default: all]",
)
@click.option(
    "--features",
    type=click.Choice(list(FEATURE_SETS)),
    default="full",
    show_default=True,
    help="Describe texts by these features. 'top' is for models behind a server, which tell the "
    "most probable next tokens only; "
    "'scored' reads log-probabilities of given tokens alone.",
)
@click.option("--n-references", type=int, help="Read so many reference trajectories.")
@click.option("--reference-tokens", type=int, help="Cut each of them at so many tokens.")
@click.option(
    "--projection", type=int, help="Keep so many coordinates of a next-token distribution."
)
@click.option(
    "--top-k",
    type=int,
    help="Read so many of the most probable next tokens; 0 reads all. A vLLM "
    "server lists 20, or as many as its --max-logprobs says.",
)
@click.option(
    "--trigrams",
    type=float,
    help="Weigh the text's own letters by this; 0 leaves all to the model.",
)
@click.option("--shrinkage", type=float, help="Shrink the covariance by this, from 0 to 1.")
@click.option("--rank", type=int, help="Keep so many directions of each group of features.")
@click.option("--seed", type=int, help="Draw other reference trajectories with another seed.")
@click.option("--prompt-before", default=None, help="Put a prompt of your own before each text.")
@click.option("--prompt-after", default=None, help="Put a prompt of your own after each text.")
@model_options
def fit(
    files: tuple[Path, ...],
    out: Path,
    per_file: int | None,
    features: str,
    prompt_before: str | None,
    prompt_after: str | None,
    model_name: str,
    device: str,
    dtype: str,
    **settings: Any,
) -> None:
    """Fit meaning vectors to unlabelled text, in one pass over it."""
    config = _config(features, prompt_before, prompt_after, settings)
    model = open_model(model_name, device, dtype)
    texts = read_corpus(files, per_file)
    try:
        with progress_bars() as progress:
            vectors = fit_vectors(model, texts, config, progress("fitting", 0))
    except UnsupportedError as error:
        raise UnsupportedError(f"{error}, or give --features top") from error
    save(vectors, out)
    click.echo(f"fitted to {vectors.corpus.texts} texts: {vectors.width} coordinates, in {out}")


@click.command()
@click.argument("file")
@input_options(READ_FORMATS, "--format")
@click.option(
    "--out",
    metavar="FILE",
    help="Write to this file: .npy, shape (texts, coordinates) in float32, .jsonl or .parquet.  "
    "[default: print JSON lines]",
)
@click.option("--dimensions", type=int, help="Keep only the first so many coordinates.")
@vectors_option
@model_options
def embed(
    file: str,
    kind: str | None,
    columns: str | None,
    out: str | None,
    dimensions: int | None,
    where: str,
    model_name: str,
    device: str,
    dtype: str,
) -> None:
    """Give the meaning vectors of the texts in FILE.

    A file has one text a line, or is JSON lines, CSV, TSV or Parquet with a column of texts; - is
    standard input.
    """
    out = None if out == STANDARD else out
    written_as = "jsonl" if out is None else format_of(out, None, allowed=_WRITTEN)
    check_place(written_as, out)
    texts = read_texts(file, kind, columns)
    vectors = open_vectors(where, open_model(model_name, device, dtype))
    with progress_bars() as progress:
        parts = encoded(vectors, texts, dimensions, progress)
        if out is None:
            for start, rows in parts:
                click.echo(_lines(texts[start : start + len(rows)], rows), nl=False)
            return
        width = vectors.width if dimensions is None else dimensions
        write = _WRITTEN[written_as]
        replace_output(out, lambda new: write(new, texts, parts, width))
    click.echo(f"wrote {len(texts)} vectors of {width} coordinates to {out}", err=True)


def encoded(
    vectors: MeaningVectors, texts: Sequence[str], dimensions: int | None, progress: Progress
) -> Parts:
    """Yield the place and the vectors of some texts at a time, to hold no more than those."""
    advance = progress("encoding", len(texts))
    for start in range(0, len(texts), WRITTEN_TEXTS):
        some = texts[start : start + WRITTEN_TEXTS]
        yield start, vectors.encode(some, dimensions=dimensions, advance=advance)


def _config(
    features: str, before: str | None, after: str | None, settings: dict[str, Any]
) -> VectorConfig:
    """Return the preset with what was given instead."""
    given = {name: value for name, value in settings.items() if value is not None}
    if before is not None or after is not None:
        given["prompt"] = Prompt(before=before or "", after=after or "")
    return replace(FEATURE_SETS[features], **given)


def _lines(texts: Sequence[str], rows: Rows) -> str:
    return "".join(
        json.dumps({"text": text, "vector": [round(float(x), 7) for x in row]}) + "\n"
        for text, row in zip(texts, rows, strict=True)
    )


def _write_npy(path: Path, texts: Sequence[str], parts: Parts, width: int) -> None:
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (len(texts), width)}
        np.lib.format.write_array_header_1_0(file, header)
        for _, rows in parts:
            file.write(rows.astype("<f4").tobytes())


def _write_jsonl(path: Path, texts: Sequence[str], parts: Parts, _width: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for start, rows in parts:
            file.write(_lines(texts[start : start + len(rows)], rows))


def _write_parquet(path: Path, texts: Sequence[str], parts: Parts, width: int) -> None:
    pyarrow = optional_module("pyarrow", "Parquet needs")
    parquet = optional_module("pyarrow.parquet", "Parquet needs")
    vector = pyarrow.list_(pyarrow.float32(), width)
    schema = pyarrow.schema([("text", pyarrow.string()), ("vector", vector)])
    with parquet.ParquetWriter(path, schema) as writer:
        for start, rows in parts:
            flat = pyarrow.array(rows.astype("<f4").ravel())
            columns = [
                pyarrow.array(texts[start : start + len(rows)], pyarrow.string()),
                pyarrow.FixedSizeListArray.from_arrays(flat, width),
            ]
            writer.write_batch(pyarrow.record_batch(columns, schema=schema))


_WRITTEN = {"npy": _write_npy, "jsonl": _write_jsonl, "parquet": _write_parquet}

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
from similarity.cli.terminal import read_texts
from similarity.errors import InputError, UnsupportedError
from similarity.prompts import Prompt
from similarity.scorer import Progress
from similarity.storage.files import replace_file
from similarity.vectors.config import FEATURE_SETS, VectorConfig
from similarity.vectors.corpus import read_corpus
from similarity.vectors.fitting import fit as fit_vectors
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.shipped import GENERAL, open_vectors
from similarity.vectors.storage import save

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
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a .npy file, shape (texts, coordinates) in float32.  [default: print JSON lines]",
)
@click.option("--dimensions", type=int, help="Keep only the first so many coordinates.")
@vectors_option
@model_options
def embed(
    file: str,
    out: Path | None,
    dimensions: int | None,
    where: str,
    model_name: str,
    device: str,
    dtype: str,
) -> None:
    """Give the meaning vectors of the texts in FILE, one text a line; - is standard input."""
    texts = read_texts(file)
    vectors = open_vectors(where, open_model(model_name, device, dtype))
    with progress_bars() as progress:
        parts = encoded(vectors, texts, dimensions, progress)
        if out is None:
            for start, rows in parts:
                _print_lines(texts[start : start + len(rows)], rows)
        else:
            width = vectors.width if dimensions is None else dimensions
            _write_rows(out, parts, (len(texts), width))
            click.echo(f"wrote {len(texts)} vectors of {width} coordinates to {out}", err=True)


def encoded(
    vectors: MeaningVectors, texts: Sequence[str], dimensions: int | None, progress: Progress
) -> Iterator[tuple[int, Rows]]:
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


def _print_lines(texts: Sequence[str], rows: Rows) -> None:
    for text, row in zip(texts, rows, strict=True):
        click.echo(json.dumps({"text": text, "vector": [round(float(x), 7) for x in row]}))


def _write_rows(path: Path, parts: Iterator[tuple[int, Rows]], shape: tuple[int, int]) -> None:
    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for _, rows in parts:
                file.write(rows.astype("<f4").tobytes())

    try:
        replace_file(path, write)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error

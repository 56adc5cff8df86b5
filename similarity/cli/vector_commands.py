"""`trajsim fit` and `trajsim embed`: meaning vectors from the command line."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import numpy as np

from similarity.arrays import Rows
from similarity.cli.choices import ModelChoice, open_model
from similarity.cli.options import Command, model_options, truncate_option
from similarity.cli.progress import progress_bars
from similarity.cli.ray_options import job_options, run_job
from similarity.cli.terminal import input_options, json_option, print_json, print_warnings
from similarity.cli.vector_tables import print_profile
from similarity.distributed.cluster import Cluster
from similarity.distributed.work import Embedding
from similarity.errors import ConfigError
from similarity.extras import optional_module
from similarity.prompts import Prompt
from similarity.scorer import Progress
from similarity.tabular.formats import READ_FORMATS, STANDARD, format_of
from similarity.tabular.texts import read_texts, split_columns
from similarity.tabular.writing import check_place, replace_output
from similarity.vectors.corpus import read_corpus
from similarity.vectors.fitting import fit as fit_vectors
from similarity.vectors.general import GENERAL, config_for, open_vectors
from similarity.vectors.implied import telling_words
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.recipes import changed
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
        help="Use the vectors in this folder, which `trajsim fit` made; 'general' are those fitted "
        "to general text.",
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
    "--tokens",
    type=int,
    help="Read so many tokens of the vocabulary, as a model server must.  [default: all of them "
    "where the model gives its states, else 512]",
)
@click.option(
    "--trigrams", type=float, help="Weigh the texts' own words by this; 0 leaves them out."
)
@click.option("--shrinkage", type=float, help="Shrink the profiles' covariance by this, 0 to 1.")
@click.option("--prompt-before", default=None, help="Put a prompt of your own before each text.")
@click.option("--prompt-after", default=None, help="Put a prompt of your own after each text.")
@model_options
def fit(
    files: tuple[Path, ...],
    out: Path,
    per_file: int | None,
    tokens: int | None,
    trigrams: float | None,
    shrinkage: float | None,
    prompt_before: str | None,
    prompt_after: str | None,
    choice: ModelChoice,
) -> None:
    """Fit meaning vectors to unlabelled text of your own, in one pass over it."""
    prompt = None
    if prompt_before is not None or prompt_after is not None:
        prompt = Prompt(before=prompt_before or "", after=prompt_after or "")
    model = open_model(choice)
    config = changed(
        config_for(model), tokens=tokens, trigrams=trigrams, shrinkage=shrinkage, prompt=prompt
    )
    texts = read_corpus(files, per_file)
    with progress_bars() as progress:
        vectors = fit_vectors(model, texts, config, progress("fitting", 0))
    save(vectors, out)
    click.echo(f"fitted to {vectors.corpus.texts} texts: {vectors.width} coordinates, in {out}")


@click.command()
@click.argument("text")
@click.option(
    "--top", type=click.IntRange(min=1), default=10, show_default=True, help="Show so many words."
)
@json_option
@vectors_option
@model_options
def profile(text: str, top: int, as_json: bool, where: str, choice: ModelChoice) -> None:
    """Show the words that TEXT implies more than texts usually do."""
    model = open_model(choice)
    with progress_bars() as progress:
        vectors = open_vectors(where, model, progress).only("profile")
    words = telling_words(vectors, "profile", vectors.read([text])["profile"], top)
    if as_json:
        names = ("word", "beyond_usual", "log_probability")
        print_json({"text": text, "words": [dict(zip(names, word, strict=True)) for word in words]})
    else:
        print_profile(text, words)


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
@truncate_option
@vectors_option
@job_options
@model_options
def embed(
    file: str,
    kind: str | None,
    columns: str | None,
    out: str | None,
    dimensions: int | None,
    truncate: str,
    where: str,
    partition_rows: int,
    cluster: Cluster | None,
    choice: ModelChoice,
) -> None:
    """Give the meaning vectors of the texts in FILE.

    A file has one text a line, or is JSON lines, CSV, TSV or Parquet with a column of texts; - is
    standard input. With --ray FILE is any path or address that Ray Data knows, such as a folder or
    s3://bucket/texts.parquet, and --out a folder of Parquet files.
    """
    out = None if out == STANDARD else out
    if cluster is not None:
        if out is None:
            raise ConfigError("--ray writes a folder of Parquet files; name it by --out")
        run_job(
            cluster,
            Embedding(
                vectors=where,
                columns=split_columns(columns),
                dimensions=dimensions,
                truncate=truncate,
            ),
            source=file,
            output=out,
            model=choice,
            kind=kind,
            columns=columns,
            rows=partition_rows,
        )
        return
    written_as = "jsonl" if out is None else format_of(out, None, allowed=_WRITTEN)
    check_place(written_as, out)
    texts = read_texts(file, kind, columns)
    model = open_model(choice)
    with progress_bars() as progress:
        vectors = open_vectors(where, model, progress)
        parts = encoded(vectors, texts, dimensions, truncate, progress)
        if out is None:
            for start, rows in parts:
                click.echo(_lines(texts[start : start + len(rows)], rows), nl=False)
            return
        width = vectors.width if dimensions is None else dimensions
        write = _WRITTEN[written_as]
        replace_output(out, lambda new: write(new, texts, parts, width))
    click.echo(f"wrote {len(texts)} vectors of {width} coordinates to {out}", err=True)


def encoded(
    vectors: MeaningVectors,
    texts: Sequence[str],
    dimensions: int | None,
    truncate: str,
    progress: Progress,
) -> Parts:
    """Yield the place and the vectors of some texts at a time, to hold no more than those.

    At the end it warns of the texts that were cut.
    """
    on_progress = progress("encoding", len(texts))
    truncator = vectors.truncator(truncate)
    for start in range(0, len(texts), WRITTEN_TEXTS):
        some = truncator.cut(texts[start : start + WRITTEN_TEXTS])
        yield start, vectors.encode(some, dimensions=dimensions, on_progress=on_progress)
    print_warnings(truncator.warnings(texts))


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

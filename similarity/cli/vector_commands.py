"""`trajsim fit` and `trajsim embed`: meaning vectors from the command line."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from similarity.cli.answers import cache_option, store_of
from similarity.cli.apart import note_folder, note_read, note_written
from similarity.cli.choices import ModelChoice, open_model
from similarity.cli.images import note_paths
from similarity.cli.notes import note
from similarity.cli.numbers import FINITE
from similarity.cli.options import Command, model_options, truncate_option
from similarity.cli.progress import progress_bars
from similarity.cli.ray_options import job_options, run_job
from similarity.cli.reading import texts_of
from similarity.cli.stopping import note_goes_on
from similarity.cli.terminal import (
    NewFolder,
    input_options,
    json_option,
    print_json,
    print_warnings,
)
from similarity.cli.vector_tables import print_profile
from similarity.distributed.cluster import Cluster
from similarity.distributed.work import Embedding
from similarity.errors import ConfigError
from similarity.presets import VECTOR_PRESETS
from similarity.prompts import Prompt
from similarity.storage.files import check_folder
from similarity.storage.parts import check_parts
from similarity.tabular.formats import READ_FORMATS, STANDARD, format_of
from similarity.tabular.texts import split_columns
from similarity.tabular.writing import check_place
from similarity.vectors.corpus import ENOUGH, LONGEST, SHORTEST, few_to_fit, read_corpus
from similarity.vectors.fitting import fit as fit_vectors
from similarity.vectors.general import GENERAL, find_vectors, open_vectors
from similarity.vectors.implied import check_words, likelier_words
from similarity.vectors.recipes import changed, config_for
from similarity.vectors.storage import KIND, save
from similarity.vectors.stored import stored
from similarity.vectors.stream import WRITTEN, as_lines, check_texts, encoded, write_vectors


def vectors_option(command: Command) -> Command:
    """Add --vectors, which arrives as `where` for `open_vectors`."""
    return click.option(
        "--vectors",
        "where",
        default=GENERAL,
        show_default=True,
        callback=note_folder,
        help="Use the vectors in this folder, which `trajsim fit` made; 'general' are those fitted "
        "to general text.",
    )(command)


def vector_preset_option(command: Command) -> Command:
    """Add --preset, of those that have vectors; it arrives as `preset` for `open_vectors`."""
    return click.option(
        "--preset",
        type=click.Choice(list(VECTOR_PRESETS)),
        help="Join the vectors whose cosine this preset compares by, as in `trajsim compare`.  "
        "[default: meaning]",
    )(command)


@click.command()
@click.option(
    "--corpus",
    "files",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    required=True,
    help="Fit to the texts in this file, one a line in UTF-8; may be repeated.",
)
@input_options()
@click.option(
    "--out",
    type=NewFolder(reserved=GENERAL),
    required=True,
    help="Keep the vectors' statistics in this folder, new or of an earlier fit, which is "
    "replaced.",
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
    "--trigrams",
    type=FINITE,
    help="Weigh the texts' own words by this; 0 leaves them out.  [default: 0.3]",
)
@click.option("--shrinkage", type=FINITE, help="Shrink the profiles' covariance by this, 0 to 1.")
@click.option("--prompt-before", default=None, help="Put a prompt of your own before each text.")
@click.option("--prompt-after", default=None, help="Put a prompt of your own after each text.")
@model_options
def fit(
    files: tuple[Path, ...],
    kind: str | None,
    columns: str | None,
    out: Path,
    per_file: int | None,
    tokens: int | None,
    trigrams: float | None,
    shrinkage: float | None,
    prompt_before: str | None,
    prompt_after: str | None,
    choice: ModelChoice,
) -> None:
    """Fit meaning vectors to unlabelled text of your own, in one pass over it.

    Texts are cut into sentences. Those of fewer than 12 or more than 400 characters are left out.
    """
    prompt = None
    if prompt_before is not None or prompt_after is not None:
        prompt = Prompt(before=prompt_before or "", after=prompt_after or "")
    check_folder(out)
    KIND.check_place(out)
    model = open_model(choice)
    config = changed(
        config_for(model), tokens=tokens, trigrams=trigrams, shrinkage=shrinkage, prompt=prompt
    )
    left_out: Counter[str] = Counter()
    different: set[str] = set()
    texts = read_corpus(
        files,
        per_file,
        lambda _text: left_out.update(["sentences"]),
        kind=kind,
        columns=columns,
    )
    try:
        with progress_bars() as progress:
            vectors = fit_vectors(model, _noting(texts, different), config, progress("fitting", 0))
    finally:
        # Also where too few are left, as this may be why.
        if count := left_out.total():
            note(
                f"left out, of fewer than {SHORTEST} or more than {LONGEST} characters: "
                f"{count} of the sentences"
            )
    save(vectors, out)
    parts = ", ".join(
        f"{name} {group.whitening.matrix.shape[1]}" for name, group in vectors.groups.items()
    )
    for warning in few_to_fit(min(vectors.corpus.texts, len(different))):
        note(warning)
    click.echo(
        f"fitted to {vectors.corpus.texts} texts: {vectors.width} coordinates ({parts}), in {out}"
    )


def _noting(texts: Iterable[str], different: set[str]) -> Iterator[str]:
    """Pass texts on, and keep those that differ until there are ENOUGH."""
    for text in texts:
        if len(different) < ENOUGH:
            different.add(text)
        yield text


@click.command()
@click.argument("text")
@click.option(
    "--top", type=click.IntRange(min=1), default=10, show_default=True, help="Show so many words."
)
@truncate_option
@json_option
@vectors_option
@model_options
def profile(
    text: str, top: int, truncate: str, as_json: bool, where: str, choice: ModelChoice
) -> None:
    """Show the words that TEXT implies more than texts usually do."""
    model = open_model(choice)
    source = find_vectors(where, model)
    check_words(model, source.config)
    with progress_bars() as progress:
        vectors = source.open("profile", progress=progress)
    truncator = vectors.truncator(truncate)
    features = vectors.read(truncator.cut([text]))["profile"]
    words = likelier_words(vectors, "profile", features, top)
    print_warnings(truncator.warnings([text]))
    if as_json:
        names = ("word", "beyond_usual", "log_probability")
        print_json({"text": text, "words": [dict(zip(names, word, strict=True)) for word in words]})
    else:
        print_profile(text, words)


@click.command()
@click.argument("file", callback=note_read)
@input_options(READ_FORMATS, "--format")
@click.option(
    "--out",
    metavar="FILE",
    callback=note_written,
    help="Write to this file: .npy, shape (texts, coordinates) in float32, .jsonl or .parquet.  "
    "[default: print JSON lines]",
)
@click.option("--dimensions", type=int, help="Keep only the first so many coordinates.")
@truncate_option
@vector_preset_option
@vectors_option
@cache_option
@job_options
@model_options
def embed(
    file: str,
    kind: str | None,
    columns: str | None,
    out: str | None,
    dimensions: int | None,
    truncate: str,
    preset: str | None,
    where: str,
    partition_rows: int,
    cluster: Cluster | None,
    choice: ModelChoice,
) -> None:
    """Give the meaning vectors of the texts in FILE.

    A file has one text a line, or is JSON lines, CSV, TSV or Parquet with a column of texts; - is
    standard input.

    FILE may be a folder: each .txt and .md file in it is one text, called by its path.

    With --ray FILE is any path or address that Ray Data knows, such as a folder of such files or
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
                preset=preset,
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
    written_as = "jsonl" if out is None else format_of(out, None, allowed=WRITTEN, flag=None)
    check_place(written_as, out)
    if out is not None:
        check_parts(Path(out))
        note_goes_on()
    read = texts_of(file, kind, columns)
    note_paths(read.texts)
    texts, ids = read.texts, read.ids
    model = open_model(choice)
    with progress_bars() as progress:
        vectors = stored(open_vectors(where, model, progress, preset=preset), store_of(model))
        truncator = vectors.truncator(truncate)
        on_progress = progress("encoding", len(texts))
        if out is None:
            check_texts(vectors, texts, truncator)
            for start, rows in encoded(vectors, texts, dimensions, truncator, on_progress):
                click.echo(as_lines(texts, ids, start, rows), nl=False)
        else:
            place = Path(out)
            width = write_vectors(
                vectors, texts, place, written_as, dimensions, truncator, on_progress, ids
            )
            note(f"wrote {len(texts)} vectors of {width} coordinates to {out}")
    print_warnings(truncator.warnings(texts))

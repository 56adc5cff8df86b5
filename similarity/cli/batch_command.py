"""`trajsim batch`: a file of pairs in, a file of scores out."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from similarity.batch import CHUNK_LINES, BatchFiles, Done, check_files, finished, open_batch
from similarity.batch.files import READ
from similarity.cli.choices import ModelChoice, ScoringChoice, chosen_scorer, open_model
from similarity.cli.notes import note
from similarity.cli.options import model_options, refuse_options, scoring_options
from similarity.cli.places import said
from similarity.cli.progress import progress_bar, progress_in_parts, working
from similarity.cli.ray_options import job_options, run_job
from similarity.cli.reading import reading
from similarity.cli.stopping import note_goes_on
from similarity.cli.terminal import input_options
from similarity.digests import digest_of
from similarity.distributed.cluster import Cluster
from similarity.distributed.work import Scoring
from similarity.errors import ConfigError, InputError
from similarity.known_scales import scale_files
from similarity.models.revision import stamp
from similarity.scorer import Scorer
from similarity.tabular.formats import STANDARD, open_binary, place
from similarity.tabular.texts import has_header, split_columns


@click.command()
@click.argument("source", metavar="INPUT")
@click.argument("output")
@input_options(READ, "--format")
@click.option(
    "--errors",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the lines that cannot be compared here, with the reason.  [default: beside "
    "OUTPUT, as OUTPUT.errors.jsonl]",
)
@click.option(
    "--chunk",
    default=CHUNK_LINES,
    show_default=True,
    help="Compare so many lines together, and fewer of them where they have long lists; a killed "
    "batch does no more than those again.",
)
@job_options
@model_options
@scoring_options
def batch(
    source: str,
    output: str,
    kind: str | None,
    columns: str | None,
    errors: Path | None,
    chunk: int,
    partition_rows: int,
    cluster: Cluster | None,
    scoring: ScoringChoice,
    choice: ModelChoice,
) -> None:
    """Score the pairs and lists of texts in INPUT into OUTPUT.

    INPUT is JSON lines, CSV, TSV or Parquet; - is standard input. A row has two columns of texts,
    such as text1 and text2. A JSON line may also be {"pair": ["…", "…"]} or {"texts": ["…", …]}.
    In JSON lines {"image": "photo.jpg"} may stand for a text, with a model that reads images.
    Its custom_id or id is repeated in the answer; without one the number of the line is. Columns of
    texts with other names are named by --columns, and after them that of the id, if there is one.

    OUTPUT has all fields of INPUT and the scores. It is JSON lines, or a table if its name ends in
    .csv or .tsv. A batch that was stopped, however that was, goes on when the same command is given
    again, unless the input or an image of a line that is done has changed.

    With --ray OUTPUT is a folder of Parquet files, and INPUT any path or address that Ray Data
    knows, such as a folder or s3://bucket/pairs.jsonl.
    """
    if output == STANDARD:
        raise ConfigError("OUTPUT must be a file, as a batch that was stopped goes on from it")
    if cluster is not None:
        refuse_options(["--errors"], "is of a batch without --ray; leave it out")
        request, names = scoring.request(), split_columns(columns)
        run_job(
            cluster,
            Scoring(request=request, vectors=scoring.vectors, columns=names, together=chunk),
            source=source,
            output=output,
            model=choice,
            kind=kind,
            columns=columns,
            rows=partition_rows,
        )
        return
    with _stored(source) as path:
        files = BatchFiles(
            input=path,
            output=Path(output),
            errors=errors,
            kind=kind,
            columns=columns,
            called=place(source),
        )
        check_files(files)
        if not has_header(files.names) and files.read_as in ("csv", "tsv"):
            note(
                "the first line is compared as all others, as --columns gives numbers; give names "
                "where it has names"
            )
        options = _options_digest(choice, scoring, chunk)
        with progress_bar(reading(source), "line", 0) as on_read:
            before = finished(files, options, on_read)
        if before is not None:
            _say_finished(before, files)
            return
        note_goes_on()
        scorer = chosen_scorer(open_model(choice), scoring)
        _score(scorer, files, chunk, options)


def _options_digest(choice: ModelChoice, scoring: ScoringChoice, chunk: int) -> str:
    """Return a digest of all options, by which a finished batch is recognized.

    It changes with the files that the options name. Then the fingerprint decides.
    """
    named = [Path(name) for name in (choice.name, scoring.vectors) if name]
    content = {
        "model": asdict(choice),
        "files": [stamp(path) for path in (*named, *scale_files())],
        "preset": scoring.preset,
        "vectors": scoring.vectors,
        "truncate": scoring.truncate,
        "given": scoring.given,
        "settings": scoring.config.to_dict(),
        "chunk": chunk,
    }
    return digest_of(content)


def _score(scorer: Scorer, files: BatchFiles, chunk: int, options: str) -> None:
    reason = partial(said, click.get_current_context())
    with ExitStack() as held:
        with progress_bar(reading(files.source), "line", 0) as on_read:
            opened = held.enter_context(
                open_batch(scorer, files, chunk, options=options, reason=reason, on_read=on_read)
            )
        renamed = [name for name, there in opened.carried.items() if there.strip() != name.strip()]
        if renamed:
            named = ", ".join(f"{name} is {opened.carried[name]}" for name in renamed)
            note(f"of the columns of the input, in the output {named}")
        if opened.done.lines == opened.total:
            _say_finished(opened.done, files)
            return
        if opened.done.lines:
            note(f"{opened.done.lines} of {opened.total} lines were done before")
        total, before = opened.total, opened.done.lines
        with progress_in_parts("scoring", "line", total, before) as (on_progress, progress):
            opened.run(on_progress, progress)
        done = opened.done
    _check_answered(done, files)
    written = done.lines - done.refused
    answers = "answer" if written == 1 else "answers"
    note(f"wrote {written} {answers} to {files.output}")
    if done.refused:
        lines = "line" if done.refused == 1 else "lines"
        note(f"{done.refused} {lines} could not be compared: {files.refused}")


def _say_finished(done: Done, files: BatchFiles) -> None:
    _check_answered(done, files)
    note(
        f"{files.output} is finished, with answers to {done.lines - done.refused} of {done.lines} "
        f"lines; to begin anew, delete it, {files.journal.name} and {files.refused.name}"
    )


def _check_answered(done: Done, files: BatchFiles) -> None:
    if done.refused == done.lines:
        first = _first_refusal(files)
        raise InputError(
            f"no line could be compared: {files.refused} says why; line {first['line']}: "
            f"{first['reason']}"
        )


def _first_refusal(files: BatchFiles) -> dict[str, Any]:
    with files.refused.open(encoding="utf-8") as lines:
        content: dict[str, Any] = json.loads(lines.readline())
    return content


@contextmanager
def _stored(source: str) -> Iterator[Path]:
    """Give the path of a file; what comes by a pipe is stored, as a batch reads it more than once.

    That is standard input, and what a shell gives for `<(…)`.
    """
    path = Path(source)
    if source != STANDARD and (path.is_file() or path.is_dir() or not path.exists()):
        yield path
        return
    with TemporaryDirectory() as folder:
        stored = Path(folder) / "input"
        with (
            working(reading(source)),
            open_binary(source) as pipe,
            stored.open("wb") as file,
        ):
            shutil.copyfileobj(pipe, file)
        yield stored

"""Answers the lines of a batch, chunk by chunk."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from similarity.batch.answering import Answering, Reason
from similarity.batch.carrying import Carried, carried_fields, cell, table_columns
from similarity.batch.chunks import CHUNK_LINES, chunks
from similarity.batch.files import (
    BatchFiles,
    check_new,
    header_of,
    stamp_of,
)
from similarity.batch.growing import Growing, Place, check_written, open_both
from similarity.batch.images import changed_images, check_same_images, image_digests
from similarity.batch.lines import Answer
from similarity.errors import ConfigError, InputError
from similarity.models.base import OnProgress, ignore_progress
from similarity.scorer import Progress, Scorer, no_progress
from similarity.storage.journal import Journal
from similarity.tabular.dialects import CsvDialect
from similarity.tabular.records import OnRead, Record, counted, ignore_read
from similarity.tabular.values import json_text
from similarity.tabular.writing import table_lines
from similarity.texts.truncation import truncation_header

# In a journal's entry: the images that no record had before, each with its digest.
_IMAGES = "images"


@dataclass(frozen=True, kw_only=True)
class Done:
    """How far a batch has come: lines answered and refused, and each file's bytes and digest.

    `asked`, as journals name it, is the digest of options that `open_batch` was given.
    """

    lines: int = 0
    refused: int = 0
    output: int = 0
    output_digest: str = ""
    errors: int = 0
    errors_digest: str = ""
    asked: str = ""


@dataclass(kw_only=True)
class Batch:
    """A batch that is open, and locked for other processes; `open_batch` makes one.

    Attributes
    ----------
    total
        Records of the input.
    output, errors
        The files that it appends to.
    done
        How far it has come, in earlier runs too.
    images
        The digests of the images whose records are done, by path.
    carried
        The fields of the input that the output has.
    dialect
        Of the output, if it is CSV.
    stamp
        Size and time of change of the input, before any of it was read.
    options, reason
        As `open_batch` takes them.
    """

    scorer: Scorer
    files: BatchFiles
    chunk_lines: int
    total: int
    journal: Journal
    output: Growing
    errors: Growing
    done: Done
    images: dict[str, str]
    carried: Carried
    dialect: CsvDialect
    stamp: tuple[int, int]
    options: str = ""
    reason: Reason = str

    def run(
        self, on_progress: OnProgress = ignore_progress, progress: Progress = no_progress
    ) -> None:
        """Answer all lines that are left.

        Parameters
        ----------
        on_progress
            Called with the number of lines of each chunk.
        progress
            Follows the stages of each chunk.

        Raises
        ------
        InputError
            If a file cannot be read or written, or the input was changed since the batch was
            opened. A line that cannot be compared goes into the errors file instead.
        ConfigError
            If an image has changed since a record with it was answered.
        ModelError
            If the model fails: the same batch can be taken up later.
        """
        answering = Answering(
            self.scorer,
            self.files.names,
            matrices=self.files.written_as == "jsonl",
            carried=self.carried,
            reason=self.reason,
        )
        records = islice(self.files.records(), self.done.lines, None)
        for chunk in chunks(records, self.chunk_lines):
            self._check_unchanged()
            new = self._new_images(chunk)
            answers = answering.answers(chunk, progress)
            scored = [answer for answer in answers if not answer.refused]
            refused = [answer for answer in answers if answer.refused]
            written, refusals = self._written(scored), _as_lines(refused)
            self.output.check_next(written)
            self.errors.check_next(refusals)
            self.output.append(written)
            self.errors.append(refusals)
            self.done = Done(
                lines=self.done.lines + len(chunk),
                refused=self.done.refused + len(refused),
                output=self.output.size,
                output_digest=self.output.digest,
                errors=self.errors.size,
                errors_digest=self.errors.digest,
                asked=self.options,
            )
            # Most batches have no images: their journals say nothing of any.
            self.journal.append(asdict(self.done) | ({_IMAGES: new} if new else {}))
            self.images |= new
            on_progress(len(chunk))
        self._check_unchanged()

    def _check_unchanged(self) -> None:
        """Refuse what was read of an input that is not the one whose digest the journal has."""
        if stamp_of(self.files) != self.stamp:
            raise InputError(
                f"{self.files.source} was changed while it was read; the answers so far are of "
                f"what it was. Undo the change and give the same command again, or "
                f"{self.files.anew}"
            )

    def _new_images(self, chunk: Sequence[Record]) -> dict[str, str]:
        """Return the digests of images that no record had before; refuse others than it had."""
        found = image_digests(chunk, self.files.names)
        known = self.images
        changed = [path for path in found.keys() & known.keys() if found[path] != known[path]]
        check_same_images(sorted(changed), self.files.anew)
        return {path: found[path] for path in found if path not in known}

    def _written(self, answers: Sequence[Answer]) -> str:
        kind = self.files.written_as
        if kind == "jsonl":
            return _as_lines(answers)
        if not answers:
            return ""
        columns = table_columns(self.carried)
        rows = ([cell(name, answer.content.get(name)) for name in columns] for answer in answers)
        # The header goes before the first of them.
        lines = table_lines(columns, rows, kind, self.dialect)
        return "".join(islice(lines, int(self.done.output > 0), None))


def _as_lines(answers: Sequence[Answer]) -> str:
    return "".join(json_text(answer.content, allow_nan=False) + "\n" for answer in answers)


@contextmanager
def open_batch(
    scorer: Scorer,
    files: BatchFiles,
    chunk_lines: int = CHUNK_LINES,
    *,
    options: str = "",
    reason: Reason = str,
    on_read: OnRead = ignore_read,
) -> Iterator[Batch]:
    """Begin a batch, or take up the one whose output this is.

    Parameters
    ----------
    options
        Digest of all options that chose the scorer. `finished` knows a batch of the same by it.
    reason
        Says why a record is refused, in the errors file.
    on_read
        Called now and then with the number of lines that were read since the last call. All are,
        before the first is answered.

    Raises
    ------
    InputError
        If a file cannot be read or written, is not of a batch, or another process writes it.
    ConfigError
        If the output is of another input, model or setting, or of images that have changed; the
        message says what differs.
    """
    if chunk_lines < 1:
        raise ConfigError(f"a chunk must have at least 1 line, got {chunk_lines}")
    check_new(files)
    stamp = stamp_of(files)
    carried, total = _carried(files, on_read)
    header = {
        **header_of(files),
        "fingerprint": scorer.fingerprint.to_dict(),
        "fields of the input in the output": list(carried.values()),
        "lines of a chunk": chunk_lines,
        **truncation_header(scorer.truncate, scorer.fingerprint.model),
    }
    with Journal.open(files.journal, header) as journal:
        done, images = _come_to(journal.entries())
        check_same_images(changed_images(images), files.anew)
        is_whole = done.lines == total
        with open_both(journal, *_places(files, done), files.anew, finished=is_whole) as (
            output,
            errors,
        ):
            yield Batch(
                scorer=scorer,
                files=files,
                chunk_lines=chunk_lines,
                total=total,
                journal=journal,
                output=output,
                errors=errors,
                done=done,
                images=images,
                carried=carried,
                dialect=files.dialect,
                stamp=stamp,
                options=options,
                reason=reason,
            )


def finished(files: BatchFiles, options: str, on_read: OnRead = ignore_read) -> Done | None:
    """Return what a finished batch has done, without a model; None of any other batch.

    Parameters
    ----------
    options
        The digest that `open_batch` was given.
    on_read
        As `open_batch` takes it.

    Raises
    ------
    InputError
        If a file cannot be read, or the output or the errors file is not as it was written.
    """
    if (found := Journal.peek(files.journal)) is None or not options:
        return None
    header, entries = found
    try:
        done, images = _come_to(entries)
    except TypeError:  # of another version
        return None
    if done.asked != options or not header.items() >= header_of(files).items():
        return None
    if done.lines != _carried(files, on_read)[1] or changed_images(images):
        return None
    for place in _places(files, done):
        check_written(place, files.anew, finished=True)
    return done


def _places(files: BatchFiles, done: Done) -> tuple[Place, Place]:
    return (
        (files.output, done.output, done.output_digest),
        (files.refused, done.errors, done.errors_digest),
    )


def _come_to(entries: Iterable[dict[str, Any]]) -> tuple[Done, dict[str, str]]:
    """Return how far a journal says that a batch has come, and the digests of its images."""
    done, images = Done(), dict[str, str]()
    for entry in entries:
        images |= entry.pop(_IMAGES, {})
        done = Done(**entry)
    return done, images


def _carried(files: BatchFiles, on_read: OnRead) -> tuple[Carried, int]:
    id_column = files.names[2] if len(files.names) > 2 else None
    return carried_fields(counted(files.records(), on_read), id_column)

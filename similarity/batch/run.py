"""Answers the lines of a batch, chunk by chunk."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice

from similarity.batch.answering import Answering
from similarity.batch.answers import as_lines, as_rows
from similarity.batch.files import BatchFiles, check_new, digest_of, open_at
from similarity.batch.lines import Answer
from similarity.errors import ConfigError
from similarity.models.base import OnProgress, ignore_progress
from similarity.scorer import Progress, Scorer, no_progress
from similarity.storage.journal import Journal

CHUNK_LINES = 64


@dataclass(frozen=True, kw_only=True)
class Done:
    """How far a batch has come: lines answered and refused, and each file's bytes and digest."""

    lines: int = 0
    refused: int = 0
    output: int = 0
    output_digest: str = ""
    errors: int = 0
    errors_digest: str = ""


@dataclass(kw_only=True)
class Batch:
    """A batch that is open, and locked for other processes; `open_batch` makes one.

    Attributes
    ----------
    total
        Records of the input.
    done
        How far it has come, in earlier runs too.
    """

    scorer: Scorer
    files: BatchFiles
    chunk_lines: int
    total: int
    journal: Journal
    done: Done

    def run(
        self, on_progress: OnProgress = ignore_progress, progress: Progress = no_progress
    ) -> None:
        """Answer all lines that are left; `on_progress` is told the number of each chunk's lines.

        Parameters
        ----------
        progress
            Follows the stages of each chunk.

        Raises
        ------
        InputError
            If a file cannot be read or written. A line that cannot be compared goes into the
            errors file instead.
        ModelError
            If the model fails: the same batch can be taken up later.
        """
        with (
            open_at(self.files.output, self.done.output, self.done.output_digest) as output,
            open_at(self.files.refused, self.done.errors, self.done.errors_digest) as errors,
        ):
            answering = Answering(
                self.scorer, self.files.names, matrices=self.files.written_as == "jsonl"
            )
            records = islice(self.files.records(), self.done.lines, None)
            while chunk := list(islice(records, self.chunk_lines)):
                answers = answering.answers(chunk, progress)
                scored = [answer for answer in answers if not answer.refused]
                refused = [answer for answer in answers if answer.refused]
                output.append(self._written(scored))
                errors.append(as_lines(refused))
                self.done = Done(
                    lines=self.done.lines + len(chunk),
                    refused=self.done.refused + len(refused),
                    output=output.size,
                    output_digest=output.digest,
                    errors=errors.size,
                    errors_digest=errors.digest,
                )
                self.journal.append(asdict(self.done))
                on_progress(len(chunk))

    def _written(self, answers: Sequence[Answer]) -> str:
        kind = self.files.written_as
        if kind == "jsonl":
            return as_lines(answers)
        return as_rows(answers, kind, header=self.done.output == 0)


@contextmanager
def open_batch(
    scorer: Scorer, files: BatchFiles, chunk_lines: int = CHUNK_LINES
) -> Iterator[Batch]:
    """Begin a batch, or take up the one whose output this is.

    Raises
    ------
    InputError
        If a file cannot be read or written, is not of a batch, or another process writes it.
    ConfigError
        If the output is of another input, model or setting; the message says what differs.
    """
    if chunk_lines < 1:
        raise ConfigError(f"a chunk must have at least 1 line, got {chunk_lines}")
    check_new(files)
    header = {
        "fingerprint": scorer.fingerprint.to_dict(),
        "SHA-256 of the input": digest_of(files.input),
        "format of the input": files.read_as,
        "columns": files.columns,
        "errors file": os.path.relpath(files.refused, files.output.parent),
        "lines of a chunk": chunk_lines,
        "truncate": scorer.truncate,
    }
    with Journal.open(files.journal, header) as journal:
        done = Done()
        for entry in journal.entries():
            done = Done(**entry)
        yield Batch(
            scorer=scorer,
            files=files,
            chunk_lines=chunk_lines,
            total=sum(1 for _ in files.records()),
            journal=journal,
            done=done,
        )

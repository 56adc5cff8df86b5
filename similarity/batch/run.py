"""Answers the lines of a batch, chunk by chunk."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

from similarity.batch.files import BatchFiles, append, check_new, open_at, scan
from similarity.batch.lines import Answer, Item, Line, parse, read_line, refusal
from similarity.errors import ConfigError, InputError
from similarity.models.base import Advance, ignore_progress
from similarity.scorer import Scorer
from similarity.storage.journal import Journal

CHUNK_LINES = 64


@dataclass(frozen=True, kw_only=True)
class Done:
    """How far a batch has come: lines answered and refused, and the bytes of each file."""

    lines: int = 0
    refused: int = 0
    input: int = 0
    output: int = 0
    errors: int = 0


@dataclass(kw_only=True)
class Batch:
    """A batch that is open, and locked for other processes; `open_batch` makes one.

    Attributes
    ----------
    total
        Lines of the input.
    done
        How far it has come, in earlier runs too.
    """

    scorer: Scorer
    files: BatchFiles
    chunk_lines: int
    total: int
    journal: Journal
    done: Done

    def run(self, advance: Advance = ignore_progress) -> None:
        """Answer all lines that are left; `advance` is told the number of each chunk's lines.

        Raises
        ------
        InputError
            If a file cannot be read or written. A line that cannot be compared goes into the
            errors file instead.
        ModelError
            If the model fails: the same batch can be taken up later.
        """
        with (
            self.files.input.open("rb") as source,
            open_at(self.files.output, self.done.output) as output,
            open_at(self.files.refused, self.done.errors) as errors,
        ):
            source.seek(self.done.input)
            while lines := self._next_lines(source):
                answers = self._answers(lines)
                scored = [answer for answer in answers if not answer.refused]
                refused = [answer for answer in answers if answer.refused]
                self.done = Done(
                    lines=self.done.lines + len(lines),
                    refused=self.done.refused + len(refused),
                    input=source.tell(),
                    output=append(output, self.files.output, _written(scored)),
                    errors=append(errors, self.files.refused, _written(refused)),
                )
                self.journal.append(asdict(self.done))
                advance(len(lines))

    def _next_lines(self, source: BinaryIO) -> list[Line]:
        contents = (read_line(source) for _ in range(self.chunk_lines))
        return [
            Line(number, content.removesuffix(b"\n"))
            for number, content in enumerate(contents, self.done.lines + 1)
            if content
        ]

    def _answers(self, lines: Sequence[Line]) -> list[Answer]:
        """Return the answer to each line, in order; the pairs are compared together."""
        items = self._comparable([_parsed(line) for line in lines])
        pairs = [item for item in items if isinstance(item, Item) and item.is_pair]
        compared = self._pair_answers(pairs)
        return [self._answer(item, compared) for item in items]

    def _answer(self, item: Item | Answer, compared: Iterator[Answer]) -> Answer:
        if isinstance(item, Answer):
            return item
        return next(compared) if item.is_pair else self._matrix_answer(item)

    def _comparable(self, items: Sequence[Item | Answer]) -> list[Item | Answer]:
        """Refuse the items with a text that the model cannot take, found out one by one."""
        try:
            self._check([item for item in items if isinstance(item, Item)])
        except InputError:
            return [item if isinstance(item, Answer) else self._checked(item) for item in items]
        return list(items)

    def _checked(self, item: Item) -> Item | Answer:
        try:
            self._check([item])
        except InputError as error:
            return refusal(item.line, error, item.custom_id)
        return item

    def _check(self, items: Sequence[Item]) -> None:
        texts = list(dict.fromkeys(text for item in items for text in item.texts))
        self.scorer.check(texts)

    def _pair_answers(self, items: Sequence[Item]) -> Iterator[Answer]:
        scored = self.scorer.score([(item.texts[0], item.texts[1]) for item in items])
        for item, score in zip(items, scored, strict=True):
            yield self._answered(item, score.numbers())

    def _matrix_answer(self, item: Item) -> Answer:
        result = self.scorer.matrix(item.texts)
        scores = {
            "similarities": result.similarities.tolist(),
            "distances": result.distances.tolist(),
        }
        return self._answered(item, scores)

    def _answered(self, item: Item, scores: Mapping[str, Any]) -> Answer:
        digest = self.scorer.fingerprint.digest
        return Answer({"custom_id": item.custom_id, **scores, "fingerprint": digest})


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
    total, digest = scan(files.input)
    header = {
        "fingerprint": scorer.fingerprint.to_dict(),
        "SHA-256 of the input": digest,
        "errors file": os.path.relpath(files.refused, files.output.parent),
        "lines of a chunk": chunk_lines,
    }
    with Journal.open(files.journal, header) as journal:
        done = Done()
        for entry in journal.entries():
            done = Done(**entry)
        yield Batch(
            scorer=scorer,
            files=files,
            chunk_lines=chunk_lines,
            total=total,
            journal=journal,
            done=done,
        )


def _parsed(line: Line) -> Item | Answer:
    try:
        return parse(line)
    except InputError as error:
        return refusal(line, error)


def _written(answers: Sequence[Answer]) -> str:
    return "".join(json.dumps(answer.content, allow_nan=False) + "\n" for answer in answers)

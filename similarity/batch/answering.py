"""Makes the answers to the records of a batch, wherever those are written."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from similarity.batch.carrying import ID, Carried, repeated
from similarity.batch.lines import Answer, Item, parse, refusal
from similarity.errors import (
    ImageError,
    InputError,
    RequestRefusedError,
    TrajsimError,
    UnsupportedError,
)
from similarity.images.image import Image
from similarity.scorer import Progress, Scorer, no_progress
from similarity.tabular.records import Record

# Says an error in one line.
Reason = Callable[[TrajsimError], str]

# What a model that takes other lines may say of one. Of texts alone that is just the refusal of a
# server, which is known to take others; the rest concerns all lines then, and ends the batch.
_OF_A_LINE = (ImageError, UnsupportedError, RequestRefusedError)


class Answering:
    """Compares the texts of records; a record that cannot be compared loses no other.

    Parameters
    ----------
    columns
        Those that have the two texts of a pair, and maybe the id; else they are found.
    matrices
        Whether lists of texts are compared too; else they are refused, as a table has no room.
    carried
        The fields of a record that its answer repeats.
    reason
        Returns the message of an error, for the errors file.
    """

    def __init__(
        self,
        scorer: Scorer,
        columns: Sequence[str],
        *,
        matrices: bool,
        carried: Carried = MappingProxyType({}),
        reason: Reason = str,
    ) -> None:
        self._scorer = scorer
        self._names = columns
        self._matrices = matrices
        self._carried = carried
        self._reason = reason

    def answers(self, records: Sequence[Record], progress: Progress = no_progress) -> list[Answer]:
        """Return the answer to each record, in order; the pairs are compared together."""
        items = self._comparable([self._parsed(record) for record in records])
        pairs = [item for item in items if isinstance(item, Item) and item.is_pair]
        compared = iter(self._pair_answers(pairs, progress))
        return [self._answer(item, compared, progress) for item in items]

    def _answer(
        self, item: Item | Answer, compared: Iterator[Answer], progress: Progress
    ) -> Answer:
        if isinstance(item, Answer):
            return item
        if item.is_pair:
            return next(compared)
        try:
            return self._matrix_answer(item, progress)
        except _OF_A_LINE as error:
            return self._refused(item, error)

    def _comparable(self, items: Sequence[Item | Answer]) -> list[Item | Answer]:
        """Refuse the items with a text or image that the model cannot take, found one by one."""
        try:
            self._check([item for item in items if isinstance(item, Item)])
        except (InputError, *_OF_A_LINE):
            return [item if isinstance(item, Answer) else self._checked(item) for item in items]
        return list(items)

    def _checked(self, item: Item) -> Item | Answer:
        try:
            self._check([item])
        except InputError as error:
            return refusal(item.record, self._reason(error), self._names)
        except _OF_A_LINE as error:
            return self._refused(item, error)
        return item

    def _refused(self, item: Item, error: TrajsimError) -> Answer:
        """Return the refusal of an item; raises an error that concerns all lines."""
        has_image = any(isinstance(text, Image) for text in item.texts)
        if not has_image and not isinstance(error, RequestRefusedError):
            raise error
        return refusal(item.record, self._reason(error), self._names)

    def _parsed(self, record: Record) -> Item | Answer:
        try:
            item = parse(record, self._names)
        except InputError as error:
            return refusal(record, self._reason(error), self._names)
        if item.is_pair or self._matrices:
            return item
        why = "a row of a table has no room for a matrix; write to a .jsonl file"
        return refusal(record, why, self._names)

    def _check(self, items: Sequence[Item]) -> None:
        texts = list(dict.fromkeys(text for item in items for text in item.texts))
        self._scorer.check(texts)

    def _pair_answers(self, items: Sequence[Item], progress: Progress) -> list[Answer]:
        """Compare pairs together, or one by one where the model cannot take one of them."""
        pairs = [(item.texts[0], item.texts[1]) for item in items]
        try:
            scored = self._scorer.score(pairs, progress)
        except _OF_A_LINE as error:
            if len(items) == 1:
                return [self._refused(items[0], error)]
            return [answer for item in items for answer in self._pair_answers([item], progress)]
        return [
            self._answered(item, score.numbers(), score.warnings)
            for item, score in zip(items, scored, strict=True)
        ]

    def _matrix_answer(self, item: Item, progress: Progress) -> Answer:
        result = self._scorer.matrix(item.texts, None, progress)
        scores = {
            "similarities": result.similarities.tolist(),
            "distances": result.distances.tolist(),
        }
        return self._answered(item, scores, result.warnings)

    def _answered(self, item: Item, scores: Mapping[str, Any], warnings: Sequence[str]) -> Answer:
        made_by = self._scorer.fingerprint
        content = {
            ID: item.custom_id,
            **repeated(item.record, self._carried),
            **scores,
            "calibrated": made_by.calibrated,
            "scale": made_by.scale,
            "warnings": list(warnings),
            "fingerprint": made_by.digest,
        }
        return Answer(content)

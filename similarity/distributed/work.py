"""What is computed of rows: vectors of texts, or scores of pairs. Knows nothing of Ray."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from similarity.batch import CHUNK_LINES
from similarity.batch.answering import Answering
from similarity.batch.carrying import plain
from similarity.batch.images import image_digests
from similarity.extras import optional_module
from similarity.models.base import LanguageModel
from similarity.scorers import ScoringRequest, planned_scorer
from similarity.tabular.records import Record
from similarity.tabular.texts import TEXT_NAMES, text_of
from similarity.tabular.values import json_text
from similarity.texts.truncation import REFUSE, truncation_header
from similarity.vectors.general import open_vectors
from similarity.vectors.scorer import VectorScorer

# Of pyarrow, which is imported late.
Table = Any


@dataclass(frozen=True)
class Rows:
    """Rows that were computed: a table, and one of the rows that were refused.

    `images` has the digests of the images that they were computed of, by path.
    """

    done: Table
    refused: Table | None = None
    images: Mapping[str, str] = field(default_factory=dict)


class Worker(ABC):
    """Work with its model, as a worker of the cluster holds it in memory.

    Attributes
    ----------
    fingerprint
        All that its rows depend on, as plain values.
    """

    fingerprint: dict[str, Any]

    @abstractmethod
    def rows(self, records: Sequence[Record]) -> Rows:
        """Return the rows computed from some records, in their order.

        Raises
        ------
        InputError
            If a record cannot be read, and this work refuses none singly.
        """


class Work(ABC):
    """What to do, as plain values that are sent to workers.

    Attributes
    ----------
    together
        Rows that a model is given together: as on one machine, so that rounding is the same too.
    """

    name: str
    together: int

    @property
    def only(self) -> Sequence[str]:
        """Return the columns that it reads, in any case; () is all."""
        return ()

    @abstractmethod
    def open(self, model: LanguageModel) -> Worker:
        """Return the work with a model.

        Raises
        ------
        ConfigError, UnsupportedError
            If it cannot be done with this model.
        """


@dataclass(frozen=True, kw_only=True)
class Embedding(Work):
    """The meaning vector of each text, in columns "text" and "vector" (float32).

    Parameters
    ----------
    vectors, preset
        As `similarity.vectors.general.open_vectors` takes them.
    columns
        The column that has the texts, if it is named.
    dimensions
        Keep the first so many coordinates.
    truncate
        What is done with texts that are too long: a name in TRUNCATIONS of
        `similarity.texts.truncation`.
    """

    vectors: str
    preset: str | None = None
    columns: tuple[str, ...] = ()
    dimensions: int | None = None
    truncate: str = REFUSE
    name = "embed"
    together = 1024

    @property
    def only(self) -> Sequence[str]:
        """Return the columns that may have the texts."""
        return self.columns or TEXT_NAMES

    def open(self, model: LanguageModel) -> Worker:
        """Return it with a model and its vectors."""
        return _Embedder(self, model)


class _Embedder(Worker):
    def __init__(self, work: Embedding, model: LanguageModel) -> None:
        self._work = work
        self._vectors = open_vectors(work.vectors, model, preset=work.preset)
        self._width = self._vectors.check_dimensions(work.dimensions)
        fingerprint = VectorScorer(self._vectors).fingerprint
        self.fingerprint = {
            **fingerprint.to_dict(),
            "dimensions": self._width,
            **truncation_header(work.truncate, model.info),
        }

    def rows(self, records: Sequence[Record]) -> Rows:
        pyarrow = optional_module("pyarrow", "Parquet needs")
        texts = [text_of(f"line {record.number}", record, self._work.columns) for record in records]
        vectors = self._vectors.encode(
            texts, dimensions=self._work.dimensions, truncate=self._work.truncate
        )
        flat = pyarrow.array(vectors.ravel(), pyarrow.float32())
        column = pyarrow.FixedSizeListArray.from_arrays(flat, self._width)
        return Rows(
            pyarrow.table({"text": pyarrow.array(texts, pyarrow.string()), "vector": column})
        )


@dataclass(frozen=True, kw_only=True)
class Scoring(Work):
    """The scores of each pair, in the columns of `_SCORES`, with the row of the input as JSON.

    Refused rows have line, custom_id, reason and input.

    Parameters
    ----------
    request, vectors
        As `similarity.scorers.planned_scorer` takes them.
    columns
        Those that have the two texts, and maybe the id, if they are named.
    together
        Pairs that are compared together.
    """

    request: ScoringRequest
    vectors: str | None = None
    columns: tuple[str, ...] = ()
    together: int = CHUNK_LINES
    name = "batch"

    def open(self, model: LanguageModel) -> Worker:
        """Return it with a model and the scorer that the request chooses."""
        return _PairScorer(self, model)


class _PairScorer(Worker):
    def __init__(self, work: Scoring, model: LanguageModel) -> None:
        scorer, _ = planned_scorer(model, work.request, work.vectors)
        self._answering = Answering(scorer, work.columns, matrices=False)
        self._columns = work.columns
        self.fingerprint = {
            **scorer.fingerprint.to_dict(),
            **truncation_header(scorer.truncate, model.info),
        }

    def rows(self, records: Sequence[Record]) -> Rows:
        images = image_digests(records, self._columns)
        answers = self._answering.answers(records)
        done = [
            {**answer.content, "input": _as_json(record)}
            for record, answer in zip(records, answers, strict=True)
            if not answer.refused
        ]
        refused = [answer.content for answer in answers if answer.refused]
        pyarrow = optional_module("pyarrow", "Parquet needs")
        table = pyarrow.Table.from_pylist
        return Rows(
            table(done, schema=_schema(pyarrow, _SCORES)),
            table(refused, schema=_schema(pyarrow, _REFUSED)) if refused else None,
            images,
        )


def _as_json(record: Record) -> str:
    """Return the fields of a record, with their names as the file has them."""
    fields = {record.written.get(name, name): value for name, value in record.value.items()}
    return json_text(plain(fields), allow_nan=False, ensure_ascii=False)


# One schema for all partitions, whichever of their columns have values.
_SCORES = {
    "custom_id": "string",
    "similarity": "float64",
    "distance": "float64",
    "calibrated": "bool_",
    "scale": "string",
    "warnings": "strings",
    "fingerprint": "string",
    "input": "string",
}
_REFUSED = {"line": "int64", "custom_id": "string", "reason": "string", "input": "string"}


def _schema(pyarrow: ModuleType, columns: Mapping[str, str]) -> Any:
    strings = pyarrow.list_(pyarrow.string())
    return pyarrow.schema(
        [
            (name, strings if kind == "strings" else getattr(pyarrow, kind)())
            for name, kind in columns.items()
        ]
    )

"""The comparison of pairs, and meaning vectors, as models of mteb.

Meaning vectors (`VectorModel`) are an encoder like any other, for every task.

Of trajectories: mteb evaluates STS by encoding each side and holding the vectors against each
other: by cosine, Manhattan and Euclidean distance, and by the model's own `similarity_pairwise`.
A comparison of pairs has no vectors, and of those four only the last says something of it. Here
all vectors are equal, so the other three are not a number rather than a wrong one::

    task = by_own_similarity(mteb.get_task("STS12"))
    mteb.evaluate(TrajectorySts(model, ComparisonConfig()), task)

Without a configuration pairs are compared by the default preset, as everywhere.

A trap: the main score of mteb's STS tasks is `cosine_spearman`, which is then not a number
either. `by_own_similarity` makes it `spearman`, of the model's own similarity. For a model of
vectors that are compared by their cosine the two are one figure, so it compares with the
leaderboard's.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar

import numpy as np
from mteb.abstasks import AbsTask
from mteb.models import ModelMeta

from similarity.arrays import FloatArray, Rows
from similarity.compat.sentence_encoder import VectorEncoder
from similarity.config import ComparisonConfig, Settings
from similarity.errors import UnsupportedError
from similarity.fingerprint import Fingerprint
from similarity.models.base import LanguageModel
from similarity.scorers import open_scorer
from similarity.validation import check_kind
from similarity.vectors.scorer import VectorScorer

Batches = Iterable[Mapping[str, Any]]
# Tasks that hold pairs against judgements, and so make sense without vectors.
PAIR_TASKS = ("STS",)


AnyTask = TypeVar("AnyTask", bound=AbsTask)


def by_own_similarity(task: AnyTask) -> AnyTask:
    """Make Spearman's correlation of the model's own similarity the task's main score.

    Raises
    ------
    ConfigError
        If this is no task, but its name or several.
    UnsupportedError
        If the task is of a kind that has no such score.
    """
    check_kind("task", task, AbsTask, "one task, as mteb.get_task gives it")
    _check_type(task.metadata, "has no score of the model's own similarity")
    task.metadata = task.metadata.model_copy(update={"main_score": "spearman"})
    return task


class TextRows(np.ndarray[tuple[int, int], np.dtype[np.float64]]):
    """Equal vectors in the place of texts, shape "text 1", that remember the texts."""

    texts: list[str]

    @classmethod
    def of(cls, texts: list[str]) -> Self:
        """Return a row for each text."""
        rows = np.ones((len(texts), 1)).view(cls)
        rows.texts = texts
        return rows


class VectorModel(VectorEncoder):
    """Meaning vectors as an encoder of mteb."""

    def encode(self, inputs: Batches, **_options: Any) -> Rows:  # type: ignore[override]  # mteb's
        """Return the texts' vectors, shape "text width"."""
        rows: Rows = super().encode(_texts(inputs))
        return rows

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """Name and revision, by which mteb keeps results: the revision is of every setting."""
        return _described(VectorScorer(self.vectors).fingerprint, "-vectors")


class _Described:
    """What mteb wants to know of a model, and the model.

    Parameters
    ----------
    config
        Of the trajectories: to give one is to compare by them, and `ComparisonConfig()` is that of
        the paper. None compares by the default preset of the model.

    Raises
    ------
    ConfigError
        If the model or the configuration is none.
    """

    def __init__(self, model: LanguageModel, config: ComparisonConfig | None = None) -> None:
        self._scorer = open_scorer(model, config=config)

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """Name and revision, by which mteb keeps results: the revision is of every setting."""
        return _described(self._scorer.fingerprint)

    def _similarities(self, pairs: Sequence[tuple[str, str]]) -> FloatArray:
        return np.array([score.similarity for score in self._scorer.score(pairs)])


class TrajectorySts(_Described):
    """A model for mteb's STS tasks."""

    def encode(self, inputs: Batches, *, task_metadata: Any, **_options: Any) -> TextRows:
        """Return rows that stand for the texts.

        Raises
        ------
        UnsupportedError
            If the task is of a kind that needs vectors.
        """
        _check_type(task_metadata, "needs vectors, and pairs have none")
        return TextRows.of(_texts(inputs))

    def similarity_pairwise(self, embeddings1: TextRows, embeddings2: TextRows) -> FloatArray:
        """Return the similarity, in [0, 1], of the texts of row i with each other, shape "pair"."""
        return self._similarities(_pairs(embeddings1.texts, embeddings2.texts))

    def similarity(self, embeddings1: TextRows, embeddings2: TextRows) -> FloatArray:
        """Return the similarity, in [0, 1], of all texts with all, shape "text text"."""
        return self._scorer.matrix(embeddings1.texts, embeddings2.texts).similarities


class TrajectoryReranker(_Described):
    """A cross-encoder for mteb's reranking tasks."""

    def predict(self, inputs1: Batches, inputs2: Batches, **_options: Any) -> FloatArray:
        """Return the similarity, in [0, 1], of each query with its document, shape "pair"."""
        return self._similarities(_pairs(_texts(inputs1), _texts(inputs2)))


def _check_type(metadata: Any, why: str) -> None:
    if metadata.type not in PAIR_TASKS:
        raise UnsupportedError(
            f"{metadata.name} is a task of {metadata.type} and {why}; possible: "
            f"{', '.join(PAIR_TASKS)}"
        )


def _described(fingerprint: Fingerprint[Settings], more: str = "") -> ModelMeta:
    model = fingerprint.model
    described = {
        "name": f"trajsim/{model.name.strip('/').replace('/', '__')}{more}",
        "revision": fingerprint.digest,
        "max_tokens": model.context_length,
    }
    return ModelMeta.create_empty(overwrites=described)


def _texts(batches: Batches) -> list[str]:
    return [text for batch in batches for text in batch["text"]]


def _pairs(first: Sequence[str], second: Sequence[str]) -> list[tuple[str, str]]:
    return list(zip(first, second, strict=True))

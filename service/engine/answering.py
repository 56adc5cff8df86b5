"""Answers of the model to requests of one kind, made in one call."""

from collections.abc import Sequence
from dataclasses import replace

from service.engine.cache import Answer
from service.engine.work import EmbedRequest, Request, StatesRequest
from similarity.errors import UnsupportedError
from similarity.law import Law
from similarity.models.base import LanguageModel, OnProgress, SampleRequest, ScoreRequest
from similarity.vectors.meaning import MeaningVectors, in_batches


class Answering:
    """A model and its meaning vectors, if it has any."""

    def __init__(self, model: LanguageModel, vectors: MeaningVectors | None) -> None:
        self._model = model
        self._vectors = vectors

    def answers(
        self, requests: Sequence[Request], law: Law, on_progress: OnProgress
    ) -> Sequence[Answer]:
        """Return the model's answers to requests, which are all of one kind."""
        sampled = [request for request in requests if isinstance(request, SampleRequest)]
        if sampled:
            return self._sample(sampled, law, on_progress)
        scored = [request for request in requests if isinstance(request, ScoreRequest)]
        if scored:
            return self._model.score(scored, law, on_progress)
        read = [request.prefix for request in requests if isinstance(request, StatesRequest)]
        if read:
            return [[rows] for rows in self._model.hidden_states(read, on_progress)]
        embedded = [request for request in requests if isinstance(request, EmbedRequest)]
        return self._embed(embedded, on_progress)

    def _sample(
        self, requests: Sequence[SampleRequest], law: Law, on_progress: OnProgress
    ) -> Sequence[Answer]:
        """Sample items of one text that follow each other as one, so that it is read once."""
        joined: list[SampleRequest] = []
        of_item: list[tuple[int, int]] = []
        for request in requests:
            last = joined[-1] if joined else None
            if last is not None and request == replace(
                last, n=request.n, start=last.start + last.n
            ):
                of_item.append((len(joined) - 1, last.n))
                joined[-1] = replace(last, n=last.n + request.n)
            else:
                of_item.append((len(joined), 0))
                joined.append(request)
        found = self._model.sample(joined, law, on_progress)
        return [
            found[number][begin : begin + request.n]
            for request, (number, begin) in zip(requests, of_item, strict=True)
        ]

    def _embed(self, requests: Sequence[EmbedRequest], on_progress: OnProgress) -> Sequence[Answer]:
        if self._vectors is None:
            raise UnsupportedError("the scheduler was made without meaning vectors")
        found: dict[EmbedRequest, Answer] = {}
        for groups in dict.fromkeys(request.groups for request in requests):
            some = [request for request in requests if request.groups == groups]
            texts = [request.text for request in some]
            vectors = self._vectors.only(*groups)
            rows = vectors.packed(in_batches(vectors.read, texts, on_progress))
            found |= {request: [row] for request, row in zip(some, rows, strict=True)}
        return [found[request] for request in requests]

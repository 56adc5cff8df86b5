"""One request's view of the model that all requests share.

It is a `LanguageModel` itself, so the library's pipeline runs on it unchanged, in a thread of the
request's own that waits here while the scheduler works.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar, cast

import numpy as np

from service.engine.cache import Answer, embed_key, sample_key, score_keys
from service.engine.items import sample_tokens, sampling_items, scoring_items
from service.engine.shared import SharedModel
from service.engine.usage import Usage
from service.engine.waits import Waits
from service.engine.work import EmbedRequest, Request, RequestQueue, StatesRequest, WorkItem
from similarity.arrays import LogProbs, Rows
from similarity.errors import UnsupportedError
from similarity.given import read_once
from similarity.images.image import Content, Image
from similarity.law import Law
from similarity.models.base import (
    Continuation,
    LanguageModel,
    OnProgress,
    SampleRequest,
    ScoreRequest,
    TokenIds,
    ignore_progress,
)
from similarity.models.prefix import ImageTokens
from similarity.models.waiting import waiting_while
from similarity.models.wrapper import WrapperModel
from similarity.slices import slices
from similarity.vectors.meaning import Features, MeaningVectors

Given = TypeVar("Given")
Result = TypeVar("Result")
Places = dict[Content, int]

# Texts that are given to a tokenizer, or a server, before it is seen whether anybody waits.
TOGETHER = 32

PROBE_TEXT = "Is anybody there?"


class RequestModel(WrapperModel):
    """The model as one request uses it, from a thread of its own."""

    def __init__(self, shared: SharedModel, *, long: bool = False) -> None:
        super().__init__(shared.model)
        self._shared = shared
        self._queue = RequestQueue(long=long)
        self.usage = Usage()
        # Since when its thread waits for the model outside of the scheduler, or 0; if it sampled.
        self.calling, self.sampling = 0.0, False
        self.waits = Waits(shared.crowd)
        # The keys of what the cache had not got when it was needed.
        self._computed: list[tuple[bytes, ...]] = []

    def check_cancelled(self) -> None:
        """Raise what `cancel` was given, if it was called: for loops that call no model."""
        if self._queue.error is not None:
            raise self._queue.error

    @property
    def delayed(self) -> float:
        """Return the seconds that the model, or the processors, worked for others."""
        waits = self.waits
        return waits.seconds - self._shared.scheduler.spent(self._queue) + waits.lost

    @property
    def keeps(self) -> bool:
        """Return whether the cache has something that this request had to have computed."""
        known = self._shared.cache.has
        return any(keys and known(keys) for keys in tuple(self._computed))

    @property
    def silent(self) -> float:
        """Return the seconds of a call of the model outside of the scheduler; 0 if none."""
        return time.monotonic() - self.calling if self.calling else 0.0

    def progress(self, _stage: str, _texts: int) -> OnProgress:
        """Return what a loop of the library calls: it raises where the request was cancelled."""
        return lambda _finished: self.check_cancelled()

    def encode(self, text: str) -> TokenIds:
        """Return the ids of a prefix."""
        return self._call(lambda: self.wrapped.encode(text))

    def encode_all(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return the ids of each text."""
        return self._in_slices(self.wrapped.encode_all, texts)

    def encode_image(self, image: Image, before: str, after: str) -> ImageTokens:
        """Return the ids of an image between two texts."""
        return self._call(lambda: self.wrapped.encode_image(image, before, after))

    def encode_continuation(self, text: str) -> TokenIds:
        """Return the ids of a text that follows another."""
        return self._call(lambda: self.wrapped.encode_continuation(text))

    def decode(self, token_ids: TokenIds) -> str:
        """Return the text of token ids, without special tokens."""
        return self._call(lambda: self.wrapped.decode(token_ids))

    def check_scoring(self, law: Law) -> None:
        """Raise ConfigError if the model cannot score under this law."""
        self._call(lambda: self.wrapped.check_scoring(law))

    def _call(self, function: Callable[[], Result]) -> Result:
        """Call the model outside of the scheduler; what `cancel` was given ends the call."""
        self.check_cancelled()
        began = self.calling = time.monotonic()
        try:
            # Or it would keep its place at a server that does not answer, long after the request.
            with waiting_while(self.check_cancelled):
                return function()
        finally:
            self.calling = 0.0
            self.usage.seconds["tokenize"] += time.monotonic() - began

    def cancel(self, error: Exception) -> None:
        """Give up all work of this request; whoever waits for it gets the error, now."""
        self._shared.scheduler.cancel(self._queue, error)

    def probe(self) -> None:
        """Have the model score one token, or read one group, before all others and past the cache.

        Of a server both show whether it still has the same model.
        """
        self._queue.urgent = True
        item = WorkItem(*self._probe_request())
        self._shared.scheduler.submit(self._queue, [item])
        item.future.result()

    def _probe_request(self) -> tuple[Request, Law, tuple[()], int]:
        if not self.generates:
            groups = self._vectors(None).names[:1]
            (cost,) = self.feature_tokens([PROBE_TEXT], groups)
            return EmbedRequest(PROBE_TEXT, groups), Law(), (), cost
        ids = self.encode(PROBE_TEXT)
        return ScoreRequest(prefix=ids, continuations=(ids[-1:],)), Law(), (), len(ids) + 1

    # What is not scheduled would run beside the scheduler's own calls, so it is not to be had.
    abilities = frozenset()
    remedy = "compare in Python or by the command line, with the model in that process"
    distributions = LanguageModel.distributions
    top_distributions = LanguageModel.top_distributions
    next_states = LanguageModel.next_states
    output_head = LanguageModel.output_head
    next_log_probs = LanguageModel.next_log_probs

    def _unsupported(self, what: str) -> UnsupportedError:
        return UnsupportedError(f"the service does not give {what}, of any model; {self.remedy}")

    def close(self) -> None:
        """Leave the model to the others."""

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[Continuation]]:
        """Sample in calls that are shared with other requests; raises what `cancel` was given."""
        self.sampling = True
        cut = [(i, one) for i, request in enumerate(requests) for one in sampling_items(request)]
        changes = self.changes()
        items = [
            WorkItem(one, law, (sample_key(one, law, changes),), sample_tokens(one))
            for _, one in cut
        ]
        answers = cast(list[list[Continuation]], self._answers(items))
        self.usage.sampled_tokens += sum(len(c.token_ids) for row in answers for c in row)
        results: list[list[Continuation]] = [[] for _ in requests]
        for (owner, _), answer in zip(cut, answers, strict=True):
            results[owner].extend(answer)
        on_progress(len(requests))
        return results

    def score(
        self, requests: Sequence[ScoreRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[LogProbs]]:
        """Score in calls that are shared with other requests; raises what `cancel` was given."""
        items, owners, changes = [], [], self.changes()
        for owner, request in enumerate(requests):
            self.check_cancelled()
            for some in scoring_items(request.continuations):
                one = ScoreRequest(prefix=request.prefix, continuations=some)
                keys = score_keys(request.prefix, some, law, changes)
                tokens = len(request.prefix) + sum(map(len, some))
                items.append(WorkItem(one, law, keys, tokens))
                owners.append(owner)
        results: list[list[LogProbs]] = [[] for _ in requests]
        answers = cast(list[list[LogProbs]], self._answers(items))
        for owner, answer in zip(owners, answers, strict=True):
            results[owner].extend(answer)
        self.usage.scored_tokens += sum(len(row) for rows in results for row in rows)
        on_progress(len(requests))
        return results

    def embed(
        self,
        texts: Sequence[Content],
        dimensions: int | None = None,
        groups: Sequence[str] | None = None,
    ) -> list[Rows]:
        """Return each text's vector, by calls that are shared; equal texts have one.

        The first `dimensions` coordinates are kept. A vector is joined of some groups of features,
        or of all for None.

        Raises
        ------
        UnsupportedError
            If the model is served without.
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        ConfigError
            If the vectors have fewer dimensions, or no such groups.
        """
        vectors = self._vectors(groups)
        kept = vectors.check_dimensions(dimensions)
        places, packed = self._packed(texts, vectors)
        joined = vectors.join(vectors.unpacked(packed), kept)
        return [joined[places[text]] for text in texts]

    def features(self, texts: Sequence[Content], groups: Sequence[str]) -> Features:
        """Return features of texts by group, in calls that are shared; raises as `embed` does."""
        vectors = self._vectors(groups)
        places, packed = self._packed(texts, vectors)
        return vectors.unpacked(packed[[places[text] for text in texts]])

    def _packed(self, texts: Sequence[Content], vectors: MeaningVectors) -> tuple[Places, Rows]:
        """Return the place of each text, and the packed features at each place."""
        names, (distinct, places) = vectors.names, read_once(texts)
        costs = self.feature_tokens(distinct, names)
        changes = self.changes()
        items = [
            WorkItem(EmbedRequest(text, names), Law(), (embed_key(text, names, changes),), cost)
            for text, cost in zip(distinct, costs, strict=True)
        ]
        answers = cast(list[list[Rows]], self._answers(items))
        self.usage.scored_tokens += sum(costs[places[text]] for text in texts)
        return places, np.stack([row for (row,) in answers])

    def hidden_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> list[Rows]:
        """Return the last layer's states, "token width", in calls shared with other requests."""
        items = [WorkItem(StatesRequest(ids), Law(), (), len(ids)) for ids in prefixes]
        self.usage.scored_tokens += sum(map(len, prefixes))
        answers = cast(list[list[Rows]], self._answers(items))
        on_progress(len(prefixes))
        return [rows for (rows,) in answers]

    def feature_tokens(self, texts: Sequence[Content], groups: Sequence[str] | None) -> list[int]:
        """Return how many tokens the features of each text take to read; raises as `embed` does."""
        return self._in_slices(self._vectors(groups).tokens, texts)

    def _in_slices(
        self, function: Callable[[Sequence[Given]], list[Result]], given: Sequence[Given]
    ) -> list[Result]:
        """Call the model outside of the scheduler, some texts at a time, while anybody waits."""
        found = [self._call(partial(function, some)) for some in slices(given, TOGETHER)]
        return [one for some in found for one in some]

    def _vectors(self, groups: Sequence[str] | None) -> MeaningVectors:
        vectors = self._shared.vectors
        if vectors is None:
            lacking = f"{self.info.name} gives no meaning vectors here"
            raise UnsupportedError(f"{lacking}; load the model in the service's process")
        return vectors if groups is None else vectors.only(*groups)

    def _answers(self, items: Sequence[WorkItem]) -> list[Answer]:
        """Return each item's answer, from the cache or from the model."""
        known = [self._shared.cache.get(item.stage, item.keys) for item in items]
        missing = [item for item, answer in zip(items, known, strict=True) if answer is None]
        if items:
            self._shared.metrics.lookups(items[0].stage, len(items) - len(missing), len(missing))
        self.usage.note(items, known)
        submitted = self.waits.mark()
        if missing:
            self._computed += [item.keys for item in missing]
            self._shared.scheduler.submit(self._queue, missing)
        answers = [
            item.future.result() if answer is None else answer
            for item, answer in zip(items, known, strict=True)
        ]
        self.waits.mark()
        if missing:
            self._clock(missing, submitted)
        return answers

    def _clock(self, items: Sequence[WorkItem], submitted: float) -> None:
        now = time.monotonic()
        began = min((item.began for item in items if item.began is not None), default=now)
        self.usage.seconds["queue"] += began - submitted
        self.usage.seconds[items[0].stage] += now - began

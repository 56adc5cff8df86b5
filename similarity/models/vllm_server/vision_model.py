"""The vision-language model on vLLM servers: texts as any model, images by ids and pixels."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from similarity.arrays import LogProbs, Rows
from similarity.images.image import Image
from similarity.law import Law
from similarity.models.base import (
    Ability,
    Continuation,
    OnProgress,
    SampleRequest,
    ScoreRequest,
    TokenIds,
    ignore_progress,
)
from similarity.models.kinds import by_kind
from similarity.models.prefix import ImageTokens
from similarity.models.top import TopTokens
from similarity.models.vllm_server.background import Background
from similarity.models.vllm_server.identity import Identity
from similarity.models.vllm_server.images import ServedImages
from similarity.models.vllm_server.model import ServerModel
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.scoring import scores_of, top_of
from similarity.models.vllm_server.wire import Prompt

T = TypeVar("T")


class ServedVisionModel(ServerModel):
    """A vision-language model on vLLM servers, made by `load_server`.

    After an image each continuation is a request of its own. The probe by which a server is known
    follows each.
    """

    def __init__(self, background: Background, pool: Pool, identity: Identity) -> None:
        super().__init__(background, pool, identity)
        self._images = ServedImages(pool, identity, self._texts, self._endings, self._probing)
        self.abilities |= {Ability.IMAGES}

    def encode_image(self, image: Image, before: str, after: str) -> ImageTokens:
        """Return the ids that the server reads, without an end of sequence."""
        return self._run(lambda _: self._images.encode(image, before, after))

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[Continuation]]:
        """Sample all continuations of a prefix by one request; images' are scored again."""

        def after_images(some: Sequence[SampleRequest]) -> list[list[Continuation]]:
            sampled = self._run_any(
                some, lambda count: self._images.sample(some, law, count), on_progress
            )
            return [[one.continuation() for one in each] for each in sampled]

        return by_kind(
            requests,
            lambda texts: super(ServedVisionModel, self).sample(texts, law, on_progress),
            after_images,
        )

    def score(
        self, requests: Sequence[ScoreRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[LogProbs]]:
        """Score texts' continuations many by one request, and images' one by one."""
        self.check_scoring(law)
        return by_kind(
            requests,
            lambda texts: super(ServedVisionModel, self).score(texts, law, on_progress),
            lambda images: self._read_after(images, scores_of, 0, on_progress),
        )

    def top_distributions(
        self, requests: Sequence[ScoreRequest], law: Law, k: int
    ) -> list[list[TopTokens]]:
        """Have the k most probable tokens listed beside the scores."""
        self.check_scoring(law)
        return by_kind(
            requests,
            lambda texts: super(ServedVisionModel, self).top_distributions(texts, law, k),
            lambda images: self._read_after(images, partial(top_of, k=k), k, ignore_progress),
        )

    def next_log_probs(
        self,
        prefixes: Sequence[TokenIds],
        token_ids: Sequence[int],
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        """Request some of the chosen tokens at a time, after each image alone."""
        if not any(isinstance(prefix, ImageTokens) for prefix in prefixes):
            return super().next_log_probs(prefixes, token_ids, on_progress)
        if not self.identity.image_chosen:
            raise self._unsupported("log-probabilities of chosen tokens after an image")

        rows = by_kind(
            prefixes,
            lambda texts: list(
                super(ServedVisionModel, self).next_log_probs(texts, token_ids, on_progress)
            ),
            lambda images: self._run_any(
                images, lambda count: self._images.chosen(images, token_ids, count), on_progress
            ),
        )
        return np.array(rows, np.float32)

    def _read_after(
        self,
        requests: Sequence[ScoreRequest],
        read: Callable[[Any, Prompt], T],
        top: int,
        on_progress: OnProgress,
    ) -> list[list[T]]:
        return self._run_any(
            requests, lambda count: self._images.read(requests, read, top, count), on_progress
        )

    def _run_any(
        self,
        requests: Sequence[object],
        work: Callable[[OnProgress], Awaitable[Sequence[T]]],
        on_progress: OnProgress = ignore_progress,
    ) -> list[T]:
        """Return the result of `work` for requests, if there are any."""
        return list(self._run(work, on_progress)) if requests else []

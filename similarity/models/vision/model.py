"""A vision-language model as `LanguageModel`: texts as any local model, images by their reader."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from similarity.arrays import LogProbs, Rows
from similarity.images.image import Image
from similarity.law import Law
from similarity.models.base import (
    Ability,
    Continuation,
    LanguageModel,
    ModelInfo,
    OnProgress,
    SampleRequest,
    ScoreRequest,
    TokenIds,
    ignore_progress,
)
from similarity.models.kinds import by_kind, each
from similarity.models.local import LocalModel
from similarity.models.network import Network
from similarity.models.prefix import ImageTokens
from similarity.models.vision.processing import ImageProcessing
from similarity.models.vision.reader import ImageReader


class VisionModel(LocalModel):
    """A vision-language model of transformers, its tokenizer and its processor.

    Raises
    ------
    WrongAnswerError
        If its processor or its network does not read images.
    """

    def __init__(
        self,
        processor: Any,
        network: Network,
        tokenizer: Any,
        info: ModelInfo,
        assets: Path | None = None,
    ) -> None:
        super().__init__(network, tokenizer, info, assets)
        processing = ImageProcessing(processor, self.tokenization, network.rows)
        self._images = ImageReader(
            network,
            processing,
            self._shorten,
            max_rows=self._max_rows,
            max_logits=self._max_batch_tokens,
        )
        self.abilities |= {Ability.IMAGES}

    def check_images(self, first: Image, second: Image) -> None:
        """Check by two images that the network sees them.

        Raises
        ------
        WrongAnswerError
            If the network does not see them, or is not causal after them.
        """
        self._images.check(first, second)

    def encode_image(self, image: Image, before: str, after: str) -> ImageTokens:
        """Return the ids that the processor gives, without an end of sequence."""
        return self._images.encode(image, before, after)

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[Continuation]]:
        """Sample after texts together, and after each image alone."""

        def one(request: SampleRequest) -> list[Continuation]:
            return self._images.sample(request, law, self.end_ids)

        return by_kind(
            requests,
            lambda texts: super(VisionModel, self).sample(texts, law, on_progress),
            each(one, on_progress),
        )

    def score(
        self, requests: Sequence[ScoreRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[LogProbs]]:
        """Score after texts together, and after each image alone."""

        def one(request: ScoreRequest) -> list[LogProbs]:
            return self._images.score(request, law)

        return by_kind(
            requests,
            lambda texts: super(VisionModel, self).score(texts, law, on_progress),
            each(one, on_progress),
        )

    def distributions(self, requests: Sequence[ScoreRequest], law: Law) -> list[list[Rows]]:
        """Read what `score` reads, and keep the whole distributions."""
        return by_kind(
            requests,
            lambda texts: super(VisionModel, self).distributions(texts, law),
            each(lambda request: self._images.distributions(request, law)),
        )

    def hidden_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> list[Rows]:
        """Read texts together, and each image alone."""
        return by_kind(
            prefixes,
            lambda texts: super(VisionModel, self).hidden_states(texts, on_progress),
            each(self._images.hidden_states, on_progress),
        )

    def next_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> Rows:
        """Read texts together, and each image alone."""
        if not any(isinstance(prefix, ImageTokens) for prefix in prefixes):
            return super().next_states(prefixes, on_progress)
        self._head()  # refuses where there is none
        rows = by_kind(
            prefixes,
            lambda texts: list(super(VisionModel, self).next_states(texts, on_progress)),
            each(self._images.next_state, on_progress),
        )
        return np.stack(rows)

    def next_log_probs(
        self,
        prefixes: Sequence[TokenIds],
        token_ids: Sequence[int],
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        """Read texts together, and each image alone."""
        if not any(isinstance(prefix, ImageTokens) for prefix in prefixes):
            return super().next_log_probs(prefixes, token_ids, on_progress)
        return LanguageModel.next_log_probs(self, prefixes, token_ids, on_progress)

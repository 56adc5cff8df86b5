"""A model that is another one but for what is said otherwise: the base of caches and proxies."""

from collections.abc import Sequence
from pathlib import Path

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
from similarity.models.prefix import ImageTokens
from similarity.models.top import TopTokens


class WrapperModel(LanguageModel):
    """Forwards every member to the wrapped model; a subclass overrides what it does itself.

    Attributes
    ----------
    wrapped
        The model behind this one. Its attributes are read at each use, as those of a server may
        still change.
    """

    def __init__(self, wrapped: LanguageModel) -> None:
        self.wrapped = wrapped

    @property
    def info(self) -> ModelInfo:  # type: ignore[override]  # read only, as all attributes here
        """Return the name, revision, precision and context of the wrapped model."""
        return self.wrapped.info

    @property
    def end_ids(self) -> frozenset[int]:  # type: ignore[override]
        """Return the ids that end a text of the wrapped model."""
        return self.wrapped.end_ids

    @property
    def vocab_size(self) -> int | None:  # type: ignore[override]
        """Return the number of token ids of the wrapped model."""
        return self.wrapped.vocab_size

    @property
    def assets(self) -> Path | None:  # type: ignore[override]
        """Return the folder of what ships with the wrapped model."""
        return self.wrapped.assets

    @property
    def generates(self) -> bool:  # type: ignore[override]
        """Return whether the wrapped model samples and scores."""
        return self.wrapped.generates

    @property
    def on_processor(self) -> bool:  # type: ignore[override]
        """Return whether the wrapped model computes in the thread that calls."""
        return self.wrapped.on_processor

    @property
    def abilities(self) -> frozenset[Ability]:  # type: ignore[override]
        """Return the abilities of the wrapped model."""
        return self.wrapped.abilities

    @property
    def findings(self) -> Sequence[tuple[str, str]]:  # type: ignore[override]
        """Return the findings about the wrapped model."""
        return self.wrapped.findings

    def close(self) -> None:
        """Close the wrapped model."""
        self.wrapped.close()

    def encode(self, text: str) -> TokenIds:
        """Return what the wrapped model does."""
        return self.wrapped.encode(text)

    def encode_all(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return what the wrapped model does."""
        return self.wrapped.encode_all(texts)

    def encode_image(self, image: Image, before: str, after: str) -> ImageTokens:
        """Return what the wrapped model does."""
        return self.wrapped.encode_image(image, before, after)

    def encode_continuation(self, text: str) -> TokenIds:
        """Return what the wrapped model does."""
        return self.wrapped.encode_continuation(text)

    def decode(self, token_ids: TokenIds) -> str:
        """Return what the wrapped model does."""
        return self.wrapped.decode(token_ids)

    def check_scoring(self, law: Law) -> None:
        """Check what the wrapped model does."""
        self.wrapped.check_scoring(law)

    def check_alive(self) -> None:
        """Check what the wrapped model does."""
        self.wrapped.check_alive()

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[Continuation]]:
        """Return what the wrapped model does."""
        return self.wrapped.sample(requests, law, on_progress)

    def score(
        self, requests: Sequence[ScoreRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[LogProbs]]:
        """Return what the wrapped model does."""
        return self.wrapped.score(requests, law, on_progress)

    def tokens_read(self, requests: Sequence[ScoreRequest]) -> int:
        """Return what the wrapped model does."""
        return self.wrapped.tokens_read(requests)

    def distributions(self, requests: Sequence[ScoreRequest], law: Law) -> list[list[Rows]]:
        """Return what the wrapped model does."""
        return self.wrapped.distributions(requests, law)

    def top_distributions(
        self, requests: Sequence[ScoreRequest], law: Law, k: int
    ) -> list[list[TopTokens]]:
        """Return what the wrapped model does."""
        return self.wrapped.top_distributions(requests, law, k)

    def hidden_states(self, prefixes: Sequence[TokenIds]) -> list[Rows]:
        """Return what the wrapped model does."""
        return self.wrapped.hidden_states(prefixes)

    def next_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> Rows:
        """Return what the wrapped model does."""
        return self.wrapped.next_states(prefixes, on_progress)

    def output_head(self) -> tuple[Rows, Rows | None]:
        """Return what the wrapped model does."""
        return self.wrapped.output_head()

    def next_log_probs(
        self,
        prefixes: Sequence[TokenIds],
        token_ids: Sequence[int],
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        """Return what the wrapped model does."""
        return self.wrapped.next_log_probs(prefixes, token_ids, on_progress)

"""The one interface between the library and a language model.

Token ids in; token ids or log-probabilities (nats) out, and nothing of prompts or distances.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from similarity.arrays import LogProbs, Rows
from similarity.errors import UnsupportedError
from similarity.given import given_strings
from similarity.images.image import Image
from similarity.law import Law
from similarity.models.prefix import ImageTokens, without_images
from similarity.models.top import TopTokens, most_probable
from similarity.slices import slices

TokenIds = tuple[int, ...]
OnProgress = Callable[[int], None]

# Log-probability (nats) of a token outside a truncated law: log of the least normal float32.
LOG_ZERO = float(np.log(np.finfo(np.float32).tiny))
# Numbers of next-token distributions that are held at once: 128 MiB, in the model and here.
HELD_NUMBERS = 1 << 25


def ignore_progress(_finished: int) -> None:
    """Do nothing: the default where nobody follows the progress."""


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What identifies a model's numbers.

    Parameters
    ----------
    name
        As the user would give it to load the model again, without a machine's own paths.
    revision
        Commit or content hash of weights and tokenizer.
    dtype
        Of the arithmetic, for example "float32"; "served" where a server has the model.
    context_length
        Tokens of prefix and continuation together, at most.
    """

    name: str
    revision: str
    dtype: str
    context_length: int


@dataclass(frozen=True, kw_only=True)
class SampleRequest:
    """Sample `n` continuations of `prefix`, each of at most `max_tokens` tokens.

    `key` is the text's noise key (`similarity.noise.text_key`). They are those with the numbers
    from `start` on, so that a request for more goes on where an earlier one stopped.
    """

    prefix: TokenIds
    n: int
    max_tokens: int
    key: int
    start: int = 0

    @property
    def numbers(self) -> range:
        """Return the numbers of the requested continuations."""
        return range(self.start, self.start + self.n)


@dataclass(frozen=True, kw_only=True)
class ScoreRequest:
    """Score each of `continuations` (none empty) after `prefix`."""

    prefix: TokenIds
    continuations: tuple[TokenIds, ...]


@dataclass(frozen=True, kw_only=True)
class Continuation:
    """One sampled continuation, up to and including the end of sequence.

    `ended` is whether the model ended it, not the length limit. `text` is what `decode` gives,
    where that is at hand. `log_probs`, shape "token" in nats under the law sampled from, is None
    where sampling and scoring do not agree to rounding (half precision): score it as any other.
    """

    token_ids: TokenIds
    log_probs: LogProbs | None
    ended: bool
    text: str | None = None


class Ability(StrEnum):
    """What a model may do beside sampling and scoring, each by the method of that name."""

    DISTRIBUTIONS = "distributions"
    TOP_TOKENS = "top_distributions"
    HIDDEN_STATES = "hidden_states"
    NEXT_STATES = "next_states"
    OUTPUT_HEAD = "output_head"
    TOKEN_LOG_PROBS = "next_log_probs"
    IMAGES = "encode_image"


class LanguageModel(ABC):
    """An autoregressive model over token ids.

    Attributes
    ----------
    end_ids
        The tokens that end a sequence, always the same; none where a server does not say it.
    vocab_size
        Token ids are below this; None where the backend does not give it.
    assets
        The folder of what ships with the model, such as its calibrations; None where there is none.
    abilities
        What it can do beside sampling and scoring; all else raises UnsupportedError.
    generates
        Whether it samples and scores; else it gives states alone.
    on_processor
        Whether the calling thread computes itself: its processor time shows that it works.
    zero_is_progress
        Whether `on_progress(0)` shows that a call goes on; else it only lets the caller end it.
    findings
        What was found of it when it was loaded, in words: name and finding of each probe.
    lacks
        What was found that it does not give, and why; empty where nothing was.
    remedy
        What to do where something is needed that it cannot do.
    """

    info: ModelInfo
    end_ids: frozenset[int]
    vocab_size: int | None = None
    assets: Path | None = None
    abilities: frozenset[Ability] = frozenset()
    generates: bool = True
    on_processor: bool = False
    zero_is_progress: bool = True
    findings: Sequence[tuple[str, str]] = ()
    lacks: str = ""
    remedy: str = "load the model in this process"

    def close(self) -> None:
        """Release what the model holds outside this process, such as connections."""
        return

    @abstractmethod
    def encode(self, text: str) -> TokenIds:
        """Return the ids of a prefix, with the tokens that begin a text of this model."""

    def encode_all(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return what `encode` does for each text; quicker where each is a request to a server.

        Raises InputError if it is no list of texts.
        """
        return [self.encode(text) for text in given_strings(texts)]

    def encode_image(self, image: Image, before: str, after: str) -> ImageTokens:
        """Return the ids of a prefix that is an image between two texts, either of them "".

        Raises UnsupportedError if the model reads texts alone.
        """
        raise without_images(self.info.name, image)

    def check_scoring(self, law: Law) -> None:
        """Raise ConfigError if `score` cannot score under this law; call it before sampling."""
        return

    @abstractmethod
    def decode(self, token_ids: TokenIds) -> str:
        """Return the text of token ids, without special tokens."""

    def encode_continuation(self, text: str) -> TokenIds:
        """Return the ids of a text that follows another: those that it adds behind a full stop."""
        before, ids = self.encode("."), self.encode(f".{text}")
        return ids[len(before) :] if ids[: len(before)] == before else self.encode(text)

    def check_alive(self) -> None:
        """Raise BackendUnavailableError if the backend does not answer; quick, beside any call."""
        return

    def changes(self) -> int:
        """Return how often a server had another model: what was computed before may be of that."""
        return 0

    def answered_at(self) -> float:
        """Return when a server last gave what it computed, by `time.monotonic`; -inf if none."""
        return float("-inf")

    @abstractmethod
    def sample(
        self, requests: Sequence[SampleRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[Continuation]]:
        """Return `n` continuations for each request, in order.

        A request's result does not depend on the other requests. `on_progress` is called, in the
        caller's thread, with the number of requests finished since the last call, or 0.
        What it raises ends the call and all that is under way for it.
        """

    @abstractmethod
    def score(
        self, requests: Sequence[ScoreRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[LogProbs]]:
        """Return, for each request and continuation, log P(token | before) under the law, nats.

        A token to which a truncated law gives probability zero counts LOG_ZERO.
        """

    def tokens_read(self, requests: Sequence[ScoreRequest]) -> int:
        """Return the tokens that `score` reads: here a prefix anew for each continuation."""
        # The last token of a continuation is predicted, not read.
        return sum(len(r.prefix) + len(ids) - 1 for r in requests for ids in r.continuations)

    def distributions(self, requests: Sequence[ScoreRequest], law: Law) -> list[list[Rows]]:
        """Return, for each request and continuation, log P(· | before) at each of its tokens.

        Shape of each "token vocabulary", nats. All is held at once, 4 bytes a number: pass no more
        than fits. Raises UnsupportedError if log-probabilities are of given tokens only.
        """
        raise self._unsupported("whole next-token distributions")

    def top_distributions(
        self, requests: Sequence[ScoreRequest], law: Law, k: int
    ) -> list[list[TopTokens]]:
        """Return the k most probable next tokens at each place of `distributions`.

        Raises UnsupportedError as `distributions`, BackendRefusedError if a server lists fewer.
        """
        return [
            [most_probable(rows, k) for rows in of_request]
            for some in parts_to_hold(requests, self.vocab_size)
            for of_request in self.distributions(some, law)
        ]

    def hidden_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> list[Rows]:
        """Return the last layer's states of each prefix, shape "token width".

        `on_progress` is called as by `next_states`; raises UnsupportedError as that does.
        """
        raise self._unsupported("hidden states")

    def next_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> Rows:
        """Return the state before the output head after each prefix, shape "prefix width".

        It is h, after the last norm, of which `output_head` makes the logits of the next token.
        `on_progress` gets numbers of prefixes, as by `sample`. Raises UnsupportedError without h.
        """
        raise self._unsupported("hidden states")

    def output_head(self) -> tuple[Rows, Rows | None]:
        """Return weight W, shape "vocabulary width", and bias b, if any: logits are W h + b.

        h is what `next_states` gives. Raises UnsupportedError if the backend does not give the
        head, or logits are no affine map of the states.
        """
        raise self._unsupported("the output head")

    def next_log_probs(
        self,
        prefixes: Sequence[TokenIds],
        token_ids: Sequence[int],
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        """Return log P(token | prefix), shape "prefix token" in nats, under the model as it is.

        The tokens are the same after every prefix; `on_progress` is called as by `next_states`.
        Raises UnsupportedError if the backend gives log-probabilities of sampled tokens only.
        """
        # What is predicted at the place of the first token does not depend on that token.
        requests = [ScoreRequest(prefix=prefix, continuations=((0,),)) for prefix in prefixes]
        chosen, rows = list(token_ids), []
        for some in parts_to_hold(requests, self.vocab_size):
            rows += [of_request[0][0, chosen] for of_request in self.distributions(some, Law())]
            on_progress(len(some))
        return np.array(rows, np.float32).reshape(len(prefixes), len(chosen))

    def _unsupported(self, what: str) -> UnsupportedError:
        return UnsupportedError(f"{self.info.name} does not give {what} here; {self.remedy}")


def parts_to_hold(
    requests: Sequence[ScoreRequest], vocabulary: int | None
) -> Iterator[Sequence[ScoreRequest]]:
    """Cut requests into parts, of one or more, that are HELD_NUMBERS of distributions at most."""
    tokens = max((sum(map(len, request.continuations)) for request in requests), default=0)
    return slices(requests, max(1, HELD_NUMBERS // max(1, tokens * (vocabulary or 1))))

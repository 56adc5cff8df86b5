"""From texts to sampled trajectories: prompt, token ids, context check, sampling."""

from collections.abc import Sequence
from dataclasses import dataclass

from similarity.config import ComparisonConfig
from similarity.errors import TextTooLongError
from similarity.models.base import (
    Continuation,
    LanguageModel,
    OnProgress,
    SampleRequest,
    TokenIds,
    ignore_progress,
)
from similarity.noise import text_key
from similarity.prompts import Prompt


@dataclass(frozen=True)
class Prefix:
    """A text as the model continues it: with prompt and full stop, and in token ids."""

    text: str
    token_ids: TokenIds


def encode_prefixes(
    model: LanguageModel, texts: Sequence[str], prompt: Prompt, max_tokens: int
) -> list[Prefix]:
    """Return the prefix of each text.

    Raises
    ------
    InputError
        If a text is empty, not valid Unicode, or leaves no room for `max_tokens` tokens of
        continuation in the model's context (TextTooLongError).
    """
    prefixes = [prompt.apply(text) for text in texts]
    encoded = model.encode_all(prefixes)
    limit = model.info.context_length
    return [
        _checked(text, Prefix(prefix, token_ids), max_tokens, limit)
        for text, prefix, token_ids in zip(texts, prefixes, encoded, strict=True)
    ]


def sample_trajectories(
    model: LanguageModel,
    prefixes: Sequence[Prefix],
    config: ComparisonConfig,
    on_progress: OnProgress = ignore_progress,
    *,
    start: int = 0,
) -> list[list[Continuation]]:
    """Return the trajectories of each prefix, shape "text trajectory", from number `start` on.

    A trajectory depends on the model, the prefix, its number and the sampling settings.
    """
    sampling = config.sampling
    requests = [
        SampleRequest(
            prefix=prefix.token_ids,
            n=sampling.n_trajectories - start,
            max_tokens=sampling.max_tokens,
            key=text_key(sampling.seed, prefix.text),
            start=start,
        )
        for prefix in prefixes
    ]
    return model.sample(requests, sampling.law, on_progress)


def _remedy(room: int, max_tokens: int) -> str:
    """Return what helps: to lower max_tokens does only where the text alone leaves room."""
    if 1 <= room < max_tokens:
        return f"lower max_tokens to {room}, shorten the text, or have it cut (truncate)"
    return "shorten the text, or have it cut (truncate)"


def _checked(text: str, prefix: Prefix, max_tokens: int, limit: int) -> Prefix:
    tokens = len(prefix.token_ids)
    excess = tokens + max_tokens - limit
    if excess > 0:
        continued = f", {max_tokens} of them for a continuation" if max_tokens > 1 else ""
        raise TextTooLongError(
            f"the text that begins {text.strip()[:40]!r} is {excess} tokens too long: it has "
            f"{tokens} tokens with its prompt, and the model takes {limit}{continued}; "
            f"{_remedy(limit - tokens, max_tokens)}",
            text,
        )
    return prefix

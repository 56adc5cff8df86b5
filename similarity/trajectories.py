"""From texts to sampled trajectories: prompt, token ids, context check, sampling."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from similarity.config import ComparisonConfig
from similarity.errors import ImageTooLongError, TextTooLongError
from similarity.given import given_texts
from similarity.images.image import Content, Image, name_of
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

# In a prefix's text, before the digest of an image that stands there.
OBJECT = "\ufffc"


@dataclass(frozen=True)
class Prefix:
    """A text as the model continues it: with prompt and full stop, and in token ids.

    An image has its digest in the text, and its ids are `ImageTokens`.
    """

    text: str
    token_ids: TokenIds


def encode_prefixes(
    model: LanguageModel, texts: Sequence[Content], prompt: Prompt, max_tokens: int
) -> list[Prefix]:
    """Return the prefix of each text or image.

    Raises
    ------
    InputError
        If this is no list of texts, or a text is empty, not valid Unicode, or leaves no room for
        `max_tokens` tokens of continuation in the model's context (TextTooLongError).
    UnsupportedError
        If there is an image, and the model reads texts alone.
    """
    texts = given_texts(texts)
    prefixes = [prompt.apply(text) for text in texts if not isinstance(text, Image)]
    of_texts = zip(prefixes, model.encode_all(prefixes), strict=True)
    limit = model.info.context_length
    return [
        _checked(
            content,
            _of_image(model, content, prompt)
            if isinstance(content, Image)
            else Prefix(*next(of_texts)),
            max_tokens,
            limit,
            lambda: check_room(model, prompt, max_tokens),
        )
        for content in texts
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


def _of_image(model: LanguageModel, image: Image, prompt: Prompt) -> Prefix:
    before, after = prompt.around_image()
    token_ids = model.encode_image(image, before, after)
    return Prefix(f"{before}{OBJECT}{image.digest}{after}", token_ids)


def _remedy(content: Content, room: int, max_tokens: int) -> str:
    """Return what helps: to lower max_tokens does only where the text alone leaves room."""
    lower = [f"lower max_tokens to {room}"] if 1 <= room < max_tokens else []
    if isinstance(content, Image):
        return " or ".join([*lower, "make the image smaller"])
    return ", ".join([*lower, "shorten the text", f"or {TextTooLongError.HAVE_CUT}"])


def check_room(model: LanguageModel, prompt: Prompt, max_tokens: int) -> None:
    """Check that a text of one letter has room with its prompt and a continuation.

    Raises
    ------
    TextTooLongError
        If it has none. Its `text` is None, as no text can be shortened so far.
    """
    tokens, limit = len(model.encode(prompt.apply("a"))), model.info.context_length
    if tokens + max_tokens > limit:
        lower = [f"lower max_tokens to {limit - tokens}"] if limit > tokens else []
        shorter = ["shorten the prompt"] if prompt.before or prompt.after or not lower else []
        raise TextTooLongError(
            f"there is no room for a text: one of a single letter has {token_count(tokens)} "
            f"with its prompt, and the model takes {limit}{_continued(max_tokens)}; "
            f"{' or '.join(lower + shorter)}",
            excess=tokens + max_tokens - limit,
        )


def token_count(number: int) -> str:
    """Return a number of tokens with the noun: "1 token", "2 tokens"."""
    return "1 token" if number == 1 else f"{number} tokens"


def _continued(max_tokens: int) -> str:
    """Return what of the context is not for the text, so that the numbers add up."""
    if max_tokens == 0:
        return ""
    follows = "the next token" if max_tokens == 1 else "a continuation"
    return f", {max_tokens} of them for {follows}"


def _checked(
    content: Content,
    prefix: Prefix,
    max_tokens: int,
    limit: int,
    check_prompt: Callable[[], object],
) -> Prefix:
    tokens = len(prefix.token_ids)
    excess = tokens + max_tokens - limit
    if excess > 0:
        check_prompt()
        begins = repr(name_of(content).strip()[:40])
        kind = ImageTooLongError if isinstance(content, Image) else TextTooLongError
        raise kind(
            f"{'image' if isinstance(content, Image) else 'the text that begins'} {begins} is "
            f"{token_count(excess)} too long: it has {token_count(tokens)} with its prompt, "
            f"and the model takes {limit}{_continued(max_tokens)}; "
            f"{_remedy(content, limit - tokens, max_tokens)}",
            name_of(content),
            excess,
        )
    return prefix

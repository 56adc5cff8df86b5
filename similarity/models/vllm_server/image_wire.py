"""vLLM's interface for token ids with images: requests, and answers that are read strictly.

One token stands for an image in what is sent. The server puts the image's own tokens in its place
and returns the ids that it read, which are compared with those meant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from similarity.arrays import LogProbs
from similarity.errors import WrongAnswerError
from similarity.images.image import Image
from similarity.models.base import SampleRequest, TokenIds
from similarity.models.vllm_server import values, wire
from similarity.models.vllm_server.wire import Sample

GENERATE = "/inference/v1/generate"
CHAT = "/v1/chat/completions"
# Without these two the endpoint refuses: they are of the others.
_OF_TEXTS = ("echo", "stream")
_PLAIN = {name: value for name, value in wire.PLAIN.items() if name not in _OF_TEXTS}


@dataclass(frozen=True)
class ServedPrefix:
    """An image between texts.

    Parameters
    ----------
    sent
        Token ids with one for the image.
    read
        Those that the server makes of them.
    """

    image: Image
    sent: TokenIds
    read: TokenIds


def image_body(
    model: str,
    url: str,
    sent: Sequence[int],
    params: Mapping[str, Any],
    *,
    text: bool = False,
) -> dict[str, Any]:
    """Return a request to continue token ids, one of which stands for an image.

    Parameters
    ----------
    url
        Of the image.
    params
        Sampling parameters that differ from the plain ones.
    text
        Whether the text of a sample is returned beside its ids.
    """
    return {
        "model": model,
        "token_ids": list(sent),
        "content_parts": [{"type": "image_url", "url": url}],
        "return_token_ids": True,
        "output_mode": "text" if text else "tokens",
        "sampling_params": {**_PLAIN, "max_tokens": 1, **params},
    }


def chosen_params(token_ids: Sequence[int]) -> dict[str, Any]:
    """Return the parameters that request the log-probabilities of chosen next tokens.

    One more is requested: the sampled token is listed before them, and then the last is left out.
    """
    last = next(token for token in range(len(token_ids) + 1) if token not in token_ids)
    return {"logprobs": len(token_ids) + 1, "logprob_token_ids": [*token_ids, last]}


def message_body(model: str, url: str) -> dict[str, Any]:
    """Return a request with a message that is an image and nothing else."""
    part = {"type": "image_url", "image_url": {"url": url}}
    return {
        "model": model,
        "messages": [{"role": "user", "content": [part]}],
        "max_tokens": 1,
        "return_token_ids": True,
        "return_prompt_text": True,
    }


def read_message(answer: Any) -> tuple[str, TokenIds]:
    """Return the prompt that a server made of a message, and the token ids that it read."""
    try:
        text, ids = answer["prompt_text"], answer["prompt_token_ids"]
        return values.string(text), values.token_ids(ids)
    except (KeyError, TypeError) as error:
        raise WrongAnswerError(
            "does not return the prompt of a message; it must know return_prompt_text "
            "(vLLM 0.32 or later)"
        ) from error


def read_prompt(answer: Any) -> TokenIds:
    """Return the token ids that the server read."""
    try:
        return values.token_ids(answer["prompt_token_ids"])
    except (KeyError, TypeError) as error:
        raise WrongAnswerError(
            "does not return the tokens that it read (vLLM 0.32 or later does)"
        ) from error


def checked(answer: Any, meant: Sequence[int]) -> Any:
    """Return an answer, or raise WrongAnswerError if other tokens were read than were meant."""
    read = read_prompt(answer)
    if read != tuple(meant):
        raise WrongAnswerError(
            f"read {len(read)} tokens with an image where {len(meant)} were meant, or others; "
            "do not change its model or its processor's settings while it is used"
        )
    return answer


def read_image_samples(answer: Any, prefix: ServedPrefix, request: SampleRequest) -> list[Sample]:
    """Return the continuations of an answer, in the order of their seeds.

    Raises
    ------
    WrongAnswerError
        If other tokens were read than were meant, or as `wire.samples_of`.
    """
    choices = wire.choices_of(checked(answer, prefix.read), request.n)
    return wire.samples_of(choices, request)


def read_image_chosen(answer: Any, prefix: ServedPrefix, token_ids: Sequence[int]) -> LogProbs:
    """Return log P(token | prefix) of chosen tokens, shape "token" in nats.

    Raises
    ------
    WrongAnswerError
        If other tokens were read than were meant, or a number is missing or no log-probability,
        or there is more than all probability.
    """
    (choice,) = wire.choices_of(checked(answer, prefix.read), 1)
    try:
        (place,) = choice["logprobs"]["content"]
        listed = {one["token_id"]: values.number(one["logprob"]) for one in place["top_logprobs"]}
        found = np.array([listed[token] for token in token_ids], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise WrongAnswerError("left out the log-probability of a chosen token") from error
    values.check_places([list(listed.values())])
    return found

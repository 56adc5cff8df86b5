"""Scores of prompts by a vLLM server: requests, and what answers list at each token."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from similarity.arrays import LogProbs
from similarity.errors import WrongAnswerError
from similarity.models.top import TopTokens, listed_tokens
from similarity.models.vllm_server import values
from similarity.models.vllm_server.wire import PLAIN, Prompt, completions_of, other_shape

T = TypeVar("T")


def scoring_body(model: str, prompts: Sequence[Prompt], *, top: int = 0) -> dict[str, Any]:
    """Return the request for the log-probabilities of many prompts, and of the `top` tokens."""
    return {
        **PLAIN,
        "model": model,
        "prompt": [list(prompt.token_ids) for prompt in prompts],
        # A server always samples; the token is thrown away.
        "max_tokens": 1,
        "prompt_logprobs": top,
        "return_token_ids": True,
    }


def read_scores(answer: Any, prompts: Sequence[Prompt]) -> list[LogProbs]:
    """Return log P(token | before) of each continuation, nats.

    Raises
    ------
    WrongAnswerError
        If a number is missing, is not finite, was clamped, or is no log-probability, or the
        answer is to other prompts.
    """
    choices = completions_of(answer, [prompt.token_ids for prompt in prompts])
    return [scores_of(choice, prompt) for choice, prompt in zip(choices, prompts, strict=True)]


def read_probed(
    answer: Any, probe: Prompt, prompts: Sequence[Prompt], read: Callable[[Any, Prompt], T]
) -> tuple[LogProbs, list[T]]:
    """Return the scores of a probe, which was sent first, and what `read` makes of the others.

    Raises
    ------
    WrongAnswerError
        As `read_scores`, and what `read` raises.
    """
    first, *others = completions_of(answer, [one.token_ids for one in (probe, *prompts)])
    found = [read(choice, prompt) for choice, prompt in zip(others, prompts, strict=True)]
    return scores_of(first, probe), found


def read_top_mass(answer: Any, prompt: Prompt) -> float:
    """Return the largest sum of probabilities that was listed for one place of a prompt.

    NaN where one is.
    """
    (choice,) = completions_of(answer, [prompt.token_ids])
    places = _places(choice, prompt)
    return float(np.max([sum(math.exp(min(p, 50.0)) for p in of.values()) for of in places]))


def scores_of(choice: Any, prompt: Prompt) -> LogProbs:
    """Return log P(token | before) of a continuation, nats, or raise WrongAnswerError."""
    listed = choice.get("prompt_logprobs")
    if not isinstance(listed, list) or len(listed) != prompt.tokens:
        got = f"{len(listed)}" if isinstance(listed, list) else "no list of"
        raise WrongAnswerError(f"gave {got} log-probabilities for {prompt.tokens} prompt tokens")
    try:
        # The prefix too is to be the one that was sent: many have one continuation scored.
        places = zip(prompt.token_ids[1:], listed[1:], strict=True)
        named = [place[str(token)] for token, place in places][-len(prompt.continuation) :]
        scores = values.numbers([own["logprob"] for own in named])
    except (KeyError, TypeError) as error:
        raise WrongAnswerError("left out the log-probability of a prompt token") from error
    values.check_range(scores)
    return scores


def top_of(choice: Any, prompt: Prompt, k: int) -> TopTokens:
    """Return the k most probable next tokens at each token of a continuation.

    Raises
    ------
    WrongAnswerError
        As `read_scores`, and if more or fewer are listed, or more than all probability.
    """
    places = _places(choice, prompt)
    top = listed_tokens(places, k)
    values.check_places([list(place.values()) for place in places])
    return top


def _places(choice: Any, prompt: Prompt) -> list[dict[int, float]]:
    """Return the tokens that are listed at each of a continuation, with log-probabilities."""
    # What stands in the prompt is looked at for whether the list is of this prompt.
    scores_of(choice, prompt)
    try:
        return [
            {
                values.whole(int(token)): values.number(listed["logprob"])
                for token, listed in place.items()
            }
            for place in choice["prompt_logprobs"][len(prompt.prefix) :]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise other_shape(error) from error

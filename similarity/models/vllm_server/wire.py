"""vLLM's HTTP interface: requests, and answers that are read strictly.

Token ids go both ways. Every sampling parameter is sent, because a server fills in what is left
out from its model's generation settings.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from similarity.arrays import LogProbs
from similarity.errors import WrongAnswerError
from similarity.law import Law
from similarity.models.base import Continuation, SampleRequest, TokenIds
from similarity.models.top import TopTokens, listed_tokens
from similarity.models.vllm_server import values
from similarity.noise import generator_seed

T = TypeVar("T")

MODELS = "/v1/models"
COMPLETIONS = "/v1/completions"
TOKENIZE = "/tokenize"
DETOKENIZE = "/detokenize"

# In a dictionary of its own, so that nothing is left to a server's defaults.
PLAIN: dict[str, Any] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 0,
    "min_p": 0.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "repetition_penalty": 1.0,
    "n": 1,
    "stop": [],
    "ignore_eos": False,
    "min_tokens": 0,
    "skip_special_tokens": True,
    "spaces_between_special_tokens": False,
    "echo": False,
    "stream": False,
}


@dataclass(frozen=True)
class Prompt:
    """A continuation to be scored after a prefix."""

    prefix: TokenIds
    continuation: TokenIds

    @property
    def tokens(self) -> int:
        """Return the number of tokens of prefix and continuation together."""
        return len(self.prefix) + len(self.continuation)


@dataclass(frozen=True)
class Sample:
    """A sampled continuation, its text, and whether the model ended it.

    `log_probs` are the sampling's own, shape "token", where they were requested.
    """

    token_ids: TokenIds
    text: str
    ended: bool
    log_probs: LogProbs | None = None

    def continuation(self, *, keep_log_probs: bool = False) -> Continuation:
        """Return the sample as a `Continuation` of `LanguageModel`."""
        log_probs = self.log_probs if keep_log_probs else None
        return Continuation(
            token_ids=self.token_ids, log_probs=log_probs, ended=self.ended, text=self.text
        )


def sampling_params(request: SampleRequest, law: Law) -> dict[str, Any]:
    """Return the parameters by which all continuations of one prefix are sampled."""
    return {
        "n": request.n,
        "max_tokens": request.max_tokens,
        "temperature": law.temperature,
        "top_k": law.top_k,
        "top_p": law.top_p,
        # Continuation i gets this seed + i.
        "seed": generator_seed(request.key) + request.start,
    }


def sampling_body(
    model: str, request: SampleRequest, law: Law, *, log_probs: bool = False
) -> dict[str, Any]:
    """Return the request for all continuations of one prefix."""
    return {
        **PLAIN,
        "model": model,
        "prompt": list(request.prefix),
        **sampling_params(request, law),
        "return_token_ids": True,
        "logprobs": 0 if log_probs else None,
        # In their list, so that each sample's ids are seen twice.
        "return_tokens_as_token_ids": log_probs,
    }


def scoring_body(model: str, prompts: Sequence[Prompt], *, top: int = 0) -> dict[str, Any]:
    """Return the request for the log-probabilities of many prompts, and of the `top` tokens."""
    return {
        **PLAIN,
        "model": model,
        "prompt": [[*prompt.prefix, *prompt.continuation] for prompt in prompts],
        # A server always samples; the token is thrown away.
        "max_tokens": 1,
        "prompt_logprobs": top,
    }


def read_samples(answer: Any, request: SampleRequest, *, log_probs: bool = False) -> list[Sample]:
    """Return the continuations of an answer, in the order of their seeds.

    Raises
    ------
    WrongAnswerError
        If their number, a length or an ending is not as requested, or there are no
        log-probabilities where they were.
    """
    samples = [_sample(choice, request) for choice in choices_of(answer, request.n)]
    if log_probs and any(sample.log_probs is None for sample in samples):
        raise WrongAnswerError(
            "gave no log-probabilities of the tokens that it sampled; is it a vLLM server?"
        )
    return samples


def read_scores(answer: Any, prompts: Sequence[Prompt]) -> list[LogProbs]:
    """Return log P(token | before) of each continuation, nats.

    Raises
    ------
    WrongAnswerError
        If a number is missing, is not finite, was clamped, or is no log-probability.
    """
    choices = choices_of(answer, len(prompts))
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
    first, *others = choices_of(answer, 1 + len(prompts))
    found = [read(choice, prompt) for choice, prompt in zip(others, prompts, strict=True)]
    return scores_of(first, probe), found


def read_top_mass(answer: Any, prompt: Prompt) -> float:
    """Return the largest sum of probabilities that was listed for one place of a prompt.

    NaN where one is.
    """
    (choice,) = choices_of(answer, 1)
    places = _places(choice, prompt)
    return float(np.max([sum(math.exp(min(p, 50.0)) for p in of.values()) for of in places]))


def read_ids(answer: Any) -> tuple[TokenIds, tuple[str, ...]]:
    """Return token ids, and the string of each."""
    try:
        ids = values.token_ids(answer["tokens"])
        strings = tuple(map(values.string, values.listed(answer["token_strs"])))
    except (KeyError, TypeError) as error:
        raise _other_shape(error) from error
    if len(ids) != len(strings):
        raise WrongAnswerError("gave token ids that do not go with their strings")
    return ids, strings


def read_text(answer: Any) -> str:
    """Return the text of token ids."""
    try:
        return values.string(answer["prompt"])
    except (KeyError, TypeError) as error:
        raise _other_shape(error) from error


def read_models(answer: Any) -> dict[str, int]:
    """Return each served name with the model's context length: an adapter's is its parent's."""
    try:
        models = {values.string(model["id"]): model for model in values.listed(answer["data"])}
        lengths = {name: model["max_model_len"] for name, model in models.items()}
        return {
            name: values.whole(lengths[models[name]["parent"]] if own is None else own)
            for name, own in lengths.items()
        }
    except (KeyError, TypeError) as error:
        raise WrongAnswerError(
            "does not give its models' maximum length as vLLM does; is it a vLLM server?"
        ) from error


def choices_of(answer: Any, count: int) -> list[Any]:
    """Return the choices of an answer, or raise WrongAnswerError unless there are so many."""
    try:
        choices = answer["choices"]
        numbers = [choice["index"] for choice in choices]
    except (KeyError, TypeError) as error:
        raise _other_shape(error) from error
    if numbers != list(range(count)):
        raise WrongAnswerError(f"gave {len(numbers)} answers, or in another order, for {count}")
    return list(choices)


def _sample(choice: Any, request: SampleRequest) -> Sample:
    values.check_prompt(choice, request.prefix)
    try:
        given, reason = values.listed(choice["token_ids"]), choice["finish_reason"]
    except (KeyError, TypeError) as error:
        raise WrongAnswerError(
            "gave no token ids; it must know return_token_ids (vLLM 0.11 or later)"
        ) from error
    whole = len(given) == request.max_tokens if reason == "length" else reason == "stop"
    if not whole or not 1 <= len(given) <= request.max_tokens:
        raise WrongAnswerError(
            f"gave a continuation of {len(given)} tokens, finished by {reason!r:.40}, where "
            f"{request.max_tokens} were requested"
        )
    try:
        ids = values.token_ids(given)
    except TypeError as error:
        raise WrongAnswerError(f"gave something else than token ids: {error}") from error
    try:
        own, text = choice.get("logprobs"), values.string(choice["text"])
        log_probs = None if own is None else values.numbers(own["token_logprobs"])
    except (KeyError, TypeError) as error:
        raise _other_shape(error) from error
    if log_probs is not None:
        if len(log_probs) != len(ids):
            raise WrongAnswerError(f"gave {len(log_probs)} log-probabilities for {len(ids)} tokens")
        values.check_range(log_probs)
        values.check_listed(own, ids)
    return Sample(ids, text, reason == "stop", log_probs)


def scores_of(choice: Any, prompt: Prompt) -> LogProbs:
    """Return log P(token | before) of a continuation, nats, or raise WrongAnswerError."""
    listed = choice.get("prompt_logprobs")
    if not isinstance(listed, list) or len(listed) != prompt.tokens:
        got = f"{len(listed)}" if isinstance(listed, list) else "no list of"
        raise WrongAnswerError(f"gave {got} log-probabilities for {prompt.tokens} prompt tokens")
    try:
        places = zip(prompt.continuation, listed[len(prompt.prefix) :], strict=True)
        scores = values.numbers([place[str(token)]["logprob"] for token, place in places])
    except (KeyError, TypeError) as error:
        raise WrongAnswerError("left out the log-probability of a prompt token") from error
    values.check_range(scores)
    return scores


def top_of(choice: Any, prompt: Prompt, k: int) -> TopTokens:
    """Return the k most probable next tokens at each token of a continuation.

    Raises
    ------
    WrongAnswerError
        As `read_scores`, and if more or fewer are listed.
    """
    top = listed_tokens(_places(choice, prompt), k)
    values.check_range(top.log_probs)
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
        raise _other_shape(error) from error


def _other_shape(error: Exception) -> WrongAnswerError:
    return WrongAnswerError(f"gave an answer of another shape ({error!r}); is it a vLLM server?")

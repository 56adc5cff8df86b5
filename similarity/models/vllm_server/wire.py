"""vLLM's HTTP interface: requests, and answers that are read strictly.

Token ids go both ways. Every sampling parameter is sent, because a server fills in what is left
out from its model's generation settings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from similarity.arrays import LogProbs
from similarity.errors import WrongAnswerError
from similarity.law import Law
from similarity.models.base import Continuation, SampleRequest, TokenIds
from similarity.models.vllm_server import values
from similarity.noise import generator_seed

MODELS = "/v1/models"
COMPLETIONS = "/v1/completions"
TOKENIZE = "/tokenize"
DETOKENIZE = "/detokenize"
# What a server says of a bias of a token that the model does not have.
OUT_OF_VOCABULARY = "out-of-vocab"

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

    @property
    def token_ids(self) -> TokenIds:
        """Return the ids of prefix and continuation together."""
        return (*self.prefix, *self.continuation)


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


def read_samples(answer: Any, request: SampleRequest, *, log_probs: bool = False) -> list[Sample]:
    """Return the continuations of an answer, in the order of their seeds.

    Raises
    ------
    WrongAnswerError
        As `samples_of`, and if another prompt was continued, or other choices are given.
    """
    choices = completions_of(answer, [request.prefix] * request.n)
    return samples_of(choices, request, log_probs=log_probs)


def samples_of(
    choices: Sequence[Any], request: SampleRequest, *, log_probs: bool = False
) -> list[Sample]:
    """Return the continuations that choices have.

    Raises
    ------
    WrongAnswerError
        If a length or an ending is not as requested, or there are no log-probabilities where
        they were.
    """
    samples = [_sample(choice, request) for choice in choices]
    if log_probs and any(sample.log_probs is None for sample in samples):
        raise WrongAnswerError(
            "gave no log-probabilities of the tokens that it sampled; is it a vLLM server?"
        )
    return samples


def read_ids(answer: Any) -> tuple[TokenIds, tuple[str, ...]]:
    """Return token ids, and the string of each."""
    try:
        ids = values.token_ids(answer["tokens"])
        strings = tuple(map(values.string, values.listed(answer["token_strs"])))
    except (KeyError, TypeError) as error:
        raise other_shape(error) from error
    if len(ids) != len(strings):
        raise WrongAnswerError("gave token ids that do not go with their strings")
    return ids, strings


def read_text(answer: Any) -> str:
    """Return the text of token ids."""
    try:
        return values.string(answer["prompt"])
    except (KeyError, TypeError) as error:
        raise other_shape(error) from error


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
        if _is_of_trajsim(answer):
            raise WrongAnswerError(
                "is a trajsim service, and no vLLM server; GET /health/ready says whether it is "
                "well, and service.client.Client or POST /v1/similarity compares texts by it"
            ) from error
        raise WrongAnswerError(
            "does not list its models as vLLM does, each with its maximum length; is it a vLLM "
            "server?"
        ) from error


def _is_of_trajsim(answer: Any) -> bool:
    """Return whether a list of models is what this project's own service gives."""
    try:
        return any(model["owned_by"] == "trajsim" for model in answer["data"])
    except (KeyError, TypeError):
        return False


def choices_of(answer: Any, count: int) -> list[Any]:
    """Return the choices of an answer, or raise WrongAnswerError unless there are so many."""
    try:
        choices = answer["choices"]
        numbers = [choice["index"] for choice in choices]
    except (KeyError, TypeError) as error:
        raise other_shape(error) from error
    if numbers != list(range(count)):
        raise WrongAnswerError(f"gave {len(numbers)} answers, or in another order, for {count}")
    return list(choices)


def completions_of(answer: Any, prompts: Sequence[TokenIds]) -> list[Any]:
    """Return the choices of an answer, one for each prompt that was sent.

    Raises
    ------
    WrongAnswerError
        If there are more or fewer, or one is of another prompt.
    """
    choices = choices_of(answer, len(prompts))
    for choice, prompt in zip(choices, prompts, strict=True):
        values.check_prompt(choice, prompt)
    return choices


def given_ids(choice: Any) -> Sequence[Any]:
    """Return what a choice gives as the ids of its sampled tokens, or raise WrongAnswerError."""
    try:
        return values.listed(choice["token_ids"])
    except (KeyError, TypeError) as error:
        raise WrongAnswerError(
            "gave no token ids; it must know return_token_ids (vLLM 0.11 or later)"
        ) from error


def _sample(choice: Any, request: SampleRequest) -> Sample:
    given = given_ids(choice)
    try:
        reason = choice["finish_reason"]
    except KeyError as error:
        raise other_shape(error) from error
    # A token that ends is no string, and no string was to end anything.
    if isinstance(stopped := choice.get("stop_reason"), str):
        raise WrongAnswerError(
            f"ended a continuation at {stopped!r:.40}, which no request asks for; does something "
            "between add stop strings to requests?"
        )
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
        raise other_shape(error) from error
    if log_probs is not None:
        if len(log_probs) != len(ids):
            raise WrongAnswerError(f"gave {len(log_probs)} log-probabilities for {len(ids)} tokens")
        values.check_range(log_probs)
        values.check_listed(own, ids)
    return Sample(ids, text, reason == "stop", log_probs)


def other_shape(error: Exception) -> WrongAnswerError:
    """Return the error of an answer that has not the shape of a vLLM server's."""
    return WrongAnswerError(f"gave an answer of another shape ({error!r}); is it a vLLM server?")

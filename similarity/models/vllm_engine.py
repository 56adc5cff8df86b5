"""The model in vLLM's engine, in this process and with no server."""

import logging
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from similarity.arrays import LogProbs, Rows
from similarity.errors import ConfigError, UnsupportedError, WrongAnswerError
from similarity.law import Law
from similarity.models.base import (
    Ability,
    Continuation,
    ModelInfo,
    OnProgress,
    SampleRequest,
    ScoreRequest,
    TokenIds,
    ignore_progress,
)
from similarity.models.checks import PARAGRAPH
from similarity.models.gaps import Gap
from similarity.models.laws import require_model_law
from similarity.models.tokenization import Tokenization, Tokenized
from similarity.models.top import TopTokens, listed_tokens
from similarity.noise import generator_seed
from similarity.slices import slices

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Requests handed to the engine at a time, which batches them itself: enough to fill it, few
# enough that progress is seen.
CHUNK = 1024
# Tokens whose log-probabilities one request may choose.
MAX_CHOSEN = 128
# Seconds that a stopped engine's thread is waited for; it takes some milliseconds.
STOP_SECONDS = 10.0


class EngineModel(Tokenized):
    """The base of all models in vLLM's engine: its tokenizer, and how it is stopped."""

    def __init__(self, engine: Any, info: ModelInfo) -> None:
        self.info = info
        self._engine = engine
        tokenizer = engine.get_tokenizer()
        self.vocab_size = int(engine.llm_engine.model_config.get_vocab_size())
        self.end_ids = frozenset({tokenizer.eos_token_id} - {None})
        self.tokenization = Tokenization(tokenizer, self.end_ids, self.vocab_size)
        # At the latest as this process ends, and then before vLLM's own steps of that kind.
        self._stop = weakref.finalize(self, _stop, engine.llm_engine.engine_core)

    def close(self) -> None:
        """Stop the engine's processes, and wait for the thread that reads their answers."""
        self._stop()


def _stop(core: Any) -> None:
    core.shutdown()
    # Its last answers hold tensors. A thread that frees one while the interpreter ends is itself
    # ended amid C++ code, which aborts the program: "terminate called without an active exception".
    reader = getattr(core, "output_queue_thread", None)
    if reader is not None:
        reader.join(STOP_SECONDS)


class OfflineModel(EngineModel):
    """A model in vLLM's engine that generates, made by `load_offline`."""

    # More where `find_out` sees it work.
    abilities = frozenset({Ability.TOP_TOKENS})

    def __init__(self, engine: Any, sampling_params: Any, info: ModelInfo) -> None:
        super().__init__(engine, info)
        self._sampling_params = sampling_params

    def check_scoring(self, law: Law) -> None:
        """Refuse all laws but the model's own: the engine scores prompts under no other."""
        require_model_law(law)

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[Continuation]]:
        """Sample; no log-probabilities are kept, so that one path scores all trajectories."""
        results: list[list[Continuation]] = []
        for chunk in slices(requests, CHUNK):
            params = [self._params(request, law) for request in chunk]
            for output in self._run([(request.prefix, ()) for request in chunk], params):
                results.append(
                    [
                        Continuation(
                            token_ids=tuple(one.token_ids),
                            log_probs=None,
                            ended=one.finish_reason == "stop",
                            text=one.text,
                        )
                        for one in output.outputs
                    ]
                )
            on_progress(len(chunk))
        return results

    def score(
        self, requests: Sequence[ScoreRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[LogProbs]]:
        """Score the continuations of each prefix, equal ones once."""
        self.check_scoring(law)
        found = self._read(requests, 0, _log_probs)
        on_progress(len(requests))
        return found

    def top_distributions(
        self, requests: Sequence[ScoreRequest], law: Law, k: int
    ) -> list[list[TopTokens]]:
        """Have the k most probable tokens listed beside the scores.

        Raises
        ------
        ConfigError
            For another law than the model itself, or more than the engine lists.
        """
        self.check_scoring(law)
        most = self._engine.llm_engine.model_config.max_logprobs
        if 0 <= most < k:
            raise ConfigError(
                f"the engine lists the {most} most probable tokens, not {k}; put "
                f'"max_logprobs": {k} into TRAJSIM_VLLM_ENGINE, or ask for fewer'
            )
        return self._read(requests, k, partial(_top, k=k))

    def find_out(self) -> None:
        """Find out whether the engine gives log-probabilities of chosen tokens, and right ones."""
        prefix, token = self.encode(PARAGRAPH)[:16], self.encode(PARAGRAPH)[16]
        try:
            chosen = self._chosen([prefix], [token])[0]
        except Exception as error:  # each release refuses what it does not know in a way of its own
            logger.info("no log-probabilities of chosen tokens: %s", error)
            return
        ((scored,),) = self.score([ScoreRequest(prefix=prefix, continuations=((token,),))], Law())
        if Gap.between(chosen, scored).is_rounding:
            self.abilities = self.abilities | {Ability.TOKEN_LOG_PROBS}

    def next_log_probs(
        self,
        prefixes: Sequence[TokenIds],
        token_ids: Sequence[int],
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        """Read some of the chosen tokens at a time, after all prefixes.

        Raises
        ------
        UnsupportedError
            If the engine did not give them when it was loaded.
        """
        if Ability.TOKEN_LOG_PROBS not in self.abilities:
            raise UnsupportedError(
                f"the engine does not give log-probabilities of chosen tokens of {self.info.name}; "
                "take vLLM 0.32 or later, or load the model without 'vllm:'"
            )
        found = self._chosen(prefixes, token_ids)
        on_progress(len(prefixes))
        return found

    def _chosen(self, prefixes: Sequence[TokenIds], token_ids: Sequence[int]) -> Rows:
        distinct = list(dict.fromkeys(token_ids))
        rows = np.empty((len(prefixes), len(distinct)), np.float32)
        for start in range(0, len(distinct), MAX_CHOSEN):
            chosen = distinct[start : start + MAX_CHOSEN]
            params = self._sampling_params(max_tokens=1, logprob_token_ids=chosen, detokenize=False)
            for row, output in enumerate(self._run([(one, ()) for one in prefixes], params)):
                (listed,) = output.outputs[0].logprobs
                rows[row, start : start + len(chosen)] = [listed[t].logprob for t in chosen]
        return rows[:, [distinct.index(token) for token in token_ids]]

    def _read(
        self, requests: Sequence[ScoreRequest], top: int, read: Callable[[Any, TokenIds], T]
    ) -> list[list[T]]:
        """Return what `read` makes of each continuation, with `top` tokens listed at each place."""
        params = self._sampling_params(max_tokens=1, prompt_logprobs=top, detokenize=False)
        results: list[dict[TokenIds, T]] = [{} for _ in requests]
        wanted = [
            (owner, ids)
            for owner, request in enumerate(requests)
            for ids in dict.fromkeys(request.continuations)
        ]
        for chunk in slices(wanted, CHUNK):
            prompts = [(requests[owner].prefix, ids) for owner, ids in chunk]
            for (owner, ids), output in zip(chunk, self._run(prompts, params), strict=True):
                results[owner][ids] = read(output.prompt_logprobs, ids)
        return [
            [found[ids] for ids in request.continuations]
            for found, request in zip(results, requests, strict=True)
        ]

    def _params(self, request: SampleRequest, law: Law) -> Any:
        return self._sampling_params(
            n=request.n,
            max_tokens=request.max_tokens,
            temperature=law.temperature,
            top_k=law.top_k,
            top_p=law.top_p,
            seed=generator_seed(request.key) + request.start,
        )

    def _run(self, prompts: Sequence[tuple[TokenIds, TokenIds]], params: Any) -> Any:
        """Return the engine's outputs of prefixes, each with a continuation or ()."""
        given = [self._prompt(prefix, ids) for prefix, ids in prompts]
        return self._engine.generate(given, params, use_tqdm=False)

    def _prompt(self, prefix: TokenIds, continuation: TokenIds) -> dict[str, Any]:
        return {"prompt_token_ids": [*prefix, *continuation]}


def _log_probs(listed: Any, ids: TokenIds) -> LogProbs:
    """Return log P(token | before) of a continuation, nats, or raise WrongAnswerError."""
    places = listed[-len(ids) :]
    scores = np.array(
        [place[token].logprob for token, place in zip(ids, places, strict=True)], dtype=np.float64
    )
    if not np.isfinite(scores).all():
        raise WrongAnswerError(
            "the engine gave log-probabilities that are not finite; load the model in another dtype"
        )
    return scores


def _top(listed: Any, ids: TokenIds, k: int) -> TopTokens:
    places = [
        {token: found.logprob for token, found in place.items()} for place in listed[-len(ids) :]
    ]
    return listed_tokens(places, k)

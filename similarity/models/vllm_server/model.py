"""The language model that vLLM servers hold: the seam's calls become requests.

Scores are believed only with those of a probe that goes with each request.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import anyio
import numpy as np

from similarity.arrays import LogProbs, Rows
from similarity.errors import BackendTimeoutError, InputError, UnsupportedError, WrongAnswerError
from similarity.law import Law
from similarity.models.base import (
    Ability,
    Advance,
    Continuation,
    LanguageModel,
    ModelInfo,
    SampleRequest,
    ScoreRequest,
    TokenIds,
    ignore_progress,
)
from similarity.models.checks import TOLERANCE
from similarity.models.laws import require_model_law
from similarity.models.tokenization import ANCHORS
from similarity.models.top import TopTokens
from similarity.models.vllm_server import wire
from similarity.models.vllm_server.background import Background
from similarity.models.vllm_server.chosen import parts, prefix_batches, tell_chosen
from similarity.models.vllm_server.config import ENVIRONMENT_PREFIX
from similarity.models.vllm_server.identity import Identity, tokenize
from similarity.models.vllm_server.pool import Pool, gather
from similarity.models.vllm_server.wire import Prompt, Sample

T = TypeVar("T")
Work = Callable[[Advance], Awaitable[T]]

# Numbers that are listed in one answer, about: each takes some 75 bytes of JSON.
LISTED = 1 << 16


class ServerModel(LanguageModel):
    """A model on vLLM servers, made by `load_server`; close it, or leave it to the process.

    Any number of threads may use it at once.
    """

    def __init__(self, background: Background, pool: Pool, identity: Identity) -> None:
        self.identity = identity
        chosen = {Ability.TOKEN_LOG_PROBS} if identity.tells_chosen else set()
        self.abilities = frozenset({Ability.TOP_TOKENS} | chosen)
        # A path is a machine's own; a name with an owner is not.
        name = identity.name
        self.info = ModelInfo(
            name=name.rstrip("/").rpartition("/")[2] if name.startswith("/") else name,
            revision=identity.revision,
            dtype="served",
            context_length=identity.context_length,
        )
        # A server does not tell which tokens end a text; those that did are.
        self.end_ids = frozenset(identity.end)
        self._background = background
        self._pool = pool
        self._special: dict[int, bool] = {}
        self._anchors: dict[str, TokenIds] = {}

    def close(self) -> None:
        """Close all connections."""
        self._background.close()

    def encode(self, text: str) -> TokenIds:
        """Return the server's ids.

        Raises
        ------
        InputError
            If the text spells a special token, which the server would read as one.
        """
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return what `encode` does for each text, asking for many at a time."""
        calls = [partial(self._encode, text) for text in texts]
        return self._run(lambda _: gather(calls, self._pool.workers))

    def encode_continuation(self, text: str) -> TokenIds:
        """Return the server's ids of a text that follows another, without begin and end."""
        return self._run(lambda _: self._behind_an_anchor(text))

    def check_alive(self) -> None:
        """Raise BackendUnavailableError if no server answers."""
        self._run(lambda _: self._pool.check_alive())

    def decode(self, token_ids: TokenIds) -> str:
        """Return the server's text of ids, without what ends a sequence."""
        kept = [token for token in token_ids if token not in self.end_ids]
        body = {"model": self.identity.name, "tokens": kept}
        return self._run(lambda _: self._pool.ask(wire.DETOKENIZE, wire.read_text, body))

    def check_scoring(self, law: Law) -> None:
        """Take no law but the model's own: a server scores prompts under no other."""
        require_model_law(law)

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, advance: Advance = ignore_progress
    ) -> list[list[Continuation]]:
        """Sample all continuations of a prefix by one request.

        Where sampling steps and the reading of a prompt were seen to agree to rounding, their
        log-probabilities are kept. Else own and other trajectories are scored by one path.
        """
        # Under another law a server tells those of the model all the same.
        keeps = self.identity.keeps_sampled and law == Law()

        async def one(request: SampleRequest, count: Advance) -> list[Sample]:
            sampled = await self._pool.ask(
                wire.COMPLETIONS,
                lambda answer: wire.read_samples(answer, request),
                wire.sampling_body(self.identity.name, request, law, log_probs=keeps),
                tokens=request.n * (len(request.prefix) + request.max_tokens),
            )
            self.end_ids |= {sample.token_ids[-1] for sample in sampled if sample.ended}
            count(1)
            return sampled

        sampled = self._run(
            lambda count: gather(
                [partial(one, request, count) for request in requests], self._pool.workers
            ),
            advance,
        )
        return [
            [
                Continuation(
                    token_ids=s.token_ids, log_probs=s.log_probs if keeps else None, text=s.text
                )
                for s in samples
            ]
            for samples in sampled
        ]

    def score(
        self, requests: Sequence[ScoreRequest], law: Law, advance: Advance = ignore_progress
    ) -> list[list[LogProbs]]:
        """Score many continuations by one request, equal ones of a prefix once.

        Raises
        ------
        ConfigError
            For another law than the model itself.
        WrongAnswerError
            If a server no longer holds the model that it held at the beginning.
        """
        self.check_scoring(law)
        return self._read(requests, wire.scores_of, advance=advance)

    def top_distributions(
        self, requests: Sequence[ScoreRequest], law: Law, k: int
    ) -> list[list[TopTokens]]:
        """Have the k most probable tokens listed beside the scores.

        Raises
        ------
        BackendRefusedError
            If that is more than a server's --max-logprobs.
        ConfigError, WrongAnswerError
            As for `score`.
        """
        self.check_scoring(law)
        return self._read(requests, partial(wire.top_of, k=k), top=k)

    def next_log_probs(self, prefixes: Sequence[TokenIds], token_ids: Sequence[int]) -> Rows:
        """Ask for some of the chosen tokens at a time, after many prefixes.

        Raises
        ------
        UnsupportedError
            If a server did not tell them when it was asked at the start.
        WrongAnswerError
            If a server no longer holds the model that it held at the beginning.
        """
        if Ability.TOKEN_LOG_PROBS not in self.abilities:
            raise UnsupportedError(
                f"{self.info.name} is served in a way that does not tell log-probabilities of "
                "chosen tokens; serve it by vLLM 0.32 or later, or load it in this process"
            )
        columns = {token: place for place, token in enumerate(dict.fromkeys(token_ids))}
        rows = np.empty((len(prefixes), len(columns)), np.float32)

        async def one(numbers: list[int], chosen: list[int]) -> None:
            found = await tell_chosen(
                self._pool, self.identity, [prefixes[i] for i in numbers], chosen
            )
            rows[np.ix_(numbers, [columns[token] for token in chosen])] = found

        calls = [
            partial(one, numbers, chosen)
            for numbers in prefix_batches(
                prefixes, self._pool.config.request_tokens, LISTED // wire.MAX_CHOSEN
            )
            for chosen in parts(list(columns), wire.MAX_CHOSEN - 1)
        ]

        async def all_of_them(_count: Advance) -> None:
            await self._believed([], wire.scores_of, 0)
            await gather(calls, self._pool.workers)

        self._run(all_of_them)
        return rows[:, [columns[token] for token in token_ids]]

    def _read(
        self,
        requests: Sequence[ScoreRequest],
        read: Callable[[Any, Prompt], T],
        *,
        top: int = 0,
        advance: Advance = ignore_progress,
    ) -> list[list[T]]:
        """Return what `read` makes of each continuation, with `top` tokens listed at each place."""
        unfinished = [len(set(request.continuations)) for request in requests]
        results: list[dict[TokenIds, T]] = [{} for _ in requests]

        async def one(batch: list[tuple[int, Prompt]], count: Advance) -> None:
            found = await self._believed([prompt for _, prompt in batch], read, top)
            for (owner, prompt), result in zip(batch, found, strict=True):
                results[owner][prompt.continuation] = result
                unfinished[owner] -= 1
                count(unfinished[owner] == 0)

        size = self._pool.config.request_tokens
        batches = _batches(requests, min(size, LISTED // top) if top else size)
        self._run(
            lambda count: gather(
                [partial(one, batch, count) for batch in batches], self._pool.workers
            ),
            advance,
        )
        return [
            [found[ids] for ids in request.continuations]
            for found, request in zip(results, requests, strict=True)
        ]

    async def _believed(
        self, prompts: Sequence[Prompt], read: Callable[[Any, Prompt], T], top: int
    ) -> list[T]:
        """Have prompts read by one request, by a server that is still who it was."""
        identity = self.identity
        asked = [identity.probe, *prompts]
        probed, found = await self._pool.ask(
            wire.COMPLETIONS,
            lambda answer: wire.read_probed(answer, identity.probe, prompts, read),
            wire.scoring_body(identity.name, asked, top=top),
            tokens=sum(prompt.tokens for prompt in asked),
        )
        if (drift := identity.drift(probed)) > TOLERANCE:
            raise WrongAnswerError(
                f"a server of {identity.name!r} has another model than before: its scores of one "
                f"text are {drift:.2g} nats per token away; load the model anew"
            )
        return found

    async def _encode(self, text: str) -> TokenIds:
        ids, strings = await tokenize(self._pool, self.identity.name, text)
        begin, end = len(self.identity.begin), len(ids) - len(self.identity.end)
        await self._check_plain(text, ids[begin:end], strings[begin:end])
        if end < 1:
            raise InputError(f"the text {text[:40]!r} has no tokens; give another")
        return ids[:end]

    async def _bare(self, text: str) -> TokenIds:
        ids, strings = await tokenize(self._pool, self.identity.name, text, affixes=False)
        await self._check_plain(text, ids, strings)
        return ids

    async def _behind_an_anchor(self, text: str) -> TokenIds:
        """Return ids without the mark of a first word, as `Tokenization` finds them."""
        for anchor in ANCHORS:
            if anchor not in self._anchors:
                self._anchors[anchor] = await self._bare(anchor)
            begin, joined = self._anchors[anchor], await self._bare(anchor + text)
            if begin and joined[: len(begin)] == begin:
                return joined[len(begin) :]
        return await self._bare(text)

    async def _check_plain(self, text: str, ids: TokenIds, strings: Sequence[str]) -> None:
        """Raise InputError if a server has read a part of the text as a special token."""
        for token, string in zip(ids, strings, strict=True):
            if _looks_special(string) and string in text and await self._is_special(token):
                raise InputError(
                    f"the text that begins {text.strip()[:40]!r} spells the special token "
                    f"{string!r}, which a server reads as one; take it out of the text"
                )

    async def _is_special(self, token: int) -> bool:
        """Let a server say this very token: it does not show a special one."""
        if token not in self._special:
            request = SampleRequest(prefix=self.identity.probe.prefix, n=1, max_tokens=1, key=0)
            body = wire.sampling_body(self.identity.name, request, Law())
            (said,) = await self._pool.ask(
                wire.COMPLETIONS,
                lambda answer: wire.read_samples(answer, request),
                {**body, "allowed_token_ids": [token]},
            )
            self._special[token] = not said.text
        return self._special[token]

    def _run(self, work: Work[T], advance: Advance = ignore_progress) -> T:
        """Return the result of `work` if it has one within the time for a call."""
        limit = self._pool.config.call_timeout

        async def within_limit(count: Advance) -> T:
            try:
                with anyio.fail_after(limit):
                    return await work(count)
            except TimeoutError as error:
                raise BackendTimeoutError(
                    f"the servers of {self.identity.name!r} did not finish within {limit:g} s; "
                    f"raise {ENVIRONMENT_PREFIX}CALL_TIMEOUT, or send less at a time"
                ) from error

        return self._background.run(within_limit, advance)


def _batches(
    requests: Sequence[ScoreRequest], max_tokens: int
) -> Iterator[list[tuple[int, Prompt]]]:
    """Yield prompts with the numbers of their requests, about `max_tokens` tokens at a time."""
    batch: list[tuple[int, Prompt]] = []
    tokens = 0
    for owner, request in enumerate(requests):
        for continuation in dict.fromkeys(request.continuations):
            prompt = Prompt(request.prefix, continuation)
            if batch and tokens + prompt.tokens > max_tokens:
                yield batch
                batch, tokens = [], 0
            batch.append((owner, prompt))
            tokens += prompt.tokens
    if batch:
        yield batch


def _looks_special(string: str) -> bool:
    return len(string) > 2 and string[0] + string[-1] in ("<>", "[]")

"""The language model on vLLM servers: calls of `LanguageModel` become requests.

With or after each request a probe is scored, which shows whether that server has the model still.
"""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any, TypeVar

from similarity.arrays import LogProbs, Rows
from similarity.errors import InputError, UnsupportedError, WrongAnswerError
from similarity.images.image import Image
from similarity.law import Law
from similarity.models.base import (
    Ability,
    Continuation,
    OnProgress,
    SampleRequest,
    ScoreRequest,
    TokenIds,
    ignore_progress,
)
from similarity.models.gaps import Gap
from similarity.models.laws import require_model_law
from similarity.models.prefix import ImageTokens
from similarity.models.top import TopTokens
from similarity.models.vllm_server import values, wire
from similarity.models.vllm_server.background import Background
from similarity.models.vllm_server.batches import prompt_batches
from similarity.models.vllm_server.chosen import LISTED, all_chosen
from similarity.models.vllm_server.gathering import gather
from similarity.models.vllm_server.identity import Identity
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.probing import Probing
from similarity.models.vllm_server.replica import Replica
from similarity.models.vllm_server.sampled import Endings, check_copies
from similarity.models.vllm_server.scoring import scores_of, top_of
from similarity.models.vllm_server.served import ServedModel
from similarity.models.vllm_server.texts import ServedTexts
from similarity.models.vllm_server.vocabulary import find_vocab_size
from similarity.models.vllm_server.wire import Prompt, Sample

T = TypeVar("T")


class ServerModel(ServedModel):
    """A model on vLLM servers that generate, made by `load_server`."""

    def __init__(self, background: Background, pool: Pool, identity: Identity) -> None:
        super().__init__(background, pool, identity, identity.revision, ServedTexts(pool, identity))
        self.identity = identity
        self._endings = Endings(identity)
        self._probing = Probing(identity)
        chosen = set() if identity.no_chosen else {Ability.TOKEN_LOG_PROBS}
        self.abilities = frozenset({Ability.TOP_TOKENS} | chosen)
        self.lacks = identity.lacks

    @cached_property
    def vocab_size(self) -> int | None:  # type: ignore[override]  # found when it is needed
        """Return the first id that the server does not have; None if it cannot be found."""
        identity = self.identity
        return self._run(lambda _: find_vocab_size(self._pool, identity.name, identity.probe))

    def encode_image(self, image: Image, before: str, after: str) -> ImageTokens:
        """Raise UnsupportedError: the checks at loading found that no images are read."""
        raise UnsupportedError(
            f"{self.info.name} is served in a way that reads texts alone, and image "
            f"{image.name!r} was given; trajsim doctor says why"
        )

    def check_scoring(self, law: Law) -> None:
        """Refuse all laws but the model's own: a server scores prompts under no other."""
        require_model_law(law)

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[Continuation]]:
        """Sample all continuations of a prefix by one request.

        Where sampling steps and the reading of a prompt were seen to agree to rounding, their
        log-probabilities are kept. Else own and other trajectories are scored by one path.

        Raises
        ------
        ModelChangedError
            If a server no longer holds the model that it held at the beginning.
        WrongAnswerError
            If a server does not score what it sampled, or scores it otherwise, or samples have
            lost their end or are copies.
        """
        # Under another law a server gives log-probabilities of the model all the same.
        of_law = law == Law()
        keeps = self.identity.keeps_sampled and of_law

        async def one(request: SampleRequest, count: OnProgress) -> list[Sample]:
            # They name the tokens of each sample a second time, also where they are not kept.
            body = wire.sampling_body(self.identity.name, request, law, log_probs=True)

            def read(answer: Any) -> list[Sample]:
                samples = wire.read_samples(answer, request, log_probs=True)
                if of_law:
                    check_copies(samples)
                return samples

            async def believed(replica: Replica) -> list[Sample]:
                samples = await replica.request(wire.COMPLETIONS, read, body)
                await self._endings.check(replica, samples)
                await self._check_sampled(replica, request.prefix, samples, kept=keeps)
                return samples

            sampled = await self._pool.call(
                believed, tokens=request.n * (len(request.prefix) + request.max_tokens)
            )
            count(1)
            return sampled

        sampled = self._run(
            lambda count: gather(
                [partial(one, request, count) for request in requests], self._pool.workers
            ),
            on_progress,
        )
        return [[one.continuation(keep_log_probs=keeps) for one in of_one] for of_one in sampled]

    def score(
        self, requests: Sequence[ScoreRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[LogProbs]]:
        """Score many continuations by one request, equal ones of a prefix once.

        Raises
        ------
        ConfigError
            For another law than the model itself.
        ModelChangedError
            If a server no longer holds the model that it held at the beginning.
        """
        self.check_scoring(law)
        return self._read(requests, scores_of, on_progress=on_progress)

    def top_distributions(
        self, requests: Sequence[ScoreRequest], law: Law, k: int
    ) -> list[list[TopTokens]]:
        """Have the k most probable tokens listed beside the scores.

        Raises
        ------
        BackendRefusedError
            If that is more than a server's --max-logprobs.
        ConfigError, ModelChangedError
            As for `score`.
        """
        self.check_scoring(law)
        return self._read(requests, partial(top_of, k=k), top=k)

    def next_log_probs(
        self,
        prefixes: Sequence[TokenIds],
        token_ids: Sequence[int],
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        """Request some of the chosen tokens at a time, after many prefixes.

        Raises
        ------
        UnsupportedError
            If a server did not give them when it was tried at the start.
        ModelChangedError
            If a server no longer holds the model that it held at the beginning.
        """
        if Ability.TOKEN_LOG_PROBS not in self.abilities:
            raise UnsupportedError(
                f"{self.info.name} is served without log-probabilities of chosen tokens: "
                f"{self.identity.no_chosen}; serve it by vLLM 0.32 or later, or load it in this "
                "process"
            )

        return self._run(
            lambda count: all_chosen(self._pool, self._probing, prefixes, token_ids, count),
            on_progress,
        )

    def _read(
        self,
        requests: Sequence[ScoreRequest],
        read: Callable[[Any, Prompt], T],
        *,
        top: int = 0,
        on_progress: OnProgress = ignore_progress,
    ) -> list[list[T]]:
        """Return what `read` makes of each continuation, with `top` tokens listed at each place."""
        unfinished = [len(set(request.continuations)) for request in requests]
        results: list[dict[TokenIds, T]] = [{} for _ in requests]

        async def one(batch: list[tuple[int, Prompt]], count: OnProgress) -> None:
            found = await self._believed([prompt for _, prompt in batch], read, top)
            for (owner, prompt), result in zip(batch, found, strict=True):
                results[owner][prompt.continuation] = result
                unfinished[owner] -= 1
                count(unfinished[owner] == 0)

        size = self._pool.config.request_tokens
        batches = prompt_batches(requests, min(size, LISTED // top) if top else size)
        self._run(
            lambda count: gather(
                [partial(one, batch, count) for batch in batches], self._pool.workers
            ),
            on_progress,
        )
        return [
            [found[ids] for ids in request.continuations]
            for found, request in zip(results, requests, strict=True)
        ]

    async def _check_sampled(
        self, replica: Replica, prefix: TokenIds, samples: Sequence[Sample], *, kept: bool
    ) -> None:
        """Check that a server has the model as before, and that it scores what it sampled.

        The log-probabilities are compared too, where those of sampling are `kept`.
        One sample is scored beside the probe, which takes about as long as one more step. It is
        the one of the highest token id: if that one is of the vocabulary, so are the others.
        """
        sample = max(samples, key=lambda sample: max(sample.token_ids))
        prompt = Prompt(prefix, sample.token_ids)
        try:
            (scored,) = await self._probing.read(replica, [prompt], scores_of)
        except InputError as error:  # the prefix was taken before
            raise WrongAnswerError(
                f"{replica.url} sampled token {max(sample.token_ids)} and does not score it; it "
                "must give ids of its own vocabulary"
            ) from error
        if not kept or sample.log_probs is None:
            return
        gap = Gap.between(sample.log_probs, scored)
        if not gap.is_rounding:
            raise WrongAnswerError(
                f"{replica.url} gives sampled tokens other log-probabilities than at loading, "
                f"{gap} from scored ones, and {gap.advice(values.OWN_LAW)}"
            )

    async def _believed(
        self, prompts: Sequence[Prompt], read: Callable[[Any, Prompt], T], top: int
    ) -> list[T]:
        """Have prompts read by one request; check by the probe that the model is the same."""
        return await self._pool.call(
            lambda replica: self._probing.read(replica, prompts, read, top),
            tokens=sum(prompt.tokens for prompt in [self.identity.probe, *prompts]),
        )

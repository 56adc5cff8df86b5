"""Samples and scores after images on servers: a request for each prefix and continuation."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, TypeVar

import numpy as np

from similarity.arrays import LogProbs
from similarity.errors import WrongAnswerError
from similarity.images.image import Image
from similarity.images.sources import data_url
from similarity.law import Law
from similarity.models.base import OnProgress, SampleRequest, ScoreRequest, TokenIds
from similarity.models.prefix import ImageTokens, KnownPrefixes
from similarity.models.vllm_server import image_wire, wire
from similarity.models.vllm_server.gathering import gather
from similarity.models.vllm_server.identity import Identity
from similarity.models.vllm_server.image_wire import GENERATE, ServedPrefix
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.probing import Probing
from similarity.models.vllm_server.replica import Replica
from similarity.models.vllm_server.sampled import Endings
from similarity.models.vllm_server.texts import ServedTexts
from similarity.models.vllm_server.wire import Prompt, Sample
from similarity.slices import slices

T = TypeVar("T")

# Images whose files are kept as they are sent: a large one takes tens of megabytes.
_URLS = 4


class ServedImages:
    """Prefixes with images on the servers of one model."""

    def __init__(
        self,
        pool: Pool,
        identity: Identity,
        texts: ServedTexts,
        endings: Endings,
        probing: Probing,
    ) -> None:
        self._pool = pool
        self._identity = identity
        self._probing = probing
        self._texts = texts
        self._endings = endings
        # Each continuation of an image is a request with all of it.
        self._url = lru_cache(_URLS)(data_url)
        # The ids that are sent, and those that are read.
        self._known: KnownPrefixes[tuple[TokenIds, TokenIds]] = KnownPrefixes()

    async def encode(self, image: Image, before: str, after: str) -> ImageTokens:
        """Return the ids that a server reads of an image between two texts.

        Raises
        ------
        InputError
            If a text spells a special token.
        WrongAnswerError
            If the server changes more than the place of the image.
        """
        prefix = await self._encoded(image, before, after)
        return ImageTokens.between(before, image, after, prefix.read)

    async def sample(
        self, requests: Sequence[SampleRequest], law: Law, count: OnProgress
    ) -> list[list[Sample]]:
        """Sample all continuations of a prefix by one request."""

        async def one(request: SampleRequest) -> list[Sample]:
            prefix = await self.served(request.prefix)
            body = image_wire.image_body(
                self._identity.name,
                self._url(prefix.image),
                prefix.sent,
                wire.sampling_params(request, law),
                text=True,
            )

            async def believed(replica: Replica) -> list[Sample]:
                samples = await self._believed(
                    replica,
                    lambda answer: image_wire.read_image_samples(answer, prefix, request),
                    body,
                )
                await self._endings.check(replica, samples)
                return samples

            sampled = await self._pool.call(
                believed, tokens=request.n * (len(prefix.read) + request.max_tokens)
            )
            count(1)
            return sampled

        return await gather([partial(one, request) for request in requests], self._pool.workers)

    async def read(
        self,
        requests: Sequence[ScoreRequest],
        read: Callable[[Any, Prompt], T],
        top: int,
        count: OnProgress,
    ) -> list[list[T]]:
        """Return what `read` makes of each continuation, equal ones of a prefix read once."""
        unfinished = [len(set(request.continuations)) for request in requests]
        found: list[dict[TokenIds, T]] = [{} for _ in requests]

        async def one(owner: int, ids: TokenIds) -> None:
            prefix = await self.served(requests[owner].prefix)
            found[owner][ids] = await self.read_one(prefix, ids, read, top)
            unfinished[owner] -= 1
            count(unfinished[owner] == 0)

        calls = [
            partial(one, owner, ids)
            for owner, request in enumerate(requests)
            for ids in dict.fromkeys(request.continuations)
        ]
        await gather(calls, self._pool.workers)
        return [
            [of_request[ids] for ids in request.continuations]
            for of_request, request in zip(found, requests, strict=True)
        ]

    async def read_one(
        self, prefix: ServedPrefix, ids: TokenIds, read: Callable[[Any, Prompt], T], top: int = 0
    ) -> T:
        """Return what `read` makes of one continuation, with `top` tokens listed at each place."""
        prompt = Prompt(prefix.read, ids)
        body = image_wire.image_body(
            self._identity.name,
            self._url(prefix.image),
            (*prefix.sent, *ids),
            {"prompt_logprobs": top},
        )

        def checked(answer: Any) -> T:
            return read(image_wire.checked(answer, (*prefix.read, *ids)), prompt)

        return await self._pool.call(
            lambda replica: self._believed(replica, checked, body), tokens=prompt.tokens
        )

    async def chosen(
        self, prefixes: Sequence[TokenIds], token_ids: Sequence[int], count: OnProgress
    ) -> list[LogProbs]:
        """Return log P(token | prefix) of each prefix, shape "token" in nats."""
        columns = {token: place for place, token in enumerate(dict.fromkeys(token_ids))}
        rows = np.empty((len(prefixes), len(columns)))
        of_columns = list(slices(list(columns), self._identity.image_chosen))
        unfinished = [len(of_columns)] * len(prefixes)

        async def one(row: int, some: Sequence[int]) -> None:
            prefix = await self.served(prefixes[row])
            rows[row, [columns[token] for token in some]] = await self.chosen_once(prefix, some)
            unfinished[row] -= 1
            count(unfinished[row] == 0)

        calls = [partial(one, row, some) for row in range(len(prefixes)) for some in of_columns]
        await gather(calls, self._pool.workers)
        return list(rows[:, [columns[token] for token in token_ids]])

    async def chosen_once(self, prefix: ServedPrefix, token_ids: Sequence[int]) -> LogProbs:
        """Return log P(token | prefix), shape "token" in nats, by one request."""
        body = image_wire.image_body(
            self._identity.name,
            self._url(prefix.image),
            prefix.sent,
            image_wire.chosen_params(token_ids),
        )

        def read(answer: Any) -> LogProbs:
            return image_wire.read_image_chosen(answer, prefix, token_ids)

        return await self._pool.call(
            lambda replica: self._believed(replica, read, body), tokens=len(prefix.read)
        )

    async def _believed(
        self, replica: Replica, read: Callable[[Any], T], body: dict[str, Any]
    ) -> T:
        """Return what `read` makes of an answer, if its server has the model as at loading."""
        found = await replica.request(GENERATE, read, body)
        await self._probing.confirm(replica)
        return found

    async def served(self, prefix: TokenIds) -> ServedPrefix:
        """Return the sent and the read ids of a prefix; raise WrongAnswerError if they changed."""
        assert isinstance(prefix, ImageTokens)
        image = prefix.images[0]
        served = await self._encoded(image, *prefix.around)
        if served.read != tuple(prefix):
            raise WrongAnswerError(
                f"the servers of {self._identity.name!r} read image {image.name!r} in other "
                "tokens than before; load the model anew"
            )
        return served

    async def _encoded(self, image: Image, before: str, after: str) -> ServedPrefix:
        ids = self._known.get(image, before, after)
        if ids is None:
            ids = await self._request_ids(image, before, after)
            self._known.put(image, before, after, ids)
        return ServedPrefix(image, *ids)

    async def _request_ids(
        self, image: Image, before: str, after: str
    ) -> tuple[TokenIds, TokenIds]:
        sent, place = await self._texts.encode_around(before, self._identity.image_token, after)
        read = await self._pool.request(
            GENERATE,
            image_wire.read_prompt,
            image_wire.image_body(self._identity.name, self._url(image), sent, {}),
            tokens=len(sent),
        )
        behind = len(sent) - place - 1
        if read[:place] != sent[:place] or read[len(read) - behind :] != sent[place + 1 :]:
            raise WrongAnswerError(
                f"the servers of {self._identity.name!r} change the tokens beside an image"
            )
        return sent, read

"""Samples and scores after images: each prefix is read once, and its state copied to all rows.

One prefix at a time, so that no number depends on the other requests. As for texts, what the
copied state gives is compared with plain readings as far as it is used.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from similarity.arrays import LogProbs, Rows
from similarity.errors import WrongAnswerError
from similarity.images.image import Image
from similarity.law import Law
from similarity.models.base import Continuation, SampleRequest, ScoreRequest, TokenIds
from similarity.models.checks import AFTER_IMAGE
from similarity.models.network import Network
from similarity.models.prefix import ImageTokens
from similarity.models.sampling import Row
from similarity.models.torch_ops import law_log_probs, token_log_probs
from similarity.models.verification import Verified
from similarity.models.vision.network import ImageNetwork, in_rows
from similarity.models.vision.processing import ImageProcessing
from similarity.slices import slices

logger = logging.getLogger(__name__)

# The network finds the positions after an image itself.
_NO_POSITIONS = torch.empty(0)
# Makes a result of logits, shape "token vocabulary", and the tokens that they predict.
Make = Callable[[Tensor, TokenIds], Any]


class ImageReader:
    """Reads prefixes with images for one network.

    Parameters
    ----------
    shorten
        Called with the number of tokens that the network can read, once a text is longer.
    max_rows, max_logits
        Continuations read together, and the tokens of them whose logits are held.
    """

    def __init__(
        self,
        network: Network,
        processing: ImageProcessing,
        shorten: Callable[[int], None],
        *,
        max_rows: int,
        max_logits: int,
    ) -> None:
        self._network = ImageNetwork(network, processing.place, processing.word)
        self._processing = processing
        self._verified = Verified(self._network, shorten, network, self._network.failure)
        self._max_rows, self._max_logits = max_rows, max_logits
        # The longest continuation for which a copied state was seen to give plain numbers.
        self._seen = 0

    def encode(self, image: Image, before: str, after: str) -> ImageTokens:
        """Return the ids of an image between two texts."""
        return self._processing.encode(image, before, after)

    @torch.inference_mode()
    def check(self, first: Image, second: Image) -> None:
        """Check by two images that the network sees them.

        Raises
        ------
        WrongAnswerError
            If what is read after an image changes what it predicts, or if the images do not.
        """
        predicted = []
        for image in (first, second):
            prefix = self.encode(image, "", "")
            with self._opened(prefix):
                whole = self._network.read(self._ids((*prefix, *AFTER_IMAGE)))[0, : len(prefix)]
                alone = self._network.read(self._ids(prefix))[0]
            if not self._network.agree(whole, alone):
                raise WrongAnswerError(
                    "what the network predicts after an image depends on what is read later; give "
                    "a causal language model"
                )
            predicted.append(alone[-1])
        if torch.equal(*predicted):
            raise WrongAnswerError("the network predicts the same after any image; it sees none")

    def sample(
        self, request: SampleRequest, law: Law, end_ids: frozenset[int]
    ) -> list[Continuation]:
        """Return the continuations of one request."""
        found = []
        with self._opened(request.prefix):
            for start in range(0, request.n, self._max_rows):
                numbers = request.numbers[start : start + self._max_rows]
                rows = [Row(0, number, request) for number in numbers]
                self._verified.sample(rows, law, end_ids)
                found += [row.continuation(end_ids) for row in rows]
        return found

    def score(self, request: ScoreRequest, law: Law) -> list[LogProbs]:
        """Return the log-probabilities of each continuation's tokens, nats."""

        def made(logits: Tensor, ids: TokenIds) -> LogProbs:
            tokens = torch.tensor(ids, device=logits.device)
            return token_log_probs(logits, tokens, law).double().cpu().numpy()

        return list(self._each(request, made))

    def distributions(self, request: ScoreRequest, law: Law) -> list[Rows]:
        """Return the log-probabilities of all tokens at each of a continuation's, nats."""
        return list(self._each(request, lambda logits, _: law_log_probs(logits, law).cpu().numpy()))

    @torch.inference_mode()
    def hidden_states(self, prefix: TokenIds) -> Rows:
        """Return the last layer's states, shape "token width"."""
        ids = self._ids(prefix)
        with self._opened(prefix), self._verified.reading(len(prefix)):
            states: Rows = self._network.states(ids, torch.ones_like(ids))[0].float().cpu().numpy()
        return states

    @torch.inference_mode()
    def next_state(self, prefix: TokenIds) -> Rows:
        """Return the state before the output head after a prefix, shape "width"."""
        ids = self._ids(prefix)
        last = torch.tensor([len(prefix) - 1], device=ids.device)
        with self._opened(prefix), self._verified.reading(len(prefix)):
            state: Rows = self._network.next_states(ids, None, last)[0].float().cpu().numpy()
        return state

    def _opened(self, prefix: TokenIds) -> Any:
        assert isinstance(prefix, ImageTokens)
        tensors = self._processing.tensors(prefix)
        return self._network.opened(prefix, tensors, self._processing.kinds or ())

    def _ids(self, prefix: TokenIds) -> Tensor:
        return torch.tensor([list(prefix)], device=self._network.device)

    @torch.inference_mode()
    def _each(self, request: ScoreRequest, make: Make) -> Iterator[Any]:
        """Yield what `make` returns of each continuation's logits, in order."""
        with self._opened(request.prefix):
            if not self._network.caches:
                yield from (self._plain(request.prefix, ids, make) for ids in request.continuations)
                return
            with self._verified.reading(len(request.prefix)):
                first, cache = self._network.start(self._ids(request.prefix), None, _NO_POSITIONS)
            for some in self._batches(request.continuations):
                found = self._after(cache, first, some, make)
                if not self._right(request.prefix, some, found, make):
                    self._network.caches = False
                    found = [self._plain(request.prefix, ids, make) for ids in some]
                yield from found

    def _batches(self, continuations: Sequence[TokenIds]) -> Iterator[Sequence[TokenIds]]:
        longest = max(map(len, continuations), default=1)
        size = max(1, min(self._max_rows, self._max_logits // longest))
        return slices(continuations, size)

    def _after(self, cache: Any, first: Tensor, some: Sequence[TokenIds], make: Make) -> list[Any]:
        """Return what `make` returns of continuations' logits, read together after one state."""
        ids = in_rows(some, self._network.device)
        if not ids.shape[1]:
            return [make(first, one) for one in some]
        logits = self._network.logits_after(self._network.copies(cache, len(some)), ids)
        return [
            make(torch.cat([first, rows[: len(one) - 1]]), one)
            for rows, one in zip(logits, some, strict=True)
        ]

    def _plain(self, prefix: TokenIds, continuation: TokenIds, make: Make) -> Any:
        """Return what `make` returns of a continuation's logits, read at once with its prefix."""
        whole = [*prefix, *continuation[:-1]]
        with self._verified.reading(len(whole)):
            logits = self._network.read(torch.tensor([whole], device=self._network.device))
        return make(logits[0, len(prefix) - 1 :], continuation)

    def _right(
        self, prefix: TokenIds, some: Sequence[TokenIds], found: Sequence[NDArray[Any]], make: Make
    ) -> bool:
        """Return whether the longest continuation has its plain numbers.

        It is not read again if one as long was right before.
        """
        longest = max(range(len(some)), key=lambda i: len(some[i]))
        length = len(prefix) + len(some[longest])
        if length <= self._seen:
            return True
        plain = self._plain(prefix, some[longest], make)
        if not np.allclose(found[longest], plain, rtol=0, atol=3 * self._network.rounding):
            logger.info("after an image each continuation is read alone: a copied state differs")
            return False
        self._seen = length
        return True

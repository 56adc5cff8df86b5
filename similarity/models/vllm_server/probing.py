"""Whether a server still has the model of loading, by scores of a probe at that very server."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio

from similarity.errors import ModelError
from similarity.models.gaps import TOLERANCE, Gap
from similarity.models.vllm_server import wire
from similarity.models.vllm_server.identity import Identity
from similarity.models.vllm_server.passing import PassingError
from similarity.models.vllm_server.replica import Replica
from similarity.models.vllm_server.scoring import read_probed, read_scores, scoring_body
from similarity.models.vllm_server.wire import Prompt

T = TypeVar("T")


@dataclass
class _Last:
    """The last probe of a server: when it began, in monotonic seconds, and how it failed."""

    began: float = float("-inf")
    failure: PassingError | ModelError | None = None
    lock: anyio.Lock = field(default_factory=anyio.Lock)


class Probing:
    """Knows the model of an identity again at each server, in one event loop."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self._last: defaultdict[Replica, _Last] = defaultdict(_Last)

    async def read(
        self,
        replica: Replica,
        prompts: Sequence[Prompt],
        read: Callable[[Any, Prompt], T],
        top: int = 0,
    ) -> list[T]:
        """Return what `read` makes of each prompt, by one request that the probe goes with.

        Raises
        ------
        ModelChangedError
            If the server has another model than at loading.
        """
        identity = self.identity

        def believed(answer: Any) -> tuple[Gap, list[T]]:
            probed, found = read_probed(answer, identity.probe, prompts, read)
            drift = identity.drift(probed)
            identity.check_drift(drift)
            return drift, found

        body = scoring_body(identity.name, [identity.probe, *prompts], top=top)
        drift, found = await replica.request(wire.COMPLETIONS, believed, body)
        if drift.mean > TOLERANCE:
            await self._look_again(replica)
        return found

    async def confirm(self, replica: Replica) -> None:
        """Have the probe scored after an answer of this server, before that answer is used.

        One probe is for all answers that came before it began, so that a server has one at a time.

        Raises
        ------
        ModelChangedError
            If the server has another model than at loading.
        """
        answered, last = time.monotonic(), self._last[replica]
        async with last.lock:
            if last.began < answered:
                began = time.monotonic()
                try:
                    await self.read(replica, [], lambda _choice, _prompt: None)
                    last.failure = None
                except (PassingError, ModelError) as failure:
                    # Those who wait would each wait as long for the same.
                    last.failure = failure
                last.began = began
            if last.failure is not None:
                raise last.failure

    async def _look_again(self, replica: Replica) -> None:
        """Have the long probe scored: noise and another model are told apart by more tokens."""
        identity = self.identity

        def checked(answer: Any) -> None:
            identity.check_long(*read_scores(answer, [identity.long_probe]))

        body = scoring_body(identity.name, [identity.long_probe])
        await replica.request(wire.COMPLETIONS, checked, body)

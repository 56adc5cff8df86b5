"""A vLLM server that pools, in a few lines: the toy model's states, and their faults."""

import base64
from collections.abc import Callable, Sequence

import httpx
import numpy as np

from similarity.arrays import Rows
from similarity.models.base import TokenIds
from similarity.models.vllm_server.pooled_states import EMBEDDINGS
from tests.similarity.models.fake_server import Answer, FakeServer

WIDTH = 12


def toy_walk(prefix: TokenIds, seed: int = 0) -> Rows:
    """Return the states after each token, which depend on all before, and most on the last."""
    table = np.random.default_rng(seed).normal(size=(300, WIDTH))
    state, rows = np.zeros(WIDTH), []
    for token in prefix:
        state = np.tanh(0.5 * state + table[token])
        rows.append(3 * state)
    # What was read long before is not forgotten, as a prompt stands behind every text.
    places = np.arange(1, len(prefix) + 1)[:, None]
    remembered = np.cumsum(table[list(prefix)], axis=0) / np.sqrt(places)
    return (np.array(rows) + remembered).astype(np.float32)


def toy_states(prefixes: Sequence[TokenIds], seed: int = 0) -> Rows:
    """Return the state after each prefix, shape "prefix width"."""
    return np.array([toy_walk(prefix, seed)[-1] for prefix in prefixes], np.float32)


class FakePoolingServer(FakeServer):
    """Serves states; `pooled` makes an answer's of those of each beginning of a prompt."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed
        self.max_model_len = 4096
        self.heeds_activation = True
        self.pooled: Callable[[Rows], Rows] = lambda states: states[-1]

    @property
    def asked(self) -> list[list[list[int]]]:
        """The prompts of each request for states, without the probe that goes first."""
        return [body["input"][1:] for body in self.bodies if "input" in body]

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/completions":
            return httpx.Response(404, json={"detail": "Not Found"})
        return await super().handle(request)

    async def other(self, request: httpx.Request, body: Answer) -> httpx.Response:
        if request.url.path != EMBEDDINGS:
            return await super().other(request, body)
        if request.method != "POST":
            return httpx.Response(405, json={"detail": "Method Not Allowed"})
        if (fault := await self.fault(request, body)) is not None:
            return fault
        assert body["encoding_format"] == "base64"
        answer = {
            "data": [
                {"index": i, "embedding": base64.b64encode(row.astype("<f4").tobytes()).decode()}
                for i, row in enumerate(self._states(body))
            ]
        }
        self.edit(body, answer)
        return httpx.Response(200, json=answer)

    def _states(self, body: Answer) -> list[Rows]:
        rows = [self.pooled(toy_walk(tuple(prompt), self.seed)) for prompt in body["input"]]
        if self.heeds_activation and not body["use_activation"]:
            return rows
        return [row / np.linalg.norm(row) for row in rows]

"""A vLLM server in a few lines: the toy model behind the same HTTP interface, and its faults."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from similarity.law import Law
from similarity.models.base import SampleRequest, ScoreRequest, TokenIds
from similarity.models.toy import ToyModel
from similarity.models.vllm_server.config import ServerConfig
from similarity.models.vllm_server.loader import load_server
from similarity.models.vllm_server.served import ServedModel

Answer = dict[str, Any]
Load = Callable[..., Any]
Fault = Callable[[httpx.Request], httpx.Response]
END = "</s>"
LIMIT = "which is greater than max allowed"
TEXTS = ("a red car", "a blue boat", "seven grey geese", "no")
# Failures are noticed soon in tests.
QUICK = ServerConfig(patience=0.5, backoff=0.01, read_timeout=5.0, call_timeout=20.0)


class FakeServer:
    """Serves the toy model under a name; `faults` answer the next completions instead."""

    def __init__(self, model: ToyModel | None = None, name: str = "toy") -> None:
        self.model = model or ToyModel()
        self.names = [name]
        self.metrics = 'vllm:cache_config_info{enable_prefix_caching="False"} 1.0\n'
        self._vocabulary = (model or ToyModel()).vocab_size or 0
        self.faults: deque[Fault] = deque()
        self.edit: Callable[[Answer, Answer], None] = lambda _body, _answer: None
        self.max_logprobs = 20
        self.gives_chosen = True
        # The token that is sampled where others are chosen.
        self.samples: Callable[[list[int]], int] = lambda prompt: sum(prompt) % 256
        # vLLM compares them with the model's tokens; others may not know them at all.
        self.checks_biases = True
        self.down = False
        self.max_model_len = 257
        # What the tokenizer makes of a text before it is read: another makes something else.
        self.reads: Callable[[str], str] = str
        self.tokenized: list[str] = []
        self.waits: asyncio.Event | None = None
        self.waiting = 0
        self.cancelled = 0
        self.key: str | None = None
        self.bodies: list[Answer] = []

    @property
    def scored(self) -> list[list[int]]:
        """Every prompt that was scored, those of a probe too."""
        bodies = [body for body in self.bodies if body.get("prompt_logprobs") is not None]
        return [prompt for body in bodies for prompt in body["prompt"]]

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("All connection attempts failed", request=request)
        guarded = request.url.path.startswith("/v1")
        if self.key and guarded and request.headers.get("authorization") != f"Bearer {self.key}":
            return httpx.Response(401, json={"error": "Unauthorized"})
        body = json.loads(request.content) if request.content else {}
        match request.url.path:
            case "/health":
                return httpx.Response(200)
            case "/metrics":
                return httpx.Response(200, text=self.metrics)
            case "/v1/models":
                models = [{"id": name, "max_model_len": self.max_model_len} for name in self.names]
                return httpx.Response(200, json={"data": models})
            case "/tokenize":
                return httpx.Response(200, json=self._tokenize(body))
            case "/detokenize":
                return httpx.Response(200, json={"prompt": self.model.decode(body["tokens"])})
            case "/v1/completions":
                return await self._complete(request, body)
        return await self.other(request, body)

    async def other(self, _request: httpx.Request, _body: Answer) -> httpx.Response:
        """Answer requests for what these servers have not."""
        return httpx.Response(404, json={"detail": "Not Found"})

    def _tokenize(self, body: Answer) -> Answer:
        (end,) = self.model.end_ids
        self.tokenized.append(body["prompt"])
        parts = self.reads(body["prompt"]).split(END)
        ids = [i for part in parts for i in (*self.model.encode(part), end)][:-1]
        strings = [END if i == end else chr(i) for i in ids]
        return {"tokens": ids, "token_strs": strings, "count": len(ids)}

    async def _complete(self, request: httpx.Request, body: Answer) -> httpx.Response:
        if (fault := await self.fault(request, body)) is not None:
            return fault
        if (asked := body.get("prompt_logprobs") or 0) > self.max_logprobs:
            said = f"Requested prompt logprobs of {asked}, {LIMIT}: {self.max_logprobs}"
            return httpx.Response(400, json={"error": {"message": said}})
        if "logprob_token_ids" in body and not self.gives_chosen:
            said = f"Requested sample logprobs of {body['logprobs']}, {LIMIT}: {self.max_logprobs}"
            return httpx.Response(400, json={"error": {"message": said}})
        if body["model"] not in self.names:
            said = f"The model `{body['model']}` does not exist."
            return httpx.Response(404, json={"error": {"message": said}})
        prompts = body["prompt"] if isinstance(body["prompt"][0], list) else [body["prompt"]]
        if max(map(len, prompts)) + body["max_tokens"] > self.max_model_len:
            said = f"maximum context length is {self.max_model_len} tokens"
            return httpx.Response(400, json={"error": {"message": said}})
        if (largest := max(max(prompt, default=0) for prompt in prompts)) >= self._vocabulary:
            said = f"Token id {largest} is out of vocabulary"
            return httpx.Response(400, json={"error": {"message": said}})
        foreign = [i for i in map(int, body.get("logit_bias", ())) if i >= self._vocabulary]
        if foreign and self.checks_biases:
            said = f"token_id(s) {foreign} in logit_bias contain out-of-vocab token ids."
            return httpx.Response(400, json={"error": {"message": said}})
        if "logprob_token_ids" in body:
            answer = self._chosen(body)
        elif body.get("prompt_logprobs") is None:
            answer = self._sampled(body)
        else:
            answer = self._scored(body)
        self.edit(body, answer)
        content = json.dumps(answer)
        return httpx.Response(200, content=content)

    async def fault(self, request: httpx.Request, body: Answer) -> httpx.Response | None:
        """Take a request in; return the answer of a fault, if one is due."""
        self.bodies.append(body)
        # As a network does: others get their turn.
        await asyncio.sleep(0)
        if self.waits is not None:
            await self._wait(self.waits)
        return self.faults.popleft()(request) if self.faults else None

    async def _wait(self, event: asyncio.Event) -> None:
        self.waiting += 1
        try:
            await event.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.waiting -= 1

    def _sampled(self, body: Answer) -> Answer:
        law = Law(temperature=body["temperature"], top_k=body["top_k"], top_p=body["top_p"])
        request = SampleRequest(
            prefix=tuple(body["prompt"]),
            n=body["n"],
            max_tokens=body["max_tokens"],
            key=body["seed"],
        )
        (continuations,) = self.model.sample([request], law)
        choices = []
        for i, continuation in enumerate(continuations):
            ids = self._allowed(body, continuation.token_ids)
            ended = ids[-1] in self.model.end_ids
            choices.append(
                {
                    "index": i,
                    "prompt_token_ids": body["prompt"],
                    "token_ids": ids,
                    "text": self.model.decode(tuple(ids)),
                    "finish_reason": "stop" if ended else "length",
                    "logprobs": None
                    if body["logprobs"] is None
                    else {
                        "token_logprobs": _plain(continuation.log_probs),
                        "tokens": [f"token_id:{i}" for i in ids],
                        "top_logprobs": self._tops(body, ids),
                    },
                }
            )
        return {"model": body["model"], "choices": choices}

    def _allowed(self, body: Answer, sampled: TokenIds) -> list[int]:
        """Return what is sampled: the allowed token to its end, where one is named."""
        if "allowed_token_ids" not in body:
            return list(sampled)
        (allowed,) = body["allowed_token_ids"]
        return [allowed] * (1 if allowed in self.model.end_ids else body["max_tokens"])

    def _tops(self, body: Answer, ids: list[int]) -> list[Answer]:
        """Return the most probable tokens at each sampled one, and that one first."""
        if not body["logprobs"]:
            return []
        request = ScoreRequest(prefix=tuple(body["prompt"]), continuations=(tuple(ids),))
        return [
            {f"token_id:{token}": one["logprob"] for token, one in place.items()}
            for place in self._places(request, body["logprobs"])
        ]

    def _chosen(self, body: Answer) -> Answer:
        tokens = body["logprob_token_ids"]
        assert len(tokens) == body["logprobs"] <= 128
        assert len(set(tokens)) == len(tokens)
        choices = []
        for i, prompt in enumerate(body["prompt"]):
            sampled = self.samples(prompt)
            # The sampled token is listed too.
            named = list(dict.fromkeys((sampled, *tokens)))
            (row,) = self.model.next_log_probs([tuple(prompt)], named)
            listed = {
                f"token_id:{token}": float(found) for token, found in zip(named, row, strict=True)
            }
            own = listed[f"token_id:{sampled}"]
            choices.append(
                {
                    "index": i,
                    "prompt_token_ids": prompt,
                    "token_ids": [sampled],
                    "text": "x",
                    "logprobs": {
                        "tokens": [f"token_id:{sampled}"],
                        "token_logprobs": [own],
                        "top_logprobs": [listed],
                    },
                }
            )
        return {"model": body["model"], "choices": choices}

    def _scored(self, body: Answer) -> Answer:
        choices = []
        for i, prompt in enumerate(body["prompt"]):
            request = ScoreRequest(prefix=tuple(prompt[:1]), continuations=(tuple(prompt[1:]),))
            places = self._places(request, body["prompt_logprobs"])
            choices.append(
                {
                    "index": i,
                    "prompt_token_ids": prompt,
                    "text": "x",
                    "prompt_logprobs": [None, *places],
                }
            )
        return {"model": body["model"], "choices": choices}

    def _places(self, request: ScoreRequest, count: int) -> list[Answer]:
        (tokens,) = request.continuations
        if not count:
            ((scores,),) = self.model.score([request], Law())
            return [{str(t): {"logprob": float(s)}} for t, s in zip(tokens, scores, strict=True)]
        ((rows,),) = self.model.distributions([request], Law())
        best = np.argsort(-rows, axis=1, kind="stable")[:, :count]
        # What stands in the prompt comes first, and is there in any case.
        return [
            {str(t): {"logprob": float(row[t])} for t in (token, *listed)}
            for token, row, listed in zip(tokens, rows, best, strict=True)
        ]


def _plain(log_probs: Any) -> list[float]:
    return [float(value) for value in np.asarray(log_probs)]


def transport(**servers: FakeServer) -> httpx.MockTransport:
    """Return the network on which each server is the host of its name."""

    async def handle(request: httpx.Request) -> httpx.Response:
        return await servers[request.url.host].handle(request)

    return httpx.MockTransport(handle)


@pytest.fixture
def load() -> Iterator[Load]:
    """Return a function from servers by host to their model; what was asked is forgotten."""
    models: list[ServedModel] = []

    def load_model(config: ServerConfig = QUICK, **servers: FakeServer) -> ServedModel:
        address = ",".join(f"http://{name}:8000" for name in servers)
        models.append(load_server(address, config, transport=transport(**servers)))
        for server in servers.values():
            server.bodies.clear()
            server.tokenized.clear()
        return models[-1]

    yield load_model
    for model in models:
        model.close()


def answers(status: int, content: str = "", **headers: str) -> Fault:
    """Return a fault: an answer with this status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _request: httpx.Response(status, text=content, headers=named)


def raises(error: type[httpx.TransportError], message: str = "") -> Fault:
    """Return a fault: an error of the network."""

    def fault(request: httpx.Request) -> httpx.Response:
        raise error(message, request=request)

    return fault


def scoring(texts: tuple[str, ...] = TEXTS) -> list[ScoreRequest]:
    toy = ToyModel()
    ids = [toy.encode(text) for text in texts]
    return [ScoreRequest(prefix=prefix, continuations=tuple(ids)) for prefix in ids]

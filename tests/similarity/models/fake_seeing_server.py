"""A vLLM server of a vision-language model: the toy model, for which an image is three tokens."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import httpx

from similarity.law import Law
from similarity.models.base import SampleRequest, ScoreRequest, TokenIds
from tests.similarity.models.fake_server import LIMIT, Answer, FakeServer

IMAGE, IMAGE_ID = "<img>", 255
PLACES = 3


class SeeingServer(FakeServer):
    """Puts three places in the place of an image, and predicts by what the image is."""

    def __init__(self, name: str = "toy") -> None:
        super().__init__(name=name)
        self.scale_out = True
        self.template = f"user: {IMAGE}"
        self.change: Callable[[Answer], None] = lambda _answer: None
        self.sees = self.causal = True
        self.generated: list[Answer] = []

    async def handle(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else {}
        if request.url.path == "/v1/chat/completions":
            ids = self._read(self._ids(self.template))
            return httpx.Response(
                200, json={"prompt_text": self.template, "prompt_token_ids": ids, "choices": []}
            )
        if request.url.path == "/inference/v1/generate":
            return self._generate(body)
        return await super().handle(request)

    def _tokenize(self, body: Answer) -> Answer:
        if "messages" in body:
            body = {"prompt": "user: ."}
        ids = self._ids(body["prompt"])
        strings = [IMAGE if i == IMAGE_ID else chr(i) for i in ids]
        plain = super()._tokenize({"prompt": body["prompt"].replace(IMAGE, "")})
        return {**plain, "tokens": ids, "token_strs": strings} if IMAGE_ID in ids else plain

    def _ids(self, text: str) -> list[int]:
        parts = [self.model.encode(part) if part else () for part in text.split(IMAGE)]
        return [i for part in parts for i in (*part, IMAGE_ID)][:-1]

    def _read(self, ids: list[int]) -> list[int]:
        return [j for i in ids for j in ([i] * PLACES if i == IMAGE_ID else [i])]

    def _generate(self, body: Answer) -> httpx.Response:
        self.generated.append(body)
        if not self.scale_out:
            said = "Scale-out endpoints are disabled. Restart vllm serve with --enable-scale-out"
            return httpx.Response(403, json={"error": {"message": said}})
        params = body["sampling_params"]
        chosen = params.get("logprob_token_ids")
        if (asked := params.get("logprobs") or 0) > self.max_logprobs:
            said = f"Requested sample logprobs of {asked}, {LIMIT}: {self.max_logprobs}"
            return httpx.Response(400, json={"error": {"message": said}})
        assert body["token_ids"].count(IMAGE_ID) == len(body["content_parts"]) == 1
        read = self._read(body["token_ids"])
        answer: Answer = {"prompt_token_ids": read, "choices": [], "prompt_logprobs": None}
        if chosen is not None:
            assert len(chosen) == asked
            assert len(set(chosen)) == asked
            answer["choices"] = [self._choice(chosen, self._seen(body))]
        elif params.get("prompt_logprobs") is not None:
            answer["prompt_logprobs"] = [None, *self._scores(body, params["prompt_logprobs"])]
        elif params["max_tokens"] > 1:
            answer["choices"] = self._continued(body)
        self.change(answer)
        return httpx.Response(200, json=answer)

    def _seen(self, body: Answer) -> TokenIds:
        """Return what the toy reads in the place of the ids, which do not say which image it is."""
        (part,) = body["content_parts"]
        digest = hashlib.sha256(part["url"].encode()).digest()[:PLACES] if self.sees else b"abc"
        seen = iter([i % 7 for i in digest])
        return tuple(next(seen) if i == IMAGE_ID else i for i in self._read(body["token_ids"]))

    def _scores(self, body: Answer, top: int) -> list[Answer]:
        seen = self._seen(body)
        places = self._places(ScoreRequest(prefix=seen[:1], continuations=(seen[1:],)), top)
        ids = self._read(body["token_ids"])[1:]
        if not self.causal:
            for place in places:
                for listed in place.values():
                    listed["logprob"] -= 0.1 * len(seen)
        # By the ids of the answer, not by those that the toy has read.
        return [
            {str(t) if str(s) == key else key: listed for key, listed in place.items()}
            for t, s, place in zip(ids, seen[1:], places, strict=True)
        ]

    def _choice(self, chosen: list[int], seen: TokenIds) -> Answer:
        named = chosen if 250 in chosen else [250, *chosen]
        (row,) = self.model.next_log_probs([seen], named)
        listed = [
            {"token_id": token, "logprob": float(found)}
            for token, found in zip(named, row, strict=True)
        ]
        # As vLLM does: what was sampled is first, and the list no longer than was asked for.
        place = {"token_id": 250, "top_logprobs": listed[: len(chosen)]}
        return {"index": 0, "token_ids": [250], "logprobs": {"content": [place]}}

    def _continued(self, body: Answer) -> list[Answer]:
        params = body["sampling_params"]
        law = Law(temperature=params["temperature"], top_k=params["top_k"], top_p=params["top_p"])
        request = SampleRequest(
            prefix=self._seen(body),
            n=params["n"],
            max_tokens=params["max_tokens"],
            key=params["seed"],
        )
        (continuations,) = self.model.sample([request], law)
        return [self._continuation(i, one.token_ids) for i, one in enumerate(continuations)]

    def _continuation(self, index: int, ids: Any) -> Answer:
        ended = ids[-1] in self.model.end_ids
        return {
            "index": index,
            "token_ids": list(ids),
            "text": self.model.decode(ids),
            "finish_reason": "stop" if ended else "length",
        }

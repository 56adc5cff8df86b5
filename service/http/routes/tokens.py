"""The routes of text-embeddings-inference and vLLM for the model's tokens."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from fastapi import APIRouter, Response
from pydantic import TypeAdapter

from service.engine.costs import tokenizing_cost
from service.engine.limits import check_answer, check_texts
from service.engine.request_model import TOGETHER, RequestModel
from service.http.call import CallOf
from service.http.json_body import JsonRoute
from service.http.json_stream import JSON, JsonArray, json_bytes, json_list
from service.http.schemas.errors import ERRORS
from service.http.schemas.fields import listed
from service.http.schemas.tokens import (
    AnyTokenizeRequest,
    DecodeRequest,
    DetokenizeRequest,
    Prompt,
    PromptRequest,
    Token,
    TokenizedPrompt,
)
from service.http.token_ids import check_token_ids
from service.settings import Settings
from similarity.models.base import TokenIds
from similarity.slices import slices

# Bytes of a token in an answer, about.
TOKEN_BYTES = 65

_TOKENS = TypeAdapter(list[Token])

router = APIRouter(route_class=JsonRoute, responses=ERRORS, tags=["compat"])


@router.post(
    "/tokenize",
    summary="As text-embeddings-inference, or with prompt as vLLM",
    response_model=list[list[Token]] | TokenizedPrompt,
)
async def tokenize(body: AnyTokenizeRequest, call: CallOf) -> Response:
    """Return the tokens that the model reads of each text alone, without a prompt."""
    texts = listed(body.prompt if isinstance(body, PromptRequest) else body.inputs)
    check = partial(check_texts, texts, call.settings, call.settings.max_inputs)
    cost = tokenizing_cost(await call.aside(check, len(texts)))
    special = body.add_special_tokens
    if isinstance(body, PromptRequest):
        written, _ = await call.run(lambda model: _prompt_ids(model, texts[0], special), cost)
        return Response(written, media_type=JSON)
    rows, _ = await call.run(
        lambda model: list(_tokens(model, texts, special, call.settings)), cost
    )
    return json_list(JsonArray.of(rows))


@router.post("/decode", summary="As text-embeddings-inference", response_model=list[str])
async def decode(body: DecodeRequest, call: CallOf) -> Response:
    """Return the text of each row of token ids, without special tokens."""
    rows = await call.aside(body.rows, len(body.ids))
    cost = sum(map(len, rows.values()))
    texts, _ = await call.run(lambda model: _decoded(model, rows, call.settings), cost)
    return json_list(JsonArray.of(texts))


@router.post("/detokenize", summary="As vLLM", response_model=Prompt)
async def detokenize(body: DetokenizeRequest, call: CallOf) -> Response:
    """Return the text of token ids, without special tokens."""
    rows = {"tokens": body.tokens}
    cost = len(body.tokens)
    (text,), _ = await call.run(lambda model: _decoded(model, rows, call.settings), cost)
    return Response(b'{"prompt":%b}' % text, media_type=JSON)


def _decoded(
    model: RequestModel, rows: Mapping[str, Sequence[int]], settings: Settings
) -> list[bytes]:
    """Return the text of each row as JSON, of no more rows than show that the answer is too large.

    `rows` are by their places in the request.
    """
    for place, row in rows.items():
        check_token_ids(row, place, model)
    found: list[bytes] = []
    size = 0
    for row in rows.values():
        model.check_cancelled()
        found.append(json_bytes(model.decode(tuple(row))))
        size += len(found[-1])
        check_answer(size, settings)
    return found


def _prompt_ids(model: RequestModel, text: str, special: bool) -> bytes:
    """Return the ids of a text as JSON, as vLLM answers them."""
    ids = list(model.encode(text)[0 if special else _opening(model) :])
    context = model.info.context_length
    answer = TokenizedPrompt(count=len(ids), max_model_len=context, tokens=ids)
    return answer.model_dump_json().encode()


def _opening(model: RequestModel) -> int:
    """Return how many tokens the model wants at the beginning of a text."""
    return len(model.encode("a")) - len(model.encode_continuation("a"))


def _tokens(
    model: RequestModel, texts: Sequence[str], special: bool, settings: Settings
) -> Iterator[bytes]:
    """Give the tokens of each text as JSON: as values they take many times as much memory."""
    encoded = _encoded(model, texts, settings)
    opening = _opening(model)
    spelled = {
        token: model.decode((token,)) for token in dict.fromkeys(i for ids in encoded for i in ids)
    }
    for text, ids in zip(texts, encoded, strict=True):
        model.check_cancelled()
        begin = [
            Token(id=token, text=spelled[token], special=True, start=None, stop=None)
            for token in ids[:opening]
        ]
        own = _placed(text, ids[opening:], spelled)
        yield _TOKENS.dump_json([*begin, *own] if special else own)


def _encoded(model: RequestModel, texts: Sequence[str], settings: Settings) -> list[TokenIds]:
    """Return the ids of each text, of no more texts than show that the answer is too large."""
    found: list[TokenIds] = []
    for some in slices(texts, TOGETHER):
        found += model.encode_all(some)
        check_answer(TOKEN_BYTES * sum(map(len, found)), settings)
    return found


def _placed(text: str, ids: TokenIds, spelled: dict[int, str]) -> list[Token]:
    """Return the text's own tokens, each with its place where it can be found."""
    at = unplaced = 0
    found = []
    for token in ids:
        piece = spelled[token]
        start = text.find(piece, at) if piece and "\N{REPLACEMENT CHARACTER}" not in piece else -1
        # Before it may be the characters that the tokens before it are parts of.
        placed = at <= start <= at + unplaced
        stop = start + len(piece)
        found.append(
            Token(
                id=token,
                text=piece,
                special=False,
                start=start if placed else None,
                stop=stop if placed else None,
            )
        )
        at, unplaced = (stop, 0) if placed else (at, unplaced + 1)
    return found

"""The routes of text-embeddings-inference and vLLM for the model's tokens."""

from collections.abc import Iterator, Sequence
from functools import partial

from fastapi import APIRouter, Response
from pydantic import TypeAdapter

from service.engine.costs import tokenizing_cost
from service.engine.limits import check_answer, check_texts
from service.engine.request_model import TOGETHER, RequestModel
from service.http.call import CallOf
from service.http.json_body import JsonRoute
from service.http.json_stream import JsonArray, json_list
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
async def tokenize(body: AnyTokenizeRequest, call: CallOf) -> Response | TokenizedPrompt:
    """Return the tokens that the model reads of each text alone, without a prompt."""
    texts = listed(body.prompt if isinstance(body, PromptRequest) else body.inputs)
    check = partial(check_texts, texts, call.settings, call.settings.max_inputs)
    cost = tokenizing_cost(await call.aside(check, len(texts)))
    special = body.add_special_tokens
    if isinstance(body, PromptRequest):
        ids, _ = await call.run(lambda model: _ids(model, texts[0], special), cost)
        context = call.engine.model.info.context_length
        return TokenizedPrompt(count=len(ids), max_model_len=context, tokens=ids)
    rows, _ = await call.run(
        lambda model: list(_tokens(model, texts, special, call.settings)), cost
    )
    return json_list(JsonArray.of(rows))


@router.post("/decode", summary="As text-embeddings-inference")
async def decode(body: DecodeRequest, call: CallOf) -> list[str]:
    """Return the text of each row of token ids, without special tokens."""
    rows = body.rows()
    cost = sum(map(len, rows))
    texts, _ = await call.run(lambda model: _decoded(model, rows, "ids", call.settings), cost)
    return texts


@router.post("/detokenize", summary="As vLLM")
async def detokenize(body: DetokenizeRequest, call: CallOf) -> Prompt:
    """Return the text of token ids, without special tokens."""
    rows = [body.tokens]
    cost = len(body.tokens)
    texts, _ = await call.run(lambda model: _decoded(model, rows, "tokens", call.settings), cost)
    return Prompt(prompt=texts[0])


def _decoded(
    model: RequestModel, rows: Sequence[Sequence[int]], name: str, settings: Settings
) -> list[str]:
    """Return the text of each row, of no more rows than show that the answer is too large."""
    for row in rows:
        check_token_ids(row, name, model)
    found: list[str] = []
    size = 0
    for row in rows:
        found.append(model.decode(tuple(row)))
        size += len(found[-1].encode(errors="replace"))
        check_answer(size, settings)
    return found


def _ids(model: RequestModel, text: str, special: bool) -> list[int]:
    return list(model.encode(text)[0 if special else _opening(model) :])


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

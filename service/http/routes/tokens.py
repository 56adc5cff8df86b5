"""The routes of text-embeddings-inference and vLLM for the model's tokens."""

from collections.abc import Sequence

from fastapi import APIRouter

from service.engine.limits import check_texts
from service.engine.request_model import RequestModel
from service.http.call import CallOf
from service.http.json_body import JsonRoute
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
from similarity.models.base import TokenIds

router = APIRouter(route_class=JsonRoute, responses=ERRORS, tags=["compat"])


@router.post("/tokenize", summary="As text-embeddings-inference, or with prompt as vLLM")
async def tokenize(body: AnyTokenizeRequest, call: CallOf) -> list[list[Token]] | TokenizedPrompt:
    """Return the tokens that the model reads of each text alone, without a prompt."""
    texts = listed(body.prompt if isinstance(body, PromptRequest) else body.inputs)
    check_texts(texts, call.settings, call.settings.max_inputs)
    rows, _ = await call.run(lambda model: _tokens(model, texts, body.add_special_tokens))
    if isinstance(body, PromptRequest):
        (row,) = rows
        context = call.engine.model.info.context_length
        return TokenizedPrompt(
            count=len(row), max_model_len=context, tokens=[token.id for token in row]
        )
    return rows


@router.post("/decode", summary="As text-embeddings-inference")
async def decode(body: DecodeRequest, call: CallOf) -> list[str]:
    """Return the text of each row of token ids, without special tokens."""
    rows = body.rows()
    texts, _ = await call.run(lambda model: _decoded(model, rows, "ids"))
    return texts


@router.post("/detokenize", summary="As vLLM")
async def detokenize(body: DetokenizeRequest, call: CallOf) -> Prompt:
    """Return the text of token ids, without special tokens."""
    texts, _ = await call.run(lambda model: _decoded(model, [body.tokens], "tokens"))
    return Prompt(prompt=texts[0])


def _decoded(model: RequestModel, rows: Sequence[Sequence[int]], name: str) -> list[str]:
    for row in rows:
        check_token_ids(row, name, model)
    return [model.decode(tuple(row)) for row in rows]


def _tokens(model: RequestModel, texts: Sequence[str], special: bool) -> list[list[Token]]:
    opening = len(model.encode("a")) - len(model.encode_continuation("a"))
    encoded = model.encode_all(texts)
    spelled = {
        token: model.decode((token,)) for token in dict.fromkeys(i for ids in encoded for i in ids)
    }
    found = []
    for text, ids in zip(texts, encoded, strict=True):
        model.check_cancelled()
        begin = [
            Token(id=token, text=spelled[token], special=True, start=None, stop=None)
            for token in ids[:opening]
        ]
        own = _placed(text, ids[opening:], spelled)
        found.append([*begin, *own] if special else own)
    return found


def _placed(text: str, ids: TokenIds, spelled: dict[int, str]) -> list[Token]:
    """Return the text's own tokens, each with its place where it can be told."""
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

"""Token ids as the input of a request: the model's own, or those that OpenAI's clients make."""

import sys
from collections.abc import Sequence

from service.engine.request_model import RequestModel
from service.http.mistakes import FieldError
from similarity.errors import MissingDependencyError
from similarity.extras import optional_module
from similarity.models.base import TokenIds

# Where a client cut a text, the tokens beside the cut may be others of the text alone.
EDGE = 4
# What clients take for models that OpenAI has not.
USUAL = "cl100k_base"
OPENAI = ("text-embedding-", "text-similarity-", "text-search-", "gpt-")


def check_token_ids(ids: Sequence[int], name: str, model: RequestModel) -> None:
    """Refuse token ids that the model has not.

    Raises
    ------
    FieldError
        Beginning with the name of the field.
    """
    size = model.vocab_size
    if size is not None and max(ids) >= size:
        raise FieldError(
            f"{name} has token id {max(ids)}, and this model's are below {size}; send texts, or "
            "ids of its own tokenizer",
            name,
        )


def text_of_ids(
    ids: Sequence[int], name: str, requested_model: str | None, model: RequestModel
) -> str:
    """Return the text that token ids stand for.

    They are the model's own if it gives the same ids of their text. Others are read as those that
    OpenAI's clients make for the requested model, which needs tiktoken.

    Parameters
    ----------
    name
        Of the field.
    requested_model
        The name of the model in the request.

    Raises
    ------
    FieldError
        If they are of neither.
    """
    of_openai = requested_model is not None and requested_model.startswith(OPENAI)
    if not of_openai and (text := _own(tuple(ids), model)) is not None:
        return text
    try:
        return _of_openai(ids, requested_model)
    except (MissingDependencyError, OSError, ValueError, KeyError) as error:
        raise FieldError(
            f"{name} has token ids of another tokenizer than this model's, and they cannot be read "
            f"as OpenAI's ({type(error).__name__}: install tiktoken and its vocabulary for that); "
            "send texts (in LangChain: check_embedding_ctx_length=False)",
            name,
        ) from error


def _own(ids: TokenIds, model: RequestModel) -> str | None:
    """Return the ids' text where the model gives these ids of it, but for the edges."""
    if max(ids) >= (sys.maxunicode if model.vocab_size is None else model.vocab_size):
        return None
    text = model.decode(ids)
    if not text.strip():
        return text
    again = model.encode(text)
    within = ids[EDGE:-EDGE] if len(ids) > 3 * EDGE else ids
    return text if _spelled(within) in _spelled(again) else None


def _spelled(ids: TokenIds) -> str:
    """Return ids as characters: among these Python finds a part in time that grows with both."""
    return "".join(map(chr, ids))


def _of_openai(ids: Sequence[int], requested_model: str | None) -> str:
    tiktoken = optional_module("tiktoken", "token ids of OpenAI's clients need")
    try:
        encoding = tiktoken.encoding_for_model(requested_model or "")
    except KeyError:
        encoding = tiktoken.get_encoding(USUAL)
    return str(encoding.decode(list(ids)))

"""Token ids as the input of a request: OpenAI's, or the served model's own."""

from collections.abc import Sequence
from typing import Any

from service.engine.request_model import RequestModel
from service.http.mistakes import FieldError
from similarity.errors import MissingDependencyError
from similarity.extras import optional_module

# What clients take for models that OpenAI has not.
USUAL = "cl100k_base"
ADVICE = (
    "send texts (in LangChain: check_embedding_ctx_length=False), or, if they are ids of the "
    'served model\'s own tokenizer, add "tokenizer": "model"'
)


def check_token_ids(ids: Sequence[int], name: str, model: RequestModel) -> None:
    """Refuse token ids that the model has not.

    Parameters
    ----------
    name
        Of the field that has them.

    Raises
    ------
    FieldError
        Beginning with the place of the first of them.
    """
    size = model.vocab_size
    if size is None or max(ids) < size:
        return
    at, wrong = next((i, one) for i, one in enumerate(ids) if one >= size)
    place = f"{name}[{at}]"
    raise FieldError(
        f"{place} is token id {wrong}, and this model's are below {size}; give ids of its own "
        "tokenizer",
        place,
    )


def text_of_ids(
    ids: Sequence[int], name: str, model: RequestModel, requested_model: str | None, *, own: bool
) -> str:
    """Return the text that token ids stand for.

    Common ids of one tokenizer are text in any other as well, so ids never show whose they are.
    Only the request can say it.

    Parameters
    ----------
    name
        Of the field.
    requested_model
        The name of the model in the request.
    own
        Whether they are the served model's own. Others are read as those that OpenAI's clients
        make for the requested model.

    Raises
    ------
    FieldError
        If the tokenizer has not all of them, or is not here; beginning with the name of the field.
    """
    if not own:
        return _text_of_openai_ids(ids, name, requested_model or "")
    check_token_ids(ids, name, model)
    return model.decode(tuple(ids))


def _text_of_openai_ids(ids: Sequence[int], name: str, requested_model: str) -> str:
    what = f"{name} has token ids, which are read as OpenAI's"
    try:
        encoding = _encoding(requested_model)
    except (ImportError, MissingDependencyError, OSError, ValueError) as error:
        raise FieldError(
            f"{what}, and tiktoken is not installed with its vocabulary beside the service "
            f"({type(error).__name__}); {ADVICE}",
            name,
        ) from error
    try:
        return str(encoding.decode(list(ids)))
    except KeyError as error:
        raise FieldError(
            f"{what}, and {encoding.name} has not all of them; {ADVICE}", name
        ) from error


def _encoding(requested_model: str) -> Any:
    """Return tiktoken's encoding; it may load the vocabulary from the network."""
    tiktoken = optional_module("tiktoken", "token ids of OpenAI's clients need")
    try:
        return tiktoken.encoding_for_model(requested_model)
    except KeyError:
        return tiktoken.get_encoding(USUAL)

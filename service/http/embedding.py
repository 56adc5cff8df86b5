"""Meaning vectors for the dialects that give them: bounded, computed, and written as JSON."""

import base64
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np

from service.engine.limits import check_answer, check_texts
from service.engine.request_model import RequestModel
from service.engine.usage import Usage
from service.http.call import Call
from service.http.images import read_contents
from service.http.schemas.fields import ImageInput, named_text
from service.http.token_ids import text_of_ids
from similarity.arrays import Rows
from similarity.errors import UnsupportedError
from similarity.presets import (
    MEANING,
    VECTOR_PRESETS,
    no_vectors,
    preset_groups,
    vector_groups,
)
from similarity.scorers import ScoringRequest
from similarity.texts.truncation import REFUSE, Check, within_tokens

# Bytes of an embedding in an answer, about, besides its numbers; and of each number.
ITEM_BYTES = 60
# And where it is an array or a string alone: the ends, a comma, what fills up base64.
END_BYTES = 8
NUMBER_BYTES = {"float": 14.0, "base64": 16 / 3, "binary": 5 / 8, "ubinary": 4 / 8}

# Refuses texts that are too long.
REFUSING = ScoringRequest()

# A text, an image, or token ids.
Input = str | ImageInput | Sequence[int]


async def embed(
    inputs: Sequence[Input],
    call: Call,
    dimensions: int | None = None,
    encodings: Iterable[str] = ("float",),
    *,
    scoring: ScoringRequest = REFUSING,
    name: str = "input",
    width_name: str = "dimensions",
    requested_model: str | None = None,
    own_ids: bool = False,
    alone: bool = False,
    preset: str | None = None,
) -> tuple[list[Rows], Usage]:
    """Return the vector of each text, once their cost is found allowed; equal texts share one.

    Parameters
    ----------
    encodings
        Names in NUMBER_BYTES: how the answer has each vector.
    scoring
        What is done with texts that are too long.
    name
        Of the field that has the inputs.
    width_name
        Of the field that has `dimensions`.
    requested_model
        The name of the model in the request; token ids are those that OpenAI's clients make for it.
    own_ids
        Whether they are the served model's own instead.
    alone
        Whether the field is one list of token ids, rather than a list of inputs.
    preset
        A name in VECTOR_PRESETS; None is for the service's own, or for "meaning" where that has no
        vectors.

    Raises
    ------
    RequestTooLargeError, ConfigError, UnsupportedError
        If it is not allowed, or there are no vectors.
    InputError
        If a text is none, or is too long, or token ids cannot be read.
    """
    groups = _groups(preset, call)
    vectors = call.engine.vectors

    def counted() -> tuple[list[str | ImageInput], int]:
        ids = [one for one in inputs if not isinstance(one, str | ImageInput)]
        texts = dict.fromkeys(one for one in inputs if isinstance(one, str | ImageInput))
        cost = check_texts(texts, call.settings, call.settings.max_inputs, scoring.truncate)
        return list(texts), cost + sum(map(len, ids))

    distinct, cost = await call.aside(counted, len(inputs))
    if vectors is not None:
        width = vectors.only(*groups or ()).check_dimensions(dimensions, width_name)
        number_bytes = sum(NUMBER_BYTES[encoding] for encoding in encodings)
        size = len(inputs) * (ITEM_BYTES + number_bytes * width)
        check_answer(size, call.settings)
    contents = dict(zip(distinct, await read_contents(distinct, call), strict=True))

    def text_of(ids: Sequence[int], place: str, model: RequestModel) -> str:
        return named_text(text_of_ids(ids, place, model, requested_model, own=own_ids), place)

    def embedded(model: RequestModel) -> list[Rows]:
        check: Check = partial(model.feature_tokens, groups=groups)
        if scoring.max_text_tokens is not None:
            check = within_tokens(check, model.encode_all, scoring.max_text_tokens)
        read = [
            contents[one]
            if isinstance(one, str | ImageInput)
            else text_of(one, name if alone else f"{name}[{i}]", model)
            for i, one in enumerate(inputs)
        ]
        if scoring.truncate == REFUSE and scoring.max_text_tokens is not None:
            check([one for one in read if isinstance(one, str)])
        truncator = call.truncator(check, scoring.truncate)
        return model.embed(truncator.cut(read), dimensions, groups)

    return await call.run(embedded, cost)


def _groups(preset: str | None, call: Call) -> tuple[str, ...] | None:
    """Return the groups of features that vectors are joined of; None is for all."""
    known = call.engine.groups
    if preset is not None:
        return vector_groups(preset, known, call.lacks)
    if not known:
        raise UnsupportedError(no_vectors(call.lacks))
    served = call.settings.preset
    return preset_groups(served if served in VECTOR_PRESETS else MEANING, known) or None


def vectors_bytes(rows: Sequence[Rows], encoding: str = "float", beside: int = END_BYTES) -> int:
    """Return the bytes of vectors in an answer, about.

    Parameters
    ----------
    encoding
        A name in NUMBER_BYTES.
    beside
        Bytes of each besides its numbers.
    """
    return int(sum(beside + NUMBER_BYTES[encoding] * row.size for row in rows))


def as_base64(row: Rows) -> bytes:
    """Return a vector as a JSON string: the base64 of little-endian float32."""
    return b'"' + base64.b64encode(row.astype("<f4").tobytes()) + b'"'


def as_numbers(row: Rows) -> bytes:
    """Return a vector as a JSON array, of nine digits: enough to have each float32 back."""
    return b"[" + b",".join(b"%.9g" % number for number in row.tolist()) + b"]"


def as_bits(row: Rows) -> bytes:
    """Return the signs of a vector as a JSON array of bytes: 1 above 0, the first bit highest.

    The last byte of a width that 8 does not divide ends in zeros.
    """
    return _array(np.packbits(row > 0).tolist())


def as_signed_bits(row: Rows) -> bytes:
    """Return what `as_bits` does, less 128 each."""
    return _array(byte - 128 for byte in np.packbits(row > 0).tolist())


def _array(numbers: Iterable[int]) -> bytes:
    return b"[" + b",".join(b"%d" % number for number in numbers) + b"]"

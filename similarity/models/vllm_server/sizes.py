"""How many bytes an answer may have, by what was asked: an endless one must not fill the memory."""

from collections.abc import Mapping
from typing import Any

# Of an answer, whatever was asked: a list of models, a page of metrics, an error.
_ANY = 2**22
# Of a token that is listed with log-probability, rank and text: most take 50 to 150.
_OF_TOKEN = 512
# Of a state in base64, of up to 24,576 coordinates.
_OF_STATE = 2**17
# Tokens that a server may read in the place of an image.
_OF_IMAGE = 2**15
# Under which names a request has what is to be read.
_GIVEN = ("prompt", "token_ids", "tokens", "input")


def most_bytes(body: Mapping[str, Any] | None) -> int:
    """Return the most bytes that an answer to a request may have."""
    if body is None:
        return _ANY
    params: dict[str, Any] = {**body, **body.get("sampling_params", {})}
    given: Any = next((body[name] for name in _GIVEN if name in body), [])
    rows = given if given and isinstance(given[0], list) else [given]
    read: int = sum(map(len, rows)) + _OF_IMAGE * len(body.get("content_parts", []))
    sampled: int = len(rows) * params.get("n", 1) * params.get("max_tokens", 1)
    listed = read * _listed(params, "prompt_logprobs") + sampled * _listed(params, "logprobs")
    states = len(rows) if "input" in body else 0
    return _ANY + listed * _OF_TOKEN + states * _OF_STATE


def _listed(params: Mapping[str, Any], name: str) -> int:
    """Return the tokens that are listed at each place: its own, and those that are asked for."""
    return 1 + int(params.get(name) or 0)

"""What both clients can call: the request of each call, and how its answer is read."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real
from typing import Generic, NoReturn, TypeVar, Unpack

import httpx

from service.client.answers import (
    Item,
    Json,
    read_about,
    read_likelihoods,
    read_matrix,
    read_ranked,
    read_scores,
    read_trajectories,
)
from service.client.errors import ApiError, UnexpectedAnswerError
from service.client.images import Content
from service.client.values import About, Matrix, Ranked, Results, Score, Settings, Trajectory
from similarity.connections import seconds_to_wait
from similarity.errors import InputError
from similarity.given import check_pair, check_pairs, check_several, shown
from similarity.validation import given_integer

Result = TypeVar("Result")
# What reading an answer raises where it is none; a whole number may be too large for a float.
_NO_ANSWER = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
# What the service has at most in each list of an explanation.
MAX_PARTS = 50


@dataclass(frozen=True)
class Call(Generic[Result]):
    """A request, and how its answer is read."""

    path: str
    body: Mapping[str, Json]
    read: Callable[[Json, About], Result]


def similarity(
    pairs: Sequence[tuple[Content, Content]],
    *,
    explain: int = 0,
    interval: float | None = None,
    **settings: Unpack[Settings],
) -> Call[Results[Score]]:
    """Return the score of each pair.

    Parameters
    ----------
    pairs
        Of texts, or of images that `image` makes.
    explain
        Of how many parts of each kind the explanation of each score is, up to 50. True is for as
        many as the service gives by itself, 5.
    interval
        The confidence of the interval that comes with each, as 0.95.

    Raises
    ------
    ConfigError
        If `explain` is no such number.
    """
    check_pairs(pairs)
    given = [_pair(pair) for pair in pairs]
    body = {"pairs": given, **settings, **_extras(explain, interval)}
    return Call("/v1/similarity", body, partial(read_scores, len(given)))


def one_to_many(
    source: Content,
    targets: Sequence[Content],
    *,
    explain: int = 0,
    interval: float | None = None,
    **settings: Unpack[Settings],
) -> Call[Results[Score]]:
    """Return the score of the source with each target; all else is as in `similarity`."""
    given = _several(targets, "targets")
    body = {"source": source, "targets": given, **settings, **_extras(explain, interval)}
    return Call("/v1/similarity", body, partial(read_scores, len(given)))


def matrix(
    rows: Sequence[Content],
    columns: Sequence[Content] | None = None,
    *,
    explain: int = 0,
    interval: float | None = None,
    **settings: Unpack[Settings],
) -> Call[Matrix]:
    """Return the scores of all rows with all columns, or of the rows among themselves.

    All else is as in `similarity`: there is an explanation and an interval of each cell.
    """
    given = _several(rows, "rows")
    body: dict[str, Json] = {"rows": given, **settings, **_extras(explain, interval)}
    if columns is not None:
        body["columns"] = _several(columns, "columns")
    shape = len(given), len(body.get("columns", given))
    return Call("/v1/similarity", body, partial(read_matrix, shape))


def rerank(query: str, documents: Sequence[str], top_n: int | None = None) -> Call[Results[Ranked]]:
    """Return the documents by similarity to the query, the most similar first.

    Those that are too long are cut, and named in the warnings of `about`.
    """
    given = _several(documents, "documents")
    body = {"query": query, "documents": given, "top_n": top_n}
    return Call("/v2/rerank", body, partial(read_ranked, len(given), top_n))


def trajectories(
    texts: Sequence[str], **settings: Unpack[Settings]
) -> Call[Results[list[Trajectory]]]:
    """Return the sampled continuations of each text."""
    given = _several(texts, "texts")
    body = {"texts": given, **settings}
    return Call("/v1/trajectories", body, partial(read_trajectories, len(given)))


def likelihoods(
    texts: Sequence[str],
    continuations: Sequence[str | Sequence[int]],
    **settings: Unpack[Settings],
) -> Call[Results[list[float]]]:
    """Return the log-likelihoods, "text continuation", in nats per token.

    The settings are those of scoring alone: temperature, top_k, top_p, score_law, prompt and
    full_stop.
    """
    given = _several(texts, "texts")
    asked = [
        one if isinstance(one, str) else _several(one, "token ids of a continuation")
        for one in _several(continuations, "continuations")
    ]
    body = {"texts": given, "continuations": asked, **settings}
    shape = len(given), len(asked)
    return Call("/v1/likelihoods", body, partial(read_likelihoods, shape))


def _pair(pair: tuple[Content, Content]) -> list[Content]:
    check_pair(pair)
    return list(pair)


def _several(given: Iterable[Item], name: str) -> list[Item]:
    """Return a list's items; raises InputError for one text, which is no list of its letters."""
    check_several(given, name)
    return list(given)


def _extras(explain: int, interval: float | None) -> dict[str, Json]:
    """Return the fields of what comes beside each score."""
    extras: dict[str, Json] = {}
    if explain is True:
        extras["explain"] = True
    elif explain is not False:
        parts = given_integer("explain", explain, at_least=0, at_most=MAX_PARTS)
        extras |= {"explain": True, "top": parts} if parts else {}
    if interval is not None:
        extras["interval"] = interval
    return extras


def result_of(call: Call[Result], response: httpx.Response) -> Result:
    """Return the value of an answer.

    Raises
    ------
    ApiError
        If the answer is not a success.
    UnexpectedAnswerError
        If it is one, but not of this call.
    """
    request_id = response.headers.get("x-request-id")
    if response.is_success:
        try:
            answer = json.loads(response.content, parse_constant=_refuse_constant)
            return call.read(answer, read_about(answer, request_id))
        except _NO_ANSWER as fault:
            raise UnexpectedAnswerError(f"{type(fault).__name__}: {fault}") from fault
    try:
        error = response.json()["error"]
        code, message, param = error["code"], error["message"], error.get("param")
        known = isinstance(code, str) and isinstance(message, str)
    except (ValueError, KeyError, TypeError, RecursionError):
        known = False
    if not known:
        # Not of the service: a proxy between answers in its own way.
        code, message, param = "http_error", response.reason_phrase, None
    raise ApiError(
        response.status_code,
        code,
        message,
        request_id,
        param=param if isinstance(param, str) else None,
        retry_after=seconds_to_wait(response.headers.get("retry-after", "")),
    )


def content_of(call: Call[Result]) -> bytes:
    """Return a call's body as JSON in UTF-8.

    Half a surrogate pair, which has no UTF-8, is escaped, so that the service says where it is.
    Raises InputError for a value that JSON cannot carry.
    """
    # What this handler writes, as \ud800, is JSON's own way too.
    return json.dumps(call.body, ensure_ascii=False, separators=(",", ":"), default=_number).encode(
        "utf-8", "backslashreplace"
    )


def _number(value: object) -> int | float:
    """Return a number of any kind, such as NumPy's, as Python's; raise InputError for all else."""
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise InputError(
        "a request has texts, numbers, lists and what service.client.image makes, got "
        f"{type(value).__name__}: {shown(value)}; decode bytes, and give .tolist() of an array of "
        "NumPy"
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")

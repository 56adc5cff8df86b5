"""What both clients can call: the request of each call, and how its answer is read."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, NoReturn, TypeVar, Unpack

import httpx

from service.client.errors import ApiError, UnexpectedAnswerError
from service.client.images import Content
from service.client.values import (
    ExplainedContinuation,
    Interval,
    Matrix,
    Ranked,
    Score,
    Settings,
    Trajectory,
)
from similarity.errors import InputError
from similarity.given import check_pair, check_pairs, check_several, shown

Json = Any
Result = TypeVar("Result")
Item = TypeVar("Item")


@dataclass(frozen=True)
class Call(Generic[Result]):
    """A request, and how its answer is read."""

    path: str
    body: Mapping[str, Json]
    read: Callable[[Json], Result]


def similarity(
    pairs: Sequence[tuple[Content, Content]],
    *,
    explain: int = 0,
    interval: float | None = None,
    **settings: Unpack[Settings],
) -> Call[list[Score]]:
    """Return the score of each pair, with the `explain` continuations that differ most.

    A pair is of texts or of images that `image` makes.
    `interval` is the confidence of the interval that comes with each, as 0.95.
    """
    check_pairs(pairs)
    given = [_pair(pair) for pair in pairs]
    return _scores({"pairs": given}, len(given), settings, explain, interval)


def one_to_many(
    source: Content,
    targets: Sequence[Content],
    *,
    explain: int = 0,
    interval: float | None = None,
    **settings: Unpack[Settings],
) -> Call[list[Score]]:
    """Return the score of the source with each target."""
    given = _several(targets, "targets")
    return _scores({"source": source, "targets": given}, len(given), settings, explain, interval)


def matrix(
    rows: Sequence[Content],
    columns: Sequence[Content] | None = None,
    **settings: Unpack[Settings],
) -> Call[Matrix]:
    """Return the scores of all rows with all columns, or of the rows among themselves."""
    given = _several(rows, "rows")
    body: dict[str, Json] = {"rows": given, **settings}
    if columns is not None:
        body["columns"] = _several(columns, "columns")
    shape = len(given), len(body.get("columns", given))
    return Call("/v1/similarity", body, partial(_read_matrix, shape))


def rerank(query: str, documents: Sequence[str], top_n: int | None = None) -> Call[list[Ranked]]:
    """Return the documents by similarity to the query, the most similar first."""
    given = _several(documents, "documents")
    body = {"query": query, "documents": given, "top_n": top_n}
    return Call("/v2/rerank", body, partial(_read_ranked, len(given), top_n))


def trajectories(
    texts: Sequence[str], **settings: Unpack[Settings]
) -> Call[list[list[Trajectory]]]:
    """Return the sampled continuations of each text."""
    given = _several(texts, "texts")
    body = {"texts": given, **settings}
    return Call("/v1/trajectories", body, partial(_read_trajectories, len(given)))


def likelihoods(
    texts: Sequence[str],
    continuations: Sequence[str | Sequence[int]],
    **settings: Unpack[Settings],
) -> Call[list[list[float]]]:
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
    return Call("/v1/likelihoods", body, partial(_read_likelihoods, shape))


def _pair(pair: tuple[Content, Content]) -> list[Content]:
    check_pair(pair)
    return list(pair)


def _several(given: Iterable[Item], name: str) -> list[Item]:
    """Return a list's items; raises InputError for one text, which is no list of its letters."""
    check_several(given, name)
    return list(given)


def _scores(
    body: Mapping[str, Json],
    count: int,
    settings: Settings,
    explain: int,
    interval: float | None,
) -> Call[list[Score]]:
    extras: dict[str, Json] = {"explain": True, "top": explain} if explain else {}
    if interval is not None:
        extras["interval"] = interval
    return Call("/v1/similarity", {**body, **settings, **extras}, partial(_read_scores, count))


def _read_scores(count: int, answer: Json) -> list[Score]:
    return [
        Score(
            similarity=_number(result["similarity"]),
            distance=_number(result["distance"]),
            continuations=tuple(
                _read_continuation(one)
                for one in result.get("explanation", {}).get("continuations", ())
            ),
            interval=_read_interval(result["interval"]) if "interval" in result else None,
            scale=answer["scale"],
            warnings=tuple(answer.get("warnings", ())),
        )
        for result in _items(answer["results"], count)
    ]


def _read_continuation(given: Json) -> ExplainedContinuation:
    under_first, under_second = given["log_likelihoods"]
    of_first, of_second = given["counts"]
    return ExplainedContinuation(
        text=given["text"],
        source=given["source"],
        counts=(of_first, of_second),
        log_likelihoods=(under_first, under_second),
        tokens=given["tokens"],
        ended=given["ended"],
    )


def _read_interval(given: Json) -> Interval:
    return Interval(
        confidence=given["confidence"],
        distance=tuple(given["distance"]),
        similarity=tuple(given["similarity"]),
    )


def _read_matrix(shape: tuple[int, int], answer: Json) -> Matrix:
    return Matrix(
        similarities=_numbers(answer["similarities"], shape),
        distances=_numbers(answer["distances"], shape),
        scale=answer["scale"],
        warnings=tuple(answer.get("warnings", ())),
    )


def _read_ranked(documents: int, top_n: int | None, answer: Json) -> list[Ranked]:
    count = min(top_n or documents, documents)
    ranked = [
        Ranked(index=result["index"], relevance_score=_number(result["relevance_score"]))
        for result in _items(answer["results"], count)
    ]
    if not {one.index for one in ranked} <= set(range(documents)):
        raise ValueError(f"an index is of none of the {documents} documents")
    if len({one.index for one in ranked}) < count:
        raise ValueError("one document is there twice")
    return ranked


def _read_trajectories(count: int, answer: Json) -> list[list[Trajectory]]:
    return [
        [
            Trajectory(
                text=one["text"],
                token_ids=tuple(one["token_ids"]),
                log_likelihood=one["log_likelihood"],
                ended=one["ended"],
            )
            for one in row
        ]
        for row in _items(answer["trajectories"], count)
    ]


def _read_likelihoods(shape: tuple[int, int], answer: Json) -> list[list[float]]:
    return _numbers(answer["log_likelihoods"], shape)


def _numbers(rows: Json, shape: tuple[int, int]) -> list[list[float]]:
    return [[_number(one) for one in _items(row, shape[1])] for row in _items(rows, shape[0])]


def _items(given: Json, count: int) -> list[Json]:
    if not isinstance(given, list) or len(given) != count:
        raise ValueError(f"it has no list of {count} items where it should")
    return given


def _number(given: Json) -> float:
    if type(given) not in (int, float) or not math.isfinite(given):
        raise ValueError(f"{given!r} is no number")
    return given  # type: ignore[no-any-return]


def result_of(call: Call[Result], response: httpx.Response) -> Result:
    """Return the value of an answer.

    Raises
    ------
    ApiError
        If the answer is not a success.
    UnexpectedAnswerError
        If it is one, but not of this call.
    """
    if response.is_success:
        try:
            return call.read(json.loads(response.content, parse_constant=_refuse_constant))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
            raise UnexpectedAnswerError(f"{type(fault).__name__}: {fault}") from fault
    try:
        error = response.json()["error"]
        code, message = error["code"], error["message"]
    except (ValueError, KeyError, TypeError):
        # Not of the service: a proxy between answers in its own way.
        code, message = "http_error", response.reason_phrase
    raise ApiError(response.status_code, code, message, response.headers.get("x-request-id"))


def content_of(call: Call[Result]) -> bytes:
    """Return a call's body as JSON in UTF-8.

    Half a surrogate pair, which has no UTF-8, is escaped, so that the service says where it is.
    Raises InputError for a value that JSON cannot carry.
    """
    # What this handler writes, as \ud800, is JSON's own way too.
    return json.dumps(
        call.body, ensure_ascii=False, separators=(",", ":"), default=_refuse_value
    ).encode("utf-8", "backslashreplace")


def _refuse_value(value: object) -> NoReturn:
    raise InputError(
        "a request has texts, numbers, lists and what service.client.image makes, got "
        f"{type(value).__name__}: {shown(value)}; decode bytes, and give .item() or .tolist() of "
        "what is of NumPy"
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")

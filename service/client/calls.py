"""What both clients can call: the request of each call, and how its answer is read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, Unpack

import httpx

from service.client.errors import ApiError
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

Json = Any
Result = TypeVar("Result")


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
    return _scores({"pairs": [list(pair) for pair in pairs]}, settings, explain, interval)


def one_to_many(
    source: Content,
    targets: Sequence[Content],
    *,
    explain: int = 0,
    interval: float | None = None,
    **settings: Unpack[Settings],
) -> Call[list[Score]]:
    """Return the score of the source with each target."""
    return _scores({"source": source, "targets": list(targets)}, settings, explain, interval)


def matrix(
    rows: Sequence[Content],
    columns: Sequence[Content] | None = None,
    **settings: Unpack[Settings],
) -> Call[Matrix]:
    """Return the scores of all rows with all columns, or of the rows among themselves."""
    body: dict[str, Json] = {"rows": list(rows), **settings}
    if columns is not None:
        body["columns"] = list(columns)
    return Call("/v1/similarity", body, _read_matrix)


def rerank(query: str, documents: Sequence[str], top_n: int | None = None) -> Call[list[Ranked]]:
    """Return the documents by similarity to the query, the most similar first."""
    body = {"query": query, "documents": list(documents), "top_n": top_n}
    return Call("/v2/rerank", body, _read_ranked)


def trajectories(
    texts: Sequence[str], **settings: Unpack[Settings]
) -> Call[list[list[Trajectory]]]:
    """Return the sampled continuations of each text."""
    return Call("/v1/trajectories", {"texts": list(texts), **settings}, _read_trajectories)


def likelihoods(
    texts: Sequence[str],
    continuations: Sequence[str | Sequence[int]],
    **settings: Unpack[Settings],
) -> Call[list[list[float]]]:
    """Return the log-likelihoods, "text continuation", in nats per token."""
    given = [one if isinstance(one, str) else list(one) for one in continuations]
    body = {"texts": list(texts), "continuations": given, **settings}
    return Call("/v1/likelihoods", body, _read_likelihoods)


def _scores(
    body: Mapping[str, Json], settings: Settings, explain: int, interval: float | None
) -> Call[list[Score]]:
    extras: dict[str, Json] = {"explain": True, "top": explain} if explain else {}
    if interval is not None:
        extras["interval"] = interval
    return Call("/v1/similarity", {**body, **settings, **extras}, _read_scores)


def _read_scores(answer: Json) -> list[Score]:
    return [
        Score(
            similarity=result["similarity"],
            distance=result["distance"],
            continuations=tuple(
                _read_continuation(one)
                for one in result.get("explanation", {}).get("continuations", ())
            ),
            interval=_read_interval(result["interval"]) if "interval" in result else None,
            scale=answer["scale"],
            warnings=tuple(answer.get("warnings", ())),
        )
        for result in answer["results"]
    ]


def _read_continuation(given: Json) -> ExplainedContinuation:
    under_first, under_second = given["log_likelihoods"]
    return ExplainedContinuation(
        text=given["text"],
        source=given["source"],
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


def _read_matrix(answer: Json) -> Matrix:
    return Matrix(
        similarities=answer["similarities"],
        distances=answer["distances"],
        scale=answer["scale"],
        warnings=tuple(answer.get("warnings", ())),
    )


def _read_ranked(answer: Json) -> list[Ranked]:
    return [
        Ranked(index=result["index"], relevance_score=result["relevance_score"])
        for result in answer["results"]
    ]


def _read_trajectories(answer: Json) -> list[list[Trajectory]]:
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
        for row in answer["trajectories"]
    ]


def _read_likelihoods(answer: Json) -> list[list[float]]:
    matrix: list[list[float]] = answer["log_likelihoods"]
    return matrix


def result_of(call: Call[Result], response: httpx.Response) -> Result:
    """Return the value of an answer.

    Raises
    ------
    ApiError
        If the answer is not a success.
    """
    if response.is_success:
        return call.read(response.json())
    try:
        error = response.json()["error"]
        code, message = error["code"], error["message"]
    except (ValueError, KeyError, TypeError):
        # Not of the service: a proxy between answers in its own way.
        code, message = "http_error", response.reason_phrase
    raise ApiError(response.status_code, code, message, response.headers.get("x-request-id"))


def http_options(url: str, api_key: str | None, timeout: float) -> dict[str, Any]:
    """Return the options of both kinds of httpx's client."""
    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    return {"base_url": url, "headers": headers, "timeout": timeout}

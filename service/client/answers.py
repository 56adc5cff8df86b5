"""How the answer of each call is read; ValueError, KeyError or TypeError if it is none."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

from service.client.explanations import (
    ContinuationShare,
    ExplainedContinuation,
    Explanation,
    ImpliedWord,
    ImpliedWords,
    TrajectoryExplanation,
    VectorExplanation,
    WordShare,
)
from service.client.values import About, Interval, Matrix, Ranked, Results, Score, Trajectory

Json = Any
Item = TypeVar("Item")
# What messages call the types of values.
_CALLED = {str: "a text", bool: "true or false", int: "a whole number"}


def read_about(answer: Json, request_id: str | None) -> About:
    """Return what an answer says of itself as a whole."""
    # Where Cohere's clients look for them.
    warnings = answer.get("warnings") or answer.get("meta", {}).get("warnings")
    return About(
        model=answer["model"],
        usage=answer["usage"],
        request_id=request_id,
        warnings=tuple(warnings or ()),
        fingerprint=answer.get("fingerprint"),
        preset=answer.get("preset"),
        calibrated=answer.get("calibrated"),
        repeatable=answer.get("repeatable"),
    )


def read_scores(count: int, answer: Json, about: About) -> Results[Score]:
    """Return the scores of so many pairs."""
    scores = [
        Score(
            similarity=_similarity(result["similarity"]),
            distance=_distance(result["distance"]),
            explanation=_optional(_explanation, result.get("explanation")),
            interval=_optional(_interval, result.get("interval")),
            scale=answer["scale"],
            warnings=about.warnings,
        )
        for result in _items(answer["results"], count)
    ]
    return Results(scores, about)


def read_matrix(shape: tuple[int, int], answer: Json, about: About) -> Matrix:
    """Return a matrix of this shape."""

    def cells(read: Callable[[Json], Item], name: str) -> list[list[Item]] | None:
        return _cells(read, answer[name], shape) if name in answer else None

    return Matrix(
        similarities=_cells(_similarity, answer["similarities"], shape),
        distances=_cells(_distance, answer["distances"], shape),
        explanations=cells(_explanation, "explanations"),
        intervals=cells(_interval, "intervals"),
        scale=answer["scale"],
        warnings=about.warnings,
        about=about,
    )


def read_ranked(documents: int, top_n: int | None, answer: Json, about: About) -> Results[Ranked]:
    """Return the first `top_n` of so many documents."""
    count = min(top_n or documents, documents)
    ranked = [
        Ranked(
            index=_count(result["index"]), relevance_score=_similarity(result["relevance_score"])
        )
        for result in _items(answer["results"], count)
    ]
    if not {one.index for one in ranked} <= set(range(documents)):
        raise ValueError(f"an index is of none of the {documents} documents")
    if len({one.index for one in ranked}) < count:
        raise ValueError("one document is there twice")
    return Results(ranked, about)


def read_trajectories(count: int, answer: Json, about: About) -> Results[list[Trajectory]]:
    """Return the trajectories of so many texts."""
    rows = _items(answer["trajectories"], count)
    return Results([[_trajectory(one) for one in row] for row in rows], about)


def read_likelihoods(shape: tuple[int, int], answer: Json, about: About) -> Results[list[float]]:
    """Return a matrix of log-likelihoods of this shape."""
    return Results(_cells(_number, answer["log_likelihoods"], shape), about)


def _trajectory(given: Json) -> Trajectory:
    return Trajectory(
        text=_of(str, given["text"]),
        token_ids=_all(_count, given["token_ids"]),
        log_likelihood=_number(given["log_likelihood"]),
        ended=_of(bool, given["ended"]),
    )


def _interval(given: Json) -> Interval:
    return Interval(
        confidence=_number(given["confidence"], 0, 1),
        distance=_two(given["distance"], _distance),
        similarity=_two(given["similarity"], _similarity),
    )


def _explanation(given: Json) -> Explanation:
    """Return an explanation by its method."""
    if given["method"] == TrajectoryExplanation.method:
        return TrajectoryExplanation(
            continuations=_all(_explained_continuation, given["continuations"])
        )
    if given["method"] != VectorExplanation.method:
        raise ValueError(f"it explains by an unknown method, {given['method']!r}")
    return VectorExplanation(
        cosine=_number(given["cosine"]),
        shares={name: _number(share) for name, share in given["shares"].items()},
        weights={name: _number(weight) for name, weight in given["weights"].items()},
        implied=_optional(_implied_words, given.get("implied")),
        overlap=_all(_word_share, given["overlap"]),
        continuations=_all(_continuation_share, given["continuations"]),
        note=given.get("note"),
    )


def _explained_continuation(given: Json) -> ExplainedContinuation:
    return ExplainedContinuation(
        text=_of(str, given["text"]),
        source=_count(given["source"]),
        counts=_two(given["counts"], _count),
        log_likelihoods=_two(given["log_likelihoods"]),
        tokens=_count(given["tokens"]),
        ended=_of(bool, given["ended"]),
    )


def _implied_words(given: Json) -> ImpliedWords:
    return ImpliedWords(
        both=_all(_implied_word, given["both"]),
        first=_all(_implied_word, given["first"]),
        second=_all(_implied_word, given["second"]),
    )


def _implied_word(given: Json) -> ImpliedWord:
    return ImpliedWord(
        word=_of(str, given["word"]),
        share=_number(given["share"]),
        beyond_usual=_two(given["beyond_usual"]),
    )


def _word_share(given: Json) -> WordShare:
    return WordShare(
        word=_of(str, given["word"]),
        share=_number(given["share"]),
        counts=_two(given["counts"], _count),
    )


def _continuation_share(given: Json) -> ContinuationShare:
    return ContinuationShare(
        text=_of(str, given["text"]),
        share=_number(given["share"]),
        log_likelihoods=_two(given["log_likelihoods"]),
        usual=_number(given["usual"]),
    )


def _optional(read: Callable[[Json], Item], given: Json) -> Item | None:
    return None if given is None else read(given)


def _all(read: Callable[[Json], Item], given: Json) -> tuple[Item, ...]:
    return tuple(read(one) for one in given)


def _cells(read: Callable[[Json], Item], rows: Json, shape: tuple[int, int]) -> list[list[Item]]:
    return [[read(one) for one in _items(row, shape[1])] for row in _items(rows, shape[0])]


def _items(given: Json, count: int) -> list[Json]:
    if not isinstance(given, list) or len(given) != count:
        raise ValueError(f"it has no list of {count} items where it should")
    return given


def _similarity(given: Json) -> float:
    return _number(given, 0, 1)


def _distance(given: Json) -> float:
    return _number(given, 0)


def _number(given: Json, least: float = -math.inf, most: float = math.inf) -> float:
    if type(given) not in (int, float) or not math.isfinite(given):
        raise ValueError(f"{given!r} is no number")
    if not least <= given <= most:
        allowed = f"from {least} up" if most == math.inf else f"from {least} to {most}"
        raise ValueError(f"{given!r} is where a number {allowed} should be")
    return given  # type: ignore[no-any-return]


def _count(given: Json) -> int:
    """Return a whole number from 0 up; true and 1.0 are equal to 1, and none."""
    return int(_number(_of(int, given), 0))


def _of(kind: type[Item], given: Json) -> Item:
    """Return a value that is of this type alone; raises ValueError."""
    if type(given) is not kind:
        raise ValueError(f"{given!r} is where {_CALLED[kind]} should be")
    return given


def _two(given: Json, read: Callable[[Json], float] = _number) -> tuple[Any, Any]:
    first, second = _items(given, 2)
    return read(first), read(second)
